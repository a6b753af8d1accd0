"""The facts of reviews: opened, decided, waited for. Part of the closed set in `audit`.

Field names are the wire format: add, never rename. Not here: what a review is (`review`).
"""

from dataclasses import dataclass

from pierhead.core.review import Review, SignOff


@dataclass(frozen=True, slots=True)
class ReviewOpened:
    """A version was submitted; `required` are its gates. The digests are what will be signed."""

    review_id: str
    server: str
    version: str
    tools_digest: str
    manifest_digest: str
    access_digest: str
    required: tuple[str, ...]
    by: str
    packet_digest: str = ""
    kind: str = "review-opened"

    @classmethod
    def of(cls, review: Review) -> "ReviewOpened":
        bound = review.binding
        return cls(
            review_id=review.id,
            server=bound.server,
            version=bound.version,
            tools_digest=bound.tools_digest,
            manifest_digest=bound.manifest_digest,
            access_digest=bound.access_digest,
            required=tuple(sorted(review.required)),
            by=review.submitted_by,
            packet_digest=review.packet_digest,
        )


@dataclass(frozen=True, slots=True)
class ReviewDecided:
    """One reviewer's decision on one gate, bound to what the review was opened for."""

    review_id: str
    server: str
    version: str
    tools_digest: str
    gate: str
    verdict: str
    by: str
    reason: str
    conditions: tuple[str, ...]
    expires_at: float
    auth: str = ""
    waiver_owner: str = ""
    kind: str = "review-decided"

    @classmethod
    def of(cls, review: Review, made: SignOff) -> "ReviewDecided":
        bound = review.binding
        return cls(
            review_id=review.id,
            server=bound.server,
            version=bound.version,
            tools_digest=bound.tools_digest,
            gate=str(made.gate),
            verdict=str(made.verdict),
            by=made.by,
            reason=made.reason,
            conditions=made.conditions,
            expires_at=made.expires_at,
            auth=made.auth,
            waiver_owner=made.waiver_owner,
        )


@dataclass(frozen=True, slots=True)
class ReviewReminded:
    """A gate of a review was waited for so long that its group, or at last administrators, were told."""

    review_id: str
    server: str
    version: str
    gate: str
    urgency: str
    group: str
    due_at: float
    kind: str = "review-reminded"


@dataclass(frozen=True, slots=True)
class OwnerReminded:
    """The owners of a server were told that something of it ends soon; `subject` is the gate of a signature."""

    server: str
    version: str
    what: str
    subject: str
    groups: tuple[str, ...]
    due_at: float
    kind: str = "owner-reminded"


@dataclass(frozen=True, slots=True)
class PacketPartKept:
    """A submitter handed in a part of a version's packet; `digest` is SHA-256 of its `size` bytes."""

    server: str
    version: str
    part: str
    digest: str
    size: int
    by: str
    kind: str = "packet-part-kept"


@dataclass(frozen=True, slots=True)
class OfferVetted:
    """The company's own program was asked before a server was taken in or submitted: allowed, vetoed or failed."""

    offer_id: str
    event: str
    server: str
    version: str
    answer: str
    reason: str
    by: str
    kind: str = "offer-vetted"


ReviewFact = ReviewOpened | ReviewDecided | ReviewReminded | OwnerReminded | PacketPartKept | OfferVetted
