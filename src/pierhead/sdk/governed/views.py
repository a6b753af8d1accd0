"""A role against a schema: what it may read of each table and which functions it may call, as the guard believes it.

Not here: the policy as written (policy.py), masks and row rules as expressions (masks.py, row_rules.py), what the
engine holds (catalog.py). Above: source.py.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from pierhead.sdk import Invalid
from pierhead.sdk.governed.catalog import Catalog, StoredColumn, StoredTable
from pierhead.sdk.governed.granted_functions import (
    GrantedFunction,
    callable_in_sql,
    function_faults,
    granted_functions,
)
from pierhead.sdk.governed.masks import Mask
from pierhead.sdk.governed.policy import Role, TableRule, misconfigured
from pierhead.sdk.governed.row_rules import RowRule
from pierhead.sdk.sqlguard import Column, PermittedTable, View

TableName = tuple[str, str]
"""Schema and table, as stored."""


@dataclass(frozen=True, slots=True)
class CompiledRole:
    """What a role sees, and the rules whose values each call fills in.

    `view` is of statements; `selects` holds what parameters may select besides: columns whose mask is made after the
    fetch.
    """

    view: View
    selects: View
    rules: Mapping[TableName, RowRule]
    functions: Mapping[str, GrantedFunction]


def compile_role(
    name: str, role: Role, catalog: Catalog, *, accepted: Catalog | None = None, is_strict: bool = True
) -> CompiledRole:
    """What `role` reads of `catalog`.

    `accepted` is the schema in which the role was last looked at by a person: a column that it does not hold stays
    hidden where the role excludes or masks columns. Errors: Misconfigured, if strict, for a name that the source does
    not have and for a mask or rule that does not fit; else such a table or column is not there.
    """
    if is_strict:
        faults = [*_unknown_names(name, role, catalog), *_unfit(name, role, catalog)]
        faults += function_faults(name, role, catalog)
        if faults:
            raise misconfigured(faults)
    selected, rules = _tables_of(name, role, catalog, accepted)
    functions = granted_functions(role, catalog)
    named = callable_in_sql(functions, catalog.dialect)
    selects = View(catalog.dialect, catalog.catalog, catalog.schema, selected, functions=named)
    tables = tuple(map(_without_hashes, selected))
    view = selects if tables == selected else replace(selects, tables=tables)
    return CompiledRole(view, selects, rules, functions)


def _tables_of(
    name: str, role: Role, catalog: Catalog, accepted: Catalog | None
) -> tuple[tuple[PermittedTable, ...], Mapping[TableName, RowRule]]:
    """The tables that the role reads, and the row rules of all that it may use."""
    tables: list[PermittedTable] = []
    rules: dict[TableName, RowRule] = {}
    for place, stored in enumerate(catalog.tables):
        rule = rule_for(role, stored, catalog)
        if rule is None or not rule.operations:
            continue
        try:
            row_rule = _row_rule(name, rule, stored, catalog, place)
        except Invalid:
            continue  # what its rows are can no longer be said, so there are none
        if row_rule is not None:
            rules[stored.schema, stored.name] = row_rule
        if "read" in rule.operations:
            before = accepted.by_name.get((stored.schema, stored.name)) if accepted else None
            tables.append(_permitted(rule, stored, catalog, before, row_rule))
    return tuple(tables), rules


def rule_for(role: Role, stored: StoredTable, catalog: Catalog) -> TableRule | None:
    """The rule of a table: an exact name wins; else the first pattern, and a pattern never takes in a view."""
    name = catalog.display_name(stored)
    exact = role.tables.get(name)
    if exact is not None or stored.kind == "view":
        return exact
    return next((rule for pattern, rule in role.tables.items() if fnmatchcase(name, pattern)), None)


def _row_rule(role: str, rule: TableRule, stored: StoredTable, catalog: Catalog, place: int) -> RowRule | None:
    if rule.rows is None:
        return None
    return RowRule.compile(f"{role}.{catalog.display_name(stored)}.rows", rule.rows, stored, catalog.dialect, place)


def _permitted(
    rule: TableRule, stored: StoredTable, catalog: Catalog, before: StoredTable | None, row_rule: RowRule | None
) -> PermittedTable:
    columns = tuple(_column(rule, column, catalog) for column in stored.columns if _sees(rule, column, catalog, before))
    row_id = stored.row_id if any(column.name == stored.row_id for column in columns) else ""
    return PermittedTable(stored.schema, stored.name, columns, row_id, row_rule.condition if row_rule else None)


def _without_hashes(table: PermittedTable) -> PermittedTable:
    """In SQL a column that is hashed after the fetch does not exist."""
    if not any(column.is_hashed for column in table.columns):
        return table
    columns = tuple(column for column in table.columns if not column.is_hashed)
    row_id = table.row_id if any(column.name == table.row_id for column in columns) else ""
    return replace(table, columns=columns, row_id=row_id)


def written_table(stored: StoredTable, row_rule: RowRule | None) -> PermittedTable:
    """A table as a role sees it that writes and does not read: none of its columns."""
    return PermittedTable(stored.schema, stored.name, (), "", row_rule.condition if row_rule else None)


def _sees(rule: TableRule, column: StoredColumn, catalog: Catalog, before: StoredTable | None) -> bool:
    columns = rule.columns
    if columns.include is not None and column.name not in columns.include:
        return False
    is_new = before is not None and all(column.name != known.name for known in before.columns)
    if is_new and columns.include is None and (columns.exclude or columns.mask):
        return False
    mask = _mask(rule, column.name)
    is_readable = mask is None or mask.fits(column.type, catalog.dialect)
    return column.name not in columns.exclude and is_readable


def _mask(rule: TableRule, column: str) -> Mask | None:
    written = rule.columns.mask.get(column)
    return None if written is None else Mask.parse(written)


def _column(rule: TableRule, stored: StoredColumn, catalog: Catalog) -> Column:
    mask = _mask(rule, stored.name)
    if mask is None:
        return Column(stored.name, stored.type)
    expression = mask.expression(stored.name, catalog.dialect)
    return Column(stored.name, stored.type, expression, mask.is_made_after_the_fetch)


def _unknown_names(name: str, role: Role, catalog: Catalog) -> Iterator[str]:
    """A misspelt name in a policy hides or shows the wrong thing; it does not load."""
    stored = {catalog.display_name(table): table for table in catalog.tables}
    for pattern, rule in role.tables.items():
        matched = [table for known, table in stored.items() if fnmatchcase(known, pattern)]
        is_pattern = any(sign in pattern for sign in "*?[")
        if not matched and not is_pattern:
            yield f"roles.{name}.tables.{pattern}: the source has no such table"
        offered = {column.name for table in matched for column in table.columns}
        rules = rule.columns
        for column in (*(rules.include or []), *rules.exclude, *rules.mask, *(rules.write or [])):
            if matched and column not in offered:
                yield f"roles.{name}.tables.{pattern}.columns: there is no column {column}"


def _unfit(name: str, role: Role, catalog: Catalog) -> Iterator[str]:
    """Masks and row rules that the columns of their table cannot take."""
    for table in catalog.tables:
        rule = rule_for(role, table, catalog)
        if rule is None:
            continue
        place = f"roles.{name}.tables.{catalog.display_name(table)}"
        for column in table.columns:
            mask = _mask(rule, column.name)
            if mask is not None and not mask.fits(column.type, catalog.dialect):
                yield f"{place}.columns.mask.{column.name}: {mask.kind} does not fit a column of type {column.type}"
        try:
            _row_rule(name, rule, table, catalog, 0)
        except Invalid as invalid:
            yield f"{place}.rows: {invalid.message}; {invalid.hint}"
