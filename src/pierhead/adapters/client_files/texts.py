"""The three ways that clients write their files, as text: parse, and put one value in.

An edit is checked by reading its result again: it holds exactly what was asked for, and every comment that was there,
or it is refused. Not here: the disk.
"""

import io
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

import tomlkit
import tomlkit.exceptions
import yaml
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.util import load_yaml_guess_indent  # pyright: ignore[reportUnknownVariableType] - untyped

from pierhead.adapters.client_files import jsonc
from pierhead.core.ai_client import Format
from pierhead.core.errors import Invalid
from pierhead.usecases.ports_clients import Edit

_WIDEST: Final = 10_000

Document = Mapping[str, object]


def parsed(path: str, written_as: Format, text: str) -> Document:
    """The document in that text; an empty one for a text that says nothing. Errors: Invalid, with the line."""
    return _WAYS[written_as].parse(path, text) if text.strip("\ufeff \t\r\n") else {}


def edited(path: str, written_as: Format, text: str, edit: Edit) -> str:
    """`text` with that edit in it. Errors: Invalid."""
    wanted = _wanted(path, parsed(path, written_as, text), edit)
    place, value = edit.place, edit.value
    if edit.item:
        value = _at(wanted, place)
    try:
        changed = _WAYS[written_as].put(text, place, value)
        is_right = parsed(path, written_as, changed) == wanted
    except (ValueError, TypeError, jsonc.NotJson, Invalid, YAMLError, tomlkit.exceptions.TOMLKitError):
        changed, is_right = "", False
    if not is_right or not _comments(text, written_as) <= _comments(changed, written_as):
        message = f"{path}: {'.'.join(place)} cannot be set in place"
        raise Invalid(
            message, hint="add --print, and edit the file by hand; nothing was changed", code="client-file-broken"
        )
    return changed


def _wanted(path: str, document: Document, edit: Edit) -> Document:
    """The document that the edit asks for."""
    if edit.item:
        listed = cast("list[object]", _at(document, edit.place) or [])
        return _put(path, document, edit.place, _with_item(listed, edit.item, edit.value))
    return _put(path, document, edit.place, edit.value)


def _with_item(listed: list[object], name: str, value: object) -> list[object]:
    def is_it(item: object) -> bool:
        return isinstance(item, dict) and cast("Document", item).get("name") == name

    if any(map(is_it, listed)):
        return [value if is_it(item) else item for item in listed]
    return [*listed, value]


def _at(document: object, place: tuple[str, ...]) -> object:
    for key in place:
        document = cast("Document", document).get(key) if isinstance(document, dict) else None
    return document


def _put(path: str, document: Document, place: tuple[str, ...], value: object) -> Document:
    key, *rest = place
    if not rest:
        return {**document, key: value}
    inner = document.get(key)
    if inner is not None and not isinstance(inner, dict):
        raise Invalid(
            f"{path}: {key} holds no entries", hint="correct it there; nothing was changed", code="client-file-broken"
        )
    return {**document, key: _put(path, cast("Document", inner or {}), tuple(rest), value)}


def _comments(text: str, written_as: Format) -> set[str]:
    """The lines of a text that are comments and nothing else."""
    signs = ("//", "/*", "*") if written_as is Format.JSON else ("#",)
    return {line.strip() for line in text.splitlines() if line.strip().startswith(signs)}


def broken(path: str, line: int, what: str) -> Invalid:
    """A fault of a file, in one voice."""
    return Invalid(
        f"{path}, line {line}: {what}", hint="correct it there; nothing was changed", code="client-file-broken"
    )


def _parse_json(path: str, text: str) -> Document:
    try:
        return jsonc.values_of(jsonc.read_json(text))
    except jsonc.NotJson as wrong:
        raise broken(path, text.count("\n", 0, wrong.offset) + 1, wrong.what) from None


def _parse_toml(path: str, text: str) -> Document:
    try:
        return tomllib.loads(text.removeprefix("\ufeff"))
    except tomllib.TOMLDecodeError as wrong:
        line = _toml_line(text, str(wrong))
        raise broken(path, line, str(wrong)) from None


def _toml_line(text: str, said: str) -> int:
    """The line that the parser names, or the last one: its error has no other place for it before Python 3.14."""
    _, found, rest = said.partition("(at line ")
    number = rest.split(",")[0]
    return int(number) if found and number.isdecimal() else text.count("\n") + 1


def _put_toml(text: str, place: tuple[str, ...], value: object) -> str:
    document: Any = tomlkit.parse(text)
    inner = document
    for key in place[:-1]:
        if key not in inner:
            inner[key] = tomlkit.table(is_super_table=True)
        inner = inner[key]
    inner[place[-1]] = value
    return tomlkit.dumps(document)


def _parse_yaml(path: str, text: str) -> Document:
    try:
        document: object = yaml.load(text, _Plain)  # noqa: S506 - a safe loader, stricter still
    except yaml.MarkedYAMLError as wrong:
        line = wrong.problem_mark.line + 1 if wrong.problem_mark else 1
        raise broken(path, line, wrong.problem or "no YAML") from None
    except yaml.YAMLError:
        raise broken(path, 1, "it holds characters that no text has") from None
    if document is not None and not isinstance(document, dict):
        raise broken(path, 1, "the document is no mapping")
    return cast("Document", document or {})


class _Plain(yaml.SafeLoader):
    """Safe YAML in which no key stands twice."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:  # noqa: ANN401 - as above
        seen: set[str] = set()
        for key, _ in node.value:
            if key.value in seen:
                raise yaml.MarkedYAMLError(problem=f"{key.value} stands here twice", problem_mark=key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep=deep)


def _put_yaml(text: str, place: tuple[str, ...], value: object) -> str:
    _, indent, offset = cast("tuple[object, int | None, int | None]", load_yaml_guess_indent(text))
    writing: Any = YAML()
    writing.preserve_quotes = True
    writing.width = _WIDEST
    if indent is not None:
        writing.indent(mapping=2, sequence=indent, offset=offset or 0)
    loaded: Any = writing.load(text)
    document: Any = loaded or {}
    inner: Any = document
    for key in place[:-1]:
        if inner.get(key) is None:
            inner[key] = {}
        inner = inner[key]
    _assign(inner, place[-1], value)
    written = io.StringIO()
    writing.dump(document, written)
    only_comments = text if loaded is None and text else ""  # of a text that says nothing else, nothing is loaded
    return only_comments + ("\n" if only_comments and not text.endswith("\n") else "") + written.getvalue()


def _assign(inner: Any, key: str, value: object) -> None:  # noqa: ANN401 - ruamel's own mappings
    """A list is changed item by item, so that the comments between its items stay."""
    present = inner.get(key)
    if not isinstance(value, list) or not present:
        inner[key] = value
        return
    for index, item in enumerate(cast("list[object]", value)):
        if index == len(present):
            present.append(item)
        elif present[index] != item:
            _reshape(present[index], cast("Document", item))


def _reshape(present: Any, item: Document) -> None:  # noqa: ANN401 - as above
    """A mapping becomes another in its place, so that comments at what they share stay."""
    for gone in present.keys() - item.keys():
        del present[gone]
    present.update(item)


@dataclass(frozen=True, slots=True)
class _Way:
    parse: Callable[[str, str], Document]
    put: Callable[[str, tuple[str, ...], object], str]


_WAYS: Final = {
    Format.JSON: _Way(_parse_json, jsonc.with_member),
    Format.TOML: _Way(_parse_toml, _put_toml),
    Format.YAML: _Way(_parse_yaml, _put_yaml),
}
