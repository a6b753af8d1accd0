"""The facts of servers that run elsewhere: enrolled, and no more. Part of the closed set in `audit`.

Field names are the wire format: add, never rename. Never the key itself: `key` is its id.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ServerEnrolled:
    """Somebody was given the key of a server's own process; the one before, if any, is no longer good."""

    server: str
    key: str
    by: str
    kind: str = "server-enrolled"


@dataclass(frozen=True, slots=True)
class EnrolmentEnded:
    """A server's key was taken back: its process is told nothing more, and nobody is sent to it as its caller."""

    server: str
    key: str
    by: str
    reason: str
    kind: str = "enrolment-ended"


EnrolmentFact = ServerEnrolled | EnrolmentEnded
