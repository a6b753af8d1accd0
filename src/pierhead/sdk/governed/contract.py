"""The locked schema of a source, and how the one there is differs from it: additive or breaking.

What was added stays hidden until somebody accepts it; in `strict`, a table that broke is withheld. A pure function of
two schemas but for reading the file. Not here: who may read what (policy.py), the commands (`apps/cli/contract`).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from pierhead.sdk import Misconfigured
from pierhead.sdk.database import Change
from pierhead.sdk.governed.catalog import Catalog, StoredColumn, StoredTable

Place = tuple[str, str]

_NOTHING: Final = frozenset[Place]()


class Mode(StrEnum):
    """What follows from a difference: nothing, a header, or a header and a table withheld."""

    OFF = "off"
    WARN = "warn"
    STRICT = "strict"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class LockedColumn(_Strict):
    name: str
    type: str
    nullable: bool
    key: bool


class LockedTable(_Strict):
    schema_: str
    name: str
    kind: Literal["table", "view"]
    columns: list[LockedColumn]

    @property
    def place(self) -> Place:
        return self.schema_, self.name


class Contract(_Strict):
    """A schema as somebody accepted it. `mode` says what follows from a difference."""

    mode: Mode
    tables: list[LockedTable]

    @classmethod
    def read(cls, file: Path) -> "Contract | None":
        """None where there is no file. Errors: Misconfigured (`bad-contract`)."""
        try:
            return cls.model_validate_json(file.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValidationError):
            hint = "lock the schema anew: pierhead contract lock --db URL"
            raise Misconfigured(f"contract {file} cannot be read", hint=hint, code="bad-contract") from None

    @classmethod
    def of(cls, catalog: Catalog, mode: Mode) -> "Contract":
        return cls(mode=mode, tables=[_locked(table) for table in catalog.tables])

    def write(self, file: Path) -> None:
        """Whole or not at all. Errors: Misconfigured."""
        unfinished = file.with_name(f".{file.name}.new")
        try:
            file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            unfinished.write_text(self.model_dump_json(indent=1) + "\n", "utf-8")
            unfinished.rename(file)
        except OSError as failed:
            message = f"cannot write contract {file}: {failed.strerror}"
            raise Misconfigured(message, hint="name another: --contract FILE", code="bad-contract") from None


@dataclass(frozen=True, slots=True)
class Held:
    """A schema under its contract: what is offered of it, what changed, and which tables are withheld."""

    catalog: Catalog
    changes: tuple[tuple[StoredTable, Change], ...] = ()
    withheld: frozenset[Place] = _NOTHING

    def drift(self, concerns: Callable[[StoredTable], bool]) -> str:
        """`breaking`, `additive` or nothing: the gravest of the changes of tables that concern somebody."""
        kinds = {change.kind for table, change in self.changes if concerns(table)}
        return next((kind for kind in ("breaking", "additive") if kind in kinds), "")


def held(contract: Contract | None, catalog: Catalog) -> Held:
    """What a source offers of its schema, under its contract."""
    if contract is None or contract.mode is Mode.OFF:
        return Held(catalog)
    changes = tuple(_placed(contract, catalog))
    broken = frozenset((table.schema, table.name) for table, change in changes if change.kind == "breaking")
    withheld = broken if contract.mode is Mode.STRICT else _NOTHING
    locked = {table.place: table for table in contract.tables}
    kept = [
        _known(table, locked[table.schema, table.name])
        for table in catalog.tables
        if (table.schema, table.name) in locked and (table.schema, table.name) not in withheld
    ]
    return Held(replace(catalog, tables=tuple(kept)), changes, withheld)


def differences(contract: Contract, catalog: Catalog) -> tuple[Change, ...]:
    """How the schema differs from the locked one, table by table."""
    return tuple(change for _, change in _placed(contract, catalog))


def _placed(contract: Contract, catalog: Catalog) -> Iterator[tuple[StoredTable, Change]]:
    """Each change with its table; one that is gone stands there without columns."""
    locked = {table.place: table for table in contract.tables}
    for place, table in locked.items():
        stored = catalog.by_name.get(place)
        if stored is None:
            gone = StoredTable(table.schema_, table.name, table.kind, ())
            yield gone, Change("breaking", catalog.display_name(gone), f"{table.kind} is gone")
        else:
            yield from ((stored, change) for change in _changes(catalog.display_name(stored), table, stored))
    for stored in catalog.tables:
        if (stored.schema, stored.name) not in locked:
            yield stored, Change("additive", catalog.display_name(stored), f"{stored.kind} is new")


def _changes(name: str, table: LockedTable, stored: StoredTable) -> Iterator[Change]:
    if table.kind != stored.kind:
        yield Change("breaking", name, f"a {table.kind} became a {stored.kind}")
    before = {column.name: column for column in table.columns}
    now = {column.name: column for column in stored.columns}
    for column, was in before.items():
        if column in now:
            yield from _column_changes(name, was, now[column])
        else:
            yield Change("breaking", name, f"column {column} is gone")
    for column in now.values():
        if column.name not in before:
            yield _added(name, column)


def _column_changes(name: str, was: LockedColumn, now: StoredColumn) -> Iterator[Change]:
    if was.type != now.type:
        yield Change("breaking", name, f"column {was.name} was {was.type}, is {now.type}")
    if was.nullable != now.is_nullable:
        said = "may be null now" if now.is_nullable else "may no longer be null"
        yield Change("breaking", name, f"column {was.name} {said}")
    if was.key != now.is_key:
        said = "is part of the key now" if now.is_key else "is no longer part of the key"
        yield Change("breaking", name, f"column {was.name} {said}")


def _added(name: str, column: StoredColumn) -> Change:
    """Hidden until accepted, so it breaks nobody but those who insert without it."""
    is_needed = not (column.is_nullable or column.has_default or column.is_generated)
    said = f"column {column.name} is new" + (", and every new row needs it" if is_needed else "")
    return Change("breaking" if is_needed else "additive", name, said)


def _known(table: StoredTable, locked: LockedTable) -> StoredTable:
    """The table without what was added; a key or reference over something hidden is hidden with it."""
    names = {column.name for column in locked.columns}
    if all(column.name in names for column in table.columns):
        return table
    return replace(
        table,
        columns=tuple(column for column in table.columns if column.name in names),
        unique=tuple(key for key in table.unique if names.issuperset(key)),
        foreign_keys=tuple(key for key in table.foreign_keys if names.issuperset(key.columns)),
    )


def _locked(table: StoredTable) -> LockedTable:
    columns = [
        LockedColumn(name=column.name, type=column.type, nullable=column.is_nullable, key=column.is_key)
        for column in table.columns
    ]
    return LockedTable(schema_=table.schema, name=table.name, kind=table.kind, columns=columns)
