"""Who may reach what, for the API and the page: which servers are the asker's to ask about, grants with their last use.

Not here: the grants themselves (`usecases/review_access`), how they look.
"""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Final

from pierhead.apps.registry.web.policy_tools import known_people
from pierhead.apps.registry.web.site import DAY_S, Site
from pierhead.core.errors import Forbidden, Invalid, NotFound
from pierhead.core.identity import Caller
from pierhead.usecases.find_table import roles_of_table, without_tables
from pierhead.usecases.review_access import MOST_GRANTS, Grant, grants, grants_on_table, with_last_use

PERIOD_DAYS: Final = 90
_MOST_USES: Final = 100_000


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked about; empty members do not restrict. A tool or a table, not both."""

    server: str = ""
    tool: str = ""
    table: str = ""


@dataclass(frozen=True, slots=True)
class Access:
    """The grants that answer it; `not_judged` are servers where there may be more, each with why."""

    grants: tuple[Grant, ...]
    not_judged: tuple[str, ...]
    since: float
    revision: int
    is_cut: bool


def asked_servers(site: Site, caller: Caller, server: str) -> tuple[str, ...]:
    """The live servers that this asker may ask about: all for auditors, their own for owners.

    Errors: NotFound, alike for what is not there and not theirs to know; Forbidden, for whoever owns none.
    """
    live = [each for each in site.snapshots.current().servers.values() if each.is_callable]
    sees_all = not caller.groups.isdisjoint(site.auditors)
    own = tuple(each.name for each in live if sees_all or each.owner in caller.groups)
    if server and server not in own:
        raise NotFound(
            "no such live server, or not yours to ask about", hint="owners ask about theirs, auditors about all"
        )
    if not own:
        raise Forbidden("you own no live server", hint=f"ask one of {' or '.join(sorted(site.auditors))}")
    return (server,) if server else own


async def access(site: Site, caller: Caller, question: Question) -> Access:
    """Every grant, with its last use in the last `PERIOD_DAYS`. Errors: Invalid; NotFound; Forbidden."""
    if question.tool and question.table:
        raise Invalid("a tool and a table are asked for at once", hint="leave one out")
    servers = asked_servers(site, caller, question.server)
    entries = await site.registry.catalogue.entries()
    documents = {name: entries[name].document for name in servers if name in entries}
    since = max(0.0, site.now() - PERIOD_DAYS * DAY_S)
    uses = await site.records.callers(since, _MOST_USES)
    people = known_people(site)

    def every() -> Iterator[Grant]:
        if question.table:
            return grants_on_table(site.snapshots, roles_of_table(documents, question.table))
        return grants(site.snapshots, servers, question.tool)

    def judged() -> tuple[Grant, ...]:
        return tuple(with_last_use(islice(every(), MOST_GRANTS + 1), uses, people))

    found = await asyncio.to_thread(judged)
    untold = [f"{name}: it declares no tables" for name in without_tables(documents)] if question.table else []
    untold += [
        f"{name}: company policies decide who; told are those whom they name" for name in _delegating(site, servers)
    ]
    revision = site.snapshots.current().revision
    return Access(found[:MOST_GRANTS], tuple(untold), since, revision, len(found) > MOST_GRANTS)


def _delegating(site: Site, servers: tuple[str, ...]) -> Iterator[str]:
    """The servers of which a row or a tool leaves it to the company's policies who gets through."""
    now = site.snapshots.current()
    for name in servers:
        tools = now.servers[name].tools.values()
        whos = (*(row.who for row in now.rows.get(name, ())), *(tool.policy for tool in tools))
        if any(who.by_policies for who in whos):
            yield name
