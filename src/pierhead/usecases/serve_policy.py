"""The registry's own end of a policy change: what is in force, and waiting for what comes next.

Also the registry's port Snapshots: it asks nobody, so its policy is always fresh. Below: `publish_policy`. The other
end is `follow_policy`. Not here: signing.
"""

import asyncio
import json
from contextlib import suppress
from dataclasses import dataclass, field, replace

from pierhead.core.errors import Misconfigured
from pierhead.core.snapshot import EMPTY, Age, Fresh, Snapshot
from pierhead.core.withdrawal import NOTHING_WITHDRAWN, Withdrawals
from pierhead.usecases.ports_registry import Revision
from pierhead.usecases.revision_text import Pieces, RevisionText, policies_text
from pierhead.usecases.tell_changes import Changed, ChangeLog, changed
from pierhead.usecases.wire_forms import ReadPolicies, no_engine, snapshot_from_form
from pierhead.usecases.withdrawal_forms import withdrawals_to_form


@dataclass(slots=True)
class ServedPolicy:
    """The latest revision of this process."""

    engine: ReadPolicies = no_engine
    _text: RevisionText = field(default_factory=RevisionText)
    _snapshot: Snapshot = EMPTY
    _withdrawn: Withdrawals = NOTHING_WITHDRAWN
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    _is_ending: bool = False
    _log: ChangeLog = field(default_factory=ChangeLog)
    _entries: int = 0
    _entries_changed: asyncio.Event = field(default_factory=asyncio.Event)

    def current(self) -> Snapshot:
        return self._snapshot

    def age(self) -> Age:
        return Fresh()

    def put(self, revision: Revision, snapshot: Snapshot | None = None, pieces: Pieces | None = None) -> None:
        """Serve this revision if it is a later one, and wake everyone who waits for that.

        `snapshot` is what it holds, `pieces` what it was put together of; without them its document is the whole.
        """
        if revision.number <= self._snapshot.revision:
            return
        before = self._snapshot
        held = snapshot or snapshot_from_form(json.loads(revision.document), engine=self.engine)
        if pieces is None:
            self._text.put_whole(revision.number, revision.digest, revision.document)
        else:
            self._text.put(revision.number, revision.digest, pieces, policies_text(held.policies.texts))
        self._snapshot = replace(held, withdrawn=self._withdrawn)
        if before is not EMPTY:  # the first is where this process began, and nothing that changed
            self._log.note(revision.number, changed(before, self._snapshot))
        self._wake()

    def put_withdrawn(self, withdrawn: Withdrawals) -> None:
        """Tell of what people no longer have, if this is later than what was told, and wake everyone who waits."""
        if withdrawn.version > self._withdrawn.version:
            self._withdrawn, self._snapshot = withdrawn, replace(self._snapshot, withdrawn=withdrawn)
            self._wake()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    async def after(self, revision: int, wait_s: float, people: int | None = None) -> None:
        """Return once a revision past that is served, at the latest after `wait_s`.

        Who names the version of `people` that they hold waits for no longer than that is the one that is served.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                while not self._is_ending and not self._is_news(revision, people):
                    await self._changed.wait()

    def _is_news(self, revision: int, people: int | None) -> bool:
        return self._snapshot.revision > revision or people not in {None, self._withdrawn.version}

    @property
    def entries(self) -> int:
        """Counts the changes of the catalogue in this process; whoever waits for the next names the one they saw."""
        return self._entries

    def note_entries(self) -> None:
        """The catalogue was changed, whether or not a policy follows from that: wake everyone who waits for it."""
        self._entries += 1
        self._entries_changed.set()
        self._entries_changed = asyncio.Event()

    async def entries_after(self, seen: int, wait_s: float) -> None:
        """Return once the catalogue is another than the one that was seen, at the latest after `wait_s`."""
        if self._is_ending or self._entries != seen:
            return
        try:
            await asyncio.wait_for(self._entries_changed.wait(), wait_s)
        except TimeoutError:
            return

    def changed_since(self, revision: int) -> Changed | None:
        """The servers that changed past that revision; None where that is not to be told: too long ago, or never."""
        here = self._snapshot.revision
        return self._log.since(revision) if revision < here else {} if revision == here else None

    @property
    def digest(self) -> str:
        """Of the content of the revision that is served."""
        return self._text.digest

    @property
    def is_ending(self) -> bool:
        return self._is_ending

    def let_go(self) -> None:
        """The program stops: nobody waits any longer."""
        self._is_ending = True
        self._changed.set()
        self._entries_changed.set()

    def payload(self, issued_at: float, base: str = "") -> str:
        """The text to sign: when it was confirmed, the revision's digest, what people no longer have, the revision.

        Of the revision what changed since `base`, the digest of one that the follower holds whole; else all of it.
        """
        if not self._text.number:
            raise Misconfigured("no policy was published yet", hint="the registry publishes one at its start")
        digest, content = json.dumps(self._text.digest), self._text.since(base)
        return self._told(issued_at, f'"digest":{digest}', content)

    def payload_for(self, server: str, issued_at: float) -> str:
        """The text to sign for one server's own process: that server alone, with the company's policies, always whole.

        Policies may forbid anything, so each of them is told; of the other servers not even the names. Its digest is
        of what it holds, so that it tells nothing of what changed elsewhere.
        """
        if not self._text.number:
            raise Misconfigured("no policy was published yet", hint="the registry publishes one at its start")
        digest, content = self._text.of(server)
        return self._told(issued_at, f'"digest":{json.dumps(digest)},"only":{json.dumps(server)}', content)

    def _told(self, issued_at: float, around: str, content: str) -> str:
        people = json.dumps(withdrawals_to_form(self._withdrawn), ensure_ascii=False, separators=(",", ":"))
        return f'{{"issued_at":{json.dumps(issued_at)},{around},"people":{people},{content[1:]}'
