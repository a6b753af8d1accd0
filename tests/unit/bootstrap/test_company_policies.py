"""The `.cedar` files that a fleet file names."""

import sys
from pathlib import Path

import pytest
from tests.unit.samples import ISSUER

from pierhead.bootstrap import fleet
from pierhead.bootstrap.company_policies import engine
from pierhead.bootstrap.declared_policy import declared_policy
from pierhead.core.errors import Invalid, Misconfigured
from pierhead.core.identity import Caller, User
from pierhead.core.snapshot import NO_POLICIES, PolicyText
from pierhead.usecases.explain_decision import explain_decision

FLEET = """
people:
  alice: {groups: [data-eng]}
servers:
  time:
    kind: stdio
    command: [python3]
    owner: data-platform
    support: "#data-help"
    access: "group:data-eng or policies"
    tools:
      now: {policy: "everyone", effect: read, minutes_saved: 1}
policies: [company.cedar]
"""
POLICY = """
@id("contractors") @sentence("contractors may read the time in chat")
permit (principal in Group::"contractors", action == Action::"reach", resource == Server::"time")
when { context.surface == "chat" };

@id("freeze") @sentence("nothing runs in production during the freeze")
forbid (principal, action == Action::"use", resource) when { context.environment == "production" };
"""


def loaded(tmp_path: Path, policy: str, text: str = FLEET) -> fleet.Fleet:
    (tmp_path / "company.cedar").write_text(policy)
    (tmp_path / "fleet.yaml").write_text(text)
    return fleet.load(tmp_path / "fleet.yaml")


def test_a_fleet_files_policies_decide_with_its_rows(tmp_path: Path) -> None:
    policy = declared_policy(loaded(tmp_path, POLICY))

    def asked(group: str, surface: str, environment: str) -> tuple[str, str]:
        caller = Caller(User(ISSUER, "zoe", frozenset({group})), surface, environment, "")
        found = explain_decision(caller, "time", "now", policy)
        return found.decision, found.sentence

    assert asked("contractors", "chat", "local")[0] == "permit"
    assert asked("contractors", "ide", "local") == ("refuse", "no rule lets zoe reach it as a person")
    assert asked("data-eng", "ide", "local")[0] == "permit"
    assert asked("data-eng", "ide", "production") == ("refuse", "nothing runs in production during the freeze")


def test_a_policy_that_cannot_be_read_or_names_nothing_is_told_with_its_place(tmp_path: Path) -> None:
    for written, told in (
        ("permit (principal, action, resource)\nwhen { context. };", "company.cedar, line 2, column 18"),
        ('permit (principal, action, resource == Server::"tine");', "server 'tine' is not there"),
        ('permit (principal, action, resource == Tool::"time.never");', "tool 'time.never' is not there"),
    ):
        with pytest.raises(Invalid) as refused:
            declared_policy(loaded(tmp_path, written))
        assert told in refused.value.message


@pytest.mark.parametrize(
    ("named", "told"),
    [
        ("[absent.cedar]", "policies names absent.cedar, which cannot be read: FileNotFoundError"),
        ("[../outside.cedar]", "string should match pattern"),
        ("[/etc/outside.cedar]", "string should match pattern"),
        ("[company.txt]", "string should match pattern"),
    ],
)
def test_a_file_that_is_not_there_or_lies_elsewhere_is_refused(tmp_path: Path, named: str, told: str) -> None:
    with pytest.raises(Misconfigured) as refused:
        loaded(tmp_path, POLICY, FLEET.replace("[company.cedar]", named))
    assert told in refused.value.message
    assert refused.value.code == "bad-fleet"


def test_a_file_too_large_to_be_meant_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="larger than 262144 characters"):
        loaded(tmp_path, "//" + "x" * 262_144)


def test_without_its_engine_policies_are_refused_and_their_absence_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pierhead.adapters.cedar", None)
    with pytest.raises(Invalid) as refused:
        engine((PolicyText("company.cedar", POLICY),))
    assert refused.value.code == "policy-engine-missing"
    assert engine(()) is NO_POLICIES


def test_a_narrowing_is_not_left_to_policies(tmp_path: Path) -> None:
    text = FLEET.replace("kind: stdio\n    command: [python3]", "kind: sql\n    url: sqlite:///w.db").replace(
        'now: {policy: "everyone", effect: read, minutes_saved: 1}', "run_query: {policy: policies}"
    )
    with pytest.raises(Misconfigured, match="write a forbid in a company policy"):
        loaded(tmp_path, POLICY, text)
