"""The review gate: which sign-offs a version needs, what each one binds, and when the gate stands open.

Pure. Above: `usecases/sign_off`. Not here: who is a member of which group, storage, reminders.
Source: docs/explanation/review-gate.md.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Gate(StrEnum):
    """Who has to vouch for a version."""

    SECURITY = "security"
    LEGAL = "legal"
    GENAI = "genai"


class Verdict(StrEnum):
    """What one reviewer decides."""

    APPROVE = "approve"
    APPROVE_WITH_CONDITIONS = "approve-with-conditions"
    REQUEST_CHANGES = "request-changes"
    REJECT = "reject"
    WAIVE = "waive"


class GateState(StrEnum):
    """Where one gate of one review stands."""

    NOT_REQUIRED = "not-required"
    PENDING = "pending"
    CHANGES_REQUESTED = "changes-requested"
    APPROVED = "approved"
    APPROVED_WITH_CONDITIONS = "approved-with-conditions"
    REJECTED = "rejected"
    WAIVED = "waived"
    EXPIRED = "expired"


class ChangeClass(StrEnum):
    """How much a version differs from the one that was signed before it."""

    FIRST = "first"
    MAJOR = "major"
    MINOR = "minor"
    WORDING = "wording"
    """Affects prompts: a description, a title, an example, the instructions."""
    PATCH = "patch"


OPENING: Final = frozenset({GateState.APPROVED, GateState.APPROVED_WITH_CONDITIONS, GateState.WAIVED})
"""States in which a required gate stands open."""


@dataclass(frozen=True, slots=True)
class Binding:
    """Exactly what is signed: another digest is another thing. Digests are 64 lower-case hex digits (SHA-256)."""

    server: str
    version: str
    tools_digest: str
    manifest_digest: str
    access_digest: str


@dataclass(frozen=True, slots=True)
class SignOff:
    """One reviewer's decision. Times are seconds since 1970-01-01 UTC.

    `expires_at` is when it stops to count: for a waiver the end that its owner named. `conditions` are what the
    approval depends on, one sentence each; `evidence` are links or references.
    """

    gate: Gate
    verdict: Verdict
    by: str
    at: float
    reason: str
    conditions: tuple[str, ...]
    evidence: tuple[str, ...]
    expires_at: float


@dataclass(frozen=True, slots=True)
class Comment:
    """What somebody said in a review; a comment decides nothing."""

    by: str
    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Review:
    """One submission of one version, and what became of it.

    `required` are the gates that apply, `due_at` when each should have answered; `sign_offs` every decision, oldest
    first: the last one of a gate counts. `closed_at` is None while it waits. `lock` counts its changes.
    """

    id: str
    binding: Binding
    change: ChangeClass
    submitted_by: str
    submitted_at: float
    required: frozenset[Gate]
    due_at: tuple[tuple[Gate, float], ...]
    sign_offs: tuple[SignOff, ...]
    comments: tuple[Comment, ...]
    closed_at: float | None
    lock: int
