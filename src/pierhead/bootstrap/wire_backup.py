"""Backups of one installation: database, journals, fleet, keys; made, checked, and put back.

A backup is taken while the platform runs: first one view of the database, then the journals, which can only know
more. Above: `pierhead backup`. Below: `adapters/db/dump` and `adapters/archive`. Not here: when to make one.
"""

import asyncio
import contextlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Final, cast

from pierhead.adapters.archive import Archive, read_archive, seal, unseal, write_archive
from pierhead.adapters.db import Database, DatabaseApprovals, DatabasePolicies
from pierhead.adapters.db.dump import dumping, load, row_of
from pierhead.adapters.snapshot_file import SnapshotOnDisk
from pierhead.adapters.system import SystemClock
from pierhead.bootstrap.keys import Keys
from pierhead.bootstrap.running import find_running, hold, prepare_directory
from pierhead.bootstrap.settings import Settings
from pierhead.bootstrap.weak_secrets import require_strong
from pierhead.bootstrap.wire_database import reached
from pierhead.core.audit_policy import PolicyPublished
from pierhead.core.chain import Head, follow, read_line
from pierhead.core.errors import Conflict, Invalid, Misconfigured, PierheadError
from pierhead.core.json import Json
from pierhead.usecases.ports_registry import Revision
from pierhead.usecases.restore_approvals import close_restored
from pierhead.usecases.revision_text import change_text

REVISIONS_LEFT_FREE: Final = 1000
"""How far above the last known policy revision a restored registry goes on.

Gateways take only a higher revision, and those published after the backup are known to them alone.
"""
_SECRETS: Final = "keys.sealed"
_TABLES: Final = "tables/"
_JOURNALS: Final = "journal/"
_FLEET: Final = "fleet.yaml"
_FILE: Final = "pierhead.db"
_BY: Final = "restore"


@dataclass(frozen=True, slots=True)
class Made:
    """A backup: where it lies, how many rows it holds by table, and whether the keys are in it."""

    path: Path
    rows: Mapping[str, int]
    has_keys: bool


@dataclass(frozen=True, slots=True)
class Checked:
    """What a check of a backup found. `records` were followed along every chain."""

    made_at: str
    policy_revision: int
    records: int
    has_keys: bool
    signed_by: str


@dataclass(frozen=True, slots=True)
class Restored:
    """What was put back: rows by table, the policy revision it goes on with, and where the old files are now."""

    rows: Mapping[str, int]
    policy_revision: int
    has_keys: bool
    aside: tuple[Path, ...]


def create(settings: Settings, path: Path) -> Made:
    """Make a signed backup. Errors: Misconfigured; Conflict (`exists`), if the file is there."""
    data, passphrase = settings.platform.data.resolve(), settings.backup.passphrase.get_secret_value()
    if path.exists():
        raise Conflict(f"{path} is there already", hint="name another file", code="exists")
    keys = Keys.at(data)
    with tempfile.TemporaryDirectory(dir=path.resolve().parent, prefix=".backup-") as folder:
        work = Path(folder)
        about, rows = asyncio.run(_dumped(settings, work))
        files = {f"{_TABLES}{name}.ndjson": work / f"{name}.ndjson" for name in rows} | _journals(data, work)
        if (fleet := _fleet(data)) is not None:
            files[_FLEET] = fleet
        if passphrase:
            require_strong(passphrase, "backup.passphrase")
            (work / "keys").write_bytes(seal(_packed(keys), passphrase))
            files[_SECRETS] = work / "keys"
        made = {"made_at": SystemClock().now(), "made_by": f"pierhead {version('pierhead')}"}
        write_archive(path, {**about, **made}, files, keys.read("snapshot.key"))
    return Made(path, rows, has_keys=bool(passphrase))


async def _dumped(settings: Settings, work: Path) -> tuple[dict[str, Json], dict[str, int]]:
    """Every table as a file; what is told of them, and the rows of each."""
    rows: dict[str, int] = {}
    async with reached(settings) as database, dumping(database) as dump:
        for table in dump.tables:
            rows[table] = 0
            with (work / f"{table}.ndjson").open("wb") as file:
                async for line in dump.lines(table):
                    file.write(line)
                    rows[table] += 1
        latest = await DatabasePolicies(database).latest()
        return {"schema": dump.revision, "policy_revision": latest.number if latest else 0}, rows


def _journals(data: Path, work: Path) -> dict[str, Path]:
    """Copies: a file that grows while it is packed would not be the one that was signed."""
    files: dict[str, Path] = {}
    for number, path in enumerate(sorted((data / "journal").glob("*/*"))):
        if path.is_file() and path.suffix != ".lock" and path.name != "lock":
            copy = work / f"journal-{number}"
            shutil.copyfile(path, copy)
            files[_JOURNALS + str(path.relative_to(data / "journal"))] = copy
    return files


def _fleet(data: Path) -> Path | None:
    """The fleet file of the platform that runs here, if one does."""
    try:
        return Path(find_running(data).fleet)
    except PierheadError:
        return None


def _packed(keys: Keys) -> bytes:
    return json.dumps({path.name: path.read_bytes().hex() for path in sorted(keys.directory.glob("[!.]*"))}).encode()


def check(path: Path, data: Path) -> Checked:
    """Check signature, every digest, and every hash chain in it.

    Signed by this installation, if its key is here; else by the one it names. Errors: Invalid (`bad-backup`).
    """
    trusted = Keys.at(data).read("snapshot.pub") if (data / "keys" / "snapshot.pub").exists() else None
    archive = read_archive(path, trusted)
    archive.check()
    return Checked(
        made_at=datetime.fromtimestamp(float(str(archive.about["made_at"])), UTC).isoformat(timespec="seconds"),
        policy_revision=int(str(archive.about["policy_revision"])),
        records=_follow_chains(archive),
        has_keys=_SECRETS in archive.members,
        signed_by=archive.signed_by,
    )


def _follow_chains(archive: Archive) -> int:
    heads: dict[str, Head] = {}
    count = 0
    with archive.member(f"{_TABLES}facts.ndjson") as lines:
        for line in lines:
            row = row_of(line)
            try:
                record = read_line(row["line"])
                head = heads.get(row["writer"]) or Head(record.sequence - 1, record.previous)
                heads[row["writer"]] = follow(head, record)
            except Invalid as broken:
                message = f"the backup's record of {row['writer']} is broken at {row['sequence']}: {broken.message}"
                raise Invalid(message, hint="keep it as evidence, use another", code="bad-backup") from None
            count += 1
    return count


def restore(settings: Settings, path: Path, *, overwrite: bool) -> Restored:
    """Put a backup in place of what is there; what was there is moved aside, not removed.

    Errors: Invalid (`bad-backup`); Conflict (`exists`), without `overwrite`; Misconfigured (`in-use`).
    """
    data = settings.platform.data.resolve()
    checked = check(path, data)
    prepare_directory(data)
    lock = hold(data)
    try:
        known = max(checked.policy_revision, asyncio.run(_latest(settings, data)))
        archive = read_archive(path, None)
        aside = _moved_aside(settings, data, f"replaced-{int(SystemClock().now())}", overwrite=overwrite)
        _put_files(archive, data, settings.backup.passphrase.get_secret_value())
        rows, revision = asyncio.run(_put_tables(settings, archive, known + REVISIONS_LEFT_FREE))
    finally:
        os.close(lock)
    return Restored(rows, revision, checked.has_keys, aside)


async def _latest(settings: Settings, data: Path) -> int:
    """The highest policy revision that anything here knows. A database that cannot be read knows none."""
    numbers = [0]
    for path in (data / "snapshots").glob("*.json"):
        kept = SnapshotOnDisk(path).load()
        numbers += [int(json.loads(each.payload).get("revision", 0)) for each in kept]
    if settings.database.url.get_secret_value() or (data / _FILE).exists():
        with contextlib.suppress(Misconfigured):
            async with reached(settings) as database:
                numbers.append(await DatabasePolicies(database).highest())
    return max(numbers)


def _moved_aside(settings: Settings, data: Path, suffix: str, *, overwrite: bool) -> tuple[Path, ...]:
    """Errors: Conflict (`exists`)."""
    there = [path for name in (_FILE, "journal", "snapshots") if (path := data / name).exists()]
    in_server = settings.database.url.get_secret_value() != ""
    if (there or in_server) and not overwrite:
        what = "the database that is set" if in_server else str(data)
        raise Conflict(f"{what} would be overwritten", hint="say --yes to replace what is there", code="exists")
    moved = [path.rename(path.with_name(f"{path.name}.{suffix}")) for path in there]
    for rest in ("-wal", "-shm"):
        (data / f"{_FILE}{rest}").unlink(missing_ok=True)
    return tuple(moved)


def _put_files(archive: Archive, data: Path, passphrase: str) -> None:
    """Journals, and the keys if they can be opened."""
    for name in archive.members:
        if name.startswith(_JOURNALS):
            _put(archive, name, data, data / name)
    if _SECRETS in archive.members and passphrase:
        with archive.member(_SECRETS) as sealed:
            packed = cast("dict[str, str]", json.loads(unseal(sealed.read(), passphrase)))
        keys = Keys.at(data)
        keys.replace({name: bytes.fromhex(content) for name, content in packed.items()})


def _put(archive: Archive, name: str, data: Path, target: Path) -> None:
    """A signed name is still no licence to write anywhere."""
    if not target.resolve().is_relative_to(data / "journal"):
        raise Invalid(f"the backup cannot be used: {name} lies outside", hint="use another", code="bad-backup")
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with archive.member(name) as content, target.open("xb") as file:
        target.chmod(0o600)
        shutil.copyfileobj(content, file)


async def _put_tables(settings: Settings, archive: Archive, revision: int) -> tuple[Mapping[str, int], int]:
    """Rows by table, and the policy revision that is in force then."""
    names = [name for name in archive.members if name.startswith(_TABLES)]
    async with reached(settings) as database:
        with ExitStack() as opened:
            tables: dict[str, Iterator[bytes]] = {
                name.removeprefix(_TABLES).removesuffix(".ndjson"): iter(opened.enter_context(archive.member(name)))
                for name in names
            }
            rows = await load(database, str(archive.about["schema"]), tables)
        await close_restored(DatabaseApprovals(database))
        return rows, await _go_on(database, revision)


async def _go_on(database: Database, number: int) -> int:
    """Publish the restored policy again, under a number that no gateway has seen."""
    policies, clock = DatabasePolicies(database), SystemClock()
    latest = await policies.latest()
    if latest is None:
        return 0
    document = change_text(number, latest.digest, frozenset(), {})
    fact = PolicyPublished(number, latest.digest, _BY)
    await policies.publish(Revision(number, latest.digest, document), clock.now(), _BY, fact)
    return number
