"""How long reviewers have, as an operator sets it."""

from pathlib import Path

import pytest

from pierhead.bootstrap.settings import RegistrySettings, read_settings
from pierhead.bootstrap.wire_registry import review_days
from pierhead.core.errors import Misconfigured
from pierhead.core.review import WORKING_DAYS, Gate


def written(folder: Path, days: str) -> RegistrySettings:
    file = folder / "pierhead.toml"
    file.write_text(f"[registry]\nreview_days = {days}\n")
    return read_settings({}, file, {}).settings.registry


def test_a_gate_has_the_days_that_are_set_and_the_others_the_usual_ones(tmp_path: Path) -> None:
    assert review_days(written(tmp_path, "{legal = 10}")) == {**WORKING_DAYS, Gate.LEGAL: 10}
    assert review_days(RegistrySettings()) == WORKING_DAYS  # pyright: ignore[reportCallIssue] - defaults fill it


@pytest.mark.parametrize("days", ["{finance = 3}", "{legal = 0}", "{legal = 61}", '{legal = "soon"}'])
def test_what_is_no_gate_or_no_number_of_days_does_not_start(tmp_path: Path, days: str) -> None:
    with pytest.raises(Misconfigured) as refused:
        review_days(written(tmp_path, days))
    assert refused.value.code == "bad-setting"
