"""What a token may be used for, below what its principal may do: OAuth scopes, each of one resource.

A scope opens nothing: it holds a token back from part of what its principal may do, and a token that names none has the
least. The registry's are levels. Those of MCP are words: `NAME.read` for the tools of a server that only read,
`NAME.write` for its other tools, `mcp.read` and `mcp.write` for those of every server, and `mcp` for all of it. Above:
`grant_tokens` grants them, the official API and `hold_to_scope` ask for them. Not here: who may do what (`rights`,
`reach`, `policy`).
"""

import re
from collections.abc import Iterable
from typing import Final

from pierhead.core.catalog import Effect
from pierhead.core.errors import Forbidden

REGISTRY: Final = "/r/me"
"""Behind the public URL: the resource that the levels belong to."""

READ: Final = "registry:read"
WRITE: Final = "registry:write"
"""Publish, and take the owner's steps with servers that are the person's own."""
ADMIN: Final = "registry:admin"
"""Act as security, or as an administrator with a server of others."""

LEVELS: Final = (READ, WRITE, ADMIN)
"""Each includes those before it."""

EVERY: Final = " ".join(LEVELS)

TOOLS: Final = "/mcp"
"""Behind the public URL: the front desk; below it one resource for each server."""

ALL: Final = "mcp"
"""Whatever the principal may call."""

WHOLE: Final = frozenset({ALL})
"""The scopes of a proof that holds its principal back from nothing."""

_WORD: Final = re.compile(r"([A-Za-z0-9][A-Za-z0-9_.-]{0,63})\.(read|write)")
_STEP_UP: Final = re.compile(rb'Bearer error="insufficient_scope", scope="([A-Za-z0-9 _.-]{1,4096})"')


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

    What is no scope of the resource is passed over, as RFC 6749, section 3.3, allows: clients ask for words of other
    servers. Who asks for nothing at all gets `mcp` for tools: clients of the time before there were scopes do.
    """
    words = frozenset(asked.split(" ")) - {""}
    if resource == REGISTRY:
        return up_to(highest(words))
    server = resource.removeprefix(TOOLS).removeprefix("/")
    if not resource.startswith(TOOLS):
        return ""
    if not words or ALL in words:
        return ALL
    known = {word for word in words if (found := _WORD.fullmatch(word)) and (not server or found[1] == server)}
    return " ".join(sorted(known)) or least(server)


def least(server: str) -> str:
    """The scope of a first sign-in: tools that read, of that server, or at the front desk (an empty name) of all."""
    return f"{server or ALL}.read"


def offered(server: str) -> tuple[str, str]:
    """The scopes of one server, or of the front desk (an empty name)."""
    return f"{server or ALL}.read", f"{server or ALL}.write"


def scope_of(server: str, effect: Effect) -> str:
    """The scope that a call of such a tool needs."""
    return f"{server}.read" if effect is Effect.READ else f"{server}.write"


def covers(scopes: Iterable[str], needed: str) -> bool:
    """Whether a token with these scopes is good for one that is needed."""
    return ALL in scopes or needed in scopes or f"{ALL}.{needed.rpartition('.')[2]}" in scopes


def is_within(asked: str, had: str) -> bool:
    """Whether everything asked for is covered by what was had."""
    scopes = had.split(" ")
    return all(covers(scopes, word) for word in asked.split(" "))


def is_word(scope: str) -> bool:
    """Whether it is a scope of tools."""
    return scope == ALL or _WORD.fullmatch(scope) is not None


def of_both(token: frozenset[str], workload: frozenset[str]) -> frozenset[str]:
    """What is left where a person's token comes through a workload: what both are good for."""
    if ALL in workload:
        return token
    if ALL in token:
        return workload
    return frozenset(
        word
        for mine, others in ((token, workload), (workload, token))
        for word in mine
        if is_word(word) and covers(others, word)
    )


def scope_missing(scopes: frozenset[str], server: str, effect: Effect) -> ScopeMissing:
    """The refusal of such a call, which names all at once: what the token has, and what it lacks.

    A client that asks for what it reads here, and for nothing else, loses nothing.
    """
    kept = {word for word in scopes if is_word(word)}
    return ScopeMissing(" ".join(sorted({*kept, least(server), scope_of(server, effect)})))


def step_up(missing: ScopeMissing) -> bytes:
    """What a server tells a client whose token is good for less (RFC 6750, section 3.1)."""
    return f'Bearer error="insufficient_scope", scope="{missing.needed}"'.encode("ascii")


def step_up_of(header: bytes) -> ScopeMissing | None:
    """The refusal that a server's words stand for; None where they are any other."""
    found = _STEP_UP.fullmatch(header)
    return ScopeMissing(found[1].decode("ascii")) if found else None


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
