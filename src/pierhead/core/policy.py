"""From matches to a decision: the one function that says yes.

In one sentence: a matching forbid refuses; then no permit for a question means no; then the strictest ask
applies. Two questions are put, reach and use, to each party of the caller; a host answers those it can see.
Not here: which rules match (that is a port, `Rules`).
"""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Final, assert_never

from pierhead.core.approval import Approval, strictest
from pierhead.core.call import Request
from pierhead.core.identity import Anonymous, Caller, Party, Principal, Workload, parties, person, workload

DENIED: Final = "denied"
"""The code of a refusal by class `deny`: whoever reads it would be permitted, and nobody is."""


class Question(StrEnum):
    """What a rule answers: layer 1 (reach) or layer 2 (use)."""

    REACH = "reach"
    USE = "use"


class RuleEffect(StrEnum):
    PERMIT = "permit"
    FORBID = "forbid"
    ASK = "ask"
    LOWER = "lower"
    """A reviewed rule asks for less than is declared. It permits nothing: it says why an ask is not there."""


@dataclass(frozen=True, slots=True)
class Match:
    """One rule that took part: what it says of which question, for which party, and why in a sentence.

    `code` is set on a forbid that its caller may read, where nothing else stands in their way: others read "not found".
    """

    effect: RuleEffect
    question: Question
    party: Party
    rule: str
    sentence: str
    approval: Approval = Approval.NONE
    code: str = ""


@dataclass(frozen=True, slots=True)
class Permit:
    """Yes. Made by `decide`, or by `approve` on spending a grant; never leaves its process.

    `approval` names the record that was spent for it; empty where nobody had to agree.
    """

    request: Request
    reasons: tuple[Match, ...]
    approval: str = ""


@dataclass(frozen=True, slots=True)
class Refusal:
    """No, and why: `sentence` names what is missing, `whom_to_ask` who can change it.

    `code` is that of the forbid, if it has one: the caller would be permitted but for that.
    """

    question: Question
    sentence: str
    whom_to_ask: str
    reasons: tuple[Match, ...]
    code: str = ""


@dataclass(frozen=True, slots=True)
class ApprovalNeeded:
    """Yes, once people agree."""

    request: Request
    approval: Approval
    reasons: tuple[Match, ...]


Decision = Permit | Refusal | ApprovalNeeded


def decide(request: Request, matches: Iterable[Match], questions: frozenset[Question]) -> Decision:
    """Decide a request from the rules that matched it.

    Shapes: `matches` in any order; `questions` is what this host must have answered, never empty.
    Errors: none; what is not permitted is a Refusal.
    """
    reasons = (*matches, *intrinsic(request))
    refusal = refuse(request.caller, reasons, questions, request.server.whom_to_ask)
    if refusal is not None:
        return refusal
    asked = strictest(*[_asked(match) for match in reasons if match.effect is RuleEffect.ASK])
    match asked:
        case Approval.NONE:
            return Permit(request, reasons)
        case Approval.DENY:
            return Refusal(Question.USE, _denial(reasons), request.server.whom_to_ask, reasons, DENIED)
        case Approval.CONFIRM | Approval.APPROVE | Approval.FOUR_EYES:
            return ApprovalNeeded(request, asked, reasons)
        case _:
            assert_never(asked)


def _denial(reasons: tuple[Match, ...]) -> str:
    """Which rules deny: only those read it whom nothing else stands against."""
    said = (match.sentence for match in reasons if match.effect is RuleEffect.ASK and _asked(match) is Approval.DENY)
    return f"policy denies this call: {'; '.join(dict.fromkeys(said))}"


def inputs_digest(request: Request) -> str:
    """SHA-256 (hex) over everything that a decision on `request` may read; the revision stands for all rules.

    Each part is written with its length, so that no two inputs can run into one text.
    """
    caller, server = request.caller, request.server
    claims = repr(caller.person.claims) if caller.person else ""
    who = _who(caller.principal, claims, caller.surface, caller.environment, caller.channel)
    what = (server.name, server.version, request.tool.name, request.call.arguments.digest, str(request.revision))
    return hashlib.sha256((who + _measured(what)).encode("utf-8", "surrogatepass")).hexdigest()


@lru_cache(maxsize=4096)
def _who(principal: Principal, claims: str, surface: str, environment: str, channel: str) -> str:
    """Kept, since the same people call again. `claims` come as text: among values, 1 equals true."""
    return _measured((*_identity(principal, claims), surface, environment, channel))


def _measured(parts: Iterable[str]) -> str:
    return "".join([f"{len(part)}:{part}" for part in parts])


def _identity(principal: Principal, claims: str) -> Iterator[str]:
    who, program = person(principal), workload(principal)
    if who is not None:
        yield "person"
        yield who.issuer
        yield who.subject
        yield f"{len(who.groups)} groups"
        yield from sorted(who.groups)
        yield claims
    if program is not None:
        yield "workload"
        yield program.spiffe_id


def _asked(match: Match) -> Approval:
    """What an ask asks for. One that forgot to say is denied: a missing value must not let the call through."""
    return Approval.DENY if match.approval is Approval.NONE else match.approval


def refuse(
    caller: Caller, reasons: tuple[Match, ...], questions: frozenset[Question], whom_to_ask: str
) -> Refusal | None:
    """The refusal that `reasons` amount to, or None where every question has its permit and nothing forbids.

    A forbid that tells its code is judged last, so that only who would be permitted learns of it.
    """
    told: Match | None = None
    for match in reasons:
        if match.effect is RuleEffect.FORBID:
            if not match.code:
                return Refusal(match.question, match.sentence, whom_to_ask, reasons)
            told = told or match
    if isinstance(caller.principal, Anonymous) or not questions:
        return Refusal(Question.REACH, "nobody is signed in", whom_to_ask, reasons)
    for question in sorted(questions):
        for party in parties(caller.principal):
            if not _permitted(reasons, question, party):
                sentence = f"no rule lets {caller.name} {question} it as a {party}"
                return Refusal(question, sentence, whom_to_ask, reasons)
    return told and Refusal(told.question, told.sentence, whom_to_ask, reasons, told.code)


def _permitted(reasons: tuple[Match, ...], question: Question, party: Party) -> bool:
    for match in reasons:  # a loop: a generator on every decision costs more than the comparisons
        if match.effect is RuleEffect.PERMIT and match.question is question and match.party is party:
            return True
    return False


def intrinsic(request: Request) -> tuple[Match, ...]:
    """Rules no policy can lift: a workload alone may only read, and write what a tool declares to be drafts."""
    tool = request.tool
    is_harmless = tool.effect == "read" or (tool.drafts and tool.effect == "write")
    if isinstance(request.caller.principal, Workload) and not is_harmless:
        sentence = f"a workload without a person may only read; {tool.name} is {tool.effect}"
        return (Match(RuleEffect.FORBID, Question.USE, Party.WORKLOAD, "intrinsic.workload-reads-only", sentence),)
    return ()
