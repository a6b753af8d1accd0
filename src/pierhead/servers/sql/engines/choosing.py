"""Which engine a URL names: one table, scheme -> how its engine is made.

Drivers are imported where an engine is made, so that only the one in use need be installed. Not here: what a URL
says besides its scheme (each engine reads its own).
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from pierhead.sdk import Misconfigured
from pierhead.sdk.governed.engine import Engine


def _sqlite(url: str) -> Engine:
    from pierhead.servers.sql.engines.sqlite import SqliteEngine  # noqa: PLC0415

    return SqliteEngine(_file(url))


def _duckdb(url: str) -> Engine:
    from pierhead.servers.sql.engines.duckdb import DuckdbEngine  # noqa: PLC0415

    return DuckdbEngine(_file(url))


def _postgres(url: str) -> Engine:
    from pierhead.servers.sql.engines.postgres import PostgresEngine  # noqa: PLC0415

    return PostgresEngine(url)


def _mysql(url: str) -> Engine:
    from pierhead.servers.sql.engines.mysql import MysqlEngine  # noqa: PLC0415

    return MysqlEngine(url)


def _trino(url: str) -> Engine:
    from pierhead.sdk.governed.trino import TrinoEngine  # noqa: PLC0415
    from pierhead.sdk.governed.trino_place import Place  # noqa: PLC0415

    return TrinoEngine(Place.parse(url))


def _mssql(url: str) -> Engine:
    from pierhead.servers.sql.engines.mssql import MssqlEngine  # noqa: PLC0415

    return MssqlEngine(url)


def _oracle(url: str) -> Engine:
    from pierhead.servers.sql.engines.oracle import OracleEngine  # noqa: PLC0415

    return OracleEngine(url)


def _snowflake(url: str) -> Engine:
    from pierhead.servers.sql.engines.snowflake import SnowflakeEngine  # noqa: PLC0415

    return SnowflakeEngine(url)


# One line a scheme: how its engine is made, and the extra that brings its driver, if the base install has none.
_ENGINES: Final[Mapping[str, tuple[Callable[[str], Engine], str]]] = {
    "sqlite": (_sqlite, ""),
    "duckdb": (_duckdb, "duckdb"),
    "postgresql": (_postgres, "postgres"),
    "postgres": (_postgres, "postgres"),
    "mariadb": (_mysql, "mysql"),
    "mysql": (_mysql, "mysql"),
    "trino": (_trino, ""),
    "presto": (_trino, ""),
    "mssql": (_mssql, "mssql"),
    "oracle": (_oracle, "oracle"),
    "snowflake": (_snowflake, "snowflake"),
}


def engine_of(url: str) -> Engine:
    """The engine that `url` names; it connects to nothing yet. Errors: Misconfigured."""
    scheme = urlsplit(url).scheme
    if scheme not in _ENGINES:
        known = ", ".join(sorted(_ENGINES))
        raise Misconfigured(
            f"no engine for a url of {scheme or 'no scheme'}",
            hint=f"write scheme://user@host/database or scheme:///file; schemes: {known}",
            code="bad-sql-settings",
        )
    make, extra = _ENGINES[scheme]
    try:
        return make(url)
    except ModuleNotFoundError as missing:
        raise Misconfigured(
            f"the driver of {scheme} is not installed: there is no module {missing.name}",
            hint=f"pip install 'pierhead[{extra}]'" if extra else "pip install pierhead",
            code="bad-sql-settings",
        ) from None


def _file(url: str) -> Path:
    """`sqlite:///a.db` is relative, `sqlite:////srv/a.db` absolute, as everywhere."""
    return Path(url.split(":///", 1)[1] if ":///" in url else "")
