"""Writes on an engine whose changes give back no rows (MariaDB, MySQL): by key, and read again.

    rows are found and locked -> changed by their keys -> read back by their keys, in the same transaction

What comes of it is what RETURNING gives elsewhere, or nothing is written. Upserts look for the row first, so that a
conflict with another key than the named one is a conflict, not a change of another row. Not here: what is counted,
held to the role's rows and told (write_work.py).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Final

from sqlglot import exp

from pierhead.sdk import Conflict, Invalid, note
from pierhead.sdk.governed.engine import Rows, Values
from pierhead.sdk.governed.notes import digest
from pierhead.sdk.governed.rights import Writable
from pierhead.sdk.sqlguard import GovernedWrite
from pierhead.servers.sql.write_sql import (
    OnKey,
    cells,
    delete_statement,
    insert_statement,
    is_mute,
    keys_condition,
    keys_values,
    locked_query,
    stored_cell,
    update_statement,
    written_query,
)
from pierhead.servers.sql.write_work import CELLS_A_STATEMENT, ROWS_A_STATEMENT, Work, held_by_others
from pierhead.servers.sql.writes import Row

Key = tuple[object, ...]

_PLAIN: Final = OnKey("error")
_NOTHING_FOUND: Final = Rows((), ())


@dataclass(slots=True)
class KeyedWork(Work):
    """As Work; `_targets` are the locked rows that the change under way is about."""

    _targets: Rows = field(default=_NOTHING_FOUND)

    async def insert(self, columns: tuple[str, ...], rows: Sequence[Row], on_key: OnKey) -> None:
        if on_key.action == "error":
            self.created += await self._insert(columns, rows)
            return
        for row in rows:
            if not await self._is_settled(row, on_key):
                count = await self._insert(columns, [row])
                self.created += count if on_key.action == "ignore" else 0

    async def _is_settled(self, row: Row, on_key: OnKey) -> bool:
        """Whether a row of the key is there, left as it is or changed. Errors: Conflict, where it is not theirs."""
        for key in [on_key.keys] if on_key.keys else [self.table.key, *self.table.stored.unique]:
            if any(row.get(name) is None for name in key):
                continue  # a new number, or null, which is like no other
            cells_ = tuple(stored_cell(self.table, name, row[name]) for name in key)
            found = await self._locked(keys_condition(key, 1), keys_values([cells_]), 1, is_within=False)
            if found.rows:
                if on_key.action == "merge":
                    await self._merge(row, key, found)
                return True
        return False

    async def _merge(self, row: Row, key: Sequence[str], found: Rows) -> None:
        if not found.rows[0][-1]:
            raise held_by_others()
        self._targets = found
        await self._change_targets(tuple(name for name in row if name not in key) or tuple(key), row)

    async def _insert(self, columns: tuple[str, ...], rows: Sequence[Row]) -> int:
        """Rows that hold their keys go many at once; each other alone, to learn its number."""
        most = max(1, min(ROWS_A_STATEMENT, CELLS_A_STATEMENT // len(columns)))
        count = 0
        for is_known, alike in groupby(rows, key=self._holds_key):
            pending = list(alike)
            step = most if is_known else 1
            for start in range(0, len(pending), step):
                part = pending[start : start + step]
                statement = insert_statement(self.table, columns, len(part), _PLAIN)
                number = await self._say(statement, cells(self.table, columns, part))
                count += await self._read_back([self._key_of(row, number) for row in part])
        return count

    def _holds_key(self, row: Row) -> bool:
        return all(row.get(name) is not None for name in self.table.key)

    def _key_of(self, row: Row, number: object) -> Key:
        """Errors: Invalid (`key-needed`), for a key that neither the caller nor a counter gave."""
        numbered = {column.name for column in self.table.stored.columns if column.is_numbered}
        key: list[object] = []
        for name in self.table.key:
            if row.get(name) is not None:
                key.append(stored_cell(self.table, name, row[name]))
            elif name in numbered:
                key.append(number)
            else:
                raise Invalid(
                    "a row lacks its key, and its engine does not tell which one it was given; nothing was changed",
                    hint=f"the key is {', '.join(self._shown_key) or 'not among your columns'}",
                    code="key-needed",
                )
        return tuple(key)

    async def _compare(self, where: exp.Expr, found: Values) -> bool:
        most = 2 if self.options.if_match else self.options.max_affected + 1 - len(self.rows)
        self._targets = await self._locked(where, found, most)
        self._hold(self._targets.rows)
        return bool(self._targets.rows)

    async def _change(self, columns: tuple[str, ...], row: Row, where: exp.Expr, found: Values) -> None:
        del where, found  # the rows they find are locked
        await self._change_targets(columns, row)

    async def _change_targets(self, columns: tuple[str, ...], row: Row) -> None:
        changed = {name: stored_cell(self.table, name, row[name]) for name in self.table.key if name in columns}
        values = cells(self.table, columns, [row])
        for keys in self._keys_of_targets():
            where = keys_condition(self.table.key, len(keys))
            await self._say(update_statement(self.table, columns, where), {**values, **keys_values(keys)})
            named = [dict(zip(self.table.key, key, strict=True)) | changed for key in keys]
            await self._read_back([tuple(key.values()) for key in named])

    async def _remove(self, where: exp.Expr, found: Values) -> None:
        del where, found
        for keys in self._keys_of_targets():
            by_key = keys_condition(self.table.key, len(keys))
            await self._say(delete_statement(self.table, by_key), keys_values(keys))
        await self._keep(self._targets)

    def _keys_of_targets(self) -> list[list[Key]]:
        keys = [self._key_in(row) for row in self._targets.rows]
        return [keys[start : start + ROWS_A_STATEMENT] for start in range(0, len(keys), ROWS_A_STATEMENT)]

    def _key_in(self, row: Sequence[object]) -> Key:
        """Of a row as `locked_query` gives it: the columns seen, the key, whether it is the role's."""
        return tuple(row[len(self.table.seen.columns) : -1])

    async def _read_back(self, keys: Sequence[Key]) -> int:
        """In the order of writing. Errors: Conflict, where a trigger gave other keys: then nobody knows the rows."""
        where = keys_condition(self.table.key, len(keys))
        query = written_query(self.table, where, len(keys) + 1)
        found = await self.transaction.execute(query, {**self.claims, **keys_values(keys)})
        if len(found.rows) != len(keys):
            raise _not_found_again()
        places = {_told(key): place for place, key in enumerate(keys)}
        in_order = sorted(found.rows, key=lambda row: places.get(_told(self._key_in(row)), len(places)))
        return await self._keep(replace(found, rows=in_order))

    async def _locked(self, where: exp.Expr, found: Values, most: int, *, is_within: bool = True) -> Rows:
        query = locked_query(self.table, where, most, is_within=is_within)
        return await self.transaction.execute(query, {**self.claims, **found})

    async def _say(self, statement: GovernedWrite, values: Values) -> object:
        """Carry it out; gives the number that AUTO_INCREMENT gave, if it did."""
        note(executed=digest(statement.sql), columns=sorted(statement.inserts | statement.updates))
        answer = await self.transaction.execute(statement, {**self.claims, **values})
        return answer.rows[0][-1]


def check_key(table: Writable) -> None:
    """Errors: Invalid (`no-key`), for a table whose rows could not be told apart."""
    if is_mute(table) and not table.key:
        raise Invalid(
            f"{table.name} has no primary key", hint="on this engine only tables with one are written", code="no-key"
        )


def _told(key: Key) -> tuple[str, ...]:
    return tuple(map(str, key))


def _not_found_again() -> Conflict:
    return Conflict(
        "the database did not keep the keys that were written; nothing was changed",
        hint="look for a trigger on the table, or write each key as it is stored",
        code="write-conflict",
    )
