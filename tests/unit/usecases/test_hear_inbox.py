"""Whoever looks at approvals hears that something of theirs changed, and of nobody else's."""

import pytest

from pierhead.usecases.hear_inbox import Ears, OwnNews
from pierhead.usecases.ports_approvals import Everyone, Seer

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("seer", "people", "approvers", "hears"),
    [
        (Seer("alice", frozenset()), ("alice", ""), (), True),
        (Seer("frank", frozenset({"ops"})), ("alice",), ("ops", "sec"), True),
        (Seer("bob", frozenset({"ads"})), ("alice",), ("ops",), False),
        (Seer("ops", frozenset()), ("alice",), ("ops",), False),
        (Everyone(), ("alice",), (), True),
    ],
)
def test_a_change_is_heard_by_whose_business_it_is(
    seer: Seer | Everyone, people: tuple[str, ...], approvers: tuple[str, ...], hears: bool
) -> None:
    ears = Ears()
    with ears.listening(seer) as heard:
        ears.tell(people, approvers)
        assert heard.is_set() is hears


def test_whoever_left_hears_nothing_and_then_nobody_listens() -> None:
    ears = Ears()
    assert ears.is_empty
    with ears.listening(Everyone()) as first, ears.listening(Everyone()) as second:
        assert not ears.is_empty
    ears.tell(("alice",), ())
    assert (ears.is_empty, first.is_set(), second.is_set()) == (True, False, False)


async def test_one_process_tells_its_own() -> None:
    news = OwnNews()
    async with news.listening(Everyone()) as heard:
        news.ears.tell((), ())
        assert heard.is_set()
    assert news.ears.is_empty
