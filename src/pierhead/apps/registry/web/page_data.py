"""How the data page looks: tables at the side, rows with their filters, the SQL lane with what it says.

Cells, names and statements are strangers' text: escaped by htpy, set apart by direction, and with every control and
direction mark written out (`parts.visible`). Not here: where they come from (`view_data`).
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Final

import htpy as h
from starlette.requests import Request

from pierhead.apps.registry.forms import query_of
from pierhead.apps.registry.web.data_query import CONDITIONS, LIMITS, MOST_FILTERS, Condition, DataQuery, data_query
from pierhead.apps.registry.web.frame import form_token, heading
from pierhead.apps.registry.web.parts import (
    Column,
    Tone,
    count,
    decision_badge,
    empty,
    exact,
    folded,
    notice,
    table,
    titled,
    to,
    visible,
)
from pierhead.apps.registry.web.site import Shown, Site, Viewer
from pierhead.apps.registry.web.view_data import (
    DataView,
    Problem,
    Rows,
    StatementView,
    TableLine,
    data_view,
)
from pierhead.apps.registry.web.view_servers import Snippet

_LONGEST_CELL: Final = 200
_LONG_WORD: Final = re.compile(r"(\S{32})")
_CUTS: Final = {
    "bytes": "The answer was cut at its largest size; show fewer rows.",
    "time": "The answer was cut when its time was up; filter more.",
    "rows": "There are more rows than are shown; filter, or add a LIMIT of your own.",
}


async def data_page(site: Site, viewer: Viewer, request: Request) -> Shown:
    view = await data_view(site, viewer, str(request.path_params["name"]), data_query(query_of(request)))
    return _shown(site, viewer, view)


async def statement_page(site: Site, viewer: Viewer, request: Request, form: Mapping[str, str]) -> Shown:
    """The page after a statement was sent: judged, and run if the form says so."""
    asked = (form.get("sql", ""), form.get("do", "") == "run")
    view = await data_view(site, viewer, str(request.path_params["name"]), DataQuery(), asked)
    return _shown(site, viewer, view)


def _shown(site: Site, viewer: Viewer, view: DataView) -> Shown:
    token = site.sessions.form_token(viewer.session)
    return Shown(f"Data of {view.server}", view, lambda: _page(view, token))


def _page(view: DataView, token: str) -> h.Node:
    return [
        heading(
            ["Data of ", h.bdi[view.server]],
            h.p(class_="read quiet")["What your role may read here. Each look is a call of yours, and on record."],
            h.p(class_="row")[to(f"/servers/{view.server}", "About this server"), to("#tables", "Tables")],
        ),
        h.div(class_="split")[
            h.div(class_="stack wide")[_browse(view), _statement(view, token)],
            h.aside(class_="stack wide side", aria_label="Tables")[_tables(view)],
        ],
    ]


def _tables(view: DataView) -> h.Node:
    if not view.tables:
        return titled("Tables", empty("Your role reads no table of this source."), identity="tables")
    lines = [
        h.li[
            h.a(
                href=DataQuery(each.name).path(view.server),
                aria_current="true" if each.name == view.query.table else None,
            )[h.bdi[visible(each.name)]],
            h.span(class_="quiet")[f" {count(len(each.columns), 'column', 'columns')}"],
        ]
        for each in view.tables
    ]
    return titled("Tables", h.ul(class_="stack")[lines], identity="tables")


def _browse(view: DataView) -> h.Node:
    if not view.query.table:
        return titled("Rows", empty("Choose a table to see its rows, or ask in SQL below."))
    chosen = view.table
    return titled(
        visible(view.query.table),
        h.p(class_="read quiet")[visible(chosen.comment)] if chosen and chosen.comment else None,
        _filters(view, chosen) if chosen else None,
        _told(view.problem),
        _rows(view.rows, "Rows of the table", view) if view.rows else None,
        _pager(view) if view.rows else None,
        folded("Columns", _columns(chosen)) if chosen else None,
        folded("Copy this request", _copied(view.copies, "rows")),
        identity="rows",
    )


def _filters(view: DataView, chosen: TableLine) -> h.Node:
    query = view.query
    shown = [*query.filters, Condition("", "eq", "")][:MOST_FILTERS]
    names = [column.name for column in chosen.columns if not column.is_masked]
    return h.form(class_="stack", method="get", action=f"/servers/{view.server}/data")[
        h.input(type="hidden", name="table", value=query.table),
        (_filter(place, each, names) for place, each in enumerate(shown, 1)),
        h.div(class_="filters")[
            _choice("Order by", "order", {"": "its key", **{name: name for name in names}}, query.order),
            _choice("Direction", "down", {"": "rising", "yes": "falling"}, "yes" if query.descending else ""),
            _choice("Rows at once", "limit", {str(limit): str(limit) for limit in LIMITS}, str(query.limit)),
            h.button(class_="button main")["Show rows"],
            to(DataQuery(query.table).path(view.server), "Show all") if query.filters else None,
        ],
    ]


def _filter(place: int, condition: Condition, names: Sequence[str]) -> h.Node:
    columns = {"": "any column", **{name: name for name in names}}
    return h.div(class_="filters", role="group", aria_label=f"Filter {place}")[
        _choice("Where", f"c{place}", columns, condition.column),
        _choice("Condition", f"o{place}", CONDITIONS, condition.operator),
        h.label(class_="field")[
            "Value", h.input(type="text", name=f"v{place}", value=condition.value, size="18", autocomplete="off")
        ],
    ]


def _choice(label: str, name: str, choices: Mapping[str, str], chosen: str) -> h.Node:
    return h.label(class_="field")[
        label,
        h.select(name=name)[
            (
                h.option(value=value, selected=value == chosen or None)[visible(word)[:_LONGEST_CELL]]
                for value, word in choices.items()
            )
        ],
    ]


def _rows(rows: Rows, label: str, view: DataView | None = None) -> h.Node:
    if not rows.cells:
        return empty("No row fits. " + ("Loosen a filter." if view and view.query.filters else ""))
    columns = [Column(visible(name), is_number=_is_number(rows, place)) for place, name in enumerate(rows.columns)]
    return [
        table(label, columns, [[_cell(cell) for cell in row] for row in rows.cells]),
        h.p(class_="quiet")[count(len(rows.cells), "row", "rows"), f". {_CUTS[rows.cut]}" if rows.cut in _CUTS else ""],
    ]


def _is_number(rows: Rows, place: int) -> bool:
    cells = [row[place] for row in rows.cells if row[place] is not None]
    return bool(cells) and all(isinstance(cell, int | float) and not isinstance(cell, bool) for cell in cells)


def _cell(cell: object) -> h.Node:
    """A cell's text, whatever it holds."""
    if cell is None:
        return h.span(class_="quiet")["empty"]
    text = cell if isinstance(cell, str) else json.dumps(cell, ensure_ascii=False)
    short = text if len(text) <= _LONGEST_CELL else f"{text[:_LONGEST_CELL]}…"
    return h.bdi[_breakable(visible(short))]


def _breakable(text: str) -> h.Node:
    """Text whose longest words may be broken, so that one cell does not push the others out of sight."""
    return [[h.wbr if place else None, part] for place, part in enumerate(_LONG_WORD.split(text)) if part]


def _pager(view: DataView) -> h.Node:
    rows, query = view.rows, view.query
    if rows is None or not (rows.next or query.cursor):
        return None
    return h.nav(class_="row", aria_label="More rows")[
        to(query.path(view.server), "First rows") if query.cursor else None,
        to(query.path(view.server, cursor=rows.next), "Next rows") if rows.next else None,
    ]


def _columns(chosen: TableLine) -> h.Node:
    heads = [Column("Column"), Column("Type"), Column("About")]
    lines = [
        [h.code[visible(each.name)], visible(each.type), ["masked. " if each.is_masked else "", visible(each.comment)]]
        for each in chosen.columns
    ]
    return table("Columns of the table", heads, lines)


def _statement(view: DataView, token: str) -> h.Node:
    asked = view.statement
    return titled(
        "Ask in SQL",
        h.form(class_="stack", method="post", action=f"/servers/{view.server}/data")[
            form_token(token),
            h.label(class_="field")[
                "One SELECT over the tables you may read",
                h.textarea(name="sql", rows="5", cols="80", maxlength="20000", spellcheck="false", required=True)[
                    asked.sql
                ],
            ],
            h.div(class_="row")[
                h.button(class_="button main", name="do", value="run")["Run the statement"],
                h.button(class_="button", name="do", value="explain")["Explain only"],
            ],
        ],
        _judged(asked),
        identity="sql",
    )


def _judged(asked: StatementView) -> h.Node:
    if asked.judgement is None:
        return _told(asked.problem)
    said = asked.judgement
    is_permitted = said.verdict == "permitted"
    return [
        h.div(class_="row")[decision_badge("permit" if is_permitted else "refuse"), h.span[_estimate(asked)]],
        h.ul(class_="why")[(h.li[h.span[visible(reason)]] for reason in said.reasons)],
        [h.h3["What runs in its place"], exact(_lines(said.runs), "SQL that runs")] if said.runs else None,
        _told(asked.problem),
        _rows(asked.rows, "Rows of the statement") if asked.rows else None,
        folded("Copy this statement", _copied(asked.copies, "the statement")),
    ]


def _estimate(asked: StatementView) -> str:
    said = asked.judgement
    if said is None or not said.tables:
        return ""
    expected = f", about {said.rows_estimate:,} rows" if said.rows_estimate is not None else ""
    return f"Reads {', '.join(visible(name) for name in said.tables)}{expected}."


def _told(problem: Problem | None) -> h.Node:
    if problem is None:
        return None
    first = visible(problem.message)
    return notice(
        Tone.BAD, f"{first[:1].upper()}{first[1:]}.", visible(problem.hint), h.span["Code: ", h.code[problem.code]]
    )


def _copied(copies: Sequence[Snippet], what: str) -> h.Node:
    return h.div(class_="stack")[
        (
            h.div(class_="stack")[h.h3[each.client], exact(_lines(each.text), f"{each.client} for {what}")]
            for each in copies
        )
    ]


def _lines(text: str) -> str:
    """Text of several lines, each with what would hide in it written out."""
    return "\n".join(visible(line) for line in text.splitlines())
