"""From a path to what answers it: one table of routes, and each answer inside one governed call of a tool.

    /                      /{table}                /{table}/{key}         /{table}/_query[/explain]
    /_sql  /_sql/explain   /_schema[/{table}]      /{source}/_table/...   /{source}/_schema
    /_rpc/{query or function}

Not here: what a route does (the modules beside this one), who asks and what is recorded (the SDK).
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from pierhead.sdk import Forbidden, Invalid, NotFound
from pierhead.sdk.governed.queries import OfferedQuery
from pierhead.sdk.governed.schema_lane import SchemaLane
from pierhead.sdk.governed.source import ROLE_ASKED, Source
from pierhead.sdk.governed.sql_lane import SqlLane
from pierhead.sdk.routes import Calls, Reply, Request, refusal
from pierhead.servers.sql.function_lane import FunctionLane
from pierhead.servers.sql.read_lane import ReadLane
from pierhead.servers.sql.rest import faucet
from pierhead.servers.sql.rest.asked import BASE, Asked
from pierhead.servers.sql.rest.docs_page import HEADERS
from pierhead.servers.sql.rest.documents import Documents, Library
from pierhead.servers.sql.rest.function_routes import FunctionRoutes
from pierhead.servers.sql.rest.read_routes import ReadRoutes
from pierhead.servers.sql.rest.replies import VARY, matches
from pierhead.servers.sql.rest.schema_routes import SchemaRoutes
from pierhead.servers.sql.rest.sql_routes import SqlRoutes
from pierhead.servers.sql.rest.write_routes import WriteRoutes
from pierhead.servers.sql.write_lane import WriteLane

Handler = Callable[[Asked], Awaitable[Reply | None]]
Methods = Mapping[str, Handler]

_OPENAPI: Final = b"/openapi.json"
_DOCS: Final = b"/docs"


@dataclass(frozen=True, slots=True)
class Lanes:
    """What REST hosts."""

    source: Source
    sql: SqlLane
    schema: SchemaLane
    reads: ReadLane
    writes: WriteLane | None = None
    """None for a source that is read only."""
    queries: Mapping[str, OfferedQuery] = field(default_factory=dict[str, OfferedQuery])
    """The curated queries, by name."""
    functions: FunctionLane | None = None
    """None for a source that is read only."""


class RestRoutes:
    """The routes of one source; `name` is the server's, `version` its own."""

    def __init__(self, lanes: Lanes, name: str, version: str) -> None:
        self._source = lanes.source
        self._name = name.encode()
        self._library = Library(name, version, lanes.queries)
        functions = FunctionRoutes(lanes.functions) if lanes.functions is not None else None
        sql = SqlRoutes(lanes.sql, frozenset(lanes.queries), functions)
        schema = SchemaRoutes(lanes.source, lanes.schema)
        reads = ReadRoutes(lanes.source, lanes.reads)
        writes = WriteRoutes(lanes.source, lanes.writes) if lanes.writes is not None else None
        self._root: Methods = _reading(schema.tables)
        self._fixed: Mapping[tuple[bytes, ...], Methods] = {
            (): self._root,
            (b"_sql",): {"POST": sql.run},
            (b"_sql", b"explain"): {"POST": sql.explain},
            (b"_schema",): _reading(schema.whole),
        }
        self._one_schema: Methods = _reading(schema.one)
        self._query: Methods = {"POST": reads.query}
        self._explained: Methods = {"POST": reads.explain}
        self._rpc: Methods = {"POST": sql.call}
        self._table: Methods = {**_reading(reads.table), **(_of_tables(writes) if writes else {})}
        self._row: Methods = {**_reading(reads.row), **(_of_rows(writes) if writes else {})}
        self._tables_of_faucet: Methods = _reading(faucet.listing(schema.tables))
        self._schema_of_faucet: Methods = _reading(faucet.listing(schema.whole))
        self._table_of_faucet: Methods = {
            **_reading(faucet.FaucetRoutes(lanes.source, lanes.reads).table),
            **({method: faucet.writing(each) for method, each in _of_tables(writes).items()} if writes else {}),
        }

    async def answer(self, request: Request, calls: Calls) -> Reply | None:
        """Answer one request, in the role it asks for. Errors: any PierheadError, which the host tells as a problem."""
        token = ROLE_ASKED.set(request.headers.get(b"pierhead-role", b"").decode("latin-1"))
        try:
            return await self._answer(request, calls)
        finally:
            ROLE_ASKED.reset(token)

    async def _answer(self, request: Request, calls: Calls) -> Reply | None:
        if request.path in (_OPENAPI, _DOCS):
            return self._document(request, calls)
        asked = Asked(request, calls, _parts(request.path))
        methods = self._methods(asked.parts)
        handler = methods.get(request.method)
        if handler is None:
            return _not_allowed(request.method, methods)
        drift = self._drift(calls)
        calls.stream.headers += drift
        reply = await handler(asked)
        return replace(reply, headers=[*reply.headers, *drift]) if reply is not None and drift else reply

    def _drift(self, calls: Calls) -> list[tuple[bytes, bytes]]:
        """That the schema is not the one that was promised; who holds no role is told so by the call."""
        try:
            drift = self._source.ground.acting(calls.caller).drift
        except Forbidden:
            return []
        return [(b"pierhead-schema-drift", drift.encode())] if drift else []

    def _methods(self, parts: tuple[bytes, ...]) -> Methods:
        found = self._fixed.get(parts)
        if found is None and len(parts) == 1:
            found = self._table
        elif found is None and len(parts) > 1:
            found = self._of_faucet(parts) if parts[0] == self._name else self._below(*parts)
        if found is None:
            raise NotFound("no such route", hint="/openapi.json names the routes you may use")
        return found

    def _of_faucet(self, parts: tuple[bytes, ...]) -> Methods | None:
        """What stands below the source's own name; a table of that name is read there as any other."""
        match parts[1:]:
            case (b"_table",):
                return self._tables_of_faucet
            case (b"_table", _):
                return self._table_of_faucet
            case (b"_table", _, _):
                return {method: _below(handler) for method, handler in self._row.items()}
            case (b"_schema",):
                return self._schema_of_faucet
            case (b"_schema", _):
                return {method: _past_source(handler) for method, handler in self._one_schema.items()}
            case _:
                return self._below(*parts)

    def _below(self, first: bytes, second: bytes, *more: bytes) -> Methods | None:
        """What stands below a table. A key that reads like a route is written with its `_` as `%5F`."""
        if more:
            is_explained = (second, *more) == (b"_query", b"explain") and not first.startswith(b"_")
            return self._explained if is_explained else None
        if first == b"_schema":
            return self._one_schema
        if first == b"_rpc":
            return self._rpc
        if first.startswith(b"_") or second.startswith(b"_"):
            return self._query if second == b"_query" and not first.startswith(b"_") else None
        return self._row

    def _document(self, request: Request, calls: Calls) -> Reply:
        """The documents of the caller's role: behind the same sign-in as what they describe."""
        if request.method not in ("GET", "HEAD"):
            return _not_allowed(request.method, self._root)
        tools = calls.visible()
        ground = self._source.ground
        acting = ground.acting(calls.caller)
        kept = self._library.documents(ground, acting, tools)
        headers = [(b"etag", kept.tag), VARY, (b"cache-control", b"private, no-cache")]
        if matches(request.headers.get(b"if-none-match", b""), kept.tag):
            return Reply(304, headers, b"")
        return _of_kind(request.path, kept, headers)


def _of_kind(path: bytes, kept: Documents, headers: list[tuple[bytes, bytes]]) -> Reply:
    if path == _DOCS:
        return Reply(200, [*HEADERS, *headers], kept.page)
    return Reply(200, [(b"content-type", b"application/json"), *headers], kept.json)


def _below(handler: Handler) -> Handler:
    return lambda asked: handler(faucet.below(asked))


def _past_source(handler: Handler) -> Handler:
    return lambda asked: handler(replace(asked, parts=asked.parts[1:]))


def _of_tables(writes: WriteRoutes) -> Methods:
    return {"POST": writes.insert, "PATCH": writes.update, "DELETE": writes.delete}


def _of_rows(writes: WriteRoutes) -> Methods:
    return {"PATCH": writes.update_one, "PUT": writes.put_one, "DELETE": writes.delete_one}


def _reading(handler: Handler) -> Methods:
    return {"GET": handler, "HEAD": handler}


def _parts(path: bytes) -> tuple[bytes, ...]:
    """The raw segments below the base; one slash at the end is taken as none."""
    below = path.removeprefix(BASE).removeprefix(b"/").removesuffix(b"/")
    return tuple(below.split(b"/")) if below else ()


def _not_allowed(method: str, methods: Methods) -> Reply:
    allowed = ", ".join(methods)
    problem = refusal(
        Invalid(f"{method[:16]} does not work here", hint=f"methods are: {allowed}", code="method-not-allowed")
    )
    return Reply(problem.status, [*problem.headers, (b"allow", allowed.encode())], problem.body)
