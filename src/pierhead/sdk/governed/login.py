"""An engine under one account: the source's own, or that of a role. Not here: what an account may do (logins.py)."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from pierhead.sdk import Misconfigured
from pierhead.sdk.governed.engine import Engine


def _no_logins(_address: str) -> Engine:
    """Errors: Misconfigured, always."""
    raise Misconfigured(
        "a role names a login, and this source has one for all", hint="leave the login out", code="bad-sql-policy"
    )


@dataclass(frozen=True, slots=True)
class Accounts:
    """The source's own address, and how the engine of another account at it is made: not at all, unless told."""

    url: str = ""
    connect: Callable[[str], Engine] = _no_logins


class Login:
    """An engine under one account, and whether it has looked at the schema under it."""

    __slots__ = ("_looking", "address", "engine", "is_ready")

    def __init__(self, engine: Engine, address: str, *, is_ready: bool) -> None:
        self.engine = engine
        self.address = address
        self.is_ready = is_ready
        self._looking = asyncio.Lock()

    async def make_ready(self) -> None:
        """Errors: UpstreamUnreachable."""
        async with self._looking:
            if not self.is_ready:
                await self.engine.introspect()
                self.is_ready = True
