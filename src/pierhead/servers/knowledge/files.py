"""The files of a source: what lies in its folder, and who edited it if the folder is a git checkout.

Nothing outside the folder is ever read: links are not followed. Not here: what a file says (`documents`).
"""

import os
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

READABLE: Final = frozenset({".md", ".markdown", ".html", ".htm", ".pdf", ".txt", ".rst", ".adoc"})
LARGEST: Final = 32 * 1024 * 1024
MOST: Final = 200_000
_GIT_S: Final = 30
_COMMITS: Final = 20_000
#: A checkout may be configured to run programs; none of its configuration that can is in force.
_OFF: Final = ("core.fsmonitor=false", "core.hooksPath=/dev/null", "core.pager=cat", "log.showSignature=false")
_GIT: Final = ("git", *(word for setting in _OFF for word in ("-c", setting)))


@dataclass(frozen=True, slots=True)
class Found:
    """A file, by its path below the folder, with `/` between its parts. `modified` is in Unix seconds."""

    path: str
    modified: float
    size: int


@dataclass(frozen=True, slots=True)
class Edit:
    """The last commit that changed a file."""

    at: float
    by: str
    commit: str


def files_of(folder: Path) -> Iterator[Found]:
    """Every readable file, hidden ones and links left out; at most 200,000. Errors: OSError."""
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder.name} is no folder")
    count = 0
    for base, folders, names in os.walk(folder, followlinks=False):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            place = Path(base, name)
            if name.startswith(".") or place.suffix.lower() not in READABLE or place.is_symlink():
                continue
            about = place.stat()
            count += 1
            if count > MOST:
                return
            yield Found(place.relative_to(folder).as_posix(), about.st_mtime, about.st_size)


def content_of(folder: Path, found: Found) -> bytes:
    """What the file says. Errors: OSError, also for one that has become a link."""
    opened = os.open(folder / found.path, os.O_RDONLY | os.O_NOFOLLOW)
    with os.fdopen(opened, "rb") as file:
        return file.read(LARGEST)


def edits_of(folder: Path) -> Mapping[str, Edit]:
    """The last edit of each file of a git checkout, by path; nothing for any other folder.

    Errors: OSError, when git cannot be asked.
    """
    if not is_checkout(folder):
        return {}
    said = git(
        folder, "log", f"-{_COMMITS}", "--format=%x01%H%x02%at%x02%an", "--name-only", "-z", "--relative", "--", "."
    )
    edits: dict[str, Edit] = {}
    for record in said.split("\x01")[1:]:
        head, _, names = record.partition("\0")
        commit, at, by = head.strip("\n").split("\x02")
        for name in names.split("\0"):
            edits.setdefault(name.strip("\n"), Edit(float(at), by, commit))
    edits.pop("", None)
    return edits


def is_checkout(folder: Path) -> bool:
    return any((parent / ".git").exists() for parent in (folder.absolute(), *folder.absolute().parents))


def git(folder: Path, *words: str, more: Mapping[str, str] | None = None, text: str = "") -> str:
    """What git says to `text`, with nothing of our environment but `more`. Errors: OSError, with its last line."""
    environment = {
        "PATH": os.defpath,
        "GIT_CONFIG_NOSYSTEM": "1",
        "HOME": "/nonexistent",
        "LC_ALL": "C",
        **(more or {}),
    }
    command = [*_GIT, "-C", str(folder), *words]
    try:
        done = subprocess.run(  # noqa: S603 - the operator's folder, our words
            command, env=environment, input=text.encode(), capture_output=True, check=False, timeout=_GIT_S
        )
    except subprocess.TimeoutExpired:
        raise OSError("git took too long") from None
    if done.returncode:
        lines = done.stderr.decode(errors="replace").strip().splitlines()
        raise OSError(f"git: {lines[-1] if lines else done.returncode}")
    return done.stdout.decode(errors="surrogateescape")
