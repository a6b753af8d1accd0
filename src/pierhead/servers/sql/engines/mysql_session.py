"""Sessions of MariaDB and MySQL: opened by asyncmy, read only or for writing, closed to several statements, pooled.

Statements run prepared, in the binary protocol: one statement each, its values bound and never part of the text.
asyncmy asks for multi-statements when it connects and has no switch for it, so COM_SET_OPTION takes that back
before anything else is sent. Ending a statement kills it in the server and gives its session up. Not here: what
a statement may be (sdk/sqlguard), what an engine does with its answer (mysql.py).
"""

import asyncio
import ssl
import struct
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final, cast
from urllib.parse import parse_qsl, unquote, urlsplit

import asyncmy
from asyncmy import protocol
from asyncmy.connection import MySQLResult
from asyncmy.protocol import FieldDescriptorPacket

from pierhead.sdk import Misconfigured

_PORT: Final = 3306
_CONNECT_SECONDS: Final = 10
_SESSIONS: Final = 16
_STATEMENTS_KEPT: Final = 200
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_COM_STMT_PREPARE: Final = 0x16
_COM_STMT_EXECUTE: Final = 0x17
_COM_SET_OPTION: Final = 0x1B
_COM_STMT_FETCH: Final = 0x1C
_WITH_CURSOR: Final = b"\x01\x01\x00\x00\x00"  # read only, one execution
_LAST_ROW_SENT: Final = 0x80
_MULTI_STATEMENTS_OFF: Final = b"\x01\x00"
# Pinned, because it decides how text is read: no ANSI_QUOTES, no NO_BACKSLASH_ESCAPES, no PIPES_AS_CONCAT.
_SQL_MODE: Final = "STRICT_TRANS_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION"
# A call's own time is shorter; this one holds even if this process dies. MySQL counts milliseconds.
_OPENING: Final = (
    f"SET SESSION sql_mode = '{_SQL_MODE}', sql_select_limit = 100001",
    "SET SESSION lock_wait_timeout = 2, innodb_lock_wait_timeout = 2",
)
_READING: Final = ("SET SESSION TRANSACTION READ ONLY",)
# A locking read sees what is committed, and so must every other. Zero is a key like any other.
_WRITING: Final = (
    "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
    f"SET SESSION sql_mode = '{_SQL_MODE},NO_AUTO_VALUE_ON_ZERO'",
)
_OPENING_MARIADB: Final = "SET SESSION max_statement_time = 61, max_session_mem_used = 268435456"
_OPENING_MYSQL: Final = "SET SESSION max_execution_time = 61000"
_connect = cast("Callable[..., Awaitable[Any]]", cast("Any", asyncmy).connect)


@dataclass(frozen=True, slots=True)
class Address:
    """Where the server is and who signs in, as `mariadb://user:password@host:port/database?ssl-mode=…` says."""

    host: str
    port: int
    user: str
    password: str
    database: str
    tls: ssl.SSLContext | None

    @classmethod
    def parse(cls, url: str) -> "Address":
        """Errors: Misconfigured."""
        parts = urlsplit(url)
        database = unquote(parts.path.lstrip("/"))
        if not database or not parts.hostname:
            raise _bad_url("it names no host or no database", "write mariadb://user@host/database")
        try:
            port = parts.port or _PORT
        except ValueError:
            raise _bad_url("its port is not a number", "write mariadb://user@host:3306/database") from None
        tls = _tls(parts.hostname, dict(parse_qsl(parts.query)))
        return cls(parts.hostname, port, unquote(parts.username or ""), unquote(parts.password or ""), database, tls)


def _tls(host: str, options: dict[str, str]) -> ssl.SSLContext | None:
    """Beyond this machine a connection is encrypted and its peer known, unless the URL says otherwise."""
    mode = options.pop("ssl-mode", "disabled" if host in _LOOPBACK else "verify_identity")
    authority = options.pop("ssl-ca", None)
    if options:
        raise _bad_url(f"it has unknown options: {', '.join(sorted(options))}", "ssl-mode and ssl-ca are known")
    if mode == "disabled":
        return None
    if mode not in ("required", "verify_ca", "verify_identity"):
        raise _bad_url("its ssl-mode is unknown", "write disabled, required, verify_ca or verify_identity")
    context = ssl.create_default_context(cafile=authority)
    context.check_hostname = mode == "verify_identity"
    if mode == "required":
        context.verify_mode = ssl.CERT_NONE
    return context


def _bad_url(problem: str, hint: str) -> Misconfigured:
    return Misconfigured(f"the url of this source cannot be used: {problem}", hint=hint, code="bad-sql-settings")


@dataclass(frozen=True, slots=True)
class Result:
    """A column of an answer before it runs. Units: `length` is the most bytes a value may have."""

    name: str
    type_code: int
    length: int
    is_binary: bool


class Session:
    """One connection. A statement that is cut off leaves it closed, never half read."""

    def __init__(self, connection: Any) -> None:  # noqa: ANN401 - asyncmy's stubs leave most of it untyped
        self._connection = connection
        self._statements: dict[str, Any] = {}
        self.number: int = connection.thread_id()
        self.is_mariadb: bool = "MariaDB" in connection.get_server_info()

    @property
    def is_usable(self) -> bool:
        return not self._connection._stream_broken and not self._connection.get_transaction_status()  # noqa: SLF001

    async def forbid_several_statements(self) -> None:
        await self._connection._execute_command(_COM_SET_OPTION, _MULTI_STATEMENTS_OFF)  # noqa: SLF001
        await self._connection.read_packet()

    async def say(self, sql: str) -> None:
        """Run a fixed statement of ours, with no answer, as text."""
        await self._connection.query(sql)

    async def rows(self, sql: str, values: Sequence[object] = ()) -> Sequence[Sequence[Any]]:
        return (await self.run(sql, values)).rows or ()

    async def run(self, sql: str, values: Sequence[object] = ()) -> Any:  # noqa: ANN401 - asyncmy's result
        statement = self._statements.get(sql)
        if statement is None:
            if len(self._statements) >= _STATEMENTS_KEPT:
                await self._statements.pop(next(iter(self._statements))).close()
            statement = self._statements[sql] = await self._connection.prepare(sql)
        return await statement.execute(tuple(values))

    async def warnings(self) -> Sequence[Sequence[object]]:
        return await self._connection.show_warnings() or ()

    async def described(self, sql: str) -> tuple[Result, ...]:
        """The columns `sql` would answer with; nothing runs.

        asyncmy's own `prepare` reads these packets and throws them away.
        """
        connection = self._connection
        await connection._execute_command(_COM_STMT_PREPARE, sql.encode())  # noqa: SLF001
        head = await connection.read_packet()
        head.advance(5)
        columns, slots = head.read_uint16(), head.read_uint16()
        ends = 0 if connection._deprecate_eof else 1  # noqa: SLF001
        for _ in range(slots + (ends if slots else 0)):
            await connection.read_packet()
        found = [await connection.read_packet(FieldDescriptorPacket) for _ in range(columns)]
        for _ in range(ends if columns else 0):
            await connection.read_packet()
        return tuple(Result(each.name, each.type_code, each.length, each.charsetnr == _BINARY) for each in found)

    async def cursor(self, sql: str, values: Sequence[object]) -> "Cursor":
        """Run `sql`, leaving its rows in the server. asyncmy itself would fetch them all."""
        connection = self._connection
        statement = await connection.prepare(sql)
        number: int = statement._statement_id  # noqa: SLF001
        bound = _packed(tuple(values), connection._encoding) if values else b""  # noqa: SLF001
        await connection._execute_command(_COM_STMT_EXECUTE, struct.pack("<I", number) + _WITH_CURSOR + bound)  # noqa: SLF001
        result: Any = MySQLResult(connection)
        result.field_count = (await connection.read_packet()).read_length_encoded_integer()
        await result._get_descriptions()  # noqa: SLF001
        if connection._deprecate_eof:  # noqa: SLF001 - else the descriptions ended with it
            await connection.read_packet()
        return Cursor(connection, statement, number, result)

    def close(self) -> None:
        self._connection.close()


class Cursor:
    """An answer that waits in the server and comes in parts."""

    def __init__(self, connection: Any, statement: Any, number: int, result: Any) -> None:  # noqa: ANN401 - as Session
        self._connection = connection
        self._statement = statement
        self._number = number
        self._result = result
        self._is_at_end = False

    async def fetch(self, count: int) -> Sequence[Sequence[Any]]:
        """The next rows, at most `count`; none at the end."""
        if self._is_at_end:
            return ()
        await self._connection._execute_command(_COM_STMT_FETCH, struct.pack("<II", self._number, count))  # noqa: SLF001
        self._result.connection = self._connection
        await self._result._read_binary_rowdata_packet()  # noqa: SLF001
        rows: Sequence[Sequence[Any]] = self._result.rows
        self._is_at_end = len(rows) < count or bool(self._result.server_status & _LAST_ROW_SENT)
        return rows

    async def close(self) -> None:
        await self._statement.close()


_packed = cast("Callable[[tuple[object, ...], str], bytes]", cast("Any", protocol).pack_binary_params)
_BINARY: Final = 63  # the character set of what has none


class Sessions:
    """At most 16 sessions, opened when needed and kept. None of them writes unless that is said."""

    def __init__(self, address: Address, *, writing: bool = False) -> None:
        self._address = address
        self._opening = (*_OPENING, *(_WRITING if writing else _READING))
        self._idle: list[Session] = []
        self._places = asyncio.Semaphore(_SESSIONS)
        self._ending: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def session(self) -> AsyncGenerator[Session]:
        async with self._places:
            session = self._kept() or await self._opened()
            try:
                yield session
            finally:
                if session.is_usable:
                    self._idle.append(session)
                else:
                    session.close()

    async def end(self, session: Session) -> None:
        """End what `session` runs, in the server: a lost connection alone would let it run on."""
        session.close()
        task = asyncio.ensure_future(self._kill(session.number))
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)
        await asyncio.shield(task)

    async def close(self) -> None:
        await asyncio.gather(*self._ending, return_exceptions=True)
        while self._idle:
            self._idle.pop().close()

    def _kept(self) -> Session | None:
        while self._idle:
            session = self._idle.pop()
            if session.is_usable:
                return session
            session.close()
        return None

    async def _opened(self) -> Session:
        session = Session(await self._connect())
        is_ready = False
        try:
            await session.forbid_several_statements()
            own = _OPENING_MARIADB if session.is_mariadb else _OPENING_MYSQL
            for statement in (own, *self._opening):
                await session.say(statement)
            is_ready = True
        finally:
            if not is_ready:
                session.close()
        return session

    async def _kill(self, number: int) -> None:
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                control = await self._connect()
        except (asyncmy.errors.Error, OSError):
            return  # the server is gone, or full: its own time limit ends the statement
        try:
            await control.query(f"KILL QUERY {number:d}")
        except asyncmy.errors.Error:
            pass  # it had ended by itself
        finally:
            control.close()

    async def _connect(self) -> Any:  # noqa: ANN401 - as Session
        address = self._address
        return await _connect(
            host=address.host,
            port=address.port,
            user=address.user,
            password=address.password,
            database=address.database,
            ssl=address.tls,
            connect_timeout=_CONNECT_SECONDS,
            charset="utf8mb4",
            local_infile=False,
            autocommit=True,
            program_name="pierhead",
        )
