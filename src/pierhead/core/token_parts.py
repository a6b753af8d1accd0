"""The parts of a compact JWT, read in the one way that every parser reads them alike.

Base64url without padding or line breaks; UTF-8; one JSON object without a repeated member, NaN or infinity. Nothing
read here is proved: a signature is an adapter's affair.
"""

import json
from base64 import b64decode
from binascii import Error as BadBase64
from typing import NoReturn, cast

from pierhead.core.errors import Invalid

_HINT = "send a compact JWT"


def header_and_claims(token: bytes) -> tuple[dict[str, object], dict[str, object]]:
    """Both objects of a compact JWT. Errors: Invalid (`malformed-token`)."""
    parts = token.split(b".")
    if len(parts) != 3:  # noqa: PLR2004 - header, claims, signature
        raise _malformed()
    return part_of(parts[0]), part_of(parts[1])


def part_of(encoded: bytes) -> dict[str, object]:
    """The object in one part of a token. Errors: Invalid (`malformed-token`)."""
    try:
        text = b64decode(encoded + b"=" * (-len(encoded) % 4), b"-_", validate=True)
    except BadBase64:
        raise _malformed() from None
    return strict_object(text)


def strict_object(text: bytes) -> dict[str, object]:
    """One JSON object. Errors: Invalid (`malformed-token`)."""
    try:
        value: object = json.loads(text.decode("utf-8"), object_pairs_hook=_members, parse_constant=_constant)
    except (ValueError, RecursionError):
        raise _malformed() from None
    if not isinstance(value, dict):
        raise _malformed()
    return cast("dict[str, object]", value)


def _members(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member is repeated")
    return members


def _constant(name: str) -> NoReturn:
    raise ValueError(name)


def _malformed() -> Invalid:
    return Invalid("the token cannot be read", hint=_HINT, code="malformed-token")
