"""Approval classes and their order. Not here: records and their states (they come with approvals)."""

from enum import StrEnum
from typing import Final


class Approval(StrEnum):
    """Who must say yes before a tool runs."""

    NONE = "none"
    CONFIRM = "confirm"
    APPROVE = "approve"
    FOUR_EYES = "four-eyes"
    DENY = "deny"


_STRICTNESS: Final = {approval: rank for rank, approval in enumerate(Approval)}


def strictest(*approvals: Approval) -> Approval:
    """The strictest of `approvals`; NONE for none at all."""
    return max(approvals, key=_STRICTNESS.__getitem__, default=Approval.NONE)
