"""What a running server of a fleet follows: its entry of the fleet file, and the outside that it serves.

A file that cannot be used leaves everything as it was, and says so in the log. Not here: what of an entry a running
server can follow (the server says it), `pierhead serve` and its files (`follow_files`).
"""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pierhead.bootstrap import fleet as fleet_file
from pierhead.bootstrap.variables import with_variables
from pierhead.core.errors import PierheadError
from pierhead.sdk.server import Following

_LOOK_S: Final = 1.0
_LOG: Final = logging.getLogger(__name__)

_Mark = tuple[int, int, int] | None


@dataclass(slots=True)
class FollowedEntry:
    """One server's entry. `settings` are those in force, as the file has them."""

    name: str
    fleet: Path
    data: Path
    server: Following
    settings: Mapping[str, object]
    _seen: _Mark = None

    def __post_init__(self) -> None:
        self._seen = _mark(self.fleet)

    async def follow_for_ever(self, refresh_s: float) -> None:
        """Look at the file every second, at the outside every `refresh_s`."""
        since = 0.0
        while True:
            await asyncio.sleep(_LOOK_S)
            since += _LOOK_S
            self.look()
            if since >= refresh_s:
                since = 0.0
                await self.refresh()

    def look(self) -> None:
        """Put in force what has changed since the last look."""
        mark = _mark(self.fleet)
        if mark == self._seen:
            return
        self._seen = mark
        try:
            self._change()
        except PierheadError as fault:
            _LOG.warning("%s keeps its settings as they were: %s: %s", self.name, fault.message, fault.hint)

    def _change(self) -> None:
        entry = fleet_file.load(self.fleet, self.data).servers.get(self.name)
        if entry is None or entry.settings == self.settings:
            return
        kept = self.server.change(with_variables(entry.settings))
        self.settings = entry.settings
        _LOG.warning("%s follows its entry of %s", self.name, self.fleet)
        if kept:
            _LOG.warning("%s keeps until it is started again: %s", self.name, kept)

    async def refresh(self) -> None:
        try:
            await self.server.refresh()
        except PierheadError as failed:
            _LOG.warning("%s knows its source as it was: %s: %s", self.name, failed.message, failed.hint)


def _mark(path: Path) -> _Mark:
    """What changes whenever the file is replaced or written."""
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_ino, stat.st_mtime_ns, stat.st_size
