"""Web push, at a push service of our own over TLS: sealed for one browser, signed as ours, and gone when it is gone."""

import json
import ssl
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from pydantic import SecretStr
from tests.approving import proposal
from tests.push_service import PushService, push_service, unpacked
from tests.pushing import Pushable, text

from pierhead.adapters.foreign.web_push import WebPush, public_text, sealed
from pierhead.bootstrap.fleet import load
from pierhead.bootstrap.keys import Keys
from pierhead.bootstrap.notify_settings import NotifySettings
from pierhead.bootstrap.settings import RegistrySettings, read_settings
from pierhead.bootstrap.wire_notices import notice_desk
from pierhead.bootstrap.wire_push import push_key
from pierhead.bootstrap.wire_registry import RegistrySetting, registry_adapters
from pierhead.core.errors import Invalid, Misconfigured, NotFound, UpstreamUnreachable
from pierhead.core.identity import User
from pierhead.usecases.ask_approval import ask_approval
from pierhead.usecases.deliver_notices import deliver_notices
from pierhead.usecases.hear_in_browser import hear_in_browser, heard_in
from pierhead.usecases.ports_push import Pushed

pytestmark = [pytest.mark.slow, pytest.mark.anyio]

NOW: Final = 1_795_000_000.0
HERE: Final = frozenset({"127.0.0.1"})
MESSAGE: Final = Pushed(b'{"body": "1 call waits for you."}', 3600, "approvals", is_urgent=True)
FLEET: Final = """
people: {alice: {groups: [data-eng]}, frank: {groups: [platform-admin]}, gina: {groups: [platform-admin]}}
servers:
  time:
    kind: stdio
    command: [python, -m, mcp_server_time]
    owner: data-platform
    support: "#data-help"
    access: {groups: [data-eng]}
    tools: {now: {policy: everyone, effect: read, minutes_saved: 1}}
"""
#: RFC 8291, appendix A.
SENDER: Final = "yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw"
RECEIVER: Final = "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4"
AUTH: Final = "BTBZMqHH6r4Tts7J_aSIgg"
SALT: Final = "DGv6ra1nlYgDCS1FRnbzlw"
PLAIN: Final = b"When I grow up, I want to be a watermelon"
SEALED: Final = (
    "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7"
    "A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"
)


@pytest.fixture(scope="module")
def key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[PushService, Path]]:
    with push_service(tmp_path_factory.mktemp("push")) as started:
        yield started


@pytest.fixture
def service(served: tuple[PushService, Path], key: ec.EllipticCurvePrivateKey) -> PushService:
    fresh, _ = served
    fresh.status, fresh.bound = 201, public_text(key)
    fresh.came.clear()
    return fresh


@pytest.fixture
def push(served: tuple[PushService, Path], key: ec.EllipticCurvePrivateKey) -> WebPush:
    trust = ssl.create_default_context(cafile=str(served[1]))
    return WebPush(key, "mailto:mcp@example.com", HERE, trust, lambda length: b"s" * length)


def test_a_message_is_sealed_as_the_standard_seals_its_example() -> None:
    """But for the padding, which comes after it: the key stream is the same."""
    browser = replace(Pushable().browser(), key=RECEIVER, secret=AUTH)
    sender = ec.derive_private_key(int.from_bytes(unpacked(SENDER), "big"), ec.SECP256R1())
    known, made = unpacked(SEALED), sealed(PLAIN, browser, sender, unpacked(SALT))
    shown = len(known) - 16
    assert made[:shown] == known[:shown]
    assert len(made) == len(sealed(b"{}", browser, sender, unpacked(SALT)))


def test_what_does_not_fit_is_never_cut() -> None:
    with pytest.raises(Invalid):
        sealed(b"x" * 512, Pushable().browser(), ec.generate_private_key(ec.SECP256R1()), b"s" * 16)


async def test_one_browser_reads_it_and_its_service_knows_whom_it_comes_from(
    push: WebPush, service: PushService
) -> None:
    browser = Pushable(f"https://{service.place}/send/one")
    await push.push(browser.browser(), MESSAGE, NOW)
    (came,) = service.came
    assert browser.opened(came.body) == {"body": "1 call waits for you."}
    assert b"waits" not in came.body
    assert (came.path, came.headers["ttl"], came.headers["urgency"]) == ("/send/one", "3600", "high")
    assert came.headers["topic"] == "approvals"
    assert came.claims == {"aud": f"https://{service.place}", "exp": 1_795_003_600, "sub": "mailto:mcp@example.com"}
    await push.push(browser.browser(), replace(MESSAGE, topic="", is_urgent=False), NOW)
    assert ("topic" in service.came[1].headers, service.came[1].headers["urgency"]) == (False, "normal")
    assert service.came[0].body[16:] != service.came[1].body[16:], "each has a key of its own"


@pytest.mark.parametrize(
    ("status", "error"),
    [(404, NotFound), (410, NotFound), (413, Invalid), (429, UpstreamUnreachable), (503, UpstreamUnreachable)],
)
async def test_a_service_says_what_lasts_and_what_passes(
    push: WebPush, service: PushService, status: int, error: type[Exception]
) -> None:
    service.status = status
    with pytest.raises(error, match=str(status)):
        await push.push(Pushable(f"https://{service.place}/x").browser(), MESSAGE, NOW)


async def test_another_key_is_refused_and_nobody_unproved_is_trusted(push: WebPush, service: PushService) -> None:
    browser = Pushable(f"https://{service.place}/x").browser()
    other = replace(push, key=ec.generate_private_key(ec.SECP256R1()))
    with pytest.raises(UpstreamUnreachable, match="403"):
        await other.push(browser, MESSAGE, NOW)
    with pytest.raises(UpstreamUnreachable):
        await replace(push, trust=ssl.create_default_context(cadata="")).push(browser, MESSAGE, NOW)
    assert service.came == []


async def test_nothing_goes_inside_or_where_a_service_leads_to(push: WebPush, service: PushService) -> None:
    browser = Pushable(f"https://{service.place}/x").browser()
    with pytest.raises(UpstreamUnreachable, match="inside the network"):
        await replace(push, allowed=frozenset()).push(browser, MESSAGE, NOW)
    service.status = 307
    with pytest.raises(UpstreamUnreachable, match="not followed"):
        await push.push(browser, MESSAGE, NOW)
    with pytest.raises(UpstreamUnreachable):
        await push.push(Pushable("https://127.0.0.1:1/x").browser(), MESSAGE, NOW)


def setting(folder: Path, service: PushService) -> RegistrySetting:
    """A registry that lets that service in, and nothing else."""
    (folder / "fleet.yaml").write_text(FLEET)
    Keys.at(folder).ensure(())
    return RegistrySetting(
        data=folder,
        fleet=load(folder / "fleet.yaml", folder),
        public_url="http://127.0.0.1:8420",
        surface="ide",
        environment="local",
        rules=RegistrySettings(allowed_hosts=("127.0.0.1",)),
        notify=NotifySettings(push_contact="mailto:mcp@example.com", push_services=(service.place,)),
    )


async def test_whoever_is_asked_hears_of_it_in_their_browser_and_one_that_is_gone_is_forgotten(
    served: tuple[PushService, Path], service: PushService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(served[1]))
    async with AsyncExitStack() as opened:
        adapters = await registry_adapters(setting(tmp_path, service), opened)
        assert adapters.push is not None
        service.bound = adapters.push.key
        frank = User(adapters.desk.terms.people_of, "frank", frozenset())
        browser = Pushable(f"https://{service.place}/frank")
        await hear_in_browser(browser.browser(), frank, adapters.push)
        outbox = notice_desk(adapters)
        for number, status in enumerate((201, 410)):
            service.status = status
            await ask_approval(proposal({"n": number, "note": "hunter2"}), adapters.approvals)
            taken = [await deliver_notices(outbox) for _ in ("where it goes", "there")]
            assert taken == [0, status == 201]
        assert await heard_in(frank, adapters.push) == []
        lines = await adapters.facts.lines(("registry", 0), 100)
    said = browser.opened(service.came[0].body)
    assert said == {"body": "1 call waits for you.", "path": "/approvals", "tag": "approvals"}
    kinds = [json.loads(line.line)["fact"]["kind"] for line in lines]
    assert [kind for kind in kinds if kind.startswith("browser")] == ["browser-added", "browser-ended"]
    assert str(browser.address) not in "".join(line.line.decode() for line in lines)


def test_the_key_is_the_platforms_and_stays_or_is_the_configured_one(tmp_path: Path) -> None:
    keys, ours = Keys.at(tmp_path), NotifySettings()
    first = push_key(ours, keys)
    assert public_text(first) == public_text(push_key(ours, keys))
    assert (tmp_path / "keys" / "push.key").stat().st_mode & 0o077 == 0
    named = NotifySettings(push_key=SecretStr(SENDER))
    assert public_text(push_key(named, keys)).startswith("BP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIg")
    for wrong in ("x", text(b"x" * 31), text(bytes(32)), "é" * 43):
        with pytest.raises(Misconfigured):
            push_key(NotifySettings(push_key=SecretStr(wrong)), keys)


@pytest.mark.parametrize(
    "contact", ["mcp@example.com", "mailto:nobody", "http://x.example", "https://", "javascript:1"]
)
def test_a_contact_is_an_address_or_nothing_starts(contact: str) -> None:
    with pytest.raises(Misconfigured, match="push_contact"):
        read_settings({("notify", "push_contact"): contact}, environment={})


def test_services_are_named_one_a_line(tmp_path: Path) -> None:
    environment = {"PIERHEAD__NOTIFY__PUSH_SERVICES": "a.example\n .b.example\n"}
    found = read_settings({("platform", "data"): str(tmp_path)}, environment=environment)
    assert found.settings.notify.push_services == ("a.example", ".b.example")
