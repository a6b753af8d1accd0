"""Trino, and PrestoDB, which speaks with `X-Presto-` headers: real coordinators for the tests, from Maven Central.

Put together once under .tools, out of what tools/NAME/pom.xml names and as tools/NAME/digests.sha256 has its digests,
with the connectors the tests use: memory, tpch, and Trino's iceberg, which has partitions and snapshots. Trino 476
needs a Java of 24 or newer; PrestoDB 0.287 runs on 17. What cannot be had leaves its tests out. After a pom was
changed, `python -m tools.java_engines` writes the digests anew. Not here: starting them (tests/coordinators.py).
"""

import hashlib
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tools.findings import ROOT

_JVMS: Final = Path("/usr/lib/jvm")
_DOWNLOADING_S: Final = 900


@dataclass(frozen=True, slots=True)
class JavaEngine:
    """One engine: its name, the folder it lies in under .tools, the oldest and newest Java it runs on."""

    name: str
    folder: str
    oldest_java: int
    newest_java: int

    @property
    def home(self) -> Path:
        return ROOT / ".tools" / self.folder

    @property
    def pom(self) -> Path:
        return ROOT / "tools" / self.name / "pom.xml"

    @property
    def digests(self) -> Path:
        return self.pom.with_name("digests.sha256")


TRINO: Final = JavaEngine("trino", "trino-server-core-476", 24, 99)
PRESTO: Final = JavaEngine("presto", "presto-0.287", 11, 17)


def bring(engine: JavaEngine) -> str:
    """Download and put together, once for each lock; what went wrong, or nothing."""
    done = engine.home / ".installed"
    if done.is_file() and done.read_bytes() == engine.digests.read_bytes():
        return ""
    maven = shutil.which("mvn")
    if maven is None:
        return f"{engine.name} is not installed: no mvn on the path; tests that need it are skipped"
    print(f"· installing {engine.name} into .tools (once)", flush=True)
    with tempfile.TemporaryDirectory(dir=_made(ROOT / ".tools")) as folder:
        parts = Path(folder) / "parts"
        failed = _downloaded(maven, engine, parts) or other_than(engine.digests, parts) or _put_together(engine, parts)
    if failed:
        return f"could not install {engine.name}: {failed}; tests that need it are skipped"
    shutil.copyfile(engine.digests, done)
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


def _downloaded(maven: str, engine: JavaEngine, folder: Path) -> str:
    """All that the pom names, and what that needs, in one folder."""
    command = [maven, "-B", "-q", "-f", engine.pom, "dependency:copy-dependencies"]
    command += ["-DincludeScope=runtime", f"-DoutputDirectory={folder}"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_DOWNLOADING_S)
    except (OSError, subprocess.TimeoutExpired) as failed:
        return f"{engine.pom.relative_to(ROOT)}: {type(failed).__name__}"
    return "" if done.returncode == 0 else f"what {engine.pom.relative_to(ROOT)} names could not be downloaded"


def digests_of(folder: Path) -> str:
    """The files of a folder as `sha256sum` writes them, by name."""
    return "".join(f"{_digest(file)}  {file.name}\n" for file in sorted(folder.iterdir()))


def _digest(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def other_than(digests: Path, parts: Path) -> str:
    """What came and is not locked so, or is locked and did not come; nothing if all is as locked."""
    came, locked = digests_of(parts).splitlines(), digests.read_text(encoding="ascii").splitlines()
    names = sorted({line.split()[-1] for line in {*came} ^ {*locked}})
    return f"not as {digests.parent.name}/{digests.name} has it: {', '.join(names)}" if names else ""


def _put_together(engine: JavaEngine, parts: Path) -> str:
    """The server out of its archive or its jars, and of its connectors only those that the tests use."""
    made = _made(parts / engine.folder)
    for archive in parts.glob("*.tar.gz"):
        done = subprocess.run(["tar", "-xzf", archive, "-C", parts], capture_output=True, check=False)
        if done.returncode != 0:
            return f"{archive.name} could not be unpacked"
    for jar in parts.glob("*.jar"):
        shutil.move(jar, _made(made / "lib") / jar.name)
    shutil.rmtree(made / "plugin", ignore_errors=True)
    for archive in parts.glob("*.zip"):
        with zipfile.ZipFile(archive) as packed:
            packed.extractall(parts)
        shutil.move(parts / archive.stem, _made(made / "plugin") / archive.stem.split("-")[1])
    shutil.rmtree(engine.home, ignore_errors=True)
    shutil.move(made, engine.home)
    return ""


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def lock(engine: JavaEngine) -> str:
    """Write the digests of what the pom names today; what went wrong, or nothing."""
    with tempfile.TemporaryDirectory() as folder:
        parts = Path(folder) / "parts"
        failed = _downloaded("mvn", engine, parts)
        if not failed:
            engine.digests.write_text(digests_of(parts), encoding="ascii")
    return failed


if __name__ == "__main__":
    sys.exit("\n".join(filter(None, map(lock, (TRINO, PRESTO)))) or 0)
