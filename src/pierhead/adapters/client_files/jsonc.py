"""JSON as people keep it, with comments and trailing commas: read with the place of every value, edited in place.

What an edit does not name stays byte for byte. Stricter than clients are: a key that stands twice is refused, since
nobody can say which of the two holds. Not here: files (`adapters/client_files`).
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, cast

_BLANK: Final = re.compile(r"(?:[\s\ufeff]|//[^\n]*|/\*.*?\*/)*", re.DOTALL)
_STRING: Final = re.compile(r'"(?:[^"\\\x00-\x1f]|\\.)*"')
_SCALAR: Final = re.compile(r"-?\d[0-9.eE+-]*|true|false|null")
_DEEPEST: Final = 100
_USUAL_INDENT: Final = "  "


class NotJson(Exception):
    """The text is no JSON: what is wrong, and where."""

    def __init__(self, what: str, offset: int) -> None:
        super().__init__(what)
        self.what = what
        self.offset = offset


@dataclass(slots=True)
class Node:
    """One value and where it stands. `members` are those of an object: key to value, in order."""

    start: int
    end: int
    value: object
    members: dict[str, "Node"] = field(default_factory=dict[str, "Node"])
    trailing_comma: bool = False


def read_json(text: str) -> Node:
    """The document. Errors: NotJson."""
    reading = _Reading(text)
    root = reading.value(reading.skip(0), 0)
    rest = reading.skip(root.end)
    if rest < len(text):
        raise NotJson("something stands after the end", rest)
    return root


@dataclass(slots=True)
class _Reading:
    text: str

    def skip(self, at: int) -> int:
        """Past blanks and comments."""
        found = _BLANK.match(self.text, at)
        return found.end() if found else at

    def value(self, at: int, depth: int) -> Node:
        if depth > _DEEPEST:
            raise NotJson(f"deeper than {_DEEPEST} levels", at)
        match self.text[at : at + 1]:
            case "{":
                return self._object(at, depth)
            case "[":
                return self._list(at, depth)
            case '"':
                return self._token(_STRING, at, "a text that does not end")
            case "":
                raise NotJson("the text ends too early", at)
            case _:
                return self._token(_SCALAR, at, "no JSON value")

    def _token(self, shape: re.Pattern[str], at: int, otherwise: str) -> Node:
        found = shape.match(self.text, at)
        if found is None:
            raise NotJson(otherwise, at)
        try:
            return Node(at, found.end(), json.loads(found[0]))
        except ValueError:
            raise NotJson(otherwise, at) from None

    def _object(self, start: int, depth: int) -> Node:
        node = Node(start, start, {})
        at, comma = self.skip(start + 1), False
        while self.text[at : at + 1] != "}":
            key = self._key(at, node)
            colon = self.skip(key.end)
            self._expect(":", colon)
            member = self.value(self.skip(colon + 1), depth + 1)
            node.members[str(key.value)] = member
            at, comma = self._next(member.end, "}")
        values = {key: member.value for key, member in node.members.items()}
        return Node(start, at + 1, values, node.members, comma)

    def _key(self, at: int, node: Node) -> Node:
        key = self._token(_STRING, at, "no key in quotes")
        if str(key.value) in node.members:
            raise NotJson(f"{key.value} stands here twice", at)
        return key

    def _list(self, start: int, depth: int) -> Node:
        items: list[object] = []
        at = self.skip(start + 1)
        while self.text[at : at + 1] != "]":
            item = self.value(at, depth + 1)
            items.append(item.value)
            at, _ = self._next(item.end, "]")
        return Node(start, at + 1, items)

    def _next(self, end: int, closing: str) -> tuple[int, bool]:
        """Where the next member begins, or the closing sign; and whether a comma stood before it."""
        at = self.skip(end)
        if self.text[at : at + 1] == ",":
            return self.skip(at + 1), True
        self._expect(closing, at)
        return at, False

    def _expect(self, sign: str, at: int) -> None:
        if self.text[at : at + 1] != sign:
            raise NotJson(f"{sign} is missing", at)


def with_member(text: str, place: tuple[str, ...], value: object) -> str:
    """`text` with `value` under those keys, made where they are missing.

    Errors: NotJson, also for a place inside what is no object.
    """
    if _BLANK.fullmatch(text):
        newline = "\n" if text and not text.endswith("\n") else ""
        return f"{text}{newline}{_written(_nested(place, value), '', _USUAL_INDENT)}\n"
    node, indent = read_json(text), _indent(text)
    for depth, key in enumerate(place):
        if not isinstance(node.value, dict):
            raise NotJson(f"{'.'.join(place[:depth]) or 'the document'} is no object", node.start)
        inner = node.members.get(key)
        if inner is None:
            return _inserted(text, node, (key, _nested(place[depth + 1 :], value)), indent)
        node = inner
    margin = _margin(text, node.start)
    return text[: node.start] + _written(value, margin, indent, _newline(text)) + text[node.end :]


def _nested(place: tuple[str, ...], value: object) -> object:
    for key in reversed(place):
        value = {key: value}
    return value


def _inserted(text: str, node: Node, member: tuple[str, object], indent: str) -> str:
    """The object with one member more, after its last one and the comments behind that."""
    newline, closing = _newline(text), node.end - 1
    margin = _margin(text, node.start)
    key, value = member
    line = f"{margin}{indent}{json.dumps(key, ensure_ascii=False)}: {_written(value, margin + indent, indent, newline)}"
    tail = len(text[:closing].rstrip())
    before = text[:tail]
    if node.members and not node.trailing_comma:
        last = list(node.members.values())[-1].end
        before = f"{text[:last]},{text[last:tail]}"
    return f"{before}{newline}{line}{newline}{margin}{text[closing:]}"


def _written(value: object, margin: str, indent: str, newline: str = "\n") -> str:
    lines = json.dumps(value, indent=indent, ensure_ascii=False).split("\n")
    return newline.join([lines[0], *(margin + line for line in lines[1:])])


def _margin(text: str, at: int) -> str:
    """The blanks that begin the line of that place."""
    begin = text.rfind("\n", 0, at) + 1
    line = text[begin:at].lstrip("\ufeff")
    return line[: len(line) - len(line.lstrip())]


def _indent(text: str) -> str:
    """What the file indents by: the first line that is."""
    found = re.search(r"\n([ \t]+)[\"}]", text)
    return found[1] if found else _USUAL_INDENT


def _newline(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"


def values_of(node: Node) -> Mapping[str, object]:
    """The document as an object. Errors: NotJson."""
    if not isinstance(node.value, dict):
        raise NotJson("the document is no object", node.start)
    return cast("Mapping[str, object]", node.value)
