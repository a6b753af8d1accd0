"""Approvals as JSON: how a record is kept, and how a proposal and a ticket travel between a server and the registry.

Strict in what it takes: these members and no other; one that was added later may be missing in what was kept before.
Not here: what people are shown (`apps`).
"""

from collections.abc import Mapping
from dataclasses import MISSING, asdict, fields
from typing import Any, cast

from pierhead.core.approval import Approval, ApprovalState, Ticket
from pierhead.core.approval_record import ApprovalRecord, Decided, Proposal
from pierhead.core.errors import Invalid
from pierhead.core.foreseen import Foreseen, Planned
from pierhead.core.json import Json


def proposal_to_form(proposal: Proposal) -> dict[str, Json]:
    return cast("dict[str, Json]", asdict(proposal))


def proposal_from_form(form: object) -> Proposal:
    """Errors: Invalid (`wire-form`)."""
    members = _members(form, Proposal)
    try:
        members |= {
            "shown": dict(members["shown"]),
            "approval": Approval(members["approval"]),
            "reasons": tuple(map(str, members["reasons"])),
        }
        members["evidence_ids"] = tuple(map(str, members.get("evidence_ids", ())))
        if "foreseen" in members:
            members["foreseen"] = _foreseen(members["foreseen"])
    except (TypeError, ValueError) as wrong:
        raise _unreadable(str(wrong)) from None
    return Proposal(**members)


def _foreseen(form: object) -> Foreseen:
    members = _members(form, Foreseen)
    plan = members.get("plan")
    members |= {"evidence": tuple(map(str, members.get("evidence", ()))), "plan": _planned(plan) if plan else None}
    return Foreseen(**members)


def _planned(form: object) -> Planned:
    members = _members(form, Planned)
    members |= {"first": tuple(members["first"]), "arguments": dict(members["arguments"])}
    return Planned(**members)


def record_to_form(record: ApprovalRecord) -> dict[str, Json]:
    return cast("dict[str, Json]", asdict(record))


def record_from_form(form: object) -> ApprovalRecord:
    """Errors: Invalid (`wire-form`)."""
    members = _members(form, ApprovalRecord)
    members |= {
        "proposal": proposal_from_form(members["proposal"]),
        "approvers": tuple(members["approvers"]),
        "state": ApprovalState(members["state"]),
        "decisions": tuple(Decided(**made) for made in members.get("decisions", ())),
    }
    return ApprovalRecord(**members)


def ticket_to_form(ticket: Ticket) -> dict[str, Json]:
    return cast("dict[str, Json]", asdict(ticket))


def ticket_from_form(form: object) -> Ticket:
    """Errors: Invalid (`wire-form`)."""
    members = _members(form, Ticket)
    members["state"] = ApprovalState(members["state"])
    return Ticket(**members)


def _members(form: object, kind: type) -> dict[str, Any]:
    """The members of a form: all that has no default, and nothing else than there is."""
    names = {each.name for each in fields(kind)}
    needed = {each.name for each in fields(kind) if each.default is MISSING}
    if not isinstance(form, Mapping) or not needed <= set(cast("Mapping[str, object]", form)) <= names:
        raise _unreadable(f"the members are {', '.join(sorted(names))}")
    return dict(cast("Mapping[str, Any]", form))


def _unreadable(why: str) -> Invalid:
    return Invalid(f"cannot read this approval: {why}"[:300], hint="send each member once", code="wire-form")
