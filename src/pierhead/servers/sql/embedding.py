"""Related rows by statements of their own, one for each level: for engines that build no JSON in one statement.

    rows = await embedded(written, rows, ask)

The rows of a page are asked for their related ones by key, and these are put in their places as JSON text, so that an
answer reads the same whatever the engine. Above: read_lane.py, whose `ask` writes, keeps and runs each statement.
"""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Final, TypeAlias

import orjson
from sqlglot import exp

from pierhead.sdk import Invalid
from pierhead.sdk.governed.cells import exact
from pierhead.sdk.governed.engine import Field
from pierhead.sdk.governed.filter_sql import joined
from pierhead.sdk.governed.reads import Embed, ReadRequest
from pierhead.sdk.governed.relations import Relation
from pierhead.sdk.governed.source import Acting, Ground
from pierhead.sdk.sqlguard import slot
from pierhead.servers.sql.levels import ordered
from pierhead.servers.sql.read_sql import (
    MOST_RELATED,
    Follow,
    Writer,
    Written,
    bound,
    fields_of,
    follows_of,
    hashed_of,
    results_of,
)

MOST_FETCHED: Final = 10_000
_MOST_KEYS: Final = 500

Key: TypeAlias = tuple[object, ...]
RowsOf: TypeAlias = Sequence[Sequence[object]]
Ask: TypeAlias = Callable[[Embed, Relation, Sequence[Key]], Awaitable[tuple[Written, RowsOf]]]


def written_related(request: ReadRequest, ground: Ground, acting: Acting, *, relation: Relation, keys: int) -> Written:
    """The rows of `relation` for `keys` rows at once, whose link values fill the slots of `link_values`."""
    writer = Writer(ground, acting)
    inner = writer.level(relation.target, request.selection)
    inner.check_outputs()
    between = f"{inner.alias}_between" if relation.junction else inner.alias
    links = [exp.column(_name(there), table=_name(between)) for _, there in relation.pairs]
    tree = writer.select(inner, results_of(inner, links))
    if relation.junction is not None:
        tree.append("joins", writer.junction(relation.junction, between, inner.alias))
    where = tree.args.get("where")
    conditions = [_one_of(links, keys), *([where.this] if where else [])]
    tree.set("where", exp.Where(this=joined(exp.And, conditions)))
    if inner.is_grouped:  # in groups for each key
        tree.set("group", exp.Group(expressions=[*inner.groups, *(link.copy() for link in links)]))
    bound(tree, ordered(inner.sortings(is_total=relation.is_many)), MOST_FETCHED + 1, 0)
    query = writer.finished(tree, MOST_FETCHED + 1)
    follows = follows_of(inner, len(links))
    return Written(
        query, tuple(writer.blanks), (), fields_of(inner), (), inner.table, follows, hashed_of(inner), links=len(links)
    )


def _one_of(links: Sequence[exp.Expr], keys: int) -> exp.Expr:
    if len(links) == 1:
        members = [slot(f"link{place}_0") for place in range(keys)]
        return exp.Paren(this=exp.In(this=links[0].copy(), expressions=members))
    ways = [
        joined(
            exp.And,
            [
                exp.Paren(this=exp.EQ(this=link.copy(), expression=slot(f"link{place}_{part}")))
                for part, link in enumerate(links)
            ],
        )
        for place in range(keys)
    ]
    return joined(exp.Or, ways)


def padded(count: int) -> int:
    """How many keys a statement has room for: a power of two, so that few statements serve every page."""
    return 1 << max(count - 1, 0).bit_length()


def link_values(keys: Sequence[Key]) -> Mapping[str, object]:
    """What fills the slots; the last key fills what is left over."""
    whole = [*keys, *[keys[-1]] * (padded(len(keys)) - len(keys))]
    return {f"link{place}_{part}": value for place, key in enumerate(whole) for part, value in enumerate(key)}


async def embedded(written: Written, rows: RowsOf, ask: Ask) -> RowsOf:
    """The rows with what follows them after their own columns. Errors: as `ask`; Invalid (`too-large`)."""
    if not written.followed:
        return rows
    columns = [await _cells(follow, rows, ask) for follow in written.followed]
    own = len(written.fields) - len(written.followed)
    return [(*row[:own], *cells, *row[own:]) for row, cells in zip(rows, zip(*columns, strict=True), strict=True)]


async def _cells(follow: Follow, rows: RowsOf, ask: Ask) -> list[str | None]:
    """One JSON text for each row: a list, or for a relation to one, its object or null."""
    keys = [tuple(row[place] for place in follow.places) for row in rows]
    wanted = list({_same(key): key for key in keys if None not in key}.values())
    found: dict[str, list[object]] = defaultdict(list)
    for begin in range(0, len(wanted), _MOST_KEYS):
        written, answered = await ask(follow.embed, follow.relation, wanted[begin : begin + _MOST_KEYS])
        if len(answered) > MOST_FETCHED:
            raise _too_many(follow.embed)
        width = len(written.fields)
        for row in await embedded(written, answered, ask):
            found[_same(row[width : width + written.links])].append(dict(_members(written.fields, row)))
    selection = follow.embed.selection
    most = MOST_RELATED if selection.limit is None else min(selection.limit, MOST_RELATED)
    part = slice(selection.offset, selection.offset + most)
    if follow.relation.is_many:
        return [orjson.dumps(found.get(_same(key), [])[part]).decode() for key in keys]
    return [orjson.dumps(found[_same(key)][0]).decode() if _same(key) in found else None for key in keys]


def _same(key: Sequence[object]) -> str:
    """Keys compare as text: the two sides of a relation may come in different types of the driver."""
    return "\x1f".join(str(part) for part in key)


def _members(fields: Sequence[Field], row: Sequence[object]) -> Iterator[tuple[str, object]]:
    for field, cell in zip(fields, row, strict=False):
        yield field.name, _nested(cell) if field.is_json and isinstance(cell, str) else exact(cell)


def _nested(text: str) -> object:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:  # a column for JSON that holds other text
        return text


def _too_many(embed: Embed) -> Invalid:
    return Invalid(
        f"{embed.title[:128]} has more than {MOST_FETCHED} rows for the rows of this page",
        hint=f"filter it, as in {embed.title[:128]}.column=gt.1, or ask for smaller pages",
        code="too-large",
    )


def _name(text: str) -> exp.Identifier:
    return exp.to_identifier(text, quoted=True)
