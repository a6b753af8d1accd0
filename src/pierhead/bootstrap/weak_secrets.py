"""Whether a secret that people chose can be guessed: too short, too plain, or known from examples.

OAuth wants the chance of guessing a secret below one in 2^128 (RFC 6749, section 10.10). What a text was made from
cannot be seen; what plainly falls short of it can, and does not start. Keys of our own are made by chance (`keys`).
"""

import re
from typing import Final

from pierhead.core.errors import Misconfigured

SHORTEST: Final = 16
"""Characters; 16 of base64 hold 96 bits, and nothing shorter is worth guarding with."""
_FEWEST: Final = 6
"""Different characters; fewer are a key held down."""
_KNOWN: Final = ("changeme", "example", "letmein", "password", "pierhead", "placeholder", "replaceme", "secret", "test")
"""What stands in examples and defaults: a secret that is made of these alone has been read by everybody."""
_PADDING: Final = re.compile(r"[\W\d_]+")
_IS_KNOWN: Final = re.compile(f"(?:{'|'.join((*_KNOWN, 'client', 'my', 'the', 'your', 'please'))})*")


def require_strong(secret: str, setting: str) -> None:
    """Nothing, for a secret that may be one. Errors: Misconfigured (`weak-secret`), which never shows it."""
    why = _weakness(secret)
    if why:
        message = f"{setting} is a secret that can be guessed: {why}"
        raise Misconfigured(message, hint="make one by chance: openssl rand -base64 32", code="weak-secret")


def _weakness(secret: str) -> str:
    if len(secret) < SHORTEST:
        return f"it has fewer than {SHORTEST} characters"
    if len(set(secret)) < _FEWEST:
        return f"it has fewer than {_FEWEST} different characters"
    if _IS_KNOWN.fullmatch(_PADDING.sub("", secret.casefold())):
        return "it is made of words and numbers that stand in examples"
    return ""
