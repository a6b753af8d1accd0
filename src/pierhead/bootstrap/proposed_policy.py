"""A policy as somebody proposes it in texts: a fleet file or the part of it that changes, and company policies.

As a fleet file would be read, with two differences: an entry that names no kind changes members of the one in force,
and a company policy that is not among the texts stays as it is in force. Nothing is published. Above: the page that
simulates. Not here: what it would change (`usecases/simulate_policy`).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from pierhead.bootstrap.document import Document, broken, parse_document
from pierhead.bootstrap.fleet import Part, read_part
from pierhead.core.errors import Invalid
from pierhead.core.json import Json
from pierhead.core.snapshot import PolicyText

FLEET: Final = "fleet.yaml"
COMPANY: Final = "company.cedar"
_NAME: Final = re.compile(r"([A-Za-z0-9_][A-Za-z0-9_.-]{0,99}/){0,5}[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}\.cedar")
_DEEPEST: Final = 50
"""Brackets within brackets: reading them costs the square of their number, before any fault is found."""


@dataclass(frozen=True, slots=True)
class InForce:
    """What a proposal changes: the entries, and the texts of the company's policies."""

    entries: Mapping[str, Mapping[str, Json]] = field(hash=False)
    policies: tuple[PolicyText, ...]


@dataclass(frozen=True, slots=True)
class ProposedPolicy:
    """What was read. None leaves people, or company policies, as they are; `document` tells places."""

    document: Document
    servers: Mapping[str, Mapping[str, Json]] = field(hash=False)
    people: Mapping[str, frozenset[str]] | None = field(hash=False)
    policies: tuple[PolicyText, ...] | None


def read_proposal(fleet: str, texts: tuple[PolicyText, ...], now: InForce) -> ProposedPolicy:
    """Read both texts; `fleet` may be empty.

    Errors: Misconfigured (`bad-fleet`), every fault with line and column; Invalid.
    """
    for text in texts:
        if _NAME.fullmatch(text.name) is None:
            raise Invalid(
                f"{text.name[:80]!r} is no name of a policy file",
                hint="call it like company.cedar",
                code="policy-syntax",
            )
    if not fleet.strip() and not texts:
        raise Invalid("nothing is proposed", hint="paste a part of a fleet file, or a company policy")
    document = _document(fleet)
    part = read_part(document, now.entries)
    return ProposedPolicy(document, part.documents, part.people, _policies(document, part, texts, now.policies))


def _document(fleet: str) -> Document:
    path = Path(FLEET)
    if not fleet.strip():
        return Document(path, {}, {}, {})
    if _is_too_deep(fleet):
        raise broken(path, (1, 1), "it is nested too deeply", "write fewer brackets within brackets")
    try:
        return parse_document(path, fleet)
    except RecursionError:
        raise broken(path, (1, 1), "it is nested too deeply", "write it flatter") from None


def _is_too_deep(text: str) -> bool:
    depth = 0
    for sign in text:
        depth += (sign in "[{") - (sign in "]}")
        if depth > _DEEPEST:
            return True
    return False


def _policies(
    document: Document, part: Part, given: tuple[PolicyText, ...], now: tuple[PolicyText, ...]
) -> tuple[PolicyText, ...] | None:
    """The company's policies as they would be: those that the file names, or those in force with the given ones."""
    texts = {text.name: text for text in (*now, *given)}
    if part.policies is None:
        return tuple(texts.values()) if given else None
    for name, mark in part.policies:
        if name not in texts:
            raise broken(document.path, mark, f"policies names {name}, which is not here", "paste or upload it too")
    named = tuple(name for name, _ in part.policies)
    for text in given:
        if text.name not in named:
            what = f"policies does not name {text.name}"
            raise broken(document.path, document.mark(("policies",)), what, "name it, or leave policies out")
    return tuple(texts[name] for name in named)
