"""How a server fares: what one look at it found, what is made of many looks, and when a server flaps.

Pure: times come in. Above: `usecases/watch_health` keeps it, pages show it. Not here: looking, storing, the life of a
version (`catalog`): a server that is down is still deployed.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import groupby
from typing import Final

#: A server that changed this often within the window flaps, and is said to until it was quiet for a whole window.
FLAP_CHANGES: Final = 5
FLAP_WINDOW_S: Final = 600.0


class Condition(StrEnum):
    """How a server is. A look finds one of the first four; `flapping` is made of many looks."""

    UP = "up"
    DEGRADED = "degraded"
    """It answers, but something it needs does not, or what it shows is not what it published."""
    DOWN = "down"
    UNKNOWN = "unknown"
    """Nobody looked, or not lately."""
    FLAPPING = "flapping"


@dataclass(frozen=True, slots=True)
class Dependency:
    """Something a server needs, as the server itself tells: a guest's process, an engine, a remote address."""

    name: str
    condition: Condition
    reason: str


@dataclass(frozen=True, slots=True)
class Probe:
    """What one look at one server found, and when (seconds since 1970-01-01 UTC).

    `tools_digest` is of the definitions it shows now; `is_as_published` whether the registry holds the same.
    """

    server: str
    version: str
    at: float
    condition: Condition
    latency_ms: float
    reason: str
    tools_digest: str
    is_as_published: bool
    dependencies: tuple[Dependency, ...]


@dataclass(frozen=True, slots=True)
class Health:
    """What is known of one server. `condition` holds since `since`; `seen_at` is when it last answered, 0 for never.

    `probes` counts the looks; `changes` are the times of its last changes, oldest first, at most FLAP_CHANGES.
    """

    last: Probe
    condition: Condition
    since: float
    seen_at: float
    probes: int
    changes: tuple[float, ...]

    @property
    def server(self) -> str:
        return self.last.server


@dataclass(frozen=True, slots=True)
class Span:
    """Looks one after the other at one version that found the same, from the first to the last of them."""

    version: str
    condition: Condition
    since: float
    until: float
    reason: str
    looks: int


@dataclass(frozen=True, slots=True)
class VersionLooks:
    """What the kept looks found of one version: how many there were, how many it answered, and the last of them."""

    version: str
    looks: int
    answered: int
    last: Probe


def judge(before: Health | None, probe: Probe) -> Health:
    """What is known after one more look."""
    if before is None:
        return Health(probe, probe.condition, probe.at, _seen(probe, 0.0), 1, ())
    if not probe.version:  # nobody answered: the version that should have is the one that did before
        probe = replace(probe, version=before.last.version)
    recent = tuple(at for at in before.changes if at > probe.at - FLAP_WINDOW_S)
    if probe.condition is not before.last.condition:
        recent = (*recent, probe.at)[-FLAP_CHANGES:]
    condition = _shown(before, probe, recent)
    since = before.since if condition is before.condition else probe.at
    return Health(probe, condition, since, _seen(probe, before.seen_at), before.probes + 1, recent)


def lately(health: Health, now: float, quiet_s: float) -> Health:
    """The same, unless the last look is too long ago to say anything."""
    if now - health.last.at <= quiet_s:
        return health
    return Health(health.last, Condition.UNKNOWN, health.last.at, health.seen_at, health.probes, health.changes)


def spans(probes: Sequence[Probe]) -> tuple[Span, ...]:
    """What changed and what held, from looks that are newest first; the newest span first."""
    runs = [tuple(run) for _, run in groupby(probes, lambda probe: (probe.version, probe.condition))]
    return tuple(Span(run[0].version, run[0].condition, run[-1].at, run[0].at, run[0].reason, len(run)) for run in runs)


def by_version(probes: Sequence[Probe]) -> tuple[VersionLooks, ...]:
    """The same looks, version by version; the one that was looked at last comes first."""
    found: dict[str, list[Probe]] = {}
    for probe in probes:
        found.setdefault(probe.version, []).append(probe)
    return tuple(VersionLooks(name, len(looks), sum(map(answers, looks)), looks[0]) for name, looks in found.items())


def answers(probe: Probe) -> bool:
    """Whether the server answered that look."""
    return probe.condition in {Condition.UP, Condition.DEGRADED}


def _shown(before: Health, probe: Probe, recent: tuple[float, ...]) -> Condition:
    """Easily into flapping, out of it only by a window without a change: else leaving it would be a change again."""
    if len(recent) >= FLAP_CHANGES or (before.condition is Condition.FLAPPING and recent):
        return Condition.FLAPPING
    return probe.condition


def _seen(probe: Probe, before: float) -> float:
    return probe.at if answers(probe) else before
