"""Keeps the index like the folders: reads what is new or changed, forgets what is gone, again and again.

Out of band: no call waits for it. A source that cannot be read keeps what was known of it, and says why.
"""

import asyncio
from collections.abc import Mapping

from pierhead.servers.knowledge.documents import Document, Unreadable, read_document
from pierhead.servers.knowledge.files import LARGEST, Edit, Found, content_of, edits_of, files_of
from pierhead.servers.knowledge.index import Index
from pierhead.servers.knowledge.settings import SourceSettings


class Keeper:
    """Of all sources of one server."""

    def __init__(self, index: Index, sources: Mapping[str, SourceSettings], refresh_s: float) -> None:
        self._index = index
        self._sources = sources
        self._refresh_s = refresh_s

    async def keep_for_ever(self) -> None:
        """Refresh each source, then wait; ends when it is cancelled."""
        await asyncio.to_thread(self._index.only, self._sources)
        while True:
            for name in self._sources:
                await asyncio.to_thread(self.refresh, name)
            await asyncio.sleep(self._refresh_s)

    def refresh(self, name: str) -> None:
        """Look at every file of a source once."""
        source = self._sources[name]
        try:
            edits = edits_of(source.folder)
            fault = ""
        except OSError as failed:
            edits, fault = dict[str, Edit](), f"who edited what is not known: {failed}"
        try:
            self._take_in(name, source, edits)
        except OSError as failed:
            fault = f"the folder cannot be read: {failed.strerror or failed}"
        self._index.refreshed(name, fault)

    def _take_in(self, name: str, source: SourceSettings, edits: Mapping[str, Edit]) -> None:
        before = self._index.known(name)
        seen: set[str] = set()
        for found in files_of(source.folder):
            seen.add(found.path)
            if before.get(found.path) != (found.modified, found.size):
                self._index.keep(name, found, _read(source, found), edits.get(found.path))
        for path in before.keys() - seen:
            self._index.forget(name, path)


def _read(source: SourceSettings, found: Found) -> Document | str:
    """The document, or why there is none."""
    if found.size > LARGEST:
        return f"it has more than {LARGEST // 1024 // 1024} MB"
    try:
        return read_document(found.path, content_of(source.folder, found))
    except Unreadable as unread:
        return str(unread)
    except OSError as failed:
        return failed.strerror or "it cannot be opened"
