"""An issuer's keys: which entries are keys, when they are asked for again, and who waits for whom."""

import asyncio
import json
from base64 import urlsafe_b64encode
from functools import cache
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from joserfc.jwk import ECKey, RSAKey

from pierhead.adapters.oidc.keys import KeySet, read_keys
from pierhead.core.errors import Unauthenticated, UpstreamUnreachable
from pierhead.usecases.memory import MemoryClock

pytestmark = pytest.mark.anyio

HOUR_S = 3600.0


@cache
def good(kid: str = "k-1") -> dict[str, Any]:
    return RSAKey.generate_key(2048, {"kid": kid, "use": "sig"}, private=True).as_dict(private=False)


@cache
def small() -> dict[str, Any]:
    numbers = rsa.generate_private_key(65537, 1024).public_key().public_numbers()  # noqa: S505 - it must be refused
    modulus = urlsafe_b64encode(numbers.n.to_bytes(128, "big")).rstrip(b"=").decode()
    return {"kty": "RSA", "kid": "small", "n": modulus, "e": "AQAB"}


def document(*entries: Any) -> bytes:
    return json.dumps({"keys": list(entries)}).encode()


@pytest.mark.parametrize(
    "entry",
    [
        7,
        None,
        "k-1",
        [],
        {},
        {**good(), "use": "enc"},
        {**good(), "kid": 7},
        {name: value for name, value in good().items() if name != "kid"},
        {"kty": "oct", "kid": "k-1", "k": "c2VjcmV0"},
        {"kty": ["RSA"], "kid": "k-1"},
        {"kty": "RSA", "kid": "k-1", "e": "AQAB"},
        {**good(), "n": 7},
        {**good(), "n": "AA"},
    ],
)
def test_what_is_no_usable_key_is_passed_over_and_the_others_are_read(entry: Any) -> None:
    assert list(read_keys(document(entry, good("k-2")))) == ["k-2"]


@pytest.mark.filterwarnings("ignore::joserfc.errors.SecurityWarning")
def test_a_key_that_is_too_small_is_none() -> None:
    assert list(read_keys(document(small(), good()))) == ["k-1"]


def test_a_key_may_say_more_of_itself_than_is_read() -> None:
    curve = ECKey.generate_key("P-256", {"kid": "curve"}, private=True).as_dict(private=False)
    assert list(read_keys(document({**good(), "key_ops": ["verify"], "ext": True, "x5c": ["AA"]}, curve))) == [
        "k-1",
        "curve",
    ]


@pytest.mark.parametrize("text", [b"", b"[]", b"{}", b'{"keys": {}}', b'{"keys": null}', b"\xff", b"[" * 100_000])
def test_what_is_no_key_set_has_no_keys(text: bytes) -> None:
    assert read_keys(text) == {}


class Issuer:
    """Answers with its keys, once it is let."""

    def __init__(self) -> None:
        self.clock = MemoryClock()
        self.entries = [good()]
        self.asked = 0
        self.answers = asyncio.Event()
        self.answers.set()
        self.keys = KeySet(self.fetch, self.clock)

    async def fetch(self) -> bytes:
        self.asked += 1
        await self.answers.wait()
        return document(*self.entries)


async def test_keys_are_asked_for_again_when_they_are_an_hour_old() -> None:
    at = Issuer()
    await at.keys.key("k-1")
    at.clock.seconds += HOUR_S - 1
    await at.keys.key("k-1")
    assert at.asked == 1
    at.clock.seconds += 1
    await at.keys.key("k-1")
    assert at.asked == 2


async def test_who_holds_a_good_key_does_not_wait_for_newer_ones_and_others_do() -> None:
    at = Issuer()
    await at.keys.key("k-1")
    at.answers.clear()
    at.clock.seconds += HOUR_S
    asking = asyncio.create_task(at.keys.key("k-1"))
    stranger = asyncio.create_task(at.keys.key("k-2"))
    await asyncio.sleep(0)
    await asyncio.wait_for(at.keys.key("k-1"), 5)
    assert not asking.done()
    assert not stranger.done()
    at.entries = [good(), good("k-2")]
    at.answers.set()
    await asyncio.gather(asking, stranger)
    assert at.asked == 2


async def test_the_first_who_ask_wait_for_one_answer() -> None:
    at = Issuer()
    at.answers.clear()
    waiting = [asyncio.create_task(at.keys.key("k-1")) for _ in range(3)]
    await asyncio.sleep(0)
    assert not any(task.done() for task in waiting)
    at.answers.set()
    await asyncio.gather(*waiting)
    assert at.asked == 1


async def test_keys_of_a_day_ago_are_good_for_nobody_who_would_rather_not_wait() -> None:
    at = Issuer()
    await at.keys.key("k-1")
    at.answers.clear()
    at.clock.seconds += 24 * HOUR_S
    asking = [asyncio.create_task(at.keys.key("k-1")) for _ in range(2)]
    await asyncio.sleep(0)
    assert not any(task.done() for task in asking)
    at.entries = []
    at.answers.set()
    for task in asking:
        with pytest.raises(UpstreamUnreachable):
            await task


async def test_an_empty_set_replaces_nothing() -> None:
    at = Issuer()
    await at.keys.key("k-1")
    at.entries = []
    at.clock.seconds += HOUR_S
    assert await at.keys.key("k-1")
    with pytest.raises(Unauthenticated):
        await at.keys.key("k-2")
