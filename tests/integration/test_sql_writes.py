"""Writes on real engines: what lasts, what is undone, and what a caller is told.

Each test has a ledger of its own, and looks at it past the product, after the product has let go of it.
"""

import asyncio
import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from sqlglot import exp
from tests.integration.sql_ledgers import (
    CALLER,
    CLERK,
    ODD,
    WRITES,
    DuckdbLedger,
    Governed,
    Ledger,
    MariadbLedger,
    PostgresLedger,
    SqliteLedger,
    state,
)

from pierhead.core.errors import Conflict, Forbidden, Invalid, Misconfigured, NotFound, PierheadError, ToolTimedOut
from pierhead.core.identity import Caller, User
from pierhead.sdk.governed.engine import LONGEST_VALUE, Limits, SecondOpinionDiffers
from pierhead.sdk.governed.policy import parse_policy
from pierhead.sdk.governed.source import Source
from pierhead.sdk.governed.transactions import OutcomeUnknown, WritingEngine
from pierhead.sdk.sqlguard import GovernedWrite, PermittedTable, View, finished, permitted_subquery
from pierhead.servers.sql.engines.sqlite import SqliteEngine
from pierhead.servers.sql.etags import etag
from pierhead.servers.sql.grammar_faucet import parse_filter_text
from pierhead.servers.sql.writes import (
    DeleteRequest,
    InsertRequest,
    KeyedRequest,
    UpdateRequest,
    WriteOptions,
    Written,
)

pytestmark = [pytest.mark.slow, pytest.mark.anyio]

RETURNING = WriteOptions(returning=True)


@pytest.fixture(params=["sqlite", "duckdb", "postgres", "mariadb"])
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ledger]:
    if request.param == "postgres":
        yield PostgresLedger.load(request.getfixturevalue("postgres_url"))
    elif request.param == "mariadb":
        yield MariadbLedger.load(request.getfixturevalue("mariadb_url"))
    else:
        yield {"sqlite": SqliteLedger, "duckdb": DuckdbLedger}[request.param].load(tmp_path)


def insert(table: str, *rows: Mapping[str, Any], options: WriteOptions = RETURNING, **more: Any) -> InsertRequest:
    return InsertRequest(table, rows, options=options, **more)


def update(table: str, changes: Mapping[str, Any], where: str, options: WriteOptions = RETURNING) -> UpdateRequest:
    return UpdateRequest(table, changes, parse_filter_text(where), options)


def delete(table: str, where: str, options: WriteOptions = RETURNING) -> DeleteRequest:
    return DeleteRequest(table, parse_filter_text(where), options)


def named(written: Written) -> list[dict[str, Any]]:
    """The rows that came back, by column."""
    names = [name for name, _ in written.columns]
    return [dict(zip(names, row, strict=True)) for row in written.rows or []]


async def refused(kind: type[PierheadError], code: str, call: Any) -> PierheadError:
    with pytest.raises(kind) as raised:
        await call
    assert raised.value.code == code
    return raised.value


def named_in_sql(ledger: Ledger) -> str:
    """The table `lines`, whose name is a word of MariaDB's grammar."""
    return "`lines`" if isinstance(ledger, MariadbLedger) else "lines"


def role(**tables: Any) -> Mapping[str, Any]:
    return {"clerk": {"approval": "none", "tables": tables}}


async def test_inserted_rows_come_back_with_their_defaults_and_without_hidden_columns(ledger: Ledger) -> None:
    async with Governed(ledger) as governed:
        written = await governed.insert(
            CALLER,
            insert("accounts", {"name": "five", "balance": "1.50", "opened": "2026-01-02"}, {"name": "six"}),
        )
    assert (written.affected, written.created, written.key_columns, written.keys) == (2, 2, ("id",), [[5], [6]])
    first, second = named(written)
    assert (first["name"], float(first["balance"]), first["opened"]) == ("five", 1.5, "2026-01-02")
    assert float(second["balance"]) == 0.0  # a column left out takes its default
    assert "secret" not in first
    assert [str(row[0]) for row in ledger.rows("SELECT name FROM accounts WHERE id > 4 ORDER BY id")] == ["five", "six"]


async def test_a_column_that_other_rows_have_is_null_where_that_is_asked(ledger: Ledger) -> None:
    async with Governed(ledger) as governed:
        rows = ({"name": "a", "balance": 3}, {"name": "b"})
        written = await governed.insert(CALLER, insert("accounts", *rows, missing="null"))
    assert [row["balance"] is None for row in named(written)] == [False, True]


async def test_a_bulk_is_all_or_none(ledger: Ledger) -> None:
    before = state(ledger)
    rows = [{"account": 100 + number, "line": number, "note": f"n{number}"} for number in range(1200)]
    async with Governed(ledger) as governed:
        await refused(Conflict, "unique-violation", governed.insert(CALLER, insert("lines", *rows, rows[0])))
    assert state(ledger) == before
    async with Governed(ledger) as governed:
        written = await governed.insert(CALLER, insert("lines", *rows, options=WriteOptions()))
    assert (written.affected, written.rows) == (1200, None)
    assert [int(row[0]) for row in ledger.rows("SELECT count(*) FROM lines WHERE account >= 100")] == [1200]


async def test_an_upsert_merges_or_ignores_by_its_key(ledger: Ledger) -> None:
    rows = ({"account": 1, "line": 1, "note": "new"}, {"account": 9, "line": 9, "note": "nine"})
    async with Governed(ledger) as governed:
        ignored = await governed.insert(CALLER, insert("lines", *rows, on_conflict="ignore"))
        assert (ignored.affected, ignored.keys) == (1, [[9, 9]])
        merged = await governed.insert(CALLER, insert("lines", *rows, on_conflict="merge"))
        assert [row["note"] for row in named(merged)] == ["new", "nine"]
        by_note = {"account": 3, "line": 3, "note": "nine"}
        other = insert("lines", by_note, on_conflict="ignore", conflict_columns=("note",))
        assert (await governed.insert(CALLER, other)).affected == 0
        wrong = insert("lines", by_note, on_conflict="merge", conflict_columns=("line",))
        await refused(Invalid, "bad-conflict", governed.insert(CALLER, wrong))
    assert [str(row[0]) for row in ledger.rows("SELECT note FROM lines ORDER BY note")] == ["b", "c", "new", "nine"]


async def test_an_update_changes_what_the_filter_finds_and_nothing_else(ledger: Ledger) -> None:
    async with Governed(ledger) as governed:
        written = await governed.update(CALLER, update("accounts", {"balance": 5}, "city = 'Bern'"))
        assert sorted(row["id"] for row in named(written)) == [2, 3]
        none = await governed.update(CALLER, update("accounts", {"balance": 5}, "city = 'nowhere'"))
        assert (none.affected, none.rows) == (0, [])
    balances = ledger.rows("SELECT balance FROM accounts ORDER BY id")
    assert [float(row[0]) for row in balances] == [10.0, 5.0, 5.0, 40.0]


async def test_a_write_that_would_affect_too_many_rows_changes_none(ledger: Ledger) -> None:
    before = state(ledger)
    few = WriteOptions(max_affected=2)
    async with Governed(ledger) as governed:
        for call in (
            governed.update(CALLER, update("accounts", {"balance": 1}, "id > 0", few)),
            governed.delete(CALLER, delete("lines", "account > 0", few)),
        ):
            await refused(Conflict, "too-many-affected", call)
    assert state(ledger) == before


async def test_a_filter_is_needed(ledger: Ledger) -> None:
    before = state(ledger)
    async with Governed(ledger) as governed:
        await refused(Invalid, "bad-filter", governed.update(CALLER, UpdateRequest("accounts", {"balance": 1}, None)))
        await refused(Invalid, "bad-filter", governed.delete(CALLER, DeleteRequest("lines", None)))
        await refused(Invalid, "nothing-to-write", governed.update(CALLER, update("accounts", {}, "id = 1")))
        await refused(Invalid, "nothing-to-write", governed.insert(CALLER, insert("lines")))
    assert state(ledger) == before


async def test_a_preview_tells_what_would_be_and_leaves_everything_as_it_was(ledger: Ledger) -> None:
    before = state(ledger)
    preview = WriteOptions(dry_run=True)
    many = [{"account": 200, "line": number, "note": f"p{number}"} for number in range(40)]
    async with Governed(ledger) as governed:
        inserted = await governed.insert(CALLER, insert("lines", *many, options=preview))
        assert (inserted.affected, len(inserted.rows or []), inserted.dry_run) == (40, 10, True)
        updated = await governed.update(CALLER, update("accounts", {"balance": 5}, "city = 'Bern'", preview))
        assert (updated.affected, [float(row["balance"]) for row in named(updated)]) == (2, [5.0, 5.0])
        deleted = await governed.delete(CALLER, delete("lines", "account = 1", preview))
        assert (deleted.affected, sorted(deleted.keys)) == (2, [[1, 1], [1, 2]])
        keyed = KeyedRequest("lines", [{"account": 1, "line": 1, "note": "z"}], options=preview)
        assert (await governed.update_keyed(CALLER, keyed)).affected == 1
    assert state(ledger) == before


async def test_keyed_rows_are_updated_each_by_its_composite_key(ledger: Ledger) -> None:
    rows = [{"account": 1, "line": 2, "note": "x"}, {"account": 2, "line": 1, "note": "y"}]
    async with Governed(ledger) as governed:
        written = await governed.update_keyed(CALLER, KeyedRequest("lines", rows, options=RETURNING))
        assert (written.affected, written.keys) == (2, [[1, 2], [2, 1]])
        put = [{"account": 1, "line": 2, "note": "p"}, {"account": 7, "line": 7, "note": "q"}]
        written = await governed.update_keyed(CALLER, KeyedRequest("lines", put, insert_missing=True))
        assert (written.affected, written.created) == (2, 1)
        no_key = KeyedRequest("lines", [{"account": 1, "note": "x"}])
        await refused(Invalid, "key-needed", governed.update_keyed(CALLER, no_key))
    before = state(ledger)
    async with Governed(ledger) as governed:
        half = [{"account": 1, "line": 1, "note": "changed"}, {"account": 8, "line": 8, "note": "missing"}]
        await refused(NotFound, "no-such-row", governed.update_keyed(CALLER, KeyedRequest("lines", half)))
    assert state(ledger) == before


async def test_of_two_writers_with_the_same_etag_one_wins(ledger: Ledger) -> None:
    async with Governed(ledger) as governed:
        read = await governed.update(CALLER, update("accounts", {"balance": 1}, "id = 1"))
        tagged = [
            update("accounts", {"balance": balance}, "id = 1", WriteOptions(if_match=read.etag)) for balance in (2, 3)
        ]
        outcomes = await asyncio.gather(*(governed.update(CALLER, each) for each in tagged), return_exceptions=True)
        lost = [each for each in outcomes if isinstance(each, PierheadError)]
        assert [each.code for each in lost] == ["precondition-failed"]
        won = next(each for each in outcomes if isinstance(each, Written))
        stale = delete("accounts", "id = 1", WriteOptions(if_match=read.etag))
        await refused(Invalid, "precondition-failed", governed.delete(CALLER, stale))
        several = update("accounts", {"balance": 2}, "id > 0", WriteOptions(if_match=won.etag))
        await refused(Invalid, "bad-if-match", governed.update(CALLER, several))
        gone = update("accounts", {"balance": 2}, "id = 99", WriteOptions(if_match="*"))
        await refused(Invalid, "precondition-failed", governed.update(CALLER, gone))
        assert (await governed.delete(CALLER, delete("lines", "account = 2", WriteOptions(if_match="*")))).affected == 1


async def test_a_role_may_have_to_send_an_etag(ledger: Ledger) -> None:
    roles = role(accounts={"operations": ["read", "update"], "require_if_match": True})
    async with Governed(ledger, roles) as governed:
        blind = update("accounts", {"balance": 5}, "id = 1")
        await refused(Invalid, "precondition-required", governed.update(CALLER, blind))
        known = update("accounts", {"balance": 5}, "id = 1", WriteOptions(if_match="*"))
        assert (await governed.update(CALLER, known)).affected == 1


async def test_a_hidden_column_changes_no_etag_and_a_visible_one_does(ledger: Ledger) -> None:
    async with Governed(ledger) as governed:
        first = (await governed.update(CALLER, update("accounts", {"balance": 1}, "id = 1"))).etag
    ledger.run("UPDATE accounts SET secret = 'another canary' WHERE id = 1")
    async with Governed(ledger) as governed:
        assert (await governed.update(CALLER, update("accounts", {"balance": 1}, "id = 1"))).etag == first
        assert (await governed.update(CALLER, update("accounts", {"balance": 2}, "id = 1"))).etag != first


async def test_only_named_columns_are_written(ledger: Ledger) -> None:
    roles = role(accounts={"operations": WRITES, "columns": {"exclude": ["secret"], "write": ["city", "secret"]}})
    before = state(ledger)
    async with Governed(ledger, roles) as governed:
        for changes, code in (({"balance": 1}, "not-writable"), ({"secret": "x"}, "unknown-column")):
            fault = await refused(Invalid, code, governed.update(CALLER, update("accounts", changes, "id = 1")))
            assert fault.hint == "you may write city"
        row = {"name": "x", "city": "Cork"}
        await refused(Invalid, "not-writable", governed.insert(CALLER, insert("accounts", row)))
        masked = role(accounts={"operations": WRITES, "columns": {"mask": {"name": "last4"}}})
    assert state(ledger) == before
    async with Governed(ledger, masked) as governed:
        changed = update("accounts", {"name": "x"}, "id = 1")
        await refused(Invalid, "not-writable", governed.update(CALLER, changed))
        told = named(await governed.update(CALLER, update("accounts", {"balance": 2}, "id = 3")))
        assert told[0]["name"] == "****hree"


async def test_a_role_writes_only_what_it_says(ledger: Ledger) -> None:
    before = state(ledger)
    roles = role(accounts={"operations": ["read"]}, lines={"operations": ["create"]})
    async with Governed(ledger, roles) as governed:
        row = {"account": 4, "line": 4, "note": "d"}
        await refused(Forbidden, "operation-not-granted", governed.insert(CALLER, insert("accounts", {"name": "x"})))
        await refused(Forbidden, "operation-not-granted", governed.delete(CALLER, delete("lines", "line = 1")))
        await refused(Invalid, "unknown-table", governed.insert(CALLER, insert("cities", {"name": "x"})))
        await refused(Invalid, "unknown-table", governed.insert(CALLER, insert("nothing", {"name": "x"})))
        merge = insert("lines", row, on_conflict="merge")
        await refused(Forbidden, "operation-not-granted", governed.insert(CALLER, merge))
    assert state(ledger) == before
    async with Governed(ledger, roles) as governed:
        written = await governed.insert(CALLER, insert("lines", row))
        assert (written.affected, written.keys, written.rows, written.etag) == (1, [], None, "")


async def test_odd_names_and_hostile_values_are_only_names_and_values(ledger: Ledger) -> None:
    hostile = ["'; DROP TABLE accounts; --", '"; DELETE FROM lines; --', "$1 ? %s \x01", "`x`\\", "☃ \u202e"]
    async with Governed(ledger) as governed:
        rows = [{"i d": 10 + place, "select": text} for place, text in enumerate(hostile)]
        written = await governed.insert(CALLER, insert(ODD, *rows))
        assert [row["select"] for row in named(written)] == hostile
        for place, text in enumerate(hostile):
            where = f'"i d" = {10 + place}'
            changed = await governed.update(CALLER, update(ODD, {"select": text + "'"}, where))
            assert named(changed) == [{"i d": 10 + place, "select": text + "'"}]
        assert (await governed.delete(CALLER, delete(ODD, '"i d" >= 10'))).affected == len(hostile)
        for name in ("select FROM accounts --", "i d = 1 OR 1", 'select"'):
            await refused(Invalid, "unknown-column", governed.update(CALLER, update(ODD, {name: 1}, '"i d" = 1')))
    assert len(ledger.rows("SELECT * FROM accounts")) == 4


@pytest.mark.parametrize(
    ("kind", "code", "table", "row"),
    [
        (Conflict, "unique-violation", "accounts", {"id": 1, "name": "canary"}),
        (Conflict, "foreign-key-violation", "accounts", {"name": "canary", "city": "canary"}),
        (Invalid, "check-violation", "accounts", {"name": "canary", "balance": -1}),
        (Invalid, "value-needed", "accounts", {"city": "Bern"}),
        (Invalid, "bad-value", "accounts", {"name": "x", "balance": "canary"}),
        (Invalid, "bad-value", "accounts", {"name": "x", "opened": 5 * [1]}),
        (Invalid, "bad-value", "lines", {"account": "canary", "line": 1}),
        (Invalid, "bad-value", "lines", {"account": {"a": 1}, "line": 1}),
    ],
)
async def test_a_refused_value_is_told_without_the_drivers_text(
    ledger: Ledger, kind: type[PierheadError], code: str, table: str, row: dict[str, Any]
) -> None:
    async with Governed(ledger) as governed:
        fault = await refused(kind, code, governed.insert(CALLER, insert(table, row)))
    said = f"{fault.message} {fault.hint}"
    assert "canary" not in said
    assert "constraint" not in said.lower()
    if code == "value-needed":
        assert "column name needs" in said
    if code == "bad-value":
        assert any(f"column {name}" in said for name in row)


async def test_a_missing_value_for_a_hidden_column_does_not_name_it(ledger: Ledger) -> None:
    roles = role(accounts={"operations": WRITES, "columns": {"exclude": ["name"]}})
    async with Governed(ledger, roles) as governed:
        fault = await refused(Invalid, "value-needed", governed.insert(CALLER, insert("accounts", {"city": "Bern"})))
    assert "name" not in fault.message


async def test_a_row_that_is_still_in_use_is_not_deleted(ledger: Ledger) -> None:
    before = state(ledger)
    async with Governed(ledger) as governed:
        used = delete("cities", "name = 'Bern'")
        await refused(Conflict, "foreign-key-violation", governed.delete(CALLER, used))
    assert state(ledger) == before


async def test_the_engine_is_asked_what_a_change_would_touch(ledger: Ledger) -> None:
    """Had the lane a hole, the engine would still be asked."""
    schema = {PostgresLedger: "public", MariadbLedger: "ledger"}.get(type(ledger), "main")
    named_table, lines = PermittedTable(schema, "lines", ()), named_in_sql(ledger)
    holes: dict[str, GovernedWrite] = {
        sql: GovernedWrite(sql, kind, named_table, frozenset(), frozenset(), frozenset())
        for sql, kind in (
            (f"DELETE FROM {schema}.accounts WHERE id = 1", "delete"),
            (f"UPDATE {schema}.accounts SET name = 'x' WHERE id = 1", "update"),
            (f"DELETE FROM {schema}.{lines} WHERE account IN (SELECT id FROM {schema}.accounts)", "delete"),
        )
    }
    before = state(ledger)
    async with Governed(ledger) as governed:
        assert isinstance(governed.engine, WritingEngine)
        view = governed.source.ground.roles["clerk"].view
        kinds = holes.values() if not isinstance(ledger, DuckdbLedger) else ()
        for hole in kinds:
            async with governed.engine.transaction(view, Limits(10, 5.0)) as transaction:
                with pytest.raises(SecondOpinionDiffers):
                    await transaction.execute(hole, {})
        several = GovernedWrite(
            f"DELETE FROM {schema}.{lines} WHERE line = 1; DELETE FROM {schema}.accounts WHERE id = 1",
            "delete",
            named_table,
            *3 * (frozenset({"line", "account", "id"}),),
        )
        with pytest.raises(PierheadError):
            async with governed.engine.transaction(view, Limits(10, 5.0)) as transaction:
                await transaction.execute(several, {})
    assert state(ledger) == before


async def test_what_nobody_committed_is_undone(ledger: Ledger) -> None:
    before = state(ledger)
    async with Governed(ledger) as governed:
        assert isinstance(governed.engine, WritingEngine)
        schema = governed.source.ground.catalog.schema
        target, lines = PermittedTable(schema, "lines", ()), named_in_sql(ledger)
        returning = "" if isinstance(ledger, MariadbLedger) else " RETURNING line"
        columns = frozenset({"account", "line", "note"})
        change = GovernedWrite(
            f"UPDATE {schema}.{lines} SET note = 'gone' WHERE account = 1 AND line = 1{returning}",
            "update",
            target,
            frozenset(),
            columns,
            columns,
        )
        async with governed.engine.transaction(
            governed.source.ground.roles["clerk"].view, Limits(10, 5.0)
        ) as transaction:
            assert len((await transaction.execute(change, {})).rows) == 1
    assert state(ledger) == before


async def test_an_engine_that_was_not_told_does_not_write(ledger: Ledger) -> None:
    engine = ledger.engine()
    assert isinstance(engine, WritingEngine)
    await engine.introspect()
    with pytest.raises(Invalid) as refusal:
        async with engine.transaction(View("sqlite", "", "", ()), Limits(1, 1.0)):
            pass
    assert refusal.value.code == "not-on-this-engine"
    await engine.close()


async def test_a_vanished_caller_leaves_nothing_behind_and_the_next_one_writes(ledger: Ledger) -> None:
    before = state(ledger)
    rows = [{"account": 300, "line": number, "note": f"v{number}"} for number in range(20_000)]
    preview = insert("lines", rows[0], options=WriteOptions(dry_run=True))
    async with Governed(ledger) as governed:
        await governed.insert(CALLER, preview)  # connected: what is cancelled below is a write
        task = asyncio.create_task(governed.insert(CALLER, insert("lines", *rows, options=WriteOptions())))
        done, _ = await asyncio.wait({task}, timeout=0.15)
        assert not done
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert (await governed.insert(CALLER, preview)).affected == 1
    assert state(ledger) == before


async def test_a_view_is_not_written(ledger: Ledger) -> None:
    ledger.run("CREATE VIEW rich AS SELECT id, name FROM accounts WHERE balance > 15")
    async with Governed(ledger, role(rich={"operations": WRITES})) as governed:
        fault = await refused(
            Forbidden, "operation-not-granted", governed.update(CALLER, update("rich", {"name": "x"}, "id = 2"))
        )
    assert "rich is a view" in fault.message


def test_updating_without_reading_does_not_load(ledger: Ledger) -> None:
    with pytest.raises(Misconfigured):
        Governed(ledger, role(accounts={"operations": ["update"]}))


@pytest.mark.parametrize("approval", ["maybe", "approve if rows > 1", {"read": "none"}, 5])
def test_an_approval_that_cannot_be_read_does_not_load(ledger: Ledger, approval: object) -> None:
    with pytest.raises(Misconfigured):
        Governed(ledger, {"clerk": {**CLERK["clerk"], "approval": approval}})


class _ReadingEngine:
    """SQLite without its transactions: an engine as those of Trino or Oracle are."""

    def __init__(self, file: Path) -> None:
        engine = SqliteEngine(file)
        self.introspect, self.run, self.stream = engine.introspect, engine.run, engine.stream
        self.confirm, self.estimate = engine.confirm, engine.estimate
        self.check_login, self.close = engine.check_login, engine.close


async def test_a_role_that_writes_does_not_load_on_an_engine_that_does_not(tmp_path: Path) -> None:
    engine = _ReadingEngine(SqliteLedger.load(tmp_path).file)
    source = Source(engine, parse_policy(role(lines={"operations": ["read", "delete"]})))
    with pytest.raises(Misconfigured, match="role clerk may delete") as raised:
        await source.open()
    assert raised.value.code == "bad-sql-policy"
    reading = parse_policy(role(lines={"operations": ["read"]}))
    source = Source(engine, reading)
    await source.open()
    with pytest.raises(Misconfigured):
        source.replace(parse_policy(CLERK))
    assert source.ground.policy is reading
    await source.close()


@pytest.fixture
def postgres_ledger(postgres_url: str) -> PostgresLedger:
    return PostgresLedger.load(postgres_url)


async def test_a_trigger_of_the_database_runs_with_the_names_it_was_written_with(tmp_path: Path) -> None:
    ledger = SqliteLedger.load(tmp_path)
    ledger.run(
        "CREATE TABLE log (what);"
        "CREATE TRIGGER logged AFTER UPDATE ON lines BEGIN INSERT INTO log VALUES (new.note); END;"
    )
    async with Governed(ledger) as governed:
        await governed.update(CALLER, update("lines", {"note": "seen"}, "account = 2"))
    assert ledger.rows("SELECT what FROM log") == [("seen",)]


async def test_a_trigger_of_postgresql_finds_tables_it_names_bare(postgres_ledger: PostgresLedger) -> None:
    postgres_ledger.run(
        "CREATE TABLE log (what text); CREATE FUNCTION logged() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN INSERT INTO log VALUES (new.note); RETURN new; END $$;"
        "CREATE TRIGGER logged AFTER UPDATE ON lines FOR EACH ROW EXECUTE FUNCTION logged();"
    )
    async with Governed(postgres_ledger) as governed:
        await governed.update(CALLER, update("lines", {"note": "seen"}, "account = 2"))
    assert postgres_ledger.rows("SELECT what FROM log") == [("seen",)]


async def test_a_cascade_of_the_schema_happens(tmp_path: Path) -> None:
    ledger = SqliteLedger.load(tmp_path)
    ledger.run("CREATE TABLE streets (name text, city text REFERENCES cities (name) ON DELETE CASCADE)")
    ledger.run("INSERT INTO streets VALUES ('Quay', 'Cork')")
    async with Governed(ledger) as governed:
        await governed.delete(CALLER, delete("cities", "name = 'Cork'"))
    assert ledger.rows("SELECT * FROM streets") == []


async def test_rows_that_another_writer_holds_are_not_waited_for_long(tmp_path: Path, postgres_url: str) -> None:
    sqlite_ledger, postgres = SqliteLedger.load(tmp_path), PostgresLedger.load(postgres_url)
    holder = sqlite3.connect(sqlite_ledger.file, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    async with Governed(sqlite_ledger) as governed:
        await refused(ToolTimedOut, "locked", governed.delete(CALLER, delete("lines", "account = 1")))
    holder.close()
    other = await asyncpg.connect(postgres.url)
    await other.execute("BEGIN; LOCK TABLE lines")
    async with Governed(postgres) as governed:
        await refused(ToolTimedOut, "locked", governed.insert(CALLER, insert("lines", {"account": 6, "line": 6})))
    await other.close()


async def test_a_row_has_the_same_etag_where_it_is_read_and_where_it_is_written(
    postgres_ledger: PostgresLedger,
) -> None:
    postgres_ledger.run(
        "CREATE TYPE mood AS ENUM ('calm', 'glad'); CREATE TABLE odd (id integer PRIMARY KEY, wide text, j jsonb,"
        " a text[], m mood, b bytea, n numeric, t timestamptz, d interval, i inet);"
        "INSERT INTO odd VALUES (1, repeat('x', 5000), '{\"b\": [1, 2.50], \"a\": null}', '{p,\"q r\"}', 'calm',"
        " '\\x00ff', 1.10, '2026-01-02T03:04:05Z', '1 day 2 hours', '10.0.0.1')"
    )
    async with Governed(postgres_ledger, role(odd={"operations": WRITES})) as governed:
        view = governed.source.ground.roles["clerk"].view
        table = view.tables[0]
        select = exp.select("*").from_(permitted_subquery(table, view, exp.TableAlias(this=exp.to_identifier("o"))))
        query = finished(select, (table,), view, rows=1)
        whole = Limits(1, 5.0, bytes=LONGEST_VALUE, cell=LONGEST_VALUE)
        read = (await governed.engine.run(query, view, {}, whole)).rows[0]
        tag = etag([column.name for column in table.columns], read)
        options = WriteOptions(if_match=tag, returning=True)
        changes = {"m": "glad", "i": "10.0.0.2", "a": ["s"], "j": {"z": 1}, "d": "3 days"}
        written = await governed.update(CALLER, update("odd", changes, "id = 1", options))
        assert len(named(written)[0]["wide"]) == 5000
        read = (await governed.engine.run(query, view, {}, whole)).rows[0]
        assert etag([column.name for column in table.columns], read) == written.etag != tag


async def test_a_connection_that_breaks_at_the_commit_leaves_the_outcome_unknown(
    postgres_ledger: PostgresLedger,
) -> None:
    async with Governed(postgres_ledger) as governed:
        assert isinstance(governed.engine, WritingEngine)
        async with governed.engine.transaction(
            governed.source.ground.roles["clerk"].view, Limits(10, 5.0)
        ) as transaction:
            postgres_ledger.run(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE state = 'idle in transaction'"
            )
            with pytest.raises(OutcomeUnknown):
                await transaction.commit()
        assert (await governed.insert(CALLER, insert("lines", {"account": 6, "line": 6}))).affected == 1


def of(city: str) -> Caller:
    return Caller(User("https://memory.example", "ann", frozenset(), (("city", city),)), "ide", "test", "call-1")


RULED = {"operations": WRITES, "columns": {"exclude": ["secret"]}, "rows": "city.eq.${claims.city}"}


async def test_only_rows_of_the_rule_are_changed_and_no_row_leaves_it(ledger: Ledger) -> None:
    before = state(ledger)
    async with Governed(ledger, role(accounts=RULED)) as governed:
        caller, row = of("Bern"), {"id": 1, "name": "x", "city": "Bern"}
        elsewhere = row | {"id": 9, "city": "Cork"}
        for call, kind, code in (
            (governed.update(caller, update("accounts", {"city": "Aden"}, "id = 2")), Forbidden, "outside-row-rule"),
            (governed.insert(caller, insert("accounts", {"name": "x"})), Forbidden, "outside-row-rule"),
            (
                governed.insert(caller, insert("accounts", elsewhere)),
                Forbidden,
                "outside-row-rule",
            ),
            (governed.insert(caller, insert("accounts", row, on_conflict="merge")), Conflict, "unique-violation"),
            (governed.update_keyed(caller, KeyedRequest("accounts", [row])), NotFound, "no-such-row"),
            (governed.update_keyed(caller, KeyedRequest("accounts", [row], True)), Conflict, "unique-violation"),
            (governed.update(CALLER, update("accounts", {"balance": 1}, "id = 2")), Forbidden, "missing-claim"),
        ):
            await refused(kind, code, call)
        assert (await governed.delete(caller, delete("accounts", "id = 1"))).affected == 0
    assert state(ledger) == before
    async with Governed(ledger, role(accounts=RULED)) as governed:
        written = await governed.update(caller, update("accounts", {"balance": 7}, "id > 0"))
        assert sorted(row["id"] for row in named(written)) == [2, 3]
        assert (await governed.insert(caller, insert("accounts", row | {"id": 9}))).affected == 1
        assert (await governed.insert(caller, insert("accounts", row | {"id": 9}, on_conflict="merge"))).affected == 1
    assert [float(each[0]) for each in ledger.rows("SELECT balance FROM accounts WHERE id IN (1, 4) ORDER BY id")] == [
        10.0,
        40.0,
    ]
