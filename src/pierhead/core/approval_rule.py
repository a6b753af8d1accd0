"""Rules of a reviewed policy about who must agree: they raise the class of a call, or lower the one that is declared.

They stand in a server's entry, so they are signed with it. What raises may hang on whatever is known of a call, also on
its arguments and on what its server estimates; what lowers hangs on tool, caller and place alone, so that nothing that
a caller sends and nothing that a server says can lower. Below: `condition`, `reach`, `rule`. Above: `catalog` (a tool
carries those that speak of it), `usecases/match_rules` (what follows from them).
"""

from collections.abc import Iterable
from dataclasses import dataclass

from pierhead.core.approval import Approval, strictest
from pierhead.core.condition import Condition
from pierhead.core.identity import Caller, Party
from pierhead.core.reach import Every, Only
from pierhead.core.rule import Who


@dataclass(frozen=True, slots=True)
class ApprovalRule:
    """One rule. `place` is where it stands in its entry; `tools` are those that it speaks of.

    It asks for `approval`, whatever else is asked; one that `lowers` puts `approval` in place of the declared class.
    """

    place: int
    approval: Approval
    lowers: bool
    tools: Only | Every
    who: Who | Every
    surfaces: Only | Every
    environments: Only | Every
    channels: Only | Every
    when: tuple[Condition, ...]

    @property
    def name(self) -> str:
        """How reasons call it, behind the name of its server."""
        return f"approvals[{self.place}]" + (".when" if self.when else "")

    def speaks_of(self, caller: Caller, party: Party) -> bool:
        """Whether it is about that party of the caller, there. Nothing of it is taken from what a client says."""
        return (
            caller.surface in self.surfaces
            and caller.environment in self.environments
            and caller.channel in self.channels
            and (isinstance(self.who, Every) or self.who.admits(caller.principal, party))
        )

    def told(self) -> str:
        """The rule in words."""
        does = f"lowered to {self.approval}" if self.lowers else f"needs {self.approval}"
        return " ".join([does, *self._places(), *self._conditions()])

    def _places(self) -> Iterable[str]:
        if not isinstance(self.who, Every):
            yield f"for {self.who}"
        named = (("from", self.surfaces), ("in", self.environments), ("in the channel", self.channels))
        for word, names in named:
            if not isinstance(names, Every):
                yield f"{word} {' or '.join(sorted(names)) or 'nowhere'}"

    def _conditions(self) -> Iterable[str]:
        if self.when:
            yield f"when {' and '.join(map(str, self.when))}"


def lowered(
    declared: Approval, rules: Iterable[ApprovalRule], *, is_destructive: bool
) -> tuple[Approval, ApprovalRule | None]:
    """The class that is left of `declared` under these rules, all of which lower, and the rule that left it.

    The strictest of them counts, none of them raises, and nothing lowers `deny`, or a destructive tool below `confirm`.
    """
    floor = Approval.CONFIRM if is_destructive else Approval.NONE
    chosen = max(rules, key=lambda rule: rule.approval.rank, default=None)
    if chosen is None or declared is Approval.DENY:
        return declared, None
    left = strictest(floor, chosen.approval)
    return (left, chosen) if left.rank < declared.rank else (declared, None)
