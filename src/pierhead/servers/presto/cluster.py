"""How the engine as a whole is: what queues and runs, in which groups, and nodes that are gone. Counts, no names.

Asked as the source's own login, whoever asks. Not here: one query (queries.py).
"""

from typing import Final

from pierhead.sdk import Caller, NotFound
from pierhead.sdk.envelope import Envelope, summed_up
from pierhead.servers.presto.answers import Group, Health
from pierhead.servers.presto.backing import Backing

_QUERIES: Final = """-- pierhead looks at the cluster
SELECT state, array_join(resource_group_id, '.'), count(*), max(date_diff('second', created, now()))
FROM system.runtime.queries
WHERE state NOT IN ('FINISHED', 'FAILED') AND query NOT LIKE '%pierhead looks at the cluster%' GROUP BY 1, 2
"""
_FAILED: Final = """
SELECT count(*) FROM system.runtime.queries
WHERE state = 'FAILED' AND error_type <> 'USER_ERROR' AND "end" > now() - INTERVAL '15' MINUTE
"""
_NODES: Final = "SELECT node_id, node_version, coordinator, state FROM system.runtime.nodes ORDER BY 1"
_QUEUED: Final = frozenset({"QUEUED", "DISPATCHING"})
_BLOCKED: Final = frozenset({"WAITING_FOR_RESOURCES", "WAITING_FOR_PREREQUISITES", "BLOCKED"})
_MOST_NAMED: Final = 20


class ClusterDesk:
    def __init__(self, backing: Backing) -> None:
        self._backing = backing

    async def health(self, _caller: Caller, cluster: str) -> Envelope[Health]:
        """Errors: NotFound (`no-such-cluster`); UpstreamUnreachable."""
        chosen, engine = self._backing.chosen, self._backing.engine
        if cluster not in ("", chosen.name):
            raise NotFound(
                f"this server has no cluster {cluster[:100]!r}", hint=f"it has {chosen.name}", code="no-such-cluster"
            )
        queries = await engine.ask_as_login(_QUERIES)
        lists_errors = await self._backing.lists_errors()
        failed = (await engine.ask_as_login(_FAILED))[0][0] if lists_errors else None
        nodes = await engine.ask_as_login(_NODES)
        groups: dict[str, list[int]] = {}
        counts = {"queued": 0, "running": 0, "blocked": 0}
        for state, group, count, _ in queries:
            kind = "queued" if state in _QUEUED else "blocked" if state in _BLOCKED else "running"
            counts[kind] += count
            groups.setdefault(group or "", [0, 0])[0 if kind == "queued" else 1] += count
        gone = [str(node) for node, _, _, state in nodes if str(state).lower() != "active"]
        data = Health(
            cluster=chosen.name,
            version=next((str(version) for _, version, is_coordinator, _ in nodes if is_coordinator), ""),
            oldest_queued_s=float(max((age for state, _, _, age in queries if state in _QUEUED), default=0)),
            failed_lately=failed,
            nodes=len(nodes) - len(gone),
            failed_nodes=gone[:_MOST_NAMED],
            groups=[Group(group=name, queued=of[0], running=of[1]) for name, of in sorted(groups.items())],
            **counts,
        )
        summary = f"{data.running} running, {data.queued} queued, {data.nodes} nodes"
        summary += f", {len(gone)} gone" if gone else ""
        answer = Envelope(
            status="ok" if lists_errors else "partial",
            summary=summed_up(summary),
            data=data,
            missing=[] if lists_errors else ["failed_lately: this engine does not list why queries failed"],
        )
        return answer.observed(f"cluster {chosen.name}", self._backing.now())
