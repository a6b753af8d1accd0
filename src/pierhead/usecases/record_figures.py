"""What the registry knows of a version beyond its declaration: its review, its server's health, what was made of it.

The part of a server's record that changes by itself, and beside it what its owner promises of it. Above: the API and
the personal view, each in its own form. Not here: who may know of the server, the tools that they may use.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from pierhead.core.health import Health
from pierhead.core.json import Json
from pierhead.core.review import Review
from pierhead.core.usage import Objective, Pace, ServerUse
from pierhead.usecases.ports_catalogue import Catalogue
from pierhead.usecases.ports_health import Healths
from pierhead.usecases.ports_records import Records

DAYS: Final = 30
DAY_S: Final = 86_400.0


@dataclass(frozen=True, slots=True)
class Figures:
    """Of one version; `use` and `health` are its server's. `review` is its last one, None where it never had any."""

    review: Review | None
    health: Health | None
    use: ServerUse
    pace: Pace
    now: float


@dataclass(frozen=True, slots=True)
class Kept:
    """Where they are kept."""

    catalogue: Catalogue
    healths: Healths
    records: Records


async def figures_of(server: str, version: str, kept: Kept, now: float) -> Figures:
    """The figures at `now` (seconds since 1970-01-01 UTC)."""
    reviews = [each for each in await kept.catalogue.reviews(server) if each.binding.version == version]
    return Figures(
        review=max(reviews, key=lambda review: review.submitted_at, default=None),
        health=await kept.healths.health(server),
        use=await kept.records.use_of(server, now - DAYS * DAY_S),
        pace=await kept.records.pace_of(server, now - DAYS * DAY_S),
        now=now,
    )


def objective_in(document: Mapping[str, Json]) -> Objective | None:
    """What a server's entry promises (`slo`); None where it promises nothing that can be read."""
    written = document.get("slo")
    if not isinstance(written, Mapping):
        return None
    found = Objective(_number(written.get("p95_ms")), _number(written.get("success_rate")))
    return None if found == Objective(None, None) else found


def _number(value: Json) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
