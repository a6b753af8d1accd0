"""Notices as e-mail, through the company's own mail server: one plain message to one address.

In clear only on this machine: elsewhere the server speaks TLS from the start (`smtps`), or is made to before anything
is said (`smtp`). A message is text, with the notice's title, its sentence and its link; a server that is given it
twice can tell by its id. Fills `ports_notices.Notifier`. Not here: who is written to (`usecases/address_notices`).
"""

import asyncio
import smtplib
import ssl
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Final
from urllib.parse import SplitResult, urlsplit

from pierhead.core.errors import Invalid, UpstreamUnreachable
from pierhead.usecases.ports_notices import Notice

THIS_MACHINE: Final = frozenset({"127.0.0.1", "::1", "localhost"})
_TIMEOUT_S: Final = 10.0
_PERMANENT: Final = 500
_PORTS: Final = {"smtp": 587, "smtps": 465}


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail server, and as whom mail is sent. `url` is `smtp://HOST:PORT` or `smtps://HOST:PORT`."""

    url: str
    sender: str
    user: str = ""
    password: str = field(default="", repr=False)

    async def send(self, notice: Notice, now: float) -> None:
        """Errors: UpstreamUnreachable; Invalid, for an address that the server will never take."""
        del now
        message = self._message(notice)
        try:
            await asyncio.to_thread(self._hand_over, message)
        except smtplib.SMTPRecipientsRefused as refused:
            _judge(refused)
        except (smtplib.SMTPException, OSError) as failed:
            text = f"the mail server did not take it: {type(failed).__name__}: {failed}"
            raise UpstreamUnreachable(text[:300], hint="see notify.smtp_url") from None

    def _message(self, notice: Notice) -> EmailMessage:
        message = EmailMessage()
        try:
            message["To"] = Address(addr_spec=notice.recipient)
            message["From"] = self.sender
            message["Subject"] = f"Pierhead: {' '.join(str(notice.content['title']).split())}"[:200]
        except (ValueError, IndexError, KeyError) as unusable:
            raise Invalid(f"no mail can be written for it: {unusable}"[:300], hint="see notify.addresses") from None
        message["Date"] = format_datetime(datetime.fromtimestamp(notice.at, UTC))
        message["Message-ID"] = f"<{notice.id}@{self.sender.rpartition('@')[2].rstrip('>')}>"
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(_text(notice))
        return message

    def _hand_over(self, message: EmailMessage) -> None:
        place = urlsplit(self.url)
        with self._connected(place) as server:
            if place.scheme == "smtp" and place.hostname not in THIS_MACHINE:
                server.starttls(context=ssl.create_default_context())
            if self.user:
                server.login(self.user, self.password)
            server.send_message(message)

    def _connected(self, place: SplitResult) -> smtplib.SMTP:
        host, port = place.hostname or "", place.port or _PORTS[place.scheme]
        if place.scheme == "smtps":
            return smtplib.SMTP_SSL(host, port, timeout=_TIMEOUT_S, context=ssl.create_default_context())
        return smtplib.SMTP(host, port, timeout=_TIMEOUT_S)


def _judge(refused: smtplib.SMTPRecipientsRefused) -> None:
    """Errors: Invalid for a refusal that lasts, UpstreamUnreachable for one that may pass."""
    for address, (status, said) in refused.recipients.items():
        text = f"the mail server does not take {address}: {status} {said.decode(errors='replace')}"[:300]
        if status >= _PERMANENT:
            raise Invalid(text, hint="see notify.addresses")
        raise UpstreamUnreachable(text, hint="see notify.addresses")


def _text(notice: Notice) -> str:
    lines = [str(notice.content["sentence"]), "", str(notice.content["url"])]
    until = notice.content.get("expires_at")
    if isinstance(until, float):
        lines += ["", f"Until {datetime.fromtimestamp(until, UTC):%Y-%m-%d %H:%M} UTC."]
    if notice.kind.startswith("approval."):
        lines += ["", "What would run, exactly, is on that page alone."]
    return "\n".join(lines) + "\n"
