"""`GET /api/v1/who-can`: everyone who may reach a server, or use one of its tools. For its owners, and for auditors.

Decided by the rules that decide calls, for every person of the built-in sign-in and every workload that a row names.
Where people come from an identity provider they cannot be listed; the rules themselves are told in any case.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from pierhead.apps.registry.api.answers import Asked
from pierhead.core.catalog import Server
from pierhead.core.errors import Forbidden, Invalid, NotFound
from pierhead.core.identity import Principal, User, Workload, label
from pierhead.core.workload import standing
from pierhead.usecases.explain_decision import explain_decision


async def who_can(asked: Asked) -> object:
    """Who may, and by which rules.

    Errors: Invalid; Forbidden, for a server that the asker sees and does not own; NotFound, alike for what is not
    there, not live and not the asker's to know.
    """
    query = asked.query("server", "tool")
    server = _owned(asked, query.get("server", ""))
    tool = query.get("tool", "")
    if tool and tool not in server.tools:
        raise NotFound("the server has no such tool", hint="leave tool out to ask who reaches the server")
    snapshot = asked.site.snapshots.current()
    return {
        "server": server.name,
        "tool": tool,
        "rules": list(_rules(asked, server, tool)),
        "callers": [found for each in _principals(asked, server) if (found := _may(asked, each, server, tool))],
        "policy_version": snapshot.revision,
    }


def _owned(asked: Asked, name: str) -> Server:
    if not name:
        raise Invalid("no server is named", hint="add ?server=NAME")
    server = asked.site.snapshots.current().servers.get(name)
    if server is None or not (server.is_callable or asked.sees_all):
        raise NotFound("no such server, or not yours to see", hint="GET /api/v1/servers lists yours")
    if not asked.sees_all and server.owner not in asked.caller.groups:
        raise Forbidden(f"only {server.owner} and auditors may ask who can use {name}", hint=server.whom_to_ask)
    return server


def _rules(asked: Asked, server: Server, tool: str) -> Iterator[Mapping[str, str]]:
    """What is declared: rows of reach, then the tool's own policy and what narrows it."""
    for place, row in enumerate(asked.site.snapshots.current().rows.get(server.name, ())):
        yield {"policy": f"{server.name}.access[{place}]", "question": "reach", "text": f"access admits {row.who}"}
    declared = server.tools.get(tool)
    if declared is None:
        return
    name = f"{server.name}.{tool}"
    yield {"policy": f"{name}.policy", "question": "use", "text": f"{tool} is declared for {declared.policy}"}
    if declared.narrowed is not None:
        text = f"the fleet narrows {tool} to {declared.narrowed}"
        yield {"policy": f"{name}.narrowed", "question": "use", "text": text}
    for rule, bounds in ((f"{name}.bounds", declared.bounds), (f"{name}.narrowed.bounds", declared.narrowed_bounds)):
        yield from ({"policy": rule, "question": "use", "text": f"{tool} is {told}"} for told in bounds.told())
    for each in declared.rules:
        yield {"policy": f"{name}.{each.name}", "question": "use", "text": f"{tool} {each.told()}"}
    if declared.withheld:
        yield {"policy": f"{name}.withheld", "question": "use", "text": declared.withheld}


def _principals(asked: Asked, server: Server) -> Iterator[Principal]:
    people = asked.site.tokens.people
    for name in sorted(people.names()):
        yield User(asked.site.tokens.terms.people_of, name, people.groups(name) or frozenset(), people.claims(name))
    named = {each for row in asked.site.snapshots.current().rows.get(server.name, ()) for each in row.who.workloads}
    yield from (Workload(each) for each in sorted(named))


def _may(asked: Asked, principal: Principal, server: Server, tool: str) -> Mapping[str, str] | None:
    """What they would be told, unless it is no."""
    if not server.is_callable:
        return None
    subject = standing(replace(asked.caller, principal=principal), asked.site.registered)
    explained = explain_decision(subject, server.name, tool, asked.site.snapshots)
    if explained.decision == "refuse":
        return None
    kind = "workload" if isinstance(principal, Workload) else "person"
    return {"name": label(principal), "kind": kind, "decision": explained.decision}
