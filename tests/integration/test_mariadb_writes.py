"""Writes that only MariaDB does so: what has no rollback, what has no key, upserts that reach no further, time."""

import asyncio
import time
from collections.abc import Mapping
from typing import Any

import pytest
from tests.integration.sql_ledgers import CALLER, WRITES, Governed, MariadbLedger, state

from pierhead.core.errors import Conflict, Forbidden, Invalid, PierheadError, ToolTimedOut
from pierhead.core.identity import Caller, User
from pierhead.sdk.governed.engine import Limits
from pierhead.sdk.governed.transactions import OutcomeUnknown, WritingEngine
from pierhead.sdk.sqlguard import GovernedWrite, PermittedTable
from pierhead.servers.sql.grammar_faucet import parse_filter_text
from pierhead.servers.sql.writes import DeleteRequest, InsertRequest, KeyedRequest, UpdateRequest, WriteOptions

pytestmark = [pytest.mark.slow, pytest.mark.anyio]

RETURNING = WriteOptions(returning=True)


@pytest.fixture
def ledger(mariadb_url: str) -> MariadbLedger:
    return MariadbLedger.load(mariadb_url)


def role(table: str, **more: Any) -> Mapping[str, Any]:
    return {"clerk": {"approval": "none", "tables": {table: {"operations": WRITES} | more}}}


def insert(table: str, *rows: Mapping[str, Any], **more: Any) -> InsertRequest:
    return InsertRequest(table, rows, options=RETURNING, **more)


def _one_line(sql: str) -> GovernedWrite:
    target = PermittedTable("ledger", "lines", ())
    return GovernedWrite(sql, "update", target, frozenset(), frozenset({"note"}), frozenset({"account"}))


async def refused(kind: type[PierheadError], code: str, call: Any) -> None:
    with pytest.raises(kind) as raised:
        await call
    assert raised.value.code == code


@pytest.mark.parametrize("storage", ["MyISAM", "Aria", "MEMORY"])
async def test_a_table_that_a_rollback_would_leave_changed_is_not_written(ledger: MariadbLedger, storage: str) -> None:
    ledger.run(
        f"CREATE TABLE kept (id integer PRIMARY KEY, n integer) ENGINE = {storage}; INSERT INTO kept VALUES (1, 1)"
    )
    async with Governed(ledger, role("kept")) as governed:
        where = parse_filter_text("id = 1")
        for call in (
            governed.insert(CALLER, insert("kept", {"id": 2, "n": 2})),
            governed.update(CALLER, UpdateRequest("kept", {"n": 2}, where)),
            governed.delete(CALLER, DeleteRequest("kept", where)),
        ):
            await refused(Invalid, "not-on-this-engine", call)
    assert ledger.rows("SELECT * FROM kept") == [("1", "1")]


async def test_a_table_without_a_primary_key_is_not_written(ledger: MariadbLedger) -> None:
    ledger.run("CREATE TABLE loose (n integer); CREATE TABLE own (id uuid DEFAULT uuid() PRIMARY KEY, n integer)")
    async with Governed(ledger, role("loose")) as governed:
        await refused(Invalid, "no-key", governed.insert(CALLER, insert("loose", {"n": 1})))
    async with Governed(ledger, role("own")) as governed:
        await refused(Invalid, "key-needed", governed.insert(CALLER, insert("own", {"n": 1})))
    assert ledger.rows("SELECT n FROM loose UNION SELECT n FROM own") == []


async def test_an_upsert_never_changes_a_row_of_another_key(ledger: MariadbLedger) -> None:
    """As ON DUPLICATE KEY UPDATE would: it takes a conflict in `note` for one in the primary key."""
    before = state(ledger)
    other = {"account": 9, "line": 9, "note": "a"}
    async with Governed(ledger) as governed:
        await refused(
            Conflict, "unique-violation", governed.insert(CALLER, insert("lines", other, on_conflict="merge"))
        )
        keyed = insert("lines", other, on_conflict="ignore", conflict_columns=("account", "line"))
        await refused(Conflict, "unique-violation", governed.insert(CALLER, keyed))
        assert state(ledger) == before
        assert (await governed.insert(CALLER, insert("lines", other, on_conflict="ignore"))).affected == 0
        broken = insert("accounts", {"id": 9, "name": "x", "balance": -1}, on_conflict="ignore")
        await refused(Invalid, "check-violation", governed.insert(CALLER, broken))
    assert state(ledger) == before


async def test_an_upsert_leaves_rows_of_others_alone(ledger: MariadbLedger) -> None:
    before = state(ledger)
    async with Governed(ledger, role("accounts", rows="city.eq.Bern")) as governed:
        strangers = {"id": 1, "name": "mine now", "city": "Bern"}
        merge = insert("accounts", strangers, on_conflict="merge")
        await refused(Conflict, "unique-violation", governed.insert(CALLER, merge))
        moved = UpdateRequest("accounts", {"city": "Cork"}, parse_filter_text("id = 2"))
        await refused(Forbidden, "outside-row-rule", governed.update(CALLER, moved))
        unseen = UpdateRequest("accounts", {"name": "x"}, parse_filter_text("id = 1"))
        assert (await governed.update(CALLER, unseen)).affected == 0
    assert state(ledger) == before


async def test_a_key_that_is_changed_is_read_back_and_zero_is_a_key(ledger: MariadbLedger) -> None:
    async with Governed(ledger) as governed:
        moved = UpdateRequest("lines", {"line": 7}, parse_filter_text("account = 2"), RETURNING)
        assert (await governed.update(CALLER, moved)).keys == [[2, 7]]
        rows = ({"id": 0, "name": "zero"}, {"name": "next"}, {"id": None, "name": "after"})
        written = await governed.insert(CALLER, insert("accounts", *rows, missing="null"))
        assert written.keys == [[0], [5], [6]]
        many = [{"account": 400 - number, "line": 1, "note": f"m{number}"} for number in range(250)]
        assert [key[0] for key in (await governed.insert(CALLER, insert("lines", *many))).keys] == [
            row["account"] for row in many
        ]


async def test_a_trigger_that_gives_another_key_undoes_the_insert(ledger: MariadbLedger) -> None:
    ledger.run("CREATE TRIGGER another BEFORE INSERT ON lines FOR EACH ROW SET new.line = new.line + 100")
    before = state(ledger)
    async with Governed(ledger) as governed:
        row = {"account": 5, "line": 5, "note": "z"}
        await refused(Conflict, "write-conflict", governed.insert(CALLER, insert("lines", row)))
    assert state(ledger) == before


async def test_a_write_that_takes_too_long_is_ended_in_the_server(ledger: MariadbLedger) -> None:
    before = state(ledger)
    async with Governed(ledger) as governed:
        assert isinstance(governed.engine, WritingEngine)
        view = governed.source.ground.roles["clerk"].view
        slow = _one_line("UPDATE `ledger`.`lines` SET note = concat('slow', sleep(30)) WHERE account = 1")
        began = time.monotonic()
        with pytest.raises(ToolTimedOut):
            async with governed.engine.transaction(view, Limits(10, 0.5)) as transaction:
                await transaction.execute(slow, {})
        assert time.monotonic() - began < 10
        # Locks are waited for 2 s: had the statement gone on, these rows would not be had.
        after = KeyedRequest("lines", [{"account": 1, "line": 1, "note": "free"}])
        assert (await governed.update_keyed(CALLER, after)).affected == 1
    ledger.run("UPDATE lines SET note = 'a' WHERE account = 1 AND line = 1")
    assert state(ledger) == before


async def test_rows_that_another_writer_holds_are_not_waited_for_long(ledger: MariadbLedger) -> None:
    async with Governed(ledger) as holder, Governed(ledger) as governed:
        assert isinstance(holder.engine, WritingEngine)
        view = holder.source.ground.roles["clerk"].view
        async with holder.engine.transaction(view, Limits(10, 20.0)) as transaction:
            await transaction.execute(_one_line("UPDATE `ledger`.`lines` SET note = 'held' WHERE account = 2"), {})
            gone = DeleteRequest("lines", parse_filter_text("account = 2"))
            await refused(ToolTimedOut, "locked", governed.delete(CALLER, gone))


async def test_a_session_that_is_lost_before_the_commit_leaves_the_outcome_unknown(ledger: MariadbLedger) -> None:
    before = state(ledger)
    async with Governed(ledger) as governed:
        assert isinstance(governed.engine, WritingEngine)
        view = governed.source.ground.roles["clerk"].view
        async with governed.engine.transaction(view, Limits(10, 10.0)) as transaction:
            await transaction.execute(_one_line("UPDATE `ledger`.`lines` SET note = 'lost' WHERE account = 2"), {})
            ids = ledger.rows("SELECT trx_mysql_thread_id FROM information_schema.innodb_trx")
            ledger.run(f"KILL {ids[0][0]}")
            with pytest.raises(OutcomeUnknown):
                await transaction.commit()
        assert state(ledger) == before
        assert (await governed.insert(CALLER, insert("lines", {"account": 6, "line": 6}))).affected == 1


async def test_reading_sessions_still_write_nothing(ledger: MariadbLedger) -> None:
    async with Governed(ledger) as governed:
        engine: Any = governed.engine
        async with engine._sessions.session() as session:
            with pytest.raises(Exception, match="READ ONLY"):
                await session.run("DELETE FROM `ledger`.`lines`")


BOB = Caller(User("https://memory.example", "bob", frozenset({"clerks"})), "ide", "test", "call-2")


async def test_of_two_upserts_of_one_new_key_none_is_lost(ledger: MariadbLedger) -> None:
    async with Governed(ledger) as governed:
        asked = [insert("lines", {"account": 8, "line": 8, "note": note}, on_conflict="merge") for note in ("x", "y")]
        calls = (governed.insert(caller, each) for caller, each in zip((CALLER, BOB), asked, strict=True))
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
    lost = [each.code for each in outcomes if isinstance(each, PierheadError)]
    assert set(lost) <= {"unique-violation", "write-conflict"}
    assert len(lost) < 2
    assert len(ledger.rows("SELECT * FROM lines WHERE account = 8")) == 1
