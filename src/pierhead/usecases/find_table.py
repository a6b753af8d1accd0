"""Which roles of which servers name a table: read from the entries of data servers, as they are declared.

Only what is declared: `roles` with their `tables`, exact names and patterns, as the server itself would match them. A
server without roles says nothing of tables, and is told apart. Pure. Not here: who holds what (`review_access`).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final, cast

from pierhead.core.json import Json
from pierhead.core.rule import Who

_WRITES: Final = frozenset({"create", "update", "delete"})


@dataclass(frozen=True, slots=True)
class TableRole:
    """One role that names the table. `who` is None where whoever reaches the server holds it.

    `limits` are what it takes away of the table: masked and missing columns, rows.
    """

    server: str
    role: str
    operations: tuple[str, ...]
    who: Who | None
    limits: tuple[str, ...]

    @property
    def writes(self) -> bool:
        return not _WRITES.isdisjoint(self.operations)


def roles_of_table(documents: Mapping[str, Mapping[str, Json]], table: str) -> Iterator[TableRole]:
    """Every role of these entries that names `table`, by an exact name or by its first pattern."""
    for server in sorted(documents):
        roles = mapping_of(documents[server].get("roles"))
        for name, written in roles.items():
            role = mapping_of(written)
            rule = _rule(role, table)
            if rule is not None:
                who = holders_of(role, is_only=len(roles) == 1)
                yield TableRole(server, name, texts_of(rule.get("operations")), who, tuple(_limits(rule)))


def without_tables(documents: Mapping[str, Mapping[str, Json]]) -> tuple[str, ...]:
    """The servers whose entries say nothing of tables: what they read, nobody declared."""
    return tuple(sorted(name for name, document in documents.items() if not mapping_of(document.get("roles"))))


def _rule(role: Mapping[str, Json], table: str) -> Mapping[str, Json] | None:
    """What the role says of the table: the short form has one set of operations for all."""
    tables = role.get("tables")
    rules = (
        {name: {"operations": role.get("operations")} for name in texts_of(tables)}
        if isinstance(tables, list)
        else mapping_of(tables)
    )
    found = rules.get(table)
    if found is None:
        found = next((rule for pattern, rule in rules.items() if fnmatchcase(table, pattern)), None)
    rule = None if found is None else mapping_of(found)
    return rule if rule and texts_of(rule.get("operations")) else None


def holders_of(role: Mapping[str, Json], *, is_only: bool) -> Who | None:
    """Who holds it; None for everybody who reaches the server: a server's only role, if it names nobody."""
    if is_only and not _has_holders(role):
        return None
    groups, users, workloads = (frozenset(texts_of(role.get(name))) for name in ("groups", "users", "workloads"))
    return Who(groups, users, workloads)


def _has_holders(role: Mapping[str, Json]) -> bool:
    return any(role.get(name) for name in ("groups", "users", "workloads", "keys"))


def _limits(rule: Mapping[str, Json]) -> Iterator[str]:
    columns = mapping_of(rule.get("columns"))
    for member, told in (("include", "only the columns"), ("exclude", "without the columns"), ("mask", "masked:")):
        names = texts_of(columns.get(member)) or tuple(mapping_of(columns.get(member)))
        if names:
            yield f"{told} {', '.join(names)}"
    if isinstance(rule.get("rows"), str):
        yield f"only rows where {rule['rows']}"


def mapping_of(value: Json) -> Mapping[str, Json]:
    """A member that should be one; empty for anything else."""
    return value if isinstance(value, Mapping) else {}


def texts_of(value: Json) -> tuple[str, ...]:
    """A member that should be a list of texts; empty for anything else."""
    if not isinstance(value, Sequence) or isinstance(value, str):
        return ()
    return tuple(str(each) for each in cast("Sequence[object]", value))
