"""What one policy revision holds, and how old it may grow.

Made by the registry, signed, followed by gateways and servers (`usecases/follow_policy`). Not here: I/O, clocks.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol, TypeVar

from pierhead.core.catalog import Server, Tool
from pierhead.core.identity import Caller
from pierhead.core.policy import Match, Question
from pierhead.core.reach import Row
from pierhead.core.rule import NOBODY, Who
from pierhead.core.withdrawal import NOTHING_WITHDRAWN, Withdrawals

_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True)
class PolicyText:
    """One file of company policies, as it was written. Its name is what errors and reasons call it."""

    name: str
    text: str


class CompanyPolicies(Protocol):
    """The company's policies at one revision, read and ready to be asked."""

    @property
    def texts(self) -> tuple[PolicyText, ...]: ...

    @property
    def named(self) -> Who:
        """Whom permits name, everyone besides: who may get through by them, and must be asked about each."""
        ...

    def matches(self, caller: Caller, question: Question, server: Server, tool: Tool | None) -> tuple[Match, ...]:
        """Every policy that holds of that question about each party; one that fails holds, unless it permits."""
        ...


@dataclass(frozen=True, slots=True)
class NoPolicies:
    """A revision without company policies: short forms say it all."""

    texts: tuple[PolicyText, ...] = ()

    @property
    def named(self) -> Who:
        return NOBODY

    def matches(self, caller: Caller, question: Question, server: Server, tool: Tool | None) -> tuple[Match, ...]:
        del caller, question, server, tool
        return ()


NO_POLICIES: Final = NoPolicies()


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Servers, rows and company policies at one revision; a later revision replaces it whole."""

    revision: int
    servers: Mapping[str, Server] = field(hash=False)
    rows: Mapping[str, tuple[Row, ...]] = field(hash=False)
    policies: CompanyPolicies = field(default=NO_POLICIES, hash=False, compare=False)
    withdrawn: Withdrawals = field(default=NOTHING_WITHDRAWN, hash=False, compare=False)
    """What people no longer have. Told beside the revision, and changes without it."""


EMPTY = Snapshot(revision=0, servers={}, rows={})


@dataclass(frozen=True, slots=True)
class SnapshotChange:
    """What a revision has otherwise than an earlier one: some servers anew, each with all its rows; and who is gone.

    Company policies are told with whole revisions alone: where they are others, nothing is told as a change.
    """

    revision: int
    servers: Mapping[str, Server] = field(hash=False)
    rows: Mapping[str, tuple[Row, ...]] = field(hash=False)
    gone: frozenset[str]

    def on(self, base: Snapshot) -> Snapshot:
        """The later revision. Nothing of a server that changed is left of `base`: what it lost it does not keep."""
        servers, rows = self._over(base.servers, self.servers), self._over(base.rows, self.rows)
        return Snapshot(self.revision, servers, rows, base.policies)

    def _over(self, old: Mapping[str, _Value], new: Mapping[str, _Value]) -> Mapping[str, _Value]:
        changed = self.gone | self.servers.keys()
        kept = {name: value for name, value in old.items() if name not in changed}
        return dict(sorted((kept | dict(new)).items()))


@dataclass(frozen=True, slots=True)
class Fresh:
    """Confirmed recently enough: everything policy permits."""


@dataclass(frozen=True, slots=True)
class Stale:
    """The registry has been silent for a while: reads only, and an alarm."""

    age_s: float


@dataclass(frozen=True, slots=True)
class Expired:
    """Silent for too long: everything is refused, with the reason."""

    age_s: float


Age = Fresh | Stale | Expired


@dataclass(frozen=True, slots=True)
class AgeLimits:
    """When a snapshot is stale, and when expired, in seconds since the registry last confirmed it."""

    stale_s: float
    expired_s: float

    def judge(self, age_s: float) -> Age:
        """Anything that is not surely young enough is too old: an age that is no number counts as expired."""
        if age_s < min(self.stale_s, self.expired_s):
            return Fresh()
        return Stale(age_s) if age_s < self.expired_s else Expired(age_s)
