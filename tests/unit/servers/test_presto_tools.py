"""The tools of a Trino or Presto server as they are declared: few tokens, honest hints, for those they are for."""

import json
from pathlib import Path
from typing import Any

import pytest

from pierhead.core.catalog import Tool
from pierhead.core.errors import Misconfigured
from pierhead.core.identity import Both, Caller, User, Workload
from pierhead.sdk import Server
from pierhead.sdk.governed.policy import MOST_SECONDS, Role
from pierhead.sdk.tool import BoundTool
from pierhead.servers.presto import build
from pierhead.servers.presto.assets import AssetFile
from pierhead.servers.presto.settings import PrestoSettings

ENTRY: dict[str, Any] = {
    "owner": "data",
    "support": "#data",
    "url": "trino://pierhead@127.0.0.1:1/lake/sales",
    "roles": {"analyst": {"tables": ["orders"], "operations": ["read"]}},
}
AGENT = "spiffe://corp.example/agents/incident"
OVERWRITING = {"tables": ["orders"], "groups": ["sales-data"]}
MOST_TOKENS = 4_500
MOST_CHARACTERS = 1_400
BYTES_A_TOKEN = 4

# effect, approval, idempotent, minutes: the table of the server's tools
TABLE: dict[str, tuple[str, str, bool, float]] = {
    "presto_search_tables": ("read", "none", True, 5),
    "presto_describe_table": ("read", "none", True, 3),
    "presto_compare_partitions": ("read", "by arguments", True, 15),
    "presto_find_queries": ("read", "none", True, 6),
    "presto_check_freshness": ("read", "none", True, 10),
    "presto_get_lineage": ("read", "none", True, 8),
    "presto_cluster_health": ("read", "none", True, 4),
    "presto_validate_query": ("read", "none", True, 2),
    "presto_run_query": ("read", "by arguments", True, 6),
    "presto_read_result": ("read", "none", True, 0),
    "presto_get_query": ("read", "none", True, 4),
    "presto_cancel_query": ("destructive", "by arguments", True, 3),
    "presto_plan_overwrite": ("read", "none", True, 3),
    "presto_overwrite_partition": ("destructive", "four-eyes", False, 20),
}
WATCHING = {"presto_check_freshness", "presto_get_lineage", "presto_cluster_health"}


def built(**more: Any) -> Server:
    return build("lake", {**ENTRY, **more})


def length(tool: Tool) -> int:
    """What a client shows a model of a tool: its name, description and input schema."""
    return len(tool.name) + len(tool.description) + len(json.dumps(tool.input_schema))


def caller(*groups: str, programs: bool = False, alone: bool = False) -> Caller:
    user, program = User("https://idp.example", "ann", frozenset(groups)), Workload(AGENT)
    return Caller(program if alone else Both(user, program) if programs else user, "ide", "test", "call-1")


def offered(server: Server, who: Caller) -> set[str]:
    """The tools whose policy and whose own word let them be seen."""
    found: set[str] = set()
    for name, bound in server.tools.items():
        declared = bound.declaration
        parties = [party for party in ("person", "workload") if getattr(who, party) is not None]
        admits = {
            "person": who.person is not None
            and (declared.policy.any_person or not declared.policy.groups.isdisjoint(who.groups)),
            "workload": who.workload is not None and who.workload.spiffe_id in declared.policy.workloads,
        }
        if all(admits[party] for party in parties) and _is_offered(bound, who):
            found.add(name)
    return found


def _is_offered(bound: BoundTool, who: Caller) -> bool:
    """Roles are compiled when the engine was asked for its tables; here nothing is asked, so they say nothing."""
    try:
        return bound.declaration.offered is None or bound.declaration.offered(who)
    except KeyError:
        return True


def test_the_definitions_of_all_tools_fit_their_budget() -> None:
    lengths = {tool.name: length(tool) for tool in built(overwrite=OVERWRITING).manifest()}
    print(*(f"{name:28} {count:5}" for name, count in lengths.items()), sep="\n")
    print(f"{'all':28} {sum(lengths.values()):5} characters, {sum(lengths.values()) / BYTES_A_TOKEN:.0f} tokens")
    assert max(lengths.values()) <= MOST_CHARACTERS
    assert sum(lengths.values()) / BYTES_A_TOKEN <= MOST_TOKENS


def test_every_tool_is_declared_as_the_table_says() -> None:
    server = built(overwrite=OVERWRITING)
    declared = {name: bound.registered for name, bound in server.tools.items()}
    told: dict[str, tuple[str, str, bool, float]] = {}
    for name, registered in declared.items():
        hints, meta = registered.annotations, (registered.meta or {})["io.pierhead/tool"]
        assert hints is not None
        assert hints.open_world_hint is False
        assert (hints.read_only_hint, hints.destructive_hint) == (
            meta["effect"] == "read",
            meta["effect"] == "destructive",
        )
        told[name] = (meta["effect"], meta["approval"], bool(hints.idempotent_hint), meta["minutes_saved"])
    assert told == TABLE


def test_inputs_are_closed() -> None:
    assert all(tool.input_schema["additionalProperties"] is False for tool in built(overwrite=OVERWRITING).manifest())


def test_overwriting_is_off_until_the_operator_names_tables() -> None:
    assert set(TABLE) - set(built().tools) == {"presto_plan_overwrite", "presto_overwrite_partition"}


def test_no_tool_that_changes_anything_exists_where_the_server_is_read_only() -> None:
    server = built(read_only=True, overwrite=OVERWRITING)
    assert {str(bound.declaration.effect) for bound in server.tools.values()} == {"read"}
    assert not {"presto_cancel_query", "presto_overwrite_partition"} & set(server.tools)


def test_a_program_alone_only_watches() -> None:
    server = built(programs=[AGENT], overwrite=OVERWRITING)
    assert offered(server, caller(alone=True)) == WATCHING
    assert offered(built(), caller(alone=True)) == set()


def test_people_are_offered_what_their_groups_may() -> None:
    server = built(overwrite=OVERWRITING)
    anybody = {*WATCHING, "presto_search_tables", "presto_describe_table"}
    assert offered(server, caller()) == anybody
    assert offered(server, caller("data-read")) == set(TABLE) - {"presto_plan_overwrite", "presto_overwrite_partition"}
    assert offered(server, caller("oncall:presto")) == anybody | {"presto_get_query", "presto_cancel_query"}
    assert "presto_overwrite_partition" in offered(server, caller("sales-data"))


def test_both_kinds_are_one_server() -> None:
    presto = build("old", {**ENTRY, "url": "presto://pierhead@127.0.0.1:1/hive"})
    assert set(presto.tools) == set(built().tools)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"url": "postgres://pierhead@127.0.0.1/lake"}, "trino://"),
        ({"groups": {"read": []}}, "groups.read"),
        ({"budget": {"bytes": -1}}, "budget.bytes"),
        ({"query_page": "javascript:alert(1)"}, "query_page"),
        ({"overwrite": {"tables": ["orders"]}}, "overwrite.groups"),
        ({"surprise": 1}, "surprise"),
    ],
)
def test_an_entry_that_cannot_be_meant_does_not_load(change: dict[str, Any], word: str) -> None:
    with pytest.raises(Misconfigured) as refused:
        built(**change)
    assert word in refused.value.message
    assert refused.value.code == "bad-presto-settings"


def test_a_role_may_take_as_long_as_the_tool_unless_it_says_otherwise() -> None:
    roles = {
        "a": {"groups": ["x"], "tables": ["orders"]},
        "b": {"groups": ["y"], "tables": ["orders"], "limits": {"time": "5s"}},
    }
    policy = PrestoSettings.parse("lake", {**ENTRY, "roles": roles}).policy()
    assert [policy.roles[name].limits.time for name in ("a", "b")] == [300.0, 5.0]


def test_the_time_of_its_roles_is_nobody_elses() -> None:
    before = Role(tables={}).version
    assert PrestoSettings.parse("lake", ENTRY).policy().roles
    assert (Role(tables={}).version, Role(tables={}).limits.time) == (before, MOST_SECONDS)


def test_a_broken_file_of_assets_leaves_the_earlier_one_in_force(tmp_path: Path) -> None:
    file = tmp_path / "assets.yaml"
    file.write_text("tables: {orders: {tier: 1, owner: sales-data, reads: [raw.orders]}}")
    assets = AssetFile(file)
    assert assets.now().of("orders").owner == "sales-data"
    file.write_text("tables: {orders: {tier: 99}}")
    assert assets.now().of("orders").tier == 1
    assert "cannot be read" in assets.fault
    file.write_text("queries: []")
    assert assets.now().tables == {}
    assert assets.fault == ""
