"""What an issuer vouches for about a person beyond groups: a few small typed values, for rules over data.

A claim grants nothing by itself: a role's row rule compares it with a column. The bounds keep a token and an
assertion small. Above: identity carries them, the fleet file and tokens state them, servers' row rules read them.
"""

import re
from collections.abc import Mapping
from typing import Final, TypeAlias, cast

from pierhead.core.errors import Invalid
from pierhead.core.json import Json

ClaimValue: TypeAlias = bool | int | str | tuple[str, ...]
Claims: TypeAlias = tuple[tuple[str, ClaimValue], ...]
"""Sorted by name: hashable, since who asks is a key in every cache."""

BUILT_IN: Final = frozenset({"subject", "groups"})
"""Names that every person has, from their identity; no issuer can state them."""

MOST: Final = 16
LONGEST_TEXT: Final = 256
LONGEST_LIST: Final = 64
_LARGEST: Final = 2**53 - 1
_MOST_CHARACTERS: Final = 4096
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,63}")


def parse_claims(written: object) -> Claims:
    """The claims in `written`, a JSON object. Errors: Invalid (`bad-claims`), naming each fault and no value."""
    if not isinstance(written, Mapping):
        raise _invalid(["claims are not an object"])
    given = cast("Mapping[object, object]", written)
    claims: dict[str, ClaimValue] = {}
    faults: list[str] = []
    for name, value in given.items():
        read = _value(value)
        if not isinstance(name, str) or not _NAME.fullmatch(name) or name in BUILT_IN:
            faults.append(f"{str(name)[:64]!r} is no name of a claim")
        elif read is None:
            faults.append(f"{name} is no text, whole number, truth value or list of texts, or too large")
        else:
            claims[name] = read
    if len(given) > MOST or len(repr(claims)) > _MOST_CHARACTERS:
        faults.append(f"more than {MOST} claims, or more than {_MOST_CHARACTERS} characters of them")
    if faults:
        raise _invalid(faults)
    return tuple(sorted(claims.items(), key=lambda claim: claim[0]))


def claims_form(claims: Claims) -> dict[str, Json]:
    """Claims as a JSON object."""
    return {name: list(value) if isinstance(value, tuple) else value for name, value in claims}


def _value(value: object) -> ClaimValue | None:
    """The value as it is kept; None for what no claim may be."""
    match value:
        case bool():
            return value
        case int():
            return value if -_LARGEST <= value <= _LARGEST else None
        case str():
            return value if len(value) <= LONGEST_TEXT else None
        case list():
            texts = [_text(each) for each in cast("list[object]", value)]
            whole = tuple(text for text in texts if text is not None)
            return whole if len(whole) == len(texts) <= LONGEST_LIST else None
        case _:
            return None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and len(value) <= LONGEST_TEXT else None


def _invalid(faults: list[str]) -> Invalid:
    return Invalid("; ".join(faults), hint="see docs/reference/data-policy.md", code="bad-claims")
