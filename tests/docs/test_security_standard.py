"""The page of the MCP Security Standard against the table of its rules, in both directions."""

import re
from pathlib import Path
from typing import Final

from pierhead.core.standard_rules import RULES

PAGE: Final = Path(__file__).parents[2] / "docs/reference/security-standard.md"
_ROW: Final = re.compile(r"^\| `([SL]\d\d)` \| (\w!?) \| ([A-Z ]+) \| (.*) \| (.*) \| (.*) \| (.*) \|$", re.MULTILINE)


def test_the_page_holds_every_rule_as_the_table_does() -> None:
    told = {row[0]: row[1:] for row in _ROW.findall(PAGE.read_text())}
    assert told == {
        rule.id: (
            f"{rule.weight}{'!' if rule.is_waivable else ''}",
            " ".join(rule.looks),
            rule.title,
            rule.why,
            rule.fix,
            ", ".join(rule.maps),
        )
        for rule in RULES.values()
    }
