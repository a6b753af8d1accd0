"""Approval classes, the states of one approval and the only moves between them, and what a caller is told of it.

Below: nothing. Above: `approval_record` (the record that moves), `catalog` and `policy` (which tools ask for what).
Not here: who may decide, and what a record pins.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from pierhead.core.errors import Conflict


class Approval(StrEnum):
    """Who must say yes before a tool runs."""

    NONE = "none"
    CONFIRM = "confirm"
    APPROVE = "approve"
    FOUR_EYES = "four-eyes"
    DENY = "deny"

    @property
    def rank(self) -> int:
        """Higher is stricter."""
        return _STRICTNESS[self]


_STRICTNESS: Final = {approval: rank for rank, approval in enumerate(Approval)}


def strictest(*approvals: Approval) -> Approval:
    """The strictest of `approvals`; NONE for none at all."""
    return max(approvals, key=_STRICTNESS.__getitem__, default=Approval.NONE)


class ApprovalState(StrEnum):
    """Where one approval stands."""

    PENDING = "pending"
    APPROVED = "approved"
    DENIED = "denied"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    SUPERSEDED = "superseded"
    EXECUTING = "executing"
    CONSUMED = "consumed"
    FAILED_UNKNOWN = "failed_unknown"


class ApprovalMove(StrEnum):
    """What can happen to an approval; `settle` is a person's word on what a lost call did."""

    APPROVE = "approve"
    DENY = "deny"
    EXPIRE = "expire"
    CANCEL = "cancel"
    SUPERSEDE = "supersede"
    SPEND = "spend"
    FINISH = "finish"
    LOSE = "lose"
    SETTLE = "settle"


_S, _M = ApprovalState, ApprovalMove

APPROVAL_MOVES: Final[Mapping[tuple[ApprovalState, ApprovalMove], ApprovalState]] = {
    (_S.PENDING, _M.APPROVE): _S.APPROVED,
    (_S.PENDING, _M.DENY): _S.DENIED,
    (_S.PENDING, _M.EXPIRE): _S.EXPIRED,
    (_S.PENDING, _M.CANCEL): _S.CANCELLED,
    (_S.PENDING, _M.SUPERSEDE): _S.SUPERSEDED,
    (_S.APPROVED, _M.EXPIRE): _S.EXPIRED,
    (_S.APPROVED, _M.CANCEL): _S.CANCELLED,
    (_S.APPROVED, _M.SUPERSEDE): _S.SUPERSEDED,
    (_S.APPROVED, _M.SPEND): _S.EXECUTING,
    (_S.EXECUTING, _M.FINISH): _S.CONSUMED,
    (_S.EXECUTING, _M.LOSE): _S.FAILED_UNKNOWN,
    (_S.FAILED_UNKNOWN, _M.SETTLE): _S.CONSUMED,
}
"""What is not in it cannot happen. Nothing leads back, so nothing runs twice."""

OPEN_STATES: Final = frozenset({_S.PENDING, _S.APPROVED, _S.EXECUTING, _S.FAILED_UNKNOWN})
"""While a call's approval is in one of these, the same call gets no other."""


def moved(state: ApprovalState, move: ApprovalMove) -> ApprovalState:
    """Where `move` leads from `state`.

    Errors: Conflict (`approval-state`), for a move that is not there.
    """
    target = APPROVAL_MOVES.get((state, move))
    if target is None:
        raise Conflict(
            f"this approval is {state}: it cannot {move}", hint="read it again: it moved on", code="approval-state"
        )
    return target


@dataclass(frozen=True, slots=True)
class FormAnswer:
    """What a person chose in a form: `verdict` is approve, remember or deny, `digest` that of what the form showed."""

    verdict: str
    digest: str


@dataclass(frozen=True, slots=True)
class Ticket:
    """One approval as the caller is told of it: a reference, never a key.

    `sentence` says what is needed or why not; `expires_at` is in seconds since 1970-01-01 UTC. Where nobody can give
    an approval, there is no record: `id` and `url` are empty.
    """

    id: str
    state: ApprovalState
    url: str
    expires_at: float
    sentence: str
