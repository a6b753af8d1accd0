"""What the API and the pages ask alike of policy: who is known here, and what a proposed policy would change.

Not here: deciding (`usecases`), who may ask (each of the two), how answers look.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from pierhead.apps.registry.web.site import Site
from pierhead.bootstrap.company_policies import declared_policies
from pierhead.core.errors import Forbidden
from pierhead.core.identity import Caller
from pierhead.core.json import Json
from pierhead.core.snapshot import CompanyPolicies, PolicyText
from pierhead.usecases.propose_policy import Proposal, propose_policy
from pierhead.usecases.simulate_policy import Groups, Known, Progress, Sides, Simulation, recorded, simulate

Documents = Mapping[str, Mapping[str, Json]]


@dataclass(frozen=True, slots=True)
class Proposed:
    """Entries, people and company policies as they might be; None leaves people as they are."""

    servers: Documents
    people: Groups | None
    since: float
    policies: tuple[PolicyText, ...] | None = None
    """The company's policies as they might be; None leaves those in force."""


def known_people(site: Site) -> Groups:
    """Everyone of the built-in sign-in; nobody, where people come from elsewhere."""
    people = site.tokens.people
    return {name: people.groups(name) or frozenset() for name in people.names()}


def known_workloads(site: Site) -> frozenset[str]:
    """Every workload that a rule names."""
    rows = site.snapshots.current().rows.values()
    return frozenset(name for each in rows for row in each for name in row.who.workloads)


def require_whole_view(site: Site, caller: Caller, asked: Proposed) -> None:
    """Auditors may propose anything, owners entries of what they own. Errors: Forbidden."""
    servers = asked.servers
    if not caller.groups.isdisjoint(site.auditors):
        return
    current = site.snapshots.current().servers
    foreign = sorted(name for name in servers if name not in current or current[name].owner not in caller.groups)
    if foreign or asked.people is not None or asked.policies is not None:
        others = "other groups of people" if asked.people is not None else "other company policies"
        what = f"simulate {', '.join(foreign[:5]) if foreign else others}"
        raise Forbidden(
            f"you may not {what}", hint=f"propose what you own, or ask {' or '.join(sorted(site.auditors))}"
        )


@dataclass(frozen=True, slots=True)
class Prepared:
    """A proposal that was read and may be simulated: nothing can refuse it any more."""

    site: Site
    since: float
    proposal: Proposal
    known: Known
    at: Caller

    async def run(self, progress: Progress | None = None) -> Simulation:
        """Everything in the record that it touches, and everyone known."""
        replay = await recorded(self.site.records, self.since, self.proposal.servers, self.known)
        sides = Sides(self.site.snapshots, self.proposal, self.at)
        return await asyncio.to_thread(simulate, replay, self.known, sides, progress)


async def prepared(site: Site, caller: Caller, asked: Proposed) -> Prepared:
    """What is asked, ready to run. Errors: Invalid, for what cannot be read; Forbidden."""
    require_whole_view(site, caller, asked)
    company = None if asked.policies is None else await asyncio.to_thread(_declared, site, asked.policies)
    proposal = await propose_policy(asked.servers, site.registry.source, company)
    people = known_people(site)
    proposed = proposal.current().rows
    workloads = {name for server in proposal.servers for row in proposed.get(server, ()) for name in row.who.workloads}
    after = people if asked.people is None else asked.people
    known = Known(people, after, known_workloads(site) | workloads, site.registered)
    return Prepared(site, asked.since, proposal, known, _standing(site, caller))


def _declared(site: Site, policies: tuple[PolicyText, ...]) -> CompanyPolicies:
    """Errors: Invalid, with file, line and column."""
    return declared_policies(policies, {name: each.tools for name, each in site.snapshots.current().servers.items()})


def _standing(site: Site, caller: Caller) -> Caller:
    """Where people stand who are judged: as callers of this port do."""
    return Caller(caller.principal, site.surface, site.environment, "")
