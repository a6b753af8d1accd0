"""What a verdict on a statement costs: the guard on texts it has not seen, and the memory of those it has.

In process and without a database: the second opinion is the engine's, and asked once a text. Statements are the
three kinds that agents write: a row by key, a join of three tables with groups, a WITH and a window.
"""

import asyncio
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Final

from bench.policy import percentile
from bench.results import Results
from pierhead.core.identity import Caller, User
from pierhead.sdk.governed.engine import Limits
from pierhead.sdk.governed.policy import parse_policy
from pierhead.sdk.governed.source import Source
from pierhead.sdk.governed.sql_lane import SqlLane
from pierhead.sdk.sqlguard import Column, PermittedTable, View, govern
from pierhead.servers.sql.engines.sqlite import SqliteEngine

COLD: Final = 400
WARM: Final = 5_000
_KEYED: Final = "SELECT id, total FROM orders WHERE id = {n}"
_JOINED: Final = """
SELECT c.region, p.name, sum(o.qty * p.price) AS sold FROM orders o JOIN customers c ON c.id = o.customer_id
JOIN products p ON p.id = o.product_id WHERE o.status = 'paid' AND o.total > {n}
GROUP BY c.region, p.name ORDER BY sold DESC LIMIT 20
"""
_RANKED: Final = """
WITH recent AS (SELECT * FROM orders WHERE total > {n})
SELECT region, total, rank() OVER (PARTITION BY region ORDER BY total DESC) AS place
FROM recent JOIN customers ON customers.id = recent.customer_id WHERE total < 900
"""
_STATEMENTS: Final = (_KEYED, _JOINED, _RANKED)


def _table(name: str, columns: str) -> PermittedTable:
    return PermittedTable("public", name, tuple(Column(column) for column in columns.split()))


VIEW: Final = View(
    "postgres",
    "shop",
    "public",
    (
        _table("orders", "id customer_id product_id qty total status created_at"),
        _table("customers", "id name region created_at"),
        _table("products", "id name price category"),
    ),
)


def measure(results: Results, folder: Path) -> None:
    """Cold by percentile over all kinds alike; warm is a statement that the lane remembers, until it may run."""
    govern(_RANKED.format(n=0), VIEW, max_rows=50)
    cold = [_cold(_STATEMENTS[n % len(_STATEMENTS)].format(n=n)) for n in range(COLD)]
    warm = asyncio.run(_warm(folder / "shop.db"))
    for name, found in (("cold", cold), ("warm", warm)):
        results.add("data.verdict", f"{name}_p50", percentile(found, 0.50), "us", len(found))
        results.add("data.verdict", f"{name}_p95", percentile(found, 0.95), "us", len(found))


def _cold(sql: str) -> float:
    """CPU time in microseconds: other programs on this machine do not count."""
    before = time.thread_time_ns()
    govern(sql, VIEW, max_rows=50)
    return (time.thread_time_ns() - before) / 1000


async def _warm(file: Path) -> list[float]:
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY, total REAL)")
    policy = parse_policy({"analyst": {"tables": ["orders"], "operations": ["read"]}})
    source = Source(SqliteEngine(file), policy, paced=False)
    await source.open()
    lane, caller = SqlLane(source), Caller(User("https://bench.example", "ann", frozenset()), "ide", "local", "1")
    found: list[float] = []
    for _ in range(WARM):
        before = time.thread_time_ns()
        async with lane.ready(caller, sql="SELECT id, total FROM orders WHERE id = 7", limits=Limits(50, 10.0)):
            found.append((time.thread_time_ns() - before) / 1000)
    await source.close()
    return found[WARM // 10 :]
