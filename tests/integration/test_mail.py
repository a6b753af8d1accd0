"""Notices as e-mail, to a real mail server: in clear on this machine, with TLS and a password beyond it."""

import email
import email.policy
import ssl
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from email.message import EmailMessage
from pathlib import Path
from typing import Any, Final, cast

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from tests.self_signed import self_signed

from pierhead.adapters.foreign.mail import Mail
from pierhead.bootstrap.settings import read_settings
from pierhead.core.errors import Invalid, Misconfigured, UpstreamUnreachable
from pierhead.usecases.ports_notices import Notice

pytestmark = [pytest.mark.slow, pytest.mark.anyio]

NOTICE: Final = Notice(
    "n1",
    "approval.asked",
    1_795_000_000.0,
    {
        "title": "drop_rows on shop in prod, asked by alice\r\nBcc: eve@evil.example",
        "sentence": "drop_rows on shop in prod waits for an approval.",
        "url": "https://mcp.example/approvals/apr_1",
        "expires_at": 1_795_003_600.0,
    },
    0,
    0.0,
    channel="mail",
    recipient="frank@corp.example",
)


@dataclass
class Post:
    """A mail server's post room: `refusal` is what it answers to a recipient, if anything."""

    refusal: str = ""
    came: list[Envelope] = field(default_factory=list[Envelope])

    async def handle_RCPT(  # noqa: N802 - as the server calls it
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: Any
    ) -> str:
        if self.refusal:
            return self.refusal
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(  # noqa: N802 - as the server calls it
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        self.came.append(envelope)
        return "250 OK"

    def message(self) -> EmailMessage:
        (one,) = self.came
        return cast("EmailMessage", email.message_from_bytes(one.content or b"", policy=email.policy.default))


def login(server: Any, session: Any, envelope: Any, mechanism: str, sent: Any) -> AuthResult:
    is_right = isinstance(sent, LoginPassword) and (sent.login, sent.password) == (b"pierhead", b"let me in")
    return AuthResult(success=is_right, handled=False)


@pytest.fixture
def post() -> Post:
    return Post()


class AnyPort(Controller):
    """On any port that is free: only then is it known which."""

    def _trigger_server(self) -> None:
        assert self.server is not None
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()


@pytest.fixture
def server(post: Post) -> Iterator[Controller]:
    controller = AnyPort(post, hostname="127.0.0.1", port=0, authenticator=login, auth_require_tls=False)
    controller.start()
    yield controller
    controller.stop()


def url(server: Controller, scheme: str = "smtp") -> str:
    return f"{scheme}://{server.hostname}:{server.port}"


async def test_a_message_carries_title_link_and_time_and_no_header_of_anybody_else(
    server: Controller, post: Post
) -> None:
    mail = Mail(url(server), "Pierhead <pierhead@corp.example>", "pierhead", "let me in")
    await mail.send(NOTICE, 0.0)
    message = post.message()
    assert post.came[0].rcpt_tos == ["frank@corp.example"]
    assert message["Bcc"] is None
    assert message["Subject"].strip() == "Pierhead: drop_rows on shop in prod, asked by alice Bcc: eve@evil.example"
    assert (message["Message-ID"], message["Auto-Submitted"]) == ("<n1@corp.example>", "auto-generated")
    text = message.get_content()
    assert "https://mcp.example/approvals/apr_1" in text
    assert "Until 2026-11-18 12:06 UTC." in text


async def test_what_owners_are_told_says_nothing_of_calls(server: Controller, post: Post) -> None:
    await Mail(url(server), "pierhead@corp.example").send(replace(NOTICE, kind="server.drifted"), 0.0)
    assert "What would run" not in post.message().get_content()


@pytest.mark.parametrize(
    ("refusal", "error"), [("550 no such user", Invalid), ("451 come again later", UpstreamUnreachable)]
)
async def test_a_refusal_that_lasts_is_told_from_one_that_passes(
    server: Controller, post: Post, refusal: str, error: type[Exception]
) -> None:
    post.refusal = refusal
    with pytest.raises(error, match=refusal[4:]):
        await Mail(url(server), "pierhead@corp.example").send(NOTICE, 0.0)


async def test_beyond_this_machine_nothing_is_said_before_the_server_has_proved_itself(
    post: Post, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate = self_signed(tmp_path, "127.0.0.2")
    context.load_cert_chain(certificate)
    controller = AnyPort(
        post, hostname="127.0.0.2", port=0, authenticator=login, tls_context=context, require_starttls=True
    )
    controller.start()
    mail = Mail(url(controller), "pierhead@corp.example", "pierhead", "let me in")
    try:
        with pytest.raises(UpstreamUnreachable, match="CERTIFICATE_VERIFY_FAILED"):
            await mail.send(NOTICE, 0.0)
        assert post.came == []
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        await mail.send(NOTICE, 0.0)
    finally:
        controller.stop()
    assert post.came[0].rcpt_tos == ["frank@corp.example"]


async def test_a_wrong_password_and_a_server_that_is_away_are_tried_again(server: Controller) -> None:
    with pytest.raises(UpstreamUnreachable, match="Authentication"):
        await Mail(url(server), "pierhead@corp.example", "pierhead", "wrong").send(NOTICE, 0.0)
    with pytest.raises(UpstreamUnreachable):
        await Mail(url(server, "smtps"), "pierhead@corp.example").send(NOTICE, 0.0)
    with pytest.raises(UpstreamUnreachable):
        await Mail("smtp://127.0.0.1:1", "pierhead@corp.example").send(NOTICE, 0.0)


async def test_what_is_no_address_is_never_written_to(server: Controller, post: Post) -> None:
    for recipient in ("", "frank", "a@b\r\nBcc: eve@evil.example"):
        with pytest.raises(Invalid):
            await Mail(url(server), "pierhead@corp.example").send(replace(NOTICE, recipient=recipient), 0.0)
    assert post.came == []


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"smtp_url": "http://mail.example"}, "no smtp:// or smtps://"),
        ({"smtp_url": "smtp://user:word@mail.example", "mail_from": "a@b.example"}, "without a user"),
        ({"smtp_url": "smtps://mail.example"}, "no e-mail address"),
        ({"smtp_url": "smtps://mail.example", "mail_from": "a@b.example", "addresses": "ops=a b@c"}, "'a b@c'"),
    ],
)
def test_half_a_mail_server_does_not_start(given: dict[str, str], said: str) -> None:
    with pytest.raises(Misconfigured, match=said):
        read_settings({("notify", name): value for name, value in given.items()}, environment={})
