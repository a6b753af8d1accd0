"""What a reader of the data page asked for: read from the page's query, written for REST, for MCP, and to copy.

One value, four spellings, so that what is copied is what was shown. Pure. Above: `view_data`, `page_data`.
"""

import json
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, urlencode

from pierhead.core.errors import Invalid

CONDITIONS: Final[Mapping[str, str]] = {
    "eq": "is",
    "neq": "is not",
    "gte": "at least",
    "gt": "more than",
    "lte": "at most",
    "lt": "less than",
    "like": "looks like (* for any)",
    "in": "is one of (a, b)",
    "null": "is empty",
    "filled": "is not empty",
}
"""Operator to what it is called on the page."""

LIMITS: Final = (25, 50, 100, 250)
MOST_FILTERS: Final = 4
_SIGNS: Final = {"eq": "=", "neq": "!=", "gte": ">=", "gt": ">", "lte": "<=", "lt": "<", "like": "LIKE"}
_PLAIN_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_RESERVED: Final = frozenset(
    {"select", "order", "limit", "offset", "cursor", "having", "columns", "on_conflict", "filter", "and", "or", "not"}
)
_NEEDS_QUOTES: Final = re.compile(r'[",()\\{}]|^\s|\s$|^$')


@dataclass(frozen=True, slots=True)
class Condition:
    """One filter: `operator` is one of CONDITIONS."""

    column: str
    operator: str
    value: str


@dataclass(frozen=True, slots=True)
class DataQuery:
    """The rows that are asked for; an empty `table` asks for none."""

    table: str = ""
    filters: tuple[Condition, ...] = ()
    order: str = ""
    descending: bool = False
    limit: int = LIMITS[0]
    cursor: str = ""

    def path(self, server: str, *, cursor: str = "") -> str:
        """The page's own address for this query."""
        members = {"table": self.table}
        for place, each in enumerate(self.filters, 1):
            members |= {f"c{place}": each.column, f"o{place}": each.operator, f"v{place}": each.value}
        members |= {"order": self.order, "down": "yes" if self.descending else "", "limit": str(self.limit)}
        kept = {name: value for name, value in {**members, "cursor": cursor}.items() if value}
        return f"/servers/{quote(server, safe='')}/data?{urlencode(kept)}"

    @property
    def target(self) -> str:
        """Path and query of the REST request."""
        pairs = [(_name(each.column), _rest_value(each)) for each in self.filters]
        if self.order:
            pairs.append(("order", _name(self.order) + (".desc" if self.descending else ".asc")))
        pairs.append(("limit", str(self.limit)))
        if self.cursor:
            pairs.append(("cursor", self.cursor))
        return f"/api/v1/{quote(self.table, safe='')}?{urlencode(pairs, quote_via=quote)}"

    @property
    def arguments(self) -> dict[str, object]:
        """The arguments of the tool `query_table`."""
        text = " AND ".join(_faucet(each) for each in self.filters)
        order = _quoted_name(self.order) + (" DESC" if self.descending else "") if self.order else ""
        optional = {"filter": text, "order": order, "cursor": self.cursor}
        return {
            "table": self.table,
            **{name: value for name, value in optional.items() if value},
            "limit": self.limit,
        }


def data_query(members: Mapping[str, str]) -> DataQuery:
    """The query in the members of an address. Errors: Invalid, for what no form of ours sends."""
    limit = members.get("limit", str(LIMITS[0]))
    if limit not in map(str, LIMITS):
        raise Invalid("rows at once must be one of the page's choices", hint="use the page's own form")
    return DataQuery(
        table=members.get("table", ""),
        filters=tuple(_filters(members)),
        order=members.get("order", ""),
        descending=members.get("down", "") == "yes",
        limit=int(limit),
        cursor=members.get("cursor", ""),
    )


def _filters(members: Mapping[str, str]) -> Iterator[Condition]:
    for place in range(1, MOST_FILTERS + 1):
        column, operator = members.get(f"c{place}", ""), members.get(f"o{place}", "eq")
        if not column:
            continue
        if operator not in CONDITIONS:
            raise Invalid(f"no condition {operator[:32]!r}", hint="use the page's own form")
        yield Condition(column, operator, members.get(f"v{place}", ""))


def _name(column: str) -> str:
    """A column as the native grammar reads it."""
    if _PLAIN_NAME.fullmatch(column) and column not in _RESERVED:
        return column
    return '"' + column.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _rest_value(condition: Condition) -> str:
    match condition.operator:
        case "null":
            return "is.null"
        case "filled":
            return "not.is.null"
        case "in":
            return f"in.({','.join(map(_quoted_value, _members(condition.value)))})"
        case operator:
            return f"{operator}.{_quoted_value(condition.value)}"


def _quoted_value(value: str) -> str:
    if not _NEEDS_QUOTES.search(value):
        return value
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _members(value: str) -> list[str]:
    return [part.strip() for part in value.split(",")]


def _faucet(condition: Condition) -> str:
    """A condition as `query_table` reads it."""
    column = _quoted_name(condition.column)
    match condition.operator:
        case "null":
            return f"{column} IS NULL"
        case "filled":
            return f"{column} IS NOT NULL"
        case "in":
            return f"{column} IN ({', '.join(map(_text, _members(condition.value)))})"
        case "like":
            return f"{column} LIKE {_text(condition.value.replace('*', '%'))}"
        case operator:
            return f"{column} {_SIGNS[operator]} {_text(condition.value)}"


def _quoted_name(column: str) -> str:
    return column if _PLAIN_NAME.fullmatch(column) else '"' + column.replace('"', '""') + '"'


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def as_curl(url: str, body: Mapping[str, object] | None, token: str) -> str:
    """Two lines for a shell: the first fetches a token."""
    data = f" -H 'Content-Type: application/json' -d {shlex.quote(json.dumps(body))}" if body is not None else ""
    return f'TOKEN=$({token})\ncurl -H "Authorization: Bearer $TOKEN"{data} {shlex.quote(url)}'


def as_python(url: str, body: Mapping[str, object] | None) -> str:
    """A few lines that need no package."""
    data = f", data=json.dumps({body!r}).encode()" if body is not None else ""
    kind = ', "Content-Type": "application/json"' if body is not None else ""
    return "\n".join(
        (
            "import json, os, urllib.request",
            "",
            f'headers = {{"Authorization": "Bearer " + os.environ["TOKEN"]{kind}}}',
            f"request = urllib.request.Request({url!r}{data}, headers=headers)",
            "print(json.load(urllib.request.urlopen(request)))",
        )
    )


def as_mcp(tool: str, arguments: Mapping[str, object]) -> str:
    """What an AI client sends."""
    return json.dumps({"method": "tools/call", "params": {"name": tool, "arguments": arguments}}, ensure_ascii=False)
