"""How an S3-compatible store is reached: where it is, and with whose credentials. Secrets are references alone."""

from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field

from pierhead.sdk.secret import Secret, read_secret

PLACE: Final = r"^s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[A-Za-z0-9!_=-][A-Za-z0-9!_.=-]*)*/?$"
_ADDRESS: Final = r"^(https?://[^\s/?#@]+)?$"


class StoreLogin(BaseModel):
    """Keys of the store. Without a login, those of the machine count, as AWS's own tools find them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    access_key: Secret
    secret_key: Secret
    session_token: Secret | None = None

    def options(self) -> dict[str, Any]:
        """As obstore takes them. Errors: PermissionError."""
        told = {"access_key_id": read_secret(self.access_key), "secret_access_key": read_secret(self.secret_key)}
        return told if self.session_token is None else {**told, "session_token": read_secret(self.session_token)}


class StoreSettings(BaseModel):
    """`endpoint` is left out for AWS; `is_public` reads without signing."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    endpoint: Annotated[str, Field(pattern=_ADDRESS)] = ""
    region: Annotated[str, Field(pattern=r"^[a-z0-9-]{1,40}$")] = "us-east-1"
    bucket_in_host: bool = False
    """Whether `endpoint` has the bucket's name in its host already."""
    is_public: bool = False

    @property
    def is_plain_http(self) -> bool:
        return self.endpoint.startswith("http://")

    def options(self) -> dict[str, Any]:
        """As obstore takes them."""
        told: dict[str, Any] = {"region": self.region, "virtual_hosted_style_request": self.bucket_in_host}
        if self.endpoint:
            told["endpoint"] = self.endpoint
        return {**told, "skip_signature": True} if self.is_public else told
