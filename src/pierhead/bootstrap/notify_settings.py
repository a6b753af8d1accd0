"""The section `notify`: where reminders go, and what signs them.

Not here: reading settings (`settings`), sending (`wire_notices`).
"""

import base64

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from pierhead.core.errors import Misconfigured


class NotifySettings(BaseModel):
    """Where what people should know is sent, beside the pages."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str = Field("", description="a webhook for reminders of reviews; empty: nothing is sent")
    secret: SecretStr = Field(SecretStr(""), description="signs webhooks: `whsec_` and 24 to 64 bytes in base64")

    @property
    def key(self) -> bytes:
        """The bytes that sign. Errors: Misconfigured (`bad-setting`)."""
        text = self.secret.get_secret_value()
        try:
            key = base64.b64decode(text.removeprefix("whsec_"), validate=True) if text.startswith("whsec_") else b""
        except ValueError:
            key = b""
        if len(key) not in range(24, 65):
            message = "notify.url is set, and notify.secret is no `whsec_` with 24 to 64 bytes in base64"
            raise Misconfigured(message, hint="make one: echo whsec_$(openssl rand -base64 32)", code="bad-setting")
        return key
