"""The policy in force, wherever calls are decided: fetch, verify, swap, keep on disk.

Fills the port Snapshots. Only a valid signature counts, only a revision at least as high, only a time not in the
future; anything else changes and renews nothing. Age runs on the monotonic clock from the signed time, so neither
a stepped clock nor a replayed answer makes an old policy young.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final, cast

from pierhead.core.errors import Invalid, UpstreamUnreachable
from pierhead.core.snapshot import EMPTY, Age, AgeLimits, Expired, Snapshot
from pierhead.usecases.ports import Clock
from pierhead.usecases.ports_registry import Envelope, Held, SnapshotFile, SnapshotSignature, SnapshotSource
from pierhead.usecases.ship_facts import Pause
from pierhead.usecases.wire_forms import AROUND, ReadPolicies, SnapshotReader, no_engine
from pierhead.usecases.withdrawal_forms import withdrawals_from_form

_SKEW_S: Final = 60.0
_WAIT_S: Final = 20.0
"""What an answer says beside the revision."""


@dataclass(slots=True)
class FollowedPolicy:
    """The last policy that the registry vouched for. `problem` says why the last answer was not taken."""

    clock: Clock
    limits: AgeLimits
    signature: SnapshotSignature
    file: SnapshotFile
    engine: ReadPolicies = no_engine
    only: str = ""
    """The one server that it must be cut to; empty: it must be whole."""
    problem: str = ""
    _reader: SnapshotReader = field(init=False)
    _base: Snapshot = EMPTY
    """The last revision that was told whole: changes are told against it."""
    _digest: str = ""
    """What the registry calls `_base`; empty while there is none to tell changes against."""
    _snapshot: Snapshot = EMPTY
    _issued_at: float = 0.0
    _confirmed: float | None = field(default=None)
    """When `_issued_at` was, on the monotonic clock; None until a first snapshot."""

    def __post_init__(self) -> None:
        self._reader = SnapshotReader(self.engine)

    def current(self) -> Snapshot:
        return self._snapshot

    def age(self) -> Age:
        if self._confirmed is None:
            return Expired(float("inf"))
        return self.limits.judge(self.clock.monotonic() - self._confirmed)

    @property
    def base(self) -> str:
        """The digest of the revision that is held whole, for the next question."""
        return self._digest

    @property
    def people(self) -> int:
        """The version of what people no longer have, for the next question."""
        return self._snapshot.withdrawn.version

    @property
    def is_loaded(self) -> bool:
        return self._confirmed is not None

    def restore(self) -> None:
        """Load what the disk kept, under the same signature and age; what does not fit is left alone."""
        try:
            for kept in self.file.load():
                self._accept(kept)
        except Invalid as failed:
            self.problem = failed.message

    def take(self, envelope: Envelope) -> None:
        """Put the registry's answer in force, then keep it.

        Errors: Invalid (`snapshot-signature`, `snapshot-audience`, `snapshot-base`, `snapshot-replayed`,
        `snapshot-time`, `wire-form`).
        """
        if self._accept(envelope):
            self.file.keep(envelope)
        else:
            self.file.keep_change(envelope)
        self.problem = ""

    def _accept(self, envelope: Envelope) -> bool:
        """Put it in force; whether it was a whole revision."""
        if not self.signature.is_valid(envelope):
            raise Invalid("the snapshot's signature is not the registry's", code="snapshot-signature")
        form = cast("dict[str, object]", json.loads(envelope.payload))
        if form.get("only", "") != self.only:
            raise Invalid("the snapshot is for somebody else", hint="ask the registry again", code="snapshot-audience")
        issued_at, is_whole = _issued_at(form), "base" not in form
        digest = str(form.get("digest", ""))
        content = {name: member for name, member in form.items() if name not in AROUND}
        offered = self._reader.read(content) if is_whole else self._changed(form.get("base"), content)
        withdrawn = withdrawals_from_form(form.get("people"))
        self._check(offered, withdrawn.version, issued_at)
        if is_whole:
            self._base, self._digest = offered, digest
        if (offered.revision, withdrawn.version) != (self._snapshot.revision, self.people):
            self._snapshot = replace(offered, withdrawn=withdrawn)
        age_s = max(0.0, self.clock.now() - issued_at)
        self._issued_at, self._confirmed = issued_at, self.clock.monotonic() - age_s
        return is_whole

    def _changed(self, base: object, content: object) -> Snapshot:
        """A change fits only what it was told against. Where that is another, all of it is asked for next."""
        if not self._digest or base != self._digest:
            self._digest = ""
            raise Invalid("the snapshot tells a change of a revision that is not held", code="snapshot-base")
        return self._reader.read_change(content).on(self._base)

    def _check(self, offered: Snapshot, people: int, issued_at: float) -> None:
        is_earlier = offered.revision < self._snapshot.revision or people < self.people
        if is_earlier or issued_at < self._issued_at:
            message = f"revision {offered.revision} ({people} of people) is older than what is in force"
            raise Invalid(
                message, hint="the registry went back in time: restore its database", code="snapshot-replayed"
            )
        if issued_at > self.clock.now() + _SKEW_S:
            raise Invalid("the snapshot was issued in the future", hint="set the clocks", code="snapshot-time")


def _issued_at(form: Mapping[str, object]) -> float:
    issued_at = form.get("issued_at")
    if isinstance(issued_at, bool) or not isinstance(issued_at, int | float):
        raise Invalid("the snapshot names no time of issue", code="wire-form")
    return issued_at


async def follow_policy(policy: FollowedPolicy, source: SnapshotSource, pause: Pause) -> None:
    """Follow for ever; ends by cancellation."""
    while True:
        await follow_once(policy, source, pause, _wait_s(policy))


def _wait_s(policy: FollowedPolicy) -> float:
    """Short enough that a registry which is there confirms the policy well before it grows stale."""
    return min(_WAIT_S, policy.limits.stale_s / 3) if policy.is_loaded else 0.0


async def follow_once(policy: FollowedPolicy, source: SnapshotSource, pause: Pause, wait_s: float) -> None:
    """One question to the registry. Failing is no end: the policy in force ages meanwhile."""
    try:
        policy.take(await source.snapshot(Held(policy.current().revision, policy.base, policy.people), wait_s))
    except (UpstreamUnreachable, Invalid, OSError) as failed:
        policy.problem = str(failed)
        await pause(0.5)
