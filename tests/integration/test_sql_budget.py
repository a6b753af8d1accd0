"""The cost gate on a real planner: what is estimated over a role's budget waits for a person and runs nothing."""

from pathlib import Path
from typing import Any

import pytest
from tests.integration.sql_shops import CALLER, PostgresShop, SqliteShop, source

from pierhead.core.errors import Misconfigured, PierheadError
from pierhead.sdk.governed.policy import parse_policy
from pierhead.sdk.testing import platform
from pierhead.servers.sql import build

pytestmark = [pytest.mark.slow, pytest.mark.anyio]

CROSSED = "SELECT count(*) FROM orders a, orders b, orders c"


def roles(**budget: Any) -> dict[str, Any]:
    limits = {"budget": budget}
    return {"analyst": {"tables": ["orders", "customers"], "operations": ["read"], "limits": limits}}


async def test_a_statement_over_the_budget_is_not_run_and_one_within_it_is(postgres_url: str) -> None:
    governed = source(PostgresShop.load(postgres_url), roles(cost=10_000))
    await governed.open()
    cheap = await governed.run_query(CALLER, sql="SELECT id FROM orders WHERE id = 1", max_rows=1, timeout_s=5)
    assert len(cheap.rows) == 1
    with pytest.raises(PierheadError, match=r"over the role's budget of 10000 cost") as asked:
        await governed.run_query(CALLER, sql=CROSSED, max_rows=1, timeout_s=5)
    assert asked.value.code == "approval-required"
    await governed.close()


async def test_what_the_engine_does_not_estimate_is_over_any_budget(tmp_path: Path) -> None:
    """As a client sees it: a normal answer, under the output schema, and nothing ran."""
    shop = SqliteShop.load(tmp_path)
    entry = {
        "owner": "data",
        "support": "#data",
        "url": f"sqlite:///{shop.file}",
        "roles": roles(rows=10, needs="approve"),
    }
    async with platform(build("shop", entry), access="everyone") as running, running.client("ann") as client:
        for tool, arguments in (("run_query", {"sql": CROSSED}), ("query_table", {"table": "orders"})):
            answer = await client.call_tool(tool, arguments)
            assert answer.structured_content is not None
            assert answer.structured_content["status"] == "approval_required"
            assert "estimates no rows" in str(answer.structured_content["reasons"])


@pytest.mark.parametrize("budget", [{"rows": -1}, {"euros": 3}, {"needs": "nobody"}])
def test_a_budget_that_cannot_be_meant_does_not_load(budget: dict[str, Any]) -> None:
    with pytest.raises(Misconfigured, match="budget"):
        parse_policy(roles(**budget))
