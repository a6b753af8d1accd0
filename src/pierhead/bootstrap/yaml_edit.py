"""One value of a YAML text set in place: comments, order and everything else stay as they were written.

The text is cut at the marks of the parser, so what is written is checked by reading it again: either the document
holds exactly what was asked for, or nothing is changed. Not here: what a value means (`roles_file`).
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, cast

import yaml

from pierhead.bootstrap.document import parse_document
from pierhead.core.errors import Misconfigured

_INDENT: Final = 2

Place = tuple[str, ...]


def with_value(file: Path, text: str, place: Place, value: object) -> str:
    """`text` with `value` at `place`, whose mappings are made where they are missing.

    Errors: Misconfigured, for a text that is no document, a place inside a value that is no mapping, and a text that
    cannot be edited in place.
    """
    before: Mapping[str, object] = parse_document(file, text).values if has_content(text) else {}
    wanted = _put(file, before, place, value)
    edited = _edited(text, place, value) if before else _begun(text, wanted)
    try:
        is_right = parse_document(file, edited).values == wanted
    except Misconfigured:
        is_right = False
    if not is_right:
        message = f"{file}: {'.'.join(place)} cannot be set in place"
        raise Misconfigured(message, hint="edit the file by hand", code="bad-roles")
    return edited


def _begun(text: str, wanted: Mapping[str, object]) -> str:
    newline = "\n" if text and not text.endswith("\n") else ""
    return text + newline + "".join(_lines(wanted, 0))


def has_content(text: str) -> bool:
    """Whether it says anything but comments."""
    return any(line.strip() and not line.lstrip().startswith("#") for line in text.splitlines())


def _put(file: Path, values: Mapping[str, object], place: Place, value: object) -> dict[str, object]:
    """The document that is wanted."""
    key, *rest = place
    if not rest:
        return {**values, key: value}
    inner = values.get(key)
    if inner is not None and not isinstance(inner, dict):
        message = f"{file}: {key} is a list or a single value, so it has no {rest[0]}"
        raise Misconfigured(message, hint="write it out in the file, with a mapping for each table", code="bad-roles")
    return {**values, key: _put(file, cast("dict[str, object]", inner or {}), tuple(rest), value)}


def _edited(text: str, place: Place, value: object) -> str:
    node = cast("yaml.MappingNode", yaml.compose(text, yaml.SafeLoader))  # pyright: ignore[reportUnknownMemberType] - untyped
    for depth, key in enumerate(place):
        pair = next((pair for pair in node.value if pair[0].value == key), None)
        if pair is None:
            return _inserted(text, node, key, _nested(place[depth + 1 :], value))
        is_last = depth == len(place) - 1
        if is_last or not isinstance(pair[1], yaml.MappingNode):
            return _replaced(text, pair, _nested(place[depth + 1 :], value))
        node = pair[1]
    return text


def _nested(place: Place, value: object) -> object:
    for key in reversed(place):
        value = {key: value}
    return value


def _replaced(text: str, pair: tuple[yaml.Node, yaml.Node], value: object) -> str:
    key, old = pair
    start, end = _index(key.end_mark), _end(old)
    colon = text.index(":", start)
    end = max(end, colon + 1)
    kept = "\n" if text[:end].endswith("\n") else ""
    return f"{text[:start]}: {_flow(value)}{kept}{text[end:]}"


def _inserted(text: str, node: yaml.MappingNode, key: str, value: object) -> str:
    if node.flow_style:
        end = _index(node.end_mark) - 1
        comma = ", " if node.value else ""
        return f"{text[:end].rstrip()}{comma}{_flow(key)}: {_flow(value)}{text[end:]}"
    column = node.value[0][0].start_mark.column
    end = text.find("\n", max(0, _end(node) - 1))
    before = text if end < 0 else text[: end + 1]
    newline = "" if before.endswith("\n") else "\n"
    return before + newline + "".join(_lines({key: value}, column)) + ("" if end < 0 else text[end + 1 :])


def _end(node: yaml.Node) -> int:
    """Where its text ends: a block ends with its last member, before the comments that follow."""
    if isinstance(node, (yaml.MappingNode, yaml.SequenceNode)) and not node.flow_style and node.value:
        last: Any = node.value[-1]
        return _end(last[1]) if isinstance(node, yaml.MappingNode) else _end(last)
    return _index(node.end_mark)


def _index(mark: Any) -> int:  # noqa: ANN401 - yaml's marks are untyped
    return int(mark.index)


def _lines(values: Mapping[str, object], column: int) -> Iterator[str]:
    """Mappings as blocks, everything in them on its line."""
    for key, value in values.items():
        if isinstance(value, dict) and value:
            yield f"{' ' * column}{_flow(key)}:\n"
            yield from _lines(cast("dict[str, object]", value), column + _INDENT)
        else:
            yield f"{' ' * column}{_flow(key)}: {_flow(cast('object', value))}\n"


def _flow(value: object) -> str:
    text = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=10_000, sort_keys=False)
    return text.removesuffix("...\n").strip()
