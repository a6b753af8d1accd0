"""Consents on every store: one by id, each change with its fact, an end with the end of all that came of it."""

import asyncio
from dataclasses import replace
from typing import Final

from tests.contract.conftest import Run

from pierhead.adapters.db import Database, DatabaseConsents, DatabaseFacts, DatabaseSignIn
from pierhead.core.consent import Consent, ConsentEnded, ConsentGiven, ConsentReused
from pierhead.usecases.memory_consents import MemoryConsents
from pierhead.usecases.memory_sign_in import MemorySignIn
from pierhead.usecases.ports_consents import Consents
from pierhead.usecases.ports_sign_in import Code, RefreshToken, SignInStore

NOW: Final = 1_795_000_000.0
YES: Final = Consent(
    "cns_1", "https://mcp", "alice é", "c1", "Claude ☕", "claude.ai", "d", ("mcp.read",), NOW, NOW + 9, NOW + 9
)
GIVEN: Final = ConsentGiven.of(YES)
ENDED: Final = ConsentEnded("cns_1", "alice é", "c1", "revoked", "alice é")
REUSED: Final = ConsentReused("cns_1", "alice é", "c1", "https://mcp/mcp/presto", "presto.read")


async def keeping(consents: Consents) -> None:
    assert await consents.one("cns_1", NOW) is None
    await consents.keep(YES, GIVEN, NOW)
    later = replace(YES, id="cns_2", client_id="c2", given_at=NOW + 1, expires_at=NOW + 5)
    for each in (later, replace(YES, id="cns_3", person="bob"), replace(YES, id="cns_4", issuer="https://other")):
        await consents.keep(each, GIVEN, NOW)
    assert await consents.of("https://mcp", "alice é", NOW) == [later, YES]
    assert (await consents.one("cns_1", NOW), await consents.one("cns_1", NOW + 9)) == (YES, None)
    assert await consents.of("https://mcp", "alice é", NOW + 5) == [YES]
    longer = replace(YES, expires_at=NOW + 99)
    await consents.keep(longer, REUSED, NOW + 6)
    assert await consents.of("https://mcp", "alice é", NOW + 6) == [longer]


async def ending(consents: Consents, store: SignInStore) -> None:
    await consents.keep(YES, GIVEN, NOW)
    for digest, family, client, person in (
        ("t1", "f1", "c1", "alice é"),
        ("t2", "f2", "c2", "alice é"),
        ("t3", "f3", "c1", "bob"),
        ("t4", "f4", "c1", "alice é"),
    ):
        await store.add_refresh_token(RefreshToken(digest, family, client, person, "r", NOW + 99))
    assert await store.revoke_family("f4", NOW)
    for digest, family in (("k1", "f5"), ("k2", "f6")):
        await store.add_code(Code(digest, family, "c1", "u", "x", "alice é", "r", NOW + 60))
    assert await store.spend_code("k1", NOW) is not None  # its refresh token comes only after the end
    assert await consents.end(YES, ENDED, NOW + 1)
    assert not await consents.end(YES, ENDED, NOW + 1)
    await store.add_refresh_token(RefreshToken("t5", "f5", "c1", "alice é", "r", NOW + 99))
    spent = {token: await store.spend_refresh_token(token, NOW + 2) for token in ("t1", "t2", "t3", "t5")}
    assert {token: found and found.is_revoked for token, found in spent.items()} == {
        "t1": True,
        "t2": False,
        "t3": False,
        "t5": True,
    }
    assert await store.spend_code("k2", NOW + 2) is None
    assert await consents.one("cns_1", NOW) is None


def test_a_consent_is_kept_in_place_of_the_one_before(run: Run) -> None:
    async def told(database: Database) -> None:
        await keeping(DatabaseConsents(database))
        kept = await DatabaseFacts(database).lines(("", 0), 10)
        assert [b"consent-given" in each.line for each in kept] == [True] * 4 + [False]
        assert b"consent-reused" in kept[-1].line

    run(told)


def test_an_end_takes_every_token_of_that_client_and_person_along_and_is_told_once(run: Run) -> None:
    async def told(database: Database) -> None:
        await ending(DatabaseConsents(database), DatabaseSignIn(database))
        kept = await DatabaseFacts(database).lines(("", 0), 10)
        assert [b"consent-ended" in each.line for each in kept] == [False, True]
        assert b'"token_ids":["f1","f5","f6"]' in kept[-1].line

    run(told)


def test_the_same_in_memory() -> None:
    kept = MemoryConsents(MemorySignIn())
    asyncio.run(keeping(kept))
    store = MemorySignIn()
    ended = MemoryConsents(store)
    asyncio.run(ending(ended, store))
    assert kept.facts[-1] == REUSED
    assert ended.facts == [GIVEN, replace(ENDED, token_ids=("f1", "f5", "f6"))]
