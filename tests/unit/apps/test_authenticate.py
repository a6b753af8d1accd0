"""In which channel a caller is: the word of an attested chat surface, and of nobody else."""

import pytest
from tests.unit.samples import AGENT, ALICE, caller

from pierhead.apps.authenticate import in_channel
from pierhead.core.errors import Invalid
from pierhead.core.identity import ANONYMOUS, Both, Principal

CHAT = Both(ALICE, AGENT)


@pytest.mark.parametrize("surface", ["chat", "channel"])
@pytest.mark.parametrize("principal", [CHAT, AGENT])
def test_an_attested_chat_surface_tells_the_channel(principal: Principal, surface: str) -> None:
    assert in_channel(caller(principal, surface), b"airflow-help").channel == "airflow-help"
    assert in_channel(caller(principal, surface), None).channel == ""


@pytest.mark.parametrize("principal", [ALICE, ANONYMOUS])
def test_a_person_on_a_chat_listener_cannot_name_a_channel(principal: Principal) -> None:
    assert in_channel(caller(principal, "chat"), b"airflow-help").channel == ""


@pytest.mark.parametrize("surface", ["ide", "agent", "", "Chat", "chats"])
def test_a_workload_that_is_no_chat_surface_cannot_name_a_channel(surface: str) -> None:
    assert in_channel(caller(CHAT, surface), b"airflow-help").channel == ""


@pytest.mark.parametrize("claimed", [b"", b"a b", b"a\n", b"\xc3\xa4", b"a" * 257, b"a, b"])
def test_what_is_no_name_of_a_channel_is_refused(claimed: bytes) -> None:
    with pytest.raises(Invalid, match="no name of a channel"):
        in_channel(caller(CHAT, "chat"), claimed)
