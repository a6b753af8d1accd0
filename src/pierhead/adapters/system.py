"""The real clock and identifiers."""

import secrets
import time
from dataclasses import dataclass

import uuid_utils


class SystemClock:
    """The machine's time."""

    def now(self) -> float:
        return time.time()  # noqa: TID251 - this is the Clock that everybody takes

    def monotonic(self) -> float:
        return time.monotonic()


class SystemIds:
    """UUIDs of version 7: unique everywhere, sortable by the time they were made."""

    def new(self) -> str:
        return str(uuid_utils.uuid7())


@dataclass(frozen=True, slots=True)
class RandomIds:
    """Identifiers that cannot be guessed: 128 random bits behind a prefix that tells what they name."""

    prefix: str

    def new(self) -> str:
        return self.prefix + secrets.token_urlsafe(16)
