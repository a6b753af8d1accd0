"""What roles of a data server keep back, read from its entry."""

from typing import Any

import pytest

from pierhead.core.errors import Forbidden
from pierhead.core.identity import ANONYMOUS, Both, Caller, Principal, User, Workload
from pierhead.servers.sql.policy import parse_policy
from pierhead.usecases.kept_back_by_roles import kept_back

ROLES: dict[str, Any] = {
    "writer": {"tables": {"orders": {"operations": ["read", "create"]}}, "groups": ["data-eng"], "sql": False},
    "analyst": {"tables": ["orders"], "operations": ["read"], "groups": ["ads", "data-eng"]},
    "caller": {"tables": {}, "functions": {"refund": {"operations": ["call"]}}, "users": ["carol"]},
    "fuller": {"tables": ["orders"], "operations": ["read", "call"], "functions": ["refund"], "users": ["dave"]},
    "tidier": {"tables": ["orders"], "operations": ["read", "delete"], "users": ["gail"]},
    "planner": {"tables": ["orders"], "operations": ["read", "delete"], "plans": ["delete"], "users": ["hans"]},
    "program": {"tables": ["orders"], "operations": ["read"], "workloads": ["spiffe://x/a"]},
}


def asking(name: str, *groups: str) -> Principal:
    return User("https://issuer", name, frozenset(groups))


def kept(document: Any, tool: str, principal: Principal) -> str:
    return kept_back(document, tool, Caller(principal, "ide", "local", ""))


@pytest.mark.parametrize(
    ("principal", "tool", "told"),
    [
        (asking("alice", "data-eng"), "insert_rows", ""),
        (asking("alice", "data-eng"), "delete_rows", "your role here, writer, does not delete rows"),
        (asking("alice", "data-eng"), "run_query", "your role here, writer, does not send SQL"),
        (asking("alice", "data-eng"), "query_table", ""),
        (asking("bob", "ads"), "insert_rows", "your role here, analyst, does not create rows"),
        (asking("bob", "ads"), "update_rows", "your role here, analyst, does not update rows"),
        (asking("bob", "ads"), "run_query", ""),
        (asking("bob", "ads"), "call_function", "your role here, analyst, does not call functions"),
        (asking("carol"), "call_function", ""),
        (asking("carol"), "insert_rows", "your role here, caller, does not create rows"),
        (asking("dave"), "call_function", ""),
        (asking("gail"), "delete_rows", ""),
        (asking("gail"), "plan_delete_rows", "your role here, tidier, does not plan to delete rows"),
        (asking("hans"), "delete_planned_rows", ""),
        (asking("erin"), "query_table", "you hold no role on this source: ask its owner for one"),
        (Workload("spiffe://x/a"), "query_table", ""),
        (Workload("spiffe://x/b"), "query_table", "you hold no role on this source: ask its owner for one"),
        (ANONYMOUS, "query_table", "you hold no role on this source: ask its owner for one"),
    ],
)
def test_the_first_role_that_is_held_says_which_tools_there_are(principal: Principal, tool: str, told: str) -> None:
    assert kept({"kind": "sql", "roles": ROLES}, tool, principal) == told


@pytest.mark.parametrize(
    "principal",
    [
        *(asking(name, *groups) for name in ("alice", "carol", "erin") for groups in ((), ("ads",), ("data-eng",))),
        Workload("spiffe://x/a"),
        Workload("spiffe://x/b"),
        Both(User("https://issuer", "bob", frozenset({"ads"})), Workload("spiffe://x/b")),
        Both(User("https://issuer", "erin", frozenset()), Workload("spiffe://x/a")),
    ],
)
def test_the_server_itself_finds_the_same_role(principal: Principal) -> None:
    caller = Caller(principal, "ide", "local", "")
    try:
        acting = parse_policy(ROLES).acting(caller)
    except Forbidden:
        acting = None
    told = kept({"kind": "sql", "roles": ROLES}, "delete_rows", principal)
    assert told.startswith(f"your role here, {acting}," if acting else "you hold no role")


def test_the_only_role_that_names_nobody_is_everybodys() -> None:
    document = {"kind": "sql", "roles": {"analyst": {"tables": ["orders"], "operations": ["read"]}}}
    assert kept(document, "query_table", asking("erin")) == ""
    assert kept(document, "insert_rows", asking("erin")) == "your role here, analyst, does not create rows"


@pytest.mark.parametrize(
    "document", [{}, {"kind": "sql"}, {"kind": "sql", "roles": []}, {"kind": "http", "roles": ROLES}]
)
def test_a_server_without_roles_keeps_nothing_back(document: Any) -> None:
    assert kept(document, "insert_rows", asking("erin")) == ""
