"""What pages show of a server's health, as one frozen value: how it is, since when, what it needs, its last looks.

Made of what the registry keeps (`usecases/ports_health`). Not here: judging (`core/health`), how it looks
(`page_health`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from pierhead.apps.registry.web.site import Site
from pierhead.core.health import Condition, Dependency, Health, Probe, Span, VersionLooks, by_version, spans
from pierhead.usecases.ports_health import PROBES_KEPT

#: As many marks fit into the narrowest page.
_MARKS: Final = 60
#: The worst of several looks stands for them all.
_WORST_FIRST: Final = (Condition.DOWN, Condition.DEGRADED, Condition.UP)


@dataclass(frozen=True, slots=True)
class Mark:
    """Some looks one after the other, drawn as one: the worst that they found."""

    since: float
    until: float
    condition: Condition
    looks: int


@dataclass(frozen=True, slots=True)
class HealthView:
    """One server's health. Without `last` nobody ever looked; `marks` are oldest first, `spans` newest first."""

    condition: Condition
    since: float
    seen_at: float
    changes: tuple[float, ...]
    last: Probe | None
    dependencies: tuple[Dependency, ...]
    marks: tuple[Mark, ...]
    spans: tuple[Span, ...]
    versions: tuple[VersionLooks, ...]


async def health_view(site: Site, server: str) -> HealthView:
    """How that server is; one that nobody looked at is unknown."""
    known = await site.healths.health(server)
    if known is None:
        return HealthView(Condition.UNKNOWN, 0.0, 0.0, (), None, (), (), (), ())
    return _view(known, await site.healths.probes(server, PROBES_KEPT))


def _view(known: Health, probes: Sequence[Probe]) -> HealthView:
    return HealthView(
        condition=known.condition,
        since=known.since,
        seen_at=known.seen_at,
        changes=known.changes,
        last=known.last,
        dependencies=known.last.dependencies,
        marks=_marks(probes),
        spans=spans(probes),
        versions=by_version(probes),
    )


def _marks(probes: Sequence[Probe]) -> tuple[Mark, ...]:
    """At most _MARKS of them, over all looks."""
    oldest_first = probes[::-1]
    size = max(1, -(-len(oldest_first) // _MARKS))
    return tuple(_mark(oldest_first[at : at + size]) for at in range(0, len(oldest_first), size))


def _mark(looks: Sequence[Probe]) -> Mark:
    worst = min((look.condition for look in looks), key=_WORST_FIRST.index)
    return Mark(looks[0].at, looks[-1].at, worst, len(looks))
