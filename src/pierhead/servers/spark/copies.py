"""Copies of objects of buckets in a private folder, one folder for what was asked, so that readers of files read them.

Copied is what an application's question needs, within bounds of size and time; the whole folder goes when its server
ends, and what was not used for long goes earlier. A log that is too long keeps its beginning and its end, and says so.
"""

import os
import shutil
import tempfile
import threading
import time
from collections.abc import Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Final

from pierhead.sdk import NotFound
from pierhead.servers.spark.bucket import Bucket, Object
from pierhead.servers.spark.event_log_files import Unreadable

_MOST_KEPT: Final = 2 * 2**30
_UNUSED_S: Final = 120.0
_AT_ONCE: Final = 8


@dataclass(frozen=True, slots=True)
class Wanted:
    """An object, and how many bytes of its beginning and end are copied. `is_told`: a line says what is left out."""

    object: Object
    head: int
    tail: int
    is_told: bool = True

    @property
    def size(self) -> int:
        return min(self.object.size, self.head + self.tail)

    @property
    def mark(self) -> str:
        """Of what was copied: another mark is another copy."""
        each = self.object
        return f"{each.tag} {each.size} {each.modified} {self.head} {self.tail}"


@dataclass(slots=True)
class _Folder:
    """What was copied into one folder, by name."""

    lock: threading.Lock
    marks: dict[str, str]
    size: int = 0
    used: float = 0.0


class Copies:
    """Safe to use from threads. Its folder is made when it is first needed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._folders: dict[Path, _Folder] = {}
        self._root: Path | None = None

    @property
    def root(self) -> Path | None:
        """The folder of all copies; None, where nothing was copied."""
        return self._root

    def close(self) -> None:
        with self._lock:
            if self._root is not None:
                shutil.rmtree(self._root, ignore_errors=True)
            self._root, self._folders = None, {}

    def made(self, bucket: Bucket, subject: str, wanted: Sequence[Wanted], until: float) -> Path:
        """The folder that holds copies of these, but of what is gone meanwhile, and of nothing else.

        Errors: PermissionError, TimeoutError, Unreadable.
        """
        place = self._place(f"{bucket.place} {subject}")
        with self._held(place, sum(each.size for each in wanted), until) as folder:
            names = {each.object.name: each for each in wanted}
            for name in folder.marks.keys() - names.keys():
                (place / name).unlink(missing_ok=True)
                del folder.marks[name]
            missing = [each for name, each in names.items() if folder.marks.get(name) != each.mark]
            folder.marks |= dict.fromkeys((each.object.name for each in missing), "")
            with ThreadPoolExecutor(_AT_ONCE) as pool:
                for each, is_there in zip(
                    missing, pool.map(partial(_copied, bucket, place, until), missing), strict=True
                ):
                    folder.marks[each.object.name] = each.mark if is_there else ""
            folder.size = sum(each.size for each in wanted)
        return place

    def _place(self, subject: str) -> Path:
        with self._lock:
            if self._root is None:
                self._root = Path(tempfile.mkdtemp(prefix="pierhead-spark-"))
            return self._root / sha256(subject.encode()).hexdigest()[:32]

    @contextmanager
    def _held(self, place: Path, size: int, until: float) -> Generator[_Folder]:
        """The folder, to whoever waits for it alone. Errors: TimeoutError; Unreadable where all is full."""
        with self._lock:
            self._make_room(place, size)
            folder = self._folders.setdefault(place, _Folder(threading.Lock(), {}))
            folder.size, folder.used = max(folder.size, size), time.monotonic()
            place.mkdir(mode=0o700, exist_ok=True)
        if not folder.lock.acquire(timeout=max(0.0, until - time.monotonic())):
            raise TimeoutError
        try:
            yield folder
        finally:
            folder.lock.release()

    def _make_room(self, place: Path, size: int) -> None:
        """Errors: Unreadable."""
        others = sorted((each for each in self._folders if each != place), key=lambda each: self._folders[each].used)
        kept = sum(self._folders[each].size for each in others)
        for each in others:
            if kept + size <= _MOST_KEPT:
                return
            folder = self._folders[each]
            if time.monotonic() - folder.used > _UNUSED_S and not folder.lock.locked():
                kept -= folder.size
                del self._folders[each]
                shutil.rmtree(each, ignore_errors=True)
        if kept + size > _MOST_KEPT:
            raise Unreadable(f"copies of it need {size >> 20} MiB, and there is no room for them now")


def _copied(bucket: Bucket, folder: Path, until: float, wanted: Wanted) -> bool:
    """Write the copy, as old as its object, at once under its name; False where the object is gone.

    Errors: PermissionError, TimeoutError, Unreadable.
    """
    each, place = wanted.object, folder / wanted.object.name
    place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    being_made = place.with_name(f".{sha256(each.name.encode()).hexdigest()[:16]}")
    try:
        with being_made.open("wb") as file:
            file.writelines(_content(bucket, wanted, until))
    except NotFound:  # a log is renamed when its application ends
        being_made.unlink()
        return False
    os.utime(being_made, (each.modified, each.modified))
    being_made.replace(place)
    return True


def _content(bucket: Bucket, wanted: Wanted, until: float) -> Generator[bytes]:
    """Errors: as `Bucket.pieces`."""
    each, left_out = wanted.object, wanted.object.size - wanted.head - wanted.tail
    if left_out <= 0:
        yield from bucket.pieces(each, 0, each.size, until)
        return
    yield from bucket.pieces(each, 0, wanted.head, until)
    if wanted.is_told:
        yield f"\n[{left_out} bytes of the object are left out]\n".encode()
    yield from bucket.pieces(each, each.size - wanted.tail, each.size, until)
