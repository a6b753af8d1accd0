"""What is done inside the transaction of a write: rows compared, written, counted, and held to the role's rows.

Everything here may raise, and then nothing of it lasts. Not here: who may write (rights.py), what surrounds a
transaction (write_lane.py), SQL (write_sql.py).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from sqlglot import exp

from pierhead.sdk import Conflict, Forbidden, Invalid, NotFound, note
from pierhead.sdk.governed.approvals import WriteOperation
from pierhead.sdk.governed.engine import Field, Rows, Values
from pierhead.sdk.governed.notes import digest
from pierhead.sdk.governed.rights import Writable
from pierhead.sdk.governed.transactions import Transaction, not_on_this_engine
from pierhead.sdk.sqlguard import GovernedWrite
from pierhead.servers.sql import etags
from pierhead.servers.sql.whole_cells import whole
from pierhead.servers.sql.write_sql import (
    OnKey,
    cells,
    delete_statement,
    insert_statement,
    is_held_apart,
    key_condition,
    key_values,
    targets_query,
    update_statement,
)
from pierhead.servers.sql.writes import SAMPLED, KeyedRequest, Row, WriteOptions, Written

CELLS_A_STATEMENT: Final = 5_000
ROWS_A_STATEMENT: Final = 200


@dataclass(slots=True)
class Work:
    """One write under way. `claims` fill the role's row rule in every statement."""

    table: Writable
    operation: WriteOperation
    claims: Values
    options: WriteOptions
    transaction: Transaction
    rows: list[Sequence[object]] = field(default_factory=list[Sequence[object]])
    fields: Sequence[Field] = ()
    created: int = 0

    async def insert(self, columns: tuple[str, ...], rows: Sequence[Row], on_key: OnKey) -> None:
        """In statements of a size, so that a large body is no large statement."""
        step = max(1, min(ROWS_A_STATEMENT, CELLS_A_STATEMENT // len(columns)))
        statements: dict[int, GovernedWrite] = {}
        for start in range(0, len(rows), step):
            part = rows[start : start + step]
            if len(part) not in statements:
                statements[len(part)] = insert_statement(self.table, columns, len(part), on_key)
            count = await self._write(statements[len(part)], cells(self.table, columns, part))
            if on_key.action == "merge" and count < len(part):
                raise held_by_others()
            self.created += 0 if on_key.action == "merge" else count

    async def update(self, changes: Row, where: exp.Expr, found: Values) -> None:
        await self._compare(where, found)
        await self._change(tuple(changes), changes, where, found)

    async def update_keyed(self, request: KeyedRequest) -> None:
        where = key_condition(self.table)
        for row in request.rows:
            found = key_values(self.table, row)
            is_there = await self._compare(where, found)
            if is_there:
                columns = tuple(name for name in row if name not in self.table.key) or self.table.key
                await self._change(columns, row, where, found)
            elif request.insert_missing:
                await self.insert(tuple(row), [row], OnKey("error"))
            else:
                raise NotFound(
                    "there is no row of this key", hint="insert it, or ask for insert_missing", code="no-such-row"
                )

    async def delete(self, where: exp.Expr, found: Values) -> None:
        await self._compare(where, found)
        await self._remove(where, found)

    async def _change(self, columns: tuple[str, ...], row: Row, where: exp.Expr, found: Values) -> None:
        statement = update_statement(self.table, columns, where)
        await self._write(statement, {**found, **cells(self.table, columns, [row])})

    async def _remove(self, where: exp.Expr, found: Values) -> None:
        await self._write(delete_statement(self.table, where), found)

    async def _compare(self, where: exp.Expr, found: Values) -> bool:
        """Look before writing: how many rows it would be, and, for If-Match, that the row is still as it was read.

        Gives whether there is any. Errors: Conflict (`too-many-affected`), Invalid (`precondition-failed`).
        """
        is_compared = bool(self.options.if_match)
        most = 2 if is_compared else self.options.max_affected + 1 - len(self.rows)
        query = targets_query(self.table, where, most, is_compared=is_compared)
        targets = (await self.transaction.execute(query, {**self.claims, **found})).rows
        self._hold(targets)
        return bool(targets)

    def _hold(self, targets: Sequence[Sequence[object]]) -> None:
        """Errors: Conflict (`too-many-affected`), Invalid (`precondition-failed`)."""
        if self.options.if_match:
            self._hold_against_tag(targets)
        elif len(targets) + len(self.rows) > self.options.max_affected:
            raise _too_many(self.options.max_affected)

    def _hold_against_tag(self, targets: Sequence[Sequence[object]]) -> None:
        if len(targets) > 1:
            raise Invalid(
                "if_match compares one row, and the filter finds more", hint="filter on the key", code="bad-if-match"
            )
        names = [column.name for column in self.table.seen.columns]
        if not targets or not etags.matches(self.options.if_match, etags.etag(names, targets[0][: len(names)])):
            raise etags.changed()

    async def _write(self, statement: GovernedWrite, values: Values) -> int:
        note(executed=digest(statement.sql), columns=sorted(statement.inserts | statement.updates))
        return await self._keep(await self.transaction.execute(statement, {**self.claims, **values}))

    async def _keep(self, answer: Rows) -> int:
        """Count rows as written, and hold them to the role's. Errors: Forbidden, Conflict."""
        if any(not row[-1] for row in answer.rows) and self.operation != "delete":
            raise _outside_the_rule()
        if is_held_apart(self.table) and self.operation != "delete":
            await self._hold_to_the_rule(answer.rows)
        self.rows.extend(answer.rows)
        self.fields = answer.fields
        if self.operation != "create" and len(self.rows) > self.options.max_affected:
            raise _too_many(self.options.max_affected)
        return len(answer.rows)

    async def _hold_to_the_rule(self, rows: Sequence[Sequence[object]]) -> None:
        """Look for each written row among the role's rows, by its key. Errors: Forbidden; Invalid without a key."""
        if not self.table.key:
            raise not_on_this_engine()
        query = targets_query(self.table, key_condition(self.table), 1, is_compared=False)
        for row in rows:
            key = row[len(self.table.seen.columns) : -1]
            found = {f"k{place}": cell for place, cell in enumerate(key)}
            if not (await self.transaction.execute(query, {**self.claims, **found})).rows:
                raise _outside_the_rule()

    def written(self) -> Written:
        """What is told of it: only what the role may see."""
        seen = [column.name for column in self.table.seen.columns]
        shown = self.rows[:SAMPLED] if self.options.dry_run else self.rows
        has_rows = self.table.may_read and (self.options.returning or self.options.dry_run)
        one = self.rows[0][: len(seen)] if len(self.rows) == 1 and self.operation != "delete" else None
        return Written(
            affected=len(self.rows),
            created=self.created,
            key_columns=self._shown_key,
            keys=[[whole(cell) for cell in row[len(seen) : -1]] for row in shown] if self._shown_key else [],
            columns=self._columns(),
            rows=[[whole(cell) for cell in row[: len(seen)]] for row in shown] if has_rows else None,
            dry_run=self.options.dry_run,
            etag=etags.etag(seen, one) if one is not None and seen else "",
            state=etags.state(seen, self.rows) if self.options.planned is not None else "",
        )

    def _columns(self) -> list[tuple[str, str]]:
        """As the engine types them; SQLite types values, and then the declared type stands."""
        types = [each.type for each in self.fields] or [""] * len(self.table.seen.columns)
        return [
            (column.name, type_ or column.type) for column, type_ in zip(self.table.seen.columns, types, strict=False)
        ]

    @property
    def _shown_key(self) -> tuple[str, ...]:
        """The key, if the role sees all of it as it is."""
        return self.table.named_key


def filled(table: Writable, rows: Sequence[Mapping[str, object]], columns: Sequence[str]) -> None:
    """Hold values against their columns before anything begins. Errors: Invalid, naming the column."""
    for name in columns:
        table.column(name)
    cells(table, columns, rows)


def _too_many(most: int) -> Conflict:
    return Conflict(
        f"more than {most} rows would be affected; nothing was changed",
        hint="narrow the filter, or raise max_affected",
        code="too-many-affected",
    )


def _outside_the_rule() -> Forbidden:
    return Forbidden(
        "a written row is not among the rows your role may write; nothing was changed",
        hint="see which values your role is limited to",
        code="outside-row-rule",
    )


def held_by_others() -> Conflict:
    return Conflict(
        "a row with this key is there already, and is not yours to change; nothing was changed",
        hint="take another key",
        code="unique-violation",
    )
