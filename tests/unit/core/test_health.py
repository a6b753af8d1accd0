"""What many looks at a server make of it."""

from dataclasses import replace
from itertools import pairwise
from typing import Final

from hypothesis import given
from hypothesis import strategies as st

from pierhead.core.health import (
    FLAP_CHANGES,
    FLAP_WINDOW_S,
    Condition,
    Health,
    Probe,
    by_version,
    judge,
    lately,
    spans,
)

UP: Final = Probe("time", "1", 1000.0, Condition.UP, 3.0, "", "d", is_as_published=True, dependencies=())


def looks(*found: tuple[float, Condition]) -> Health:
    health = None
    for at, condition in found:
        health = judge(health, replace(UP, at=at, condition=condition))
    assert health is not None
    return health


def alternating(times: int, every: float = 10.0) -> list[tuple[float, Condition]]:
    return [(1000.0 + at * every, (Condition.UP, Condition.DOWN)[at % 2]) for at in range(times)]


def test_a_first_look_is_no_change() -> None:
    health = looks((1000.0, Condition.DOWN))
    assert (health.condition, health.since, health.seen_at, health.changes) == (Condition.DOWN, 1000.0, 0.0, ())


def test_a_condition_holds_since_it_changed_and_the_last_answer_is_remembered() -> None:
    health = looks((1000.0, Condition.UP), (1010.0, Condition.DOWN), (1020.0, Condition.DOWN))
    assert (health.condition, health.since, health.seen_at, health.probes) == (Condition.DOWN, 1010.0, 1000.0, 3)


def test_a_degraded_server_is_seen() -> None:
    assert looks((1000.0, Condition.UP), (1010.0, Condition.DEGRADED)).seen_at == 1010.0


def test_a_server_that_changes_often_flaps_and_says_so_since_then() -> None:
    before = looks(*alternating(FLAP_CHANGES))
    assert before.condition is not Condition.FLAPPING
    health = looks(*alternating(FLAP_CHANGES + 4))
    assert (health.condition, health.since) == (Condition.FLAPPING, 1000.0 + FLAP_CHANGES * 10.0)


def test_slow_changes_are_no_flapping() -> None:
    assert looks(*alternating(30, FLAP_WINDOW_S / 2)).condition is not Condition.FLAPPING


def test_flapping_ends_after_a_quiet_window_alone() -> None:
    changes = alternating(FLAP_CHANGES + 1)
    last = changes[-1][0]
    assert looks(*changes, (last + FLAP_WINDOW_S - 1, changes[-1][1])).condition is Condition.FLAPPING
    quiet = looks(*changes, (last + FLAP_WINDOW_S + 1, changes[-1][1]))
    assert (quiet.condition, quiet.since) == (changes[-1][1], last + FLAP_WINDOW_S + 1)


def test_a_look_long_ago_says_nothing() -> None:
    health = looks((1000.0, Condition.UP))
    assert lately(health, 1090.0, 90.0) is health
    old = lately(health, 1091.0, 90.0)
    assert (old.condition, old.since, old.seen_at) == (Condition.UNKNOWN, 1000.0, 1000.0)


found = st.lists(st.tuples(st.floats(1, 300), st.sampled_from([Condition.UP, Condition.DEGRADED, Condition.DOWN])))


@given(found)
def test_shown_changes_are_few_however_a_server_behaves(steps: list[tuple[float, Condition]]) -> None:
    """Between two entries into flapping lies a quiet window, so facts cannot flood."""
    health, at, entered = judge(None, UP), 1000.0, list[float]()
    for pause, condition in steps:
        at += pause
        after = judge(health, replace(UP, at=at, condition=condition))
        assert len(after.changes) <= FLAP_CHANGES
        if after.condition is Condition.FLAPPING and health.condition is not Condition.FLAPPING:
            entered.append(at)
        health = after
    assert all(late - early > FLAP_WINDOW_S for early, late in pairwise(entered))


def test_looks_that_found_the_same_are_one_span_the_newest_first() -> None:
    found = [replace(UP, at=at, condition=condition) for at, condition in alternating(3)]
    newest_first = [replace(UP, at=1030.0, reason="still up"), *found[::-1]]
    told = spans(newest_first)
    assert [(span.condition, span.since, span.until, span.looks) for span in told] == [
        (Condition.UP, 1020.0, 1030.0, 2),
        (Condition.DOWN, 1010.0, 1010.0, 1),
        (Condition.UP, 1000.0, 1000.0, 1),
    ]
    assert told[0].reason == "still up"
    assert spans([]) == ()


def test_another_version_begins_another_span_and_is_counted_apart() -> None:
    looks_of_two = [
        replace(UP, at=1030.0, version="2"),
        replace(UP, at=1020.0, version="1", condition=Condition.DOWN),
        replace(UP, at=1010.0, version="1", condition=Condition.DEGRADED),
        replace(UP, at=1000.0, version="1"),
    ]
    assert [span.version for span in spans(looks_of_two)] == ["2", "1", "1", "1"]
    counted = by_version(looks_of_two)
    assert [(each.version, each.looks, each.answered, each.last.at) for each in counted] == [
        ("2", 1, 1, 1030.0),
        ("1", 3, 2, 1020.0),
    ]


def test_a_look_that_nobody_answered_is_at_the_version_before() -> None:
    health = judge(judge(None, UP), replace(UP, at=1010.0, condition=Condition.DOWN, version=""))
    assert (health.last.version, health.condition) == ("1", Condition.DOWN)
