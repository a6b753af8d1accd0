"""Which tools of a data server its roles keep from a caller, as its entry declares them.

The server itself decides so at each call, by the first role in the file's order that the caller holds; pages and lists
read the same declaration, so that they promise nothing that it would refuse. A server without `roles` keeps nothing
back here. Pure. Above: pages, the API, the personal view. Not here: which tables a role names (`find_table`).
"""

from collections.abc import Iterator, Mapping
from typing import Final

from pierhead.core.identity import Caller, parties
from pierhead.core.json import Json
from pierhead.usecases.find_table import holders_of, mapping_of, texts_of

_OPERATION: Final = {
    "insert_rows": "create",
    "update_rows": "update",
    "delete_rows": "delete",
    "plan_delete_rows": "delete",
    "delete_planned_rows": "delete",
}
_PLANNED: Final = frozenset({"plan_delete_rows", "delete_planned_rows"})
_STATEMENTS: Final = frozenset({"run_query", "explain_query"})
_FUNCTIONS: Final = "call_function"


def kept_back(document: Mapping[str, Json], tool: str, caller: Caller) -> str:
    """Why that tool is not for the caller, as they read it; empty where no role stands against it."""
    roles = mapping_of(document.get("roles"))
    if document.get("kind") != "sql" or not roles:
        return ""
    held = next(_held(roles, caller), None)
    if held is None:
        return "you hold no role on this source: ask its owner for one"
    name, role = held
    needed = _lacks(role, tool)
    return f"your role here, {name}, does not {needed}" if needed else ""


def _held(roles: Mapping[str, Json], caller: Caller) -> Iterator[tuple[str, Mapping[str, Json]]]:
    asked = parties(caller.principal)
    for name, written in roles.items():
        role = mapping_of(written)
        who = holders_of(role, is_only=len(roles) == 1)
        if who is None or any(who.admits(caller.principal, party) for party in asked):
            yield name, role


def _lacks(role: Mapping[str, Json], tool: str) -> str:
    """What the role would have to do for that tool, and does not."""
    if tool in _OPERATION and _OPERATION[tool] not in _granted(role, "tables"):
        return f"{_OPERATION[tool]} rows"
    if tool in _PLANNED and _OPERATION[tool] not in texts_of(role.get("plans")):
        return f"plan to {_OPERATION[tool]} rows"
    if tool in _STATEMENTS and role.get("sql") is False:
        return "send SQL"
    if tool == _FUNCTIONS and "call" not in _granted(role, "functions"):
        return "call functions"
    return ""


def _granted(role: Mapping[str, Json], member: str) -> frozenset[str]:
    """Every operation that the role has on some table or function; the short form has one set for all."""
    named = role.get(member)
    if isinstance(named, Mapping):
        return frozenset(each for rule in named.values() for each in texts_of(mapping_of(rule).get("operations")))
    return frozenset(texts_of(role.get("operations"))) if texts_of(named) else frozenset()
