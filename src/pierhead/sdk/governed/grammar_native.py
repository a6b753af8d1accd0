r"""The native grammar, as PostgREST's users write it -> a filter.

    price=gte.10&or=(status.eq.paid,qty.in.(1,2))&tags->>k=not.is.null&name=like(any).{a*,b*}

A parameter is `operand=operator.value`, a part inside `and(...)` and `or(...)` is `operand.operator.value`; `not.`
stands before either's operator or before and, or. Names and values quote with `"`, and inside quotes `\` takes the
next character as it is. Not here: select, order and the other reserved parameters (select_native.py), what a name or
value must be (filter_sql.py, types.py).
"""

from collections.abc import Callable, Iterable
from typing import Final, TypeVar, cast, get_args

from pierhead.sdk import Invalid
from pierhead.sdk.governed.filters import (
    AGGREGATES,
    MOST_NESTED,
    Aggregate,
    ClaimRef,
    Condition,
    Containment,
    Either,
    Every,
    Filter,
    Likeness,
    Negation,
    Operand,
    Operator,
    Scalar,
    TextSearch,
    bad_filter,
    checked_is,
    every,
    too_deep,
    within_limits,
)

RESERVED: Final = frozenset(
    {"select", "order", "limit", "offset", "cursor", "having", "columns", "on_conflict", "filter"}
)
"""Parameters that are no column; a column of such a name is written in quotes."""

_LOGIC: Final = frozenset({"and", "or", "not.and", "not.or"})
_OPERATORS: Final = frozenset(str(name) for part in get_args(Operator) for name in (get_args(part) or (part,))) - {
    "contains",
    "starts",
    "ends",
}
_QUANTIFIED: Final = frozenset({"eq", "neq", "gt", "gte", "lt", "lte", "like", "ilike"})
_PATTERNS: Final = frozenset(get_args(Likeness))
_BALANCED: Final = frozenset(get_args(Containment))
_SEARCHES: Final = frozenset(get_args(TextSearch))
_CLOSING: Final = {"(": ")", "{": "}"}

Item = TypeVar("Item")


def parse_filter(parameters: Iterable[tuple[str, str]]) -> Filter | None:
    """The filter of a query string's pairs, reserved ones left out; None if there is none.

    Errors: Invalid (`bad-filter`).
    """
    parts = [parse_parameter(name, value) for name, value in parameters if name not in RESERVED]
    joined = every(*parts)
    return within_limits(joined) if joined is not None else None


def parse_parameter(name: str, value: str) -> Filter:
    """One pair: `or=(...)` or `column=operator.value`. Errors: Invalid (`bad-filter`)."""
    reader = Reader(value)
    if name in _LOGIC:
        group = reader.group(name.removeprefix("not."), 1)
        reader.finish()
        return Negation(group) if name.startswith("not.") else group
    names = Reader(name)
    operand = names.operand()
    names.finish()
    made = reader.comparison(operand, is_whole=True)
    reader.finish()
    return made


def parse_rule(text: str) -> Filter:
    """A row rule or `having`: one part as inside `and(...)`. `${claims.x}` is a ClaimRef.

    Errors: Invalid (`bad-filter`).
    """
    return within_limits(_parts(text, with_claims=True))


def parse_having(text: str) -> Filter:
    """`total.gt.10,count().lt.5`: parts as inside `and(...)`, over results. Errors: Invalid (`bad-filter`)."""
    return within_limits(_parts(text, with_claims=False))


def _parts(text: str, *, with_claims: bool) -> Filter:
    reader = Reader(text, with_claims=with_claims)
    parts = reader.separated(lambda: reader.part(1))
    reader.finish()
    return parts[0] if len(parts) == 1 else Every(tuple(parts))


class Reader:
    """Reads one text from left to right. Every method takes what it names, or raises Invalid."""

    def __init__(self, text: str, *, with_claims: bool = False) -> None:
        self.text = text
        self.place = 0
        self._with_claims = with_claims

    def fault(self, expected: str) -> Exception:
        return bad_filter(f"{expected} is missing at position {self.place + 1} of {self.text[:200]}")

    def starts(self, word: str) -> bool:
        return self.text.startswith(word, self.place)

    def take(self, word: str) -> bool:
        if not self.starts(word):
            return False
        self.place += len(word)
        return True

    def expect(self, word: str) -> None:
        if not self.take(word):
            raise self.fault(word)

    def finish(self) -> None:
        if self.place < len(self.text):
            raise self.fault("the end")

    def until(self, stops: str) -> str:
        """Characters up to the first of `stops`, or to the end."""
        begin = self.place
        while self.place < len(self.text) and self.text[self.place] not in stops:
            self.place += 1
        return self.text[begin : self.place]

    def quoted(self) -> str:
        self.expect('"')
        characters: list[str] = []
        while self.place < len(self.text):
            character = self.text[self.place]
            self.place += 1
            if character == '"':
                return "".join(characters)
            if character == "\\" and self.place < len(self.text):
                character = self.text[self.place]
                self.place += 1
            characters.append(character)
        raise self.fault('a closing "')

    def separated(self, one: Callable[[], Item]) -> list[Item]:
        items = [one()]
        while self.take(","):
            items.append(one())
        return items

    def name(self, stops: str = '.,()="{}:!') -> str:
        """A name in quotes or without; without, it ends before `->` too."""
        if self.starts('"'):
            return self.quoted()
        begin = self.place
        while self.place < len(self.text) and self.text[self.place] not in stops and not self.starts("->"):
            self.place += 1
        if begin == self.place:
            raise self.fault("a name")
        return self.text[begin : self.place]

    def operand(self) -> Operand:
        """`column`, `column->a->>0`, `column.sum()`, `count()`."""
        if self.take("count()"):
            return Operand("", aggregate="count")
        column = self.name()
        path, as_text = self.path()
        return Operand(column, path, as_text, self.aggregate())

    def path(self) -> tuple[tuple[str | int, ...], bool]:
        keys: list[str | int] = []
        as_text = True
        while self.starts("->"):
            as_text = self.take("->>")
            if not as_text:
                self.expect("->")
            is_quoted = self.starts('"')
            key = self.name()
            keys.append(int(key) if key.isascii() and key.isdigit() and not is_quoted else key)
            if as_text:
                break
        return tuple(keys), as_text

    def aggregate(self) -> Aggregate:
        for name in AGGREGATES:
            if self.take(f".{name}()"):
                return cast("Aggregate", name)
        return ""

    def part(self, depth: int) -> Filter:
        """One part of a group: a group of its own, or `operand.operator.value`."""
        is_negated = self.starts("not.and(") or self.starts("not.or(")
        if is_negated:
            self.expect("not.")
        for word in ("and", "or"):
            if self.starts(f"{word}("):
                self.expect(word)
                group = self.group(word, depth + 1)
                return Negation(group) if is_negated else group
        operand = self.operand()
        self.expect(".")
        return self.comparison(operand, is_whole=False)

    def group(self, word: str, depth: int) -> Filter:
        if depth > MOST_NESTED:
            raise too_deep()
        self.expect("(")
        parts = tuple(self.separated(lambda: self.part(depth)))
        self.expect(")")
        if len(parts) == 1:
            return parts[0]
        return Either(parts) if word == "or" else Every(parts)

    def comparison(self, operand: Operand, *, is_whole: bool) -> Filter:
        """`not.operator(modifier).value`; `is_whole` says that the value goes to the end of the text."""
        is_negated = self.take("not.")
        operator = self.until(".(")
        if operator not in _OPERATORS:
            raise bad_filter(f"there is no operator {operator[:50]}", f"use one of {', '.join(sorted(_OPERATORS))}")
        modifier = self._modifier()
        self.expect(".")
        made = self._condition(operand, cast("Operator", operator), modifier, is_whole=is_whole)
        return Negation(made) if is_negated else made

    def _modifier(self) -> str:
        if not self.take("("):
            return ""
        modifier = self.until(")")
        self.expect(")")
        return modifier

    def _condition(self, operand: Operand, operator: Operator, modifier: str, *, is_whole: bool) -> Condition:
        if modifier in ("any", "all") and operator in _QUANTIFIED:
            members = tuple(self._pattern(operator, member) for member in self._list("{", is_whole=is_whole))
            return Condition(operand, operator, members, quantifier="any" if modifier == "any" else "all")
        if modifier and operator not in _SEARCHES:
            raise bad_filter(f"{operator} takes no ({modifier[:50]})", "any and all stand with eq, gt, like and so on")
        if operator == "in":
            claim = self._claim()
            return Condition(operand, operator, claim or tuple(self._list("(", is_whole=is_whole)))
        if operator == "is":
            return Condition(operand, operator, checked_is(self.until(",)") if not is_whole else self._rest()))
        value = self._claim() or self._value(operator, is_whole=is_whole)
        return Condition(operand, operator, self._pattern(operator, value), setting=modifier)

    def _claim(self) -> ClaimRef | None:
        if not (self._with_claims and self.take("${claims.")):
            return None
        name = self.until("}")
        self.expect("}")
        if not name:
            raise self.fault("the name of a claim")
        return ClaimRef(name)

    @staticmethod
    def _pattern(operator: Operator, value: Scalar) -> Scalar:
        return value.replace("*", "%") if operator in _PATTERNS and isinstance(value, str) else value

    def _list(self, opening: str, *, is_whole: bool) -> list[Scalar]:
        """`(1,2)` or `{a,"b,c"}`. An empty one is a list of nothing."""
        self.expect(opening)
        closing = _CLOSING[opening]
        if self.take(closing):
            return []

        def member() -> Scalar:
            return self._claim() or (self.quoted() if self.starts('"') else self.until("," + closing))

        members = self.separated(member)
        self.expect(closing)
        if is_whole:
            self.finish()
        return members

    def _value(self, operator: Operator, *, is_whole: bool) -> str:
        if is_whole:
            return self._whole()
        if self.starts('"'):
            return self.quoted()
        return self._balanced() if operator in _BALANCED else self.until(",)")

    def _whole(self) -> str:
        """The rest as it stands; or, if all of it is in quotes, what they hold."""
        begin = self.place
        if self.starts('"'):
            try:
                text = self.quoted()
            except Invalid:  # a lone quotation mark is part of the value
                self.place = begin
                return self._rest()
            if self.place == len(self.text):
                return text
            self.place = begin
        return self._rest()

    def _rest(self) -> str:
        rest = self.text[self.place :]
        self.place = len(self.text)
        return rest

    def _balanced(self) -> str:
        """A literal in brackets, `{a,b}`, `["a"]` or `{"a":1}`, to where it closes."""
        if self.text[self.place : self.place + 1] not in ("{", "["):
            return self.until(",)")
        begin, open_brackets = self.place, 0
        while self.place < len(self.text):
            character = self.text[self.place]
            if character == '"':
                self.quoted()
                continue
            self.place += 1
            open_brackets += (character in "{[") - (character in "}]")
            if open_brackets == 0:
                return self.text[begin : self.place]
        raise self.fault("a closing bracket")
