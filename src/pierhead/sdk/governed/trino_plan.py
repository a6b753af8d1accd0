"""What the planners of Trino and Presto say that a statement would read.

EXPLAIN (TYPE IO) names every table and what narrows it. Trino estimates there, too. PrestoDB estimates in EXPLAIN
(FORMAT JSON) alone, step by step, so that the whole is told and a table's part is not. With Hive both name as
constraints also what nobody asked for: every partition there is. Not here: asking them (trino.py), and what follows
from it.
"""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any, Final, cast

import orjson

# How PrestoDB counts: a byte a value says whether it is null, a type of no fixed width takes 4 more for its place,
# and a column without statistics is taken for 50 wide.
_NULL_BYTES: Final = 1.0
_PLACE_BYTES: Final = 4.0
_UNKNOWN_BYTES: Final = 50.0
_SHORT_DIGITS: Final = 18
_WIDTHS: Final = {
    **dict.fromkeys(("boolean", "tinyint"), 1.0),
    "smallint": 2.0,
    **dict.fromkeys(("integer", "real", "date"), 4.0),
    **dict.fromkeys(("bigint", "double", "time", "timestamp", "timestamp with time zone"), 8.0),
    **dict.fromkeys(("uuid", "ipaddress"), 16.0),
}


Constraint = tuple[str, str, str, bytes]
"""Schema, table, column, and the values that it may have."""


@dataclass(frozen=True, slots=True)
class Scan:
    """What a plan reads of one table. `bytes` and `rows` are None where the engine does not say."""

    schema: str
    table: str
    filtered: frozenset[str]
    """Columns whose values the engine narrows before it reads."""
    rows: float | None
    bytes: float | None


@dataclass(frozen=True, slots=True)
class Reading:
    """All that a statement would read; `rows` and `bytes` are None where the engine does not say it of everything."""

    scans: Sequence[Scan]
    rows: float | None
    bytes: float | None


@dataclass(frozen=True, slots=True)
class Steps:
    """What a plan expects to read in all, and how many rows to answer; None where it does not say."""

    rows: float | None
    bytes: float | None
    answered: float | None


def inputs_of(plan: Mapping[str, Any], catalog: str) -> set[tuple[str, str]]:
    """The tables a plan reads; one of another catalog than `catalog` gets a name that no table of ours has."""
    found: set[tuple[str, str]] = set()
    for entry in cast("list[dict[str, Any]]", plan.get("inputTableColumnInfos") or []):
        table: dict[str, Any] = entry["table"]
        place: dict[str, str] = table["schemaTable"]
        schema, name = place["schema"], place["table"]
        found.add((schema, name) if table["catalog"] == catalog else ("", f"{table['catalog']}.{schema}.{name}"))
    return found


def scanned(plan: Mapping[str, Any], always: AbstractSet[Constraint] = frozenset()) -> list[Scan]:
    """What it reads of each table. What holds `always`, whatever is asked, narrows nothing."""
    found: list[Scan] = []
    for entry in cast("list[dict[str, Any]]", plan.get("inputTableColumnInfos") or []):
        place: dict[str, str] = entry["table"]["schemaTable"]
        names = frozenset(constraint[2] for constraint in _constraints(entry) - always)
        expected = cast("dict[str, object]", entry.get("estimate") or {})
        rows, size = (_number(expected.get(key)) for key in ("outputRowCount", "outputSizeInBytes"))
        found.append(Scan(place["schema"], place["table"], names, rows, size))
    return found


def constraints_of(plan: Mapping[str, Any]) -> set[Constraint]:
    """Schema, table, column and domain of each constraint of a plan."""
    entries = cast("list[dict[str, Any]]", plan.get("inputTableColumnInfos") or [])
    return {each for entry in entries for each in _constraints(entry)}


def _constraints(entry: Mapping[str, Any]) -> set[Constraint]:
    """Trino has them in a member of their own, engines before it as a list of columns."""
    place: dict[str, str] = entry["table"]["schemaTable"]
    holder = cast("dict[str, Any]", entry.get("constraint") or entry)
    columns = cast("list[dict[str, Any]]", holder.get("columnConstraints") or [])
    return {
        (place["schema"], place["table"], str(column.get("columnName", "")), orjson.dumps(column.get("domain")))
        for column in columns
    }


def expected_of(plan: Mapping[str, Any]) -> tuple[float | None, float | None]:
    """Rows and cost that EXPLAIN (TYPE IO) estimates of the whole statement."""
    expected = cast("dict[str, object]", plan.get("estimate") or {})
    return _number(expected.get("outputRowCount")), _number(expected.get("cpuCost"))


def steps_of(plan: Mapping[str, Any]) -> Steps:
    """What EXPLAIN (FORMAT JSON) expects: every step that has none before it reads something, or holds constants."""
    rows, sizes = list[float | None](), list[float | None]()
    waiting = [plan]
    while waiting:
        step = waiting.pop()
        before = cast("list[dict[str, Any]]", step.get("children") or [])
        waiting += before
        if not before and step.get("name") != "Values":
            reads = "Scan" in str(step.get("name"))
            first = _first_estimate(step if reads else {})
            rows.append(_number(first.get("outputRowCount")))
            sizes.append(_size(first, str(step.get("details", ""))))
    return Steps(total(rows), total(sizes), _number(_first_estimate(plan).get("outputRowCount")))


def total(figures: Sequence[float | None]) -> float | None:
    """A sum of which a part is unknown is unknown."""
    known = [figure for figure in figures if figure is not None]
    return sum(known) if len(known) == len(figures) else None


def _first_estimate(step: Mapping[str, Any]) -> Mapping[str, Any]:
    """Of a step that reads, filters and computes in one, what it reads."""
    estimates = cast("list[dict[str, Any]]", step.get("estimates") or [{}])
    return estimates[0]


def _size(estimate: Mapping[str, Any], details: str) -> float | None:
    rows = _number(estimate.get("outputRowCount"))
    if rows is None:
        return _number(estimate.get("totalSize"))
    told = cast("dict[str, dict[str, object]]", estimate.get("variableStatistics") or {})
    named = sum(" := " in line and not line.startswith("$") for line in details.splitlines())
    untold = max(0, named - len(told)) * (_UNKNOWN_BYTES + _NULL_BYTES + _PLACE_BYTES)
    return rows * (untold + sum(_width(name, statistics) for name, statistics in told.items()))


def _width(name: str, statistics: Mapping[str, object]) -> float:
    """Of one value of a column, named as in `amount<decimal(12,2)>`."""
    kind = name.rpartition("<")[2].removesuffix(">")
    if kind.startswith("decimal("):
        digits = kind.removeprefix("decimal(").partition(",")[0]
        return _NULL_BYTES + (8.0 if digits.isdigit() and int(digits) <= _SHORT_DIGITS else 16.0)
    fixed = _WIDTHS.get(kind)
    if fixed is not None:
        return _NULL_BYTES + fixed
    average = _number(statistics.get("averageRowSize"))
    filled = 1.0 - (_number(statistics.get("nullsFraction")) or 0.0)
    return _NULL_BYTES + _PLACE_BYTES + filled * (_UNKNOWN_BYTES if average is None else average)


def _number(written: object) -> float | None:
    """Costs that the engine does not know are written as NaN."""
    return float(written) if isinstance(written, int | float) and written == written else None  # noqa: PLR0124
