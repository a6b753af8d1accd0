"""How a page asks a server's data as the person who looks: by the gateway, with a token of half a minute.

One governed path: what a person may not call, their page cannot show, and each look is a recorded call of theirs.
Above: `view_data`. Below: the port DataLane.
"""

import secrets
from dataclasses import dataclass, field
from typing import Any, Final, TypeGuard

import orjson

from pierhead.apps.registry.web.site import Site, Viewer
from pierhead.core.errors import Forbidden, Invalid, NotFound, PierheadError, ToolTimedOut, UpstreamUnreachable
from pierhead.core.scope import least
from pierhead.usecases.grant_tokens import Grant, issue
from pierhead.usecases.ports_data import DataQuestion

CLIENT: Final = "pierhead-web"
_TOKEN_S: Final = 30
_GOOD: Final = frozenset({200, 206})
_KINDS: Final[dict[int, type[PierheadError]]] = {403: Forbidden, 404: NotFound, 504: ToolTimedOut}


@dataclass(slots=True)
class Asking:
    """The questions of one page."""

    site: Site
    viewer: Viewer
    server: str
    _token: str = field(default="", repr=False)

    async def read(self, target: str) -> Any:  # noqa: ANN401 - JSON, read by its page
        return await self._ask(target, b"")

    async def send(self, target: str, body: dict[str, object]) -> Any:  # noqa: ANN401 - JSON, read by its page
        return await self._ask(target, orjson.dumps(body))

    async def _ask(self, target: str, body: bytes) -> Any:  # noqa: ANN401 - JSON, read by its page
        """The answer's JSON.

        Errors: what the gateway or the server said, as the error it was; UpstreamUnreachable for anything else.
        """
        token = self._token or await self._issued()
        answer = await self.site.data.ask(DataQuestion(self.server, target, token, body))
        try:
            said: object = orjson.loads(answer.body)
        except orjson.JSONDecodeError:
            said = None
        if answer.status in _GOOD and said is not None:
            return said
        raise _refusal(answer.status, said)

    async def _issued(self) -> str:
        resource = f"{self.site.public_url}/mcp/{self.server}"
        family, scope = f"page-{secrets.token_urlsafe(8)}", least(self.server)  # pages read, and do nothing else
        grant = Grant(self.viewer.person, resource, CLIENT, family, _TOKEN_S, scope)
        self._token, _ = await issue(grant, self.site.tokens)
        return self._token


def _refusal(status: int, said: object) -> PierheadError:
    if not _is_object(said) or not isinstance(said.get("code"), str):
        return UpstreamUnreachable(f"the server's data cannot be had now ({status})", hint="try again in a moment")
    kind = _KINDS.get(status, Invalid)
    return kind(str(said.get("detail", "")), hint=str(said.get("hint", "")), code=str(said["code"]))


def _is_object(value: object) -> TypeGuard[dict[str, Any]]:
    return isinstance(value, dict)
