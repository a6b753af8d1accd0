"""Who may read what of a source: role -> tables -> operations -> columns -> limits, parsed strictly.

Deny by default: no match means no, an empty list means nothing, an unknown word is an error. What the model
knows but this version does not enforce is refused when it is loaded, never ignored. Not here: the engine's own
schema (engines/), against which `view` compiles a role. Above: source.py.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Annotated, Final, Literal, cast

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from pierhead.sdk import Caller, Forbidden, Misconfigured
from pierhead.sdk.sqlguard import Column, PermittedTable, View
from pierhead.servers.sql.catalog import Catalog, StoredTable

MOST_ROWS: Final = 1_000
MOST_SECONDS: Final = 60.0

Operation = Literal["read", "create", "update", "delete", "call"]


def _seconds(written: object) -> object:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s|m)", written) if isinstance(written, str) else None
    if match is None:
        raise ValueError("write a time as 500ms, 10s or 1m")
    return float(match[1]) * {"ms": 0.001, "s": 1.0, "m": 60.0}[match[2]]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Columns(_Strict):
    include: list[str] | None = None  # left out: every column but the excluded ones
    exclude: list[str] = []
    mask: dict[str, str] = {}
    write: list[str] = []


class TableRule(_Strict):
    operations: list[Operation] = []
    columns: Columns = Columns()
    rows: str | None = None


class Limits(_Strict):
    rows: int = Field(default=MOST_ROWS, ge=1, le=MOST_ROWS)
    time: Annotated[float, BeforeValidator(_seconds)] = Field(default=MOST_SECONDS, gt=0, le=MOST_SECONDS)


class Role(_Strict):
    """One role as written; `tables` as a list is the short form, with `operations` for all of them."""

    tables: dict[str, TableRule]
    groups: list[str] = []
    users: list[str] = []
    workloads: list[str] = []
    keys: list[str] = []
    sql: bool = True
    functions: list[str] = []
    limits: Limits = Limits()

    @model_validator(mode="before")
    @classmethod
    def _spell_out(cls, written: object) -> object:
        if not isinstance(written, dict):
            return written
        role = dict(cast("dict[str, object]", written))
        tables = role.get("tables")
        if isinstance(tables, list):
            operations = role.pop("operations", [])
            role["tables"] = {str(table): {"operations": operations} for table in cast("list[object]", tables)}
        return role

    @property
    def has_holders(self) -> bool:
        return bool(self.groups or self.users or self.workloads or self.keys)

    def is_held_by(self, caller: Caller) -> bool:
        person, workload = caller.person, caller.workload
        return (
            not caller.groups.isdisjoint(self.groups)
            or (person is not None and person.subject in self.users)
            or (workload is not None and workload.spiffe_id in self.workloads)
        )


@dataclass(frozen=True, slots=True)
class Policy:
    """Every role of a source in file order, and a hash of what was written."""

    roles: Mapping[str, Role]
    version: str

    def acting(self, caller: Caller) -> str:
        """The one role that acts for `caller`: the first in file order that the caller holds.

        Rights of several roles are never added up. Errors: Forbidden (`no-role`).
        """
        for name, role in self.roles.items():
            if (len(self.roles) == 1 and not role.has_holders) or role.is_held_by(caller):
                return name
        raise Forbidden("you hold no role on this source", hint="ask the owner for a role", code="no-role")


_ROLES: Final = TypeAdapter(dict[str, Role])


def parse_policy(written: object) -> Policy:
    """The policy in `written`, the `roles` of a fleet file. Errors: Misconfigured, naming each fault."""
    try:
        roles = _ROLES.validate_python(written)
    except ValidationError as invalid:
        raise _misconfigured([_fault(error["loc"], error["msg"]) for error in invalid.errors()]) from None
    faults = [*_unenforced(roles), *_unheld(roles)]
    if faults:
        raise _misconfigured(faults)
    digest = hashlib.sha256(_ROLES.dump_json(roles)).hexdigest()
    return Policy(roles, digest[:16])


def _fault(place: tuple[int | str, ...], problem: str) -> str:
    return f"roles.{'.'.join(str(part) for part in place)}: {problem}"


def _misconfigured(faults: list[str]) -> Misconfigured:
    return Misconfigured(
        "; ".join(faults), hint="correct the roles of this source in the fleet file", code="bad-sql-policy"
    )


def _unenforced(roles: Mapping[str, Role]) -> Iterator[str]:
    """What is understood but not yet enforced: loading it would promise what does not happen."""
    for name, role in roles.items():
        if role.functions:
            yield f"roles.{name}.functions: granting functions is not available yet"
        if role.keys:
            yield f"roles.{name}.keys: keys are not available yet"
        for pattern, rule in role.tables.items():
            yield from (f"roles.{name}.tables.{pattern}.{fault}" for fault in _unenforced_of(rule))


def _unenforced_of(rule: TableRule) -> Iterator[str]:
    if set(rule.operations) - {"read"}:
        yield "operations: only read is available yet"
    if rule.columns.mask:
        yield "columns.mask: masks are not available yet; exclude the column"
    if rule.columns.write:
        yield "columns.write: writing is not available yet"
    if rule.rows is not None:
        yield "rows: row rules are not available yet; grant a view"


def _unheld(roles: Mapping[str, Role]) -> Iterator[str]:
    if len(roles) > 1:
        for name, role in roles.items():
            if not role.has_holders:
                yield f"roles.{name}: of several roles each names its holders (groups, users or workloads)"


def compile_view(name: str, role: Role, catalog: Catalog) -> View:
    """What `role` sees of `catalog`. Errors: Misconfigured for a name that the source does not have."""
    faults = list(_unknown_names(name, role, catalog))
    if faults:
        raise _misconfigured(faults)
    tables: list[PermittedTable] = []
    for stored in catalog.tables:
        rule = _rule_for(role, stored, catalog)
        if rule is not None and "read" in rule.operations:
            columns = tuple(Column(column.name, column.type) for column in stored.columns if _sees(rule, column.name))
            row_id = stored.row_id if any(column.name == stored.row_id for column in columns) else ""
            tables.append(PermittedTable(stored.schema, stored.name, columns, row_id))
    return View(catalog.dialect, catalog.catalog, catalog.schema, tuple(tables))


def _rule_for(role: Role, stored: StoredTable, catalog: Catalog) -> TableRule | None:
    """An exact name wins; else the first pattern, and a pattern never takes in a view."""
    name = catalog.display_name(stored)
    exact = role.tables.get(name)
    if exact is not None or stored.kind == "view":
        return exact
    return next((rule for pattern, rule in role.tables.items() if fnmatchcase(name, pattern)), None)


def _sees(rule: TableRule, column: str) -> bool:
    included = rule.columns.include is None or column in rule.columns.include
    return included and column not in rule.columns.exclude


def _unknown_names(name: str, role: Role, catalog: Catalog) -> Iterator[str]:
    """A misspelt name in a policy hides or shows the wrong thing; it does not load."""
    stored = {catalog.display_name(table): table for table in catalog.tables}
    for pattern, rule in role.tables.items():
        matched = [table for known, table in stored.items() if fnmatchcase(known, pattern)]
        is_pattern = any(sign in pattern for sign in "*?[")
        if not matched and not is_pattern:
            yield f"roles.{name}.tables.{pattern}: the source has no such table"
        offered = {column.name for table in matched for column in table.columns}
        for column in (*(rule.columns.include or []), *rule.columns.exclude):
            if matched and column not in offered:
                yield f"roles.{name}.tables.{pattern}.columns: there is no column {column}"
