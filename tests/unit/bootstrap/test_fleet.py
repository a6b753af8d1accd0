"""The fleet file: what it means, and that every fault is named with its line."""

from importlib.resources import files
from pathlib import Path

import pytest

from pierhead.bootstrap import fleet
from pierhead.core.bounds import read_bounds
from pierhead.core.catalog import Discovery
from pierhead.core.errors import Misconfigured
from pierhead.core.identity import Caller, Party, User
from pierhead.core.reach import EVERY

GOOD = """
people:
  alice: {groups: [data-eng]}
servers:
  warehouse:
    kind: sql
    url: sqlite:///warehouse.db
    owner: data-platform
    support: "#data-help"
    access: {groups: [data-eng]}
    tools: {run_query: {policy: "group:data-eng"}}
"""


def loaded(tmp_path: Path, text: str) -> fleet.Fleet:
    file = tmp_path / "fleet.yaml"
    file.write_text(text)
    return fleet.load(file, tmp_path / "data")


def faults(tmp_path: Path, text: str) -> str:
    with pytest.raises(Misconfigured) as refused:
        loaded(tmp_path, text)
    assert refused.value.code == "bad-fleet"
    return f"{refused.value.message} | {refused.value.hint}"


def caller(*groups: str) -> Caller:
    return Caller(User("i", "u", frozenset(groups)), "ide", "local", "c")


def test_the_demo_fleet_has_the_people_and_servers_that_are_promised() -> None:
    demo = fleet.load(Path(str(files("pierhead.bootstrap.demo") / "fleet.yaml")))
    assert sorted(demo.people) == ["alice", "bob", "carol", "dave", "erin", "frank"]
    assert demo.workloads == {"spiffe://demo.pierhead.local/agent/incident"}
    assert {name: server.kind for name, server in demo.servers.items()} == {"warehouse": "sql", "time": "stdio"}
    assert not demo.servers["warehouse"].rows[0].admits(caller("ads"), Party.PERSON)
    assert demo.servers["warehouse"].rows[0].admits(caller("data-eng"), Party.PERSON)


def test_a_relative_database_lies_in_the_data_directory(tmp_path: Path) -> None:
    server = loaded(tmp_path, GOOD).servers["warehouse"]
    assert server.settings["url"] == f"sqlite:///{tmp_path}/data/warehouse.db"
    absolute = loaded(tmp_path, GOOD.replace("sqlite:///", "sqlite:////srv/")).servers["warehouse"]
    assert absolute.settings["url"] == "sqlite:////srv/warehouse.db"


def test_the_fleet_narrows_a_tool(tmp_path: Path) -> None:
    narrowed = loaded(tmp_path, GOOD).servers["warehouse"].narrowed
    assert str(narrowed["run_query"]) == "group:data-eng"


def test_no_access_means_nobody(tmp_path: Path) -> None:
    row = loaded(tmp_path, GOOD.replace("    access: {groups: [data-eng]}\n", "")).servers["warehouse"].rows[0]
    assert not row.admits(caller("data-eng"), Party.PERSON)


def test_an_empty_list_of_surfaces_means_none_and_a_missing_one_all(tmp_path: Path) -> None:
    row = loaded(tmp_path, GOOD.replace("[data-eng]}\n    tools", "[data-eng], surfaces: []}\n    tools"))
    assert row.servers["warehouse"].rows[0].surfaces == frozenset()
    assert loaded(tmp_path, GOOD).servers["warehouse"].rows[0].surfaces is EVERY


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("access:", "acess:", "line 10, column 5: unknown key servers.warehouse.acess"),
        ("  warehouse:", "  register:", "'register' is no name of a server"),
        (
            "groups: [data-eng]}\nservers",
            "group: [data-eng]}\nservers",
            "line 3, column 3: people.alice.groups is missing",
        ),
        (
            "kind: sql",
            "kind: sqll",
            "line 6, column 11: server warehouse is of kind 'sqll' | allowed: airflow, http, knowledge, ",
        ),
        ("group:data-eng", "grp:data-eng", "line 11, column 33: servers.warehouse.tools.run_query.policy"),
        ("owner: data-platform", "owner: 7", "line 8, column 12: servers.warehouse.owner"),
        ("    owner: data-platform\n", "", "line 5, column 3: servers.warehouse.owner is missing"),
        ("kind: sql\n", "kind: sql\n    kind: sql\n", "line 7, column 5: kind stands here twice"),
        ("url: sqlite:///warehouse.db", "url: [", "line 9"),
        (
            "groups: [data-eng]}\nservers",
            "groups: [], claims: {subject: x}}\nservers",
            "line 3, column 23: people.alice.claims:",
        ),
        (
            "groups: [data-eng]}\nservers",
            "groups: [], claims: {x: 1.5}}\nservers",
            "line 3, column 23: people.alice.claims:",
        ),
        (
            "groups: [data-eng]}\nservers",
            "groups: &g [data-eng]}\n  bob: {groups: *g}\nservers",
            "line 4, column 17: an alias",
        ),
        ("people:", "1: 2\npeople:", "line 2, column 1: key 1 is not a text"),
    ],
)
def test_a_fault_names_its_line_and_column_and_what_is_allowed(
    tmp_path: Path, before: str, after: str, said: str
) -> None:
    assert before in GOOD
    assert said in faults(tmp_path, GOOD.replace(before, after, 1))


def test_every_fault_is_named_at_once(tmp_path: Path) -> None:
    text = GOOD.replace("owner: data-platform", "owner: 7").replace("grp", "x").replace("support:", "suport:")
    said = faults(tmp_path, text)
    assert "line 8" in said
    assert "line 9" in said


def test_a_guest_without_declared_tools_does_not_load(tmp_path: Path) -> None:
    guest = "servers:\n  time: {kind: stdio, command: [sh], owner: o, support: s, access: everyone, tools: {}}\n"
    assert "servers.time.tools" in faults(tmp_path, guest)


def test_a_guest_tool_without_a_policy_does_not_load(tmp_path: Path) -> None:
    tools = "tools: {now: {effect: read, minutes_saved: 1}}"
    guest = f"servers:\n  time: {{kind: stdio, command: [sh], owner: o, support: s, access: everyone, {tools}}}\n"
    assert "servers.time.tools.now.policy is missing" in faults(tmp_path, guest)


@pytest.mark.parametrize("saved", ["-1", "1.0e+308", ".inf", ".nan", "{mode: 1, low: 2, high: 3, method: estimate}"])
def test_minutes_that_nobody_can_save_do_not_load(tmp_path: Path, saved: str) -> None:
    tools = f"tools: {{now: {{policy: everyone, effect: read, minutes_saved: {saved}}}}}"
    guest = f"servers:\n  time: {{kind: stdio, command: [sh], owner: o, support: s, access: everyone, {tools}}}\n"
    assert "servers.time.tools.now.minutes_saved" in faults(tmp_path, guest)


def test_a_program_that_is_not_there_is_named_before_anything_starts(tmp_path: Path) -> None:
    tools = "tools: {now: {policy: everyone, effect: read, minutes_saved: 1}}"
    guest = f"servers:\n  time: {{kind: stdio, command: [no-such-program], owner: o, support: s, {tools}}}\n"
    assert "line 2, column 23: servers.time.command: no program 'no-such-program'" in faults(tmp_path, guest)


def remote(members: str) -> str:
    tools = "tools: {forecast: {policy: everyone, effect: read, minutes_saved: 1}}"
    return f"servers:\n  sky: {{kind: http, {members}, owner: o, support: s, {tools}}}\n"


def test_a_remote_guest_names_its_address_and_where_its_credential_is(tmp_path: Path) -> None:
    text = remote("url: 'https://sky.example/mcp', headers: {Authorization: {env: SKY}, X-Region: {value: eu}}")
    guest = loaded(tmp_path, text).servers["sky"].guest
    assert guest is not None
    assert guest.remote is not None
    assert guest.remote.url == "https://sky.example/mcp"
    assert {name: (one.value, one.variable) for name, one in guest.remote.headers.items()} == {
        "Authorization": ("", "SKY"),
        "X-Region": ("eu", ""),
    }


@pytest.mark.parametrize(
    ("members", "fault"),
    [
        ("url: 'ftp://sky.example'", "no http or https address"),
        ("url: 'https://me:secret@sky.example/'", "no http or https address"),
        ("url: 'https://sky.example/#x'", "no http or https address"),
        ("headers: {}", "servers.sky.url is missing"),
        ("url: 'https://sky.example/', headers: {Host: {value: a}}", "protocol's own"),
        ("url: 'https://sky.example/', headers: {Mcp-Session-Id: {value: a}}", "protocol's own"),
        ("url: 'https://sky.example/', headers: {X: {}}", "one of env"),
        ("url: 'https://sky.example/', headers: {X: {env: A, value: b}}", "one of env"),
        ("url: 'https://sky.example/', headers: {X: {value: \"a\\nb\"}}", "servers.sky.headers.X"),
        ("url: 'https://sky.example/', headers: {X-Api-Key: {value: abc}}", "is a secret"),
        ("url: 'https://sky.example/', command: [sh]", "unknown key servers.sky.command"),
        ("url: 'https://sky.example/', version: latest", "'latest' is no version"),
    ],
)
def test_a_remote_guest_that_cannot_be_reached_safely_does_not_load(tmp_path: Path, members: str, fault: str) -> None:
    told = faults(tmp_path, remote(members))
    assert fault in told
    assert "secret@" not in told


def test_a_view_names_an_audience_and_what_is_left_out_restricts_nothing(tmp_path: Path) -> None:
    text = GOOD + "views:\n  data: {groups: [data-eng], cidr: [10.20.0.0/16]}\n  none: {servers: [], cidr: []}\n"
    views = loaded(tmp_path, text).views
    assert views["data"].groups == {"data-eng"}
    assert views["data"].servers is EVERY
    assert [views["data"].admits(place) for place in ("10.20.1.1", "10.21.1.1")] == [True, False]
    assert views["none"].servers == frozenset()
    assert not views["none"].admits("10.20.1.1")
    assert loaded(tmp_path, GOOD).views == {}


@pytest.mark.parametrize(
    ("view", "said"),
    [
        ("me: {groups: [a]}", "'me' is the view of whoever signs in"),
        ("Data: {groups: [a]}", "match pattern"),
        ("data: {cidr: [10.20.0.1/16]}", "is no network"),
        ("data: {cidr: [office]}", "is no network"),
        ("data: {group: [a]}", "did you mean groups?"),
        ("data: {groups: a}", "list"),
    ],
)
def test_a_view_that_cannot_be_read_is_named_with_its_line(tmp_path: Path, view: str, said: str) -> None:
    told = faults(tmp_path, f"{GOOD}views:\n  {view}\n")
    assert said in told
    assert "line 12" in told or "line 13" in told


def test_the_fleet_bounds_a_tool_by_channel_and_by_condition(tmp_path: Path) -> None:
    text = GOOD.replace(
        """tools: {run_query: {policy: "group:data-eng"}}""",
        """tools: {run_query: {channels: [airflow-help], when: ["limit <= 10", 'table == "a"']}}""",
    )
    server = loaded(tmp_path, text).servers["warehouse"]
    assert server.narrowed == {}
    assert server.narrowed_bounds["run_query"] == read_bounds(["airflow-help"], ["limit <= 10", 'table == "a"'])


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("{}", "it narrows nothing: say policy, channels or when"),
        ("{when: []}", "at least 1 item"),
        ('{when: "limit <="}', "line 1, column 9: it cannot be read"),
        ('{channels: ["#a b"]}', "string should match pattern"),
        ("{chanels: [a]}", "did you mean channels?"),
    ],
)
def test_a_narrowing_that_cannot_be_meant_is_refused(tmp_path: Path, written: str, told: str) -> None:
    said = faults(tmp_path, GOOD.replace('{policy: "group:data-eng"}', written))
    assert told in said


def test_a_row_may_name_channels_and_a_server_its_discovery(tmp_path: Path) -> None:
    text = GOOD.replace("{groups: [data-eng]}\n    tools", "{groups: [data-eng], channels: [help]}\n    tools")
    row = loaded(tmp_path, text).servers["warehouse"].rows[0]
    assert row.channels == {"help"}
    assert loaded(tmp_path, GOOD).servers["warehouse"].discovery is Discovery.OPEN
    gated = loaded(tmp_path, GOOD.replace("kind: sql", "kind: sql\n    discovery: gated")).servers["warehouse"]
    assert gated.discovery is Discovery.GATED
    assert "discovery" not in gated.settings
    assert "'closed' is unknown; allowed: open, gated" in faults(
        tmp_path, GOOD.replace("kind: sql", "kind: sql\n    discovery: closed")
    )
