"""Finds the logs of an application in folders, by its id in names, else by what stands at their beginning.

Every search is bounded; links lead nowhere. An executor's log lies in a folder with its number under the application's,
as workers keep them, or names both. Not here: reading logs.
"""

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from pierhead.servers.spark.references import IDS_IN_TEXT, AirflowTask

_MOST_LISTED: Final = 20_000
_DEEPEST: Final = 4
_MOST_OPENED: Final = 300
_HEAD: Final = 256 * 1024
_TAIL: Final = 64 * 1024
_NAMED_EXECUTOR: Final = re.compile(r"exec(?:utor)?[-_]?(\d{1,6})", re.IGNORECASE)
_BESIDE: Final = ("stdout", ".out", ".json", ".crc", "appstatus")


def driver_log(folders: Sequence[Path], names: Iterable[str]) -> Path | None:
    """The driver's log of an application that has these names (its id, its pods). Errors: OSError."""
    wanted = [name for name in names if name]
    files = [each for folder in folders for each in _files(folder)]
    named = [each for each, inner in files if is_named(inner, wanted) and executor_in(inner) is None]
    if named:
        return max(named, key=_likely)
    newest = sorted((each for each, inner in files if executor_in(inner) is None), key=_modified, reverse=True)
    said = [name.encode() for name in wanted]
    return next((each for each in newest[:_MOST_OPENED] if any(name in _ends(each) for name in said)), None)


def executor_logs(folders: Sequence[Path], names: Iterable[str]) -> dict[str, Path]:
    """The logs of its executors, by their numbers. Errors: OSError."""
    wanted, found = [name for name in names if name], dict[str, Path]()
    for folder in folders:
        for each, inner in _files(folder):
            number = executor_in(inner) if is_named(inner, wanted) else None
            if number is not None and (number not in found or _likely(each) > _likely(found[number])):
                found[number] = each
    return found


def airflow_log(folders: Sequence[Path], task: AirflowTask) -> Path | None:
    """The log of a task's try, the newest by default, as Airflow lays logs out. Errors: OSError."""
    place = Path(f"dag_id={task.dag}", f"run_id={task.run}", f"task_id={task.task}")
    found: list[tuple[int, Path]] = []
    for folder in folders:
        for each in (folder / place).glob("**/attempt=*.log"):
            attempt = re.fullmatch(r"attempt=(\d{1,4})\.log", each.name)
            if attempt and not each.is_symlink() and task.attempt in {0, int(attempt[1])}:
                found.append((int(attempt[1]), each))
    return max(found, default=(0, None))[1]


def is_named_in(folders: Sequence[Path], application: str) -> bool:
    """Whether a log of these folders, of the newest, tells of an application. Errors: OSError."""
    files = sorted((each for folder in folders for each, _ in _files(folder)), key=_modified, reverse=True)
    return any(application.encode() in _ends(each) for each in files[:_MOST_OPENED])


def application_in(log: Path) -> str:
    """The id of the application that a log tells of, the last one; empty where there is none. Errors: OSError."""
    found = IDS_IN_TEXT.findall(_ends(log).decode(errors="replace"))
    real = [name for name in found if not name.startswith("driver-")]
    return (real or found or [""])[-1]


def _files(folder: Path) -> Iterator[tuple[Path, str]]:
    """The files below a folder, with their places in it."""
    seen = 0
    for at, inner, files in os.walk(folder):
        depth = len(Path(at).relative_to(folder).parts)
        inner[:] = [] if depth >= _DEEPEST else sorted(each for each in inner if not each.startswith("."))
        for name in files:
            seen += 1
            if seen > _MOST_LISTED:
                return
            place = Path(at, name)
            if is_log(name) and not place.is_symlink():
                yield place, str(place.relative_to(folder))


def is_log(name: str) -> bool:
    """Whether a file of this name may be a log, not what lies beside logs."""
    return not name.startswith(".") and not name.endswith(_BESIDE)


def is_named(inner: str, wanted: Sequence[str]) -> bool:
    """Whether a place names one of these, whole: app-1 is not app-10."""
    return any(re.search(rf"(?<![A-Za-z0-9]){re.escape(name)}(?![A-Za-z0-9])", inner) for name in wanted)


def executor_in(inner: str) -> str | None:
    """The number of the executor whose log this is."""
    named = _NAMED_EXECUTOR.search(inner)
    if named:
        return named[1]
    parts = Path(inner).parts
    return parts[-2] if len(parts) > 1 and parts[-2].isdigit() else None


def _likely(place: Path) -> tuple[bool, float]:
    return "stderr" in place.name or "driver" in place.name, _modified(place)


def _modified(place: Path) -> float:
    return place.stat().st_mtime


def _ends(place: Path) -> bytes:
    """The beginning and the end of a file."""
    with place.open("rb") as file:
        head = file.read(_HEAD)
        file.seek(max(0, place.stat().st_size - _TAIL))
        return head + b"\n" + file.read(_TAIL)
