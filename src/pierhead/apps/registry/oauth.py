"""The machine side of sign-in: metadata, registration, tokens, revocation, keys.

What people see of it (`/oauth/authorize`, `/sign-in`) are pages: `web/page_authorize`. Rules are in
`usecases/grant_tokens` and `usecases/register_client`; here is only their HTTP form (RFC 6749, 7009, 7591, 8414,
9728). Metadata is written by hand, since a URL type would add a slash to an issuer that must not have one.
"""

import re
from base64 import b64decode
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import wraps
from hmac import compare_digest
from typing import Any, Final
from urllib.parse import unquote

import orjson
from pydantic import BaseModel, ConfigDict, ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from pierhead.apps.registry.forms import body_of, form_of
from pierhead.core.errors import LimitExceeded, RecordFailed, UpstreamUnreachable
from pierhead.core.scope import ALL, LEVELS, READ, offered
from pierhead.usecases.exchange_svid import Svids, WorkloadAsks, token_for_workload
from pierhead.usecases.grant_to_programs import Program, ProgramAsks, Programs, token_for_program
from pierhead.usecases.grant_tokens import CodeExchange, TokenDesk, Tokens, exchange_code, refresh, revoke
from pierhead.usecases.ports import Clock
from pierhead.usecases.ports_sign_in import Client
from pierhead.usecases.register_client import (
    AUTHENTICATIONS,
    NotGranted,
    Registration,
    fingerprint,
    register_client,
)

_NO_STORE: Final = {"cache-control": "no-store", "pragma": "no-cache", "x-content-type-options": "nosniff"}
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_GRANTS: Final = ("authorization_code", "refresh_token")
_FOR_PROGRAMS: Final = "client_credentials"
_EXCHANGE: Final = "urn:ietf:params:oauth:grant-type:token-exchange"
_JWT: Final = "urn:ietf:params:oauth:token-type:jwt"
_ISSUED: Final = "urn:ietf:params:oauth:token-type:access_token"
_STATUS: Final = {"invalid_client": 401, "slow_down": 429}

Endpoint = Callable[[Request], Awaitable[Response]]


def answer(content: Mapping[str, Any], status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(orjson.dumps(content), status, {**_NO_STORE, **(headers or {})}, media_type="application/json")


def refusing(endpoint: Endpoint) -> Endpoint:
    """Answer a refusal in the form of RFC 6749, section 5.2."""

    @wraps(endpoint)
    async def answered(request: Request) -> Response:
        try:
            return await endpoint(request)
        except NotGranted as refused:
            return _refusal(request, refused)
        except (RecordFailed, UpstreamUnreachable, LimitExceeded) as failed:
            content = {"error": "temporarily_unavailable", "error_description": failed.message}
            return answer(content, 503, {"retry-after": "5"})

    return answered


def _refusal(request: Request, refused: NotGranted) -> Response:
    description = f"{refused.message}; {refused.hint}" if refused.hint else refused.message
    headers = {"www-authenticate": "Basic"} if refused.code == "invalid_client" and _has_basic(request) else {}
    content = {"error": refused.code, "error_description": description.replace('"', "'")}
    return answer(content, _STATUS.get(refused.code, 400), headers)


@dataclass(slots=True)
class Rate:
    """At most `limit` in any minute, for everyone together: registration needs no credential to be told apart by."""

    limit: int
    clock: Clock
    _taken: list[float] = field(default_factory=list[float])

    def take(self) -> None:
        now = self.clock.monotonic()
        self._taken = [moment for moment in self._taken if now - moment < 60]  # noqa: PLR2004 - a minute
        if len(self._taken) >= self.limit:
            raise NotGranted("too many registrations", hint="wait a minute", code="slow_down")
        self._taken.append(now)


class _Metadata(BaseModel):
    """What we read of RFC 7591 client metadata; the rest is the client's own business."""

    model_config = ConfigDict(strict=True, extra="ignore")

    redirect_uris: list[str]
    client_name: str | None = None
    token_endpoint_auth_method: str | None = None
    grant_types: list[str] | None = None
    response_types: list[str] | None = None
    application_type: str | None = None


@dataclass(frozen=True, slots=True)
class MachineSide:
    """The endpoints that clients call themselves."""

    desk: TokenDesk
    rate: Rate
    programs: Programs = field(default_factory=dict[str, Program])
    """Those that need no person; nobody, unless the operator names them."""
    svids: Svids | None = None
    """Verifies workloads; None where the settings name no trust domain."""

    def routes(self) -> list[Route]:
        """Every route; all else under /oauth and /.well-known is not found."""
        return [
            Route("/.well-known/oauth-authorization-server", self.authorization_server),
            Route("/.well-known/oauth-authorization-server/mcp/{server}", self.authorization_server),
            Route("/.well-known/openid-configuration", self.authorization_server),
            Route("/.well-known/openid-configuration/mcp/{server}", self.authorization_server),
            Route("/mcp/{server}/.well-known/oauth-authorization-server", self.authorization_server),
            Route("/mcp/{server}/.well-known/openid-configuration", self.authorization_server),
            Route("/.well-known/oauth-protected-resource", self.protected_resource),
            Route("/.well-known/oauth-protected-resource/mcp", self.protected_resource),
            Route("/.well-known/oauth-protected-resource/api/v1", self.protected_api),
            Route("/.well-known/oauth-protected-resource/r/me", self.protected_registry),
            Route("/.well-known/oauth-protected-resource/mcp/{server}", self.protected_resource),
            Route("/oauth/jwks", self.keys),
            Route("/oauth/register", refusing(self.register), methods=["POST"]),
            Route("/oauth/token", refusing(self.token), methods=["POST"]),
            Route("/oauth/revoke", refusing(self.revocation), methods=["POST"]),
        ]

    async def authorization_server(self, request: Request) -> Response:
        """RFC 8414. No `none` in code_challenge_methods, no implicit flow, no password."""
        del request
        issuer = self.desk.terms.issuer
        return answer(
            {
                "issuer": issuer,
                "authorization_endpoint": f"{issuer}/oauth/authorize",
                "token_endpoint": f"{issuer}/oauth/token",
                "registration_endpoint": f"{issuer}/oauth/register",
                "revocation_endpoint": f"{issuer}/oauth/revoke",
                "jwks_uri": f"{issuer}/oauth/jwks",
                "response_types_supported": ["code"],
                "response_modes_supported": ["query"],
                "grant_types_supported": [
                    *_GRANTS,
                    *([_FOR_PROGRAMS] if self.programs else []),
                    *([_EXCHANGE] if self.svids else []),
                ],
                "token_endpoint_auth_methods_supported": list(AUTHENTICATIONS),
                "revocation_endpoint_auth_methods_supported": list(AUTHENTICATIONS),
                "code_challenge_methods_supported": ["S256"],
                "scopes_supported": [*LEVELS, ALL, *offered("")],
                "authorization_response_iss_parameter_supported": True,
                "client_id_metadata_document_supported": True,
            }
        )

    async def protected_resource(self, request: Request) -> Response:
        """RFC 9728, alike for every well-formed name: it tells nobody which servers exist."""
        issuer, name = self.desk.terms.issuer, request.path_params.get("server")
        if name is not None and not _NAME.fullmatch(name):
            return answer({"error": "not_found", "error_description": "no such resource"}, 404)
        resource = f"{issuer}/mcp/{name}" if name else f"{issuer}/mcp"
        scopes = list(offered(name or ""))
        return self._resource(resource, f"{name} on Pierhead" if name else "Pierhead", scopes_supported=scopes)

    async def protected_api(self, request: Request) -> Response:
        """RFC 9728 for the REST API."""
        del request
        return self._resource(f"{self.desk.terms.issuer}/api/v1", "The API of Pierhead")

    async def protected_registry(self, request: Request) -> Response:
        """RFC 9728 for a person's own view of the official registry API."""
        del request
        # the least: a client asks for more when it is told that it needs more
        return self._resource(f"{self.desk.terms.issuer}/r/me", "The registry of Pierhead", scopes_supported=[READ])

    def _resource(self, resource: str, name: str, **more: object) -> Response:
        content = {"resource": resource, "authorization_servers": [self.desk.terms.issuer], "resource_name": name}
        return answer({**content, "bearer_methods_supported": ["header"], **more})

    async def keys(self, request: Request) -> Response:
        del request
        return answer(self.desk.signer.public_keys())

    async def register(self, request: Request) -> Response:
        """RFC 7591."""
        self.rate.take()
        try:
            wanted = _Metadata.model_validate_json(await body_of(request))
        except ValidationError as wrong:
            places = ", ".join(".".join(map(str, fault["loc"])) or "body" for fault in wrong.errors())
            raise NotGranted(
                f"client metadata cannot be read: {places}", hint="see RFC 7591", code="invalid_client_metadata"
            ) from None
        _code_flow_only(wanted)
        kind = wanted.application_type or ""
        asked = Registration(wanted.client_name or "", wanted.redirect_uris, _authentication(wanted), kind)
        client, secret = await register_client(asked, self.desk.store, self.desk.clock)
        return answer({**_registered(client, secret), **({"application_type": kind} if kind else {})}, 201)

    async def token(self, request: Request) -> Response:
        """RFC 6749, sections 4.1.3, 4.4 and 6, with RFC 7636 and RFC 8707; RFC 8693 for workloads."""
        form = await form_of(request)
        if form.get("grant_type") == _EXCHANGE and self.svids is not None:
            return answer({**_granted(await self._for_workload(form, self.svids)), "issued_token_type": _ISSUED})
        if form.get("grant_type") == _FOR_PROGRAMS:
            return answer(_granted(await self._for_program(request, form)))
        client = await self._client(request, form)
        match form.get("grant_type"):
            case "authorization_code":
                tokens = await exchange_code(_presented(form), client, self.desk)
            case "refresh_token":
                token, resource = _required(form, "refresh_token"), form.get("resource", "")
                tokens = await refresh(token, resource, client, self.desk, form.get("scope", ""))
            case _:
                raise NotGranted(
                    "grant_type is not offered",
                    hint="use authorization_code or refresh_token",
                    code="unsupported_grant_type",
                )
        return answer(_granted(tokens))

    async def _for_program(self, request: Request, form: Mapping[str, str]) -> Tokens:
        identity, secret, _ = _credentials(request, form)
        asked = ProgramAsks(identity, secret, form.get("resource", ""), form.get("scope", ""))
        return await token_for_program(asked, self.programs, self.desk)

    async def _for_workload(self, form: Mapping[str, str], svids: Svids) -> Tokens:
        if form.get("subject_token_type") != _JWT or form.get("requested_token_type", _ISSUED) != _ISSUED:
            raise NotGranted("the types of tokens are not these", hint=f"subject_token_type={_JWT}")
        if form.keys() & {"actor_token", "actor_token_type"}:
            raise NotGranted("a workload acts for nobody here", hint="leave actor_token out")
        asked = WorkloadAsks(_required(form, "subject_token"), form.get("resource", ""), form.get("scope", ""))
        return await token_for_workload(asked, svids, self.desk)

    async def revocation(self, request: Request) -> Response:
        """RFC 7009: 200 also for what is unknown."""
        form = await form_of(request)
        client = await self._client(request, form)
        await revoke(_required(form, "token"), client, self.desk)
        return answer({})

    async def _client(self, request: Request, form: Mapping[str, str]) -> Client:
        """The client, authenticated in the one way it registered for."""
        identity, secret, way = _credentials(request, form)
        client = await self.desk.clients.client(identity) if identity else None
        if client is None or way != client.authentication:
            raise _unknown_client()
        if client.secret_digest and not compare_digest(fingerprint(secret), client.secret_digest):
            raise _unknown_client()
        return client


def _unknown_client() -> NotGranted:
    return NotGranted(
        "the client is not known or not authenticated", hint="register it at /oauth/register", code="invalid_client"
    )


def _has_basic(request: Request) -> bool:
    return request.headers.get("authorization", "").lower().startswith("basic ")


def _credentials(request: Request, form: Mapping[str, str]) -> tuple[str, str, str]:
    """Client id, secret, and the way they came. Two ways at once are refused (RFC 6749, section 2.3)."""
    identity = form.get("client_id", "")
    if not _has_basic(request):
        return identity, form.get("client_secret", ""), "client_secret_post" if "client_secret" in form else "none"
    try:
        decoded = b64decode(request.headers["authorization"][6:], validate=True).decode()
    except ValueError:
        raise _unknown_client() from None
    name, _, secret = decoded.partition(":")
    if "client_secret" in form or identity not in {"", unquote(name)}:
        raise _unknown_client()
    return unquote(name), unquote(secret), "client_secret_basic"


def _authentication(wanted: _Metadata) -> str:
    """RFC 7591, section 2: Basic where a client does not say."""
    return wanted.token_endpoint_auth_method or "client_secret_basic"


def _code_flow_only(wanted: _Metadata) -> None:
    grants = set(wanted.grant_types or ["authorization_code"])
    responses = set(wanted.response_types or ["code"])
    if "authorization_code" not in grants or "code" not in responses:
        raise NotGranted(
            "only the authorization code flow is offered",
            hint="register grant_types authorization_code and refresh_token, response_types code",
            code="invalid_client_metadata",
        )


def _registered(client: Client, secret: str) -> dict[str, Any]:
    content: dict[str, Any] = {
        "client_id": client.id,
        "client_id_issued_at": int(client.registered_at),
        "client_name": client.name,
        "redirect_uris": list(client.redirect_uris),
        "token_endpoint_auth_method": client.authentication,
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
    }
    return {**content, "client_secret": secret, "client_secret_expires_at": 0} if secret else content


def _presented(form: Mapping[str, str]) -> CodeExchange:
    return CodeExchange(
        code=_required(form, "code"),
        verifier=_required(form, "code_verifier"),
        redirect_uri=_required(form, "redirect_uri"),
        resource=form.get("resource", ""),
    )


def _required(form: Mapping[str, str], name: str) -> str:
    value = form.get(name, "")
    if not value:
        raise NotGranted(f"{name} is missing", hint=f"send {name}")
    return value


def _granted(tokens: Tokens) -> dict[str, Any]:
    return {
        "access_token": tokens.access,
        "token_type": "Bearer",
        "expires_in": tokens.expires_in,
        **({"refresh_token": tokens.refresh} if tokens.refresh else {}),
        **({"scope": tokens.scope} if tokens.scope else {}),
    }
