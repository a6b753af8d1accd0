"""What owners are told of their servers outside the pages: drift at once, ends and expiries before they come.

Each event is told once: a notice's id is made of what it tells of, and one that is there already is not kept again,
whoever looks and however often. Below: `ports_notices.Announcements`. Above: `publish_manifest`, which tells of drift
in the transaction of its fact, and the registry's program, which looks for the rest. Not here: how a notice leaves
(`deliver_notices`), what pages show (`fleet_health`).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Final

from pierhead.core.audit import DefinitionsDrifted
from pierhead.core.audit_reviews import OwnerReminded
from pierhead.core.catalog import CALLABLE
from pierhead.core.review import OPENING, Gate, Review, sign_off_of, state_of
from pierhead.usecases.fleet_health import BASELINE_DAYS
from pierhead.usecases.ports import Clock
from pierhead.usecases.ports_catalogue import Catalogue, Entry, Version
from pierhead.usecases.ports_notices import PEOPLE, Announcements, Notice, Readers

DAY_S: Final = 86_400.0
AHEAD_DAYS: Final = (1, 7, 30)
"""How many days before its time something is told of; the first is the last day."""
_TITLES: Final[Mapping[str, str]] = {
    "drifted": "what runs is not what was signed",
    "ending": "a version ends soon",
    "approval-expiring": "a signature ends soon",
    "estimate-expiring": "its minutes saved end soon",
}


@dataclass(frozen=True, slots=True)
class Due:
    """Something that ends at `at` (seconds since 1970-01-01 UTC); `days` is the span it is told in, of `AHEAD_DAYS`."""

    kind: str
    entry: Entry
    version: str
    subject: str
    at: float
    days: int
    sentence: str
    groups: tuple[str, ...]

    @property
    def event(self) -> tuple[str, ...]:
        return (self.entry.name, self.version, self.subject, f"{self.at:.0f}", str(self.days))


@dataclass(frozen=True, slots=True)
class OwnerNews:
    """Makes notices. `public_url` is where people find the server."""

    public_url: str

    def drifted(self, entry: Entry, fact: DefinitionsDrifted, now: float) -> Notice:
        """Told once a day at most for the same definitions: a server that flaps is no flood."""
        count = len(fact.withheld)
        what = "1 tool is" if count == 1 else f"{count} tools are"
        sentence = (
            f"{what} withheld on {entry.name} {fact.version}, since what runs is not what was signed. "
            "Publish it for review, or run what was signed."
        )
        event = (entry.name, fact.version, fact.live_digest, str(int(now // DAY_S)))
        told: dict[str, str | float] = {"version": fact.version, "sentence": sentence}
        return self._notice("drifted", event, entry, (owner_of(entry),), now, told)

    def due(self, due: Due, now: float) -> Notice:
        told: dict[str, str | float] = {"version": due.version, "sentence": due.sentence, "due_at": due.at}
        return self._notice(due.kind, due.event, due.entry, due.groups, now, told)

    def _notice(
        self,
        kind: str,
        event: tuple[str, ...],
        entry: Entry,
        groups: tuple[str, ...],
        now: float,
        told: Mapping[str, str | float],
    ) -> Notice:
        title, url = f"{entry.name}: {_TITLES[kind]}", f"{self.public_url}/servers/{entry.name}"
        content = {"server": entry.name, "title": title, "url": url, **told}
        identity = sha256("\n".join((kind, *event)).encode()).hexdigest()[:32]
        readers = Readers(groups=groups)
        return Notice(identity, f"server.{kind}", now, content, 0, next_at=now, channel=PEOPLE, readers=readers)


@dataclass(frozen=True, slots=True)
class OwnerDesk:
    """What telling owners needs. `reviewers` are the groups that decide each gate."""

    catalogue: Catalogue
    announcements: Announcements
    reviewers: Mapping[Gate, str]
    clock: Clock
    news: OwnerNews


async def warn_owners(desk: OwnerDesk) -> int:
    """Tell of everything that ends soon and was not told of; how many."""
    now = desk.clock.now()
    return sum([await _tell(each, desk, now) for each in await _due(desk, now)])


async def _tell(due: Due, desk: OwnerDesk, now: float) -> bool:
    fact = OwnerReminded(due.entry.name, due.version, due.kind, due.subject, due.groups, due.at)
    return await desk.announcements.announce(desk.news.due(due, now), fact, now)


async def _due(desk: OwnerDesk, now: float) -> list[Due]:
    entries, found = await desk.catalogue.entries(), list[Due]()
    for version in await desk.catalogue.ending(now + max(AHEAD_DAYS) * DAY_S):
        found += _ending(entries[version.server], version, now)
    reviews = {review.binding: review for review in reversed(await desk.catalogue.reviews())}
    for version in (await desk.catalogue.current_versions()).values():
        if version.stage in CALLABLE and version.binding in reviews:
            found += _expiring(entries[version.server], version, reviews[version.binding], desk, now)
    return found


def _ending(entry: Entry, version: Version, now: float) -> Iterator[Due]:
    end = version.sunset_at or now
    if days := _span(end, now):
        instead = f" Use {version.successor} instead." if version.successor else ""
        sentence = f"{entry.name} {version.version} can be called until {_day(end)}.{instead}"
        yield Due("ending", entry, version.version, "", end, days, sentence, (owner_of(entry),))


def _expiring(entry: Entry, version: Version, review: Review, desk: OwnerDesk, now: float) -> Iterator[Due]:
    """Signatures, which their reviewers hear of too, and what was estimated for the version that clients get."""
    owner, name = owner_of(entry), f"{entry.name} {version.version}"
    for gate in sorted(review.required):
        made, is_open = sign_off_of(review, gate), state_of(review, gate, now) in OPENING
        if made is not None and is_open and (days := _span(made.expires_at, now)):
            sentence = f"The {gate} signature on {name} ends on {_day(made.expires_at)}: hand it in again before."
            groups = tuple(dict.fromkeys(each for each in (owner, desk.reviewers.get(gate, "")) if each))
            yield Due("approval-expiring", entry, version.version, str(gate), made.expires_at, days, sentence, groups)
    end = version.published_at + BASELINE_DAYS * DAY_S
    if any(tool.minutes.mode for tool in version.manifest.tools) and (days := _span(end, now)):
        sentence = f"The minutes that {name} saves were stated for {BASELINE_DAYS} days, until {_day(end)}."
        yield Due("estimate-expiring", entry, version.version, "", end, days, sentence, (owner,))


def _span(end: float, now: float) -> int:
    """The least of `AHEAD_DAYS` in which that end lies; 0 where it is farther away, or over."""
    return next((days for days in AHEAD_DAYS if now < end <= now + days * DAY_S), 0)


def _day(moment: float) -> str:
    return f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%d %H:%M} UTC"


def owner_of(entry: Entry) -> str:
    """The group that answers for it."""
    return str(entry.document.get("owner", ""))
