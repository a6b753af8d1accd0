"""The rules of approval in a server's entry, checked: what calls need beside what their tools declare, and less.

Below: `entry_words`. Above: `declared`, which puts them beside the other members. Not here: what follows from them
(`usecases/match_rules`), whether they fit the server's tools (`usecases/check_entry`).
"""

from collections.abc import Iterable
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from pierhead.bootstrap.entry_words import Channel, ConditionText, Group, PolicyText, member_of
from pierhead.core.approval import Approval
from pierhead.core.approval_rule import ApprovalRule
from pierhead.core.bounds import read_bounds
from pierhead.core.reach import EVERY, Every
from pierhead.core.rule import parse_who

_Tool = Annotated[str, StringConstraints(min_length=1, max_length=128)]
_Class = Annotated[str, AfterValidator(lambda text: member_of(Approval, text))]


class DeclaredApproval(BaseModel):
    """One rule: `class` is asked for besides, `lowers_to` stands in place of the declared class. One of the two."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    raises_to: _Class | None = Field(None, alias="class")
    lowers_to: _Class | None = None
    tools: Annotated[list[_Tool], Field(min_length=1)] | None = None
    who: PolicyText | None = None
    surfaces: list[Group] | None = None
    environments: list[Group] | None = None
    channels: list[Channel] | None = None
    when: ConditionText | Annotated[list[ConditionText], Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def _says_one_thing(self) -> "DeclaredApproval":
        if (self.raises_to is None) is (self.lowers_to is None):
            raise ValueError("it says either class (asked for besides) or lowers_to (in place of what is declared)")
        if self.raises_to == Approval.NONE:
            raise ValueError("class none asks nobody: to ask for less than is declared, write lowers_to")
        if self.lowers_to == Approval.DENY:
            raise ValueError("deny lowers nothing: write class: deny")
        if self.lowers_to is not None and (self.when is not None or self.tools is None):
            raise ValueError("what lowers names its tools, and hangs on no arguments: they can only raise")
        if self.who is not None and parse_who(self.who).by_policies:
            raise ValueError("who names people, groups and workloads, not policies")
        return self

    def rule(self, place: int) -> ApprovalRule:
        return ApprovalRule(
            place=place,
            approval=Approval(self.raises_to or self.lowers_to or Approval.DENY),
            lowers=self.lowers_to is not None,
            tools=_only(self.tools),
            who=EVERY if self.who is None else parse_who(self.who),
            surfaces=_only(self.surfaces),
            environments=_only(self.environments),
            channels=_only(self.channels),
            when=read_bounds(None, self.when).when,
        )


def rules_of(declared: Iterable[DeclaredApproval]) -> tuple[ApprovalRule, ...]:
    return tuple(each.rule(place) for place, each in enumerate(declared))


def _only(names: list[str] | None) -> frozenset[str] | Every:
    """Left out means no restriction; an empty list means nothing."""
    return EVERY if names is None else frozenset(names)
