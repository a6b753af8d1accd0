"""How tables of one role's view are related: by foreign keys of which the role may read every column.

A relation that leads through a hidden or masked column, or to a hidden table, is not there. Not here: SQL
(embed_sql.py). Below: catalog.py, which holds the keys as the engine reports them.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from pierhead.sdk import Invalid
from pierhead.sdk.governed.catalog import ForeignKey, StoredTable
from pierhead.sdk.governed.reads import Embed
from pierhead.sdk.governed.source import Acting, Ground
from pierhead.sdk.sqlguard import PermittedTable

Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Junction:
    """The table between two that are many to many: `pairs` lead from its columns to the target's."""

    table: PermittedTable
    key: str
    pairs: Pairs


@dataclass(frozen=True, slots=True)
class Relation:
    """`pairs` lead from the table's own columns to the target's, or to the junction's where there is one."""

    key: str
    target: PermittedTable
    pairs: Pairs
    is_many: bool
    junction: Junction | None = None
    is_outward: bool = False  # the foreign key is the table's own


class Relations:
    """Of one role; made when a statement is written, not when it runs."""

    def __init__(self, ground: Ground, acting: Acting) -> None:
        self._ground = ground
        self._view = acting.view
        self._permitted = {(table.schema, table.name): table for table in acting.view.tables}

    def named(self, table: PermittedTable, embed: Embed) -> Relation:
        """The one relation of `table` that `embed` means. Errors: Invalid (`unknown-relation`)."""
        relations = list(self.of(table))
        found = [each for each in relations if self._is_meant(each, embed)]
        direct = [each for each in found if each.junction is None] or found
        if len(direct) > 1:  # of a table to itself, a column's name means outward, the table's name inward
            direct = [each for each in direct if each.is_outward is (embed.relation in _names(each))] or direct
        if len(direct) == 1:
            return direct[0]
        name = self._view.display_name(table)
        if direct:
            hints = ", ".join(sorted(f"{embed.relation}!{each.key}" for each in direct))
            raise _unknown(f"{name} and {embed.relation[:128]} are related in several ways", f"say which: {hints}")
        offered = sorted({self._view.display_name(each.target) for each in relations})
        hint = (
            f"{name} is related to {', '.join(offered)}" if offered else f"{name} is related to no table you may read"
        )
        raise _unknown(f"{name} is not related to {embed.relation[:128]}", hint)

    def of(self, table: PermittedTable) -> Iterator[Relation]:
        """Every relation: outward, inward, and through a junction."""
        for key in self._keys(table):
            target = self._permitted[key.target_schema, key.target]
            yield Relation(key.name, target, _pairs(key), is_many=False, is_outward=True)
        place = (table.schema, table.name)
        for other in self._view.tables:
            inward = [key for key in self._keys(other) if (key.target_schema, key.target) == place]
            for key in inward:
                is_many = not _is_unique(self._ground.stored(other), key.columns)
                yield Relation(key.name, other, _turned(_pairs(key)), is_many=is_many)
                yield from self._through(other, key)

    def _through(self, junction: PermittedTable, key: ForeignKey) -> Iterator[Relation]:
        """A junction's primary key holds both of its foreign keys."""
        primary = set(self._ground.stored(junction).primary_key)
        for onward in self._keys(junction):
            if onward.name != key.name and primary.issuperset({*key.columns, *onward.columns}):
                target = self._permitted[onward.target_schema, onward.target]
                through = Junction(junction, onward.name, _pairs(onward))
                yield Relation(key.name, target, _turned(_pairs(key)), is_many=True, junction=through)

    def _keys(self, table: PermittedTable) -> Iterator[ForeignKey]:
        """Foreign keys that the role sees whole: own columns, target, and the target's columns."""
        for key in self._ground.stored(table).foreign_keys:
            target = self._permitted.get((key.target_schema, key.target))
            if target is not None and _sees(table, key.columns) and _sees(target, key.target_columns):
                yield key

    def _is_meant(self, relation: Relation, embed: Embed) -> bool:
        names = {self._view.display_name(relation.target), *_names(relation)}
        if embed.relation not in names:
            return False
        hints = {relation.key, *(own for own, _ in relation.pairs), *(other for _, other in relation.pairs)}
        if relation.junction is not None:
            hints |= {self._view.display_name(relation.junction.table), relation.junction.key}
        return not embed.hint or embed.hint in hints | names


def _names(relation: Relation) -> set[str]:
    """What a relation is called besides its target: its key and, where the key is one column, that column."""
    if relation.junction is not None:
        return set()
    own = {relation.pairs[0][0]} if relation.is_outward and len(relation.pairs) == 1 else set[str]()
    return {relation.key, *own}


def _unknown(message: str, hint: str) -> Invalid:
    return Invalid(message, hint=hint, code="unknown-relation")


def _pairs(key: ForeignKey) -> Pairs:
    return tuple(zip(key.columns, key.target_columns, strict=True))


def _turned(pairs: Pairs) -> Pairs:
    return tuple((there, here) for here, there in pairs)


def _is_unique(stored: StoredTable, columns: Iterable[str]) -> bool:
    covered = set(columns)
    return any(key and covered.issuperset(key) for key in (stored.primary_key, *stored.unique))


def _sees(table: PermittedTable, columns: Iterable[str]) -> bool:
    readable = {column.name for column in table.columns if column.expression is None}
    return readable.issuperset(columns)
