"""The section `notify`: where people hear of what waits for them beside the pages, and what signs it.

Not here: reading settings (`settings`), sending (`wire_notices`).
"""

import base64
from typing import Annotated, Final
from urllib.parse import urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr

from pierhead.bootstrap.listed import Listed
from pierhead.core.errors import Misconfigured


def pairs(given: object) -> object:
    """From the environment one `NAME=ADDRESS` a line."""
    if not isinstance(given, str):
        return given
    lines = (line.strip().rpartition("=") for line in given.splitlines() if line.strip())
    return {name: address for name, _, address in lines}


SLACK_HOSTS: Final = ("hooks.slack.com", "hooks.slack-gov.com")

PUSH_SERVICES: Final = (
    "fcm.googleapis.com",
    "updates.push.services.mozilla.com",
    ".push.apple.com",
    ".notify.windows.com",
)
"""Those of Chrome, Firefox, Safari and Edge."""


class NotifySettings(BaseModel):
    """Where what people should know is sent, beside the pages."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str = Field("", description="a webhook for approvals, reviews and servers; empty: there is none")
    secret: SecretStr = Field(SecretStr(""), description="signs webhooks: `whsec_` and 24 to 64 bytes in base64")
    slack_url: SecretStr = Field(
        SecretStr(""), description="an incoming webhook of Slack, for the same; empty: there is none"
    )
    smtp_url: str = Field("", description="a mail server for the same: smtps://HOST:PORT or smtp://HOST:PORT")
    smtp_user: str = Field("", description="as whom to sign in there; empty: nobody")
    smtp_password: SecretStr = Field(SecretStr(""), description="that user's password")
    mail_from: str = Field("", description="the sender's address")
    mail_domain: str = Field("", description="makes NAME@DOMAIN of a name; empty: only of names that are addresses")
    addresses: Annotated[dict[str, str], BeforeValidator(pairs)] = Field(
        default_factory=dict[str, str], description="e-mail addresses of people and groups, by name"
    )

    push_contact: str = Field(
        "", description="where push services reach you, mailto: or https:; empty: no browser is told of approvals"
    )
    push_services: Listed = Field(
        PUSH_SERVICES, description="hosts that browsers may be reached at; with a dot first, all below"
    )
    push_key: SecretStr = Field(SecretStr(""), description="signs what is sent there; empty: a key of the platform")

    @property
    def key(self) -> bytes:
        """The bytes that sign. Errors: Misconfigured (`bad-setting`)."""
        return webhook_key(self.secret, "notify.url", "notify.secret")

    @property
    def tells_people(self) -> bool:
        """Whether anything is told outside the pages."""
        return bool(self.url or self.has_slack or self.smtp_url or self.push_contact)

    @property
    def has_slack(self) -> bool:
        return bool(self.slack_url.get_secret_value())


def webhook_key(secret: SecretStr, address: str, named: str) -> bytes:
    """The bytes that sign what goes to `address`, of the setting `named`. Errors: Misconfigured (`bad-setting`)."""
    text = secret.get_secret_value()
    try:
        key = base64.b64decode(text.removeprefix("whsec_"), validate=True) if text.startswith("whsec_") else b""
    except ValueError:
        key = b""
    if len(key) not in range(24, 65):
        message = f"{address} is set, and {named} is no `whsec_` with 24 to 64 bytes in base64"
        raise Misconfigured(message, hint="make one: echo whsec_$(openssl rand -base64 32)", code="bad-setting")
    return key


def check_notify(given: NotifySettings, allowed_hosts: tuple[str, ...]) -> None:
    """Errors: Misconfigured (`bad-setting`): what would be sent unsigned, in clear, or from nobody."""
    if given.url:
        _ = given.key
        url = urlsplit(given.url)
        if url.scheme != "https" and not (url.scheme == "http" and url.hostname in allowed_hosts):
            hint = "use https://; http:// only to a host of registry.allowed_hosts"
            raise Misconfigured("notify.url is no https address", hint=hint, code="bad-setting")
    _check_slack(given, allowed_hosts)
    if given.smtp_url:
        _check_mail(given)
    if given.push_contact and not _is_contact(given.push_contact):
        message = "notify.push_contact is no mailto: or https: address"
        raise Misconfigured(message, hint="write mailto:mcp@example.com", code="bad-setting")


def _check_slack(given: NotifySettings, allowed_hosts: tuple[str, ...]) -> None:
    """Errors: Misconfigured (`bad-setting`), which never names the address: it is the credential."""
    if not given.has_slack:
        return
    url = urlsplit(given.slack_url.get_secret_value())
    is_slack = url.scheme == "https" and url.hostname in SLACK_HOSTS
    if not (is_slack or (url.scheme in {"http", "https"} and url.hostname in allowed_hosts)):
        message = f"notify.slack_url is no https address at {' or '.join(SLACK_HOSTS)}"
        raise Misconfigured(message, hint="copy the address of the incoming webhook from Slack", code="bad-setting")


def _is_contact(text: str) -> bool:
    scheme, _, rest = text.partition(":")
    return (scheme == "mailto" and _is_address(rest)) or (scheme == "https" and bool(urlsplit(text).hostname))


def _check_mail(given: NotifySettings) -> None:
    place = urlsplit(given.smtp_url)
    if place.scheme not in {"smtp", "smtps"} or not place.hostname or place.username:
        message = "notify.smtp_url is no smtp:// or smtps:// address without a user"
        raise Misconfigured(message, hint="name user and password in their own settings", code="bad-setting")
    wrong = [each for each in (given.mail_from, *given.addresses.values()) if not _is_address(each)]
    if wrong:
        message = f"no e-mail address, in notify.mail_from or notify.addresses: {wrong[0][:100]!r}"
        raise Misconfigured(message, hint="write name@example.com", code="bad-setting")


def _is_address(text: str) -> bool:
    name, at, domain = text.rpartition("@")
    return bool(name and at and domain) and text.isprintable() and not set(text) & set(' <>,;:"()')
