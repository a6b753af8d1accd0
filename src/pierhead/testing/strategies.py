"""Arguments from a tool's input schema, as Hypothesis strategies: every value is one that the schema takes.

Knows the schemas that Pydantic writes, and says so of any other keyword that matters. Hypothesis is imported on use.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, cast

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

_LONGEST: Final = 200
_MOST: Final = 5
_SILENT: Final = frozenset(
    {"title", "description", "default", "examples", "$defs", "additionalProperties", "x-mcp-header"}
)
"""Keywords that shape no value here."""

Schema = Mapping[str, Any]


def from_tool(tool: object) -> "SearchStrategy[dict[str, Any]]":
    """Arguments of `tool`: one of a server's `tools`, one that a client listed, or its input schema alone.

    Errors: ValueError for a schema beyond what this reads; TypeError for what is no tool.
    """
    schema = _schema_of(tool)
    return _Reader(schema.get("$defs", {})).read(schema)


def _schema_of(tool: object) -> Schema:
    if isinstance(tool, Mapping):
        return cast("Schema", tool)
    registered = getattr(tool, "registered", None)
    found = getattr(registered, "parameters", None) or getattr(tool, "input_schema", None)
    if not isinstance(found, Mapping):
        raise TypeError(f"{type(tool).__name__} is no tool: it has no input schema")
    return cast("Schema", found)


class _Reader:
    def __init__(self, definitions: Mapping[str, Schema]) -> None:
        from hypothesis import strategies  # noqa: PLC0415 - see the module's docstring

        self.st = strategies
        self.definitions = definitions
        self.kinds: Mapping[str, Callable[[Schema], Any]] = {
            "object": self._object,
            "array": self._array,
            "string": self._string,
            "integer": self._integer,
            "number": self._number,
            "boolean": lambda _: strategies.booleans(),
            "null": lambda _: strategies.none(),
        }

    def read(self, schema: Schema) -> Any:  # noqa: ANN401 - strategies of any value
        if "$ref" in schema:
            name = str(schema["$ref"]).removeprefix("#/$defs/")
            return self.st.deferred(lambda: self.read(self.definitions[name]))
        for choices in ("anyOf", "oneOf"):
            if choices in schema:
                return self.st.one_of([self.read(each) for each in schema[choices]])
        if "const" in schema:
            return self.st.just(schema["const"])
        if "enum" in schema:
            return self.st.sampled_from(schema["enum"])
        kind: Any = schema.get("type")
        if isinstance(kind, Sequence) and not isinstance(kind, str):
            return self.st.one_of([self.read({**schema, "type": each}) for each in cast("Sequence[str]", kind)])
        if kind not in self.kinds:
            raise ValueError(f"cannot make values for {dict(schema)}")
        return self.kinds[kind](schema)

    def _object(self, schema: Schema) -> Any:  # noqa: ANN401
        self._knows(schema, "properties", "required")
        given = cast("Mapping[str, Schema]", schema.get("properties", {}))
        required = set(schema.get("required", ()))
        if not given and isinstance(more := schema.get("additionalProperties"), Mapping):
            return self.st.dictionaries(self._text(0, 20), self.read(cast("Schema", more)), max_size=_MOST)
        return self.st.fixed_dictionaries(
            {name: self.read(each) for name, each in given.items() if name in required},
            optional={name: self.read(each) for name, each in given.items() if name not in required},
        )

    def _array(self, schema: Schema) -> Any:  # noqa: ANN401
        self._knows(schema, "items", "minItems", "maxItems", "uniqueItems")
        fewest = int(schema.get("minItems", 0))
        most = min(int(schema.get("maxItems", fewest + _MOST)), fewest + _MOST)
        unique = repr if schema.get("uniqueItems") else None
        return self.st.lists(
            self.read(schema.get("items", {"type": "string"})), min_size=fewest, max_size=most, unique_by=unique
        )

    def _string(self, schema: Schema) -> Any:  # noqa: ANN401
        self._knows(schema, "minLength", "maxLength", "pattern", "format")
        fewest = int(schema.get("minLength", 0))
        most = int(schema.get("maxLength", fewest + _LONGEST))
        if "pattern" in schema:
            # to Python `$` also ends before a last line feed, to JSON Schema it does not
            return self.st.from_regex(re.sub(r"(?<!\\)\$$", r"\\Z", schema["pattern"])).filter(
                lambda text: fewest <= len(text) <= most
            )
        made = {
            "date": lambda: self.st.dates().map(lambda day: day.isoformat()),
            "date-time": lambda: self.st.datetimes().map(lambda at: f"{at.isoformat()}Z"),
            "uuid": lambda: self.st.uuids().map(str),
        }.get(schema.get("format", ""))
        return made() if made else self._text(fewest, min(most, fewest + _LONGEST))

    def _text(self, fewest: int, most: int) -> Any:  # noqa: ANN401
        return self.st.text(self.st.characters(exclude_categories=("Cs",)), min_size=fewest, max_size=most)

    def _integer(self, schema: Schema) -> Any:  # noqa: ANN401
        self._knows(schema, "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
        low, high = schema.get("minimum"), schema.get("maximum")
        if (over := schema.get("exclusiveMinimum")) is not None:
            low = over + 1
        if (under := schema.get("exclusiveMaximum")) is not None:
            high = under - 1
        return self.st.integers(
            -(2**53) if low is None and (high or 0) > -(2**53) else low,
            2**53 if high is None and (low or 0) < 2**53 else high,
        )

    def _number(self, schema: Schema) -> Any:  # noqa: ANN401
        self._knows(schema, "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
        over, under = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
        return self.st.floats(
            schema.get("minimum") if over is None else over,
            schema.get("maximum") if under is None else under,
            exclude_min=over is not None,
            exclude_max=under is not None,
            allow_nan=False,
            allow_infinity=False,
        )

    def _knows(self, schema: Schema, *keywords: str) -> None:
        unread = sorted(schema.keys() - {"type", *keywords} - _SILENT)
        if unread:
            raise ValueError(f"cannot hold values to {', '.join(unread)} of {dict(schema)}")
