"""What a person who is signed in reads of a server beside the official form: the registry's own record of it.

Owner, risk, state and conditions of every version that they may reach; the tools that *they* may use of the version
that runs, with their schemas where one version is read. What the registry does not know of a server is absent. Above:
`reading`. Not here: who may see which server (`views`).
"""

from collections.abc import Mapping
from typing import Final

from pierhead.apps.registry.official.asking import Asked
from pierhead.core.catalog import Effect, Server, Tool
from pierhead.core.definitions import tool_digest
from pierhead.core.errors import NotFound, Refused
from pierhead.core.identity import Caller
from pierhead.core.token_weight import token_weight
from pierhead.usecases.kept_back_by_roles import kept_back
from pierhead.usecases.list_tools import list_tools
from pierhead.usecases.match_rules import REACH_AND_USE, SnapshotRules
from pierhead.usecases.official_forms import OFFICIAL, moment
from pierhead.usecases.official_listing import Item
from pierhead.usecases.ports_official import Standing

_EFFECTS: Final = tuple(Effect)
_RECORD: Final = "registry"

#: Members of a fleet file's entry that reviewers weigh, by the names they have here.
_DECLARED: Final[Mapping[str, str]] = {
    "personal_data": "personalData",
    "egress": "egress",
    "environments": "environments",
    "autonomous": "autonomous",
    "untrusted_results": "untrustedResults",
    "repository": "repository",
    "runbook": "runbook",
}


def with_record(asked: Asked, caller: Caller, item: Item, *, whole: bool) -> Mapping[str, object]:
    """The item's form with the record under `NAMESPACE/registry`; `whole` has the tools' schemas too."""
    ours = f"{asked.eyes.place.namespace}/{_RECORD}"
    return {"server": item.server, "_meta": {OFFICIAL: item.official, ours: record(asked, caller, item, whole=whole)}}


def record(asked: Asked, caller: Caller, item: Item, *, whole: bool) -> Mapping[str, object]:
    standing = item.standing
    members: dict[str, object] = {"slug": standing.server, "stage": standing.stage, "reason": standing.reason}
    document = standing.document
    members |= {shown: document[name] for name, shown in _DECLARED.items() if name in document}
    members |= _decided(standing)
    server = asked.current.snapshot.servers.get(standing.server)
    if server is None:
        return members
    members |= {"owner": server.owner, "support": server.support, "kind": server.kind, "dataClass": server.data_class}
    if server.version != standing.version:
        return members
    usable = [each for each in _usable(asked, caller, server) if not kept_back(document, each.name, caller)]
    highest = max((_EFFECTS.index(tool.effect) for tool in usable), default=None)
    return {
        **members,
        "highestEffect": None if highest is None else _EFFECTS[highest],
        "tokenWeight": sum(map(_tokens, usable)),
        "tools": [{**_tool(tool), **(_schemas(tool) if whole else {})} for tool in usable],
    }


def _decided(standing: Standing) -> Mapping[str, object]:
    """What its reviewers demanded, and what its owner said of its end, where anybody did."""
    sunset = None if standing.sunset_at is None else moment(standing.sunset_at)
    found = {
        "conditions": list(standing.conditions),
        "message": standing.message,
        "successor": standing.successor,
        "sunsetAt": sunset,
    }
    return {name: value for name, value in found.items() if value}


def _usable(asked: Asked, caller: Caller, server: Server) -> tuple[Tool, ...]:
    """As `tools/list` would show them; none of a server that takes no calls."""
    snapshots = asked.eyes.site.snapshots
    try:
        return list_tools(server.name, caller, snapshots, SnapshotRules(snapshots, REACH_AND_USE))
    except (NotFound, Refused):
        return ()


def _tool(tool: Tool) -> Mapping[str, object]:
    minutes = tool.minutes
    return {
        "name": tool.name,
        "description": tool.description,
        "policy": str(tool.narrowed or tool.policy),
        "effect": tool.effect,
        "approval": tool.approval,
        "idempotent": tool.idempotent,
        "timeoutSeconds": tool.timeout_s,
        "minutesSaved": {"low": minutes.low, "mode": minutes.mode, "high": minutes.high, "method": minutes.method},
        "tokenWeight": _tokens(tool),
        "digest": tool_digest(tool),
    }


def _schemas(tool: Tool) -> Mapping[str, object]:
    return {"inputSchema": tool.input_schema, "outputSchema": tool.output_schema}


def _tokens(tool: Tool) -> int:
    return token_weight(tool.name, tool.description, (tool.input_schema, tool.output_schema))
