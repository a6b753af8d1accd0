"""One YAML document as plain values, with the line and column of every member.

Stricter than YAML is: no repeated key, no anchor or alias, keys are texts. Not here: what the values mean (`fleet`).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import yaml

from pierhead.core.errors import Misconfigured

Path_ = tuple[str | int, ...]
Mark = tuple[int, int]
"""Line and column, from 1."""

START: Final = (1, 1)

_SCALARS: Final = yaml.SafeLoader("")


@dataclass(frozen=True, slots=True)
class Document:
    """The values, and where each stands, by a path of keys and indices: `keys` its name, `scalars` its value."""

    path: Path
    values: Mapping[str, object]
    keys: Mapping[Path_, Mark]
    scalars: Mapping[Path_, Mark]

    def mark(self, place: Iterable[str | int]) -> Mark:
        """Where that member's name stands, or the nearest one's around it."""
        keys = tuple(place)
        while keys and keys not in self.keys:
            keys = keys[:-1]
        return self.keys.get(keys, START)

    def value_mark(self, place: Iterable[str | int]) -> Mark:
        """Where that member's value stands, if it is one value; else its name."""
        keys = tuple(place)
        while keys and keys not in self.keys:
            keys = keys[:-1]
        return self.scalars.get(keys) or self.mark(keys)

    def line(self, place: Iterable[str | int]) -> int:
        return self.mark(place)[0]


def read_document(path: Path) -> Document:
    """Read a YAML file. Errors: Misconfigured (`bad-fleet`), naming file and line."""
    try:
        text = path.read_text("utf-8")
    except OSError as failed:
        message = f"cannot read {path}: {failed.strerror}"
        raise Misconfigured(message, hint="name a fleet file that can be read", code="bad-fleet") from None
    except UnicodeDecodeError:
        raise broken(path, START, "the file is not UTF-8", "save it as UTF-8") from None
    return parse_document(path, text)


def parse_document(path: Path, text: str) -> Document:
    """The document in `text`, which stands or will stand in that file. Errors: as `read_document`."""
    try:
        root = _compose(path, text)
    except yaml.MarkedYAMLError as fault:
        mark = _mark(fault.problem_mark) if fault.problem_mark else START
        raise broken(path, mark, fault.problem or "not YAML", "correct the YAML there") from None
    except yaml.YAMLError:
        raise broken(path, START, "the file holds characters that no text has", "save it as plain text") from None
    if not isinstance(root, yaml.MappingNode):
        raise broken(path, START, "the file is not a mapping", "begin with people: and servers:")
    reading = _Reading(path)
    return Document(path, reading.mapping(root, ()), reading.keys, reading.scalars)


def _compose(path: Path, text: str) -> object:
    loader = yaml.SafeLoader
    for event in yaml.parse(text, loader):  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType] - untyped
        if isinstance(event, yaml.AliasEvent):
            raise broken(path, _mark(event.start_mark), "an alias (*name)", "write the value out")
    return yaml.compose(text, loader)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType] - untyped


def broken(path: Path, mark: Mark, what: str, hint: str) -> Misconfigured:
    """A fault of the file, in one voice."""
    line, column = mark
    return Misconfigured(f"{path}, line {line}, column {column}: {what}", hint=hint, code="bad-fleet")


def _mark(mark: yaml.Mark) -> Mark:
    return mark.line + 1, mark.column + 1


@dataclass(slots=True)
class _Reading:
    path: Path
    keys: dict[Path_, Mark] = field(default_factory=dict[Path_, Mark])
    scalars: dict[Path_, Mark] = field(default_factory=dict[Path_, Mark])

    def value(self, node: yaml.Node, place: Path_) -> object:
        if isinstance(node, yaml.MappingNode):
            return self.mapping(node, place)
        if isinstance(node, yaml.SequenceNode):
            return [self._at(item, (*place, index)) for index, item in enumerate(node.value)]
        self.scalars[place] = _mark(node.start_mark)
        return _SCALARS.construct_object(node)  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]

    def mapping(self, node: yaml.MappingNode, place: Path_) -> dict[str, object]:
        found: dict[str, object] = {}
        for key, member in node.value:
            mark = _mark(key.start_mark)
            name = _SCALARS.construct_object(key, deep=True)  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]
            if not isinstance(name, str):
                raise broken(self.path, mark, f"key {name!r} is not a text", "put it in quotes")
            if name in found:
                raise broken(self.path, mark, f"{name} stands here twice", "keep one")
            self.keys[(*place, name)] = mark
            found[name] = self.value(member, (*place, name))
        return found

    def _at(self, node: yaml.Node, place: Path_) -> object:
        self.keys[place] = _mark(node.start_mark)
        return self.value(node, place)
