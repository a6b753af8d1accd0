"""Every server that is known, in the few words that lists and searches need: deployed ones and those on their way.

What the snapshot says is read once for each server of it; entries that no snapshot holds yet at most every two seconds,
and anew after every form sent here. Not
here: what a viewer may call (`may_call`), how lists look.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from pierhead.core.catalog import Server, Stage
from pierhead.core.snapshot import EMPTY, Snapshot
from pierhead.usecases.ports_catalogue import Catalogue, Entry, Version


@dataclass(frozen=True, slots=True)
class KnownServer:
    """One server. `text` is what a search looks through, folded; `stage` that of its current or else newest version."""

    name: str
    title: str
    description: str
    kind: str
    owner: str
    stage: Stage
    notice: str
    tools: int
    withheld: int
    text: str = field(repr=False)


_KEPT_S: Final = 2.0


@dataclass(slots=True)
class KnownServers:
    """All of them, by name; what can be kept of them is kept."""

    _for: Snapshot = EMPTY
    _read_at: float = -math.inf
    _waiting: Mapping[str, KnownServer] = field(default_factory=dict[str, KnownServer])
    _deployed: Mapping[str, KnownServer] = field(default_factory=dict[str, KnownServer])

    async def all(self, snapshot: Snapshot, catalogue: Catalogue, now: float) -> Mapping[str, KnownServer]:
        """By name; `now` is on a clock that never steps."""
        is_same = snapshot is self._for
        deployed = self._of_snapshot(snapshot)
        if not is_same or now - self._read_at >= _KEPT_S:
            self._waiting = await _waiting(deployed, catalogue)
            self._read_at = now
        return {**deployed, **self._waiting}

    def forget(self) -> None:
        """Something was changed: what waits is read anew."""
        self._read_at = -math.inf

    def _of_snapshot(self, snapshot: Snapshot) -> Mapping[str, KnownServer]:
        """Identity of the snapshot, not its number: a value that was swapped is another policy."""
        if snapshot is not self._for:
            before, known, self._for = self._for.servers, self._deployed, snapshot
            self._deployed = {
                name: known[name] if before.get(name) is server else _of_server(server)
                for name, server in snapshot.servers.items()
            }
        return self._deployed


def standing(entry: Entry, versions: Sequence[Version]) -> Stage:
    """The stage of the version that clients get, or else of the newest; without any it is registered."""
    current = next((version for version in versions if version.version == entry.current), None)
    chosen = current or (versions[0] if versions else None)
    return chosen.stage if chosen else Stage.REGISTERED


def text_of(entry: Entry, member: str) -> str:
    """A member of the entry's document that should be a text, as it was declared."""
    value = entry.document.get(member, "")
    return value if isinstance(value, str) else ""


async def _waiting(deployed: Mapping[str, KnownServer], catalogue: Catalogue) -> Mapping[str, KnownServer]:
    """The servers that are declared and in no snapshot yet."""
    entries = await catalogue.entries()
    return {name: await _of_entry(entry, catalogue) for name, entry in entries.items() if name not in deployed}


async def _of_entry(entry: Entry, catalogue: Catalogue) -> KnownServer:
    versions = await catalogue.versions(entry.name)
    newest = versions[0] if versions else None
    names = [tool.name for tool in newest.manifest.tools] if newest else []
    title, description, owner = (text_of(entry, member) for member in ("title", "description", "owner"))
    return KnownServer(
        name=entry.name,
        title=title,
        description=description or (newest.manifest.description if newest else ""),
        kind=text_of(entry, "kind"),
        owner=owner,
        stage=standing(entry, versions),
        notice="",
        tools=len(names),
        withheld=0,
        text=_folded([entry.name, title, description, owner, *names]),
    )


def _of_server(server: Server) -> KnownServer:
    return KnownServer(
        name=server.name,
        title=server.title,
        description=server.description,
        kind=server.kind,
        owner=server.owner,
        stage=server.stage,
        notice=server.notice,
        tools=len(server.tools),
        withheld=sum(bool(tool.withheld) for tool in server.tools.values()),
        text=_folded([server.name, server.title, server.description, server.owner, *server.tools]),
    )


def _folded(texts: Sequence[str]) -> str:
    """One text to search in; the break between its parts can stand in no search."""
    return "\n".join(texts).casefold()
