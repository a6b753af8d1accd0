"""Trino, and Presto as it was before its name was Trino's: real coordinators for the tests, from Maven Central.

Unpacked once under .tools, with the connectors the tests use: memory, tpch, and Trino's iceberg, which has partitions
and snapshots. Trino 476 needs a Java of 24 or
newer; PrestoSQL 350, which speaks with `X-Presto-` headers, runs on 17. What cannot be had leaves its tests out.
Not here: starting them (tests/coordinators.py).
"""

import re
import shutil
import subprocess
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tools.findings import ROOT

_JVMS: Final = Path("/usr/lib/jvm")
_DOWNLOADING_S: Final = 900
_CONNECTORS: Final = ("memory", "tpch")
_OF_TRINO: Final = (*_CONNECTORS, "iceberg")


@dataclass(frozen=True, slots=True)
class JavaEngine:
    """One engine: what is downloaded, the folder its archive unpacks to, and the oldest and newest Java it runs on."""

    name: str
    artifacts: tuple[str, ...]
    folder: str
    oldest_java: int
    newest_java: int
    connectors: tuple[str, ...] = _CONNECTORS

    @property
    def home(self) -> Path:
        return ROOT / ".tools" / self.folder


TRINO: Final = JavaEngine(
    "trino",
    ("io.trino:trino-server-core:476:tar.gz", *(f"io.trino:trino-{name}:476:zip" for name in _OF_TRINO)),
    "trino-server-core-476",
    24,
    99,
    _OF_TRINO,
)
PRESTO: Final = JavaEngine("presto", ("io.prestosql:presto-server:350:tar.gz",), "presto-server-350", 11, 17)


def bring(engine: JavaEngine) -> str:
    """Download and unpack, once; what went wrong, or nothing."""
    if (engine.home / ".installed").is_file():
        return ""
    maven = shutil.which("mvn")
    if maven is None:
        return f"{engine.name} is not installed: no mvn on the path; tests that need it are skipped"
    print(f"· installing {engine.name} into .tools (once)", flush=True)
    with tempfile.TemporaryDirectory(dir=_made(ROOT / ".tools")) as folder:
        failed = next(filter(None, (_downloaded(maven, artifact, folder) for artifact in engine.artifacts)), "")
        failed = failed or _unpack(engine, Path(folder))
    if failed:
        return f"could not install {engine.name}: {failed}; tests that need it are skipped"
    (engine.home / ".installed").touch()
    return ""


def java(engine: JavaEngine, versions: Callable[[Path], int] | None = None) -> Path | None:
    """The newest Java here that the engine runs on."""
    known = {program: (versions or _version)(program) for program in _javas()}
    fitting = [found for found in known if engine.oldest_java <= known[found] <= engine.newest_java]
    return max(fitting, key=known.__getitem__, default=None)


def _javas() -> Iterator[Path]:
    on_path = shutil.which("java")
    if on_path:
        yield Path(on_path).resolve()
    yield from (place.resolve() for place in _JVMS.glob("*/bin/java"))


def _version(program: Path) -> int:
    said = subprocess.run([program, "-version"], capture_output=True, text=True, check=False, timeout=60).stderr
    found = re.search(r'version "(\d+)', said)
    return int(found[1]) if found else 0


def _downloaded(maven: str, artifact: str, folder: str) -> str:
    command = [maven, "-B", "-q", "dependency:copy", f"-Dartifact={artifact}", f"-DoutputDirectory={folder}"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_DOWNLOADING_S)
    except (OSError, subprocess.TimeoutExpired) as failed:
        return f"{artifact}: {type(failed).__name__}"
    return "" if done.returncode == 0 else f"{artifact} could not be downloaded"


def _unpack(engine: JavaEngine, folder: Path) -> str:
    """The server, and of its connectors only those that the tests use."""
    for archive in folder.glob("*.tar.gz"):
        done = subprocess.run(["tar", "-xzf", archive, "-C", folder], capture_output=True, check=False)
        if done.returncode != 0:
            return f"{archive.name} could not be unpacked"
    plugins = _made(folder / engine.folder / "plugin")
    for plugin in set(plugins.iterdir()) - {plugins / name for name in engine.connectors}:
        shutil.rmtree(plugin)
    for archive in folder.glob("*.zip"):
        with zipfile.ZipFile(archive) as packed:
            packed.extractall(folder)
        shutil.move(folder / archive.stem, plugins / archive.stem.split("-")[1])
    shutil.rmtree(engine.home, ignore_errors=True)
    shutil.move(folder / engine.folder, engine.home)
    return ""


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder
