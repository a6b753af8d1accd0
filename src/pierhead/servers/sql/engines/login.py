"""An engine under one account: the source's own, or that of a role. Not here: what an account may do (logins.py)."""

import asyncio

from pierhead.servers.sql.engines.engine import Engine


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
