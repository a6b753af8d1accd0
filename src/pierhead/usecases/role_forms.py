"""The roles of a data server as JSON and back: a member of its server in every snapshot, or null where it has none.

Strict, as `wire_forms`, which is above: a role that lost a member on the way would promise something else. Pure. Not
here: reading them from an entry (`read_roles`).
"""

from collections.abc import Mapping
from typing import Final, NoReturn, TypeVar, cast

from pierhead.core.approval import Approval
from pierhead.core.data_role import DataRole, FunctionGrant, TableGrant, WriteApproval
from pierhead.core.errors import Invalid
from pierhead.core.rule import parse_who

_Kind = TypeVar("_Kind")
_ROLE: Final = frozenset({"name", "who", "tables", "functions", "queries", "plans", "sends_sql"})
_TABLE: Final = frozenset({"name", "operations", "approvals"})
_APPROVAL: Final = frozenset({"operation", "approval", "up_to"})
_FUNCTION: Final = frozenset({"name", "approval"})


def roles_to_form(roles: tuple[DataRole, ...] | None) -> object:
    return None if roles is None else [_role_to_form(role) for role in roles]


def roles_from_form(form: object) -> tuple[DataRole, ...] | None:
    """Errors: Invalid (`wire-form`)."""
    return None if form is None else tuple(_role_from_form(each) for each in _a(list[object], form))


def _role_to_form(role: DataRole) -> dict[str, object]:
    return {
        "name": role.name,
        "who": None if role.who is None else str(role.who),
        "tables": [_table_to_form(each) for each in role.tables],
        "functions": [{"name": each.name, "approval": str(each.approval)} for each in role.functions],
        "queries": sorted(role.queries),
        "plans": sorted(role.plans),
        "sends_sql": role.sends_sql,
    }


def _table_to_form(grant: TableGrant) -> dict[str, object]:
    asks = [
        {"operation": each.operation, "approval": str(each.approval), "up_to": each.up_to} for each in grant.approvals
    ]
    return {"name": grant.name, "operations": sorted(grant.operations), "approvals": asks}


def _role_from_form(form: object) -> DataRole:
    members = _object(form, _ROLE)
    who = members["who"]
    return DataRole(
        name=_a(str, members["name"]),
        who=None if who is None else parse_who(_a(str, who)),
        tables=tuple(_table(each) for each in _a(list[object], members["tables"])),
        functions=tuple(_function(each) for each in _a(list[object], members["functions"])),
        queries=_texts(members["queries"]),
        plans=_texts(members["plans"]),
        sends_sql=_a(bool, members["sends_sql"]),
    )


def _table(form: object) -> TableGrant:
    members = _object(form, _TABLE)
    asks = tuple(_write_approval(each) for each in _a(list[object], members["approvals"]))
    return TableGrant(_a(str, members["name"]), _texts(members["operations"]), asks)


def _write_approval(form: object) -> WriteApproval:
    members = _object(form, _APPROVAL)
    up_to = members["up_to"]
    if up_to is not None and (isinstance(up_to, bool) or not isinstance(up_to, int)):
        _refuse()
    return WriteApproval(_a(str, members["operation"]), _class(members["approval"]), up_to)


def _function(form: object) -> FunctionGrant:
    members = _object(form, _FUNCTION)
    return FunctionGrant(_a(str, members["name"]), _class(members["approval"]))


def _class(value: object) -> Approval:
    text = _a(str, value)
    return Approval(text) if text in set(Approval) else _refuse()


def _texts(value: object) -> frozenset[str]:
    return frozenset(_a(str, each) for each in _a(list[object], value))


def _a(kind: type[_Kind], value: object) -> _Kind:
    if not isinstance(value, getattr(kind, "__origin__", kind)):
        _refuse()
    return cast("_Kind", value)


def _object(form: object, members: frozenset[str]) -> Mapping[str, object]:
    if not isinstance(form, Mapping) or frozenset(cast("Mapping[str, object]", form)) != members:
        _refuse()
    return cast("Mapping[str, object]", form)


def _refuse() -> NoReturn:
    message = "cannot read the roles of a data server"
    raise Invalid(message, hint="run the same version of pierhead everywhere", code="wire-form")
