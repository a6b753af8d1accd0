"""Parameters of a caller's statement on real engines: bound, never text, and out of reach of the role's own slots."""

from pathlib import Path
from typing import Any

import pytest
from tests.integration.sql_shops import Shop, loaded, source
from tests.integration.test_sql_row_rules import ANN, RULED

from pierhead.core.errors import Invalid

pytestmark = [pytest.mark.slow, pytest.mark.anyio]

CASES: list[tuple[str, Any, Any]] = [
    ("SELECT id FROM customers WHERE id = :one", {"one": 3}, [[3]]),
    ("SELECT id FROM customers WHERE id = :one OR id = :other ORDER BY id", {"one": 3, "other": 6}, [[3], [6]]),
    ("SELECT id FROM customers WHERE name = :name", {"name": "x' OR '1'='1"}, []),
    ("SELECT id FROM customers WHERE region = :region", {"region": "APAC"}, []),
    ("SELECT count(*) FROM customers WHERE region = :claim_0_0", {"claim_0_0": "APAC"}, [[0]]),
    ("SELECT sku FROM products WHERE price > :low ORDER BY id LIMIT 1", {"low": 190.0}, [["SKU39"]]),
]
FAULTS: list[tuple[str, Any]] = [
    ("SELECT id FROM customers WHERE id = :one", None),
    ("SELECT id FROM customers WHERE id = :one", {"two": 3}),
    ("SELECT id FROM customers WHERE id = 3", {"one": 3}),
    ("SELECT id FROM customers WHERE id = 3", ["EMEA"]),
    ("SELECT id FROM customers WHERE id = 3", {"claim_0_0": "APAC"}),
    ("SELECT id FROM :one", {"one": "secrets"}),
    ("SELECT @@version", None),
    ("SELECT id FROM customers WHERE id = 3", {str(place): 1 for place in range(200)}),
]


@pytest.fixture(params=["sqlite", "duckdb", "postgres", "mysql"])
def shop(request: pytest.FixtureRequest, tmp_path: Path) -> Shop:
    return loaded(request, tmp_path)


async def test_values_are_bound_and_reach_nothing_else(shop: Shop) -> None:
    governed = source(shop, RULED)
    await governed.open()
    for sql, params, rows in CASES:
        assert (await governed.run_query(ANN, sql=sql, max_rows=9, timeout_s=5.0, params=params)).rows == rows, sql
    for sql, params in FAULTS:
        with pytest.raises(Invalid):
            await governed.run_query(ANN, sql=sql, max_rows=9, timeout_s=5.0, params=params)
    assert (await governed.explain_query(ANN, sql=CASES[0][0])).verdict == "permitted"
    await governed.close()
