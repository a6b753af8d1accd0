"""What a client declares of its run: a claim, read as far as it is plain."""

from typing import Any

import pytest

from pierhead.core.run import NO_RUN, Run, run_in

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.mark.parametrize(
    ("meta", "declared"),
    [
        ({"io.pierhead/run": "run-7"}, "run-7"),
        ({"traceparent": TRACE}, "0af7651916cd43dd8448eb211c80319c"),
        ({"io.pierhead/run": "run-7", "traceparent": TRACE}, "run-7"),
        ({"io.pierhead/run": "two words", "traceparent": TRACE}, "0af7651916cd43dd8448eb211c80319c"),
        ({"io.pierhead/run": "x" * 129}, ""),
        ({"io.pierhead/run": 7}, ""),
        ({"io.pierhead/run": "<b>"}, ""),
        ({"traceparent": TRACE.upper()}, ""),
        ({"traceparent": None}, ""),
        ({}, ""),
        (None, ""),
        ("run-7", ""),
    ],
)
def test_a_run_is_named_by_our_key_or_by_its_trace(meta: Any, declared: str) -> None:
    assert run_in(meta).id == declared


def test_evidence_is_a_short_list_of_plain_words() -> None:
    listed = ["call-1", "call-1", 7, "two words", "https://wiki.example/a"]
    assert run_in({"io.pierhead/evidence": listed}) == Run("", ("call-1", "https://wiki.example/a"))
    assert run_in({"io.pierhead/evidence": "call-1"}) == NO_RUN
    assert len(run_in({"io.pierhead/evidence": [f"call-{number}" for number in range(50)]}).evidence) == 20
