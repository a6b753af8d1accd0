"""A secret that a server's entry refers to and never holds: `{env: NAME}`, `{secret: NAME}` or `{file: PATH}`.

The platform fills in the first two before a server is told (`bootstrap.variables`); a file is read by the server.
"""

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, SecretStr


class SecretFile(BaseModel):
    """`{file: /run/secrets/airflow}`: read each time it is needed, and kept nowhere."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    file: Path


def _referred(value: object) -> object:
    """Errors: ValueError for a text: a secret stands in no fleet file."""
    if isinstance(value, str):
        raise ValueError("write {env: NAME}, {file: PATH} or {secret: NAME}")  # noqa: TRY004 - a fault of the entry
    return value


Secret = Annotated[SecretFile | SecretStr, BeforeValidator(_referred)]
"""A file, read anew each time; or what a variable or the store of the process held when it started."""


def read_secret(secret: Secret) -> str:
    """What it is now, without the line's end. Errors: PermissionError, which names neither file nor credential."""
    if isinstance(secret, SecretStr):
        return secret.get_secret_value()
    try:
        return secret.file.read_text("utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError):
        raise PermissionError("a secret file cannot be read") from None
