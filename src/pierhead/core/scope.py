"""What a token may be used for, below what its person may do: OAuth scopes, each of one resource.

A scope opens nothing: it holds a token back from part of what its person may do. Who asks for none, and a token that
names none, has the least. Above: `grant_tokens` grants them, the official API asks for them. Not here: who may do
what (`rights`, `reach`, `policy`).
"""

from typing import Final

from pierhead.core.errors import Forbidden

REGISTRY: Final = "/r/me"
"""Behind the public URL: the resource that these scopes belong to."""

READ: Final = "registry:read"
WRITE: Final = "registry:write"
"""Publish, and take the owner's steps with servers that are the person's own."""
ADMIN: Final = "registry:admin"
"""Act as security, or as an administrator with a server of others."""

LEVELS: Final = (READ, WRITE, ADMIN)
"""Each includes those before it."""

EVERY: Final = " ".join(LEVELS)


class ScopeMissing(Forbidden):
    """The person may, this token may not. `needed` names every scope of a token that would do."""

    default_code = "insufficient-scope"

    def __init__(self, needed: str) -> None:
        super().__init__(
            f"the token is not good for this: it needs the scope {needed}",
            hint=f"sign in again and ask for scope={needed}",
        )
        self.needed = needed


def granted(asked: str, resource: str) -> str:
    """The scopes that asking for these gives, for a resource by its path; none where the resource has none.

    What nobody here knows is passed over, as RFC 6749, section 3.3, allows: clients ask for words of other servers.
    """
    if resource != REGISTRY:
        return ""
    return up_to(highest(frozenset(asked.split(" "))))


def highest(scopes: frozenset[str]) -> str:
    """The level that these reach, at least the first."""
    return next((level for level in reversed(LEVELS) if level in scopes), READ)


def up_to(level: str) -> str:
    """That level and all it includes, as one text."""
    return " ".join(LEVELS[: LEVELS.index(level) + 1])


def require_scope(scopes: frozenset[str], level: str) -> None:
    """Errors: ScopeMissing, unless these reach `level`."""
    if LEVELS.index(highest(scopes)) < LEVELS.index(level):
        raise ScopeMissing(up_to(level))
