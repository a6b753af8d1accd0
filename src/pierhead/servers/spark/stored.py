"""Logs of applications in buckets: finds the objects that matter by their names, copies them, and gives the folders.

The same rules as for folders of files (`event_log_files`, `logs`). Errors of all that is asked here, where no bucket
gave anything: PermissionError, TimeoutError, NotFound (`no-such-log`), Unreadable.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from pierhead.sdk import NotFound
from pierhead.servers.spark import logs
from pierhead.servers.spark.bucket import Bucket, Object
from pierhead.servers.spark.copies import Copies, Wanted
from pierhead.servers.spark.event_log_files import ROLLING, Unreadable, is_packed, named, number_of
from pierhead.servers.spark.settings import SparkSettings

_LARGEST_EVENTS: Final = 512 * 2**20
_HEAD: Final = 2**20
_GLANCED_TAIL: Final = 256 * 1024
_LARGEST_PACKED: Final = 4 * 2**20
_MOST_GLANCED: Final = 60
_MOST_LOOKED_INTO: Final = 40
_LOOKED_HEAD: Final = 256 * 1024
_LOOKED_TAIL: Final = 64 * 1024
_DRIVER_TAIL: Final = 63 * 2**20
_EXECUTOR_TAIL: Final = 7 * 2**20
_MOST_EXECUTORS: Final = 20
_AT_ONCE: Final = 8


class Stored:
    """Over the buckets that one server's settings name. Called in threads."""

    def __init__(self, chosen: SparkSettings, opened: Callable[[str], Bucket] | None = None) -> None:
        self._seconds = chosen.source_s * 0.9
        self._copies = Copies()
        opened = opened or (lambda place: Bucket(place, chosen.store, chosen.login, chosen.source_s))
        self._events = [opened(place) for place in chosen.stored(chosen.event_logs)]
        self._drivers = [opened(place) for place in chosen.stored(chosen.driver_logs)]
        self._executors = [opened(place) for place in chosen.stored(chosen.executor_logs)]

    @property
    def root(self) -> list[Path]:
        """The folder of all copies, once there are any."""
        return [self._copies.root] if self._copies.root else []

    def close(self) -> None:
        self._copies.close()

    def event_logs(self, application: str) -> list[Path]:
        """Folders with all attempts of one application."""

        def wanted(bucket: Bucket, until: float) -> list[Wanted]:
            every = [
                each
                for stem in (application, f"{ROLLING}{application}")
                for each in bucket.beginning_with(stem, until)
                if _is_event_log(each) and _application(each) == application
            ]
            size = sum(each.size for each in every)
            if size > _LARGEST_EVENTS:
                raise Unreadable(f"it has {size >> 20} MiB, more than is copied: mount it, or ask a History Server")
            return [Wanted(each, each.size, 0) for each in every]

        return self._of_each(self._events, application, wanted)

    def glanced(self) -> list[Path]:
        """Folders with the beginnings and ends of the newest event logs: enough to list them."""

        def wanted(bucket: Bucket, until: float) -> list[Wanted]:
            every: dict[str, list[Object]] = {}
            for each in bucket.objects(until):
                if _is_event_log(each):
                    every.setdefault(each.first, []).append(each)
            newest = sorted(every.values(), key=lambda parts: max((each.modified, each.name) for each in parts))[::-1]
            return [one for parts in newest[:_MOST_GLANCED] for one in _ends_of(parts)]

        return self._of_each(self._events, "glanced", wanted)

    def driver_logs(self, names: Iterable[str]) -> list[Path]:
        """Folders with the log of the driver that has these names, in its own name or in what it says."""
        every = [name for name in names if name]

        def wanted(bucket: Bucket, until: float) -> list[Wanted]:
            drivers = [each for each in bucket.objects(until) if _is_log(each) and logs.executor_in(each.name) is None]
            found = [each for each in drivers if logs.is_named(each.name, every)]
            if not found:
                newest = sorted(drivers, key=lambda each: -each.modified)[:_MOST_LOOKED_INTO]
                found = _saying(bucket, newest, [name.encode() for name in every], until)
            return [Wanted(max(found, key=_likely), _HEAD, _DRIVER_TAIL)] if found else []

        return self._of_each(self._drivers, " ".join(["driver", *every]), wanted)

    def executor_logs(self, names: Iterable[str], first: str = "") -> list[Path]:
        """Folders with the newest logs of its executors, that of `first` among them."""
        every = [name for name in names if name]

        def wanted(bucket: Bucket, until: float) -> list[Wanted]:
            best: dict[str, Object] = {}
            for each in bucket.objects(until):
                number = logs.executor_in(each.name) if _is_log(each) and logs.is_named(each.name, every) else None
                if number is not None and (number not in best or _likely(each) > _likely(best[number])):
                    best[number] = each
            chosen = sorted(best, key=lambda number: (number != first, -best[number].modified))[:_MOST_EXECUTORS]
            return [Wanted(best[number], _HEAD, _EXECUTOR_TAIL) for number in chosen]

        return self._of_each(self._executors, " ".join(["executors", *every]), wanted)

    def _of_each(
        self, buckets: Sequence[Bucket], subject: str, wanted: Callable[[Bucket, float], list[Wanted]]
    ) -> list[Path]:
        """One bucket that fails takes no other with it."""
        until, folders = time.monotonic() + self._seconds, list[Path]()
        failures: list[OSError | NotFound | Unreadable] = []
        for bucket in buckets:
            try:
                objects = wanted(bucket, until)
                if objects:
                    folders.append(self._copies.made(bucket, subject, objects, until))
            except (OSError, NotFound, Unreadable) as failed:
                failures.append(failed)
        if failures and not folders:
            raise failures[0]
        return folders


def _is_event_log(each: Object) -> bool:
    """A file beside the others, or a part in the folder of a rolling log."""
    return each.name.startswith(ROLLING) == ("/" in each.name) and each.name.count("/") <= 1


def _application(each: Object) -> str:
    return named(each.first.removeprefix(ROLLING))[0]


def _ends_of(parts: Sequence[Object]) -> list[Wanted]:
    """What of a log is copied to list it; nothing of a packed one that is large."""
    numbered = sorted((number, each.name, each) for each in parts if (number := number_of(each.name)) is not None)
    ends = [numbered[0][2], numbered[-1][2]] if numbered else [each for each in parts if "/" not in each.name]
    if any(is_packed(each.name) and each.size > _LARGEST_PACKED for each in ends):
        return []
    # A packed part is copied whole: its ends alone tell nothing.
    tails = {
        each.name: Wanted(each, max(_HEAD, each.size if is_packed(each.name) else 0), _GLANCED_TAIL, False)
        for each in ends
    }
    beside = [Wanted(each, _HEAD, 0) for each in parts if each.name.rpartition("/")[2].startswith("appstatus_")]
    return [*tails.values(), *beside]


def _is_log(each: Object) -> bool:
    return logs.is_log(each.name.rpartition("/")[2])


def _saying(bucket: Bucket, newest: Sequence[Object], names: Sequence[bytes], until: float) -> list[Object]:
    """The newest of these whose beginning or end tells of one of the names."""

    def is_said(each: Object) -> bool:
        head = b"".join(bucket.pieces(each, 0, min(each.size, _LOOKED_HEAD), until))
        tail = b"".join(bucket.pieces(each, max(_LOOKED_HEAD, each.size - _LOOKED_TAIL), each.size, until))
        return any(name in head or name in tail for name in names)

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        said = list(pool.map(is_said, newest))
    return [each for each, is_one in zip(newest, said, strict=True) if is_one][:1]


def _likely(each: Object) -> tuple[bool, float]:
    return "stderr" in each.name or "driver" in each.name, each.modified
