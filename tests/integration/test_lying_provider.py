"""An identity provider that is slow, broken or lying: each answer of it refuses, with a reason, within bounded time."""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey
from tests.rigs.gateway import WallClock, serving, signing_key

from pierhead.adapters.oidc import documents
from pierhead.adapters.oidc.provider import CompanyProvider, Registered
from pierhead.core.errors import PierheadError, Unauthenticated, UpstreamUnreachable
from pierhead.core.federation import ClaimMapping
from pierhead.usecases.ports_sign_in import Attempt

pytestmark = pytest.mark.anyio
#: What is asked for keys tells it under a code of its own.
AWAY_CODES = {"identity-provider-unreachable", "upstream-unreachable"}
LOGOUT = "http://schemas.openid.net/event/backchannel-logout"
ATTEMPT = Attempt("state", "nonce-1", "verifier", "http://127.0.0.1:9/callback")
METADATA, KEYS, TOKEN, USERINFO = "/.well-known/openid-configuration", "/keys", "/token", "/userinfo"
Answer = tuple[int, bytes, dict[str, str]]


@dataclass
class Provider:
    """One at an address of its own, that tells the truth but for `lies`, by path."""

    issuer: str = ""
    lies: dict[str, Callable[[], Awaitable[Answer] | Answer]] = field(default_factory=dict[str, Any])
    claims: dict[str, Any] = field(default_factory=dict[str, Any])
    granted: dict[str, Any] = field(default_factory=dict[str, Any])
    asked: list[str] = field(default_factory=list[str])

    def id_token(self, key: RSAKey | None = None, **changes: Any) -> str:
        now = int(time.time())
        good = {"iss": self.issuer, "aud": "pierhead", "sub": "alice", "iat": now, "exp": now + 300, "nonce": "nonce-1"}
        body = {name: value for name, value in {**good, **self.claims, **changes}.items() if value is not ...}
        return jwt.encode({"alg": "RS256", "kid": "rig-1", "typ": "JWT"}, body, key or signing_key())

    def document(self, path: str) -> Any:
        match path:
            case "/.well-known/openid-configuration":
                return {
                    "issuer": self.issuer,
                    "authorization_endpoint": f"{self.issuer}/authorize",
                    "token_endpoint": self.issuer + TOKEN,
                    "jwks_uri": self.issuer + KEYS,
                    "userinfo_endpoint": self.issuer + USERINFO,
                }
            case "/keys":
                return {"keys": [signing_key().as_dict(private=False)]}
            case "/token":
                made = {"access_token": "made", "token_type": "Bearer", "expires_in": 300, "refresh_token": "again"}
                return {**made, "id_token": self.id_token(), **self.granted}
            case _:
                return {"sub": "alice", "groups": ["data-eng"]}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        path = scope["path"]
        self.asked.append(path)
        status, body, headers = 200, json.dumps(self.document(path)).encode(), {"content-type": "application/json"}
        if path in self.lies:
            told = self.lies[path]()
            status, body, headers = told if isinstance(told, tuple) else await told
        fields = [(name.encode(), value.encode()) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": status, "headers": fields})
        await send({"type": "http.response.body", "body": body})


@contextlib.asynccontextmanager
async def company() -> AsyncGenerator[tuple[Provider, CompanyProvider]]:
    lying = Provider()
    async with serving(lying) as url:
        lying.issuer = url
        mapping = ClaimMapping("sub", "groups", {})
        registered = Registered(url, "pierhead", "secret", "openid", frozenset({"RS256"}), mapping)
        yield lying, CompanyProvider(registered, WallClock())


async def everything(asking: CompanyProvider, logout: str) -> list[PierheadError]:
    """How each thing that is asked of a provider ends: none of them may succeed, and none may fail in another way."""
    ways = (
        lambda: asking.person("code", ATTEMPT),
        lambda: asking.again("grant", "alice"),
        lambda: asking.exchanged("subject", "https://orders.corp.example"),
        lambda: asking.logged_out(logout),
    )
    failed = list[PierheadError]()
    for way in ways:
        with pytest.raises((Unauthenticated, UpstreamUnreachable)) as refused:
            await way()
        failed.append(refused.value)
    return failed


def logout_of(lying: Provider) -> str:
    return lying.id_token(events={LOGOUT: {}}, nonce=...)


def answered(body: bytes, status: int = 200, **headers: str) -> Callable[[], Answer]:
    return lambda: (status, body, {"content-type": "application/json", **headers})


async def test_one_that_tells_the_truth_is_believed() -> None:
    async with company() as (lying, asking):
        person = await asking.person("code", ATTEMPT)
        assert (person.subject, person.grant) == ("alice", "again")
        assert (await asking.again("grant", "alice")).subject == "alice"
        assert (await asking.exchanged("subject", "https://orders")).authorization == "Bearer made"
        assert await asking.logged_out(logout_of(lying)) == "alice"


HTML = answered(b"<html>sign in to the wireless network</html>", **{"content-type": "text/html"})
LARGE = answered(b'{"issuer": "' + b"x" * 300_000 + b'"}')
AWAY = answered(b"{}", 302, location="http://127.0.0.1:1/elsewhere")
DEEP = answered(b"[" * 100_000)
LATIN = answered('{"issuer": "é"}'.encode("latin-1"))
LIST = answered(b"[]")
FAILED = answered(b"{}", 500)


@pytest.mark.parametrize("lie", [HTML, LARGE, AWAY, DEEP, LATIN, LIST, FAILED], ids=range(7))
async def test_metadata_that_are_none_stop_everything(lie: Callable[[], Answer]) -> None:
    async with company() as (lying, asking):
        lying.lies[METADATA] = lie
        failed = await everything(asking, logout_of(lying))
        assert {error.code for error in failed} <= AWAY_CODES
        assert set(lying.asked) == {METADATA}, "nothing is sent to where no metadata led"


@pytest.mark.parametrize(
    "changes",
    [
        {"issuer": "https://evil.example"},
        {"issuer": ...},
        {"token_endpoint": "http://evil.example/token"},
        {"token_endpoint": ["https://evil.example/token"]},
        {"jwks_uri": "file:///etc/passwd"},
        {"userinfo_endpoint": "http://169.254.169.254/"},
    ],
    ids=range(6),
)
async def test_metadata_of_another_issuer_or_with_places_in_the_clear_stop_everything(changes: dict[str, Any]) -> None:
    async with company() as (lying, asking):
        told = {**lying.document(METADATA), **changes}
        lying.lies[METADATA] = answered(json.dumps({k: v for k, v in told.items() if v is not ...}).encode())
        failed = await everything(asking, logout_of(lying))
        assert {error.code for error in failed} <= AWAY_CODES


OTHER_KEY = RSAKey.generate_key(2048, {"kid": "rig-1", "use": "sig", "alg": "RS256"}, private=True)


@pytest.mark.parametrize(
    "lie",
    [
        *(HTML, LARGE, AWAY, DEEP, LIST, FAILED),
        answered(b'{"keys": "none"}'),
        answered(json.dumps({"keys": [OTHER_KEY.as_dict(private=False)]}).encode()),
        answered(json.dumps({"keys": [{"kty": "oct", "kid": "rig-1", "k": "c2VjcmV0"}] * 3000}).encode()),
    ],
    ids=range(9),
)
async def test_keys_that_are_none_or_were_swapped_prove_nobody(lie: Callable[[], Answer]) -> None:
    async with company() as (lying, asking):
        lying.lies[KEYS] = lie
        for proving in (asking.person("code", ATTEMPT), asking.logged_out(logout_of(lying))):
            with pytest.raises((Unauthenticated, UpstreamUnreachable)):
                await proving


@pytest.mark.parametrize("lie", [HTML, LARGE, AWAY, DEEP, LIST, FAILED], ids=range(6))
async def test_a_token_endpoint_without_an_answer_gives_nobody_anything(lie: Callable[[], Answer]) -> None:
    async with company() as (lying, asking):
        lying.lies[TOKEN] = lie
        failed = [
            await refusal(asking.person("code", ATTEMPT)),
            await refusal(asking.again("grant", "alice")),
            await refusal(asking.exchanged("subject", "https://orders")),
        ]
        assert all(error.code for error in failed)


async def refusal(asked: Awaitable[object]) -> PierheadError:
    with pytest.raises((Unauthenticated, UpstreamUnreachable)) as refused:
        await asked
    return refused.value


@pytest.mark.parametrize(
    "claims",
    [
        {"nonce": "another"},
        {"nonce": ...},
        {"aud": "another"},
        {"aud": ["pierhead", "another"]},
        {"iss": "https://evil.example"},
        {"exp": 1},
        {"exp": "9999999999"},
        {"sub": 7},
        {"sub": ...},
    ],
    ids=range(9),
)
async def test_an_id_token_that_is_not_the_answer_to_our_question_signs_nobody_in(claims: dict[str, Any]) -> None:
    async with company() as (lying, asking):
        lying.claims = claims
        assert (await refusal(asking.person("code", ATTEMPT))).code


async def test_asked_again_it_cannot_turn_somebody_into_another_person() -> None:
    async with company() as (lying, asking):
        lying.claims = {"sub": "mallory"}
        assert (await refusal(asking.again("grant", "alice"))).code == "no-subject"
        lying.claims, lying.granted = {}, {"id_token": None}
        lying.lies[USERINFO] = answered(json.dumps({"sub": "mallory", "groups": ["platform-admin"]}).encode())
        assert (await refusal(asking.again("grant", "alice"))).code == "no-subject"


@pytest.mark.parametrize(
    "lie", [HTML, LARGE, AWAY, FAILED, answered(b'{"sub":"mallory","groups":["a"]}')], ids=range(5)
)
async def test_what_it_says_besides_must_be_of_the_same_person(lie: Callable[[], Answer]) -> None:
    async with company() as (lying, asking):
        lying.lies[USERINFO] = lie
        assert (await refusal(asking.person("code", ATTEMPT))).code


@pytest.mark.parametrize(
    "granted",
    [
        {"access_token": "made\r\nx-trino-user: admin"},
        {"access_token": ""},
        {"access_token": 7},
        {"access_token": "x" * 20_000},
        {"token_type": "DPoP"},
        {"token_type": None},
    ],
    ids=range(6),
)
async def test_what_is_no_bearer_token_is_no_credential(granted: dict[str, Any]) -> None:
    async with company() as (lying, asking):
        lying.granted = granted
        assert (await refusal(asking.exchanged("subject", "https://orders"))).code == "exchange-refused"


@pytest.mark.parametrize(("said", "longest"), [(10**30, 3600), (True, 60), (-5, 60), ("600", 60), (120, 120)])
async def test_a_credential_is_kept_for_a_time_that_one_can_believe(said: Any, longest: int) -> None:
    async with company() as (lying, asking):
        lying.granted = {"expires_in": said}
        made = await asking.exchanged("subject", "https://orders")
        assert 0 <= made.expires_at - time.time() <= longest


async def test_one_that_answers_a_byte_at_a_time_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "_WHOLE_S", 0.3)
    ended = asyncio.Event()

    async def dribbling(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        await send({"type": "http.response.start", "status": 200, "headers": []})
        with contextlib.suppress(OSError):
            for _ in range(10_000):
                await send({"type": "http.response.body", "body": b" ", "more_body": True})
                await asyncio.wait([asyncio.ensure_future(receive())], timeout=0.02)
                if ended.is_set():
                    return

    async with serving(dribbling) as url:
        began = time.monotonic()
        with pytest.raises(UpstreamUnreachable) as refused:
            await documents.Web(WallClock()).fetch(f"{url}/")
        ended.set()
        assert (refused.value.code, time.monotonic() - began < 5) == ("identity-provider-unreachable", True)
