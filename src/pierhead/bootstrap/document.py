"""One YAML document as plain values, with the line of every member.

Stricter than YAML is: no repeated key, no anchor or alias, keys are texts. Not here: what the values mean (`fleet`).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import yaml

from pierhead.core.errors import Misconfigured

Path_ = tuple[str | int, ...]

_SCALARS: Final = yaml.SafeLoader("")


@dataclass(frozen=True, slots=True)
class Document:
    """The values, and where each stands: `lines` maps a path of keys and indices to a line, from 1."""

    path: Path
    values: Mapping[str, object]
    lines: Mapping[Path_, int]

    def line(self, place: Iterable[str | int]) -> int:
        """The line of that member, or of the nearest one around it."""
        keys = tuple(place)
        while keys and keys not in self.lines:
            keys = keys[:-1]
        return self.lines.get(keys, 1)


def read_document(path: Path) -> Document:
    """Read a YAML file. Errors: Misconfigured (`bad-fleet`), naming file and line."""
    try:
        text = path.read_text("utf-8")
    except OSError as failed:
        message = f"cannot read {path}: {failed.strerror}"
        raise Misconfigured(message, hint="name a fleet file that can be read", code="bad-fleet") from None
    except UnicodeDecodeError:
        raise broken(path, 1, "the file is not UTF-8", "save it as UTF-8") from None
    return parse_document(path, text)


def parse_document(path: Path, text: str) -> Document:
    """The document in `text`, which stands or will stand in that file. Errors: as `read_document`."""
    try:
        root = _compose(path, text)
    except yaml.MarkedYAMLError as fault:
        line = fault.problem_mark.line + 1 if fault.problem_mark else 1
        raise broken(path, line, fault.problem or "not YAML", "correct the YAML there") from None
    except yaml.YAMLError:
        raise broken(path, 1, "the file holds characters that no text has", "save it as plain text") from None
    if not isinstance(root, yaml.MappingNode):
        raise broken(path, 1, "the file is not a mapping", "begin with people: and servers:")
    reading = _Reading(path)
    return Document(path, reading.mapping(root, ()), reading.lines)


def _compose(path: Path, text: str) -> object:
    loader = yaml.SafeLoader
    for event in yaml.parse(text, loader):  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType] - untyped
        if isinstance(event, yaml.AliasEvent):
            raise broken(path, event.start_mark.line + 1, "an alias (*name)", "write the value out")
    return yaml.compose(text, loader)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType] - untyped


def broken(path: Path, line: int, what: str, hint: str) -> Misconfigured:
    """A fault of the file, in one voice."""
    return Misconfigured(f"{path}, line {line}: {what}", hint=hint, code="bad-fleet")


@dataclass(slots=True)
class _Reading:
    path: Path
    lines: dict[Path_, int] = field(default_factory=dict[Path_, int])

    def value(self, node: yaml.Node, place: Path_) -> object:
        if isinstance(node, yaml.MappingNode):
            return self.mapping(node, place)
        if isinstance(node, yaml.SequenceNode):
            return [self._at(item, (*place, index)) for index, item in enumerate(node.value)]
        return _SCALARS.construct_object(node)  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]

    def mapping(self, node: yaml.MappingNode, place: Path_) -> dict[str, object]:
        found: dict[str, object] = {}
        for key, member in node.value:
            line = key.start_mark.line + 1
            name = self.value(key, place)
            if not isinstance(name, str):
                raise broken(self.path, line, f"key {name!r} is not a text", "put it in quotes")
            if name in found:
                raise broken(self.path, line, f"{name} stands here twice", "keep one")
            self.lines[(*place, name)] = line
            found[name] = self.value(member, (*place, name))
        return found

    def _at(self, node: yaml.Node, place: Path_) -> object:
        self.lines[place] = node.start_mark.line + 1
        return self.value(node, place)
