"""The public corpus on real engines, as their owner: attacks find nothing, reads return what they always did."""

import json
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from tests.integration.sql_shops import (
    ANALYST,
    CALLER,
    CoordinatorShop,
    DuckdbShop,
    Governed,
    MariadbShop,
    PostgresShop,
    Shop,
    SqliteShop,
    seen,
    source,
)
from tests.shop import CANARIES, CORPUS, Entry, analyst_view, entries

from pierhead.core.errors import PierheadError
from pierhead.sdk.governed.cells import plain
from pierhead.sdk.governed.engine import Limits
from pierhead.sdk.sqlguard import Dialect, GovernedQuery
from pierhead.servers.sql.engines.postgres import PostgresEngine

pytestmark = [pytest.mark.slow, pytest.mark.anyio, pytest.mark.timeout(300)]

SECONDS = 3.0
LOADERS = {"sqlite": SqliteShop.load, "duckdb": DuckdbShop.load}
SERVED = {
    "postgres": (PostgresShop.load, "postgres_url"),
    "mysql": (MariadbShop.load, "mariadb_url"),
    "trino": (partial(CoordinatorShop.load, scheme="trino"), "trino_address"),
    "presto": (partial(CoordinatorShop.load, scheme="presto"), "presto_address"),
}
# Engines that read the dialect of another.
DIALECTS: dict[str, Dialect] = {"presto": "trino"}
# The same tables, where one of each kind of rule stands between the caller and what is stored.
GUARDED: Mapping[str, Any] = {
    "analyst": {
        "tables": {
            "orders": {"operations": ["read"], "columns": {"mask": {"amount": "bucket:10"}}, "rows": "qty.lte.5"},
            "products": {"operations": ["read"], "columns": {"mask": {"sku": "hash", "name": "last4"}}},
            "customers": {
                "operations": ["read"],
                "columns": {"mask": {"email": "const:hidden", "created_at": "year"}},
                "rows": "region.eq.EMEA",
            },
        }
    }
}
IN_HIDDEN_ROWS = ("UPDATE customers SET name = '@canary.example' WHERE region <> 'EMEA'",)
# The rows differ from one run to the next, whoever runs it: the clock, chance, or ties.
UNSTABLE = (
    "now()",
    "current_timestamp",
    "datetime('now')",
    "arg_m",
    "rn FROM orders LIMIT 20",
    "ORDER BY s DESC LIMIT 5",
)


@pytest.fixture(scope="module", params=["sqlite", "duckdb", "postgres", "mysql", "trino", "presto"])
def shop(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Shop]]:
    engine: str = request.param
    if engine in SERVED:
        yield engine, served(request, engine)
    else:
        yield engine, LOADERS[engine](tmp_path_factory.mktemp(engine))


def served(request: pytest.FixtureRequest, engine: str) -> Shop:
    """The shop, loaded anew, in a server that runs for this session."""
    load, url = SERVED[engine]
    return load(request.getfixturevalue(url))


@pytest.fixture
async def opened(shop: tuple[str, Shop]) -> AsyncIterator[Governed]:
    governed = source(shop[1])
    await governed.open()
    yield governed
    await governed.close()


async def outcome(governed: Governed, sql: str) -> str:
    """Everything a caller gets to see."""
    try:
        answer = await governed.run_query(CALLER, sql=sql, max_rows=1000, timeout_s=SECONDS)
    except PierheadError as refusal:
        return f"refused {refusal.code}: {refusal.message} ({refusal.hint})"
    return seen(answer)


async def attacked(shop: Shop, attacks: list[Entry], roles: Mapping[str, Any] = ANALYST) -> dict[str, str]:
    governed = source(shop, roles)
    await governed.open()
    seen = {attack.id: await outcome(governed, attack.sql) for attack in attacks}
    alive = await governed.run_query(CALLER, sql="SELECT count(*) FROM orders", max_rows=1, timeout_s=SECONDS)
    assert alive.rows == [[5000]]
    await governed.close()
    return seen


async def test_attacks_are_refused_or_harmless(
    shop: tuple[str, Shop], tmp_path: Path, request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]
) -> None:
    engine, loaded = shop
    attacks = [entry for entry in entries(DIALECTS.get(engine, engine)) if entry.expected == "deny"]
    before = loaded.state()
    first = await attacked(loaded, attacks)
    assert loaded.state() == before, "an attack changed the database"
    assert not [attack for attack, seen in first.items() if any(canary in seen for canary in CANARIES)]

    changed = LOADERS[engine](tmp_path) if engine in LOADERS else loaded
    again = await attacked(changed, attacks)  # the same, freshly loaded: what differs here is no dependence
    changed.change_protected()
    other = await attacked(changed, attacks)
    if engine in SERVED:
        served(request, engine)
    assert {key: seen for key, seen in other.items() if seen != again[key]} == {}
    figures = Counter("refused" if seen.startswith("refused") else "harmless" for seen in first.values())
    with capsys.disabled():
        print(f"\n{engine}: {len(attacks)} attacks, {dict(figures)}")


@pytest.mark.parametrize("shop", ["sqlite", "duckdb", "postgres", "mysql"], indirect=True)
async def test_attacks_behind_masks_and_row_rules_are_refused_or_harmless(
    shop: tuple[str, Shop], tmp_path: Path, request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]
) -> None:
    engine, shared = shop
    loaded = LOADERS[engine](tmp_path) if engine in LOADERS else shared
    attacks = [entry for entry in entries(engine) if entry.expected == "deny"]
    loaded.change_protected(IN_HIDDEN_ROWS)
    before = loaded.state()
    first = await attacked(loaded, attacks, GUARDED)
    assert loaded.state() == before, "an attack changed the database"
    loaded.change_protected()
    other = await attacked(loaded, attacks, GUARDED)
    if engine in SERVED:
        served(request, engine)
    assert not [attack for attack, seen in first.items() if any(canary in seen for canary in CANARIES)]
    assert {key: (seen, first[key]) for key, seen in other.items() if seen != first[key]} == {}
    figures = Counter("refused" if seen.startswith("refused") else "harmless" for seen in first.values())
    with capsys.disabled():
        print(f"\n{engine}: {len(attacks)} attacks behind masks and rules, {dict(figures)}")


def reads(dialect: str) -> list[tuple[str, str]]:
    more = [json.loads(line) for line in (CORPUS / "more_reads.jsonl").read_text(encoding="utf-8").splitlines()]
    corpus = [(entry.id, entry.sql) for entry in entries(dialect) if entry.expected == "allow"]
    return corpus + [(read["id"], read["sql"]) for read in more if read["dialect"] == dialect]


def is_unstable(sql: str, dialect: str) -> bool:
    """Whether it may rightly answer other rows the next time: a coordinator takes any rows first."""
    takes_any = dialect == "trino" and "LIMIT" in sql and "ORDER BY" not in sql
    return takes_any or any(word in sql for word in UNSTABLE)


async def test_legitimate_reads_return_the_rows_of_the_original(
    shop: tuple[str, Shop], opened: Governed, capsys: pytest.CaptureFixture[str]
) -> None:
    name, loaded = shop
    engine, dialect = loaded.engine(), DIALECTS.get(name, name)
    if isinstance(engine, PostgresEngine):
        engine._session["search_path"] = "public"  # the original names its tables without a schema
    view, limits = analyst_view(dialect), Limits(100_000, 10.0)
    differing: dict[str, str] = {}
    for identifier, sql in reads(dialect):
        if sql.startswith("EXPLAIN"):
            explained = await opened.explain_query(CALLER, sql=sql)
            if explained.verdict != "permitted" or explained.estimate is None:
                differing[identifier] = f"{sql} -> {explained.reasons}"
            continue
        try:
            answer = await opened.run_query(CALLER, sql=sql, max_rows=1000, timeout_s=10.0)
            original = await engine.run(GovernedQuery(sql.rstrip("; "), (), 0, explain=False), view, {}, limits)
        except PierheadError as refusal:
            differing[identifier] = f"{sql} -> {refusal.code}: {refusal.message} ({refusal.hint})"
            continue
        wanted = Counter(json.dumps([plain(value) for value in row]) for row in original.rows)
        got = Counter(json.dumps(row) for row in answer.rows)
        is_cut = answer.truncated and got <= wanted
        is_moving = is_unstable(sql, dialect) and len(answer.rows) == len(original.rows)
        if not answer.rows or not (got == wanted or is_cut or is_moving):
            differing[identifier] = f"{sql} -> {answer.rows[:3]} and not {original.rows[:3]}"
    await engine.close()
    with capsys.disabled():
        print(f"\n{name}: {len(reads(dialect))} reads, {len(differing)} differ")
    assert not differing, "\n".join(differing.values())
