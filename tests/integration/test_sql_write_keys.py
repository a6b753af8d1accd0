"""Idempotency keys: once, whatever happens in between, also to the process."""

import asyncio
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.components import ROOT
from tests.integration.sql_ledgers import CALLER, CLERK, Governed, Ledger, MariadbLedger, SqliteLedger, state
from tests.rigs.write_and_stop import Stopping, StoppingEngine, request

from pierhead.core.errors import Conflict, Invalid, ToolFailed
from pierhead.core.identity import Caller, User
from pierhead.sdk.governed.engine import Engine
from pierhead.sdk.governed.transactions import OutcomeUnknown
from pierhead.servers.sql.idempotency import KEPT_SECONDS, FileKeys
from pierhead.servers.sql.writes import InsertRequest, WriteOptions

pytestmark = [pytest.mark.slow, pytest.mark.anyio]

BOB = Caller(User("https://memory.example", "bob", frozenset({"clerks"})), "ide", "test", "call-2")


@pytest.fixture(params=["sqlite", "mariadb"])
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Ledger:
    if request.param == "mariadb":
        return MariadbLedger.load(request.getfixturevalue("mariadb_url"))
    return SqliteLedger.load(tmp_path)


@pytest.fixture
def sqlite_ledger(tmp_path: Path) -> SqliteLedger:
    return SqliteLedger.load(tmp_path)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "own" / "written-keys.db"


def keyed(key: str = "k", **row: Any) -> InsertRequest:
    cells = {"account": 5, "line": 5, "note": "once"} | row
    return InsertRequest("lines", [cells], options=WriteOptions(returning=True, idempotency_key=key))


async def refused(code: str, call: Any) -> None:
    with pytest.raises((Conflict, ToolFailed)) as raised:
        await call
    assert raised.value.code == code


async def test_the_same_key_and_body_get_the_first_answer_also_after_a_restart(ledger: Ledger, file: Path) -> None:
    async with Governed(ledger, keys=FileKeys(file)) as governed:
        first = await governed.insert(CALLER, keyed())
        again = await governed.insert(CALLER, keyed(note="once"))
    async with Governed(ledger, keys=FileKeys(file)) as governed:
        later = await governed.insert(CALLER, keyed())
    assert (first.replayed, again.replayed, later.replayed) == (False, True, True)
    assert first.rows == again.rows == later.rows == [[5, 5, "once"]]
    assert first.etag == later.etag
    assert len(ledger.rows("SELECT * FROM lines WHERE account = 5")) == 1


async def test_another_body_another_policy_or_another_operation_is_refused(ledger: Ledger, file: Path) -> None:
    async with Governed(ledger, keys=FileKeys(file)) as governed:
        await governed.insert(CALLER, keyed())
        await refused("key-reused", governed.insert(CALLER, keyed(note="twice")))
    other = {"clerk": {**CLERK["clerk"], "sql": False}}
    async with Governed(ledger, other, keys=FileKeys(file)) as governed:
        await refused("key-reused", governed.insert(CALLER, keyed()))


async def test_a_key_belongs_to_its_caller(ledger: Ledger) -> None:
    async with Governed(ledger) as governed:
        await governed.insert(CALLER, keyed())
        bobs = await governed.insert(BOB, keyed(line=6, note="bob"))
    assert (bobs.replayed, bobs.rows) == (False, [[5, 6, "bob"]])


async def test_what_was_undone_may_be_tried_again_with_its_key(ledger: Ledger) -> None:
    async with Governed(ledger) as governed:
        await refused("unique-violation", governed.insert(CALLER, keyed(note="a")))
        with pytest.raises(Invalid):
            await governed.insert(CALLER, keyed(line="five"))
        ledger.run("DELETE FROM lines WHERE note = 'a'")
        assert (await governed.insert(CALLER, keyed(note="a"))).affected == 1


async def test_a_preview_takes_no_key(ledger: Ledger) -> None:
    preview = InsertRequest(
        "lines", [{"account": 5, "line": 5}], options=WriteOptions(dry_run=True, idempotency_key="k")
    )
    async with Governed(ledger) as governed:
        assert (await governed.insert(CALLER, preview)).dry_run
        assert not (await governed.insert(CALLER, keyed())).replayed


async def test_of_two_calls_with_one_key_one_runs(ledger: Ledger, file: Path) -> None:
    async with Governed(ledger, keys=FileKeys(file)) as governed:
        outcomes = await asyncio.gather(*(governed.insert(CALLER, keyed()) for _ in range(8)), return_exceptions=True)
        refusals = [each for each in outcomes if isinstance(each, Conflict)]
        assert {each.code for each in refusals} <= {"key-in-progress"}
        assert sum(not getattr(each, "replayed", True) for each in outcomes) == 1
    assert len(ledger.rows("SELECT * FROM lines WHERE account = 5")) == 1


async def test_a_key_is_forgotten_after_a_day(ledger: Ledger, file: Path) -> None:
    async with Governed(ledger, keys=FileKeys(file)) as governed:
        await governed.insert(CALLER, keyed())
        with sqlite3.connect(file) as connection:
            connection.execute("UPDATE written_keys SET begun = begun - ?", (KEPT_SECONDS,))
        connection.close()
        assert not (await governed.insert(CALLER, keyed(line=6, note="new day"))).replayed


async def test_keys_that_cannot_be_kept_stop_the_write(ledger: Ledger, tmp_path: Path) -> None:
    before = state(ledger)
    (tmp_path / "garbage").write_text("this is no database, and long enough to be read as one" * 100)
    async with Governed(ledger, keys=FileKeys(tmp_path / "garbage")) as governed:
        await refused("keys-unavailable", governed.insert(CALLER, keyed()))
    assert state(ledger) == before


class _Unanswered(Stopping):
    """A transaction whose commit is asked for, and never answered."""

    async def commit(self) -> None:
        raise OutcomeUnknown


class _BreakingEngine(StoppingEngine):
    stopping = _Unanswered


class _BreakingLedger(SqliteLedger):
    def engine(self) -> Engine:
        return _BreakingEngine(self.file)


async def test_a_commit_that_nobody_answered_loses_its_key(sqlite_ledger: SqliteLedger, file: Path) -> None:
    async with Governed(_BreakingLedger(sqlite_ledger.file), keys=FileKeys(file)) as governed:
        await refused("outcome-unknown", governed.insert(CALLER, keyed()))
    async with Governed(sqlite_ledger, keys=FileKeys(file)) as governed:
        await refused("outcome-unknown", governed.insert(CALLER, keyed()))
        assert (await governed.insert(CALLER, keyed("another key"))).affected == 1


def _killed(ledger: SqliteLedger, file: Path, where: str) -> None:
    """Write in another process, and kill it there."""
    command = [sys.executable, "-m", "tests.rigs.write_and_stop", str(ledger.file), str(file), where]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "here\n"
        process.kill()
    assert process.returncode == -signal.SIGKILL


@pytest.mark.parametrize(("where", "rows"), [("before-commit", 0), ("after-commit", 1)])
async def test_a_killed_process_leaves_its_key_with_an_unknown_outcome(
    sqlite_ledger: SqliteLedger, file: Path, where: str, rows: int
) -> None:
    _killed(sqlite_ledger, file, where)
    assert len(sqlite_ledger.rows("SELECT * FROM lines WHERE account = 5")) == rows
    async with Governed(sqlite_ledger, keys=FileKeys(file)) as governed:
        await refused("outcome-unknown", governed.insert(CALLER, request()))
        await refused("outcome-unknown", governed.insert(CALLER, request()))
    assert len(sqlite_ledger.rows("SELECT * FROM lines WHERE account = 5")) == rows
