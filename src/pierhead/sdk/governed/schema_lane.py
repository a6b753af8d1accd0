"""What there is for a caller: the tables of their role and the columns of one. Shows the role's view only.

Not here: rows beyond a few samples, which come through the SQL lane like any statement.
"""

from collections.abc import Sequence

from pierhead.sdk import Caller
from pierhead.sdk.governed.answers import DescribedColumn, DescribedRelation, ListedTable, TableDescription, TableList
from pierhead.sdk.governed.catalog import StoredColumn
from pierhead.sdk.governed.notes import note_acting
from pierhead.sdk.governed.relations import Relation, Relations
from pierhead.sdk.governed.rights import columns_written, operations
from pierhead.sdk.governed.source import Acting, Ground, Source
from pierhead.sdk.governed.sql_lane import SqlLane
from pierhead.sdk.sqlguard import PermittedTable


class SchemaLane:
    """Plain functions of a caller; server.py makes tools of them."""

    def __init__(self, source: Source, sql: SqlLane) -> None:
        self._source = source
        self._sql = sql

    async def list_tables(self, caller: Caller, *, query: str, limit: int, cursor: str) -> TableList:
        async with self._source.turn(caller) as turn:
            ground, acting = turn.ground, turn.acting
            note_acting("schema", ground, acting)
        tables = {acting.view.display_name(table): table for table in acting.view.tables}
        found = [name for name in sorted(tables) if name > cursor and _mentions(ground, tables[name], query)]
        page = [_listed(ground, acting, name, tables[name]) for name in found[:limit]]
        return TableList(tables=page, next_cursor=page[-1].name if len(found) > limit else None)

    async def describe_table(
        self, caller: Caller, *, table: str, columns_like: str, sample_rows: int
    ) -> TableDescription:
        async with self._source.turn(caller) as turn:
            acting = turn.acting
            note_acting("schema", turn.ground, acting)
            permitted = acting.selecting.table(table)
            stored = turn.ground.stored(permitted)
            names = {column.name for column in permitted.columns if columns_like.lower() in column.name.lower()}
            written = columns_written(turn.ground, acting, permitted)
            masks = frozenset(column.name for column in permitted.columns if column.expression is not None)
            columns = [_described(column, written, masks) for column in stored.columns if column.name in names]
            relations = [_related(acting, each) for each in Relations(turn.ground, acting).of(permitted)]
            plain = [column.name for column in columns if column.name not in _hashed(permitted)]
            sample = await self._sql.sample(turn, caller, permitted, plain, sample_rows)
        return TableDescription(
            name=acting.view.display_name(permitted),
            kind=stored.kind,
            comment=stored.comment,
            columns=columns,
            relations=relations,
            sample=[_placed(columns, plain, row) for row in sample],
        )


def _related(acting: Acting, relation: Relation) -> DescribedRelation:
    return DescribedRelation(
        table=acting.view.display_name(relation.target),
        hint=relation.key,
        columns=[own for own, _ in relation.pairs],
        many=relation.is_many,
    )


def _hashed(table: PermittedTable) -> frozenset[str]:
    return frozenset(column.name for column in table.columns if column.is_hashed)


def _placed(columns: Sequence[DescribedColumn], plain: Sequence[str], row: Sequence[object]) -> list[object]:
    """A sampled row in the order of the columns; a hashed one is not sampled."""
    cells = dict(zip(plain, row, strict=True))
    return [cells.get(column.name) for column in columns]


def _described(column: StoredColumn, written: frozenset[str], masks: frozenset[str]) -> DescribedColumn:
    return DescribedColumn(
        name=column.name,
        type=column.type,
        nullable=column.is_nullable,
        key=column.is_key,
        comment=column.comment,
        masked=column.name in masks,
        writable=column.name in written,
    )


def _mentions(ground: Ground, table: PermittedTable, query: str) -> bool:
    words = (table.name, ground.stored(table).comment, *(column.name for column in table.columns))
    return any(query.lower() in word.lower() for word in words)


def _listed(ground: Ground, acting: Acting, name: str, table: PermittedTable) -> ListedTable:
    """How many rows there are is not told where a rule hides some of them."""
    stored = ground.stored(table)
    return ListedTable(
        name=name,
        kind=stored.kind,
        comment=stored.comment,
        rows_estimate=stored.rows_estimate if table.condition is None else None,
        operations=list(operations(ground, acting, table)),
    )
