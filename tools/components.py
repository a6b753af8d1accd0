"""The real components that tests drive: brought here once, or politely left out.

Debian packages, where this is a Debian and we may install; clients and suites from `tools/node` into .tools/node, AI
clients from `tools/ai_clients` into .tools/ai_clients, public MCP servers likewise;
Trino and Presto from Maven (java_engines.py).
What could not be had is not an error here: the tests that need it skip with `component NAME: what was tried`, and
in CI (PIERHEAD_REQUIRE=all) such a skip fails. Not here: starting components (the tests do).
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from tools import java_engines
from tools.findings import ROOT
from tools.java_engines import PRESTO, TRINO

NODE_SOURCE: Final = ROOT / "tools" / "node"
NODE_TARGET: Final = ROOT / ".tools" / "node"
AI_CLIENTS_SOURCE: Final = ROOT / "tools" / "ai_clients"
AI_CLIENTS_TARGET: Final = ROOT / ".tools" / "ai_clients"
PUBLIC_SERVERS_SOURCE: Final = ROOT / "tools" / "public_servers"
PUBLIC_SERVERS_TARGET: Final = ROOT / ".tools" / "public_servers"
SPARK_TARGET: Final = ROOT / ".tools" / "spark"
AIRFLOW_TARGET: Final = ROOT / ".tools" / "airflow"
S3_TARGET: Final = ROOT / ".tools" / "s3"
_NODE_FILES: Final = ("package.json", "package-lock.json", ".npmrc")
_DEBIAN: Final = {
    "postgresql": ("postgres", "/usr/lib/postgresql/*/bin/postgres"),
    "mariadb-server": ("mariadbd", "/usr/sbin/mariadbd"),
    "chromium": ("chromium", "/usr/bin/chromium"),
    "strace": ("strace", "/usr/bin/strace"),
    "fonts-liberation": ("", "/usr/share/fonts/truetype/liberation*/LiberationSans-Regular.ttf"),
}


def prepare() -> None:
    """Bring what is missing and can be had; say what could not."""
    for problem in (
        _debian(),
        bring_node(),
        bring_ai_clients(),
        bring_public_servers(),
        java_engines.bring(TRINO),
        java_engines.bring(PRESTO),
        bring_spark(),
        bring_airflow(),
        bring_s3(),
    ):
        if problem:
            print(f"· {problem}", flush=True)


def missing_packages(packages: Mapping[str, tuple[str, str]] = _DEBIAN, root: Path = Path("/")) -> list[str]:
    """The Debian packages whose program is neither on the path nor where Debian puts it."""
    return [
        package
        for package, (program, place) in packages.items()
        if not (program and shutil.which(program)) and not any(root.glob(place.lstrip("/")))
    ]


def _debian() -> str:
    missing = missing_packages()
    if not missing:
        return ""
    names = ", ".join(missing)
    if shutil.which("apt-get") is None or os.geteuid() != 0:
        return f"not installed: {names} (needs apt-get as root); tests that need them are skipped"
    print(f"· installing {names} (once)", flush=True)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    updated = _run(["apt-get", "update", "-qq"], environment=environment)
    failed = updated or _run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing], environment)
    return f"could not install {names}: {failed}" if failed else ""


def node_is_current(source: Path = NODE_SOURCE, target: Path = NODE_TARGET) -> bool:
    """Whether what lies in `target` was installed from the very lock file of `source`."""
    done = target / ".installed"
    return done.is_file() and done.read_bytes() == (source / "package-lock.json").read_bytes()


def bring_node() -> str:
    """Install the node tools, once for each lock file; what went wrong, or nothing."""
    return _bring(NODE_SOURCE, NODE_TARGET, "the MCP clients and the conformance suite")


def bring_ai_clients() -> str:
    """Install the AI clients that people use, a gigabyte of them; what went wrong, or nothing."""
    return _bring(AI_CLIENTS_SOURCE, AI_CLIENTS_TARGET, "the AI clients")


def bring_public_servers() -> str:
    """Install MCP servers that others wrote, 200 MB of them; what went wrong, or nothing."""
    return _bring(PUBLIC_SERVERS_SOURCE, PUBLIC_SERVERS_TARGET, "public MCP servers")


def bring_spark() -> str:
    """Install Spark into an environment of its own, half a gigabyte of it; what went wrong, or nothing."""
    return _bring_python("Spark", ROOT / "requirements" / "spark.lock", SPARK_TARGET)


def bring_airflow() -> str:
    """Install Airflow into an environment of its own, 300 MB of it; what went wrong, or nothing."""
    return _bring_python("Airflow", ROOT / "requirements" / "airflow.lock", AIRFLOW_TARGET)


def bring_s3() -> str:
    """Install an S3-compatible store into an environment of its own, 80 MB of it; what went wrong, or nothing."""
    return _bring_python("an object store", ROOT / "requirements" / "s3.lock", S3_TARGET)


def _bring_python(what: str, lock: Path, target: Path) -> str:
    done = target / ".installed"
    if done.is_file() and done.read_bytes() == lock.read_bytes():
        return ""
    print(f"· installing {what} into .tools/{target.name} (once)", flush=True)
    uv, python = Path(sys.executable).with_name("uv"), target / "bin" / "python"
    install = [str(uv), "pip", "install", "--quiet", "--python", str(python), "--require-hashes", "-r", str(lock)]
    made = _run([str(uv), "venv", "--quiet", "--clear", "--python", sys.executable, str(target)], os.environ)
    failed = made or _run(install, os.environ)
    if failed:
        return f"could not install {what}: {failed}; tests that need it are skipped"
    shutil.copyfile(lock, done)
    return ""


def _bring(source: Path, target: Path, what: str) -> str:
    """Install a folder's locked packages, none of whose scripts is run."""
    if node_is_current(source, target):
        return ""
    print(f"· installing {what} into .tools/{target.name} (once)", flush=True)
    target.mkdir(parents=True, exist_ok=True)
    for name in _NODE_FILES:
        shutil.copyfile(source / name, target / name)
    programs = Path(sys.executable).parent
    environment = {**os.environ, "PATH": f"{programs}{os.pathsep}{os.environ.get('PATH', '')}"}
    command = [str(programs / "npm"), "ci", "--ignore-scripts", "--loglevel=error"]
    failed = _run(command, environment, folder=target)
    if failed:
        return f"could not install {what}: {failed}; tests that need them are skipped"
    shutil.copyfile(target / "package-lock.json", target / ".installed")
    return ""


def _run(command: Sequence[str], environment: Mapping[str, str], folder: Path = ROOT) -> str:
    """The end of what a failed command said; empty if it succeeded."""
    try:
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=600
        )
    except (OSError, subprocess.TimeoutExpired) as failed:
        return str(failed)
    said = (done.stderr or done.stdout).strip().splitlines() or [f"exit code {done.returncode}"]
    return "" if done.returncode == 0 else said[-1]
