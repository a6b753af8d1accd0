"""How an S3-compatible store is reached: where it is, and with whose credentials. Secrets are references alone."""

from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr

PLACE: Final = r"^s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[A-Za-z0-9!_=-][A-Za-z0-9!_.=-]*)*/?$"
_ADDRESS: Final = r"^(https?://[^\s/?#@]+)?$"


class SecretFile(BaseModel):
    """A reference to a secret, `{file: /run/secrets/spark}`: read each time it is needed, and kept nowhere."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    file: Path

    def read(self) -> str:
        """Errors: PermissionError, which names no credential."""
        try:
            return self.file.read_text("utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError):
            raise PermissionError("the secret file of the object store cannot be read") from None


def _referred(value: object) -> object:
    """Errors: ValueError for a text: a secret stands in no fleet file."""
    if isinstance(value, str):
        raise ValueError("write {env: NAME}, {file: PATH} or {secret: NAME}")  # noqa: TRY004 - a fault of the entry
    return value


Secret = Annotated[SecretFile | SecretStr, BeforeValidator(_referred)]
"""A file, read anew each time; or what a variable or the store of the process held when it started."""


class StoreLogin(BaseModel):
    """Keys of the store. Without a login, those of the machine count, as AWS's own tools find them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    access_key: Secret
    secret_key: Secret
    session_token: Secret | None = None

    def options(self) -> dict[str, Any]:
        """As obstore takes them. Errors: PermissionError."""
        told = {"access_key_id": _read(self.access_key), "secret_access_key": _read(self.secret_key)}
        return told if self.session_token is None else {**told, "session_token": _read(self.session_token)}


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


def _read(secret: SecretFile | SecretStr) -> str:
    return secret.read() if isinstance(secret, SecretFile) else secret.get_secret_value()
