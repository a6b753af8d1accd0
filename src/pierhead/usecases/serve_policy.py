"""The registry's own end of a policy change: what is in force, and waiting for what comes next.

Also the registry's port Snapshots: it asks nobody, so its policy is always fresh. Below: `publish_policy`. The other
end is `follow_policy`. Not here: signing.
"""

import asyncio
import json
from dataclasses import dataclass, field

from pierhead.core.errors import Misconfigured
from pierhead.core.snapshot import EMPTY, Age, Fresh, Snapshot
from pierhead.usecases.ports_registry import Revision
from pierhead.usecases.tell_changes import Changed, ChangeLog, changed
from pierhead.usecases.wire_forms import snapshot_from_form


@dataclass(slots=True)
class ServedPolicy:
    """The latest revision of this process."""

    _document: str = ""
    _snapshot: Snapshot = EMPTY
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    _is_ending: bool = False
    _log: ChangeLog = field(default_factory=ChangeLog)

    def current(self) -> Snapshot:
        return self._snapshot

    def age(self) -> Age:
        return Fresh()

    def put(self, revision: Revision, snapshot: Snapshot | None = None) -> None:
        """Serve this revision if it is a later one, and wake everyone who waits for that.

        `snapshot` is what its document says, where that is at hand already.
        """
        if revision.number <= self._snapshot.revision:
            return
        before = self._snapshot
        self._document = revision.document
        self._snapshot = snapshot or snapshot_from_form(json.loads(revision.document))
        if before is not EMPTY:  # the first is where this process began, and nothing that changed
            self._log.note(revision.number, changed(before, self._snapshot))
        self._changed.set()
        self._changed = asyncio.Event()

    async def after(self, revision: int, wait_s: float) -> None:
        """Return once a revision past that is served, at the latest after `wait_s`."""
        if self._is_ending or self._snapshot.revision > revision:
            return
        try:
            await asyncio.wait_for(self._changed.wait(), wait_s)
        except TimeoutError:
            return

    def changed_since(self, revision: int) -> Changed | None:
        """The servers that changed past that revision; None where that is not to be told: too long ago, or never."""
        here = self._snapshot.revision
        return self._log.since(revision) if revision < here else {} if revision == here else None

    @property
    def is_ending(self) -> bool:
        return self._is_ending

    def let_go(self) -> None:
        """The program stops: nobody waits any longer."""
        self._is_ending = True
        self._changed.set()

    def payload(self, issued_at: float) -> str:
        """The text to sign: the revision, and when it was confirmed."""
        if not self._document:
            raise Misconfigured("no policy was published yet", hint="the registry publishes one at its start")
        return f'{{"issued_at":{json.dumps(issued_at)},{self._document[1:]}'
