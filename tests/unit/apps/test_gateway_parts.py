"""The gateway's small parts: the error table, places before a server, the probes, what is counted."""

import asyncio
import gc
from collections.abc import Iterable, Iterator
from dataclasses import replace

import pytest
from tests.unit.samples import SERVER

from pierhead.apps.gateway import Following
from pierhead.apps.gateway.lanes import Bounds, Lane, Lanes
from pierhead.apps.gateway.metrics import Tally, family
from pierhead.apps.gateway.streams import Origin
from pierhead.apps.probes import Probes, Readiness
from pierhead.apps.problem import http_status, json_rpc
from pierhead.core import errors
from pierhead.core.errors import Invalid, LimitExceeded, NotFound, PierheadError
from pierhead.core.snapshot import EMPTY, Snapshot
from pierhead.core.wire_codes import numbers
from pierhead.usecases.memory import MemorySnapshots

pytestmark = pytest.mark.anyio


def every(kind: type[PierheadError]) -> Iterator[type[PierheadError]]:
    yield kind
    for child in kind.__subclasses__():
        if child.__module__ == errors.__name__:
            yield from every(child)


def test_every_error_has_its_row() -> None:
    seen = {kind: numbers(kind("x")) for kind in every(PierheadError)}
    assert seen[errors.Unauthenticated].http == 401
    assert seen[errors.RecordFailed].json_rpc == -31507
    for kind, row in seen.items():
        if kind is not PierheadError:
            assert row != seen[PierheadError], kind
        assert row.json_rpc in {-32602, -32603} or row.json_rpc > -32000, kind


def test_a_methods_error_is_read_at_200_in_the_legacy_eras_alone() -> None:
    unknown = NotFound("Unknown tool: x", code="unknown-tool")
    assert (http_status(unknown, "2026-07-28"), http_status(unknown, "2025-11-25")) == (400, 200)
    assert http_status(Invalid("x", code="not-json"), "2025-11-25") == 400
    assert numbers(unknown).exit == 4


def test_an_error_on_the_wire_teaches() -> None:
    body = json_rpc(LimitExceeded("busy", hint="later", code="server-busy"), 7, {"more": 1})
    assert body == {
        "jsonrpc": "2.0",
        "id": 7,
        "error": {"code": -31429, "message": "busy", "data": {"code": "server-busy", "hint": "later", "more": 1}},
    }


async def test_places_are_given_in_order_and_never_lost() -> None:
    lane = Lane(Bounds(running=1, waiting=2, wait_s=5))
    await lane.enter()
    order: list[int] = []

    async def visit(number: int) -> None:
        await lane.enter()
        order.append(number)
        lane.leave()

    waiting = [asyncio.create_task(visit(number)) for number in (1, 2)]
    await asyncio.sleep(0)
    with pytest.raises(LimitExceeded):
        await lane.enter()
    lane.leave()
    await asyncio.gather(*waiting)
    assert (order, lane.running) == ([1, 2], 0)


async def test_who_waits_too_long_or_goes_away_takes_no_place() -> None:
    lane = Lane(Bounds(running=1, waiting=5, wait_s=0.01))
    await lane.enter()
    with pytest.raises(LimitExceeded):
        await lane.enter()
    leaving = asyncio.create_task(lane.enter())
    await asyncio.sleep(0)
    lane.leave()
    leaving.cancel()  # the place was given, and its taker goes away in the same moment
    await asyncio.wait({leaving})
    assert leaving.cancelled()
    assert lane.running == 0
    assert lane.enter_at_once()


def test_listeners_have_lanes_of_their_own() -> None:
    lanes = Lanes(Bounds(running=1), Bounds(running=1))
    assert lanes.of("a", listens=False).enter_at_once()
    assert lanes.of("a", listens=True).enter_at_once()
    assert lanes.of("b", listens=False).enter_at_once()
    assert not lanes.of("a", listens=False).enter_at_once()


async def probe(probes: Probes, path: str, query: bytes = b"", method: str = "GET") -> tuple[int, bytes]:
    sent: list[dict[str, object]] = []

    async def send(message: object) -> None:
        sent.append(message)  # type: ignore[arg-type]

    async def receive() -> dict[str, object]:
        return {}

    await probes({"type": "http", "path": path, "query_string": query, "method": method}, receive, send)
    return sent[0]["status"], sent[1]["body"]  # type: ignore[return-value]


async def test_the_probes_tell_alive_ready_and_started_apart() -> None:
    faults = {"snapshot": "no snapshot yet"}
    probes = Probes(Readiness({"snapshot": lambda: faults["snapshot"]}), lambda: b"metrics")
    assert (await probe(probes, "/healthz"))[0] == 200
    assert await probe(probes, "/readyz") == (503, b"snapshot: no snapshot yet\n")
    assert (await probe(probes, "/startupz"))[0] == 503
    faults["snapshot"] = ""
    assert (await probe(probes, "/startupz"))[0] == 200
    faults["snapshot"] = "gone"
    assert (await probe(probes, "/startupz"))[0] == 200
    assert b'"fault": "gone"' in (await probe(probes, "/readyz", b"verbose"))[1]
    assert await probe(probes, "/metrics") == (200, b"metrics")
    assert (await probe(probes, "/internal"))[0] == 404
    assert (await probe(probes, "/healthz", method="POST"))[0] == 405


def test_labels_stay_few_whatever_clients_call_themselves() -> None:
    tally = Tally()
    for number in range(3000):
        tally.call("s", "t", f"client-{number}/1", "ok", 0.3)
        tally.message("1999-01-01", f"Claude Code {number}")
    assert list(tally.calls) == [("s", "t", "other", "ok")]
    assert tally.messages == {("older", "claude-code"): 3000}
    assert len(tally._families) <= 1001
    assert family("") == "unknown"


def test_the_histogram_counts_each_call_once_and_up_to_its_bucket() -> None:
    tally = Tally()
    for seconds in (0.01, 0.3, 1000.0):
        tally.call("s", "t", "", "ok", seconds)
    samples = {
        sample.labels.get("le", sample.name): sample.value
        for metric in tally.collect()
        if metric.name == "pierhead_tool_duration_seconds"
        for sample in metric.samples
    }
    assert (samples["0.01"], samples["0.2"], samples["0.5"], samples["300.0"], samples["+Inf"]) == (1, 1, 2, 2, 3)


# -- what a new revision means beside decisions


class Pools:
    """Pools of connections, as far as they are told which to keep."""

    def __init__(self) -> None:
        self.kept: list[set[Origin]] = []

    def retain(self, origins: Iterable[Origin]) -> None:
        self.kept.append(set(origins))


def test_the_addresses_of_a_fleet_are_gone_through_once_a_revision() -> None:
    registry = ("127.0.0.1", 9, "")
    one, two = (replace(SERVER, name=f"s{port}", upstream=f"http://127.0.0.1:{port}/mcp") for port in (1, 2))
    snapshots, pools = MemorySnapshots(EMPTY), Pools()
    following = Following(snapshots, pools, registry)
    before = gc.get_threshold()
    try:
        following.look()
        snapshots.snapshot = Snapshot(1, {"s1": one, "s2": two}, {})
        for _ in range(3):
            following.look()
        assert gc.get_freeze_count() > 0  # the first policy is spared every later collection
        snapshots.snapshot = Snapshot(2, {"s1": one, "new": replace(SERVER, name="new", upstream="")}, {})
        following.look()
        following.look()
    finally:
        gc.unfreeze()
        gc.set_threshold(*before)
    assert pools.kept == [
        {registry, ("127.0.0.1", 1, ""), ("127.0.0.1", 2, "")},
        {registry, ("127.0.0.1", 1, "")},
    ]
