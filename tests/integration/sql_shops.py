"""The corpus's shop in real engines, each with the login of its owner: only the product protects."""

import asyncio
import shutil
import sqlite3
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

import duckdb
import orjson
import pytest
from tests.shop import CORPUS

from pierhead.core.identity import Caller, User
from pierhead.sdk.governed.answers import QueryAnswer
from pierhead.sdk.governed.engine import Engine
from pierhead.sdk.governed.parameters import Params
from pierhead.sdk.governed.policy import parse_policy
from pierhead.sdk.governed.schema_lane import SchemaLane
from pierhead.sdk.governed.source import Source
from pierhead.sdk.governed.sql_lane import SqlLane
from pierhead.sdk.governed.trino import TrinoEngine
from pierhead.sdk.governed.trino_place import Place
from pierhead.servers.sql.engines.duckdb import DuckdbEngine
from pierhead.servers.sql.engines.mysql import MysqlEngine
from pierhead.servers.sql.engines.postgres import PostgresEngine
from pierhead.servers.sql.engines.sqlite import SqliteEngine

ANALYST: Mapping[str, Any] = {
    "analyst": {
        "tables": {
            "orders": {"operations": ["read"]},
            "products": {"operations": ["read"]},
            "customers": {"operations": ["read"], "columns": {"exclude": ["email"]}},
        }
    }
}
CALLER = Caller(User("https://memory.example", "ann", frozenset({"analysts"})), "ide", "test", "call-1")
PROTECTED = (
    "UPDATE secrets SET token = 'another'",
    "UPDATE salaries SET amount = 1, employee = 'nobody'",
    "UPDATE customers SET email = 'x' || id",
)
TABLES = ("customers", "products", "orders", "secrets", "salaries", "leaky", "order_totals")


_CHANGED_ANEW = """DROP TABLE secrets;
CREATE TABLE secrets AS SELECT 1 AS id, CAST('another' AS varchar) AS token;
CREATE TABLE others AS SELECT id, CAST('nobody' AS varchar) AS employee, CAST(1 AS decimal(12, 2)) AS amount
  FROM salaries;
DROP TABLE salaries;
ALTER TABLE others RENAME TO salaries;
CREATE TABLE others AS SELECT id, name, 'x' || CAST(id AS varchar) AS email, region, created_at FROM customers;
DROP TABLE customers;
ALTER TABLE others RENAME TO customers"""


class Shop(Protocol):
    """One loaded shop: an engine over it, and the owner's hand past the product."""

    def engine(self) -> Engine: ...
    def change_protected(self, statements: Sequence[str] = PROTECTED) -> None: ...
    def state(self) -> str: ...


class Governed:
    """A source with its lanes, as server.py puts them together."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.open, self.close = source.open, source.close
        statements = SqlLane(source)
        schema = SchemaLane(source, statements)
        self.statements, self.explain_query = statements, statements.explain_query
        self.list_tables, self.describe_table = schema.list_tables, schema.describe_table

    async def run_query(
        self, caller: Caller, *, sql: str, max_rows: int, timeout_s: float, params: Params = None
    ) -> QueryAnswer:
        answer = await self.statements.run_query(caller, sql=sql, max_rows=max_rows, timeout_s=timeout_s, params=params)
        return replace(answer, rows=[list(row) for row in answer.rows])


def seen(answer: Any) -> str:
    """Everything a caller gets to see of an answer."""
    return orjson.dumps(answer if isinstance(answer, QueryAnswer) else answer.model_dump()).decode()


def source(shop: Shop, roles: Mapping[str, Any] = ANALYST) -> Governed:
    return Governed(Source(shop.engine(), parse_policy(roles), paced=False))


@dataclass(frozen=True)
class SqliteShop:
    file: Path

    @classmethod
    def load(cls, folder: Path) -> "SqliteShop":
        shop = cls(folder / "shop.db")
        with sqlite3.connect(shop.file) as connection:
            connection.executescript((CORPUS / "fixtures" / "sqlite.sql").read_text(encoding="utf-8"))
        connection.close()
        return shop

    def engine(self) -> Engine:
        return SqliteEngine(self.file)

    def change_protected(self, statements: Sequence[str] = PROTECTED) -> None:
        with sqlite3.connect(self.file) as connection:
            for statement in statements:
                connection.execute(statement)
        connection.close()

    def state(self) -> str:
        connection = sqlite3.connect(self.file)
        state = str(list(connection.iterdump()))
        connection.close()
        return state


@dataclass(frozen=True)
class DuckdbShop:
    file: Path

    @classmethod
    def load(cls, folder: Path) -> "DuckdbShop":
        shop = cls(folder / "memory.duckdb")
        with duckdb.connect(str(shop.file)) as connection:
            connection.execute((CORPUS / "fixtures" / "duckdb.sql").read_text(encoding="utf-8"))
        return shop

    def engine(self) -> Engine:
        return DuckdbEngine(self.file)

    def change_protected(self, statements: Sequence[str] = PROTECTED) -> None:
        with duckdb.connect(str(self.file)) as connection:
            for statement in statements:
                connection.execute(statement)

    def state(self) -> str:
        with duckdb.connect(str(self.file)) as connection:
            return str([connection.execute(f"SELECT * FROM {table} ORDER BY ALL").fetchall() for table in TABLES])


@dataclass(frozen=True)
class CoordinatorShop:
    """In a real Trino or Presto, where the memory connector has no UPDATE."""

    url: str

    @classmethod
    def load(cls, address: str, scheme: str) -> "CoordinatorShop":
        shop = cls(address.replace("http://", f"{scheme}://pierhead@") + "/hive/sales")
        text = (CORPUS / "fixtures" / "trino.sql").read_text(encoding="utf-8")
        shop._answers(part for part in text.split(";\n") if part.strip())
        return shop

    def _answers(self, statements: Iterable[str]) -> list[object]:
        async def asked() -> list[object]:
            engine = TrinoEngine(Place.parse(self.url))
            try:
                return [await engine._asked(statement) for statement in statements]
            finally:
                await engine.close()

        with ThreadPoolExecutor(1) as thread:  # a loop of its own, also for a test that runs in one
            return thread.submit(asyncio.run, asked()).result()

    def engine(self) -> Engine:
        return TrinoEngine(Place.parse(self.url))

    def change_protected(self, statements: Sequence[str] = PROTECTED) -> None:
        """As PROTECTED, by tables made anew: its memory connector updates nothing."""
        assert statements is PROTECTED
        self._answers(_CHANGED_ANEW.split(";\n"))

    def state(self) -> str:
        return str(self._answers(["SHOW TABLES", *(f"SELECT * FROM {table} ORDER BY 1, 2" for table in TABLES)]))


@dataclass(frozen=True)
class PostgresShop:
    url: str

    @classmethod
    def load(cls, url: str) -> "PostgresShop":
        shop = cls(f"{url}/shop")
        cls._psql(f"{url}/postgres", "DROP DATABASE IF EXISTS shop")
        cls._psql(f"{url}/postgres", "CREATE DATABASE shop")
        cls._psql(shop.url, (CORPUS / "fixtures" / "postgres.sql").read_text(encoding="utf-8"))
        return shop

    @staticmethod
    def _psql(url: str, text: str) -> str:
        psql = shutil.which("psql")
        assert psql, "psql comes with the server's package"
        command = [psql, "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", url]
        done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def engine(self) -> Engine:
        return PostgresEngine(self.url)

    def change_protected(self, statements: Sequence[str] = PROTECTED) -> None:
        self._psql(self.url, ";".join(statements))

    def state(self) -> str:
        tables = ";".join(f"SELECT * FROM {table} ORDER BY 1, 2" for table in TABLES)
        catalog = "SELECT relname, relkind FROM pg_class WHERE relnamespace = 'public'::regnamespace ORDER BY 1"
        return self._psql(self.url, f"{tables};{catalog}")


@dataclass(frozen=True)
class MariadbShop:
    url: str

    @classmethod
    def load(cls, url: str) -> "MariadbShop":
        shop = cls(f"{url}/shop")
        shop.run((CORPUS / "fixtures" / "mariadb.sql").read_text(encoding="utf-8"), database="")
        return shop

    def run(self, text: str, database: str = "shop") -> str:
        """Statements as the owner, by the server's own client."""
        client = shutil.which("mariadb")
        assert client, "the client comes with the server's package"
        place = urlsplit(self.url)
        command = [client, "--no-defaults", "-h", str(place.hostname), "-P", str(place.port), "-u", str(place.username)]
        done = subprocess.run(
            [*command, "-N", "-B", *([database] if database else [])],
            input=text,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def engine(self) -> Engine:
        return MysqlEngine(self.url)

    def change_protected(self, statements: Sequence[str] = PROTECTED) -> None:
        self.run("SET sql_mode = 'PIPES_AS_CONCAT';" + ";".join(statements))

    def state(self) -> str:
        tables = ";".join(f"SELECT * FROM {table} ORDER BY 1, 2" for table in TABLES)
        catalog = "SELECT table_name, table_type FROM information_schema.tables WHERE table_schema = 'shop' ORDER BY 1"
        settings = "SHOW GLOBAL VARIABLES WHERE variable_name NOT LIKE '%gtid%' AND variable_name NOT IN ('timestamp')"
        return self.run(f"{tables};SELECT * FROM otherdb.accounts;{catalog};{settings}")


def loaded(request: pytest.FixtureRequest, folder: Path) -> Shop:
    """A freshly loaded shop on the engine that the fixture's parameter names."""
    match request.param:
        case "postgres":
            return PostgresShop.load(request.getfixturevalue("postgres_url"))
        case "mysql":
            return MariadbShop.load(request.getfixturevalue("mariadb_url"))
        case "duckdb":
            return DuckdbShop.load(folder)
        case _:
            return SqliteShop.load(folder)
