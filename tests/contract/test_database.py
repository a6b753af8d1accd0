"""The registry's ports, on SQLite and on a real PostgreSQL: one suite, the same answers."""

import asyncio
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import orjson
import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, text
from tests.contract.conftest import Run

from pierhead.adapters.db import (
    Database,
    DatabaseAudit,
    DatabaseFacts,
    DatabaseHealths,
    DatabaseManifests,
    DatabasePeople,
    DatabasePolicies,
    DatabaseRecords,
    DatabaseSignIn,
    DatabaseStates,
    open_database,
)
from pierhead.adapters.db.migrations import migrate, pending, revision_of
from pierhead.adapters.db.schema import METADATA
from pierhead.core.approval import Approval
from pierhead.core.audit import (
    Actor,
    CallFinished,
    CallLost,
    CallRefused,
    CallStarted,
    Fact,
    Reason,
    ServerHealthChanged,
)
from pierhead.core.audit_policy import PolicyPublished
from pierhead.core.catalog import Effect, Tool
from pierhead.core.chain import START, Head, next_line, read_line
from pierhead.core.errors import Conflict, Invalid, Misconfigured, RecordFailed
from pierhead.core.health import Condition, Probe, judge
from pierhead.core.rule import parse_who
from pierhead.core.usage import NEVER_USED, Minutes, Pace, Saved, ServerUse, ToolUse
from pierhead.usecases.memory import MemoryClock
from pierhead.usecases.ports_health import PROBES_KEPT
from pierhead.usecases.ports_records import DayOfCalls, Filter, ProcessState
from pierhead.usecases.ports_registry import Revision
from pierhead.usecases.ports_sign_in import Client, Code, RefreshToken, SignedIn
from pierhead.usecases.ship_facts import take_facts
from pierhead.usecases.wire_forms import Manifest

NOW = 1_795_000_000.0


class Writer:
    """Makes the lines of one journal."""

    def __init__(self) -> None:
        self.head = START

    def lines(self, *facts: Fact, at: float = NOW) -> list[bytes]:
        made = []
        for fact in facts:
            self.head, line = next_line(self.head, int(at * 1000), orjson.dumps(fact))
            made.append(line)
        return made


def actor(person: str = "alice") -> Actor:
    return Actor(person, person, "", ("data-eng",), "ide", "local")


def started(
    call_id: str, person: str = "alice", tool: str = "run_query", digest: str = "d", minutes: float = 6
) -> Fact:
    reasons = (Reason("permit", "use", "warehouse.policy", "declared for everyone"),)
    return CallStarted(
        call_id, actor(person), "warehouse", "1", "run_query", "read", "", "café ☕", digest, 2, {}, 1, reasons, minutes
    )


def finished(call_id: str, outcome: str = "ok") -> Fact:
    return CallFinished(call_id, outcome, "", 10, 1.5)


def refused(call_id: str, code: str = "unknown-tool") -> Fact:
    return CallRefused(call_id, actor("bob"), "warehouse", "drop", "", "", "d", code, "Unknown tool: drop", ())


def test_facts_are_stored_once_however_often_they_are_shipped(run: Run) -> None:
    async def story(database: Database) -> None:
        facts, writer = DatabaseFacts(database), Writer()
        assert await take_facts("gateway", (), facts) == 0
        first = writer.lines(started("a"), finished("a"))
        second = writer.lines(started("b"))
        assert await take_facts("gateway", first, facts) == 2
        assert await take_facts("gateway", [*first, *second], facts) == 3
        assert await take_facts("gateway", second, facts) == 3
        assert await take_facts("gateway", (), facts) == 3
        kept = await facts.lines(("", 0), 10)
        assert [bytes(line.line) for line in kept] == [*first, *second]
        assert [line.sequence for line in await facts.lines(("gateway", 1), 1)] == [2]

    run(story)


@pytest.mark.parametrize("damage", ["gap", "changed", "fork", "rubbish"])
def test_a_chain_that_does_not_fit_is_refused_and_nothing_of_it_is_kept(run: Run, damage: str) -> None:
    async def story(database: Database) -> None:
        facts, writer = DatabaseFacts(database), Writer()
        await take_facts("gateway", writer.lines(started("a")), facts)
        lines = writer.lines(finished("a"), started("b"), finished("b"))
        sent: Sequence[bytes] = {
            "gap": [lines[0], lines[2]],
            "changed": [lines[0], lines[1].replace(b"alice", b"mallo"), lines[2]],
            "fork": Writer().lines(started("x"), started("y")),
            "rubbish": [lines[0], b"{}"],
        }[damage]
        with pytest.raises(Invalid) as broken:
            await take_facts("gateway", sent, facts)
        assert broken.value.code in {"chain-gap", "chain-broken", "record-unreadable"}
        assert (await facts.head("gateway") or START).sequence == 1

    run(story)


def test_two_shippers_at_once_store_each_record_once(run: Run) -> None:
    async def story(database: Database) -> None:
        facts, writer = DatabaseFacts(database), Writer()
        lines = writer.lines(*(started(str(number)) for number in range(40)))
        ends = await asyncio.gather(*(take_facts("gateway", lines, facts) for _ in range(3)))
        assert ends == [40, 40, 40]
        assert len(await facts.lines(("", 0), 100)) == 40

    run(story)


def test_keeping_after_a_head_that_moved_is_a_conflict(run: Run) -> None:
    async def story(database: Database) -> None:
        facts, writer = DatabaseFacts(database), Writer()
        await take_facts("gateway", writer.lines(started("a")), facts)
        record = read_line(writer.lines(started("b"))[0])
        with pytest.raises(Conflict):
            await facts.keep("gateway", Head(0, "0" * 64), [record])
        with pytest.raises(Conflict):
            await facts.keep("gateway", None, [record])

    run(story)


def test_what_a_server_knows_wins_over_the_gateway_in_whatever_order_it_comes(run: Run) -> None:
    async def story(database: Database) -> None:
        facts, records = DatabaseFacts(database), DatabaseRecords(database)
        gateway, server = Writer(), Writer()
        heard = gateway.lines(started("a", minutes=0), finished("a", "relayed"), started("b"), finished("b", "relayed"))
        await take_facts("gateway", heard[:2], facts)
        await take_facts(
            "server-warehouse", server.lines(started("a"), finished("a"), started("b"), finished("b")), facts
        )
        await take_facts("gateway", heard[2:], facts)
        for call_id in ("a", "b"):
            call = await records.call(call_id)
            assert call is not None
            assert (call.outcome, call.minutes, call.client) == ("ok", 6, "café ☕")
        assert [kept.writer for kept in await records.facts_of("a")] == [
            "gateway",
            "gateway",
            "server-warehouse",
            "server-warehouse",
        ]

    run(story)


def test_callers_are_told_by_what_they_used_the_busiest_first(run: Run) -> None:
    async def story(database: Database) -> None:
        facts, records, writer = DatabaseFacts(database), DatabaseRecords(database), Writer()
        await take_facts("server-warehouse", writer.lines(started("old"), at=NOW - 90_000), facts)
        lines = writer.lines(started("a"), refused("b"), started("c"), at=NOW)
        await take_facts("server-warehouse", lines, facts)
        alice, bob = await records.callers(NOW - 60, 10)
        assert (alice.calls, alice.permitted, alice.last_at, alice.call_id) == (2, 2, NOW, "c")
        assert (alice.person, alice.server, alice.tool) == ("alice", "warehouse", "run_query")
        assert (bob.principal, bob.calls, bob.permitted, bob.tool) == ("bob", 1, 0, "drop")
        assert [each.calls for each in await records.callers(0, 10)] == [3, 1]
        assert len(await records.callers(0, 1)) == 1

    run(story)


def test_calls_are_found_by_who_where_and_what_was_decided(run: Run) -> None:
    async def story(database: Database) -> None:
        facts, records, writer = DatabaseFacts(database), DatabaseRecords(database), Writer()
        await take_facts("server-warehouse", writer.lines(started("old"), at=NOW - 90_000), facts)
        await take_facts("server-warehouse", writer.lines(started("a"), finished("a"), at=NOW), facts)
        now = writer.lines(refused("r"), refused("w", "approval_required"), started("l"), CallLost("l"), at=NOW + 1)
        await take_facts("server-warehouse", now, facts)
        everything = await records.calls(Filter(since=0))
        assert [call.call_id for call in everything] == ["w", "r", "l", "a", "old"]
        assert {call.call_id: (call.decision, call.outcome) for call in everything} == {
            "w": ("ask", "approval_required"),
            "r": ("refuse", "unknown-tool"),
            "l": ("permit", "lost"),
            "a": ("permit", "ok"),
            "old": ("permit", "running"),
        }
        assert [call.call_id for call in await records.calls(Filter(since=NOW - 5, principal="alice"))] == ["l", "a"]
        assert [call.call_id for call in await records.calls(Filter(since=0, principal="Alice"))] == []
        assert [call.call_id for call in await records.calls(Filter(since=0, decision="refuse"))] == ["r"]
        assert [call.call_id for call in await records.calls(Filter(since=0, tool="drop", limit=1))] == ["w"]
        assert [call.call_id for call in await records.calls(Filter(since=0, server="nowhere"))] == []
        for place, call in enumerate(everything):
            rest = await records.calls(Filter(since=0, before=(call.at, call.call_id)))
            assert rest == everything[place + 1 :]
        assert await records.call("nothing") is None
        assert await records.calls_by_server(NOW - 5) == {"warehouse": 4}
        days = await records.by_day(0)
        assert days[-1] == DayOfCalls("2026-11-18", calls=2, succeeded=1, refused=1)

    run(story)


def test_repeats_within_a_minute_and_failures_save_no_time(run: Run) -> None:
    async def story(database: Database) -> None:
        facts, records, writer = DatabaseFacts(database), DatabaseRecords(database), Writer()

        async def call(call_id: str, at: float, outcome: str = "ok", **what: object) -> None:
            lines = writer.lines(started(call_id, **what), finished(call_id, outcome), at=at)  # type: ignore[arg-type]
            await take_facts("server-warehouse", lines, facts)

        await call("1", NOW)
        await call("2", NOW + 59)
        await call("3", NOW + 119)
        await call("4", NOW + 119, person="bob")
        await call("5", NOW + 119, digest="other")
        await call("6", NOW + 300, outcome="tool_error")
        await call("7", NOW + 301, minutes=9)
        assert list(await records.uses(0)) == [
            ToolUse("warehouse", "run_query", 6.0, calls=6, succeeded=4, users=2),
            ToolUse("warehouse", "run_query", 9.0, calls=1, succeeded=1, users=1),
        ]
        # The period begins after a first call: its repeat is one still.
        assert [use.succeeded for use in await records.uses(NOW + 30)] == [3, 1]
        assert await records.active_users(0) == 2
        assert await records.use_of("warehouse", 0) == ServerUse(7, 2, Saved(33.0, counted=5), NOW + 301, 21)
        assert await records.use_of("warehouse", NOW + 30) == ServerUse(6, 2, Saved(27.0, counted=4), NOW + 301, 18)
        assert await records.pace_of("warehouse", 0) == Pace(7, 6, 1.5)
        assert await records.pace_of("warehouse", NOW + 9999) == await records.pace_of("time", 0) == Pace(0, 0, None)
        assert await records.use_of("time", 0) == await records.use_of("warehouse", NOW + 9999) == NEVER_USED
        assert list(await records.uses(NOW + 9999)) == []
        assert await records.active_users(NOW + 9999) == 0

    run(story)


def test_the_registry_chains_its_own_facts_and_the_chain_is_checked_as_it_grows(run: Run) -> None:
    async def story(database: Database) -> None:
        audit, records = DatabaseAudit(database, MemoryClock(NOW)), DatabaseRecords(database)
        await asyncio.gather(*(audit.record(PolicyPublished(number, "d", "x")) for number in range(8)))
        assert asdict(await records.chain()) == {"records": 8, "verified_to": NOW, "broken": ""}
        await take_facts("gateway", Writer().lines(started("a"), at=NOW + 5), DatabaseFacts(database))
        await audit.record(PolicyPublished(9, "d", "x"))
        assert asdict(await records.chain()) == {"records": 10, "verified_to": NOW + 5, "broken": ""}

    run(story)


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        ("UPDATE facts SET line = (SELECT line FROM facts WHERE sequence = 3) WHERE sequence = 2", "record 2"),
        ("DELETE FROM facts WHERE sequence = 2", "record 3"),
        ("DELETE FROM facts WHERE sequence >= 3", "records after 2 are missing"),
    ],
)
def test_a_changed_database_is_found_and_the_record_named(run: Run, damage: str, says: str) -> None:
    async def story(database: Database) -> None:
        audit = DatabaseAudit(database, MemoryClock(NOW))
        for number in range(4):
            await audit.record(PolicyPublished(number, "d", "x"))
        async with database.writing() as connection:
            await connection.execute(text(damage))
        records = DatabaseRecords(database)
        assert says in (await records.chain()).broken
        assert says in (await records.chain()).broken

    run(story)


def test_a_record_that_cannot_be_written_is_refused(run: Run) -> None:
    async def story(database: Database) -> None:
        audit = DatabaseAudit(database, MemoryClock(NOW))
        async with database.writing() as connection:
            await connection.execute(text("DROP TABLE facts"))
        with pytest.raises(RecordFailed):
            await audit.record(PolicyPublished(1, "d", "x"))

    run(story)


def test_a_revision_is_published_once_and_with_its_fact(run: Run) -> None:
    async def story(database: Database) -> None:
        policies = DatabasePolicies(database)
        assert await policies.latest() is None
        results = await asyncio.gather(
            *(
                policies.publish(Revision(1, f"d{n}", "{}"), NOW, "x", PolicyPublished(1, f"d{n}", "x"))
                for n in range(3)
            ),
            return_exceptions=True,
        )
        assert sorted(type(result).__name__ for result in results) == ["Conflict", "Conflict", "NoneType"]
        assert len(await DatabaseFacts(database).lines(("", 0), 10)) == 1
        await policies.publish(Revision(2, "é", '{"a":"é"}'), NOW, "x", PolicyPublished(2, "é", "x"))
        assert await policies.latest() == Revision(2, "é", '{"a":"é"}')

    run(story)


def test_a_manifest_and_a_state_replace_the_one_before(run: Run) -> None:
    async def story(database: Database) -> None:
        manifests, states = DatabaseManifests(database), DatabaseStates(database)
        tool = Tool(
            "t", "", parse_who("everyone"), Effect.READ, Approval.NONE, Minutes.estimate(1), {"type": "object"}, {}
        )
        fact = PolicyPublished(1, "d", "x")
        for version in ("1", "2"):
            await manifests.keep("warehouse", Manifest(version, "☕", "http://127.0.0.1:1/mcp", (tool,)), NOW, fact)
            await states.keep_state("warehouse", "running", version, NOW, fact)
        assert await manifests.all() == {"warehouse": Manifest("2", "☕", "http://127.0.0.1:1/mcp", (tool,))}
        assert await states.states() == {"warehouse": ProcessState("running", "2", NOW)}

    run(story)


CLIENT = Client("c1", "Editor", ("http://127.0.0.1/callback", "http://localhost/é"), "none", "", NOW)


def test_a_code_is_spent_once_even_by_two_at_once(run: Run) -> None:
    async def story(database: Database) -> None:
        store = DatabaseSignIn(database)
        code = Code("digest", "family", "c1", "http://127.0.0.1/callback", "challenge", "alice", "r", NOW + 60, "s t")
        await store.add_code(code)
        spent = await asyncio.gather(*(store.spend_code("digest", NOW) for _ in range(4)))
        assert sorted(result.again for result in spent if result) == [False, True, True, True]
        assert all(result and result.code == code for result in spent)
        assert await store.spend_code("unknown", NOW) is None

    run(story)


def test_a_refresh_token_remembers_when_it_was_first_spent_and_that_its_family_ended(run: Run) -> None:
    async def story(database: Database) -> None:
        store = DatabaseSignIn(database)
        token = RefreshToken("digest", "family", "c1", "alice", "r", NOW + 1000, "s t")
        await store.add_refresh_token(token)
        first = await store.spend_refresh_token("digest", NOW)
        again = await store.spend_refresh_token("digest", NOW + 5)
        assert first is not None
        assert again is not None
        assert (first.token, first.first_spent_at, first.is_revoked) == (token, NOW, False)
        assert (again.first_spent_at, again.is_revoked) == (NOW, False)
        assert await store.revoke_family("family", NOW)
        assert not await store.revoke_family("family", NOW)
        await store.add_refresh_token(RefreshToken("later", "family", "c1", "alice", "r", NOW + 1000))
        later = await store.spend_refresh_token("later", NOW)
        assert later is not None
        assert later.is_revoked
        assert await store.spend_refresh_token("unknown", NOW) is None

    run(story)


def test_people_of_a_provider_are_kept_anew_at_each_sign_in(run: Run) -> None:
    async def story(database: Database) -> None:
        store = DatabasePeople(database, MemoryClock(NOW))
        first = SignedIn("alice", "https://login.example", frozenset({"ads"}), NOW)
        other = SignedIn("alice", "https://other.example", frozenset(), NOW + 5)
        again = SignedIn("alice", "https://login.example", frozenset({"data-eng", "é"}), NOW + 9)
        for person in (first, other, again):
            await store.keep(person, NOW - 100)
        assert (await store.signed_in("https://login.example", 0))[1] == [again]
        await store.keep(SignedIn("bob", "https://login.example", frozenset(), NOW + 20), NOW + 10)
        assert [person.name for person in (await store.signed_in("https://login.example", 0))[1]] == ["bob"]
        assert (await store.signed_in("https://other.example", 0))[1] == []

    run(story)


def test_only_clients_that_nothing_belongs_to_are_dropped(run: Run) -> None:
    async def story(database: Database) -> None:
        store = DatabaseSignIn(database)
        for name in ("c1", "c2", "c3"):
            await store.add_client(Client(**{**asdict(CLIENT), "id": name}))
        assert await store.client("c1") == CLIENT
        assert await store.client("nobody") is None
        await store.add_code(Code("d", "f", "c2", "u", "x", "alice", "r", NOW))
        assert await store.drop_idle_clients(NOW) == 0
        assert await store.drop_idle_clients(NOW + 1) == 2
        assert await store.client("c2") is not None

    run(story)


def test_a_second_start_keeps_everything(run: Run) -> None:
    async def first(database: Database) -> None:
        await DatabaseSignIn(database).add_client(CLIENT)

    async def second(database: Database) -> None:
        assert await DatabaseSignIn(database).client("c1") == CLIENT
        assert await database.is_reachable()

    run(first)
    run(second)


def test_two_registries_that_start_at_once_make_one_schema(url: str) -> None:
    async def story() -> None:
        for database in await asyncio.gather(*(open_database(url) for _ in range(3))):
            await database.close()

    asyncio.run(story())


def test_a_newer_database_is_refused(run: Run, url: str) -> None:
    async def story(database: Database) -> None:
        async with database.writing() as connection:
            await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))

    run(story)
    with pytest.raises(Misconfigured, match="9999") as newer:
        run(story)
    assert newer.value.code == "database-newer"


def test_the_migrations_make_the_tables_that_the_program_names(run: Run) -> None:
    def differences(connection: Connection) -> list[object]:
        return compare_metadata(MigrationContext.configure(connection), METADATA)

    async def story(database: Database) -> None:
        async with database.reading() as connection:
            assert await connection.run_sync(differences) == []

    run(story)


def _as_counted_by_an_older_program(connection: Connection) -> None:
    METADATA.drop_all(connection)
    connection.execute(text("DROP TABLE alembic_version"))
    migrate(connection, "0001")
    connection.execute(text("DROP TABLE alembic_version"))
    connection.execute(text("CREATE TABLE schema_version (version INTEGER PRIMARY KEY)"))
    connection.execute(text("INSERT INTO schema_version VALUES (1)"))


def test_a_database_counted_by_an_older_program_is_taken_over(run: Run) -> None:
    async def story(database: Database) -> None:
        async with database.writing() as connection:
            await connection.run_sync(_as_counted_by_an_older_program)
            assert await connection.run_sync(revision_of) == "0001"
            await connection.run_sync(migrate)
            assert await connection.run_sync(pending) == []
            counted = await connection.execute(text("SELECT version FROM schema_version"))
            assert counted.scalar_one() > 2, "an older program must refuse it"
        facts, writer = DatabaseFacts(database), Writer()
        ended = CallFinished("a", "ok", "", 10, 1.5, {"tables": ["orders"]})
        await take_facts("server-warehouse", writer.lines(started("a"), ended), facts)
        found = await DatabaseRecords(database).call("a")
        assert found is not None
        assert found.details == {"tables": ["orders"]}

    run(story)


@pytest.mark.parametrize("address", ["mysql://x", "rubbish", "sqlite:////nowhere/at/all.db"])
def test_a_database_that_cannot_be_opened_says_so(address: str) -> None:
    with pytest.raises(Misconfigured) as failed:
        asyncio.run(open_database(address))
    assert failed.value.code in {"database-url", "database-unreachable"}


def test_sqlite_syncs_every_commit(tmp_path: Path) -> None:
    async def story() -> tuple[object, object]:
        database = await open_database(f"sqlite:///{tmp_path}/pierhead.db")
        async with database.writing() as connection:
            synchronous = (await connection.execute(text("PRAGMA synchronous"))).scalar_one()
            mode = (await connection.execute(text("PRAGMA journal_mode"))).scalar_one()
        await database.close()
        return synchronous, mode

    assert asyncio.run(story()) == (2, "wal")


def probe(server: str = "time", at: float = NOW, condition: Condition = Condition.UP) -> Probe:
    return Probe(server, "1", at, condition, 2.5, "café ☕", "d", is_as_published=True, dependencies=())


def test_health_is_kept_with_its_fact_and_reads_unknown_when_nobody_looks(run: Run) -> None:
    async def story(database: Database) -> None:
        clock = MemoryClock(NOW)
        healths = DatabaseHealths(database, clock, quiet_s=90)
        assert await healths.health("time") is None
        await healths.keep([], [], NOW)
        down = judge(None, probe(condition=Condition.DOWN))
        fact = ServerHealthChanged("time", "1", "up", "down", "away")
        await healths.keep([down, judge(None, probe("other"))], [fact], NOW)
        assert await healths.health("time") == down
        assert set(await healths.healths()) == {"time", "other"}
        assert set(await healths.healths_of(["time", "nobody"])) == {"time"}
        assert await healths.healths_of([]) == {}
        (kept,) = await DatabaseFacts(database).lines(("", 0), 10)
        assert b"server-health-changed" in kept.line
        clock.seconds += 91
        assert {health.condition for health in (await healths.healths()).values()} == {Condition.UNKNOWN}

    run(story)


def test_the_history_of_looks_is_a_ring(run: Run) -> None:
    async def story(database: Database) -> None:
        healths = DatabaseHealths(database, MemoryClock(NOW), quiet_s=90)
        known = None
        for place in range(PROBES_KEPT + 10):
            known = judge(known, probe(at=NOW + place))
            await healths.keep([known], [], NOW)
        looks = await healths.probes("time", PROBES_KEPT + 100)
        assert [look.at for look in looks] == [NOW + PROBES_KEPT + 9 - place for place in range(PROBES_KEPT)]
        assert len(await healths.probes("time", 3)) == 3
        assert await healths.probes("other", 3) == []

    run(story)
