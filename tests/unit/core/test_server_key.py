"""The key of a server that its team runs, and the credential that it travels in."""

from dataclasses import replace
from typing import Final

import pytest

from pierhead.core.enrolment import Enrolment
from pierhead.core.errors import Misconfigured, Unauthenticated
from pierhead.core.server_key import (
    ID_BYTES,
    SECRET_BYTES,
    assertion_label,
    check_server_key,
    new_server_key,
    server_named_in,
)

CHANCE: Final = bytes(range(ID_BYTES + SECRET_BYTES))
BEARER, KEY = new_server_key("my-lunch", "bob", 7.0, CHANCE)
ENROLMENT: Final = Enrolment("lunch", "http://h:1/mcp", "https://mcp", BEARER, "a" * 64, "0" * 64)


def test_a_bearer_names_its_server_and_proves_its_key() -> None:
    assert server_named_in(BEARER) == "my-lunch"
    assert check_server_key(BEARER, KEY) is KEY
    assert (KEY.server, KEY.made_by, KEY.made_at) == ("my-lunch", "bob", 7.0)
    assert BEARER not in repr(KEY)


@pytest.mark.parametrize("bearer", ["", "ps_", "ps_lunch", BEARER + "x", BEARER.replace("ps_", "ph_"), f" {BEARER}"])
def test_what_is_no_bearer_names_nobody(bearer: str) -> None:
    with pytest.raises(Unauthenticated) as refused:
        server_named_in(bearer)
    assert refused.value.code == "unknown-server-key"


def test_a_wrong_secret_reads_like_no_key_at_all() -> None:
    other, _ = new_server_key("my-lunch", "bob", 7.0, CHANCE[::-1])
    told = []
    for known in (KEY, None):
        with pytest.raises(Unauthenticated) as refused:
            check_server_key(other, known)
        told.append(str(refused.value))
    assert told[0] == told[1]


def test_each_key_has_a_label_of_its_own_and_a_server_of_the_platform_its_name() -> None:
    assert assertion_label("lunch", "") == "lunch"
    assert assertion_label("lunch", "a") != assertion_label("lunch", "b") != "lunch"


def test_a_credential_is_one_line_that_reads_as_it_was_written() -> None:
    assert Enrolment.read(f"  {ENROLMENT.text()}\n") == ENROLMENT
    assert "\n" not in ENROLMENT.text()
    assert BEARER not in repr(ENROLMENT)
    assert ENROLMENT.assertion not in repr(ENROLMENT)


@pytest.mark.parametrize(
    "text",
    [
        *("", "pierhead-server:", "pierhead-server:!!!", "pierhead-server:e30=", "pierhead-server:W10=", "é"),
        *(ENROLMENT.text()[:-8], "x" + ENROLMENT.text(), "pierhead-server:" + "A" * 9000),
        *(replace(ENROLMENT, assertion="zz").text(), replace(ENROLMENT, policy="").text()),
    ],
)
def test_what_is_no_credential_is_refused_and_not_told(text: str) -> None:
    with pytest.raises(Misconfigured) as refused:
        Enrolment.read(text)
    assert refused.value.code == "bad-credential"
    assert BEARER[-10:] not in str(refused.value)
