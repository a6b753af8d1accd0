"""The real clock and identifiers."""

import time

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
