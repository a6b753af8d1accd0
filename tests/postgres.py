"""A real PostgreSQL for tests: started once in a directory of its own, one fresh database a test."""

import asyncio
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg
import pytest

from pierhead.bootstrap.running import free_ports

_PLACES = (*sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True), Path("/usr/local/bin"))


@contextmanager
def running_postgres() -> Iterator[str]:
    """The URL of a server that listens on loopback, without its database name; stopped and removed afterwards."""
    found = next((place for place in _PLACES if (place / "initdb").exists()), None)
    if found is None:
        pytest.skip("component postgresql: no initdb in /usr/lib/postgresql/*/bin or /usr/local/bin")
    directory = Path(tempfile.mkdtemp(prefix="pierhead-pg-"))
    try:
        yield from _serving(found, directory)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def fresh_database(server: str) -> str:
    """The URL of a new, empty database there."""
    name = f"t{os.urandom(6).hex()}"

    async def create() -> None:
        connection = await asyncpg.connect(f"{server}/postgres")
        await connection.execute(f"CREATE DATABASE {name}")
        await connection.close()

    asyncio.run(create())
    return f"{server}/{name}"


def _serving(programs: Path, directory: Path) -> Iterator[str]:
    user = _unprivileged(directory)
    data = str(directory / "data")
    _run(user, directory, programs / "initdb", "-D", data, "-U", "test", "-A", "trust", "-E", "UTF8")
    port = free_ports(1)[0]
    options = f"-p {port} -h 127.0.0.1 -k {directory}"
    _run(user, directory, programs / "pg_ctl", "-D", data, "-w", "-l", f"{directory}/log", "-o", options, "start")
    try:
        yield f"postgresql://test@127.0.0.1:{port}"
    finally:
        _run(user, directory, programs / "pg_ctl", "-D", data, "-m", "immediate", "stop")


def _run(user: int | None, directory: Path, *command: str | Path) -> None:
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, user=user, timeout=60, cwd=directory)


def _unprivileged(directory: Path) -> int | None:
    """PostgreSQL refuses to run as root: then it runs as its own user, or as nobody."""
    if os.getuid() != 0:
        return None
    names = {entry.pw_name: entry.pw_uid for entry in pwd.getpwall()}
    user = names.get("postgres", names["nobody"])
    os.chown(directory, user, -1)
    return user
