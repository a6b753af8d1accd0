"""The bound of a run, where the client says which run it is: as clients of both revisions declare it."""

from typing import Any

import pytest
from mcp.client import Client

from pierhead import Server
from pierhead.testing import platform

pytestmark = pytest.mark.anyio


def server() -> Server:
    made = Server("shop", owner="shop", support="#shop")

    @made.tool(policy="everyone", effect="destructive", minutes_saved=1)
    async def purge(number: int) -> int:
        """Purge one."""
        return number

    return made


async def asked(client: Client, number: int, meta: dict[str, Any]) -> str:
    """What became of it: waiting, or why not."""
    try:
        result = await client.call_tool("purge", {"number": number}, meta=meta)  # pyright: ignore[reportArgumentType]
    except Exception as refused:  # noqa: BLE001 - either way of refusing is one
        return str(refused)
    return str(result.structured_content or result.content)


@pytest.mark.parametrize("mode", ["2026-07-28", "legacy"])
async def test_each_run_has_its_three_and_inventing_runs_gains_no_more_than_twelve(mode: str) -> None:
    async with platform(server(), access="everyone") as running, running.client("alice", mode=mode) as client:
        for number in range(3):
            assert "approval_required" in await asked(client, number, {"io.pierhead/run": "one"})
        assert "3 approvals of this run" in await asked(client, 3, {"io.pierhead/run": "one"})
        for number in range(9):
            assert "approval_required" in await asked(client, 10 + number, {"io.pierhead/run": f"invented-{number}"})
        assert "12 approvals of yours on shop" in await asked(client, 99, {"io.pierhead/run": "yet-another"})
        again = await asked(client, 0, {"io.pierhead/run": "yet-another"})
        assert "approval_required" in again
        first = running.people.asked[0].proposal
        assert (first.run_id, first.evidence_ids) == ("one", ())


@pytest.mark.parametrize("mode", ["2026-07-28", "legacy"])
async def test_the_record_names_run_and_evidence(mode: str) -> None:
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    async with platform(server(), access="everyone") as running, running.client("alice", mode=mode) as client:
        await asked(client, 1, {"traceparent": trace, "io.pierhead/evidence": ["call-7"]})
        (record,) = running.people.asked
        assert record.proposal.run_id == "0af7651916cd43dd8448eb211c80319c"
        assert record.proposal.evidence_ids == ("call-7",)
