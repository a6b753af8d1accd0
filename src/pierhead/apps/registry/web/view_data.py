"""What the data page shows, as frozen values: the tables of the viewer's role, rows of one, a statement judged.

Everything comes from the server by way of the gateway (`asking`); nothing is decided here. Not here: how it looks
(`page_data`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pierhead.apps.registry.web.asking import Asking
from pierhead.apps.registry.web.data_query import DataQuery, as_curl, as_mcp, as_python
from pierhead.apps.registry.web.site import Site, Viewer
from pierhead.apps.registry.web.view_servers import Snippet
from pierhead.core.errors import NotFound, PierheadError

KINDS: Final = frozenset({"sql"})
MOST_ROWS: Final = 100
_WAIT_S: Final = 20


@dataclass(frozen=True, slots=True)
class ColumnLine:
    name: str
    type: str
    is_masked: bool
    comment: str


@dataclass(frozen=True, slots=True)
class TableLine:
    name: str
    kind: str
    comment: str
    columns: tuple[ColumnLine, ...]


@dataclass(frozen=True, slots=True)
class Problem:
    """Why there are no rows: code, message and hint as the server gave them."""

    code: str
    message: str
    hint: str


@dataclass(frozen=True, slots=True)
class Rows:
    """Cells in the order of `columns`. `cut` says why there are no more: rows, bytes, time, or nothing."""

    columns: tuple[str, ...]
    cells: tuple[tuple[object, ...], ...]
    cut: str
    next: str
    """The cursor of the page behind this one; empty on the last."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the guard says of a statement. `runs` is the SQL that would run in its place."""

    verdict: str
    reasons: tuple[str, ...]
    runs: str
    tables: tuple[str, ...]
    rows_estimate: int | None


@dataclass(frozen=True, slots=True)
class StatementView:
    """A statement of the viewer's, judged, and run if they said so."""

    sql: str
    judgement: Judgement | None
    rows: Rows | None
    problem: Problem | None
    copies: tuple[Snippet, ...]


@dataclass(frozen=True, slots=True)
class DataView:
    server: str
    tables: tuple[TableLine, ...]
    query: DataQuery
    rows: Rows | None
    problem: Problem | None
    copies: tuple[Snippet, ...]
    statement: StatementView

    @property
    def table(self) -> TableLine | None:
        return next((table for table in self.tables if table.name == self.query.table), None)


_NO_STATEMENT: Final = StatementView("", None, None, None, ())


async def data_view(
    site: Site, viewer: Viewer, server: str, query: DataQuery, statement: tuple[str, bool] = ("", False)
) -> DataView:
    """The page for `query`; `statement` is a text to judge, and whether to run it.

    Errors: NotFound, Forbidden, UpstreamUnreachable: where not even the tables may be seen.
    """
    known = site.snapshots.current().servers.get(server)
    if known is None or known.kind not in KINDS:
        raise NotFound(f"no data page of a server {server!r}", hint="see the list of servers")
    asking = Asking(site, viewer, server)
    tables = tuple(_table(table) for table in await asking.read("/api/v1/_schema"))
    rows, problem = await _rows_of(asking, query) if query.table else (None, None)
    sql, runs = statement
    judged = await _judged(asking, sql, runs=runs) if sql.strip() else _NO_STATEMENT
    return DataView(server, tables, query, rows, problem, _copies(site, viewer, server, query), judged)


def _table(said: Mapping[str, Any]) -> TableLine:
    columns = tuple(
        ColumnLine(each["name"], each["type"], bool(each["masked"]), each["comment"]) for each in said["columns"]
    )
    return TableLine(said["name"], said["kind"], said["comment"], columns)


async def _rows_of(asking: Asking, query: DataQuery) -> tuple[Rows | None, Problem | None]:
    try:
        return _rows(await asking.read(query.target)), None
    except PierheadError as refused:
        return None, _problem(refused)


async def _judged(asking: Asking, sql: str, *, runs: bool) -> StatementView:
    copies = _statement_copies(asking, sql)
    try:
        judgement = _judgement(await asking.send("/api/v1/_sql/explain", {"sql": sql}))
    except PierheadError as refused:
        return StatementView(sql, None, None, _problem(refused), copies)
    if not runs or judgement.verdict != "permitted":
        return StatementView(sql, judgement, None, None, copies)
    try:
        answer = await asking.send("/api/v1/_sql", _statement(sql))
    except PierheadError as refused:
        return StatementView(sql, judgement, None, _problem(refused), copies)
    return StatementView(sql, judgement, _rows(answer), None, copies)


def _statement(sql: str) -> dict[str, object]:
    return {"sql": sql, "max_rows": MOST_ROWS, "timeout_s": _WAIT_S}


def _judgement(said: Mapping[str, Any]) -> Judgement:
    estimate: Mapping[str, Any] = said.get("estimate") or {}
    return Judgement(
        verdict=said["verdict"],
        reasons=tuple(reason for reason in said["reasons"] if reason),
        runs=said["sql"],
        tables=tuple(said.get("tables") or ()),
        rows_estimate=estimate.get("rows"),
    )


def _rows(said: Mapping[str, Any]) -> Rows:
    found: Sequence[Mapping[str, object]] = said["data"]
    columns = tuple(found[0]) if found else ()
    cells = tuple(tuple(row.get(name) for name in columns) for row in found)
    return Rows(columns, cells, said["limits"]["truncated"], said["page"]["next_cursor"] or "")


def _problem(refused: PierheadError) -> Problem:
    return Problem(refused.code, refused.message, refused.hint)


def _copies(site: Site, viewer: Viewer, server: str, query: DataQuery) -> tuple[Snippet, ...]:
    if not query.table:
        return ()
    url = f"{site.public_url}/data/{server}{query.target}"
    return (
        Snippet("curl", as_curl(url, None, _token(viewer.person, server))),
        Snippet("Python", as_python(url, None)),
        Snippet("MCP call", as_mcp("query_table", query.arguments)),
    )


def _statement_copies(asking: Asking, sql: str) -> tuple[Snippet, ...]:
    url = f"{asking.site.public_url}/data/{asking.server}/api/v1/_sql"
    body: dict[str, object] = {"sql": sql, "max_rows": MOST_ROWS}
    return (
        Snippet("curl", as_curl(url, body, _token(asking.viewer.person, asking.server))),
        Snippet("Python", as_python(url, body)),
        Snippet("MCP call", as_mcp("run_query", body)),
    )


def _token(person: str, server: str) -> str:
    return f"pierhead token --as {person} --server {server}"
