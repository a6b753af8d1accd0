"""Decisions are numbered: each number once, none left out, and the title says the same as the file."""

import re
from pathlib import Path

DECISIONS = Path(__file__).parents[2] / "docs" / "decisions"


def test_every_decision_has_a_number_of_its_own_and_none_is_left_out() -> None:
    titles = [page.read_text("utf-8").splitlines()[0] for page in sorted(DECISIONS.glob("*.md"))]
    numbers = [int(page.name[:4]) for page in sorted(DECISIONS.glob("*.md"))]
    assert numbers == list(range(1, len(numbers) + 1))
    assert [int(re.match(r"# (\d+)\. ", title)[1]) for title in titles] == numbers  # pyright: ignore[reportOptionalSubscript]


def test_every_decision_is_dated_and_says_context_decision_and_consequences() -> None:
    for page in DECISIONS.glob("*.md"):
        text = page.read_text("utf-8")
        assert re.search(r"^Date: \d{4}-\d\d-\d\d$", text, re.MULTILINE), page.name
        headings = re.findall(r"^## (.+)$", text, re.MULTILINE)
        assert headings == ["Context", "Decision", "Consequences"], page.name
