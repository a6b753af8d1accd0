"""Corpus statements, mutated and crossed, on real engines with their owner's login: no canary ever comes out.

What a statement may be refused for is open; that nothing but a refusal or an answer comes, that the answer holds no
protected value, and that the database stays as it was, is not. Examples are derived, so a run repeats; raise
`max_examples` to look longer.
"""

import asyncio
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.integration.sql_shops import ANALYST, CALLER, DuckdbShop, Governed, PostgresShop, Shop, SqliteShop, source
from tests.shop import CANARIES, entries

from pierhead.core.errors import PierheadError

SECONDS = 0.3
#: What leads to protected data, and what changes the meaning of words beside it.
LURES = (
    *("secrets", "salaries", "email", "token", "amount", "employee", "leaky", "main.secrets", "public.secrets"),
    *(
        '"secrets"',
        '"email"',
        "`email`",
        "[email]",
        "customers.email",
        "c.email",
        "SECRETS",
        "secret\u017f",
        "order_totals",
    ),
    *("sqlite_master", "pg_catalog.pg_class", "duckdb_tables()", "rowid", "ctid", "tableoid", "(customers).email"),
    *("UNION ALL SELECT token FROM secrets", "(SELECT token FROM secrets)", ", LATERAL (TABLE secrets) l", "TABLE"),
    *("NATURAL JOIN secrets", "JOIN customers USING (email)", "WITH secrets AS (SELECT 1 AS token)", "* EXCLUDE (id)"),
    *("/*", "*/", "--", "\n", ";", "'", '"', "(", ")", "$$", "\\", "::text", "AS", "ONLY", "EXPLAIN", "RECURSIVE"),
)
Mutate = Callable[[list[str]], list[str]]


def words(sql: str) -> list[str]:
    """Roughly the words of a statement: mutations need no grammar."""
    for sign in "(),;":
        sql = sql.replace(sign, f" {sign} ")
    return sql.split(" ")


@st.composite
def mutated(draw: st.DrawFn, dialect: str) -> str:
    """One statement of the corpus after one to three edits, some with parts of others; reads rather than attacks."""
    found = [entry for entry in entries(dialect) if len(entry.sql) < 2_000]
    statements = [entry.sql for entry in found]
    reads = [entry.sql for entry in found if entry.expected == "allow"]
    text = words(draw(st.sampled_from(reads) | st.sampled_from(statements)))
    for _ in range(draw(st.integers(1, 3))):
        place, end = sorted((draw(st.integers(0, len(text))), draw(st.integers(0, len(text)))))
        match draw(st.sampled_from(["lure", "replace", "delete", "repeat", "splice", "wrap", "case"])):
            case "lure":
                text.insert(place, draw(st.sampled_from(LURES)))
            case "replace" if place < len(text):
                text[place] = draw(st.sampled_from(LURES))
            case "delete":
                del text[place : min(end, place + 3)]
            case "repeat":
                text[place:place] = text[place : min(end, place + 5)]
            case "splice":
                other = words(draw(st.sampled_from(statements)))
                start = draw(st.integers(0, len(other)))
                text[place:end] = other[start : start + draw(st.integers(1, 12))]
            case "wrap":
                text = [
                    "SELECT",
                    "*",
                    "FROM",
                    "(",
                    *text,
                    ")",
                    draw(st.sampled_from(["AS w", "AS w(email, token)", ""])),
                ]
            case _:
                text[place:end] = [word.swapcase() for word in text[place:end]]
    return " ".join(text)


@contextmanager
def governed(shop: Shop, roles: Mapping[str, Any] = ANALYST) -> Generator[Callable[[str], str]]:
    """Everything a caller gets to see of a statement; anything but an answer or a refusal fails the test."""
    opened: Governed = source(shop, roles)

    async def ask(sql: str) -> str:
        try:
            answer = await opened.run_query(CALLER, sql=sql, max_rows=200, timeout_s=SECONDS)
        except PierheadError as refusal:
            return f"{refusal.code}: {refusal.message} ({refusal.hint})"
        return orjson.dumps(answer).decode()

    with asyncio.Runner() as runner:
        runner.run(opened.open())
        yield lambda sql: runner.run(ask(sql))
        runner.run(opened.close())


def hold(shop: Shop, dialect: str, examples: int) -> None:
    before, answered = shop.state(), 0
    with governed(shop) as ask:

        @settings(
            max_examples=examples,
            deadline=None,
            database=None,
            derandomize=True,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        )
        @given(mutated(dialect))
        def no_canary(sql: str) -> None:
            nonlocal answered
            seen = ask(sql)
            answered += seen.startswith('{"columns"')
            told = [canary for canary in CANARIES if canary in seen and canary not in sql]
            assert not told, seen[:500]

        no_canary()
    assert shop.state() == before, "a statement changed the database"
    assert answered > examples / 25, "nearly everything was refused: the search looked at little"


def test_the_search_would_see_a_canary(tmp_path_factory: pytest.TempPathFactory) -> None:
    careless = {"analyst": {"tables": ["secrets", "salaries", "customers"], "operations": ["read"]}}
    with governed(SqliteShop.load(tmp_path_factory.mktemp("shop")), careless) as ask:
        seen = [ask(f"SELECT * FROM {table}") for table in careless["analyst"]["tables"]]
    assert all(any(canary in text for canary in CANARIES) for text in seen)


@pytest.mark.slow
def test_no_mutation_finds_a_canary_in_sqlite(tmp_path_factory: pytest.TempPathFactory) -> None:
    hold(SqliteShop.load(tmp_path_factory.mktemp("shop")), "sqlite", 250)


@pytest.mark.slow
def test_no_mutation_finds_a_canary_in_duckdb(tmp_path_factory: pytest.TempPathFactory) -> None:
    hold(DuckdbShop.load(tmp_path_factory.mktemp("shop")), "duckdb", 1_000)


@pytest.mark.slow
def test_no_mutation_finds_a_canary_in_postgresql(postgres_url: str) -> None:
    hold(PostgresShop.load(postgres_url), "postgres", 1_000)


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_no_mutation_finds_a_canary_in_sqlite_however_long_one_looks(tmp_path_factory: pytest.TempPathFactory) -> None:
    hold(SqliteShop.load(tmp_path_factory.mktemp("shop")), "sqlite", 3_000)
