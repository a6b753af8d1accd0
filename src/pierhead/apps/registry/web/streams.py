"""How many pages stay up to date at once: bounded in all and for each person, and ended with their session.

Of this process alone: a stream at another registry over the same database ends with its time. Above: `live`.
"""

import asyncio
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field

from pierhead.core.errors import LimitExceeded


@dataclass(slots=True, eq=False)
class Stream:
    """One open page."""

    session_id: str
    person: str
    heard: asyncio.Event
    is_over: bool = False


@dataclass(slots=True)
class Streams:
    """The streams that are open: so many in all, so many of one person."""

    most: int = 200
    most_of_person: int = 8
    _open: set[Stream] = field(default_factory=set[Stream])

    def check(self, person: str) -> None:
        """Errors: LimitExceeded (`too-many-streams`)."""
        theirs = sum(each.person == person for each in self._open)
        if len(self._open) >= self.most or theirs >= self.most_of_person:
            message = "as many pages stay up to date as may"
            raise LimitExceeded(message, hint="close some, or reload this one by hand", code="too-many-streams")

    @contextmanager
    def opened(self, session_id: str, person: str, heard: asyncio.Event) -> Generator[Stream]:
        """Errors: LimitExceeded."""
        self.check(person)
        stream = Stream(session_id, person, heard)
        self._open.add(stream)
        try:
            yield stream
        finally:
            self._open.discard(stream)

    def end(self, session_id: str) -> None:
        """Whoever signed out hears nothing more."""
        for stream in self._open:
            if stream.session_id == session_id:
                stream.is_over = True
                stream.heard.set()
