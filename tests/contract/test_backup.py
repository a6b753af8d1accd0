"""Backups of the platform's database: the same rows on either engine, and nothing that was touched is taken."""

import asyncio
import gzip
import io
import json
import os
import shutil
import sqlite3
import tarfile
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy import insert
from tests.approving import desk_over, person, proposal
from tests.postgres import running_postgres

from pierhead.adapters.db import DatabaseApprovals, DatabaseAudit, DatabasePolicies, DatabaseRecords, open_database
from pierhead.adapters.db.dump import dumping, load
from pierhead.adapters.db.schema import CLIENTS
from pierhead.bootstrap.keys import Keys
from pierhead.bootstrap.running import hold, prepare_directory
from pierhead.bootstrap.settings import Settings, read_settings
from pierhead.bootstrap.wire_backup import REVISIONS_LEFT_FREE, check, create, restore
from pierhead.core.approval_record import ApprovalRecord
from pierhead.core.audit_policy import PolicyPublished
from pierhead.core.errors import Conflict, Invalid, Misconfigured, NotFound
from pierhead.usecases.answer_approval import Answer, decide_approval
from pierhead.usecases.ask_approval import ask_approval
from pierhead.usecases.memory import MemoryClock
from pierhead.usecases.ports_registry import Revision
from pierhead.usecases.spend_approval import spend_approval

pytestmark = pytest.mark.slow  # each makes a whole platform's database, and packs it

NOW = 1_795_000_000.0
ODD = {
    "id": "c1",
    "name": 'b64:not bytes, txt:a text ü \\ " \n',
    "redirect_uris": "[]",
    "authentication": "none",
    "secret_digest": "",
    "registered_at": NOW,
}
Change = Callable[[dict[str, bytes]], None]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An installation that has published two revisions, with keys and a journal."""
    data = tmp_path_factory.mktemp("made") / "home"
    prepare_directory(data)
    Keys.at(data).ensure(("warehouse",))
    (data / "journal" / "gateway").mkdir(parents=True)
    (data / "journal" / "gateway" / "00000001.jsonl").write_bytes(b"a line\n")
    asyncio.run(_fill(f"sqlite:///{data}/pierhead.db"))
    return data


@pytest.fixture
def home(made: Path, tmp_path: Path) -> Path:
    """A copy of it for each test: making one takes longer than most of them."""
    return Path(shutil.copytree(made, tmp_path / "home"))


async def _fill(url: str) -> None:
    database = await open_database(url)
    policies = DatabasePolicies(database)
    for number in (1, 2):
        document = json.dumps({"revision": number, "servers": [], "rows": []})
        await policies.publish(Revision(number, "d" * 64, document), NOW, "x", PolicyPublished(number, "d" * 64, "x"))
    await DatabaseAudit(database, MemoryClock(NOW)).record(PolicyPublished(3, "b64:odd", "ü"))
    async with database.writing() as connection:
        await connection.execute(insert(CLIENTS).values(ODD))
    await database.close()


def settings(data: Path, passphrase: str = "", url: str = "") -> Settings:
    environment = {"PIERHEAD__BACKUP__PASSPHRASE": passphrase, "PIERHEAD__DATABASE__URL": url}
    return read_settings({("platform", "data"): data}, None, environment).settings


async def _rows(url: str) -> dict[str, list[bytes]]:
    database = await open_database(url)
    async with dumping(database) as dump:
        rows = {table: [line async for line in dump.lines(table)] for table in dump.tables}
    await database.close()
    return rows


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    with running_postgres() as url:
        yield url


@pytest.mark.slow
def test_a_backup_of_sqlite_is_restored_on_postgresql_and_back(home: Path, tmp_path: Path, postgres: str) -> None:
    async def exchanged() -> None:
        connection = await asyncpg.connect(f"{postgres}/postgres")
        await connection.execute("CREATE DATABASE moved")
        await connection.close()
        before = await _rows(f"sqlite:///{home}/pierhead.db")
        for source, target in (
            (f"sqlite:///{home}/pierhead.db", f"{postgres}/moved"),
            (f"{postgres}/moved", f"sqlite:///{tmp_path}/back.db"),
        ):
            old, new = await open_database(source), await open_database(target)
            async with dumping(old) as dump:
                rows = {table: iter([line async for line in dump.lines(table)]) for table in dump.tables}
                await load(new, dump.revision, rows)
            await old.close()
            await new.close()
            assert await _rows(target) == before

    asyncio.run(exchanged())


def test_what_was_backed_up_comes_back_whole_and_policy_goes_on_above_it(home: Path, tmp_path: Path) -> None:
    before = asyncio.run(_rows(f"sqlite:///{home}/pierhead.db"))
    made = create(settings(home, "open sesame, my q7 caves"), tmp_path / "b.tar.gz")
    assert made.has_keys
    assert (tmp_path / "b.tar.gz").stat().st_mode & 0o077 == 0
    restored = restore(settings(tmp_path / "new", "open sesame, my q7 caves"), tmp_path / "b.tar.gz", overwrite=False)
    after = asyncio.run(_rows(f"sqlite:///{tmp_path}/new/pierhead.db"))
    assert restored.policy_revision == 2 + REVISIONS_LEFT_FREE
    assert [json.loads(line)["number"] for line in after["revisions"]] == [1, 2, restored.policy_revision]
    assert after["oauth_clients"] == before["oauth_clients"]
    assert after["facts"][: len(before["facts"])] == before["facts"]
    assert (tmp_path / "new/journal/gateway/00000001.jsonl").read_bytes() == b"a line\n"
    assert Keys.at(tmp_path / "new").read("token.jwk") == Keys.at(home).read("token.jwk")
    assert asyncio.run(_chain(tmp_path / "new")) == ""


def test_what_was_approved_before_a_backup_is_not_used_again_after_a_restore(home: Path, tmp_path: Path) -> None:
    """It may have been used between the two: only the database that was lost would know."""

    async def agreed(data: Path) -> ApprovalRecord:
        database = await open_database(f"sqlite:///{data}/pierhead.db")
        desk = desk_over(DatabaseApprovals(database))
        asked = await ask_approval(proposal(), desk)
        answer = Answer("approve", "", "web", asked.proposal.digest)
        record = await decide_approval(asked.id, answer, person("frank"), desk)
        await database.close()
        return record

    async def used(data: Path, record: ApprovalRecord) -> None:
        database = await open_database(f"sqlite:///{data}/pierhead.db")
        try:
            await spend_approval(record.id, record.proposal.digest, "call-1", desk_over(DatabaseApprovals(database)))
        finally:
            await database.close()

    record = asyncio.run(agreed(home))
    create(settings(home), tmp_path / "b.tar.gz")
    asyncio.run(used(home, record))
    restore(settings(tmp_path / "new"), tmp_path / "b.tar.gz", overwrite=False)
    with pytest.raises(Conflict) as refused:
        asyncio.run(used(tmp_path / "new", record))
    assert refused.value.code == "approval-state"
    assert asyncio.run(_chain(tmp_path / "new")) == ""


async def _chain(data: Path) -> str:
    database = await open_database(f"sqlite:///{data}/pierhead.db")
    broken = (await DatabaseRecords(database).chain()).broken
    await database.close()
    return broken


def test_a_restore_goes_on_above_what_is_there_and_moves_it_aside(home: Path, tmp_path: Path) -> None:
    create(settings(home), tmp_path / "b.tar.gz")

    async def publish_later() -> None:
        database = await open_database(f"sqlite:///{home}/pierhead.db")
        later = Revision(50, "e" * 64, json.dumps({"revision": 50, "servers": [], "rows": []}))
        await DatabasePolicies(database).publish(later, NOW, "x", PolicyPublished(50, "e" * 64, "x"))
        await database.close()

    asyncio.run(publish_later())
    with pytest.raises(Conflict) as there:
        restore(settings(home), tmp_path / "b.tar.gz", overwrite=False)
    assert there.value.code == "exists"
    restored = restore(settings(home), tmp_path / "b.tar.gz", overwrite=True)
    assert restored.policy_revision == 50 + REVISIONS_LEFT_FREE
    assert {path.name.split(".replaced")[0] for path in restored.aside} == {"pierhead.db", "journal"}
    assert all(path.exists() for path in restored.aside)


def _swap(name: str, content: bytes) -> Change:
    def change(members: dict[str, bytes]) -> None:
        members[name] = content

    return change


def _drop(name: str) -> Change:
    return lambda members: members.pop(name) and None


def _rewrite_about(members: dict[str, bytes]) -> None:
    members["backup.json"] = members["backup.json"].replace(b'"policy_revision": 2', b'"policy_revision": 9')


@pytest.mark.parametrize(
    "change",
    [
        _swap("tables/facts.ndjson", b"{}\n"),
        _swap("tables/evil.ndjson", b"{}\n"),
        _swap("../outside", b"x"),
        _drop("tables/heads.ndjson"),
        _drop("backup.sig"),
        _drop("backup.json"),
        _rewrite_about,
    ],
)
def test_a_backup_that_was_touched_is_refused(home: Path, tmp_path: Path, change: Change) -> None:
    path = tmp_path / "b.tar.gz"
    create(settings(home), path)
    with tarfile.open(path) as archive:
        members = {entry.name: archive.extractfile(entry).read() for entry in archive}  # pyright: ignore[reportOptionalMemberAccess]
    change(members)
    with tarfile.open(path, "w:gz") as archive:
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    with pytest.raises(Invalid) as refused:
        check(path, home)
    assert refused.value.code == "bad-backup"
    with pytest.raises(Invalid):
        restore(settings(tmp_path / "new"), path, overwrite=True)
    assert not (tmp_path / "new" / "pierhead.db").exists()


@pytest.mark.parametrize(
    "content",
    [b"", b"no archive", gzip.compress(b"no tar"), os.urandom(4000)],
    ids=["empty", "text", "compressed", "random"],
)
def test_what_is_no_backup_is_refused(home: Path, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "b.tar.gz"
    path.write_bytes(content)
    with pytest.raises(Invalid) as refused:
        check(path, home)
    assert refused.value.code == "bad-backup"


def test_a_backup_of_another_installation_is_told_from_ours(home: Path, tmp_path: Path) -> None:
    create(settings(home), tmp_path / "b.tar.gz")
    other = tmp_path / "other"
    Keys.at(other).ensure(())
    with pytest.raises(Invalid, match="not that of this installation"):
        check(tmp_path / "b.tar.gz", other)
    found = check(tmp_path / "b.tar.gz", tmp_path / "nowhere")
    assert found.signed_by == Keys.at(home).read("snapshot.pub").hex()
    assert (found.policy_revision, found.records, found.has_keys) == (2, 3, False)
    assert datetime.fromisoformat(found.made_at).tzinfo == UTC


def test_a_record_that_was_broken_before_the_backup_is_found(home: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(home / "pierhead.db")) as connection, connection:
        connection.execute(
            """UPDATE facts SET line = CAST(replace(line, '"by":"x"', '"by":"y"') AS BLOB) WHERE sequence = 2"""
        )
    create(settings(home), tmp_path / "b.tar.gz")
    with pytest.raises(Invalid, match="record of registry is broken at 2"):
        check(tmp_path / "b.tar.gz", home)


def test_another_passphrase_opens_no_keys(home: Path, tmp_path: Path) -> None:
    create(settings(home, "one of two passphrases"), tmp_path / "b.tar.gz")
    with pytest.raises(Invalid, match="passphrase"):
        restore(settings(tmp_path / "new", "two of two passphrases"), tmp_path / "b.tar.gz", overwrite=False)
    restored = restore(settings(tmp_path / "keyless"), tmp_path / "b.tar.gz", overwrite=False)
    assert restored.rows["revisions"] == 2
    assert not (tmp_path / "keyless" / "keys").exists()


def test_a_passphrase_that_can_be_guessed_seals_nothing(home: Path, tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match=r"backup\.passphrase") as refused:
        create(settings(home, "sesame"), tmp_path / "b.tar.gz")
    assert refused.value.code == "weak-secret"
    assert list(tmp_path.glob("*.gz")) == []


def test_a_file_that_is_there_is_never_overwritten(home: Path, tmp_path: Path) -> None:
    (tmp_path / "b.tar.gz").write_bytes(b"mine")
    with pytest.raises(Conflict):
        create(settings(home), tmp_path / "b.tar.gz")
    assert (tmp_path / "b.tar.gz").read_bytes() == b"mine"
    with pytest.raises(NotFound):
        check(tmp_path / "none.tar.gz", home)


def test_a_platform_that_runs_is_not_restored(home: Path, tmp_path: Path) -> None:
    create(settings(home), tmp_path / "b.tar.gz")
    lock = hold(home)
    try:
        with pytest.raises(Misconfigured) as held:
            restore(settings(home), tmp_path / "b.tar.gz", overwrite=True)
        assert held.value.code == "in-use"
    finally:
        os.close(lock)


def test_a_database_that_was_damaged_is_replaced(home: Path, tmp_path: Path) -> None:
    create(settings(home), tmp_path / "b.tar.gz")
    (home / "pierhead.db").write_bytes(b"no database")
    restored = restore(settings(home), tmp_path / "b.tar.gz", overwrite=True)
    assert restored.policy_revision == 2 + REVISIONS_LEFT_FREE
