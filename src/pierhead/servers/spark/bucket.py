"""A prefix of an S3-compatible store, as a folder that is listed and read within bounds. obstore does the talking.

Names come from the store: those that could lead out of a folder are passed over. Not here: which objects matter
(`copies`).
"""

import errno
import re
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import PurePosixPath
from typing import Any, Final

from pierhead.sdk import NotFound
from pierhead.servers.spark.event_log_files import Unreadable
from pierhead.servers.spark.store_settings import StoreLogin, StoreSettings

MOST_LISTED: Final = 50_000
_PAGE: Final = 1000
_PIECE: Final = 4 * 2**20
_DEEPEST: Final = 6
_LONGEST_PART: Final = 200
_STATUS: Final = re.compile(r"status code: (\d{3})")
_STATUS_FILE: Final = "/appstatus_"
_DENIED: Final = frozenset({"401", "403"})


@dataclass(frozen=True, slots=True)
class Object:
    """One object. `name` is its place below the prefix; units: bytes, seconds since 1970-01-01 UTC."""

    name: str
    key: str
    size: int
    modified: float
    tag: str

    @property
    def first(self) -> str:
        """The first part of its name: a folder's, or its own."""
        return self.name.partition("/")[0]


class Bucket:
    """What `place`, as `s3://bucket/prefix`, holds. Nothing is asked before it is needed; safe to use from threads."""

    def __init__(
        self, place: str, settings: StoreSettings, login: StoreLogin | None, seconds: float, store: object = None
    ) -> None:
        bucket, _, prefix = place.partition("://")[2].partition("/")
        self.place = place
        self._bucket = bucket
        self._prefix = prefix.strip("/")
        self._settings = settings
        self._login = login
        self._seconds = seconds
        self._given = store

    def objects(self, until: float) -> list[Object]:
        """All that is there. Errors: PermissionError, TimeoutError, NotFound (`no-such-log`), Unreadable."""
        with _told_plainly():
            return list(self._listed(None, until))

    def beginning_with(self, stem: str, until: float) -> list[Object]:
        """Those whose names begin so, however many others there are. Errors: as `objects`."""
        start = f"{self._prefix}/{stem}" if self._prefix else stem
        found: list[Object] = []
        with _told_plainly():
            # Listing begins after a key, and would pass over the stem itself.
            for each in self._listed(start[:-1], until):
                if each.key.startswith(start):
                    found.append(each)
                elif each.key > start:
                    break
        return found

    def pieces(self, each: Object, begin: int, end: int, until: float) -> Iterator[bytes]:
        """The bytes of an object from `begin` to `end`, as they come. Errors: as `objects`."""
        if begin >= end:
            return
        with _told_plainly():
            told = _obstore().get(self._store(), each.key, options={"range": (begin, end)})
            for piece in told.stream(min_chunk_size=_PIECE):
                yield bytes(piece)
                _in_time(until)

    def _listed(self, offset: str | None, until: float) -> Iterator[Object]:
        seen = 0
        for page in _obstore().list(self._store(), self._prefix or None, offset=offset, chunk_size=_PAGE):
            for told in page:
                seen += 1
                if seen > MOST_LISTED:
                    raise Unreadable(f"more than {MOST_LISTED} objects are in {self.place}: name a longer prefix")
                each = self._object(told)
                if each is not None:
                    yield each
            _in_time(until)

    def _object(self, told: Any) -> Object | None:  # noqa: ANN401 - what obstore tells of one
        key = str(told["path"])
        name = key.removeprefix(f"{self._prefix}/") if self._prefix else key
        modified: datetime = told["last_modified"]
        # Stores keep empty objects for folders; an empty log tells nothing either.
        if not is_plain(name) or not (told["size"] or _STATUS_FILE in name):
            return None
        return Object(name, key, int(told["size"]), modified.timestamp(), str(told["e_tag"] or ""))

    def _store(self) -> Any:  # noqa: ANN401 - one of obstore's
        """Made anew each time: a secret in a file may have changed, and making one asks nobody."""
        if self._given is not None:
            return self._given
        from obstore.store import S3Store  # noqa: PLC0415 - as `_obstore`

        seconds = timedelta(seconds=self._seconds)
        keys: dict[str, Any] = self._login.options() if self._login else {}
        config: dict[str, Any] = {**self._settings.options(), **keys}
        client: dict[str, Any] = {"allow_http": self._settings.is_plain_http, "timeout": seconds}
        retries: dict[str, Any] = {"max_retries": 2, "retry_timeout": seconds}
        return S3Store(self._bucket, client_options=client, retry_config=retries, **config)  # pyright: ignore[reportArgumentType]


def _obstore() -> Any:  # noqa: ANN401 - loaded where it is needed: 15 MB, and only buckets need it
    import obstore  # noqa: PLC0415 - see above

    return obstore


def is_plain(name: str) -> bool:
    """Whether a name may be a file's below a folder."""
    parts = name.split("/")
    return (
        len(parts) <= _DEEPEST
        and all(part and len(part) <= _LONGEST_PART and not part.startswith(".") for part in parts)
        and name.isprintable()
        and str(PurePosixPath(name)) == name
    )


@contextmanager
def _told_plainly() -> Generator[None]:
    try:
        yield
    except (OSError, ValueError, _obstore().exceptions.BaseError) as failed:
        raise _told(failed) from None


def _in_time(until: float) -> None:
    if time.monotonic() > until:
        raise TimeoutError


def _told(failed: Exception) -> Exception:
    """What a source says of it: never the text, which holds addresses and whatever a store answered."""
    status = found[1] if (found := _STATUS.search(str(failed))) else ""
    name = type(failed).__name__
    if isinstance(failed, TimeoutError | PermissionError):
        return failed
    if name == "InvalidPathError":
        return Unreadable("the store holds an object whose name is no path")
    if status in _DENIED or name in {"PermissionDeniedError", "UnauthenticatedError"}:
        return PermissionError(errno.EACCES, "the store lets this server read no such object")
    if status == "404" or isinstance(failed, FileNotFoundError):
        return NotFound("there is no such bucket or object", hint="look at the settings", code="no-such-log")
    if "TimedOut" in str(failed) or "kind: Timeout" in str(failed):
        return TimeoutError()
    if "kind: Connect" in str(failed):
        return Unreadable("the object store cannot be reached")
    return Unreadable(f"the object store does not answer as one{f' ({status})' if status else ''}")
