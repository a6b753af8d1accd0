"""The gateway: the only public port. It decides, relays bytes and keeps the record; it speaks MCP
itself at the front desk only (`desk`).

`program` makes one from what `bootstrap/wire_gateway` put together; `relay` is the request path. Read that first.
"""

import contextlib
from collections.abc import Iterable
from importlib.metadata import version
from typing import Protocol

from prometheus_client import CollectorRegistry, generate_latest

from pierhead.apps.authenticate import NO_WORKLOADS, Listener, Sidecar
from pierhead.apps.gateway.authz import Authz
from pierhead.apps.gateway.desk import Desk
from pierhead.apps.gateway.edge import Admission
from pierhead.apps.gateway.exchange import origin_of
from pierhead.apps.gateway.forward import Forward
from pierhead.apps.gateway.lanes import Bounds, Lanes
from pierhead.apps.gateway.metrics import Tally
from pierhead.apps.gateway.open_messages import OpenMessages
from pierhead.apps.gateway.relay import Parts, Relay
from pierhead.apps.gateway.run import Program
from pierhead.apps.gateway.streams import Origin
from pierhead.apps.probes import Check, Probes, Readiness
from pierhead.apps.serving import spare_collections
from pierhead.bootstrap.sign_in_settings import registered_programs
from pierhead.bootstrap.wire_gateway import GatewayAdapters
from pierhead.core.errors import RecordFailed
from pierhead.core.snapshot import EMPTY, Expired, Snapshot
from pierhead.usecases.find_tools import PastUse, ToolFinder
from pierhead.usecases.match_rules import REACH, REACH_AND_USE, Remembered, SnapshotRules
from pierhead.usecases.ports import Snapshots
from pierhead.usecases.record_failed_sign_ins import FailedSignIns
from pierhead.usecases.told_by_roles import ToldByRoles

__all__ = ["parts", "program"]

_CALLS = Bounds(running=100, waiting=200, wait_s=5.0)
_LISTENERS = Bounds(running=500, waiting=0, wait_s=0.0)
_REMEMBERED = 10_000
_REMEMBERED_TOOLS = 50_000
_SIGN_IN_WINDOW_S = 1.0


def parts(outside: GatewayAdapters) -> Parts:
    """The relay's parts, in the product's one arrangement: governed."""
    setting = outside.setting
    rules = Remembered(SnapshotRules(outside.snapshots, REACH), _REMEMBERED)
    return Parts(
        public_url=setting.public_url,
        admission=Admission.of(setting.public_url),
        listener=_listener(outside),
        snapshots=outside.snapshots,
        rules=rules,
        audit=outside.audit,
        clock=outside.clock,
        ids=outside.ids,
        upstreams=outside.upstreams,
        minter=outside.minter,
        forward=Forward(outside.registry, outside.upstreams),
        lanes=Lanes(_CALLS, _LISTENERS),
        failed_sign_ins=FailedSignIns(outside.audit, outside.clock, _SIGN_IN_WINDOW_S),
        open_messages=OpenMessages(outside.snapshots, rules, outside.clock),
        desk=Desk(_finder(outside.snapshots), version("pierhead")),
        tally=Tally(),
    )


def _listener(outside: GatewayAdapters) -> Listener:
    setting = outside.setting
    interactive = frozenset(setting.sign_in.interactive_clients)
    workloads = outside.workloads or NO_WORKLOADS
    # a workload that exchanged its SVID for a token stands where its SVIDs do
    programs = setting.mesh.registered | registered_programs(setting.sign_in, setting.environment)
    return Listener(outside.tokens, setting.surface, setting.environment, workloads, interactive, programs)


def _finder(snapshots: Snapshots) -> ToolFinder:
    """The desk shows what both layers and roles permit, as every list does; calls meet the last two at the server."""
    rules = Remembered(SnapshotRules(snapshots, REACH_AND_USE), _REMEMBERED_TOOLS)
    return ToolFinder(snapshots, ToldByRoles(rules), PastUse())


def program(outside: GatewayAdapters, checks: dict[str, Check]) -> Program:
    """The gateway as a program. `checks` are more conditions of readiness (the journal's, for one)."""
    at, mesh = parts(outside), outside.setting.mesh
    metrics = CollectorRegistry(auto_describe=False)
    metrics.register(at.tally)
    published = _Published(outside.snapshots)
    readiness = Readiness({"snapshot": lambda: _snapshot_fault(outside.snapshots), "servers": published, **checks})

    following = Following(outside.snapshots, outside.upstreams, outside.registry)

    async def tick() -> None:
        at.open_messages.decide_again()
        following.look()
        await at.failed_sign_ins.flush()

    async def close() -> None:
        outside.upstreams.close()
        with contextlib.suppress(RecordFailed):
            await at.failed_sign_ins.flush(at_the_end=True)

    return Program(
        application=Relay(at, Sidecar(mesh.sidecar_addresses)),
        of_sidecar=Relay(at, Sidecar(owns_listener=True)),
        authz=Authz(at, Sidecar(mesh.sidecar_addresses, owns_listener=mesh.authz_socket is not None)),
        probes=Probes(readiness, lambda: generate_latest(metrics)),
        tick=tick,
        stop_listeners=at.open_messages.end_listeners,
        close=close,
        tls=outside.tls.listening() if outside.tls is not None else None,
    )


def _snapshot_fault(snapshots: Snapshots) -> str:
    """A verified snapshot is loaded, and not expired."""
    if snapshots.current().revision == 0:
        return "no snapshot yet"
    age = snapshots.age()
    return f"the snapshot was last confirmed {age.age_s:.0f} s ago" if isinstance(age, Expired) else ""


class Pools(Protocol):
    """Connections that are kept, by where they lead."""

    def retain(self, origins: Iterable[Origin]) -> None:
        """Forget all others."""
        ...


class Following:
    """What a new revision means beside decisions: its servers' connections are kept, all others closed.

    Looked at twice a second and done once a revision: two thousand addresses are five milliseconds in which no request
    moves. The first one is most of what a gateway holds for good, so it is spared every later collection of garbage.
    """

    def __init__(self, snapshots: Snapshots, upstreams: Pools, registry: Origin) -> None:
        self._snapshots, self._upstreams, self._registry = snapshots, upstreams, registry
        self._for: Snapshot = EMPTY

    def look(self) -> None:
        snapshot = self._snapshots.current()
        if snapshot is self._for:
            return
        is_first, self._for = self._for.revision == 0, snapshot
        origins = [origin for server in snapshot.servers.values() if (origin := origin_of(server)) is not None]
        self._upstreams.retain([self._registry, *origins])
        if is_first and snapshot.revision:
            spare_collections()


class _Published:
    """Every callable server has said where it listens: asked until it was true once.

    Later a server that dies is that server's matter; the gateway stays ready for the others.
    """

    def __init__(self, snapshots: Snapshots) -> None:
        self._snapshots = snapshots
        self._was_true = False

    def __call__(self) -> str:
        if not self._was_true:
            servers = self._snapshots.current().servers.values()
            silent = sorted(server.name for server in servers if server.is_callable and not server.upstream)
            if silent:
                return "not published yet: " + ", ".join(silent)
            self._was_true = self._snapshots.current().revision > 0
        return ""
