"""Grants: who gets through by the names in the rules, decided as calls are; and which roles name a table."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from tests.unit.samples import AGENT, ROBOT, TOOL, caller, rows, server, tools, users

from pierhead.adapters.cedar import CedarPolicies
from pierhead.core.approval import Approval
from pierhead.core.bounds import UNBOUNDED, read_bounds
from pierhead.core.catalog import Effect, Stage
from pierhead.core.data_role import DataRole
from pierhead.core.identity import User
from pierhead.core.reach import EVERY, Row
from pierhead.core.rule import NOBODY, parse_who
from pierhead.core.snapshot import PolicyText
from pierhead.usecases.explain_decision import explain_decision
from pierhead.usecases.find_table import TableRole, roles_of_table, without_tables
from pierhead.usecases.memory import MemorySnapshots, snapshot_of
from pierhead.usecases.ports_records import CallerUse
from pierhead.usecases.review_access import Grant, Holder, grants, grants_on_table, holders, with_last_use


def row(who: str, **places: Any) -> Row:
    plain: dict[str, Any] = {"surfaces": EVERY, "environments": EVERY, "channels": EVERY}
    return Row("warehouse", parse_who(who), **{**plain, **places})


def found(who: str, policy: str, narrowed: str | None = None, **changes: Any) -> list[str]:
    places = {name: changes.pop(name) for name in ("surfaces", "environments", "channels") if name in changes}
    tool = replace(TOOL, policy=parse_who(policy), narrowed=parse_who(narrowed) if narrowed else None, **changes)
    snapshots = MemorySnapshots(snapshot_of([server(tool)], [row(who, **places)]))
    return [str(each.holder) for each in grants(snapshots, ["warehouse"])]


@pytest.mark.parametrize(
    ("who", "policy", "narrowed", "holds"),
    [
        ("group:ads", "group:ads", None, ["group:ads"]),
        ("group:ads", "group:eng", None, ["group:ads and group:eng"]),
        ("everyone", "everyone", None, ["everyone"]),
        ("everyone", "group:ads or user:ann", None, ["group:ads", "user:ann"]),
        ("group:ads or user:ann", "everyone", "user:ann", ["user:ann"]),
        ("user:ann", "group:ads", None, ["user:ann and group:ads"]),
        ("user:ann", "user:bob", None, []),
        ("everyone or group:ads", "everyone", None, ["everyone"]),
        ("group:ads", "nobody", None, []),
        (f"group:ads or workload:{ROBOT}", f"workload:{ROBOT} or group:ads", None, ["group:ads", f"workload:{ROBOT}"]),
        (f"workload:{ROBOT}", "everyone", None, []),
    ],
)
def test_a_holder_is_a_smallest_set_of_names_that_get_through(
    who: str, policy: str, narrowed: str | None, holds: list[str]
) -> None:
    assert found(who, policy, narrowed) == holds


@pytest.mark.parametrize(
    ("roles", "holds"), [(("group:ads",), ["group:ads and group:eng"]), (("group:ads", None), ["group:eng"])]
)
def test_who_holds_no_role_of_a_data_server_holds_none_of_its_tools(
    roles: tuple[str | None, ...], holds: list[str]
) -> None:
    nothing: frozenset[str] = frozenset()
    kept = tuple(
        DataRole(f"role-{n}", parse_who(who) if who else None, (), (), nothing, nothing, sends_sql=True)
        for n, who in enumerate(roles)
    )
    data = replace(server(replace(TOOL, policy=parse_who("everyone"))), roles=kept)
    snapshots = MemorySnapshots(snapshot_of([data], [row("group:eng")]))
    assert [str(each.holder) for each in grants(snapshots, ["warehouse"])] == holds


def test_a_workload_alone_holds_no_tool_that_writes() -> None:
    assert found(f"workload:{ROBOT}", f"workload:{ROBOT}") == [f"workload:{ROBOT}"]
    assert found(f"workload:{ROBOT}", f"workload:{ROBOT}", effect=Effect.WRITE) == []


def test_a_row_that_stands_open_nowhere_grants_nothing() -> None:
    for places in ({"surfaces": frozenset[str]()}, {"environments": frozenset[str]()}, {"channels": frozenset[str]()}):
        assert found("everyone", "everyone", **places) == []
    bounds = read_bounds(["b"], None)
    assert found("everyone", "everyone", channels=frozenset({"a"}), bounds=bounds) == []
    assert found("everyone", "everyone", channels=frozenset({"a", "b"}), bounds=bounds) == ["everyone"]


def test_a_grant_tells_from_where_within_what_and_after_whose_yes() -> None:
    tool = replace(
        TOOL, policy=parse_who("everyone"), approval=Approval.CONFIRM, narrowed_bounds=read_bounds(None, "limit <= 9")
    )
    places = row("group:ads", surfaces=frozenset({"chat"}), channels=frozenset({"c1"}))
    (grant,) = grants(MemorySnapshots(snapshot_of([server(tool)], [places])), ["warehouse"])
    assert (grant.surfaces, grant.environments, grant.decision) == ("chat", "any", "approval")
    assert grant.bounds == ("reached only in the channels c1", "used only when limit <= 9")


def test_what_is_not_live_withheld_or_not_asked_for_is_in_no_grant() -> None:
    other = replace(TOOL, name="other", withheld="changed")
    snapshots = MemorySnapshots(snapshot_of([server(TOOL, other)], [row("everyone")]))
    assert [each.tool for each in grants(snapshots, ["warehouse", "nothing-here"])] == ["run_query"]
    assert list(grants(snapshots, ["warehouse"], "another")) == []
    stopped = MemorySnapshots(snapshot_of([server(stage=Stage.SUSPENDED)], [row("everyone")]))
    assert list(grants(stopped, ["warehouse"])) == []


def _has(grant: Grant, user: User) -> bool:
    holder = grant.holder
    return holder.kind != "workload" and holder.groups <= user.groups and holder.name in {"", user.subject}


@given(rows, tools, users)
def test_every_person_who_gets_through_is_in_a_grant_and_no_other(place: Row, tool: Any, user: User) -> None:
    anywhere = replace(place, surfaces=EVERY, environments=EVERY, channels=EVERY)
    tool = replace(tool, bounds=UNBOUNDED, narrowed_bounds=UNBOUNDED, rules=())  # a rule may deny one of its holders
    snapshots = MemorySnapshots(snapshot_of([server(tool)], [anywhere]))
    decided = explain_decision(caller(user), "warehouse", tool.name, snapshots).decision
    assert any(_has(each, user) for each in grants(snapshots, ["warehouse"])) == (decided != "refuse")


def test_no_rule_at_all_holds_everyone_and_one_that_names_nobody_holds_none() -> None:
    assert holders() == (Holder("everyone", ""),)
    assert holders(NOBODY) == ()


def use(person: str, at: float, permitted: int = 1, principal: str = "") -> CallerUse:
    return CallerUse(principal or person, person, "ide", "warehouse", "run_query", 1, permitted, at, "c")


def test_the_last_use_is_that_of_whoever_holds_the_grant() -> None:
    tool = replace(TOOL, policy=parse_who(f"group:ads or user:ann or workload:{ROBOT}"))
    snapshots = MemorySnapshots(snapshot_of([server(tool)], [row(f"group:ads or user:ann or workload:{ROBOT}")]))
    uses = [use("bob", 5), use("bob", 7), use("ann", 3), use("zoe", 9), use("ann", 8, permitted=0)]
    uses.append(use("", 4, principal=AGENT.spiffe_id))
    people = {"bob": frozenset({"ads"}), "ann": frozenset[str]()}
    told = {str(each.holder): each.last_used for each in with_last_use(grants(snapshots, ["warehouse"]), uses, people)}
    assert told == {"group:ads": 7, "user:ann": 3, f"workload:{ROBOT}": 4}


DOCUMENTS: dict[str, dict[str, Any]] = {
    "one": {"roles": {"analyst": {"tables": ["flights", "air*"], "operations": ["read"]}}},
    "two": {
        "roles": {
            "reader": {
                "tables": {
                    "flights": {
                        "operations": ["read"],
                        "columns": {"mask": {"pilot": "null"}, "exclude": ["id"], "include": ["carrier"]},
                        "rows": "carrier = 'UA'",
                    }
                },
                "groups": ["ads"],
            },
            "writer": {"tables": {"fl*": {"operations": ["read", "update"]}}, "users": ["ann"]},
            "idle": {"tables": {"flights": {"operations": []}}, "groups": ["idle"]},
            "odd": {"tables": "flights", "keys": ["k"]},
            "none": "nothing",
        }
    },
    "guest": {"kind": "http"},
}


def test_every_role_that_names_a_table_is_found_by_name_or_pattern() -> None:
    told = list(roles_of_table(DOCUMENTS, "flights"))
    assert [(each.server, each.role, each.operations, each.writes) for each in told] == [
        ("one", "analyst", ("read",), False),
        ("two", "reader", ("read",), False),
        ("two", "writer", ("read", "update"), True),
    ]
    assert told[0].who is None
    assert [str(each.who) for each in told[1:]] == ["group:ads", "user:ann"]
    assert told[1].limits == (
        "only the columns carrier",
        "without the columns id",
        "masked: pilot",
        "only rows where carrier = 'UA'",
    )
    assert [each.role for each in roles_of_table(DOCUMENTS, "airlines")] == ["analyst"]
    assert without_tables(DOCUMENTS) == ("guest",)


def test_a_table_is_reached_by_who_holds_its_role_and_may_use_a_tool_there() -> None:
    write = replace(TOOL, name="update_rows", effect=Effect.WRITE, policy=parse_who("everyone"))
    read = replace(TOOL, policy=parse_who("everyone"))
    snapshots = MemorySnapshots(snapshot_of([server(read, write)], [row("group:eng")]))
    reader = TableRole("warehouse", "reader", ("read",), parse_who("group:ads"), ("masked: pilot",))
    writer = TableRole("warehouse", "writer", ("read", "update"), None, ())
    told = [(str(each.holder), each.role, each.tool) for each in grants_on_table(snapshots, [reader, writer])]
    assert told == [
        ("group:ads and group:eng", "reader", "run_query"),
        ("group:eng", "writer", "run_query"),
        ("group:eng", "writer", "update_rows"),
    ]
    (first, *_) = grants_on_table(snapshots, [reader])
    assert (first.bounds, first.operations) == (("masked: pilot",), ("read",))


# -- whom company policies let through

READERS = """
permit (principal in Group::"readers", action, resource in Server::"warehouse");
permit (principal in Group::"readers", action == Action::"reach", resource == Server::"warehouse");
permit (principal is Person, action, resource) when { principal.subject == "ann" };
permit (principal == Workload::"ROBOT", action, resource);
permit (principal in Group::"half", action == Action::"reach", resource);
permit (principal in Group::"other", action == Action::"use", resource);
forbid (principal in Group::"gone", action, resource);
""".replace("ROBOT", ROBOT)


def through_policies(text: str, who: str = "policies", policy: str = "policies") -> list[str]:
    tool = replace(TOOL, policy=parse_who(policy))
    snapshot = snapshot_of([server(tool)], [row(who)])
    read = CedarPolicies.read((PolicyText("company.cedar", text),))
    snapshots = MemorySnapshots(replace(snapshot, policies=read))
    return [str(each.holder) for each in grants(snapshots, ["warehouse"])]


def test_whom_company_policies_name_and_let_through_are_told() -> None:
    assert through_policies(READERS) == ["group:readers", "user:ann", f"workload:{ROBOT}"]


def test_a_declaration_that_leaves_it_to_policies_beside_names_has_both() -> None:
    assert through_policies(READERS, "policies or group:eng", "policies or group:eng") == [
        "group:eng",
        "group:readers",
        "user:ann",
        f"workload:{ROBOT}",
    ]
    assert through_policies(READERS, "policies", "group:eng") == [
        "group:eng and group:half",
        "group:eng and group:readers",
        "user:ann and group:eng",
    ]


def test_a_policy_that_names_nobody_lets_everyone_through_and_a_program_besides() -> None:
    everybody = "permit (principal, action, resource);"
    assert through_policies(everybody) == ["everyone"]
    with_robot = f'{everybody} permit (principal == Workload::"{ROBOT}", action, resource);'
    assert through_policies(with_robot) == ["everyone", f"workload:{ROBOT}"]


def test_permits_count_for_nobody_where_no_declaration_leaves_it_to_them() -> None:
    assert through_policies(READERS, "group:eng", "group:eng") == ["group:eng"]


def test_a_forbid_takes_the_wider_holder_and_leaves_the_narrower() -> None:
    forbid = 'forbid (principal, action, resource) unless { principal in Group::"cleared" };'
    assert through_policies(forbid, "everyone", "everyone") == []
    permit = 'permit (principal in Group::"cleared", action, resource);'
    assert through_policies(f"{forbid} {permit}", "everyone or policies", "everyone or policies") == ["group:cleared"]
