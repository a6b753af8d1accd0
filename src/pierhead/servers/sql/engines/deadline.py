"""When a statement's time is over. Not here: who ends it (each engine asks in its own way)."""

import time


class Deadline:
    """Asked while a statement runs; also ended from outside, when the caller has gone. Units: seconds."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._until = time.monotonic() + seconds
        self._ended = False

    def end(self) -> None:
        self._ended = True

    def is_over(self) -> bool:
        return self._ended or time.monotonic() > self._until

    def left(self) -> float:
        """What remains, never less than a moment: a driver reads zero as no limit."""
        return max(self._until - time.monotonic(), 0.001)
