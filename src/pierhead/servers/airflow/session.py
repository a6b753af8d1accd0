"""Signed in at Airflow: its token is got, kept and renewed here, and shown to nobody.

API v2 gives a token for user and password at `/auth/token`; API v1 takes both with each request; a token that the
operator gave is used as it is. Above: `api`. Not here: what is asked.
"""

import asyncio
import base64
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Final, TypeVar

from pierhead.sdk import ToolFailed
from pierhead.sdk.upstream import Json, Upstream
from pierhead.servers.airflow.settings import AirflowSettings

Answer = TypeVar("Answer")
Parameters = Mapping[str, str | int | Sequence[str]]

_DENIED: Final = "upstream-denied"


class Session:
    """Of one Airflow, for as long as its server runs."""

    def __init__(self, chosen: AirflowSettings) -> None:
        self._chosen = chosen
        self._token = ""
        self._signing = asyncio.Lock()
        self._door = self._upstream(None)
        self._asked = self._upstream(self._headers)
        self._logs = {
            accept: self._upstream(self._accepting(accept)) for accept in ("application/x-ndjson", "text/plain")
        }

    async def json(
        self,
        *segments: str,
        params: Parameters,
        method: str = "GET",
        body: Json | None = None,
        is_idempotent: bool | None = None,
    ) -> Json:
        """Errors: as `Upstream.json`."""

        async def ask() -> Json:
            return await self._asked.json(
                *segments, params=params, method=method, body=body, is_idempotent=is_idempotent
            )

        return await self._renewing(ask)

    async def text(self, *segments: str) -> str:
        """Plain text. Errors: as `Upstream.text`."""
        return await self._renewing(lambda: self._logs["text/plain"].text(*segments))

    @asynccontextmanager
    async def stream(self, *segments: str, params: Parameters, accept: str) -> AsyncGenerator[AsyncIterator[bytes]]:
        """Errors: as `Upstream.stream`."""
        used = self._token
        opening = self._logs[accept].stream(*segments, params=params)
        try:
            found = await opening.__aenter__()
        except ToolFailed as failed:
            if failed.code != _DENIED or not await self._renewed(used):
                raise
            opening = self._logs[accept].stream(*segments, params=params)
            found = await opening.__aenter__()
        try:
            yield found
        finally:
            await opening.__aexit__(None, None, None)

    async def close(self) -> None:
        for each in (self._door, self._asked, *self._logs.values()):
            await each.close()

    async def _renewing(self, ask: Callable[[], Awaitable[Answer]]) -> Answer:
        used = self._token
        try:
            return await ask()
        except ToolFailed as failed:
            if failed.code != _DENIED or not await self._renewed(used):
                raise
        return await ask()

    async def _renewed(self, used: str) -> bool:
        """Whether there is a token besides the one that was refused."""
        if not used:
            return False
        async with self._signing:
            if self._token == used:
                self._token = ""
        return True

    @property
    def _is_exchanged(self) -> bool:
        return self._chosen.api == "v2" and bool(self._chosen.login.user)

    async def _headers(self) -> Mapping[str, str]:
        login = self._chosen.login
        if login.user and not self._is_exchanged:
            pair = f"{login.user}:{await self._secret()}".encode()
            return {"Authorization": f"Basic {base64.b64encode(pair).decode()}"}
        async with self._signing:
            if not self._token:
                self._token = await self._signed_in()
        return {"Authorization": f"Bearer {self._token}"}

    def _accepting(self, accept: str) -> Callable[[], Awaitable[Mapping[str, str]]]:
        async def headers() -> Mapping[str, str]:
            return {**await self._headers(), "Accept": accept}

        return headers

    async def _secret(self) -> str:
        """Read anew each time: a file that was replaced is in force at once."""
        return await asyncio.to_thread(self._chosen.login.secret)

    async def _signed_in(self) -> str:
        """Errors: ToolFailed (`airflow-sign-in`), which names no credential."""
        if not self._is_exchanged:
            return await self._secret()
        body: Json = {"username": self._chosen.login.user, "password": await self._secret()}
        try:
            said = await self._door.json("auth", "token", method="POST", body=body, is_idempotent=True)
        except ToolFailed as failed:
            if failed.code not in {_DENIED, "upstream-refused"}:
                raise
            said = None
        token = said.get("access_token") if isinstance(said, dict) else None
        if not isinstance(token, str) or not token:
            hint = "whoever runs this server corrects `login` in its entry"
            raise ToolFailed(f"{self._chosen.title} does not sign this server in", hint=hint, code="airflow-sign-in")
        return token

    def _upstream(self, headers: Callable[[], Awaitable[Mapping[str, str]]] | None) -> Upstream:
        return Upstream(self._chosen.url, title="Airflow", headers=headers, seconds=self._chosen.seconds)
