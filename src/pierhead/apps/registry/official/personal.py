"""What a person who is signed in reads of a server beside the official form: the registry's own record of it.

Owner, risk, state and digests of every version that they may reach; the tools that *they* may use of the version that
runs. Above: `reading`. Not here: who may see which server (`views`).
"""

from collections.abc import Mapping
from typing import Final

from pierhead.apps.registry.official.asking import Asked
from pierhead.core.catalog import Effect, Server, Tool
from pierhead.core.errors import NotFound, Refused
from pierhead.core.identity import Caller
from pierhead.usecases.list_tools import list_tools
from pierhead.usecases.match_rules import REACH_AND_USE, SnapshotRules
from pierhead.usecases.official_forms import OFFICIAL
from pierhead.usecases.official_listing import Item

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


def with_record(asked: Asked, caller: Caller, item: Item) -> Mapping[str, object]:
    """The item's form with the record under `NAMESPACE/registry`."""
    ours = f"{asked.eyes.place.namespace}/{_RECORD}"
    return {"server": item.server, "_meta": {OFFICIAL: item.official, ours: record(asked, caller, item)}}


def record(asked: Asked, caller: Caller, item: Item) -> Mapping[str, object]:
    standing = item.standing
    members: dict[str, object] = {"slug": standing.server, "stage": standing.stage, "reason": standing.reason}
    document = standing.document
    members |= {shown: document[name] for name, shown in _DECLARED.items() if name in document}
    server = asked.current.snapshot.servers.get(standing.server)
    if server is None:
        return members
    members |= {"owner": server.owner, "support": server.support, "kind": server.kind, "dataClass": server.data_class}
    if server.version != standing.version:
        return members
    usable = _usable(asked, caller, server)
    highest = max((_EFFECTS.index(tool.effect) for tool in usable), default=None)
    return {
        **members,
        "highestEffect": None if highest is None else _EFFECTS[highest],
        "tools": [_tool(tool) for tool in usable],
    }


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
        "effect": tool.effect,
        "approval": tool.approval,
        "idempotent": tool.idempotent,
        "timeoutSeconds": tool.timeout_s,
        "minutesSaved": {"low": minutes.low, "mode": minutes.mode, "high": minutes.high, "method": minutes.method},
    }
