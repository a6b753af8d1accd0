"""What somebody lost stops their calls: at two gateways, for tokens of Pierhead and of the provider, in two seconds."""

import asyncio
import json
import os
import sqlite3
import statistics
import subprocess
import time
from base64 import urlsafe_b64decode as b64decode
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass

import httpx2
import pytest
from tests.components import free_port
from tests.coordinators import AUDIENCE, Address, provider_key
from tests.end_to_end.test_federated_sign_in import FLEET, CompanyPerson, enter, tables
from tests.identity_provider import IdentityProvider, browser
from tests.rigs.gateway import headers, message
from tests.running_platform import PIERHEAD, Up, eventually, up
from tests.signing_in import Kept, provider

from pierhead import Caller, Forbidden, Server, UpstreamUnreachable
from pierhead.adapters.remote import Registry
from pierhead.bootstrap.keys import Keys
from pierhead.bootstrap.running import free_ports
from pierhead.core.identity import User, Workload
from pierhead.core.token_parts import strict_object
from pierhead.sdk.governed.engine import Limits
from pierhead.sdk.governed.trino import TrinoEngine
from pierhead.sdk.governed.trino_place import Place
from pierhead.sdk.sqlguard import GovernedQuery, View
from pierhead.sdk.tool import CALLER
from pierhead.usecases.ports_exchange import Credential

pytestmark = [pytest.mark.slow, pytest.mark.anyio]

#: What is promised of each withdrawal, and of nearly all of them.
AT_MOST_S, NEARLY_ALWAYS_S = 10.0, 2.0
ROUNDS = 12
EXCHANGE = {"exchange": f"orders={AUDIENCE}", "exchange_subject": "id_token"}
#: Everyone loses something once: for a minute after that, the provider's clock may be the one that is wrong.
PEOPLE = {
    **{name: {"groups": ["corp-data"]} for name in ("alice", "bob", "erin", "frank", "heidi", "ivan", "judy")},
    "grace": {"groups": ["corp-admins"]},
}


@dataclass(frozen=True)
class Company:
    """A platform whose people sign in at a provider, with a second gateway before the same fleet."""

    platform: Up
    idp: IdentityProvider
    gateways: tuple[str, str]

    def calls(self, token: str) -> tuple[int, ...]:
        """How each gateway answers a call with that token."""
        body = message("tools/call", {"name": "list_tables", "arguments": {}})
        host = self.platform.url.removeprefix("http://")
        sent = headers("tools/call", "list_tables", authorization=f"Bearer {token}", host=host)
        return tuple(
            httpx2.post(f"{url}/mcp/orders", content=body, headers=sent, trust_env=False, timeout=30).status_code
            for url in self.gateways
        )

    def until_refused(self, *tokens: str) -> float:
        """How long it takes from now until every gateway refuses each of them."""
        began = time.monotonic()
        while any(status == 200 for token in tokens for status in self.calls(token)):
            assert time.monotonic() - began < AT_MOST_S, "a call runs ten seconds after the withdrawal"
        return time.monotonic() - began


@contextmanager
def gateway(platform: Up, settings: dict[str, str]) -> Iterator[str]:
    """One more gateway, of the same data directory."""
    port, diagnostics = free_ports(2)
    note = json.loads((platform.data / "run" / "platform.json").read_text())
    command = [*PIERHEAD, "run", "gateway", "--registry", note["registry_url"], "--data", str(platform.data)]
    command += ["--port", str(port), "--diagnostics-port", str(diagnostics), "--public-url", platform.url]
    environment = {**os.environ, **{f"PIERHEAD__{name.upper()}": value for name, value in settings.items()}}
    process = subprocess.Popen(command, env={**environment, "PIERHEAD__PLATFORM__REPLICA": "second"})
    try:
        eventually(lambda: ready(diagnostics), "the second gateway")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(60)


def ready(diagnostics: int) -> bool:
    try:
        return httpx2.get(f"http://127.0.0.1:{diagnostics}/readyz", trust_env=False, timeout=5).status_code == 200
    except httpx2.TransportError:
        return False


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Company]:
    folder = tmp_path_factory.mktemp("withdrawn")
    with sqlite3.connect(folder / "orders.db") as database:
        database.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY)")
    database.close()
    (folder / "fleet.yaml").write_text(FLEET.replace("FOLDER", str(folder)))
    idp = IdentityProvider("", free_port())
    groups = "corp-data=data-eng\ncorp-admins=platform-admin"
    given = idp.settings(groups=groups, reconfirm_s="1", lifetime_s="3600", **EXCHANGE)
    with up(folder / "data", folder / "fleet.yaml", **given) as platform:
        idp.pierhead = platform.url
        idp.start(PEOPLE=json.dumps(PEOPLE), KEY=json.dumps(provider_key().as_dict(private=True)))
        try:
            with gateway(platform, given) as second:
                yield Company(platform, idp, (platform.url, second))
        finally:
            idp.stop()


async def signed_in(company: Company, name: str) -> Kept:
    """What an MCP client keeps once somebody signed in for it, whose browser is signed in too."""
    person, kept = CompanyPerson(company.platform, name), Kept()
    with person.browser:
        await tables(company.platform, provider(company.platform.mcp("orders"), person, kept))
    return kept


def access(kept: Kept) -> str:
    assert kept.tokens is not None
    return kept.tokens.access_token


def refreshed(company: Company, kept: Kept) -> httpx2.Response:
    assert kept.tokens is not None
    assert kept.client is not None
    form = {"grant_type": "refresh_token", "refresh_token": str(kept.tokens.refresh_token)}
    form["client_id"] = str(kept.client.client_id)
    return httpx2.post(f"{company.platform.url}/oauth/token", data=form, trust_env=False, timeout=30)


async def test_a_group_that_the_provider_takes_away_stops_calls_with_every_token(company: Company) -> None:
    kept = await signed_in(company, "alice")
    plain = await asyncio.to_thread(company.idp.access_token, "alice", company.platform.mcp("orders"))
    assert company.calls(access(kept)) == company.calls(plain) == (200, 200)
    company.idp.tell('groups alice ["corp-lunch"]')
    assert company.until_refused(access(kept), plain) < AT_MOST_S
    assert company.calls(plain) == (401, 401)
    again = refreshed(company, kept)  # the client goes on, with the groups of now
    assert again.status_code == 200, again.text
    assert company.calls(again.json()["access_token"]) == (403, 403)
    company.idp.tell('groups alice ["corp-data"]')

    def is_back() -> bool:
        return company.calls(refreshed(company, kept).json()["access_token"]) == (200, 200)

    assert eventually(is_back, "alice's group")


async def test_a_logout_that_the_provider_tells_of_ends_tokens_sessions_and_what_would_refresh_them(
    company: Company,
) -> None:
    kept = await signed_in(company, "bob")
    plain = await asyncio.to_thread(company.idp.access_token, "bob", company.platform.mcp("orders"))
    with browser() as visiting:
        enter(visiting, company.platform, "bob")
        assert visiting.get(f"{company.platform.url}/api/v1/me").status_code == 200
        company.idp.tell("logout bob")
        assert company.until_refused(access(kept), plain) < AT_MOST_S
        assert visiting.get(f"{company.platform.url}/api/v1/me").status_code == 401
        refused = refreshed(company, kept)
        assert (refused.status_code, refused.json()["error"]) == (400, "invalid_grant")
        assert enter(visiting, company.platform, "bob").status_code == 303
        assert visiting.get(f"{company.platform.url}/api/v1/me").json()["groups"] == ["data-eng"]


@pytest.mark.parametrize("forged", ["", "a.b.c", "e30.e30."])
def test_a_logout_that_is_not_the_providers_word_ends_nothing(company: Company, forged: str) -> None:
    url = f"{company.platform.url}/oauth/backchannel-logout"
    id_token = company.idp.access_token("alice", company.platform.mcp("orders"))
    for token in (forged, id_token):
        refused = httpx2.post(url, data={"logout_token": token}, trust_env=False, timeout=30)
        assert (refused.status_code, refused.json()["error"]) == (400, "invalid_request")


async def test_whom_the_provider_no_longer_vouches_for_is_nobody(company: Company) -> None:
    kept = await signed_in(company, "erin")
    company.idp.tell("gone erin")
    assert company.until_refused(access(kept)) < AT_MOST_S
    assert refreshed(company, kept).status_code == 400


async def test_an_administrators_withdrawal_holds_everywhere_within_two_seconds(company: Company) -> None:
    admin = await asyncio.to_thread(company.idp.access_token, "grace", f"{company.platform.url}/api/v1")
    kept = await signed_in(company, "frank")
    plain = await asyncio.to_thread(company.idp.access_token, "frank", company.platform.mcp("orders"))

    def asked(step: str) -> None:
        body = {"person": "frank", "groups": ["data-eng"], "reason": "moved to ads"}
        sent = {"authorization": f"Bearer {admin}"}
        said = httpx2.post(
            f"{company.platform.url}/api/v1/people/{step}", json=body, headers=sent, trust_env=False, timeout=30
        )
        assert said.status_code == 200, said.text

    def is_back() -> bool:
        return company.calls(access(kept)) == company.calls(plain) == (200, 200)

    took: list[float] = []
    for _ in range(ROUNDS):
        asked("revoke")
        took.append(company.until_refused(access(kept), plain))
        asked("restore")
        eventually(is_back, "frank's group")
    assert max(took) < AT_MOST_S
    assert statistics.median(took) < NEARLY_ALWAYS_S


def test_a_provider_that_does_not_answer_changes_nothing_for_a_while(company: Company) -> None:
    with browser() as visiting:
        enter(visiting, company.platform, "alice")
        company.idp.tell("away")
        try:
            is_asked: Callable[[], bool] = lambda: _asked_since(company, began)  # noqa: E731
            began = time.time()
            eventually(is_asked, "asking again")
            assert visiting.get(f"{company.platform.url}/api/v1/me").status_code == 200
        finally:
            company.idp.tell("back")


def _asked_since(company: Company, moment: float) -> bool:
    with sqlite3.connect(f"file:{company.platform.data / 'pierhead.db'}?mode=ro", uri=True) as database:
        (last,) = database.execute("SELECT max(asked_at) FROM people WHERE name = 'alice'").fetchone()
    database.close()
    return bool(last > moment)


@asynccontextmanager
async def orders(company: Company) -> AsyncGenerator[Server]:
    """The server's own process, as far as it reaches its system: the SDK over the real registry."""
    note = json.loads((company.platform.data / "run" / "platform.json").read_text())
    registry = Registry.at(note["registry_url"], Keys.at(company.platform.data).read("internal.key"))
    server = Server("orders", owner="data-platform", support="#data-help")
    server.exchanges = registry
    try:
        yield server
    finally:
        await registry.close()


def caller(company: Company, name: str) -> Caller:
    return Caller(User(company.idp.issuer, name, frozenset()), "ide", "local", "call-1")


async def refused(server: Server, who: Caller) -> None:
    """Ask until it is refused: the provider tells of an end by itself, some moments later."""
    async with asyncio.timeout(30):
        while True:
            await made(server, who)


async def made(server: Server, who: Caller) -> Credential:
    """A credential; asked again while the registry asks the provider about that very person."""
    async with asyncio.timeout(30):
        while True:
            try:
                return await server.credential_of(who)
            except UpstreamUnreachable:
                await asyncio.sleep(0.1)


async def test_a_server_reaches_its_system_with_a_credential_of_the_caller_and_never_with_their_token(
    company: Company,
) -> None:
    kept = await signed_in(company, "heidi")
    async with orders(company) as server:
        credential = await made(server, caller(company, "heidi"))
        token = credential.authorization.removeprefix("Bearer ")
        claims = strict_object(b64decode(token.split(".")[1] + "=="))
        assert (claims["aud"], claims["sub"], claims["act"]) == (AUDIENCE, "heidi", {"sub": "pierhead"})
        assert claims["iss"] == company.idp.issuer
        assert token != access(kept)
        assert token not in repr(credential)
        assert await made(server, caller(company, "heidi")) == credential  # kept until it ends
        resource = company.platform.mcp("orders")
        assert company.calls(token) == (401, 401), f"what is for {AUDIENCE} opens {resource} too"
        company.idp.tell("logout heidi")
        with pytest.raises(Forbidden, match="nobody of that name is signed in"):
            await refused(server, caller(company, "heidi"))
    facts = company.platform.tell("audit", "export")
    assert '"kind":"token-exchanged"' in facts
    assert token not in facts


@pytest.mark.timeout(300)  # a coordinator may have to start first
async def test_a_trino_runs_each_statement_as_the_caller_whose_exchanged_credential_it_verifies(
    company: Company, trino_address: str
) -> None:
    if not isinstance(trino_address, Address):
        pytest.skip("component trino: the one that was named takes no tokens of ours")
    await signed_in(company, "judy")
    place = f"{trino_address.secured}/tpch/tiny?tls=on&ca={trino_address.authority}"
    query = GovernedQuery("SELECT current_user", (), 10, explain=False)
    view = View("trino", "tpch", "tiny", ())

    async def asked(engine: TrinoEngine, who: Caller) -> object:
        token = CALLER.set(who)
        try:
            return (await engine.run(query, view, {}, Limits(10, 30.0))).rows
        finally:
            CALLER.reset(token)

    async with orders(company) as server:
        service = (await made(server, caller(company, "judy"))).authorization.removeprefix("Bearer ")
        own = TrinoEngine(Place.parse(f"trino://judy:{service}@{place}&proof=bearer"))
        assert await asked(own, caller(company, "ivan")) == [["judy"]], "the login's own token is the login's"
        await own.close()
        engine = TrinoEngine(Place.parse(f"trino://nobody@{place}&identity=exchange"))
        engine.use_credentials(lambda who: credential_of(server, who))
        assert await asked(engine, caller(company, "judy")) == [["judy"]]
        for who in (caller(company, "nobody"), Caller(Workload("spiffe://corp.example/a"), "agent", "local", "c")):
            with pytest.raises(Forbidden):
                await asked(engine, who)
        engine.use_credentials(lambda _: forged(company))
        with pytest.raises(UpstreamUnreachable) as refused:
            await asked(engine, caller(company, "judy"))
        assert refused.value.code == "upstream-refused-login"
        await engine.close()


async def credential_of(server: Server, who: Caller) -> str:
    return (await made(server, who)).authorization


async def forged(company: Company) -> str:
    """A token of the provider that is for another system."""
    return f"Bearer {company.idp.access_token('judy', 'https://other.corp.example')}"


async def test_what_cannot_be_exchanged_is_refused_with_its_reason(company: Company) -> None:
    await signed_in(company, "ivan")
    company.idp.tell("lock ivan")
    async with orders(company) as server:
        with pytest.raises(Forbidden, match="the identity provider refused"):
            await made(server, caller(company, "ivan"))
        for stranger in (
            Caller(User(company.platform.url, "ivan", frozenset()), "ide", "local", "call-1"),
            caller(company, "nobody"),
        ):
            with pytest.raises(Forbidden, match="nobody of that name"):
                await made(server, stranger)
        server.name = "another"
        with pytest.raises(Forbidden, match="no credential of the caller"):
            await made(server, caller(company, "ivan"))
        with pytest.raises(Forbidden, match="no credential of the caller"):
            await made(server, Caller(Workload("spiffe://corp.example/a"), "agent", "local", "call-1"))
