"""Inputs that a tool's schema takes or should refuse: edge values of each type, in many combinations, always the same.

No chance: the n-th input is the n-th, so that a finding can be found again. Pure. Above: `adapters/live`. Not
here: sending them.
"""

from collections.abc import Iterator, Mapping
from typing import Final, cast

from pierhead.core.json import Json

_STEPS: Final = (1, 3, 5, 7, 11, 13, 17, 19)
_WRONG: Final[tuple[Json, ...]] = (None, True, -1, 1.5, "", "x" * 5_000, [], [[]], {}, {"a": {}}, "\u0000", "\ud7ff")
_TEXTS: Final = (
    "a",
    "",
    "0",
    " ",
    "' OR 1=1 --",
    "../../etc/passwd",
    "%00",
    "\u202e",
    "2026-02-30",
    "null",
    "{{7*7}}",
    "é" * 9,
)


def odd_inputs(schema: Mapping[str, object], count: int, marker: str, *, only_wrong: bool) -> Iterator[Json]:
    """`count` inputs: in turn fitting ones, and ones that no closed schema takes. `marker` stands in the wrong ones."""
    names = cast("Mapping[str, Mapping[str, object]]", schema.get("properties") or {})
    for at in range(count):
        fitting: dict[str, Json] = {
            name: _fitting(inner, at // step) for (name, inner), step in zip(names.items(), _STEPS * 9, strict=False)
        }
        if only_wrong or at % 2:
            yield _wrong(fitting, at, marker)
        else:
            yield fitting


def _wrong(fitting: dict[str, Json], at: int, marker: str) -> Json:
    """One member too many, one of another type, or no object's members at all."""
    wrong = _WRONG[at // 2 % len(_WRONG)]
    kind = at // 2 % 3
    if kind == 0 or not fitting:
        return {**fitting, marker[:12].replace("-", "_"): wrong, "other": marker}
    name = sorted(fitting)[at % len(fitting)]
    if kind == 1:
        return {**fitting, name: {"not": "this", "marker": marker}, "other": marker}
    return {name: [marker, {"a": wrong}], "other": wrong}


def _fitting(schema: Mapping[str, object], at: int) -> Json:
    """A value that the schema takes, as far as its own words say."""
    options = schema.get("enum") or schema.get("anyOf") or schema.get("oneOf")
    if isinstance(options, list) and options:
        several = cast("list[object]", options)
        chosen = several[at % len(several)]
        return (
            _fitting(cast("Mapping[str, object]", chosen), at) if isinstance(chosen, Mapping) else cast("Json", chosen)
        )
    match schema.get("type"):
        case "integer" | "number":
            low = schema.get("minimum", 0)
            return (low if isinstance(low, int) else 0) + at % 3
        case "boolean":
            return at % 2 == 0
        case "array":
            items = schema.get("items")
            inner: Mapping[str, object] = cast("Mapping[str, object]", items) if isinstance(items, Mapping) else {}
            return [_fitting(inner, at + each) for each in range(at % 3)]
        case "object":
            return {}
        case "null":
            return None
        case _:
            longest = schema.get("maxLength")
            return _TEXTS[at % len(_TEXTS)][: longest if isinstance(longest, int) else 99]
