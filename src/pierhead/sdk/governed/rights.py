"""What a role may write: one table, its columns, under which conditions. Deny by default, as everywhere.

A column is writable if it stands in `columns.write`, or, where the role names none, if the role sees it as it is;
a column that does not exist for the role is never written.
Only tables are written, never views. Not here: what may be read (views.py), the write itself (write_lane.py).
"""

from collections.abc import Mapping
from dataclasses import dataclass

from pierhead.sdk import Forbidden, Invalid
from pierhead.sdk.governed.approvals import WriteOperation
from pierhead.sdk.governed.approvals import Written as WrittenApproval
from pierhead.sdk.governed.catalog import StoredColumn, StoredTable
from pierhead.sdk.governed.policy import TableRule
from pierhead.sdk.governed.source import Acting, Ground
from pierhead.sdk.governed.views import rule_for, written_table
from pierhead.sdk.sqlguard import PermittedTable, View


@dataclass(frozen=True, slots=True)
class Writable:
    """A table as one role may write it. `seen` holds no columns where the role may not read."""

    name: str
    view: View
    stored: StoredTable
    seen: PermittedTable
    rule: TableRule
    columns: Mapping[str, StoredColumn]
    approval: WrittenApproval

    @property
    def may_read(self) -> bool:
        return "read" in self.rule.operations

    @property
    def key(self) -> tuple[str, ...]:
        return self.stored.primary_key

    @property
    def named_key(self) -> tuple[str, ...]:
        """The key by which a caller may name rows: none unless the role reads all of it, unmasked."""
        return self.key if self.plain.issuperset(self.key) else ()

    @property
    def plain(self) -> frozenset[str]:
        """The columns that the role reads as they are."""
        return frozenset(column.name for column in self.seen.columns if column.expression is None)

    def allow(self, operation: WriteOperation) -> None:
        """Errors: Forbidden (`operation-not-granted`)."""
        if operation not in self.rule.operations:
            raise Forbidden(
                f"your role may not {operation} rows of {self.name}",
                hint=f"it may {', '.join(self.rule.operations)}",
                code="operation-not-granted",
            )

    def column(self, name: str) -> StoredColumn:
        """A column that may be written. Errors: Invalid, naming those that may."""
        found = self.columns.get(name)
        if found is not None:
            return found
        hint = f"you may write {', '.join(self.columns) or 'no column'}"[:1_000]
        if any(column.name == name for column in self.seen.columns):
            raise Invalid(f"column {name[:128]} may not be written", hint=hint, code="not-writable")
        raise Invalid(f"there is no column {name[:128]}", hint=hint, code="unknown-column")


def writable(ground: Ground, acting: Acting, name: str) -> Writable:
    """The table a caller names. Errors: Invalid (`unknown-table`), alike for a hidden one and one that is not there."""
    for stored in ground.catalog.tables:
        if ground.catalog.display_name(stored) == name and stored.kind == "table":
            rule = rule_for(acting.role, stored, ground.catalog)
            if rule is not None and rule.operations:
                return _writable(ground, acting, stored, rule)
    table = acting.table(name)  # a view, which is seen, or nothing at all
    raise Forbidden(
        f"{acting.view.display_name(table)} is a view, which is not written",
        hint="write its tables, if you may",
        code="operation-not-granted",
    )


def _writable(ground: Ground, acting: Acting, stored: StoredTable, rule: TableRule) -> Writable:
    seen = next(
        (table for table in acting.view.tables if (table.schema, table.name) == (stored.schema, stored.name)), None
    )
    if seen is None:
        seen = written_table(stored, acting.rules.get((stored.schema, stored.name)))
    approval = rule.approval if rule.approval is not None else acting.role.approval
    return Writable(
        ground.catalog.display_name(stored), acting.view, stored, seen, rule, _columns(rule, stored), approval
    )


def _columns(rule: TableRule, stored: StoredTable) -> dict[str, StoredColumn]:
    return {
        column.name: column
        for column in stored.columns
        if not column.is_generated and rule.columns.may_write(column.name)
    }


def operations(ground: Ground, acting: Acting, table: PermittedTable) -> tuple[str, ...]:
    """What the role may do with a table that it sees."""
    rule = rule_for(acting.role, ground.stored(table), ground.catalog)
    granted = rule.operations if rule is not None else []
    return tuple(granted)


def columns_written(ground: Ground, acting: Acting, table: PermittedTable) -> frozenset[str]:
    """The columns of it that the role writes: none where it may neither create nor update."""
    rule = rule_for(acting.role, ground.stored(table), ground.catalog)
    if rule is None or {"create", "update"}.isdisjoint(operations(ground, acting, table)):
        return frozenset()
    return frozenset(_columns(rule, ground.stored(table)))
