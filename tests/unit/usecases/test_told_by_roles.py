"""What roles of a data server say of a call where the server is not there, read from its entry and sent around."""

from dataclasses import replace
from typing import Any

import orjson
import pytest
from tests.unit.samples import SERVER, TOOL

from pierhead.core.approval import Approval
from pierhead.core.call import Opaque, Parsed, digest
from pierhead.core.catalog import Tool
from pierhead.core.data_role import acting
from pierhead.core.errors import Forbidden, Invalid, NotFound
from pierhead.core.identity import ANONYMOUS, Both, Caller, Principal, User, Workload
from pierhead.core.reach import EVERY, Row
from pierhead.core.rule import Who, parse_who
from pierhead.core.snapshot import Snapshot
from pierhead.core.waiting_tools import WAIT
from pierhead.sdk.governed.policy import parse_policy
from pierhead.usecases.explain_decision import UNREAD, Explanation, explain_decision, explain_to_caller
from pierhead.usecases.memory import MemorySnapshots
from pierhead.usecases.read_roles import roles_in
from pierhead.usecases.role_forms import roles_from_form, roles_to_form
from pierhead.usecases.told_by_roles import whole_rules

ROLES: dict[str, Any] = {
    "writer": {
        "tables": {
            "orders": {"operations": ["read", "create"]},
            "logs_*": {"operations": ["create", "update", "read"], "approval": "confirm"},
            "logs_old": {"operations": []},
        },
        "groups": ["data-eng"],
        "sql": False,
    },
    "analyst": {"tables": ["orders"], "operations": ["read"], "groups": ["ads", "data-eng"]},
    "caller": {
        "tables": {},
        "functions": {
            "refund": {"operations": ["call"]},
            "net": {"operations": ["read", "call"], "approval": "none"},
            "odd": {"operations": ["read"]},
            "wrong": {"operations": ["call"], "approval": "perhaps"},
        },
        "users": ["carol"],
    },
    "fuller": {"tables": ["orders"], "operations": ["read", "call"], "functions": ["refund"], "users": ["dave"]},
    "tidier": {"tables": ["orders"], "operations": ["read", "delete"], "users": ["gail"]},
    "planner": {
        "tables": {
            "orders": {
                "operations": ["read", "update", "delete", "create"],
                "approval": {"delete": "four-eyes if affected > 5", "update": "nobody"},
            }
        },
        "plans": ["delete"],
        "approval": "none",
        "users": ["hans"],
    },
    "program": {"tables": ["orders"], "operations": ["read"], "workloads": ["spiffe://x/a"]},
}
QUERIES: dict[str, Any] = {"top": {"sql": "SELECT 1", "description": "x", "roles": ["analyst"]}, "odd": {"roles": []}}
ENTRY: dict[str, Any] = {"kind": "sql", "roles": ROLES, "queries": QUERIES}
NAMES = (
    *("list_tables", "describe_table", "query_table", "run_query", "explain_query", "insert_rows", "update_rows"),
    *("delete_rows", "plan_delete_rows", "delete_planned_rows", "call_function", "top", "odd"),
    *("presto_search_tables", "presto_describe_table", "presto_find_queries", "presto_run_query"),
    *("presto_overwrite_partition", "presto_cluster_health", "presto_cancel_query"),
)
EVERYBODY = Who(any_person=True, workloads=frozenset({"spiffe://x/a", "spiffe://x/b"}))
NO_ROLE = "you hold no role on this source: ask its owner for one"


def tool(name: str) -> Tool:
    return replace(TOOL, name=name, policy=EVERYBODY)


def snapshots(entry: Any = None) -> MemorySnapshots:
    tools = {name: tool(name) for name in NAMES}
    server = replace(SERVER, tools=tools, roles=roles_in(ENTRY if entry is None else entry))
    return MemorySnapshots(
        Snapshot(1, {server.name: server}, {server.name: (Row(server.name, EVERYBODY, *[EVERY] * 3),)})
    )


def asking(name: str, *groups: str) -> Principal:
    return User("https://issuer", name, frozenset(groups))


def told(principal: Principal, name: str, arguments: dict[str, Any] | None = None, entry: Any = None) -> Explanation:
    read = UNREAD if arguments is None else Parsed(arguments, digest(arguments), 1)
    caller = Caller(principal, "ide", "local", "")
    return explain_decision(caller, "warehouse", name, snapshots(entry), read)


ALICE, BOB, CAROL, HANS = asking("alice", "data-eng"), asking("bob", "ads"), asking("carol"), asking("hans")
GAIL = asking("gail")


@pytest.mark.parametrize(
    ("principal", "name", "sentence", "code"),
    [
        (ALICE, "delete_rows", "your role here, writer, does not delete rows", ""),
        (ALICE, "plan_delete_rows", "your role here, writer, does not delete rows", ""),
        (ALICE, "run_query", "your role here, writer, does not send SQL", ""),
        (ALICE, "explain_query", "your role here, writer, does not send SQL", ""),
        (ALICE, "top", "your role here, writer, does not call top", ""),
        (BOB, "odd", "your role here, analyst, does not call odd", ""),
        (BOB, "insert_rows", "your role here, analyst, does not create rows", ""),
        (BOB, "update_rows", "your role here, analyst, does not update rows", ""),
        (BOB, "call_function", "your role here, analyst, does not call functions", ""),
        (CAROL, "insert_rows", "your role here, caller, does not create rows", ""),
        (GAIL, "plan_delete_rows", "your role here, tidier, does not plan to delete rows", ""),
        (GAIL, "delete_planned_rows", "your role here, tidier, does not plan to delete rows", ""),
        (asking("erin"), "query_table", NO_ROLE, "no-role"),
        (asking("erin"), "run_query", NO_ROLE, "no-role"),
        (asking("erin"), "insert_rows", NO_ROLE, ""),
        (asking("erin"), "top", NO_ROLE, ""),
        (Workload("spiffe://x/b"), "query_table", NO_ROLE, "no-role"),
    ],
)
def test_what_the_first_role_that_is_held_does_not_do_is_refused(
    principal: Principal, name: str, sentence: str, code: str
) -> None:
    found = told(principal, name)
    assert (found.decision, found.sentence, found.code) == ("refuse", sentence, code)


@pytest.mark.parametrize(
    ("principal", "name", "arguments", "decision"),
    [
        (ALICE, "insert_rows", {"table": "orders"}, "permit"),
        (ALICE, "insert_rows", {"table": "logs_new"}, "confirm"),
        (ALICE, "insert_rows", {"table": "logs_new", "dry_run": True}, "permit"),
        (ALICE, "insert_rows", {"table": "logs_new", "on_conflict": "merge"}, "confirm"),
        (ALICE, "insert_rows", {"table": "orders", "on_conflict": "merge"}, "operation-not-granted"),
        (ALICE, "insert_rows", {"table": "logs_old"}, "unknown-table"),
        (ALICE, "insert_rows", {"table": "secrets"}, "unknown-table"),
        (ALICE, "insert_rows", {"rows": []}, "confirm"),
        (ALICE, "insert_rows", None, "confirm"),
        (ALICE, "update_rows", {"table": "orders"}, "operation-not-granted"),
        (ALICE, "update_rows", {"table": "logs_a", "insert_missing": True}, "confirm"),
        (ALICE, "query_table", {"table": "orders"}, "permit"),
        (ALICE, "describe_table", {"table": "secrets"}, "unknown-table"),
        (ALICE, "query_table", {}, "permit"),
        (ALICE, "query_table", None, "permit"),
        (ALICE, "list_tables", {"query": "x"}, "permit"),
        (BOB, "run_query", {"sql": "SELECT 1"}, "permit"),
        (BOB, "top", {}, "permit"),
        (CAROL, "query_table", {"table": "orders"}, "unknown-table"),
        (CAROL, "call_function", {"function": "refund"}, "approve"),
        (CAROL, "call_function", {"function": "net"}, "permit"),
        (CAROL, "call_function", {"function": "odd"}, "no-such-function"),
        (CAROL, "call_function", {"function": "wrong"}, "denied"),
        (CAROL, "call_function", None, "denied"),
        (asking("dave"), "call_function", None, "approve"),
        (GAIL, "delete_rows", {"table": "orders"}, "approve"),
        (HANS, "delete_rows", {"table": "orders"}, "permit"),
        (HANS, "update_rows", {"table": "orders"}, "denied"),
        (HANS, "insert_rows", {"table": "orders"}, "permit"),
        (HANS, "plan_delete_rows", {"table": "orders"}, "permit"),
        (HANS, "plan_delete_rows", {"table": "secrets"}, "unknown-table"),
        (HANS, "plan_delete_rows", None, "permit"),
        (HANS, "delete_planned_rows", {"plan": "p"}, "four-eyes"),
        (Workload("spiffe://x/a"), "query_table", {"table": "orders"}, "permit"),
    ],
)
def test_the_acting_role_says_what_may_be_done_with_a_table(
    principal: Principal, name: str, arguments: dict[str, Any] | None, decision: str
) -> None:
    found = told(principal, name, arguments)
    said = found.code or found.decision
    assert (str(found.approval) if said == "approval" else said) == decision


def test_who_is_told_of_a_missing_role_and_who_reads_that_there_is_no_such_tool() -> None:
    erin, bob = (Caller(each, "ide", "local", "") for each in (asking("erin"), BOB))
    assert explain_to_caller(erin, "warehouse", "query_table", snapshots()).sentence == NO_ROLE
    with pytest.raises(NotFound):
        explain_to_caller(erin, "warehouse", "insert_rows", snapshots())
    with pytest.raises(NotFound):
        explain_to_caller(bob, "warehouse", "delete_rows", snapshots())


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
    written = {name: role for name, role in ROLES.items() if name != "planner"}
    written["caller"] = {**written["caller"], "functions": {}}
    try:
        expected = parse_policy(written).acting(Caller(principal, "ide", "local", ""))
    except Forbidden:
        expected = None
    found = acting(roles_in({"kind": "sql", "roles": written}) or (), principal)
    assert (found and found.name) == expected


def test_both_parties_of_a_caller_meet_the_same_roles() -> None:
    both = Both(User("https://issuer", "erin", frozenset()), Workload("spiffe://x/b"))
    caller = Caller(both, "ide", "local", "")
    found = explain_decision(caller, "warehouse", "query_table", snapshots())
    assert [str(each.party) for each in found.reasons if each.rule == "warehouse.roles"] == ["person", "workload"]


def test_nobody_who_is_not_signed_in_holds_a_role() -> None:
    assert acting(roles_in(ENTRY) or (), ANONYMOUS) is None
    assert told(ANONYMOUS, "query_table").decision == "refuse"


def test_the_only_role_that_names_nobody_is_everybodys() -> None:
    entry = {"kind": "sql", "roles": {"analyst": {"tables": ["orders"], "operations": ["read"]}}}
    assert told(asking("erin"), "query_table", entry=entry).decision == "permit"
    assert told(asking("erin"), "insert_rows", entry=entry).decision == "refuse"


def test_a_source_that_is_read_only_has_nothing_that_writes() -> None:
    entry = {**ENTRY, "read_only": True}
    assert told(HANS, "insert_rows", entry=entry).decision == "refuse"
    assert told(HANS, "query_table", {"table": "orders"}, entry).decision == "permit"


@pytest.mark.parametrize("entry", [{}, {"kind": "sql"}, {"kind": "sql", "roles": []}, {"kind": "http", "roles": ROLES}])
def test_a_server_without_roles_keeps_nothing_back(entry: Any) -> None:
    assert roles_in(entry) is None
    assert told(asking("erin"), "insert_rows", entry=entry).decision == "permit"


def test_a_source_whose_roles_are_none_serves_nobody() -> None:
    assert told(ALICE, "query_table", entry={"kind": "sql", "roles": {}}).code == "no-role"


@pytest.mark.parametrize("kind", ["presto", "trino"])
@pytest.mark.parametrize(
    ("principal", "name", "arguments", "decision"),
    [
        (BOB, "presto_describe_table", {"table": "orders"}, "permit"),
        (BOB, "presto_describe_table", {"table": "secrets"}, "unknown-table"),
        (BOB, "presto_describe_table", {"table": "lake.sales.orders"}, "permit"),  # its server knows what lake is
        (BOB, "presto_find_queries", {"table": ""}, "permit"),
        (BOB, "presto_find_queries", None, "permit"),
        (BOB, "presto_run_query", {"sql": "SELECT 1"}, "permit"),
        (ALICE, "presto_run_query", {"sql": "SELECT 1"}, "refuse"),
        (ALICE, "presto_search_tables", {"query": ""}, "permit"),
        (asking("erin"), "presto_search_tables", {"query": ""}, "no-role"),
        (asking("erin"), "presto_overwrite_partition", {"plan_id": "p"}, "no-role"),
        (asking("erin"), "presto_cluster_health", {}, "permit"),
        (asking("erin"), "presto_cancel_query", {"query_id": "q"}, "permit"),
    ],
)
def test_roles_of_an_engine_say_who_asks_for_its_tables(
    kind: str, principal: Principal, name: str, arguments: dict[str, Any] | None, decision: str
) -> None:
    found = told(principal, name, arguments, {**ENTRY, "kind": kind})
    assert (found.code or found.decision) == decision


def test_waiting_for_an_approval_needs_no_role() -> None:
    assert told(asking("erin"), WAIT).decision == "permit"


def test_the_rules_of_reach_are_not_touched() -> None:
    rules = whole_rules(snapshots())
    caller = Caller(asking("erin"), "ide", "local", "")
    assert [each.rule for each in rules.reach(caller, "warehouse")] == ["warehouse.access[0]"]
    assert len(rules.questions) == 2


def test_an_operation_that_nobody_declared_is_denied() -> None:
    roles = roles_in({"kind": "sql", "roles": {"analyst": {"tables": ["orders"], "operations": ["read"]}}})
    assert roles
    assert roles[0].tables[0].approval("delete").before is Approval.DENY


def test_roles_travel_as_they_are() -> None:
    roles = roles_in(ENTRY)
    assert roles is not None
    assert roles_from_form(orjson.loads(orjson.dumps(roles_to_form(roles)))) == roles
    assert roles_from_form(roles_to_form(None)) is None
    assert roles[0].who == parse_who("group:data-eng")


def _wrong(**changes: Any) -> list[Any]:
    good: dict[str, Any] = {
        "name": "r",
        "who": None,
        "tables": [],
        "functions": [],
        "queries": [],
        "plans": [],
        "sends_sql": True,
    }
    return [{**good, **changes}]


@pytest.mark.parametrize(
    "form",
    [
        *("roles", {}, ["role"], [{}]),
        *(_wrong(more=1), _wrong(name=1), _wrong(who=1), _wrong(sends_sql="yes"), _wrong(queries=[1])),
        *(_wrong(tables=[{"name": "t"}]), _wrong(functions=[{"name": "f", "approval": "perhaps"}])),
        _wrong(tables=[{"name": "t", "operations": [], "approvals": [{"operation": "create"}]}]),
        *(
            _wrong(
                tables=[
                    {
                        "name": "t",
                        "operations": ["create"],
                        "approvals": [{"operation": "create", "approval": "none", "up_to": up_to}],
                    }
                ]
            )
            for up_to in (True, "5")
        ),
    ],
)
def test_a_form_of_roles_that_is_not_whole_is_refused(form: Any) -> None:
    with pytest.raises(Invalid) as refused:
        roles_from_form(form)
    assert refused.value.code == "wire-form"


def test_arguments_that_nobody_read_are_not_guessed() -> None:
    assert isinstance(UNREAD, Opaque)
    assert told(HANS, "delete_rows").decision == "permit"  # four eyes only once more than five rows are found
    assert told(GAIL, "delete_rows").approval is Approval.APPROVE
