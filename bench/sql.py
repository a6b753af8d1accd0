"""`run_query` of one row by key on PostgreSQL: through gateway and SQL server, beside bare ASGI and asyncpg.

Calls a second at 16 connections, over all cores: ours is two processes, the floor one; both share the machine with
the database and the load. Twice: the same key again and again, and 1,000 keys (1,000 statements, as agents write
them).
"""

import json
import secrets
import subprocess
import sys
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench import components
from bench.issuer import Issuer, signing_in
from bench.load import Endpoint, Flawed, Request, Window, check, tools_call, window
from bench.policy import GROUP
from bench.processes import NotStarted, free_port, started
from bench.results import Results, Target
from pierhead.adapters.assertion import server_key

CONNECTIONS: Final = 16
ROUNDS: Final = 3
SECONDS: Final = 2
_SHAPES: Final = {"one-key": 1, "1000-keys": 1000}
_UVICORN: Final = ("--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "error")
USER: Final = "postgres"
TARGETS: Final = tuple(
    Target(f"sql.pierhead.{shape}", "calls_per_s_c16", f"sql.asyncpg.{shape}", at_least=0.4) for shape in _SHAPES
)


@dataclass(frozen=True, slots=True)
class _Path:
    """One way to the row."""

    name: str
    endpoint: Endpoint
    token: str


def measure(results: Results, folder: Path, say: Callable[[str], None]) -> None:
    """Both ways in turn, for each shape. What cannot be started is named in the results."""
    try:
        with ExitStack() as stack:
            say("sql: starting PostgreSQL")
            url = stack.enter_context(database(folder))
            issuer = stack.enter_context(signing_in())
            paths = [_floor(stack, folder, url), _governed(stack, folder, url, issuer)]
            for shape, keys in _SHAPES.items():
                _shape(results, paths, shape, keys, say)
    except (components.Absent, NotStarted, Flawed, subprocess.SubprocessError) as failed:
        for target in TARGETS:
            results.miss(target.name, str(failed))


def _shape(results: Results, paths: Sequence[_Path], shape: str, keys: int, say: Callable[[str], None]) -> None:
    windows: dict[str, list[Window]] = {}
    for path in paths:
        check(path.endpoint, _request(path.token, keys))
        window(path.endpoint, _request(path.token, keys), CONNECTIONS, 2 * SECONDS)
    for number in range(ROUNDS):
        say(f"sql: {shape}, round {number + 1} of {ROUNDS}")
        for path in paths:
            windows.setdefault(path.name, []).append(
                window(path.endpoint, _request(path.token, keys), CONNECTIONS, SECONDS)
            )
    for name, found in windows.items():
        calls = sum(each.calls for each in found)
        results.add(f"{name}.{shape}", "calls_per_s_c16", max(each.calls_per_s for each in found), "1/s", calls)
        results.add(f"{name}.{shape}", "p50_c16", min(each.p50_us for each in found), "us", calls)
        results.add(f"{name}.{shape}", "cpu_per_call_c16", min(each.cpu_us_per_call for each in found), "us", calls)
    results.compare(f"sql.pierhead.{shape}", "calls_per_s_c16", f"sql.asyncpg.{shape}")


def _request(token: str, keys: int) -> Request:
    body = tools_call("run_query", {"sql": "SELECT * FROM measurements WHERE id = KEY"})
    return Request("run_query", body, "station-", token, keys)


def _floor(stack: ExitStack, folder: Path, url: str) -> _Path:
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "bench.programs.asyncpg_floor:app", *_UVICORN, "--port", str(port)]
    program = stack.enter_context(started("asyncpg", command, port, folder, environment={"DATABASE_URL": url}))
    return _Path("sql.asyncpg", Endpoint(program, "/"), "")


def _governed(stack: ExitStack, folder: Path, url: str, issuer: Issuer) -> _Path:
    """The SQL server, and the gateway before it."""
    master, server_port, port = secrets.token_bytes(32), free_port(), free_port()
    public_url = f"http://127.0.0.1:{port}"
    upstream = f"http://127.0.0.1:{server_port}/mcp"
    server = {"port": server_port, "database_url": url, "key": server_key(master, "warehouse").hex()}
    gateway = {
        "port": port,
        "issuer_url": issuer.url,
        "upstream": upstream,
        "assertion_key": master.hex(),
        "database_url": url,
    }
    _start(stack, folder, "sql_server", "server.json", server)
    program = _start(stack, folder, "governed", "gateway.json", gateway)
    token = issuer.token(public_url, f"{public_url}/mcp/warehouse", "alice", [GROUP])
    return _Path("sql.pierhead", Endpoint(program, "/mcp/warehouse"), token)


def _start(stack: ExitStack, folder: Path, module: str, file: str, asked: Mapping[str, object]):  # noqa: ANN202
    own = folder / module
    own.mkdir()
    (own / file).write_text(json.dumps(asked))
    command = [sys.executable, "-m", f"bench.programs.{module}", own]
    return stack.enter_context(started(module, command, int(str(asked["port"])), folder))


@contextmanager
def database(folder: Path) -> Generator[str]:
    """A PostgreSQL of its own, with one table of 100,000 rows. Errors: Absent, SubprocessError."""
    with postgresql(folder) as url:
        as_postgres([components.postgresql() / "psql", "-q", "-v", "ON_ERROR_STOP=1", url, "-c", TABLE])
        yield url


@contextmanager
def postgresql(folder: Path) -> Generator[str]:
    """A PostgreSQL of its own, empty. Errors: Absent, SubprocessError."""
    binaries, port, own = components.postgresql(), free_port(), folder / "postgresql"
    own.mkdir()
    folder.chmod(0o755)
    subprocess.run(["chown", f"{USER}:", own], check=True)
    as_postgres([binaries / "initdb", "-D", own / "data", "-A", "trust", "-U", USER, "--no-sync"])
    control = [binaries / "pg_ctl", "-D", own / "data", "-w", "-l", own / "log"]
    options = f"-c listen_addresses=127.0.0.1 -p {port} -k {own} -c max_connections=64"
    as_postgres([*control, "-o", options, "start"])
    try:
        yield f"postgresql://{USER}@127.0.0.1:{port}/postgres"
    finally:
        as_postgres([*control, "-m", "fast", "stop"])


TABLE: Final = """
create table measurements (id integer primary key, station text, taken timestamptz, celsius double precision);
insert into measurements select n, 'station-' || n % 100, timestamptz '2026-01-01' + n * interval '1 minute', n % 40
  from generate_series(1, 100000) n;
analyze measurements;
"""


def as_postgres(command: Sequence[object]) -> None:
    """As the database's own user: it refuses to run as root."""
    become = ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--init-groups"]
    subprocess.run(
        [*become, *map(str, command)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        timeout=60,
        check=True,
    )
