"""The error tree and its public codes.

Not here: how an error looks on the wire (`core/wire_codes.py` is the only table for that).

Named for what happened. A subclass exists only where a caller branches; a finer case is a `code`.
Codes are documented in docs/reference/errors.md, grouped as the tree, and never reused.
"""

from typing import ClassVar


class PierheadError(Exception):
    """Root of everything Pierhead raises on purpose.

    `message` says what and where, in lower case; `hint` says what to do; `code` is stable.
    """

    default_code: ClassVar[str] = "internal"

    def __init__(self, message: str, *, hint: str = "", code: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.code = code or self.default_code


class Refused(PierheadError):
    """Policy, identity or a limit says no."""

    default_code = "refused"


class Unauthenticated(Refused):
    default_code = "unauthenticated"


class Forbidden(Refused):
    default_code = "forbidden"


class LimitExceeded(Refused):
    default_code = "limit-exceeded"


class PolicyExpired(Refused):
    default_code = "policy-expired"


class NotFound(PierheadError):
    """No such thing, or not yours to see: the two read alike."""

    default_code = "not-found"


class Invalid(PierheadError):
    """The caller's input is wrong; gathers every fault before it is raised."""

    default_code = "invalid"


class Conflict(Invalid):
    """The input was right for a state that is no longer there."""

    default_code = "conflict"


class ToolFailed(PierheadError):
    default_code = "tool-failed"


class ToolTimedOut(ToolFailed):
    default_code = "tool-timed-out"


class UpstreamUnreachable(ToolFailed):
    default_code = "upstream-unreachable"


class RecordFailed(PierheadError):
    """The fact could not be made durable, so the effect did not happen."""

    default_code = "record-failed"


class Misconfigured(PierheadError):
    """Raised at start only: a half-secured setup does not start."""

    default_code = "misconfigured"
