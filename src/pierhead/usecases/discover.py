"""Who may know that a server exists: of a live one everybody who is signed in, or, of a gated one, its members.

A member is who may reach it from somewhere, or belongs to the group that owns it. What is not live yet, or no longer,
is for its owners, for reviewers and for auditors. Above: the catalogue's pages and
endpoints. Not here: what a call is told (`call_tool.unreachable`), anonymous lists (`core/audience`).
"""

from pierhead.core.catalog import Discovery, Server
from pierhead.core.identity import Caller, parties
from pierhead.core.policy import refuse
from pierhead.usecases.match_rules import REACH, SnapshotRules
from pierhead.usecases.ports import Snapshots
from pierhead.usecases.ports_catalogue import Entry
from pierhead.usecases.rights import Rights, is_owner


def may_see(entry: Entry, caller: Caller, snapshots: Snapshots, rights: Rights, *, sees_all: bool) -> bool:
    """Whether `caller` may learn of what stands in the catalogue under that name. `sees_all`: they audit."""
    if sees_all or reviews(caller, rights) or is_owner(entry, caller, rights):
        return True
    live = snapshots.current().servers.get(entry.name)
    return live is not None and live.is_callable and may_know(live, caller, snapshots)


def reviews(caller: Caller, rights: Rights) -> bool:
    """Whether they sign some gate."""
    return not caller.groups.isdisjoint(rights.reviewers.values())


def may_know(server: Server, caller: Caller, snapshots: Snapshots) -> bool:
    """Whether `caller` may learn of `server`.

    A page is opened on no chat surface and in no channel, so where a row stands open does not matter here: that would
    hide a channel's servers from its own members.
    """
    if server.discovery is Discovery.OPEN or server.owner in caller.groups:
        return True
    if refuse(caller, SnapshotRules(snapshots, REACH).reach(caller, server.name), REACH, "") is None:
        return True
    rows = snapshots.current().rows.get(server.name, ())
    needed = parties(caller.principal)
    return bool(needed) and all(any(row.who.admits(caller.principal, party) for row in rows) for party in needed)
