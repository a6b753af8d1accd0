"""A role against a schema: what it may read of each table, as the values the guard believes in.

Not here: the policy as written (policy.py), masks as expressions (masks.py), what the engine holds (catalog.py).
Above: source.py.
"""

from collections.abc import Iterator
from fnmatch import fnmatchcase

from pierhead.sdk.sqlguard import Column, PermittedTable, View
from pierhead.servers.sql.catalog import Catalog, StoredColumn, StoredTable
from pierhead.servers.sql.masks import Mask
from pierhead.servers.sql.policy import Columns, Role, TableRule, misconfigured


def compile_view(name: str, role: Role, catalog: Catalog) -> View:
    """What `role` reads of `catalog`.

    Errors: Misconfigured for a name that the source does not have, and for a mask that its column cannot take.
    """
    faults = [*_unknown_names(name, role, catalog), *_unfit_masks(name, role, catalog)]
    if faults:
        raise misconfigured(faults)
    tables: list[PermittedTable] = []
    for stored in catalog.tables:
        rule = rule_for(role, stored, catalog)
        if rule is not None and "read" in rule.operations:
            tables.append(permitted_table(rule, stored, catalog))
    return View(catalog.dialect, catalog.catalog, catalog.schema, tuple(tables))


def rule_for(role: Role, stored: StoredTable, catalog: Catalog) -> TableRule | None:
    """The rule of a table: an exact name wins; else the first pattern, and a pattern never takes in a view."""
    name = catalog.display_name(stored)
    exact = role.tables.get(name)
    if exact is not None or stored.kind == "view":
        return exact
    return next((rule for pattern, rule in role.tables.items() if fnmatchcase(name, pattern)), None)


def permitted_table(rule: TableRule, stored: StoredTable, catalog: Catalog, *, shown: bool = True) -> PermittedTable:
    """The table with its permitted columns; not `shown`, with none, for a role that writes and does not read."""
    if not shown:
        rule = rule.model_copy(update={"columns": Columns(include=[])})
    columns = tuple(_column(rule, column, catalog) for column in stored.columns if _sees(rule, column.name))
    row_id = stored.row_id if any(column.name == stored.row_id for column in columns) else ""
    return PermittedTable(stored.schema, stored.name, columns, row_id)


def _sees(rule: TableRule, column: str) -> bool:
    """A hash is made after the fetch, so in SQL its column does not exist."""
    included = rule.columns.include is None or column in rule.columns.include
    mask = _mask(rule, column)
    is_hashed = mask is not None and mask.is_made_after_the_fetch
    return included and column not in rule.columns.exclude and not is_hashed


def _mask(rule: TableRule, column: str) -> Mask | None:
    written = rule.columns.mask.get(column)
    return None if written is None else Mask.parse(written)


def _column(rule: TableRule, stored: StoredColumn, catalog: Catalog) -> Column:
    mask = _mask(rule, stored.name)
    return Column(stored.name, stored.type, mask and mask.expression(stored.name, catalog.dialect))


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


def _unfit_masks(name: str, role: Role, catalog: Catalog) -> Iterator[str]:
    for table in catalog.tables:
        rule = rule_for(role, table, catalog)
        for column in table.columns if rule else ():
            mask = _mask(rule, column.name) if rule else None
            if mask is not None and not mask.fits(column.type, catalog.dialect):
                place = f"roles.{name}.tables.{catalog.display_name(table)}.columns.mask.{column.name}"
                yield f"{place}: {mask.kind} does not fit a column of type {column.type}"
