"""The facts of approvals: asked, shown, decided, spent, moved. Part of the closed set in `audit`.

Field names are the wire format: add, never rename. Not here: what the record itself holds (`approval_record`).
"""

from dataclasses import dataclass

from pierhead.core.approval_record import ApprovalRecord, Decided


@dataclass(frozen=True, slots=True)
class ApprovalAsked:
    """A call waits for people. The digests are what an answer will be good for; arguments stay in the record."""

    approval_id: str
    server: str
    version: str
    tool: str
    approval: str
    digest: str
    arguments_digest: str
    requester: str
    surface: str
    environment: str
    approvers: tuple[str, ...]
    revision: int
    expires_at: float
    plan_digest: str = ""
    """Of the plan that would be carried out; empty without one."""
    kind: str = "approval-asked"

    @classmethod
    def of(cls, record: ApprovalRecord) -> "ApprovalAsked":
        asked = record.proposal
        plan = asked.foreseen.plan
        return cls(
            approval_id=record.id,
            server=asked.server,
            version=asked.version,
            tool=asked.tool,
            approval=str(asked.approval),
            digest=asked.digest,
            arguments_digest=asked.arguments_digest,
            requester=asked.requester,
            surface=asked.surface,
            environment=asked.environment,
            approvers=record.approvers,
            revision=asked.revision,
            expires_at=record.expires_at,
            plan_digest=plan.digest if plan else "",
        )


@dataclass(frozen=True, slots=True)
class ApprovalShown:
    """A question was put to somebody outside of our pages, **before** it was sent.

    `how` is a form of their client; `text_digest` is that of the very text, which holds the exact arguments.
    """

    approval_id: str
    digest: str
    to: str
    how: str
    surface: str
    client: str
    text_digest: str
    call_id: str
    kind: str = "approval-shown"


@dataclass(frozen=True, slots=True)
class ApprovalDecided:
    """One person said yes or no, to exactly that digest; `latency_s` is how long it had waited for them."""

    approval_id: str
    digest: str
    by: str
    how: str
    verdict: str
    comment: str
    latency_s: float
    auth: str = ""
    instead_of: str = ""
    kind: str = "approval-decided"

    @classmethod
    def of(cls, record: ApprovalRecord, made: Decided) -> "ApprovalDecided":
        latency = round(made.at - record.created_at, 3)
        return cls(
            approval_id=record.id,
            digest=record.proposal.digest,
            by=made.by,
            how=made.how,
            verdict=made.verdict,
            comment=made.comment,
            latency_s=latency,
            auth=made.auth,
            instead_of=made.instead_of,
        )


@dataclass(frozen=True, slots=True)
class ApprovalSpent:
    """An approval was used up for one call, before that call ran. Commits with the spending itself."""

    approval_id: str
    digest: str
    call_id: str
    approved_by: tuple[str, ...]
    kind: str = "approval-spent"

    @classmethod
    def of(cls, record: ApprovalRecord) -> "ApprovalSpent":
        return cls(record.id, record.proposal.digest, record.call_id, record.yeses)


@dataclass(frozen=True, slots=True)
class ApprovalMoved:
    """An approval is in another state than before; `by` is empty where nobody did it."""

    approval_id: str
    source: str
    target: str
    by: str
    reason: str
    kind: str = "approval-moved"

    @classmethod
    def of(cls, before: ApprovalRecord, after: ApprovalRecord, by: str) -> "ApprovalMoved":
        return cls(after.id, str(before.state), str(after.state), by, after.ended)


ApprovalFact = ApprovalAsked | ApprovalShown | ApprovalDecided | ApprovalSpent | ApprovalMoved
