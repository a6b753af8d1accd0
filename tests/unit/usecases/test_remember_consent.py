"""When a person is asked about a client, and when what they said before is enough."""

from dataclasses import dataclass, field, replace
from typing import Any, Final

import pytest

from pierhead.core.consent import API, READS, WRITES, Consent, ConsentEnded, ConsentReused
from pierhead.core.errors import Conflict, NotFound
from pierhead.core.identity import User
from pierhead.usecases.grant_tokens import AuthorizationRequest, Terms, TokenDesk, grant_code
from pierhead.usecases.memory import MemoryAudit, MemoryClock
from pierhead.usecases.memory_consents import MemoryConsents
from pierhead.usecases.memory_sign_in import KnownPeople, MemorySignIn
from pierhead.usecases.ports_sign_in import Client
from pierhead.usecases.remember_consent import (
    ConsentDesk,
    consents_of,
    end_consents,
    give_consent,
    known_consent,
    reuse_consent,
    revoke_consent,
)

pytestmark = pytest.mark.anyio

URL: Final = "https://mcp.corp.example"
DAY: Final = 86_400.0
HOSTED: Final = Client("c1", "Claude", ("https://claude.ai/api/mcp/auth_callback",), "none", "", 0.0)
LOCAL: Final = Client("c2", "Claude Code", ("http://127.0.0.1/callback",), "none", "", 0.0)
SECRET: Final = replace(LOCAL, id="c3", authentication="client_secret_post", secret_digest="d" * 64)
EDITOR: Final = Client("https://vscode.dev/oauth/x", "VS Code", ("https://vscode.dev/redirect",), "none", "", 0.0)
SCHEME: Final = Client("c4", "Cursor", ("cursor://anysphere.cursor-mcp/oauth/callback",), "none", "", 0.0)
ALICE: Final = User(URL, "alice", frozenset())


@dataclass
class World:
    store: MemorySignIn = field(default_factory=MemorySignIn)
    clock: MemoryClock = field(default_factory=MemoryClock)
    terms: Terms = field(default_factory=lambda: Terms(URL))

    def __post_init__(self) -> None:
        people = KnownPeople({"alice": frozenset()})
        tokens = TokenDesk(self.store, self.store, None, people, MemoryAudit(), self.clock, self.terms)  # type: ignore[arg-type]
        self.consents = MemoryConsents(self.store)
        self.desk = ConsentDesk(self.consents, tokens)

    def asked(self, client: Client = HOSTED, **changes: Any) -> AuthorizationRequest:
        redirect = client.redirect_uris[0].replace("127.0.0.1/", "127.0.0.1:4711/")
        plain = AuthorizationRequest(client, redirect, "x" * 43, f"{URL}/mcp/presto", "s", "presto.read")
        return replace(plain, **changes)


async def test_a_yes_to_a_client_is_one_for_every_server_and_on_record_each_time() -> None:
    world = World()
    assert not await reuse_consent(world.asked(), "alice", world.desk)
    await give_consent(world.asked(), "alice", world.desk)
    other = world.asked(resource=f"{URL}/mcp/airflow", scope="airflow.read")
    assert await reuse_consent(other, "alice", world.desk)
    assert not await reuse_consent(other, "bob", world.desk)
    given, reused = world.consents.facts
    assert given.kind == "consent-given"
    assert reused == ConsentReused(given.consent_id, "alice", "c1", f"{URL}/mcp/airflow", "airflow.read")  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "changes",
    [
        {"scope": "presto.read presto.write"},
        {"scope": ""},
        {"resource": f"{URL}/api/v1"},
        {"resource": f"{URL}/r/me"},
        {"client": replace(HOSTED, name="Clause")},
        {"client": replace(HOSTED, redirect_uris=(*HOSTED.redirect_uris, "https://claude.com/api/mcp/auth_callback"))},
        {"client": replace(HOSTED, authentication="client_secret_post", secret_digest="e")},
        {"client": replace(HOSTED, id="c9")},
        {"redirect_uri": "https://claude.com/api/mcp/auth_callback"},
    ],
)
async def test_they_are_asked_for_more_for_another_client_and_for_another_place(changes: dict[str, Any]) -> None:
    world = World()
    await give_consent(world.asked(), "alice", world.desk)
    assert not await reuse_consent(world.asked(**changes), "alice", world.desk)


@pytest.mark.parametrize(("client", "is_enough"), [(LOCAL, False), (EDITOR, False), (SCHEME, False), (SECRET, True)])
async def test_where_nothing_proves_who_asks_they_are_asked_each_time(client: Client, is_enough: bool) -> None:
    world = World()
    made = await give_consent(world.asked(client), "alice", world.desk)
    assert await reuse_consent(world.asked(client), "alice", world.desk) is is_enough
    assert (made.asked_again_at > made.given_at) is is_enough
    assert await known_consent(world.asked(client), "alice", world.desk) is not None
    assert made.returns_to in {"127.0.0.1", "vscode.dev", "anysphere.cursor-mcp"}


async def test_a_yes_ends_with_its_days_and_is_shown_as_long_as_its_tokens_are_renewed() -> None:
    world = World()
    made = await give_consent(world.asked(), "alice", world.desk)
    assert made.expires_at == made.asked_again_at == world.clock.now() + 90 * DAY
    world.clock.seconds += 89 * DAY
    assert await reuse_consent(world.asked(), "alice", world.desk)
    world.clock.seconds += DAY
    assert not await reuse_consent(world.asked(), "alice", world.desk)
    assert [each.id for each in await consents_of(ALICE, world.desk)] == [made.id]
    world.clock.seconds += 29 * DAY
    assert await consents_of(ALICE, world.desk) == []


async def test_the_operator_may_have_each_sign_in_asked_about() -> None:
    world = World(terms=Terms(URL, consent_s=0.0))
    await give_consent(world.asked(), "alice", world.desk)
    assert not await reuse_consent(world.asked(), "alice", world.desk)


async def test_a_yes_for_more_keeps_what_was_agreed_to_before() -> None:
    world = World()
    await give_consent(world.asked(), "alice", world.desk)
    await give_consent(world.asked(scope="presto.write"), "alice", world.desk)
    whole = await give_consent(world.asked(resource=f"{URL}/api/v1"), "alice", world.desk)
    assert whole.uses == (API, READS, WRITES)


async def test_taking_it_back_ends_what_the_client_has_and_asks_again() -> None:
    world = World()
    made = await give_consent(world.asked(), "alice", world.desk)
    await grant_code(world.asked(), "alice", world.desk.tokens)
    await revoke_consent(made.id, ALICE, world.desk)
    assert world.store.codes == {}
    (family,) = world.store.revoked
    assert world.consents.facts[-1] == ConsentEnded(made.id, "alice", "c1", "revoked", "alice", (family,))
    assert not await reuse_consent(world.asked(), "alice", world.desk)


async def test_nobody_takes_back_what_is_not_theirs() -> None:
    world = World()
    made = await give_consent(world.asked(), "alice", world.desk)
    for other in (User(URL, "bob", frozenset()), User("https://other", "alice", frozenset())):
        with pytest.raises(NotFound):
            await revoke_consent(made.id, other, world.desk)


class Raced(MemoryConsents):
    """Another window ends it between the look and the end."""

    async def end(self, consent: Consent, fact: ConsentEnded, at: float) -> bool:
        await super().end(consent, fact, at)
        return await super().end(consent, fact, at)


async def test_one_that_another_window_ended_first_is_over() -> None:
    world = World()
    world.desk = replace(world.desk, consents=Raced(world.store))
    made = await give_consent(world.asked(), "alice", world.desk)
    with pytest.raises(Conflict, match="over"):
        await revoke_consent(made.id, ALICE, world.desk)


async def test_somebody_whose_everything_ends_is_asked_about_every_client_again() -> None:
    world = World()
    await give_consent(world.asked(), "alice", world.desk)
    await give_consent(world.asked(), "bob", world.desk)
    await end_consents("alice", "frank", "left", world.desk)
    assert [each.person for each in world.consents.kept.values()] == ["bob"]
