"""What every page works from: the site, who looks at it, and what a page hands back.

A page hands back one frozen view; HTML and JSON are two renderings of it, so they cannot disagree and pass the
same authorization. Not here: how pages look (`frame`, `parts`), which there are (`pages`).
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

import htpy as h
from starlette.requests import Request

from pierhead.apps.registry.decisions import Decisions
from pierhead.apps.registry.web.attempts import Attempts
from pierhead.apps.registry.web.known_servers import KnownServer, KnownServers
from pierhead.apps.registry.web.may_call import CallableTools
from pierhead.apps.registry.web.session import Session, Sessions
from pierhead.apps.registry.web.simulations import Simulations
from pierhead.apps.registry.web.streams import Streams
from pierhead.apps.registry.web.tickets import Tickets
from pierhead.core.ai_client import AiClient
from pierhead.core.cost import Price
from pierhead.core.fatigue import Thresholds
from pierhead.core.identity import Caller, User
from pierhead.core.workload import Registered, Registration
from pierhead.usecases.ai_clients import AI_CLIENTS
from pierhead.usecases.approval_desk import ApprovalDesk
from pierhead.usecases.declare_absence import DutyDesk
from pierhead.usecases.discover import may_know, may_see, reviews
from pierhead.usecases.enrol_server import EnrolmentDesk
from pierhead.usecases.federate import Federation
from pierhead.usecases.grant_tokens import TokenDesk
from pierhead.usecases.hear_in_browser import PushDesk
from pierhead.usecases.hear_inbox import InboxNews
from pierhead.usecases.ports import Snapshots
from pierhead.usecases.ports_catalogue import Entry
from pierhead.usecases.ports_data import DataLane
from pierhead.usecases.ports_health import Healths
from pierhead.usecases.ports_records import Processes, Records
from pierhead.usecases.registry_desk import RegistryDesk
from pierhead.usecases.tell_changes import PolicyFeed
from pierhead.usecases.withdraw_person import PeopleDesk

DAY_S: Final = 86_400.0
PERIOD_DAYS: Final = 30


@dataclass(frozen=True, slots=True)
class Site:
    """Everything the pages and the API need.

    `auditors` are the groups whose members see everyone's calls; `admins` those who may ask for others.
    """

    tokens: TokenDesk
    sessions: Sessions
    federation: Federation | None
    """Where people sign in, if that is not here; then the built-in sign-in is off."""
    attempts: Attempts
    tickets: Tickets
    simulations: Simulations
    snapshots: Snapshots
    records: Records
    processes: Processes
    auditors: frozenset[str]
    admins: frozenset[str]
    surface: str
    environment: str
    data: DataLane
    registry: RegistryDesk
    feed: PolicyFeed
    """The same policy as `snapshots`, for those who wait for the next."""
    decisions: Decisions
    healths: Healths
    approvals: ApprovalDesk
    enrolments: EnrolmentDesk
    duty: DutyDesk
    people: PeopleDesk
    news: InboxNews
    """Of changes of approvals, for pages that stay up to date."""
    registered: Registered = field(default_factory=dict[str, Registration])
    """Where workloads stand; one that is not here stands nowhere."""
    ai_clients: tuple[AiClient, ...] = AI_CLIENTS
    reauthenticate_s: float = 900.0
    """How old a sign-in may be to approve with, on a page."""
    thresholds: Thresholds = field(default_factory=Thresholds)
    push: PushDesk | None = None
    """Where people let a browser tell them; None where none does."""
    price: Price | None = None
    """What tokens cost; None where the operator does not say it."""
    teams: tuple[str, ...] = ()
    """Groups that are teams, for showback; a person counts for the first that they are in."""
    namespace: str = ""
    """What stands before a server's name in the public registry; empty where there is none."""
    streams: Streams = field(default_factory=Streams)
    known: KnownServers = field(default_factory=KnownServers)
    callable_tools: CallableTools = field(default_factory=CallableTools)

    @property
    def public_url(self) -> str:
        return self.tokens.terms.issuer

    def now(self) -> float:
        return self.tokens.clock.now()

    async def known_servers(self) -> Mapping[str, KnownServer]:
        """Every server, by name."""
        return await self.known.all(self.snapshots.current(), self.registry.catalogue, self.tokens.clock.monotonic())


@dataclass(frozen=True, slots=True)
class Viewer:
    """The person who looks, proved by the session."""

    person: str
    groups: frozenset[str]
    session: Session

    def caller(self, site: Site) -> Caller:
        """As whom their AI client would call, so that a page tells what really happens."""
        user = User(site.tokens.terms.people_of, self.person, self.groups, site.tokens.people.claims(self.person))
        proved_at = float(self.session.proved_at)
        return Caller(user, site.surface, site.environment, correlation_id="", proved_at=proved_at)

    def is_admin(self, site: Site) -> bool:
        """Whether the administration's page is theirs."""
        return not self.groups.isdisjoint(site.admins)

    def hidden(self, site: Site) -> frozenset[str]:
        """The live servers that this viewer is not to know of: gated ones of others. Reviewers see all."""
        caller, servers = self.caller(site), site.snapshots.current().servers.values()
        if self.sees_all(site) or reviews(caller, site.registry.rights):
            return frozenset()
        return frozenset(each.name for each in servers if not may_know(each, caller, site.snapshots))

    def may_see(self, site: Site, entry: Entry) -> bool:
        """Whether this viewer is to know of what stands under that name, live or not."""
        rights = site.registry.rights
        return may_see(entry, self.caller(site), site.snapshots, rights, sees_all=self.sees_all(site))

    def sees_all(self, site: Site) -> bool:
        """Whether other people's calls are shown."""
        return not self.groups.isdisjoint(site.auditors)


@dataclass(frozen=True, slots=True)
class Shown:
    """One page: its title, its view (a frozen dataclass), and how the view looks."""

    title: str
    view: object
    body: Callable[[], h.Node]
    is_result: bool = False
    """What a form came to, shown at once; any other page that a form hands back is one with something to mend."""


PageOf = Callable[[Site, Viewer, Request], Awaitable[Shown]]

FormOf = Callable[[Site, Viewer, Request, Mapping[str, str]], Awaitable[str | Shown]]
"""What a sent form does: the path to go on at, or the page again, with the form filled and what is wrong in it."""
