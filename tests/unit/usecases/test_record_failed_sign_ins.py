"""Failed sign-ins: none goes uncounted, and a flood does not fill the disk."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pierhead.core.audit_sign_in import SignInFailed
from pierhead.usecases.memory import MemoryAudit, MemoryClock
from pierhead.usecases.record_failed_sign_ins import FailedSignIns

pytestmark = pytest.mark.anyio


def _desk() -> tuple[FailedSignIns, MemoryAudit, MemoryClock]:
    audit, clock = MemoryAudit(), MemoryClock()
    return FailedSignIns(audit, clock, window_s=10), audit, clock


async def test_the_first_of_each_reason_is_recorded_at_once() -> None:
    failed, audit, _ = _desk()
    await failed.record("token-expired", "warehouse", "client")
    await failed.record("token-missing", "warehouse", "client")
    assert audit.facts == [
        SignInFailed("token-expired", "warehouse", "client"),
        SignInFailed("token-missing", "warehouse", "client"),
    ]


async def test_the_others_of_a_window_are_counted_and_recorded_when_it_ends() -> None:
    failed, audit, clock = _desk()
    for _ in range(1000):
        await failed.record("token-expired", "warehouse", "client")
    assert len(audit.facts) == 1
    await failed.flush()
    assert len(audit.facts) == 1
    clock.seconds += 10
    await failed.flush()
    assert audit.facts[1:] == [SignInFailed("token-expired", "", "", count=999)]


async def test_a_new_window_records_its_first_at_once_again() -> None:
    failed, audit, clock = _desk()
    await failed.record("token-expired", "warehouse", "client")
    clock.seconds += 10
    await failed.record("token-expired", "warehouse", "client")
    assert len(audit.facts) == 2


async def test_the_end_waits_for_no_window() -> None:
    failed, audit, _ = _desk()
    await failed.record("token-expired", "warehouse", "client")
    await failed.record("token-expired", "warehouse", "client")
    await failed.flush(at_the_end=True)
    assert [getattr(fact, "count", 0) for fact in audit.facts] == [1, 1]


@given(st.lists(st.tuples(st.sampled_from(("a", "b", "c")), st.floats(0, 15)), max_size=30))
async def test_every_failure_is_counted_once_and_a_window_costs_two_facts_a_reason(
    events: list[tuple[str, float]],
) -> None:
    failed, audit, clock = _desk()
    windows = 1
    for reason, wait in events:
        clock.seconds += wait
        windows += wait > 0
        await failed.record(reason, "", "")
    await failed.flush(at_the_end=True)
    facts = [fact for fact in audit.facts if isinstance(fact, SignInFailed)]
    for reason in "abc":
        counted = sum(fact.count for fact in facts if fact.reason == reason)
        assert counted == sum(happened == reason for happened, _ in events)
        assert sum(fact.reason == reason for fact in facts) <= 2 * windows
