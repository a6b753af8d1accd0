"""How long one decision takes: the rules of a snapshot, then `decide`, with 500 rules in force.

Two shapes: spread over a fleet as rules are in life, and all on the one server that is called, the worst there is.
Each uncached, and remembered as the gateway does. Also makes the snapshots that other benchmarks govern by.
"""

import math
import time
from collections.abc import Sequence
from statistics import median
from typing import Final

from bench.results import Results, Target
from pierhead.core.approval import Approval
from pierhead.core.call import Call, Opaque, Request
from pierhead.core.catalog import Effect, Server, Stage, Tool
from pierhead.core.identity import Caller, User
from pierhead.core.policy import Permit, decide
from pierhead.core.reach import EVERY, Row
from pierhead.core.rule import Who
from pierhead.core.snapshot import Snapshot
from pierhead.core.usage import Minutes
from pierhead.usecases.match_rules import REACH_AND_USE, Remembered, SnapshotRules
from pierhead.usecases.memory import MemorySnapshots, snapshot_of
from pierhead.usecases.ports import Rules

RULES: Final = 500
DECISIONS: Final = 20_000
GROUP: Final = "data-eng"
TARGETS: Final = tuple(
    Target(f"policy.{shape}.{kind}", "p99", None, at_most=200.0)
    for shape in ("fleet", "one-server")
    for kind in ("uncached", "remembered")
)


def measure(results: Results) -> None:
    """Four runs: two shapes, each uncached and remembered."""
    shapes = {"fleet": spread_snapshot(), "one-server": crowded_snapshot()}
    for shape, snapshot in shapes.items():
        uncached = SnapshotRules(MemorySnapshots(snapshot), REACH_AND_USE)
        for kind, rules in (("uncached", uncached), ("remembered", Remembered(uncached, 10_000))):
            name = f"policy.{shape}.{kind}"
            times = _timed(rules, snapshot)
            results.add(name, "p50", median(times) / 1000, "us", len(times))
            results.add(name, "p99", percentile(times, 0.99) / 1000, "us", len(times))
        results.compare(f"policy.{shape}.remembered", "p50", f"policy.{shape}.uncached")


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` of `values` do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * share) - 1)]


def everyday_snapshot(upstream: str) -> Snapshot:
    """The snapshot the measured gateways run on: 500 rules over a fleet, `warehouse` standing at `upstream`."""
    return spread_snapshot(upstream)


def spread_snapshot(upstream: str = "") -> Snapshot:
    """100 servers with one access row and four tool policies each: 500 rules."""
    servers = [_server(_name(number), upstream, tools=4) for number in range(RULES // 5)]
    return snapshot_of(servers, [_row(server.name, GROUP) for server in servers])


def crowded_snapshot() -> Snapshot:
    """One server with 496 access rows, the caller's the last, and four tool policies: 500 rules."""
    rows = [_row("warehouse", f"team-{number}") for number in range(RULES - 5)]
    return snapshot_of([_server("warehouse", "", tools=4)], [*rows, _row("warehouse", GROUP)])


def _timed(rules: Rules, snapshot: Snapshot) -> list[float]:
    """Nanoseconds of each decision; every one must permit, or the benchmark measures a refusal."""
    requests = [_request(snapshot, number) for number in range(100)]
    times: list[float] = []
    for number in range(DECISIONS):
        request = requests[number % len(requests)]
        before = time.perf_counter_ns()
        decided = decide(request, rules.matches(request), rules.questions)
        times.append(time.perf_counter_ns() - before)
        if not isinstance(decided, Permit):
            raise TypeError(f"the benchmark's own call was refused: {decided}")
    return times


def _request(snapshot: Snapshot, person: int) -> Request:
    server = snapshot.servers["warehouse"]
    user = User("https://bench.example", f"person-{person}", frozenset({GROUP, f"guild-{person}"}))
    call = Call(f"call-{person}", server.name, "echo", Opaque("0" * 64, 2), "2026-07-28", "bench")
    return Request(call, Caller(user, "ide", "local", call.id), server, server.tools["echo"], snapshot.revision)


def _name(number: int) -> str:
    return f"server-{number}" if number else "warehouse"


def _row(server: str, group: str) -> Row:
    return Row(server, Who(groups=frozenset({group})), EVERY, EVERY, EVERY)


def _server(name: str, upstream: str, tools: int) -> Server:
    made = [_tool(f"tool-{number}" if number else "echo") for number in range(tools)]
    return Server(
        name=name,
        version="1.0.0",
        kind="python",
        stage=Stage.DEPLOYED,
        owner="data-platform",
        support="#data-help",
        description="",
        upstream=upstream,
        tools={tool.name: tool for tool in made},
    )


def _tool(name: str) -> Tool:
    return Tool(
        name=name,
        description="",
        policy=Who(groups=frozenset({GROUP})),
        effect=Effect.READ,
        approval=Approval.NONE,
        minutes=Minutes.estimate(1),
        input_schema={},
        output_schema={},
    )
