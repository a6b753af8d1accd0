"""The table of attacks on approvals names tests that are there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
TABLE = (ROOT / "docs/explanation/approval-attacks.md").read_text()
NAMED = re.findall(r"`(tests/\S+\.py)::(test_\w+)`", TABLE)


def test_every_line_of_the_table_names_a_test() -> None:
    lines = [line for line in TABLE.splitlines() if line.startswith("| ")][1:]
    assert len(lines) == len(NAMED) > 30


@pytest.mark.parametrize(("file", "test"), NAMED)
def test_the_test_that_tries_an_attack_is_there(file: str, test: str) -> None:
    assert re.search(rf"^(async )?def {test}\(", (ROOT / file).read_text(), re.MULTILINE), f"{file} has no {test}"
