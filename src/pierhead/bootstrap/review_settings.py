"""The section `review`: who is asked before a server is taken in, and whose signatures count in a packet.

Not here: reading settings (`settings`), asking (`adapters/foreign/vetting`), verifying (`adapters/packet_keys`).
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr

from pierhead.bootstrap.notify_settings import pairs, webhook_key
from pierhead.core.errors import Misconfigured


class ReviewSettings(BaseModel):
    """What stands beside the reviewers: a program that may veto, and the keys of those who sign."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    webhook_url: str = Field("", description="asked before a server is registered or submitted; empty: nobody is")
    webhook_secret: SecretStr = Field(
        SecretStr(""), description="signs those questions: `whsec_` and 24 to 64 bytes in base64"
    )
    webhook_s: float = Field(5.0, ge=0.1, le=30, description="seconds in which it must have answered, all in all")
    keys: Annotated[dict[str, str], BeforeValidator(pairs)] = Field(
        default_factory=dict[str, str], description="files of public keys (PEM) whose signatures count, by name"
    )

    @property
    def key(self) -> bytes:
        """The bytes that sign. Errors: Misconfigured (`bad-setting`)."""
        return webhook_key(self.webhook_secret, "review.webhook_url", "review.webhook_secret")

    def key_texts(self) -> Mapping[str, bytes]:
        """Each pinned key as its file has it. Errors: Misconfigured (`bad-setting`)."""
        return {name: _text(name, path) for name, path in self.keys.items()}


def check_review(given: ReviewSettings, allowed_hosts: tuple[str, ...]) -> None:
    """Errors: Misconfigured (`bad-setting`): what would be asked unsigned or in clear."""
    if not given.webhook_url:
        return
    _ = given.key
    url = urlsplit(given.webhook_url)
    if url.scheme != "https" and not (url.scheme == "http" and url.hostname in allowed_hosts):
        hint = "use https://; http:// only to a host of registry.allowed_hosts"
        raise Misconfigured("review.webhook_url is no https address", hint=hint, code="bad-setting")


def _text(name: str, path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as failed:
        message = f"review.keys: {name} names {path}: {failed.strerror}"
        raise Misconfigured(message, hint="point it to a readable file", code="bad-setting") from None
