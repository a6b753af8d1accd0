"""Rules of approval as a fleet file writes them."""

import re
from pathlib import Path

import pytest

from pierhead.bootstrap.declared_policy import declared_policy
from pierhead.bootstrap.fleet import load
from pierhead.core.approval import Approval
from pierhead.core.errors import Misconfigured

FLEET = """
people: {{alice: {{groups: [data-eng]}}}}
servers:
  clock:
    kind: stdio
    command: [sh, -c, exit]
    owner: data
    support: "#data"
    access: everyone
    approvals:
      - {rule}
    tools:
      reset: {{policy: everyone, effect: destructive, minutes_saved: 1}}
      read: {{policy: everyone, effect: read, minutes_saved: 1}}
"""


def written(rule: str, folder: Path) -> Path:
    file = folder / "fleet.yaml"
    file.write_text(FLEET.format(rule=rule))
    return file


def test_a_rule_reaches_the_tools_that_it_names(tmp_path: Path) -> None:
    fleet = load(written("{tools: [reset], environments: [dev], lowers_to: confirm}", tmp_path))
    tools = declared_policy(fleet).current().servers["clock"].tools
    (rule,) = tools["reset"].rules
    assert (rule.approval, rule.lowers, rule.environments) == (Approval.CONFIRM, True, frozenset({"dev"}))
    assert tools["read"].rules == ()


@pytest.mark.parametrize(
    ("rule", "why"),
    [
        ("{tools: [reset]}", "either class .* or lowers_to"),
        ("{tools: [reset], class: confirm, lowers_to: none}", "either class .* or lowers_to"),
        ("{tools: [reset], class: none}", "write lowers_to"),
        ("{tools: [reset], lowers_to: deny}", "deny lowers nothing"),
        ("{tools: [reset], lowers_to: confirm, when: limit < 5}", "hangs on no arguments"),
        ("{lowers_to: confirm}", "names its tools"),
        ("{tools: [], class: confirm}", "at least 1 item"),
        ("{class: often}", "'often' is unknown"),
        ("{class: confirm, who: policies}", "not policies"),
        ("{class: confirm, when: 'limit is 5'}", "write =="),
        ("{class: confirm, environment: [dev]}", "did you mean environments"),
    ],
)
def test_a_rule_that_cannot_be_meant_is_refused_with_its_line(rule: str, why: str, tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match=r"fleet\.yaml") as refused:
        load(written(rule, tmp_path))
    assert re.search(why, f"{refused.value.message} {refused.value.hint}"), refused.value
