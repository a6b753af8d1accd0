"""How a JSON Schema is built: its subschemas with their places, how large it is written out, where it never ends.

Read without recursion where depth is not known to be bounded. Pure. Above: `usecases/check_listing`. Not here: its
texts (`hostile_text`), values of any JSON document (`schema_bounds`).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, cast

Schema = Mapping[str, object]

#: Where subschemas stand: by name, in a list, alone.
_NAMED: Final = ("properties", "$defs", "definitions", "patternProperties", "dependentSchemas")
_LISTED: Final = ("anyOf", "oneOf", "allOf", "prefixItems")
_SINGLE: Final = (
    *("items", "additionalProperties", "not", "if", "then", "else", "contains", "propertyNames"),
    *("unevaluatedItems", "unevaluatedProperties", "additionalItems"),
)
MOST_LOOKED_AT: Final = 5_000
ENDLESS: Final = 10_001


@dataclass(frozen=True, slots=True)
class Sub:
    """One subschema: where, how deep, by which name it is a property (or nothing), and what it says."""

    place: str
    depth: int
    name: str
    schema: Schema


def subschemas(schema: object, place: str) -> Iterator[Sub]:
    """The schema and everything inside, at most MOST_LOOKED_AT of them; what is no mapping is passed over."""
    left, given = [Sub(place, 0, "", _mapping(schema))], 0
    while left and given < MOST_LOOKED_AT:
        sub = left.pop(0)
        given += 1
        yield sub
        left.extend(_inside(sub))


def _inside(sub: Sub) -> Iterator[Sub]:
    for word, name, value in _members(sub.schema):
        if isinstance(value, Mapping):
            at = f"{sub.place}.{word}" + (f".{name}" if name else "")
            inner = cast("Schema", value)
            yield Sub(at, sub.depth + 1, name if word == "properties" else "", inner)


def _members(schema: Schema) -> Iterator[tuple[str, str, object]]:
    for word in _NAMED:
        for name, value in _mapping(schema.get(word)).items():
            yield word, str(name), value
    for word in (*_LISTED, "items"):
        listed = schema.get(word)
        if isinstance(listed, list):
            for at, value in enumerate(cast("list[object]", listed)):
                yield f"{word}[{at}]", "", value
    for word in _SINGLE:
        yield word, "", schema.get(word)


def written_out(schema: object) -> int:
    """How many subschemas it is with every `$ref` written out; more than 10,000 is ENDLESS, as what holds itself is."""
    root = _mapping(schema)
    known: dict[str, int] = {}

    def size(part: object, path: tuple[str, ...]) -> int:
        total = 1
        for word, _, value in _members(_mapping(part)):
            if word not in {"$defs", "definitions"}:
                total += size(cast("Schema", value), path) if isinstance(value, Mapping) else 0
        reference = _mapping(part).get("$ref")
        if isinstance(reference, str):
            total += referred(reference, path)
        return min(total, ENDLESS)

    def referred(reference: str, path: tuple[str, ...]) -> int:
        if reference in known:
            return known[reference]
        if reference in path or reference == "#":
            return ENDLESS
        known[reference] = size(target(root, reference), (*path, reference))
        return known[reference]

    return size(root, ())


def target(root: Schema, reference: str) -> object:
    """What `#/$defs/name` names in that schema; nothing, if it is not there."""
    at: object = root
    for part in reference.removeprefix("#").split("/")[1:]:
        at = _mapping(at).get(part.replace("~1", "/").replace("~0", "~"))
    return at


def _mapping(value: object) -> Mapping[str, object]:
    return cast("Mapping[str, object]", value) if isinstance(value, Mapping) else {}
