"""What the type checker was told is what happens: the file it checks runs too."""

import pytest
from tests.typing import public_sdk

from pierhead import Caller
from pierhead.core.identity import ANONYMOUS, User

pytestmark = pytest.mark.anyio


@pytest.fixture
def ann() -> Caller:
    return Caller(User("https://issuer.example", "ann", frozenset({"staff"})), "ide", "local", "correlation-1")


async def test_a_declared_function_is_still_the_one_that_was_written(ann: Caller) -> None:
    await public_sdk.awaited(ann)
    assert public_sdk.add(1, b=2) == 3
    assert await public_sdk.greet("bob", caller=ann) == ["bob", "ann"]
    assert sorted(public_sdk.server.tools) == ["add", "greet"]


async def test_the_platform_in_memory_is_what_it_says_it_is() -> None:
    await public_sdk.in_memory()


def test_a_caller_has_the_members_that_the_checker_knows(ann: Caller) -> None:
    public_sdk.members_of(ann)
    public_sdk.members_of(Caller(ANONYMOUS, "ide", "local", ""))
