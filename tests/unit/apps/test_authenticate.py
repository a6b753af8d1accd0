"""In which channel a caller is, and whether a person sits before their surface: never their own word."""

from dataclasses import dataclass

import pytest
from tests.unit.samples import AGENT, ALICE, caller

from pierhead.apps.authenticate import Credentials, Listener, in_channel
from pierhead.core.errors import Invalid
from pierhead.core.identity import ANONYMOUS, Both, Principal, User, Workload
from pierhead.core.workload import Proven, Registration

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


@dataclass
class Issued:
    """A token, as it was verified."""

    client: str
    scopes: frozenset[str] = frozenset()
    principal: User | Workload = ALICE
    expires_at: float = 1e12
    proved_at: float = 1e9


@dataclass
class Verified:
    """Tokens of one client, and workloads that are all the same."""

    client: str
    interactive: bool

    async def verify(self, token: bytes, audience: str) -> Issued:
        assert token
        assert audience
        return Issued(self.client)

    def is_token(self, token: bytes) -> bool:
        return token == b"svid"

    def from_token(self, token: bytes, audience: str) -> Proven:
        assert token
        assert audience
        return Proven(AGENT, Registration("chat", "prod", self.interactive), 1e12)

    def from_sidecar(self, header: bytes) -> Proven:
        raise AssertionError(header)


async def attested(client: str, program: bytes | None, *, registered: bool = True) -> bool:
    verified = Verified(client, registered)
    listener = Listener(verified, "ide", "prod", verified, frozenset({"https://editor.example/client.json"}))
    credentials = Credentials(b"Bearer token", program)
    return (await listener.caller(credentials, "audience", "1"))[0].interactive


@pytest.mark.anyio
async def test_a_person_sits_before_a_client_that_the_operator_named() -> None:
    assert await attested("https://editor.example/client.json", None)
    assert not await attested("https://editor.example/client.json/", None)
    assert not await attested("pierhead-cli", None)
    assert not await attested("", None)


@pytest.mark.anyio
async def test_through_a_program_both_it_and_the_client_must_be_named() -> None:
    assert await attested("https://editor.example/client.json", b"svid")
    assert not await attested("https://editor.example/client.json", b"svid", registered=False)
    assert not await attested("pierhead-cli", b"svid")


@pytest.mark.anyio
async def test_nobody_sits_before_a_program_that_speaks_for_itself() -> None:
    verified = Verified("https://editor.example/client.json", interactive=True)
    listener = Listener(verified, "ide", "prod", verified, frozenset({"https://editor.example/client.json"}))
    assert not (await listener.caller(Credentials(b"Bearer svid"), "audience", "1"))[0].interactive
