"""The section `approvals`: what a decision demands of whoever makes it, and what is told of people's decisions.

Not here: which groups are asked (`registry.approvers`), where people hear of it (`notify_settings`).
"""

from pydantic import BaseModel, ConfigDict, Field

from pierhead.bootstrap.listed import Listed
from pierhead.core.errors import Invalid, Misconfigured
from pierhead.core.fatigue import Thresholds
from pierhead.core.rule import Who, parse_who


class ApprovalSettings(BaseModel):
    """Who else may decide, how freshly signed in, and from when on habits are told."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    reauthenticate_s: float = Field(
        900, ge=30, le=43200, description="an approval on a page needs a sign-in not older than these seconds"
    )
    deputies: str = Field("nobody", description="who may do an absent approver's whole duty, in the words of a policy")
    break_glass: Listed = Field((), description="groups that may let one yes stand for two, with an alarm and a review")
    fatigue_cases: int = Field(50, ge=1, le=10000, description="so many decisions, before a rule's habit is told")
    fatigue_approved: float = Field(
        0.98, ge=0.5, le=1, description="a rule whose calls are approved more often than that is proposed for review"
    )
    fatigue_fast_s: float = Field(3, ge=0.1, le=60, description="a decision faster than that is a fast one")
    fatigue_fast_times: int = Field(3, ge=1, le=1000, description="so many fast decisions of one person are flagged")

    @property
    def who_stands_in(self) -> Who:
        """Errors: Misconfigured (`bad-setting`)."""
        try:
            return parse_who(self.deputies)
        except Invalid as unreadable:
            message = f"approvals.deputies: {unreadable.message}"
            raise Misconfigured(message, hint=unreadable.hint, code="bad-setting") from None

    @property
    def thresholds(self) -> Thresholds:
        return Thresholds(self.fatigue_cases, self.fatigue_approved, self.fatigue_fast_s, self.fatigue_fast_times)
