"""Oracle: python-oracledb, thin and async. Each statement is a READ ONLY transaction, ended by `call_timeout`.

Oracle runs one statement a call. Its EXPLAIN PLAN writes a table, so the second opinion is narrower than elsewhere:
the server parses the statement under the source's login, and must find a query. What that login may read, its READ
grants, is the engine's own limit. Not run against a server in this project's tests, for want of one; see
docs/reference/data-engines.md.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from typing import Any, Final, TypeVar, cast

import oracledb  # pyright: ignore[reportMissingImports] - an extra that is not in `all`

from pierhead.sdk import Misconfigured
from pierhead.sdk.governed.catalog import Catalog
from pierhead.sdk.governed.engine import (
    LONGEST_CELL,
    LONGEST_VALUE,
    Estimate,
    Field,
    Limits,
    LoginReport,
    Rows,
    SecondOpinionDiffers,
    Values,
    no_stream,
    took_too_long,
)
from pierhead.sdk.sqlguard import GovernedQuery, View
from pierhead.servers.sql.engines import oracle_schema
from pierhead.servers.sql.engines.address import ServerAddress
from pierhead.servers.sql.engines.shared_schema import SchemaRows, stored_tables
from pierhead.servers.sql.engines.told import told_by_oracle

_PORT: Final = 1521
_SESSIONS: Final = 8
_CONNECT_SECONDS: Final = 10.0
_ASK_SECONDS: Final = 30.0
_BATCH: Final = 64
Answer = TypeVar("Answer")
_driver = cast("Any", oracledb)


class OracleEngine:
    """One service, one login. `schema` of the URL is the default one; without it, the login's own."""

    def __init__(self, url: str) -> None:
        self._address = ServerAddress.parse(url, port=_PORT, path=1, options=("schema", "protocol", "wallet"))
        if self._address.options.get("protocol", "tcps") not in ("tcp", "tcps"):
            raise Misconfigured(
                "the url of this source cannot be used: its protocol is unknown",
                hint="write protocol=tcps or protocol=tcp",
                code="bad-sql-settings",
            )
        self._pool: Any = None

    async def introspect(self) -> Catalog:
        default = self._address.options.get("schema", "")

        async def asked(connection: Any) -> Catalog:  # noqa: ANN401 - the driver's, which is an extra
            schema = default or (await _all(connection, oracle_schema.PLACE))[0][0]
            rows = SchemaRows(
                await _all(connection, oracle_schema.TABLES),
                await _all(connection, oracle_schema.COLUMNS),
                await _all(connection, oracle_schema.KEYS),
                await _all(connection, oracle_schema.REFERENCES),
                await _all(connection, oracle_schema.READS),
            )
            return Catalog("oracle", "", schema, stored_tables(rows))

        return await self._with(asked, _ASK_SECONDS)

    async def confirm(self, query: GovernedQuery, view: View, values: Values) -> None:
        del view, values

        async def parsed(connection: Any) -> bool:  # noqa: ANN401 - as above
            cursor = connection.cursor()
            await cursor.parse(query.sql)
            return cursor.description is not None

        if not await self._with(parsed, _ASK_SECONDS):
            raise SecondOpinionDiffers

    async def estimate(self, query: GovernedQuery, view: View, values: Values) -> Estimate:
        """Oracle would write a table to say: it confirms, and estimates nothing."""
        await self.confirm(query, view, values)
        return Estimate(None, None)

    async def run(self, query: GovernedQuery, view: View, values: Values, limits: Limits) -> Rows:
        del view
        bound = query.bound(values)

        async def answered(connection: Any) -> Rows:  # noqa: ANN401 - as above
            await connection.execute("SET TRANSACTION READ ONLY")
            try:
                cursor = connection.cursor()
                await cursor.execute(query.sql, bound)
                fields = [Field(each.name, each.type_code.name.lower()) for each in cursor.description]
                return Rows(fields, await _fetched(cursor, limits.rows))
            finally:
                await connection.rollback()

        return await self._with(answered, limits.seconds)

    def stream(self, query: GovernedQuery, view: View, values: Values, limits: Limits) -> AsyncGenerator[Rows]:
        del query, view, values, limits
        return no_stream()

    async def check_login(self) -> LoginReport:
        async def asked(connection: Any) -> LoginReport:  # noqa: ANN401 - as above
            name, has_rules, reaches_files = (await _all(connection, oracle_schema.LOGIN))[0]
            rights = await _all(connection, oracle_schema.RIGHTS)
            readable, writable, owned = (frozenset((r[0], r[1]) for r in rights if r[place]) for place in (2, 3, 4))
            return LoginReport(name, readable, writable, owned, bool(has_rules), bool(reaches_files))

        return await self._with(asked, _ASK_SECONDS)

    async def close(self) -> None:
        if self._pool is not None:
            await self._pool.close(force=True)
            self._pool = None

    async def _with(self, work: Callable[[Any], Awaitable[Answer]], seconds: float) -> Answer:
        """Work with a connection; ended in the server by `call_timeout`, and here one second later."""
        async with AsyncExitStack() as held:
            try:
                async with asyncio.timeout(seconds + 1):
                    connection = await held.enter_async_context(self._opened().acquire())
                    connection.call_timeout = max(1, int(seconds * 1000))
                    return await work(connection)
            except TimeoutError:
                raise took_too_long(seconds) from None
            except _driver.Error as error:
                raise told_by_oracle(_number(error), seconds) from None

    def _opened(self) -> Any:  # noqa: ANN401 - as above
        if self._pool is None:
            address = self._address
            wallet = address.options.get("wallet")
            self._pool = _driver.create_pool_async(
                user=address.user,
                password=address.password,
                host=address.host,
                port=address.port,
                service_name=address.path[0],
                protocol=address.options.get("protocol", "tcps"),
                tcp_connect_timeout=_CONNECT_SECONDS,
                min=0,
                max=_SESSIONS,
                **({"wallet_location": wallet} if wallet else {}),
            )
        return self._pool


async def _all(connection: Any, sql: str) -> list[Sequence[Any]]:  # noqa: ANN401 - as OracleEngine
    return list(await connection.fetchall(sql))


async def _fetched(cursor: Any, most_rows: int) -> list[Sequence[Any]]:  # noqa: ANN401 - as OracleEngine
    rows: list[Sequence[Any]] = []
    size = 0
    while len(rows) <= most_rows and size < LONGEST_VALUE and (batch := await cursor.fetchmany(_BATCH)):
        for row in batch:
            cells = [await _cell(value) for value in row]
            size += sum(len(cell) for cell in cells if isinstance(cell, (str, bytes)))
            rows.append(cells)
    return rows


async def _cell(value: Any) -> object:  # noqa: ANN401 - as OracleEngine
    """A large object is a locator: of it one character more than a cell may have is read."""
    return await value.read(1, LONGEST_CELL + 1) if isinstance(value, _driver.AsyncLOB) else value


def _number(error: Any) -> int:  # noqa: ANN401 - as OracleEngine
    first = error.args[0] if error.args else None
    code = str(getattr(first, "full_code", ""))  # ORA-00904, DPY-4024
    digits = code.rpartition("-")[2]
    return int(digits) if digits.isdecimal() else 0
