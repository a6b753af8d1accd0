"""Signatures that ran out: which servers stand on them. Shown and told, but nothing is shut by that alone.

Above: pages, the list of who must act. Not here: what a gate's term is (`core/review`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from pierhead.core.catalog import CALLABLE
from pierhead.core.review import Gate, GateState, Review, state_of
from pierhead.usecases.ports import Clock
from pierhead.usecases.ports_catalogue import Catalogue, Version


@dataclass(frozen=True, slots=True)
class ExpiredReview:
    """A version that clients get, and the gates whose signature on it no longer counts."""

    server: str
    version: str
    review: Review
    gates: tuple[Gate, ...]


async def expire_reviews(catalogue: Catalogue, clock: Clock) -> Sequence[ExpiredReview]:
    """Every callable current version that stands on an expired signature, by name."""
    now = clock.now()
    entries, versions = await catalogue.entries(), await catalogue.all_versions()
    signed = {review.binding: review for review in reversed(await catalogue.reviews())}
    found: list[ExpiredReview] = []
    for name, entry in sorted(entries.items()):
        for version in versions.get(name, ()):
            review = signed.get(version.binding)
            gates = _expired(version, review, now) if version.version == entry.current else ()
            if review is not None and gates:
                found.append(ExpiredReview(name, version.version, review, gates))
    return found


def _expired(version: Version, review: Review | None, now: float) -> tuple[Gate, ...]:
    if review is None or version.stage not in CALLABLE:
        return ()
    return tuple(gate for gate in sorted(review.required) if state_of(review, gate, now) is GateState.EXPIRED)
