"""What a browser hands over is judged: where it may be reached, and keys that seal something."""

from dataclasses import replace

import pytest
from tests.pushing import Pushable, text

from pierhead.core.browser import Browser, BrowserAdded, browser_id, bytes_of, check_address, check_browser
from pierhead.core.errors import Invalid

SERVICES = ("push.example", ".push.apple.com", "127.0.0.1:8443")
GOOD = Pushable().browser()


def test_a_browser_of_a_service_that_is_let_in_is_taken() -> None:
    check_browser(GOOD, SERVICES)
    assert (GOOD.service, bytes_of(GOOD.secret)) == ("push.example", b"0123456789abcdef")


@pytest.mark.parametrize(
    "address",
    ["https://push.example:443/x", "https://web.push.apple.com/QGu_-~", "https://127.0.0.1:8443/a?b=c"],
)
def test_a_service_is_a_host_with_its_port_or_all_below_a_dot(address: str) -> None:
    check_address(address, SERVICES)


@pytest.mark.parametrize(
    "address",
    [
        "",
        "http://push.example/x",
        "https://push.example.evil.example/x",
        "https://evilpush.apple.com/x",
        "https://push.example:8443/x",
        "https://127.0.0.1/x",
        "https://169.254.169.254/latest/meta-data",
        "https://user@push.example/x",
        "https://push.example@evil.example/x",
        "https://push.example/x#y",
        "https://push.example:99999/x",
        "https://[::1/x",
        "https://push.example/a b",
        "https://push.example/\nhost: evil",
        "file:///etc/passwd",
        f"https://push.example/{'x' * 1000}",
    ],
)
def test_nothing_is_sent_anywhere_else(address: str) -> None:
    with pytest.raises(Invalid) as refused:
        check_address(address, SERVICES)
    assert refused.value.code == "bad-browser"


@pytest.mark.parametrize(
    "change",
    [
        {"key": ""},
        {"key": "not base64!"},
        {"key": "aaaaa"},
        {"key": text(b"\x04" + b"\x01" * 64)},
        {"key": text(b"\x04" + b"\xff" * 64)},
        {"key": text(b"\x02" + Pushable().point[1:])},
        {"key": text(Pushable().point[:-1])},
        {"secret": text(b"x" * 15)},
        {"secret": ""},
    ],
)
def test_keys_that_seal_nothing_are_refused(change: dict[str, str]) -> None:
    with pytest.raises(Invalid) as refused:
        check_browser(replace(GOOD, **change), SERVICES)
    assert refused.value.code == "bad-browser"


def test_the_id_is_of_the_address_and_neither_fact_nor_text_tells_that() -> None:
    made = replace(GOOD, id=browser_id(GOOD.address), person="alice")
    assert made.id == browser_id(Pushable(secret=b"f" * 16).address) != browser_id("https://push.example/send/2")
    assert "send/1" not in f"{made!r}{BrowserAdded.of(made)!r}{made.id}"
    assert isinstance(made, Browser)
