"""One row by its key: the values of a path, in the order of the table's primary key.

Only a key that the role reads whole and unmasked names a row: else a path would tell what its columns do not show.
"""

from collections.abc import Mapping

from pierhead.sdk import Invalid
from pierhead.sdk.governed.filters import Condition, Every, Filter, Operand
from pierhead.sdk.governed.source import Source
from pierhead.servers.sql.rest.asked import Asked


def key_names(source: Source, asked: Asked) -> tuple[str, ...]:
    """The columns of the key of `/{table}`. Errors: Invalid (`unknown-table`, `no-key`); Forbidden."""
    ground = source.ground
    table = ground.acting(asked.calls.caller).table(asked.name(0))
    names = ground.stored(table).primary_key
    shown = {column.name for column in table.columns if column.expression is None}
    if not names or not shown.issuperset(names):
        raise Invalid(
            "rows of this table have no key that you may use", hint="filter on the table instead", code="no-key"
        )
    return names


def key_of(source: Source, asked: Asked) -> Mapping[str, str]:
    """Column and value, for `/{table}/{key}`. Errors: as `key_names`; Invalid (`bad-key`)."""
    names, values = key_names(source, asked), asked.key(1)
    if len(values) != len(names):
        raise Invalid(
            f"the key has {len(names)} values, and the path {len(values)}",
            hint=f"write {','.join(names)}, with commas inside a value as %2C",
            code="bad-key",
        )
    return dict(zip(names, values, strict=True))


def filter_by_ids(source: Source, asked: Asked) -> Filter | None:
    """Rows whose key is one of `asked.ids`; None, where none are asked for. Errors: as `key_names`."""
    if asked.ids is None:
        return None
    names = key_names(source, asked)
    if len(names) != 1:
        raise Invalid(
            "ids takes keys of one column, and the key of this table has more",
            hint=f"filter on {' and '.join(names)}",
            code="bad-key",
        )
    return Condition(Operand(names[0]), "in", asked.ids)


def key_filter(source: Source, asked: Asked) -> Filter:
    """The same as a filter."""
    parts = tuple(Condition(Operand(name), "eq", value) for name, value in key_of(source, asked).items())
    return parts[0] if len(parts) == 1 else Every(parts)
