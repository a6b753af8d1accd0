"""Through whose eyes the list is read: everyone's, those of an audience of the fleet file, or one person's.

The address picks the view, since IDEs send no identity; a token is read at `/r/me` alone, and nowhere else makes a
difference. A view that does not exist and one that does not admit the client's network read alike. Below: `listings`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from starlette.requests import Request

from pierhead.apps.authenticate import Listener
from pierhead.apps.registry.api.callers import bearer
from pierhead.apps.registry.official.listings import Bounds, Current, Listings
from pierhead.apps.registry.web.site import Site
from pierhead.core.audience import EVERYONE, Audience
from pierhead.core.catalog import DataClass
from pierhead.core.errors import NotFound
from pierhead.core.identity import Caller, parties
from pierhead.core.policy import refuse
from pierhead.core.scope import READ, REGISTRY, require_scope
from pierhead.usecases.match_rules import REACH, Remembered, SnapshotRules
from pierhead.usecases.official_forms import Place
from pierhead.usecases.official_listing import Item
from pierhead.usecases.record_failed_sign_ins import FailedSignIns

PERSONAL: Final = "me"
CLIENT_ADDRESS: Final = "pierhead-client"
"""Set by the gateway, which drops what clients send by that name."""


@dataclass(frozen=True, slots=True)
class View:
    """Which servers one request may be told of. `name` stands in its cursors; `caller` only in a personal one."""

    name: str
    shows: Callable[[Item], bool]
    caller: Caller | None


@dataclass(frozen=True, slots=True)
class Eyes:
    """Everything that finds the view of a request."""

    site: Site
    listener: Listener
    failed: FailedSignIns
    listings: Listings
    place: Place
    audiences: Mapping[str, Audience] = field(hash=False)
    highest: DataClass
    rules: Remembered

    async def view(self, name: str, current: Current, request: Request) -> View:
        """The view of that name.

        Errors: NotFound, for one that is not there or not for that network; Unauthenticated, recorded.
        """
        if name == PERSONAL:
            return self._personal(await self.caller(request, READ), current)
        audience = self.audiences.get(name) if name else EVERYONE
        if audience is None or not audience.admits(client_address(request)):
            raise NotFound("no such view", hint="ask your platform team for the address of yours")
        bounds = Bounds(self.site.surface, self.site.environment, self.highest)
        shown = current.shown(name, audience, bounds)
        return View(name, lambda item: item.standing.server in shown and current.is_told_of(item), None)

    async def caller(self, request: Request, level: str) -> Caller:
        """Whoever holds the token that was sent, which must be good for that level.

        Errors: Unauthenticated, recorded; ScopeMissing.
        """
        audience = f"{self.site.public_url}{REGISTRY}"
        caller = await bearer(request.headers.get("authorization"), audience, self.listener, self.failed)
        require_scope(caller.scopes, level)
        return caller

    def _personal(self, caller: Caller, current: Current) -> View:
        def shows(item: Item) -> bool:
            return current.is_told_of(item) and self.may_reach(caller, item.standing.server, current)

        return View(f"{PERSONAL}/{caller.name}", shows, caller)

    def may_reach(self, caller: Caller, server: str, current: Current) -> bool:
        """By the rules that decide calls; for a server that takes none just now, by the rows that it had."""
        rows = current.withdrawn.get(server)
        if rows is None:
            return refuse(caller, self.rules.reach(caller, server), REACH, "") is None
        asked = parties(caller.principal)
        return bool(asked) and all(any(row.admits(caller, party) for row in rows) for party in asked)


def rules_of(site: Site) -> Remembered:
    """The rules in force, their answers remembered for one policy."""
    return Remembered(SnapshotRules(site.snapshots, REACH), limit=50_000)


def client_address(request: Request) -> str:
    """Where the client is: as the gateway saw it, else whoever is connected."""
    told = request.headers.get(CLIENT_ADDRESS)
    if told is not None:
        return told
    return request.client.host if request.client else ""
