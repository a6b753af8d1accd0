"""What company policies may speak of: the Cedar schema, and requests in its terms.

The schema is closed: a policy that names anything else is refused when it is published. Arguments of calls are not in
it: they are judged by conditions, in the server's own process. Not here: evaluating, and reading texts.
"""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import Any, Final

import orjson

from pierhead.core.catalog import Server, Tool
from pierhead.core.identity import Caller, Party, Principal, User, Workload, person, workload
from pierhead.core.policy import Question

SCHEMA: Final = """
entity Group;
entity Person in [Group] { subject: String, issuer: String };
entity Workload { spiffe_id: String };
entity Server { kind: String, owner: String, data_class: String };
entity Tool in [Server] { name: String, effect: String };
type Where = {
  surface: String,
  environment: String,
  channel?: String,
  person?: Person,
  workload?: Workload,
};
action reach appliesTo { principal: [Person, Workload], resource: [Server], context: Where };
action use appliesTo { principal: [Person, Workload], resource: [Tool], context: Where };
"""

Form = dict[str, Any]


def server_entities(server: Server) -> str:
    """The server and all of its tools, as Cedar's JSON."""
    about = {"kind": server.kind, "owner": server.owner, "data_class": str(server.data_class)}
    within = [_named("Server", server.name)]
    tools = [
        _entity("Tool", tool_id(server, tool), {"name": tool.name, "effect": str(tool.effect)}, within)
        for tool in server.tools.values()
    ]
    return _json([_entity("Server", server.name, about, []), *tools])


def caller_entities(principal: Principal, groups: AbstractSet[str]) -> str:
    """Each party of the caller, as Cedar's JSON; a person is in those of `groups` that they are in."""
    found: list[Form] = []
    who, program = person(principal), workload(principal)
    if who is not None:
        found.append(_person(who, groups))
    if program is not None:
        found.append(_entity("Workload", program.spiffe_id, {"spiffe_id": program.spiffe_id}, []))
    return _json(found)


def request(caller: Caller, party: Party, question: Question, server: Server, tool: Tool | None) -> Form:
    """One question about one party of the caller, the other party in the context."""
    who, program = caller.person, caller.workload
    context: Form = {"surface": caller.surface, "environment": caller.environment}
    if caller.channel:
        context["channel"] = caller.channel
    if party is Party.WORKLOAD and who is not None:
        context["person"] = {"__entity": _named("Person", who.subject)}
    if party is Party.PERSON and program is not None:
        context["workload"] = {"__entity": _named("Workload", program.spiffe_id)}
    resource = _named("Server", server.name) if tool is None else _named("Tool", tool_id(server, tool))
    return {
        "principal": _principal(who, program, party),
        "action": _named("Action", str(question)),
        "resource": resource,
        "context": _json(context),
    }


def tool_id(server: Server, tool: Tool) -> str:
    return f"{server.name}.{tool.name}"


def _principal(who: User | None, program: Workload | None, party: Party) -> Mapping[str, str]:
    if party is Party.PERSON and who is not None:
        return _named("Person", who.subject)
    return _named("Workload", program.spiffe_id if program is not None else "")


def _person(who: User, groups: AbstractSet[str]) -> Form:
    parents = [_named("Group", name) for name in sorted(who.groups & groups)]
    return _entity("Person", who.subject, {"subject": who.subject, "issuer": who.issuer}, parents)


def _json(value: object) -> str:
    return orjson.dumps(value).decode()


def _entity(kind: str, name: str, attributes: Mapping[str, str], parents: list[Mapping[str, str]]) -> Form:
    return {"uid": _named(kind, name), "attrs": attributes, "parents": parents}


def _named(kind: str, name: str) -> Mapping[str, str]:
    return {"type": kind, "id": name}
