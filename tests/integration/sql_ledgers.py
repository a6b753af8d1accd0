"""A small schema to write to, in real engines: odd names, a composite key, constraints, a trigger, a row of a stranger.

Every engine has the login of its owner, so that only the product protects.
"""

import re
import shutil
import sqlite3
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, Self
from urllib.parse import urlsplit

import duckdb

from pierhead.core.identity import Caller, User
from pierhead.sdk.governed.engine import Engine
from pierhead.sdk.governed.policy import parse_policy
from pierhead.sdk.governed.source import Source
from pierhead.sdk.governed.transactions import WritingEngine
from pierhead.servers.sql.engines.duckdb import DuckdbEngine
from pierhead.servers.sql.engines.mysql import MysqlEngine
from pierhead.servers.sql.engines.postgres import PostgresEngine
from pierhead.servers.sql.engines.sqlite import SqliteEngine
from pierhead.servers.sql.idempotency import FileKeys, Keys
from pierhead.servers.sql.write_lane import WriteLane

ODD = 'or"der`s; DROP TABLE accounts --'
CALLER = Caller(User("https://memory.example", "ann", frozenset({"clerks"})), "ide", "test", "call-1")
WRITES = ["read", "create", "update", "delete"]
CLERK: Mapping[str, Any] = {
    "clerk": {
        "approval": "none",
        "tables": {
            "accounts": {"operations": WRITES, "columns": {"exclude": ["secret"]}},
            "lines": {"operations": WRITES},
            "cities": {"operations": WRITES},
            ODD: {"operations": WRITES},
        },
    }
}
_SCHEMA = """
CREATE TABLE cities (name {text} PRIMARY KEY);
CREATE TABLE accounts (
  id {serial}, name {text} NOT NULL, city {text} REFERENCES cities (name),
  balance {decimal} DEFAULT 0 CHECK (balance >= 0),
  opened date, secret {text} DEFAULT 'canary'
);
CREATE TABLE lines (account integer, line integer, note {text}, UNIQUE (note), PRIMARY KEY (account, line));
CREATE TABLE {odd} ({id} integer PRIMARY KEY, {select} {text});
INSERT INTO cities VALUES ('Aden'), ('Bern'), ('Cork');
INSERT INTO accounts (id, name, city, balance) VALUES
  (1, 'one', 'Aden', 10), (2, 'two', 'Bern', 20), (3, 'three', 'Bern', 30), (4, 'four', NULL, 40);
INSERT INTO lines VALUES (1, 1, 'a'), (1, 2, 'b'), (2, 1, 'c');
INSERT INTO {odd} VALUES (1, 'x');
"""
TABLES = ("cities", "accounts", "lines", '"or""der`s; DROP TABLE accounts --"')


def schema(**words: str) -> str:
    return _SCHEMA.format(odd='"' + ODD.replace('"', '""') + '"', id='"i d"', select='"select"', **words)


class Ledger(Protocol):
    @property
    def url(self) -> str: ...
    def engine(self) -> Engine: ...
    def rows(self, sql: str) -> list[tuple[Any, ...]]: ...
    def run(self, sql: str) -> None: ...


def state(ledger: Ledger) -> str:
    """Everything that is stored."""
    return str([ledger.rows(f"SELECT * FROM {table} ORDER BY 1, 2") for table in TABLES[1:]])


class Governed:
    """A source with its writing lane, as server.py puts them together."""

    def __init__(self, ledger: Ledger, roles: Mapping[str, Any] = CLERK, keys: Keys | None = None) -> None:
        self.engine = ledger.engine()
        assert isinstance(self.engine, WritingEngine)
        self.engine.will_write()
        self.source = Source(self.engine, parse_policy(roles))
        self.keys = keys or FileKeys()
        lane = WriteLane(self.source, self.keys, "ledger")
        self.insert, self.update, self.update_keyed, self.delete = (
            lane.insert,
            lane.update,
            lane.update_keyed,
            lane.delete,
        )

    async def __aenter__(self) -> Self:
        await self.source.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.source.close()
        await self.keys.close()


@dataclass(frozen=True)
class SqliteLedger:
    file: Path

    @classmethod
    def load(cls, folder: Path) -> "SqliteLedger":
        ledger = cls(folder / "ledger.db")
        connection = sqlite3.connect(ledger.file)
        connection.executescript(schema(text="text", serial="integer PRIMARY KEY", decimal="decimal(10, 2)"))
        connection.close()
        return ledger

    @property
    def url(self) -> str:
        return f"sqlite:///{self.file}"

    def engine(self) -> Engine:
        return SqliteEngine(self.file)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        connection = sqlite3.connect(self.file)
        try:
            return connection.execute(sql).fetchall()
        finally:
            connection.close()

    def run(self, sql: str) -> None:
        connection = sqlite3.connect(self.file)
        connection.executescript(sql)
        connection.close()


@dataclass(frozen=True)
class DuckdbLedger:
    """DuckDB gives a file to one process, which may look at it through the instance it already has."""

    file: Path

    @classmethod
    def load(cls, folder: Path) -> "DuckdbLedger":
        ledger = cls(folder / "ledger.duckdb")
        with duckdb.connect(str(ledger.file)) as connection:
            connection.execute("CREATE SEQUENCE ids START 5")
            serial = "integer PRIMARY KEY DEFAULT nextval('ids')"
            connection.execute(schema(text="varchar", serial=serial, decimal="decimal(10, 2)"))
        return ledger

    @property
    def url(self) -> str:
        return f"duckdb:///{self.file}"

    def engine(self) -> Engine:
        return DuckdbEngine(self.file)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        with duckdb.connect(str(self.file)) as connection:
            return connection.execute(sql).fetchall()

    def run(self, sql: str) -> None:
        with duckdb.connect(str(self.file)) as connection:
            connection.execute(sql)


@dataclass(frozen=True)
class PostgresLedger:
    url: str

    @classmethod
    def load(cls, url: str) -> "PostgresLedger":
        ledger = cls(f"{url}/ledger")
        cls(f"{url}/postgres").run("DROP DATABASE IF EXISTS ledger WITH (FORCE)")
        cls(f"{url}/postgres").run("CREATE DATABASE ledger")
        serial = "integer GENERATED BY DEFAULT AS IDENTITY (START 5) PRIMARY KEY"
        ledger.run(schema(text="text", serial=serial, decimal="decimal(10, 2)"))
        return ledger

    def engine(self) -> Engine:
        return PostgresEngine(self.url)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        return [tuple(line.split("\x1f")) for line in self._psql(sql).splitlines()]

    def run(self, sql: str) -> None:
        self._psql(sql)

    def _psql(self, text: str) -> str:
        psql = shutil.which("psql")
        assert psql, "psql comes with the server's package"
        command = [psql, "-X", "-q", "-A", "-t", "-F", "\x1f", "-v", "ON_ERROR_STOP=1", "-d", self.url]
        done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout


@dataclass(frozen=True)
class MariadbLedger:
    """The owner's own statements are ANSI: names in double quotes. LINES is a word of its grammar."""

    url: str

    @classmethod
    def load(cls, url: str) -> "MariadbLedger":
        ledger = cls(f"{url}/ledger")
        ledger._client("DROP DATABASE IF EXISTS ledger; CREATE DATABASE ledger CHARACTER SET utf8mb4", "")
        serial = "integer AUTO_INCREMENT PRIMARY KEY"
        ledger.run(schema(text="varchar(200)", serial=serial, decimal="decimal(10, 2)"))
        return ledger

    def engine(self) -> Engine:
        return MysqlEngine(self.url)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        return [tuple(line.split("\t")) for line in self._client(sql, "ledger").splitlines()]

    def run(self, sql: str) -> None:
        self._client(sql, "ledger")

    def _client(self, text: str, database: str) -> str:
        client = shutil.which("mariadb")
        assert client, "the client comes with the server's package"
        place = urlsplit(self.url)
        command = [client, "--no-defaults", "-h", str(place.hostname), "-P", str(place.port), "-u", str(place.username)]
        done = subprocess.run(
            [*command, "--default-character-set=utf8mb4", "-N", "-B", *([database] if database else [])],
            input="SET sql_mode = 'ANSI,STRICT_TRANS_TABLES';" + re.sub(r"\blines\b", '"lines"', text),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout
