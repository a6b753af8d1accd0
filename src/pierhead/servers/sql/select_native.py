"""The rest of the native grammar: select with aliases, casts, aggregates and related rows; order; pages.

    select=id,total:amount.sum(),tags->>k,name::text,lines!inner(qty,products(code)),...people(name)
    order=price.desc.nullslast,id        lines.order=qty.desc        lines.limit=5        lines.qty=gt.1

Not here: filters (grammar_native.py), what names mean (terms.py, relations.py).
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final, cast

from pierhead.sdk.governed.filters import AGGREGATES, Aggregate, Operand, bad_filter, every
from pierhead.sdk.governed.grammar_native import Reader, parse_filter, parse_having
from pierhead.sdk.governed.reads import MOST_EMBEDDED, Embed, Ordered, ReadRequest, Selected, Selection
from pierhead.servers.sql.grammar_faucet import parse_filter_text

MOST_OFFSET: Final = 10**9
_EVERY_COLUMN: Final = (Selected(Operand("*")),)
_DIRECTIONS: Final = frozenset({"asc", "desc"})
_NULLS: Final = {"nullsfirst": "first", "nullslast": "last"}

Pairs = Sequence[tuple[str, str]]


def parse_read(table: str, parameters: Iterable[tuple[str, str]]) -> ReadRequest:
    """The read that the pairs of a query string ask for. `count` comes by other ways.

    Errors: Invalid (`bad-filter`).
    """
    pairs = list(parameters)
    own = _settings(pairs, ("select", "having", "cursor"))
    columns, embeds = parse_select(own.get("select", "*"))
    selection = _filled(Selection(columns, embeds), pairs)
    having = own.get("having", "")
    return ReadRequest(table, selection, parse_having(having) if having else None, own.get("cursor", ""))


def parse_select(text: str) -> tuple[tuple[Selected, ...], tuple[Embed, ...]]:
    """Columns and related rows, in the order written. Errors: Invalid (`bad-filter`)."""
    if text in ("", "*"):
        return _EVERY_COLUMN, ()
    reader = _SelectReader(text)
    columns, embeds = reader.level(0)
    reader.finish()
    return columns, embeds


def parse_order(text: str) -> tuple[Ordered, ...]:
    """`price.desc.nullslast,id`; `price desc, id` is read, too. Errors: Invalid (`bad-filter`)."""
    if not text.strip():
        return ()
    reader = _SelectReader(text)
    order = reader.separated(reader.ordered)
    reader.finish()
    return tuple(order)


def parse_whole(name: str, text: str, most: int = MOST_OFFSET) -> int:
    """A number of rows. Errors: Invalid (`bad-filter`)."""
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(most)) and int(text) <= most):
        raise bad_filter(f"{name} takes a whole number up to {most}", f"as in {name}=50")
    return int(text)


def _settings(pairs: Pairs, names: Iterable[str]) -> dict[str, str]:
    """The pairs of these names. One given twice is a contradiction, not a choice."""
    found: dict[str, str] = {}
    wanted = frozenset(names)
    for name, value in pairs:
        if name in wanted:
            if name in found:
                raise bad_filter(f"{name} is given twice", "give it once")
            found[name] = value
    return found


def _filled(selection: Selection, pairs: Pairs) -> Selection:
    """The selection with the filter, order and page that `pairs` give it and, by their names, its embeds."""
    own, inner = _shared_out(selection, pairs)
    set_ = _settings(own, ("order", "limit", "offset", "filter"))
    text = set_.get("filter", "")
    return replace(
        selection,
        embeds=tuple(
            replace(embed, selection=_filled(embed.selection, mine))
            for embed, mine in zip(selection.embeds, inner, strict=True)
        ),
        filter=every(parse_filter(own), parse_filter_text(text) if text else None),
        order=parse_order(set_.get("order", "")),
        limit=parse_whole("limit", set_["limit"]) if "limit" in set_ else None,
        offset=parse_whole("offset", set_.get("offset", "0")),
    )


def _shared_out(selection: Selection, pairs: Pairs) -> tuple[Pairs, Sequence[Pairs]]:
    own: list[tuple[str, str]] = []
    inner: list[list[tuple[str, str]]] = [[] for _ in selection.embeds]
    for name, value in pairs:
        for embed, mine in zip(selection.embeds, inner, strict=True):
            if name.startswith(f"{embed.title}."):
                mine.append((name.removeprefix(f"{embed.title}."), value))
                break
        else:
            own.append((name, value))
    return own, inner


class _SelectReader(Reader):
    """Reads what select and order are made of; blanks around parts are nothing."""

    def blank(self) -> None:
        while self.starts(" "):
            self.place += 1

    def level(self, depth: int) -> tuple[tuple[Selected, ...], tuple[Embed, ...]]:
        if depth > MOST_EMBEDDED:
            raise bad_filter(
                f"related rows go {MOST_EMBEDDED} levels deep", "ask for the inner ones in another request"
            )
        self.blank()
        if self.starts(")"):
            return (), ()
        items = self.separated(lambda: self._item(depth))
        columns = tuple(item for item in items if isinstance(item, Selected))
        return columns, tuple(item for item in items if isinstance(item, Embed))

    def _item(self, depth: int) -> Selected | Embed:
        self.blank()
        is_spread = self.take("...")
        item = self._named(depth)
        self.blank()
        if not is_spread:
            return item
        if not isinstance(item, Embed) or item.name:
            raise bad_filter("... stands before related rows, as in ...people(name)")
        return replace(item, is_spread=True)

    def _named(self, depth: int) -> Selected | Embed:
        if self.take("*"):
            return Selected(Operand("*"))
        begin = self.place
        name = self._plain_name()
        if self.starts(":") and not self.starts("::"):
            self.expect(":")
            self.blank()
            return replace(self._meant(depth), name=name)
        self.place = begin
        return self._meant(depth)

    def _meant(self, depth: int) -> Selected | Embed:
        """A column, an aggregate (`total.sum()`, `sum(total)`, `count(*)`), or related rows."""
        begin, is_quoted = self.place, self.starts('"')
        name = self._plain_name()
        if name == "*":
            raise self.fault("a column")
        if not is_quoted and name in AGGREGATES and self.starts("("):
            return Selected(self._aggregated(cast("Aggregate", name)), cast=self._cast())
        while self.starts(".") and not self._is_aggregate():  # a table of another schema
            self.expect(".")
            name = f"{name}.{self._plain_name()}"
        if self.starts("!") or self.starts("("):
            return self._embed(name, depth)
        self.place = begin
        operand = self.operand()
        return Selected(replace(operand, column=operand.column.strip()), cast=self._cast())

    def _is_aggregate(self) -> bool:
        return any(self.starts(f".{name}()") for name in AGGREGATES)

    def _plain_name(self) -> str:
        return self.name() if self.starts('"') else self.name().strip()

    def _aggregated(self, aggregate: Aggregate) -> Operand:
        self.expect("(")
        self.blank()
        if aggregate == "count" and (self.take("*)") or self.take(")")):
            return Operand("", aggregate="count")
        column = self._plain_name()
        path, as_text = self.path()
        self.blank()
        self.expect(")")
        return Operand(column, path, as_text, aggregate)

    def _cast(self) -> str:
        self.blank()
        if not self.take("::"):
            return ""
        return self.until(",)").strip().lower()

    def _embed(self, relation: str, depth: int) -> Embed:
        hint, is_inner = "", False
        while self.take("!"):
            word = self._plain_name()
            if word == "inner":
                is_inner = True
            elif word != "left":
                hint = word
        self.expect("(")
        columns, embeds = self.level(depth + 1)
        self.expect(")")
        return Embed(relation, Selection(columns, embeds), hint=hint, is_inner=is_inner)

    def ordered(self) -> Ordered:
        self.blank()
        operand = self._order_operand()
        direction, nulls = "asc", ""
        while self.place < len(self.text) and not self.starts(","):
            if not self.take("."):
                self.blank()
            word = self.until("., ").lower()
            if word in _DIRECTIONS:
                direction = word
            elif word in _NULLS:
                nulls = _NULLS[word]
            elif word:
                raise bad_filter(f"order has no word {word[:50]}", "write column.desc.nullslast")
        return Ordered(operand, direction == "desc", "first" if nulls == "first" else "last" if nulls else "")

    def _order_operand(self) -> Operand:
        begin, is_quoted = self.place, self.starts('"')
        name = self.name('.,()="{}:! ')
        if not is_quoted and name in AGGREGATES and self.starts("("):
            return self._aggregated(cast("Aggregate", name))
        self.place = begin
        column = self.name('.,()="{}:! ')
        path, as_text = self.path()
        return Operand(column, path, as_text, self.aggregate())
