"""Every path of the official API, and the one way each is answered.

`ROUTES` is the table; each stands below `/v0.1`, `/r/{view}/v0.1` and `/r/me/v0.1`, and below `/v0` where the setting
says so. One route of the registry's router takes them all, because their addresses are read raw (`paths`). Not here:
what an endpoint answers (`reading`, `changing`).
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match
from starlette.types import Receive, Scope, Send

from pierhead.apps.registry.official.answers import (
    answered,
    not_offered,
    preflight,
    refused,
    wrong_method,
)
from pierhead.apps.registry.official.asking import Asked, Endpoint
from pierhead.apps.registry.official.changing import can_use, publish, status, version_status
from pierhead.apps.registry.official.paths import Address, address_of, match
from pierhead.apps.registry.official.reading import servers, version, versions
from pierhead.apps.registry.official.views import Eyes
from pierhead.core.errors import NotFound, PierheadError
from pierhead.core.scope import READ, WRITE, up_to
from pierhead.usecases.registry_desk import RegistryDesk

ROUTES: Final[Mapping[str, Endpoint | None]] = {
    "GET /v0.1/servers": servers,
    "GET /v0.1/servers/{serverName}/versions": versions,
    "GET /v0.1/servers/{serverName}/versions/{version}": version,
    "PUT /v0.1/servers/{serverName}/versions/{version}": None,
    "DELETE /v0.1/servers/{serverName}/versions/{version}": None,
    "PATCH /v0.1/servers/{serverName}/versions/{version}/status": version_status,
    "PATCH /v0.1/servers/{serverName}/status": status,
    "POST /v0.1/publish": publish,
    "GET /v0.1/x/{namespace}/can-use": can_use,
}
"""Method and path to what answers it; None for what the contract knows and this registry does not do."""

_LOG: Final = logging.getLogger("pierhead.registry")
_ADDRESS: Final = "pierhead.official"


@dataclass(frozen=True, slots=True)
class Found:
    """What an address is: the methods it takes, each with its endpoint, and the values in it."""

    endpoints: Mapping[str, Endpoint | None] = field(hash=False)
    values: Mapping[str, str] = field(hash=False)

    @property
    def allowed(self) -> str:
        methods = [name for name in self.endpoints if self.endpoints[name] is not None]
        return ", ".join([*methods, *(["HEAD"] if "GET" in methods else []), "OPTIONS"])


class OfficialRoute(BaseRoute):
    """The official API as one route: whatever address belongs to it, found or not."""

    def __init__(self, eyes: Eyes, desk: RegistryDesk, key: bytes, *, has_alias: bool) -> None:
        self._eyes = eyes
        self._desk = desk
        self._key = key
        self._has_alias = has_alias

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        if scope["type"] != "http":
            return Match.NONE, {}
        raw: bytes = scope.get("raw_path") or scope["path"].encode()
        address = address_of(raw, has_alias=self._has_alias)
        return (Match.NONE, {}) if address is None else (Match.FULL, {_ADDRESS: address})

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = await self._response(scope[_ADDRESS], Request(scope, receive))
        await response(scope, receive, send)

    async def _response(self, address: Address, request: Request) -> Response:
        try:
            found = _found(address)
            method = "GET" if request.method == "HEAD" else request.method
            if method == "OPTIONS":
                return preflight(found.allowed)
            if method not in found.endpoints:
                return wrong_method(request, found.allowed)
            endpoint = found.endpoints[method]
            if endpoint is None:
                return not_offered(request, "versions are immutable here; publish another, or change its status")
            current = await self._eyes.listings.current()
            asked = Asked(self._eyes, self._desk, self._key, current, request, address.view, found.values)
            return answered(request, await endpoint(asked))
        except PierheadError as error:
            return self._refused(request, error)
        except Exception:  # noqa: BLE001 - the top of this API: logged, and answered so that a browser can read it
            _LOG.exception("a request to the registry API failed in a way nobody thought of")
            return self._refused(request, PierheadError("internal error", hint="tell the operator of this platform"))

    def _refused(self, request: Request, error: PierheadError) -> Response:
        scope = up_to(READ if request.method in {"GET", "HEAD"} else WRITE)
        return refused(request, error, self._eyes.site.public_url, scope)


def _found(address: Address) -> Found:
    """Errors: NotFound."""
    endpoints: dict[str, Endpoint | None] = {}
    values: Mapping[str, str] = {}
    for name, endpoint in ROUTES.items():
        method, _, template = name.partition(" ")
        matched = match(template, address.segments)
        if matched is not None:
            endpoints[method], values = endpoint, matched.values
    if not endpoints:
        raise NotFound("the registry API has no such path", hint="GET /v0.1/servers lists servers")
    return Found(endpoints, values)
