"""Where people are reached: who is in a group now, and what their addresses are.

A name that is an e-mail address is one; others are looked up, or get the company's domain. A group may have an address
of its own, which then stands for its members. Not here: when a notice leaves (`deliver_notices`).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from pierhead.usecases.ports_duty import Absences
from pierhead.usecases.ports_notices import BROWSER, MAIL, SLACK, WEBHOOK, Readers
from pierhead.usecases.ports_push import Browsers


class Members(Protocol):
    """Who is known here, and in which groups they are."""

    def names(self) -> tuple[str, ...]: ...

    def groups(self, person: str) -> frozenset[str] | None: ...


@dataclass(frozen=True, slots=True)
class MailBook:
    """How a name becomes an address: `addresses` of people and of groups first, then `domain`, where there is one."""

    addresses: Mapping[str, str] = field(default_factory=dict[str, str], hash=False)
    domain: str = ""

    def of(self, name: str) -> str:
        """The address; empty where there is none."""
        if name in self.addresses:
            return self.addresses[name]
        if "@" in name:
            return name
        return f"{name}@{self.domain}" if self.domain else ""


@dataclass(frozen=True, slots=True)
class BrowserBook:
    """Where the people of one issuer hear in a browser."""

    browsers: Browsers
    issuer: str

    async def of(self, names: Iterable[str]) -> Sequence[str]:
        """The ids of their browsers."""
        wanted = frozenset(names)
        return [each.id for each in await self.browsers.of(self.issuer, wanted)] if wanted else []


@dataclass(frozen=True, slots=True)
class AddressBook:
    """Fills `Addresses`. Without `mail` nobody is written to; `webhook` and `slack` are whether there is one."""

    members: Members
    mail: MailBook | None
    webhook: bool
    absences: Absences | None = None
    browsers: BrowserBook | None = None
    slack: bool = False

    async def places(self, readers: Readers, now: float) -> Sequence[tuple[str, str]]:
        found = [(channel, "") for channel, is_there in ((WEBHOOK, self.webhook), (SLACK, self.slack)) if is_there]
        if self.mail is None and self.browsers is None:
            return tuple(found)
        reached = await self._without_the_away(readers, now)
        if self.mail is not None:
            found += [(MAIL, address) for address in self._mailed(reached, self.mail)]
        if self.browsers is not None:
            known = (name for name in self._named(reached, frozenset()) if self.members.groups(name) is not None)
            found += [(BROWSER, browser) for browser in await self.browsers.of(known)]
        return tuple(dict.fromkeys(found))

    async def _without_the_away(self, readers: Readers, now: float) -> Readers:
        """Whoever is away and has a deputy is left in peace; the deputy hears of it instead, unless they asked."""
        if self.absences is None or not readers.groups:
            return readers
        on = [each for each in await self.absences.open(now) if each.is_on(now) and each.deputy]
        asked = [each for each in on if not set(readers.groups).isdisjoint(self.members.groups(each.person) or ())]
        away = tuple(each.person for each in asked)
        deputies = tuple(each.deputy for each in asked if each.deputy not in (*readers.but, *away))
        return replace(readers, people=(*readers.people, *deputies), but=(*readers.but, *away))

    def _mailed(self, readers: Readers, mail: MailBook) -> Iterator[str]:
        for group in readers.groups:
            if group in mail.addresses:
                yield mail.addresses[group]
        for name in self._named(readers, frozenset(mail.addresses)):
            if address := mail.of(name):
                yield address

    def _named(self, readers: Readers, covered: frozenset[str]) -> Iterator[str]:
        """Everyone by name: of groups that no address of their own covers, and who is meant in person."""
        wanted = frozenset(readers.groups) - covered
        for name in self.members.names():
            if name not in readers.but and not wanted.isdisjoint(self.members.groups(name) or ()):
                yield name
        yield from readers.people
