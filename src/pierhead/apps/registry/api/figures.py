"""The figures of a server's record as the API tells them. Not here: what they mean (`usecases/record_figures`)."""

from collections.abc import Mapping

from pierhead.apps.registry.api.answers import Asked, moment
from pierhead.core.review import Gate, GateState, Review, sign_off_of
from pierhead.core.usage import ServerUse
from pierhead.usecases.read_reviews import gate_states
from pierhead.usecases.record_figures import DAYS, Figures, Kept, figures_of
from pierhead.usecases.report_impact import METHOD


async def figures(asked: Asked, server: str, version: str) -> Figures:
    site = asked.site
    return await figures_of(server, version, Kept(site.registry.catalogue, site.healths, site.records), site.now())


def use_form(use: ServerUse) -> Mapping[str, object]:
    return {
        "days": DAYS,
        "calls": use.calls,
        "succeeded": use.succeeded,
        "people": use.people,
        "minutes_saved": round(use.minutes, 1),
        "method": METHOD,
        "last_call_at": moment(use.last_at) if use.last_at else None,
    }


def review_form(review: Review | None, now: float) -> Mapping[str, object] | None:
    """Where each gate of the version's last review stands; null where nobody was ever asked."""
    if review is None:
        return None
    gates = [_gate(review, gate, state) for gate, state in gate_states(review, now).items()]
    return {"id": review.id, "submitted_at": moment(review.submitted_at), "gates": gates}


def _gate(review: Review, gate: Gate, state: GateState) -> Mapping[str, object]:
    made, due = sign_off_of(review, gate), dict(review.due_at)
    is_awaited = made is None and gate in due and review.closed_at is None
    return {
        "gate": gate,
        "state": state,
        "due_at": moment(due[gate]) if is_awaited else None,
        "conditions": list(made.conditions) if made else [],
        "evidence": list(made.evidence) if made else [],
        "expires_at": moment(made.expires_at) if made and made.expires_at else None,
    }
