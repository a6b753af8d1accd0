"""Company policies: the `.cedar` files that a fleet file names, and the engine that reads them, where it is installed.

The engine is in the extras that decide calls, not in the base install. Where policies are declared and it is missing,
nothing starts and no revision is taken: a forbid that nobody reads would be a right. Not here: what they mean
(`adapters/cedar`), which of their permits count (`usecases/match_rules`).
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from pierhead.core.errors import Misconfigured
from pierhead.core.snapshot import NO_POLICIES, CompanyPolicies, PolicyText
from pierhead.usecases.wire_forms import no_engine

_LARGEST: Final = 256 * 1024


def read_texts(fleet: Path, named: Iterable[str]) -> tuple[PolicyText, ...]:
    """The files, which lie beside the fleet file or below. Errors: Misconfigured (`bad-fleet`)."""
    return tuple(_text(fleet, name) for name in named)


def _text(fleet: Path, name: str) -> PolicyText:
    file = fleet.parent / name
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as failed:
        message = f"{fleet}: policies names {name}, which cannot be read: {failed.__class__.__name__}"
        raise Misconfigured(message, hint="name a file beside the fleet file", code="bad-fleet") from None
    if len(text) > _LARGEST:
        message = f"{fleet}: {name} is larger than {_LARGEST} characters"
        raise Misconfigured(message, hint="write several files", code="bad-fleet")
    return PolicyText(name, text)


def engine(texts: tuple[PolicyText, ...]) -> CompanyPolicies:
    """These policies, ready to be asked.

    Errors: Invalid: `policy-syntax`, `policy-unknown-name`; `policy-engine-missing`, where nothing can read them.
    """
    if not texts:
        return NO_POLICIES
    try:
        from pierhead.adapters.cedar import CedarPolicies  # noqa: PLC0415 - only where there are policies
    except ImportError:
        return no_engine(texts)
    return CedarPolicies.read(texts)


def declared_policies(texts: tuple[PolicyText, ...], tools: Mapping[str, Iterable[str]]) -> CompanyPolicies:
    """The policies of a fleet file, held against the servers that there are, and their `tools`: none, if nobody knows.

    Errors: as `engine`, with file, line and column.
    """
    read = engine(texts)
    if texts:
        from pierhead.adapters.cedar import check_names  # noqa: PLC0415

        check_names(texts, {name: frozenset(known) for name, known in tools.items()})
    return read
