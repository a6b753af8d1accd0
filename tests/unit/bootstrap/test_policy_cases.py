"""Files of cases: how they are read, which policy judges them, and what a failing one stops."""

import json
import sqlite3
from pathlib import Path

import pytest

from pierhead.apps.cli import application
from pierhead.bootstrap.declared_policy import declared_policy, judged_fleet, require_cases
from pierhead.bootstrap.fleet import Fleet, load
from pierhead.bootstrap.policy_cases import read_cases
from pierhead.core.approval import Approval
from pierhead.core.errors import Invalid, Misconfigured
from pierhead.core.identity import ANONYMOUS, Both, User, Workload

FLEET = """
people:
  alice: {groups: [data-eng]}
servers:
  shop:
    kind: sql
    url: sqlite:///shop.db
    owner: data-platform
    support: "#data-help"
    access: {groups: [data-eng], surfaces: [ide]}
    roles: {analyst: {tables: [orders], operations: [read]}}
    tools: {run_query: {policy: "group:data-eng"}}
  clock:
    kind: stdio
    command: [sh]
    owner: platform
    support: "#help"
    access: everyone
    tools:
      now: {policy: everyone, effect: read, minutes_saved: 1}
      reset: {policy: everyone, effect: destructive, minutes_saved: 1}
tests: [cases.yaml]
"""
CASES = """
cases:
  - case: she reads from her editor
    as: alice
    server: shop
    tool: run_query
    arguments: {sql: SELECT 1}
    expect: permit
  - case: not from chat
    as: {person: alice, surface: chat}
    server: shop
    expect: refuse
    reason: no rule lets alice reach it
  - case: a clock is reset after a yes
    as: {groups: [ads]}
    server: clock
    tool: reset
    expect: approval
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "fleet.yaml").write_text(FLEET)
    (tmp_path / "cases.yaml").write_text(CASES)
    with sqlite3.connect(tmp_path / "shop.db") as shop:
        shop.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY)")
    return tmp_path


def fleet_in(folder: Path) -> Fleet:
    return load(folder / "fleet.yaml", folder)


def failing(folder: Path) -> None:
    (folder / "cases.yaml").write_text(CASES.replace("expect: permit", "expect: refuse"))


def command(*arguments: str) -> int:
    """A command in this process; its exit code."""
    ended = application()(list(arguments), standalone_mode=False)
    return ended if isinstance(ended, int) else 0


def test_a_fleet_file_is_held_to_the_cases_that_it_names(folder: Path) -> None:
    judged = judged_fleet(fleet_in(folder))
    assert [each.faults for each in judged] == [(), (), ()]
    assert judged[1].case.place == "cases.yaml, line 9"


def test_what_is_declared_is_judged_as_if_it_were_signed(folder: Path) -> None:
    declared = declared_policy(fleet_in(folder)).current()
    assert declared.servers["clock"].tools["reset"].approval is Approval.APPROVE
    assert str(declared.servers["shop"].tools["run_query"].narrowed) == "group:data-eng"
    assert {"list_tables", "run_query"} <= declared.servers["shop"].tools.keys()


def test_a_narrowing_that_fits_no_tool_is_refused(folder: Path) -> None:
    (folder / "fleet.yaml").write_text(FLEET.replace("run_query: {", "run_qery: {"))
    with pytest.raises(Invalid, match="run_qery"):
        judged_fleet(fleet_in(folder))


def test_a_server_that_cannot_be_built_has_rows_and_no_tools(folder: Path) -> None:
    (folder / "shop.db").unlink()
    judged = judged_fleet(fleet_in(folder))
    assert [each.is_good for each in judged] == [False, True, True]
    assert "shop cannot be built here" in judged[0].faults[0]


def test_every_kind_of_caller_can_be_written(folder: Path) -> None:
    (folder / "more.yaml").write_text("""
cases:
  - {case: nobody, as: {}, server: shop, expect: refuse}
  - {case: program, as: {workload: "spiffe://a.example/b"}, server: shop, expect: refuse}
  - {case: both, as: {person: alice, workload: "spiffe://a.example/b", environment: prod}, server: shop, expect: refuse}
  - {case: member, as: {groups: [ads]}, server: shop, expect: refuse}
""")
    cases = read_cases([folder / "more.yaml"], {"alice": frozenset({"data-eng"})})
    nobody, program, both, member = (case.caller.principal for case in cases)
    assert nobody is ANONYMOUS
    assert program == Workload("spiffe://a.example/b")
    assert isinstance(both, Both)
    assert both.user.groups == {"data-eng"}
    assert cases[2].caller.environment == "prod"
    assert isinstance(member, User)
    assert member.groups == {"ads"}


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("expect: permit", "expect: allow", r"cases.yaml, line 8, column 13: cases.0.expect"),
        ("as: alice", "as: zoe", r"line 3, column 5: zoe has no groups"),
        ("tool: run_query", "tol: run_query", r"cases.0.tol"),
        ("sql: SELECT 1", "day: 2026-01-01", r"the arguments hold what JSON cannot"),
        (CASES, "cases: []", r"line 1, column 1: cases"),
    ],
)
def test_a_file_that_cannot_be_read_is_named_with_its_line(folder: Path, before: str, after: str, told: str) -> None:
    (folder / "cases.yaml").write_text(CASES.replace(before, after))
    with pytest.raises(Misconfigured, match=told) as refused:
        judged_fleet(fleet_in(folder))
    assert refused.value.code == "bad-fleet"


def test_a_failing_case_stops_what_is_about_to_be_published(folder: Path) -> None:
    require_cases(folder / "fleet.yaml", folder)
    failing(folder)
    with pytest.raises(Invalid, match="1 policy cases fail: she reads from her editor") as refused:
        require_cases(folder / "fleet.yaml", folder)
    assert refused.value.code == "policy-case-failed"


def test_a_folder_is_held_to_the_cases_of_all_its_files_together(folder: Path) -> None:
    catalog = folder / "catalog"
    catalog.mkdir()
    shop, clock = FLEET.split("  clock:\n")
    (catalog / "shop.yaml").write_text(f"{shop}tests: [../cases.yaml]\n")
    (catalog / "clock.yaml").write_text("servers:\n  clock:\n" + clock.replace("tests: [cases.yaml]", ""))
    (catalog / "cases.yaml").write_text(CASES)
    require_cases(catalog, folder)
    failing(folder)
    with pytest.raises(Invalid, match="she reads"):
        require_cases(catalog, folder)


def test_files_that_name_no_cases_pass(folder: Path) -> None:
    (folder / "fleet.yaml").write_text(FLEET.replace("tests: [cases.yaml]", ""))
    require_cases(folder / "fleet.yaml", folder)
    assert judged_fleet(fleet_in(folder)) == ()


def test_the_command_says_ok_and_ends_with_0(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command("policy", "test", "--fleet", str(folder / "fleet.yaml"), "--data", str(folder)) == 0
    assert capsys.readouterr().out == "ok: 3 cases\n"


def test_the_command_shows_what_fails_and_ends_with_8(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    failing(folder)
    arguments = ("policy", "test", str(folder / "cases.yaml"), "--fleet", str(folder / "fleet.yaml"))
    assert command(*arguments, "--data", str(folder)) == 8
    said = capsys.readouterr()
    assert "she reads from her editor" in said.out
    assert "not from chat" not in said.out
    assert said.err == "1 of 3 cases fail\n"
    assert command(*arguments, "--data", str(folder), "--json") == 8
    assert [each["is_good"] for each in json.loads(capsys.readouterr().out)] == [False, True, True]


def test_the_command_without_cases_says_how_to_name_them(folder: Path) -> None:
    (folder / "fleet.yaml").write_text(FLEET.replace("tests: [cases.yaml]", ""))
    with pytest.raises(Invalid, match="there are no cases"):
        command("policy", "test", "--fleet", str(folder / "fleet.yaml"))


def test_nothing_is_sent_to_the_registry_while_a_case_fails(folder: Path) -> None:
    failing(folder)
    for noun in ("policy", "server"):
        verb = "apply" if noun == "policy" else "publish"
        with pytest.raises(Invalid, match="policy cases fail"):
            command(noun, verb, "-f", str(folder / "fleet.yaml"), "--as", "alice", "--data", str(folder))
