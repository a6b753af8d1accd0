"""Signed webhooks, at a real receiver; and addresses that are not to be reached."""

import asyncio
import base64
import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final

import pytest
from pydantic import SecretStr
from tests.approving import proposal
from tests.unit.core.test_reminding import REVIEW
from tests.unit.registry_in_memory import MANIFEST

from pierhead.adapters.foreign.slack import Slack
from pierhead.adapters.foreign.webhook import Webhook
from pierhead.bootstrap.fleet import load
from pierhead.bootstrap.keys import Keys
from pierhead.bootstrap.notify_settings import NotifySettings
from pierhead.bootstrap.settings import RegistrySettings, read_settings
from pierhead.bootstrap.wire_notices import deliver_for_ever, tell_for_ever, warn_owners_for_ever
from pierhead.bootstrap.wire_registry import RegistrySetting, registry_adapters
from pierhead.core.catalog import Stage
from pierhead.core.errors import Invalid, Misconfigured, UpstreamUnreachable
from pierhead.usecases.ask_approval import ask_approval
from pierhead.usecases.ports_catalogue import Change, Version
from pierhead.usecases.ports_notices import Notice

pytestmark = [pytest.mark.slow, pytest.mark.anyio]

KEY: Final = b"k" * 32
HERE: Final = frozenset({"127.0.0.1"})
LONG_AGO: Final = replace(REVIEW, lock=0, submitted_at=1.0, due_at=tuple((gate, 2.0) for gate, _ in REVIEW.due_at))
ENDING: Final = Version(
    "time", "1", Stage.DEPRECATED, MANIFEST, replace(REVIEW.binding, server="time"), "", 1.0, 1.0, "", "", "", None, 0
)
FLEET: Final = """
people: {carol: {groups: [security-reviewers]}}
servers:
  time:
    kind: stdio
    command: [python, -m, mcp_server_time]
    owner: data-platform
    support: "#data-help"
    access: {groups: [data-eng]}
    tools: {now: {policy: everyone, effect: read, minutes_saved: 1}}
"""
NOTICE: Final = Notice("n1", "review.half", 1_795_000_000.0, {"review": "r1", "server": "clock"}, 0, 0.0)


class Receiver(ThreadingHTTPServer):
    """Answers with `status`; keeps what came."""

    daemon_threads = True
    status = 204
    location = ""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.came: list[tuple[dict[str, str], bytes]] = []
        self.arrived = threading.Semaphore(0)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/hooks"


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        assert isinstance(self.server, Receiver)
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.came.append(({name.lower(): value for name, value in self.headers.items()}, body))
        self.send_response(self.server.status)
        if self.server.location:
            self.send_header("location", self.server.location)
        self.send_header("content-length", "0")
        self.end_headers()
        self.server.arrived.release()

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    server = Receiver()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


async def test_whoever_holds_the_key_can_tell_that_it_is_ours_and_when_it_was_sent(receiver: Receiver) -> None:
    await Webhook(receiver.url, KEY, HERE).send(NOTICE, 1_795_000_060.9)

    ((headers, body),) = receiver.came
    signed = f"n1.1795000060.{body.decode()}".encode()
    expected = base64.b64encode(hmac.new(KEY, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"
    assert (headers["webhook-id"], headers["webhook-timestamp"]) == ("n1", "1795000060")
    assert json.loads(body) == {"type": "review.half", "timestamp": NOTICE.at, "data": dict(NOTICE.content)}


@pytest.mark.parametrize(("status", "said"), [(500, "it answered 500"), (404, "it answered 404"), (401, "refuses")])
async def test_what_is_not_taken_is_told_with_its_reason(receiver: Receiver, status: int, said: str) -> None:
    receiver.status = status
    with pytest.raises(UpstreamUnreachable) as failed:
        await Webhook(receiver.url, KEY, HERE).send(NOTICE, 1.0)
    assert said in failed.value.message


async def test_an_address_that_is_gone_is_not_tried_again(receiver: Receiver) -> None:
    receiver.status = 410
    with pytest.raises(Invalid):
        await Webhook(receiver.url, KEY, HERE).send(NOTICE, 1.0)


async def test_a_redirect_is_not_followed(receiver: Receiver) -> None:
    receiver.status, receiver.location = 302, f"{receiver.url}/elsewhere"
    with pytest.raises(UpstreamUnreachable, match="redirects"):
        await Webhook(receiver.url, KEY, HERE).send(NOTICE, 1.0)
    assert len(receiver.came) == 1


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/", "https://169.254.169.254/latest", "https://[::1]/x"])
async def test_nothing_is_sent_into_the_network(url: str) -> None:
    with pytest.raises(UpstreamUnreachable, match="inside the network"):
        await Webhook(url, KEY).send(NOTICE, 1.0)


TOLD: Final = replace(
    NOTICE,
    content={"title": "clock: <!channel>", "sentence": "It & *all* ends.", "url": "https://mcp.example/servers/clock"},
)


async def test_slack_is_told_in_plain_words_with_a_link(receiver: Receiver) -> None:
    await Slack(receiver.url, HERE).send(TOLD, 1.0)
    said = json.loads(receiver.came[0][1])
    assert said["text"] == "clock: &lt;!channel&gt;: It &amp; *all* ends."
    told, link = (each["text"] for each in said["blocks"])
    assert (told["type"], told["text"]) == ("plain_text", "clock: <!channel>\nIt & *all* ends.")
    assert link["text"] == "<https://mcp.example/servers/clock|Open it in Pierhead>"


@pytest.mark.parametrize(("status", "error"), [(404, Invalid), (400, Invalid), (429, UpstreamUnreachable)])
async def test_what_slack_does_not_take_never_tells_the_address(
    receiver: Receiver, status: int, error: type[Invalid | UpstreamUnreachable]
) -> None:
    receiver.status = status
    with pytest.raises(error) as refused:
        await Slack(receiver.url, HERE).send(TOLD, 1.0)
    assert (str(status) in refused.value.message, receiver.url in refused.value.message) == (True, False)


async def test_slack_is_reached_nowhere_inside_the_network(receiver: Receiver) -> None:
    with pytest.raises(UpstreamUnreachable) as refused:
        await Slack(receiver.url).send(TOLD, 1.0)
    assert receiver.url not in refused.value.message


@pytest.mark.parametrize("url", ["https://hooks.example/services/T0/B0/s3cret", "http://hooks.slack.com/s3cret", "x"])
def test_an_address_that_is_not_slacks_does_not_start_and_is_not_told(url: str) -> None:
    with pytest.raises(Misconfigured, match=r"notify.slack_url") as refused:
        read_settings({("notify", "slack_url"): url}, environment={})
    assert "s3cret" not in refused.value.message


async def test_the_registry_reminds_by_itself_and_sends_each_notice_once(receiver: Receiver, tmp_path: Path) -> None:
    fleet = tmp_path / "fleet.yaml"
    fleet.write_text(FLEET)
    keys = Keys.at(tmp_path)
    keys.ensure(("time",))
    notify = NotifySettings(url=receiver.url, secret=SecretStr(f"whsec_{base64.b64encode(KEY).decode()}"))
    setting = RegistrySetting(
        data=tmp_path,
        fleet=load(fleet, tmp_path),
        public_url="https://mcp.example",
        surface="ide",
        environment="local",
        rules=RegistrySettings(allowed_hosts=("127.0.0.1",)),  # pyright: ignore[reportCallIssue]
        notify=notify,
    )
    async with AsyncExitStack() as opened:
        adapters = await registry_adapters(setting, opened)
        ends = replace(ENDING, sunset_at=adapters.clock.now() + 3600.0)
        await adapters.catalogue.change(Change(facts=(), reviews=(LONG_AGO,), versions=(ends,)), 1.0)
        asked = await ask_approval(proposal({"note": "hunter2"}), adapters.approvals)
        telling = [
            asyncio.create_task(tell_for_ever(adapters, every_s=0.01)),
            asyncio.create_task(warn_owners_for_ever(adapters, every_s=0.01)),
            asyncio.create_task(deliver_for_ever(adapters, every_s=0.01)),
        ]
        for _ in range(len(REVIEW.due_at) + 2):
            assert await asyncio.to_thread(receiver.arrived.acquire, timeout=20)
        for task in telling:
            task.cancel()
        await asyncio.gather(*telling, return_exceptions=True)

    came = [json.loads(body) for _, body in receiver.came]
    (approval,) = [each["data"] for each in came if each["type"] == "approval.asked"]
    assert (approval["approval"], "hunter2" in json.dumps(came)) == (asked.id, False)
    told_of = [each["data"] for each in came if each["type"].startswith("review.")]
    assert sorted((each["gate"], each["urgency"]) for each in told_of) == [
        ("legal", "escalated"),
        ("security", "escalated"),
    ]
    (ending,) = [each["data"] for each in came if each["type"] == "server.ending"]
    assert (ending["server"], ending["version"]) == ("time", "1")


@pytest.mark.parametrize(
    ("url", "secret", "said"),
    [
        ("https://hooks.example/x", "", "no `whsec_`"),
        ("https://hooks.example/x", "whsec_c2hvcnQ=", "no `whsec_`"),
        ("https://hooks.example/x", "whsec_%%%", "no `whsec_`"),
        ("http://hooks.example/x", f"whsec_{base64.b64encode(KEY).decode()}", "no https"),
    ],
)
def test_a_webhook_that_is_unsigned_or_readable_on_its_way_does_not_start(url: str, secret: str, said: str) -> None:
    flags = {("notify", "url"): url, ("notify", "secret"): secret}
    with pytest.raises(Misconfigured, match=said):
        read_settings(flags, environment={})
