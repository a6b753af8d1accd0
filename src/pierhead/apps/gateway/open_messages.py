"""What is still under way, decided again when policy changes: a withdrawn right closes what it had opened.

Messages that are over in a moment are never listed here. Not here: the first decision (`usecases`).
"""

from dataclasses import dataclass, field

from pierhead.apps.gateway.streams import Attention
from pierhead.core.errors import PierheadError, Unauthenticated
from pierhead.core.identity import Caller
from pierhead.core.snapshot import Fresh, Snapshot
from pierhead.usecases.list_tools import reachable_server
from pierhead.usecases.ports import Clock, Rules, Snapshots


@dataclass(frozen=True, slots=True)
class OpenMessage:
    """One message under way. A listener ends with its token (`until`); a call may finish. Seconds since 1970."""

    attention: Attention
    caller: Caller
    server: str
    until: float
    listens: bool
    since: float


@dataclass(slots=True)
class OpenMessages:
    """All of one gateway's long messages."""

    snapshots: Snapshots
    rules: Rules
    clock: Clock
    _open: dict[Attention, OpenMessage] = field(default_factory=dict[Attention, OpenMessage])
    _decided_on: Snapshot | None = None

    def add(self, message: OpenMessage) -> None:
        self._open[message.attention] = message

    def discard(self, attention: Attention) -> None:
        """The message that this watches is over, long or not."""
        self._open.pop(attention, None)

    def decide_again(self) -> None:
        """End what is no longer permitted; called twice a second."""
        now, snapshot = self.clock.now(), self.snapshots.current()
        changed = snapshot is not self._decided_on or not isinstance(self.snapshots.age(), Fresh)
        self._decided_on = snapshot
        for message in tuple(self._open.values()):
            if message.listens and now >= message.until:
                message.attention.end(Unauthenticated("the access token has expired", hint="sign in again"))
            elif changed:
                self._decide(message)

    def end_listeners(self) -> None:
        """The program stops: streams that never end by themselves are ended, calls are left to finish."""
        for message in tuple(self._open.values()):
            if message.listens:
                message.attention.end(PierheadError("the gateway is stopping", hint="connect again"))

    def _decide(self, message: OpenMessage) -> None:
        if self.snapshots.current().withdrawn.ends(message.caller.principal, message.since):
            refused = Unauthenticated("what you signed in with was withdrawn", hint="sign in again", code="withdrawn")
            message.attention.end(refused)
            return
        try:
            reachable_server(message.server, message.caller, self.snapshots, self.rules)
        except PierheadError as refused:
            message.attention.end(refused)
