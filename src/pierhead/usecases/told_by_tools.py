"""What a server's own code says of a call: whether the tool is offered to the caller, and which class it needs.

Both only add a forbid or an ask to what the rules say; they permit nothing and lower nothing. Arguments that nobody
has read are not judged: then the call waits. Fills the port `Rules`. Not here: what a body asks for once it knows
more than the arguments (sdk/asking.py).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from pierhead.core.approval import Approval
from pierhead.core.call import Parsed, Request
from pierhead.core.identity import Caller, parties
from pierhead.core.json import Json
from pierhead.core.policy import Match, Question, RuleEffect
from pierhead.usecases.ports import Rules

Offered = Callable[[Caller], bool]
"""Whether a tool exists for a caller, where the server knows more than its policy: of roles of its own."""

Asks = Callable[[Caller, Mapping[str, Json]], str]
"""The class that a call needs, by name. Errors: whatever the body itself would refuse the arguments with."""


@dataclass(frozen=True, slots=True)
class ToldByTools:
    """`rules`, and what some tools say besides."""

    rules: Rules
    asks: Mapping[str, Asks] = field(hash=False)
    offered: Mapping[str, Offered] = field(hash=False)

    @property
    def questions(self) -> frozenset[Question]:
        return self.rules.questions

    def matches(self, request: Request) -> Sequence[Match]:
        found = self.rules.matches(request)
        name = request.tool.name
        if name in self.offered and not self.offered[name](request.caller):
            return (*found, *_not_offered(request))
        asks = self.asks.get(name)
        if asks is None:
            return found
        approval = self._asked(asks, request)
        return found if approval is Approval.NONE else (*found, *asking(request, approval, "these arguments need"))

    def reach(self, caller: Caller, server: str) -> Sequence[Match]:
        return self.rules.reach(caller, server)

    def _asked(self, asks: Asks, request: Request) -> Approval:
        """Arguments that this host did not read tell nothing, so people are asked."""
        arguments = request.call.arguments
        return Approval(asks(request.caller, arguments.judged)) if isinstance(arguments, Parsed) else Approval.APPROVE


def _not_offered(request: Request) -> tuple[Match, ...]:
    rule = f"{request.server.name}.{request.tool.name}.offered"
    sentence = f"{request.server.name} does not offer {request.tool.name} to {request.caller.name}"
    return tuple(
        Match(RuleEffect.FORBID, Question.USE, party, rule, sentence) for party in parties(request.caller.principal)
    )


def asking(request: Request, approval: Approval, why: str) -> tuple[Match, ...]:
    """The same ask to each party of the caller."""
    rule = f"{request.server.name}.{request.tool.name}.approval"
    sentence = f"{request.tool.name}: {why} {approval}"
    return tuple(
        Match(RuleEffect.ASK, Question.USE, party, rule, sentence, approval)
        for party in parties(request.caller.principal)
    )
