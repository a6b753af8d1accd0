"""Faucet's grammar, as people and models write conditions -> a filter.

    status = 'paid' AND (total >= 10 OR name CONTAINS 'gmbh') AND region NOT IN ('north', 'west')

It looks like SQL and never becomes SQL: it is read into the same tree as the native grammar. Text stands in single
quotes (twice for one inside), names may stand in double quotes; a value in double quotes is text, too. Not here:
what a name or value must be (filter_sql.py, types.py).
"""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Final, Literal, NamedTuple, cast

from pierhead.sdk import Invalid
from pierhead.sdk.governed.filters import (
    AGGREGATES,
    MOST_NESTED,
    Aggregate,
    Condition,
    Either,
    Every,
    Filter,
    Negation,
    Operand,
    Operator,
    Scalar,
    bad_filter,
    checked_is,
    too_deep,
    within_limits,
)

Kind = Literal["text", "name", "number", "sign", "word", "end"]

_TOKEN: Final = re.compile(
    r"""\s*(?:
    (?P<text>'(?:[^']|'')*') | (?P<name>"(?:[^"]|"")*") | (?P<number>-?\d+(?:\.\d+)?(?:[eE][+-]?\d{1,3})?(?!\w))
    | (?P<sign><=|>=|<>|!=|->>|->|[=<>(),*]) | (?P<word>[^\W\d]\w*)
    )""",
    re.VERBOSE,
)
_COMPARISONS: Final[Mapping[str, Operator]] = {
    "=": "eq",
    "!=": "neq",
    "<>": "neq",
    "<": "lt",
    "<=": "lte",
    ">": "gt",
    ">=": "gte",
}
_MEANT: Final = "write column = 'text', numbers bare, as in status = 'paid' AND total >= 10"


class _Token(NamedTuple):
    kind: Kind
    text: str
    place: int


def parse_filter_text(text: str) -> Filter | None:
    """The filter in `text`; None for none. Errors: Invalid (`bad-filter`), which says at which position."""
    if not text.strip():
        return None
    reader = _Reader(text)
    made = reader.either(0)
    reader.expect_end()
    return within_limits(made)


def _tokens(text: str) -> list[_Token]:
    tokens: list[_Token] = []
    place = 0
    end = len(text.rstrip())
    while place < end:
        match = _TOKEN.match(text, place)
        if match is None or match.lastgroup is None:
            raise bad_filter(f"the filter cannot be read at position {place + 1}", _MEANT)
        tokens.append(_Token(cast("Kind", match.lastgroup), match[match.lastgroup], match.start(match.lastgroup) + 1))
        place = match.end()
    return [*tokens, _Token("end", "", end + 1)]


class _Reader:
    """Reads tokens from left to right: or, and, not, comparison, each by what binds tighter."""

    def __init__(self, text: str) -> None:
        self._tokens = _tokens(text)
        self._next = 0

    @property
    def token(self) -> _Token:
        return self._tokens[self._next]

    def fault(self, expected: str) -> Invalid:
        return bad_filter(f"{expected} is missing at position {self.token.place} of the filter", _MEANT)

    def take(self, *words: str) -> bool:
        """These words or signs, if they come next, in any case of letters."""
        coming = self._tokens[self._next : self._next + len(words)]
        if [token.text.upper() for token in coming if token.kind in ("word", "sign")] != list(words):
            return False
        self._next += len(words)
        return True

    def expect(self, word: str) -> None:
        if not self.take(word):
            raise self.fault(word)

    def expect_end(self) -> None:
        if self.token.kind != "end":
            raise self.fault("AND, OR or the end")

    def either(self, depth: int) -> Filter:
        if depth > MOST_NESTED:
            raise too_deep()
        parts = [self._every(depth)]
        while self.take("OR"):
            parts.append(self._every(depth))
        return parts[0] if len(parts) == 1 else Either(tuple(parts))

    def _every(self, depth: int) -> Filter:
        parts = [self._negated(depth)]
        while self.take("AND"):
            parts.append(self._negated(depth))
        return parts[0] if len(parts) == 1 else Every(tuple(parts))

    def _negated(self, depth: int) -> Filter:
        if depth > MOST_NESTED:
            raise too_deep()
        if self.take("NOT"):
            return Negation(self._negated(depth + 1))
        if self.take("("):
            inside = self.either(depth + 1)
            self.expect(")")
            return inside
        return self._comparison(self._operand())

    def _operand(self) -> Operand:
        token = self.token
        if token.kind not in ("word", "name"):
            raise self.fault("a column")
        self._next += 1
        if token.kind == "word" and self.take("("):
            return self._aggregated(token)
        path, as_text = self._path()
        return Operand(_unquoted(token), path, as_text)

    def _aggregated(self, name: _Token) -> Operand:
        function = name.text.lower()
        if function not in AGGREGATES:
            raise bad_filter(
                f"there is no function {name.text[:50]} in filters", "having takes count, sum, avg, min, max"
            )
        if function == "count" and (self.take("*", ")") or self.take(")")):
            return Operand("", aggregate="count")
        inside = self._operand()
        self.expect(")")
        return Operand(inside.column, inside.path, inside.as_text, cast("Aggregate", function))

    def _path(self) -> tuple[tuple[str | int, ...], bool]:
        keys: list[str | int] = []
        as_text = True
        while self.token.text in ("->", "->>") and as_text is (not keys):
            as_text = self.token.text == "->>"
            self._next += 1
            key = self.token
            if key.kind not in ("word", "name", "text", "number"):
                raise self.fault("a key")
            self._next += 1
            keys.append(int(key.text) if key.kind == "number" and key.text.isdigit() else _unquoted(key))
            if as_text:
                break
        return tuple(keys), as_text

    def _comparison(self, operand: Operand) -> Filter:
        sign = self.token
        if sign.kind == "sign" and sign.text in _COMPARISONS:
            self._next += 1
            return Condition(operand, _COMPARISONS[sign.text], self._value())
        if self.take("IS"):
            is_negated = self.take("NOT")
            word = self.token.text
            self._next += self.token.kind == "word"
            made: Filter = Condition(operand, "is", checked_is(word))
            return Negation(made) if is_negated else made
        if self.take("NOT"):
            return Negation(self._worded(operand))
        return self._worded(operand)

    def _worded(self, operand: Operand) -> Filter:
        """The comparisons that are words, all of which NOT may stand before."""
        if self.take("IN"):
            return Condition(operand, "in", self._list())
        if self.take("BETWEEN"):
            lowest = self._value()
            self.expect("AND")
            return Every((Condition(operand, "gte", lowest), Condition(operand, "lte", self._value())))
        forms: tuple[tuple[tuple[str, ...], Operator], ...] = (
            (("LIKE",), "like"),
            (("ILIKE",), "ilike"),
            (("CONTAINS",), "contains"),
            (("STARTS", "WITH"), "starts"),
            (("ENDS", "WITH"), "ends"),
        )
        for words, operator in forms:
            if self.take(*words):
                return Condition(operand, operator, self._value())
        raise self.fault("a comparison (=, !=, <, <=, >, >=, IN, LIKE, BETWEEN, IS, CONTAINS, STARTS WITH, ENDS WITH)")

    def _list(self) -> tuple[Scalar, ...]:
        self.expect("(")
        if self.take(")"):
            return ()
        members = [self._value()]
        while self.take(","):
            members.append(self._value())
        self.expect(")")
        return tuple(members)

    def _value(self) -> Scalar:
        token = self.token
        if token.kind in ("text", "name"):
            self._next += 1
            return _unquoted(token)
        if token.kind == "number":
            self._next += 1
            return int(token.text) if token.text.lstrip("-").isdigit() else Decimal(token.text)
        if self.take("TRUE"):
            return True
        if self.take("FALSE"):
            return False
        if self.take("NULL"):
            raise bad_filter("nothing compares with NULL", "write IS NULL or IS NOT NULL")
        raise self.fault("a value (text stands in single quotes)")


def _unquoted(token: _Token) -> str:
    if token.kind == "text":
        return token.text[1:-1].replace("''", "'")
    return token.text[1:-1].replace('""', '"') if token.kind == "name" else token.text
