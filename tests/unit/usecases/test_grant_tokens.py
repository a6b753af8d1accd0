"""Codes, tokens and their families, without HTTP: what is granted, what is recorded, what ends."""

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from pierhead.core.audit_sign_in import SignInFailed, TokenIssued, TokenRevoked
from pierhead.core.claims import Claims
from pierhead.usecases.grant_tokens import (
    AuthorizationRequest,
    CodeExchange,
    Terms,
    TokenDesk,
    Tokens,
    check_request,
    end_family,
    exchange_code,
    grant_code,
    is_resource,
    refresh,
    revoke,
    server_of,
)
from pierhead.usecases.memory import MemoryAudit, MemoryClock
from pierhead.usecases.memory_sign_in import KnownPeople, MemorySignIn
from pierhead.usecases.ports_sign_in import Client, RefreshToken
from pierhead.usecases.register_client import NotGranted

pytestmark = pytest.mark.anyio

ISSUER = "http://127.0.0.1:8420"
RESOURCE = f"{ISSUER}/mcp/warehouse"
REDIRECT = "http://127.0.0.1:33418/callback"
VERIFIER = "v" * 43
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
CLIENT = Client("client-1", "A client", (REDIRECT,), "none", "", 0.0)
OTHER = replace(CLIENT, id="client-2")
ASKED = AuthorizationRequest(CLIENT, REDIRECT, CHALLENGE, RESOURCE, "state")


class PlainSigner:
    """Tokens that anybody can read: the desk's rules are tested here, not the signature."""

    def sign(self, claims: Mapping[str, object]) -> str:
        return json.dumps(claims)

    def read(self, token: str) -> Mapping[str, object] | None:
        return json.loads(token) if token.startswith("{") else None

    def public_keys(self) -> Mapping[str, object]:
        return {"keys": []}


@dataclass(slots=True)
class World:
    store: MemorySignIn = field(default_factory=MemorySignIn)
    audit: MemoryAudit = field(default_factory=MemoryAudit)
    clock: MemoryClock = field(default_factory=MemoryClock)
    people: dict[str, frozenset[str]] = field(default_factory=lambda: {"alice": frozenset({"data-eng", "all"})})

    stated: dict[str, Claims] = field(default_factory=dict[str, Claims])

    @property
    def desk(self) -> TokenDesk:
        return TokenDesk(
            self.store,
            self.store,
            PlainSigner(),
            KnownPeople(self.people, self.stated),
            self.audit,
            self.clock,
            Terms(ISSUER),
        )

    async def tokens(self) -> Tokens:
        return await exchange_code(await self.presented(), CLIENT, self.desk)

    async def presented(self, **changes: Any) -> CodeExchange:
        code = await grant_code(ASKED, "alice", self.desk)
        return replace(CodeExchange(code, VERIFIER, REDIRECT, RESOURCE), **changes)

    def reasons(self) -> list[str]:
        return [fact.reason for fact in self.audit.facts if isinstance(fact, SignInFailed | TokenRevoked)]


@pytest.fixture
def world() -> World:
    return World()


async def test_a_code_becomes_a_token_for_one_person_and_one_server(world: World) -> None:
    tokens = await world.tokens()
    claims = json.loads(tokens.access)
    assert (claims["iss"], claims["aud"], claims["sub"]) == (ISSUER, RESOURCE, "alice")
    assert claims["groups"] == ["all", "data-eng"]
    assert claims["exp"] - claims["iat"] == tokens.expires_in == 600
    assert world.audit.facts == [TokenIssued(claims["jti"], "alice", "client-1", RESOURCE, "mcp")]
    assert "claims" not in claims


async def test_a_token_says_what_is_stated_of_its_person(world: World) -> None:
    world.stated["alice"] = (("region", "EU"), ("teams", ("a", "b")))
    claims = json.loads((await world.tokens()).access)
    assert claims["claims"] == {"region": "EU", "teams": ["a", "b"]}


async def test_the_issue_is_recorded_or_nothing_is_issued(world: World) -> None:
    presented = await world.presented()
    world.audit.full = True
    with pytest.raises(Exception, match="journal is full"):
        await exchange_code(presented, CLIENT, world.desk)
    assert world.store.tokens == {}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"code": "no such code"}, "code-unknown"),
        ({"redirect_uri": "http://127.0.0.1:33418/other"}, "redirect-mismatch"),
        ({"verifier": "w" * 43}, "pkce-mismatch"),
        ({"verifier": ""}, "pkce-mismatch"),
    ],
)
async def test_a_code_that_does_not_fit_grants_nothing_and_is_recorded(
    world: World, changes: dict[str, str], reason: str
) -> None:
    with pytest.raises(NotGranted) as refused:
        await exchange_code(await world.presented(**changes), CLIENT, world.desk)
    assert (refused.value.code, world.reasons(), world.store.tokens) == ("invalid_grant", [reason], {})


async def test_a_code_of_another_client_and_an_old_code_grant_nothing(world: World) -> None:
    with pytest.raises(NotGranted):
        await exchange_code(await world.presented(), OTHER, world.desk)
    presented = await world.presented()
    world.clock.seconds += 60
    with pytest.raises(NotGranted):
        await exchange_code(presented, CLIENT, world.desk)
    assert world.reasons() == ["code-of-another-client", "code-expired"]


async def test_a_code_presented_twice_ends_what_came_of_it(world: World) -> None:
    presented = await world.presented()
    tokens = await exchange_code(presented, CLIENT, world.desk)
    for _ in range(2):
        with pytest.raises(NotGranted):
            await exchange_code(presented, CLIENT, world.desk)
    with pytest.raises(NotGranted):
        await refresh(tokens.refresh, RESOURCE, CLIENT, world.desk)
    assert world.reasons() == ["code-replayed", "code-replayed", "code-replayed", "family-revoked"]
    assert sum(isinstance(fact, TokenRevoked) for fact in world.audit.facts) == 1


async def test_another_resource_than_the_granted_one_is_refused(world: World) -> None:
    with pytest.raises(NotGranted) as refused:
        await exchange_code(await world.presented(resource=f"{ISSUER}/mcp/payroll"), CLIENT, world.desk)
    assert refused.value.code == "invalid_target"
    assert await exchange_code(await world.presented(resource=""), CLIENT, world.desk)


async def test_a_refresh_token_rotates_answers_in_its_grace_and_then_betrays_its_theft(world: World) -> None:
    first = await world.tokens()
    second = await refresh(first.refresh, "", CLIENT, world.desk)
    assert second.refresh != first.refresh
    world.clock.seconds += 60
    assert await refresh(first.refresh, "", CLIENT, world.desk)
    world.clock.seconds += 1
    for token in (first.refresh, second.refresh):
        with pytest.raises(NotGranted):
            await refresh(token, "", CLIENT, world.desk)
    assert world.reasons() == ["refresh-token-reused", "refresh-token-reused", "family-revoked"]


REGISTRY = f"{ISSUER}/r/me"


@pytest.mark.parametrize(
    ("asked", "granted"),
    [
        ("", "registry:read"),
        ("mcp openid", "registry:read"),
        ("registry:read", "registry:read"),
        ("registry:write", "registry:read registry:write"),
        ("registry:write registry:admin other", "registry:read registry:write registry:admin"),
    ],
)
async def test_a_token_has_the_scopes_that_were_asked_for_and_no_more(world: World, asked: str, granted: str) -> None:
    question = replace(ASKED, resource=REGISTRY, scope=asked)
    code = await grant_code(question, "alice", world.desk)
    tokens = await exchange_code(CodeExchange(code, VERIFIER, REDIRECT, ""), CLIENT, world.desk)
    assert tokens.scope == json.loads(tokens.access)["scope"] == granted
    issued = world.audit.facts[-1]
    assert isinstance(issued, TokenIssued)
    assert issued.scope == granted


async def test_a_refreshed_token_may_have_fewer_scopes_and_never_more(world: World) -> None:
    code = await grant_code(replace(ASKED, resource=REGISTRY, scope="registry:write"), "alice", world.desk)
    first = await exchange_code(CodeExchange(code, VERIFIER, REDIRECT, ""), CLIENT, world.desk)
    less = await refresh(first.refresh, "", CLIENT, world.desk, "registry:read")
    assert less.scope == "registry:read"
    again = await refresh(less.refresh, "", CLIENT, world.desk)
    assert again.scope == "registry:read registry:write", "the family keeps what it was granted"
    with pytest.raises(NotGranted) as refused:
        await refresh(again.refresh, "", CLIENT, world.desk, "registry:admin")
    assert refused.value.code == "invalid_scope"


async def test_a_family_from_before_scopes_reads(world: World) -> None:
    old = RefreshToken(world.desk.terms.digest("old"), "family", CLIENT.id, "alice", REGISTRY, world.clock.seconds + 60)
    await world.store.add_refresh_token(old)
    tokens = await refresh("old", "", CLIENT, world.desk)
    assert tokens.scope == json.loads(tokens.access)["scope"] == "registry:read"
    with pytest.raises(NotGranted):
        await refresh(tokens.refresh, "", CLIENT, world.desk, "registry:write")


@pytest.mark.parametrize(
    ("asked", "granted"),
    [
        ("", "mcp"),
        ("mcp", "mcp"),
        ("warehouse.read", "warehouse.read"),
        ("warehouse.write openid warehouse.read", "warehouse.read warehouse.write"),
        ("payroll.write registry:admin", "warehouse.read"),
    ],
)
async def test_a_token_for_a_server_has_scopes_of_that_server(world: World, asked: str, granted: str) -> None:
    code = await grant_code(replace(ASKED, scope=asked), "alice", world.desk)
    tokens = await exchange_code(CodeExchange(code, VERIFIER, REDIRECT, RESOURCE), CLIENT, world.desk)
    assert tokens.scope == json.loads(tokens.access)["scope"] == granted


@pytest.mark.parametrize("more", ["warehouse.write", "warehouse.read warehouse.write", "mcp", "mcp warehouse.read"])
async def test_no_refresh_widens_a_token_for_a_server(world: World, more: str) -> None:
    code = await grant_code(replace(ASKED, scope="warehouse.read"), "alice", world.desk)
    first = await exchange_code(CodeExchange(code, VERIFIER, REDIRECT, RESOURCE), CLIENT, world.desk)
    with pytest.raises(NotGranted) as refused:
        await refresh(first.refresh, "", CLIENT, world.desk, more)
    assert refused.value.code == "invalid_scope"
    for same in ("", "warehouse.read", "payroll.write", "openid"):
        assert (await refresh(first.refresh, "", CLIENT, world.desk, same)).scope == "warehouse.read"


async def test_a_token_for_everything_is_refreshed_for_less_and_for_everything_again(world: World) -> None:
    first = await world.tokens()
    less = await refresh(first.refresh, "", CLIENT, world.desk, "warehouse.read")
    assert (first.scope, less.scope) == ("mcp", "warehouse.read")
    assert (await refresh(less.refresh, "", CLIENT, world.desk)).scope == "mcp"


async def test_a_family_for_a_server_from_before_scopes_goes_on_as_if_it_asked_for_none(world: World) -> None:
    old = RefreshToken(world.desk.terms.digest("old"), "family", CLIENT.id, "alice", RESOURCE, world.clock.seconds + 60)
    await world.store.add_refresh_token(old)
    assert (await refresh("old", "", CLIENT, world.desk)).scope == "mcp"


def test_a_scope_without_end_is_refused() -> None:
    check_request(replace(ASKED, scope="x" * 2048), "S256", ISSUER)
    with pytest.raises(NotGranted) as refused:
        check_request(replace(ASKED, scope="x" * 2049), "S256", ISSUER)
    assert refused.value.code == "invalid_scope"


async def test_a_refresh_token_of_another_client_or_after_its_family_grants_nothing(world: World) -> None:
    tokens = await world.tokens()
    with pytest.raises(NotGranted):
        await refresh(tokens.refresh, "", OTHER, world.desk)
    world.clock.seconds += 30 * 24 * 3600
    with pytest.raises(NotGranted):
        await refresh((await world.tokens()).refresh + "x", "", CLIENT, world.desk)
    with pytest.raises(NotGranted):
        await refresh(tokens.refresh, "", CLIENT, world.desk)
    assert world.reasons() == ["refresh-token-unknown", "refresh-token-unknown", "refresh-token-expired"]


async def test_a_person_who_is_gone_gets_no_more_tokens(world: World) -> None:
    tokens = await world.tokens()
    del world.people["alice"]
    with pytest.raises(NotGranted):
        await refresh(tokens.refresh, "", CLIENT, world.desk)
    assert world.reasons() == ["person-unknown"]


@pytest.mark.parametrize("which", ["access", "refresh"])
async def test_revoking_either_token_ends_the_family_once(world: World, which: str) -> None:
    tokens = await world.tokens()
    for _ in range(2):
        await revoke(getattr(tokens, which), CLIENT, world.desk)
    assert world.reasons() == ["revoked-by-client"]
    with pytest.raises(NotGranted):
        await refresh(tokens.refresh, "", CLIENT, world.desk)


async def test_revoking_what_is_anothers_or_unknown_does_nothing_and_says_nothing(world: World) -> None:
    tokens = await world.tokens()
    for token in (tokens.access, tokens.refresh, "unknown"):
        await revoke(token, OTHER, world.desk)
    assert world.reasons() == []
    assert await refresh(tokens.refresh, "", CLIENT, world.desk)


async def test_a_family_ends_once(world: World) -> None:
    for _ in range(2):
        await end_family("family-1", "alice", "code-replayed", world.desk)
    assert world.reasons() == ["code-replayed"]


@pytest.mark.parametrize(
    ("resource", "ours", "server"),
    [
        (RESOURCE, True, "warehouse"),
        (f"{ISSUER}/mcp", True, ""),
        (f"{ISSUER}/api/v1", True, ""),
        (f"{ISSUER}/r/me", True, ""),
        (f"{ISSUER}/r/ads", False, ""),
        (f"{ISSUER}/mcp/", False, ""),
        (f"{ISSUER}/mcp/UPPER", False, "UPPER"),
        (f"{ISSUER}/mcp/a/b", False, "a/b"),
        (f"{ISSUER}.evil.example/mcp/a", False, ""),
        ("https://elsewhere.example/mcp/warehouse", False, ""),
        ("", False, ""),
    ],
)
def test_a_resource_is_one_server_of_this_platform(resource: str, *, ours: bool, server: str) -> None:
    assert is_resource(resource, ISSUER) is ours
    assert server_of(resource, ISSUER) == server


@pytest.mark.parametrize(
    ("changes", "method", "code"),
    [
        ({}, "plain", "invalid_request"),
        ({}, "", "invalid_request"),
        ({"challenge": "short"}, "S256", "invalid_request"),
        ({"resource": "https://elsewhere.example/mcp/a"}, "S256", "invalid_target"),
    ],
)
def test_a_request_without_pkce_or_for_another_place_is_refused(
    changes: dict[str, str], method: str, code: str
) -> None:
    check_request(ASKED, "S256", ISSUER)
    with pytest.raises(NotGranted) as refused:
        check_request(replace(ASKED, **changes), method, ISSUER)
    assert refused.value.code == code


async def test_clients_are_forgotten_only_when_idle(world: World) -> None:
    await world.store.add_client(CLIENT)
    await world.store.add_client(OTHER)
    await world.tokens()
    assert await world.store.drop_idle_clients(registered_before=1.0) == 1
    assert await world.store.client("client-1") == CLIENT
    assert await world.store.client("client-2") is None


async def test_tokens_name_whose_people_they_are_for_and_those_of_another_sign_in_are_void(world: World) -> None:
    earlier = await world.tokens()
    desk = replace(world.desk, terms=Terms(ISSUER, provider="https://login.example"))
    with pytest.raises(NotGranted):
        await refresh(earlier.refresh, "", CLIENT, desk)
    code = await grant_code(ASKED, "alice", desk)
    now = await exchange_code(CodeExchange(code, VERIFIER, REDIRECT, RESOURCE), CLIENT, desk)
    assert json.loads(now.access)["sub_iss"] == desk.terms.people_of == "https://login.example"
    assert "sub_iss" not in json.loads(earlier.access)
    assert world.desk.terms.people_of == ISSUER
    assert (await refresh(now.refresh, "", CLIENT, desk)).refresh
