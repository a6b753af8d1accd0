"""What is wrong with the servers of a fleet, and who must act: ending, stale, unused, expired, drifted, failing.

Judged of servers that take calls, from what the registry keeps anyway: five questions to the database, however many
servers there are. Nothing is refused for any of it. Above: a page and the API. Not here: who may know of a server.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from pierhead.core.catalog import Server
from pierhead.core.health import Condition, Health
from pierhead.core.review import Gate, GateState, Review, state_of
from pierhead.core.usage import ESTIMATE_DAYS
from pierhead.usecases.ports_catalogue import Catalogue
from pierhead.usecases.ports_health import Healths
from pierhead.usecases.ports_records import Records

UNUSED_DAYS: Final = 90
BASELINE_DAYS: Final = ESTIMATE_DAYS
STALE_DAYS: Final = 365
ENDING_DAYS: Final = 30
_DAY_S: Final = 86_400.0


class Trouble(StrEnum):
    """What can be wrong with a server, the worst first."""

    ERRORS = "errors"
    DRIFT = "drift"
    OWNERLESS = "ownerless"
    ENDING = "ending"
    EXPIRED_REVIEW = "expired-review"
    EXPIRED_BASELINE = "expired-baseline"
    UNUSED = "unused"
    STALE = "stale"


@dataclass(frozen=True, slots=True)
class Concern:
    """One thing that is wrong. `since` is in seconds since 1970-01-01 UTC, zero where nobody knows.

    `must_act` is the group that can mend it, `where` where they are asked; empty where only the group is known.
    """

    server: str
    trouble: Trouble
    sentence: str
    since: float
    must_act: str
    where: str


@dataclass(frozen=True, slots=True)
class Company:
    """Who could act. `groups` are those with a member; None where an identity provider alone knows them."""

    groups: frozenset[str] | None
    reviewers: Mapping[Gate, str]
    admins: str


@dataclass(frozen=True, slots=True)
class Known:
    """What is kept of the fleet at `now`."""

    healths: Mapping[str, Health]
    calls: Mapping[str, int]
    reviews: Mapping[str, Review]
    now: float
    endings: Mapping[tuple[str, str], float] = field(default_factory=dict[tuple[str, str], float], hash=False)
    """When a version ends that is near its end, by server and version."""


async def known_of(catalogue: Catalogue, healths: Healths, records: Records, now: float) -> Known:
    """Everything that is judged; of each server its last review that is closed."""
    reviews: dict[str, Review] = {}
    for review in await catalogue.reviews():
        held = reviews.get(review.binding.server)
        if review.closed_at is not None and (held is None or review.submitted_at > held.submitted_at):
            reviews[review.binding.server] = review
    calls = await records.calls_by_server(now - UNUSED_DAYS * _DAY_S)
    ending = await catalogue.ending(now + ENDING_DAYS * _DAY_S)
    endings = {(each.server, each.version): each.sunset_at or now for each in ending}
    return Known(await healths.healths(), calls, reviews, now, endings)


def fleet_health(
    servers: Iterable[Server], known: Known, company: Company, is_shown: Callable[[Server], bool]
) -> tuple[Concern, ...]:
    """Every concern about servers that take calls and are shown, the worst first, then by name."""
    live = (each for each in servers if each.is_callable and is_shown(each))
    found = [concern for each in live for concern in _concerns(each, known, company)]
    ranks = list(Trouble)
    return tuple(sorted(found, key=lambda each: (ranks.index(each.trouble), each.server, each.sentence)))


def _concerns(server: Server, known: Known, company: Company) -> Iterator[Concern]:
    def owners(trouble: Trouble, sentence: str, since: float) -> Concern:
        return Concern(server.name, trouble, sentence, since, server.owner, server.support)

    health, review = known.healths.get(server.name), known.reviews.get(server.name)
    if health is not None and health.condition is Condition.DOWN:
        yield owners(Trouble.ERRORS, health.last.reason or "it does not answer", health.since)
    withheld = sum(1 for tool in server.tools.values() if tool.withheld)
    if withheld:
        tools = "tool is" if withheld == 1 else "tools are"
        yield owners(Trouble.DRIFT, f"{withheld} {tools} withheld: not what was signed", 0.0)
    if company.groups is not None and server.owner not in company.groups:
        sentence = f"{server.owner} has no member"
        yield Concern(server.name, Trouble.OWNERLESS, sentence, 0.0, company.admins, "")
    end = known.endings.get((server.name, server.version))
    if end is not None:
        yield owners(Trouble.ENDING, f"it can be called for {_left(end - known.now)} more; {server.notice}", 0.0)
    yield from (owners(*aged) for aged in _outlived(server, known.now))
    if review is None:
        return
    yield from _expired(server, review, known.now, company)
    yield from (owners(*aged) for aged in _aged(server, review.submitted_at, known))


def _left(seconds: float) -> str:
    """Whole days, but for the last one."""
    days = int(seconds / _DAY_S)
    return "1 day" if days == 1 else f"{days} days" if days else "less than a day"


def _expired(server: Server, review: Review, now: float, company: Company) -> Iterator[Concern]:
    for gate in sorted(review.required):
        if state_of(review, gate, now) is GateState.EXPIRED:
            group = company.reviewers.get(gate, "") or company.admins
            yield Concern(server.name, Trouble.EXPIRED_REVIEW, f"the {gate} signature has expired", 0.0, group, "")


def _outlived(server: Server, now: float) -> Iterator[tuple[Trouble, str, float]]:
    """Estimates of minutes saved that are too old to count; nobody has to have reviewed them."""
    over = [tool.minutes.stated_at for tool in server.tools.values() if tool.minutes.is_over(now)]
    if over:
        days = int((now - min(over)) / _DAY_S)
        sentence = f"its minutes saved were last stated {days} days ago: they count 0 after {BASELINE_DAYS}"
        yield Trouble.EXPIRED_BASELINE, sentence, min(over)


def _aged(server: Server, signed_at: float, known: Known) -> Iterator[tuple[Trouble, str, float]]:
    """What time has done since the version that runs was handed in."""
    days = int((known.now - signed_at) / _DAY_S)
    if days >= UNUSED_DAYS and not known.calls.get(server.name):
        yield Trouble.UNUSED, f"nobody called it for {UNUSED_DAYS} days", signed_at
    if days >= STALE_DAYS:
        yield Trouble.STALE, f"no version was handed in for {days} days", signed_at
