"""`roles.analyst.tables` and `"orders,products"` from the command line, read by the schema of roles.

A name that no role has is an error, here and not at the first call. Not here: changing the file (`yaml_edit`).
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, cast

from pierhead.bootstrap.settings import unknown_setting
from pierhead.core.errors import Misconfigured

_PART: Final = re.compile(r'"([^"]+)"|([^."]+)')

Schema = Mapping[str, Any]
Place = tuple[str, ...]


def place_of(key: str) -> Place:
    """The parts of a dotted key; one with a dot in it stands in quotes. Errors: Misconfigured."""
    parts: list[str] = []
    position = 0
    while position <= len(key):
        found = _PART.match(key, position)
        if found is None or (found.end() < len(key) and key[found.end()] != "."):
            raise _unreadable(key)
        parts.append(found[1] or found[2])
        position = found.end() + 1
    return tuple(parts)


def value_of(place: Place, text: str, schema: Schema) -> object:
    """`text` as the value at `place` below `roles`. Errors: Misconfigured, for a place that no role has."""
    found = [schema]
    for depth, name in enumerate(place):
        known = [part for each in found for part in _alternatives(each, schema)]
        found = [inner for part in known if (inner := _member(part, name)) is not None]
        if not found:
            members = {key: None for part in known for key in part.get("properties", {})}
            raise unknown_setting(".".join(("roles", *place[: depth + 1])), name, members)
    kinds = {part.get("type") for each in found for part in _alternatives(each, schema)}
    return _read(place, text, kinds)


def _alternatives(schema: Schema, whole: Schema) -> Iterator[Schema]:
    """What a schema may stand for, references resolved."""
    if "$ref" in schema:
        yield from _alternatives(whole["$defs"][schema["$ref"].rpartition("/")[2]], whole)
    elif "anyOf" in schema:
        for each in cast("list[Schema]", schema["anyOf"]):
            yield from _alternatives(each, whole)
    else:
        yield schema


def _member(schema: Schema, name: str) -> Schema | None:
    properties = cast("Mapping[str, Schema]", schema.get("properties", {}))
    if name in properties:
        return properties[name]
    more = schema.get("additionalProperties")
    return cast("Schema", more) if isinstance(more, dict) else None


def _read(place: Place, text: str, kinds: set[str | None]) -> object:
    name = ".".join(("roles", *place))
    if "array" in kinds:
        return [part.strip() for part in text.split(",") if part.strip()]
    if "boolean" in kinds:
        if text not in ("true", "false"):
            raise Misconfigured(f"{name} is true or false", hint=f"not {text[:40]!r}", code="bad-roles")
        return text == "true"
    if "integer" in kinds and text.isdecimal():
        return int(text)
    if kinds & {"string", "number", "integer"}:
        return text  # what is wrong with it, the check of the whole says
    hint = f"name a member of it: pierhead config set {name}.…"
    raise Misconfigured(f"{name} is no single value", hint=hint, code="bad-roles")


def _unreadable(key: str) -> Misconfigured:
    hint = 'write roles.NAME.MEMBER; a table with a dot in quotes: roles.analyst.tables."sales.orders".operations'
    return Misconfigured(f"cannot read the key {key[:100]!r}", hint=hint, code="bad-roles")
