"""How long one decision takes: the rules of a snapshot, then `decide`, with 500 rules in force.

Three shapes: spread over a fleet as rules are in life, all on the one server that is called, the worst there is, and
the fleet with its rules written as company policies in Cedar besides. The caller is in 20 groups. Each uncached, where
whoever asks was never seen before, and remembered as the gateway does, of callers who asked already. Also makes the
snapshots that other benchmarks govern by.
"""

import math
import time
from collections.abc import Sequence
from dataclasses import replace
from statistics import median
from typing import Final

from bench.results import Results, Target
from pierhead.adapters.cedar import CedarPolicies
from pierhead.core.approval import Approval
from pierhead.core.call import Call, Opaque, Request
from pierhead.core.catalog import Effect, Server, Stage, Tool
from pierhead.core.identity import Caller, User
from pierhead.core.policy import Permit, decide
from pierhead.core.reach import EVERY, Row
from pierhead.core.rule import Who
from pierhead.core.snapshot import PolicyText, Snapshot
from pierhead.core.usage import Minutes
from pierhead.usecases.compile_policy import compiled
from pierhead.usecases.match_rules import REACH_AND_USE, Remembered, SnapshotRules
from pierhead.usecases.memory import MemorySnapshots, snapshot_of
from pierhead.usecases.ports import Rules

RULES: Final = 500
DECISIONS: Final = 20_000
GROUP: Final = "data-eng"
GROUPS: Final = 20
PEOPLE: Final = 100
TARGETS: Final = tuple(
    Target(f"policy.{shape}.{kind}", "p99", None, at_most=at_most)
    for shape in ("fleet", "one-server", "cedar")
    for kind, at_most in (("uncached", 200.0), ("remembered", 10.0))
)


def measure(results: Results) -> None:
    """Six runs: three shapes, each uncached and remembered."""
    shapes = {"fleet": spread_snapshot(), "one-server": crowded_snapshot(), "cedar": cedar_snapshot()}
    for shape, snapshot in shapes.items():
        uncached = SnapshotRules(MemorySnapshots(snapshot), REACH_AND_USE)
        for kind, rules in (("uncached", uncached), ("remembered", Remembered(uncached, 10_000))):
            name = f"policy.{shape}.{kind}"
            times = _timed(rules, snapshot, PEOPLE if kind == "remembered" else DECISIONS)
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


def cedar_snapshot() -> Snapshot:
    """The fleet again, every one of its 500 rules a company policy, and its declarations left to those."""
    left = Who(by_policies=True)
    short = spread_snapshot()
    read = CedarPolicies.read((PolicyText("bench.cedar", compiled(short)),))
    servers = {
        name: replace(server, tools={tool.name: replace(tool, policy=left) for tool in server.tools.values()})
        for name, server in short.servers.items()
    }
    rows = {name: tuple(replace(row, who=left) for row in some) for name, some in short.rows.items()}
    return Snapshot(1, servers, rows, read)


def _timed(rules: Rules, snapshot: Snapshot, people: int) -> list[float]:
    """Nanoseconds of each decision on so many callers in turn; every one must permit, or it measures a refusal.

    All but as many as there are decisions have asked before: what is remembered then is remembered of everybody.
    """
    requests = [_request(snapshot, number) for number in range(people)]
    for request in requests if people < DECISIONS else requests[:1]:
        decide(request, rules.matches(request), rules.questions)
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
    guilds = (f"guild-{person}-{number}" for number in range(GROUPS - 1))
    user = User("https://bench.example", f"person-{person}", frozenset({GROUP, *guilds}))
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
