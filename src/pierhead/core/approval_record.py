"""One approval: what it pins, who decided, and every step that it can take, as pure functions.

A record pins the exact call: server, version, definitions, validated arguments, environment, subject, class and the
rules that matched. Anything else is another call, and needs another record. Below: `approval` (states and moves).
Above: `usecases/ask_approval`, `answer_approval`, `spend_approval`. Not here: storing, clocks, membership of groups.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from pierhead.core.approval import OPEN_STATES, Approval, ApprovalMove, ApprovalState, moved
from pierhead.core.call import Parsed, canonical, digest, plan_of
from pierhead.core.definitions import tools_digest
from pierhead.core.errors import Conflict, Invalid
from pierhead.core.foreseen import NOTHING_FORESEEN, Foreseen
from pierhead.core.identity import Caller
from pierhead.core.json import Json
from pierhead.core.policy import ApprovalNeeded, Match
from pierhead.core.redaction import shown, shown_exactly

LARGEST_ARGUMENTS: Final = 32 * 1024
"""In bytes of canonical JSON: more than that no person reads before they say yes."""
LONGEST_REASON: Final = 2000
LIFETIMES_S: Final[Mapping[Approval, float]] = {
    Approval.CONFIRM: 600.0,
    Approval.APPROVE: 3600.0,
    Approval.FOUR_EYES: 1800.0,
}
REQUIRED: Final[Mapping[Approval, int]] = {Approval.CONFIRM: 1, Approval.APPROVE: 1, Approval.FOUR_EYES: 2}
_GRACE_S: Final = 60.0
"""Beyond the tool's own time, until a call that said nothing counts as lost."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """What is asked for, as the server that would run it says.

    `call_key` names the call (who, what, with which arguments, where); `digest` pins it under one version, one set of
    rules, and one plan. `shown` are the arguments for people: exact, less what is a secret. `run` bounds how much one
    run asks. `summary` is the server's sentence, `reason` the caller's own words. `on_behalf_of` is the person where a
    program asks for them.
    """

    call_key: str
    digest: str
    server: str
    version: str
    tool: str
    effect: str
    shown: Mapping[str, Json] = field(hash=False)
    arguments_digest: str
    environment: str
    surface: str
    client: str
    requester: str
    issuer: str
    person: str
    run: str
    approval: Approval
    revision: int
    reasons: tuple[str, ...]
    summary: str
    timeout_s: float
    foreseen: Foreseen = NOTHING_FORESEEN
    reason: str = ""
    on_behalf_of: str = ""
    client_id: str = ""
    """The client that the token of the call was issued to; `client` is only what it calls itself."""
    run_id: str = ""
    """Of the run, as its client declares it; whoever declares none has one run for each surface."""
    evidence_ids: tuple[str, ...] = ()
    """What the client names as found by that run: its word, and nobody's proof."""


@dataclass(frozen=True, slots=True)
class Decided:
    """One person's word: yes, no, or, by the verdict `ask`, only words.

    `how` is the page, the API, the command line or a form; `at` in seconds since 1970 UTC. `auth` says what proved
    them, and how long before; `instead_of` whose duty they did, if it was not their own.
    """

    by: str
    how: str
    at: float
    verdict: str
    comment: str = ""
    auth: str = ""
    instead_of: str = ""


@dataclass(frozen=True, slots=True)
class ApprovalRecord:
    """One approval. `approvers` are the groups asked; `due_at` is when a call that runs counts as lost."""

    id: str
    proposal: Proposal
    approvers: tuple[str, ...]
    required: int
    state: ApprovalState
    created_at: float
    expires_at: float
    decisions: tuple[Decided, ...] = ()
    call_id: str = ""
    spent_at: float = 0.0
    due_at: float = 0.0
    ended: str = ""
    """How the call ended, or why the record closed."""
    lock: int = 0

    @property
    def is_open(self) -> bool:
        return self.state in OPEN_STATES

    @property
    def yeses(self) -> tuple[str, ...]:
        """Who said yes, each once."""
        return tuple(dict.fromkeys(made.by for made in self.decisions if made.verdict == "approve"))

    @property
    def people(self) -> tuple[str, ...]:
        """Whose business it is by name: who asked, who decided, and in whose place."""
        named = (name for made in self.decisions for name in (made.by, made.instead_of) if name)
        return tuple(dict.fromkeys((self.proposal.person, *named)))

    @property
    def bound(self) -> tuple[str, ...]:
        """Who has no second say: who asked, who decided anything, and in whose place. A question decides nothing."""
        made = [each for each in self.decisions if each.verdict != "ask"]
        named = (name for each in made for name in (each.by, each.instead_of) if name)
        return tuple(dict.fromkeys((self.proposal.person, *named)))

    @property
    def moves_at(self) -> float | None:
        """When time alone moves it, in seconds since 1970-01-01 UTC; None where time does nothing."""
        if self.state in {ApprovalState.PENDING, ApprovalState.APPROVED}:
            return self.expires_at
        return self.due_at if self.state is ApprovalState.EXECUTING else None


def proposal_of(needed: ApprovalNeeded) -> Proposal:
    """What `needed` asks people for.

    Errors: Invalid (`too-large-to-approve`, `not-canonical`), also where the host did not read the arguments: nobody
    can say yes to what they do not see.
    """
    request = needed.request
    arguments = request.call.arguments
    if not isinstance(arguments, Parsed):
        raise Invalid("arguments that were not read cannot be approved", code="too-large-to-approve")
    if len(canonical(arguments.values)) > LARGEST_ARGUMENTS:
        message = f"{request.tool.name} needs an approval, and these arguments are too large for a person to read"
        raise Invalid(message, hint=f"send at most {LARGEST_ARGUMENTS} bytes", code="too-large-to-approve")
    caller = request.caller
    who, declared = caller.person, request.call.run
    key = [request.server.name, request.tool.name, arguments.values, caller.environment, _subject(caller)]
    return Proposal(
        call_key=digest(key),
        digest=fingerprint(needed),
        server=request.server.name,
        version=request.server.version,
        tool=request.tool.name,
        effect=str(request.tool.effect),
        shown=shown_exactly(arguments.values),
        arguments_digest=arguments.digest,
        environment=caller.environment,
        surface=caller.surface,
        client=request.call.client,
        requester=caller.name,
        issuer=who.issuer if who else "",
        person=who.subject if who else "",
        run=digest([_subject(caller), caller.surface, *([declared.id] if who and declared.id else [])]),
        approval=needed.approval,
        revision=request.revision,
        reasons=tuple(dict.fromkeys(match.sentence for match in needed.reasons if match.effect == "ask")),
        summary=f"{_does(needed, arguments.foreseen)} in {caller.environment}",
        timeout_s=request.tool.timeout_s,
        foreseen=_told(arguments.foreseen),
        reason=_reason(arguments.values),
        on_behalf_of=who.subject if who and caller.workload else "",
        client_id=caller.client,
        run_id=declared.id,
        evidence_ids=declared.evidence,
    )


def _does(needed: ApprovalNeeded, foreseen: Foreseen) -> str:
    return foreseen.summary or f"run {needed.request.tool.name} of {needed.request.server.name}"


def _told(foreseen: Foreseen) -> Foreseen:
    """As people are shown it: what is a secret is withheld in a plan's items, too."""
    if foreseen.estimate is not None:
        cost = "; ".join(part for part in (foreseen.cost, foreseen.estimate.told()) if part)
        foreseen = replace(foreseen, cost=cost, estimate=None)
    plan = foreseen.plan
    if plan is None:
        return foreseen
    first, arguments = tuple(shown(item) for item in plan.first), shown_exactly(plan.arguments)
    return replace(foreseen, plan=replace(plan, first=first, arguments=arguments))


def _reason(values: Mapping[str, Json]) -> str:
    """Why the call is made, in its caller's words: an argument of that name, which is theirs and proves nothing."""
    said = values.get("reason")
    return said[:LONGEST_REASON] if isinstance(said, str) else ""


def fingerprint(needed: ApprovalNeeded) -> str:
    """SHA-256 over everything that an approval is good for: if any of it differs, it is another call.

    Shapes: 64 lower-case hex digits. Errors: Invalid (`not-canonical`), for values that no JSON of ours can hold.
    Source: docs/explanation/approvals.md, "What an approval pins".
    """
    request = needed.request
    arguments = request.call.arguments
    return digest(
        [
            request.server.name,
            request.tool.name,
            request.server.version,
            tools_digest(request.server.instructions, request.server.tools.values()),
            request.server.running,
            arguments.values if isinstance(arguments, Parsed) else arguments.digest,
            request.caller.environment,
            _subject(request.caller),
            str(needed.approval),
            _rules_digest(needed.reasons),
            *([plan.digest] if (plan := plan_of(request.call)) else []),
        ]
    )


def _subject(caller: Caller) -> list[Json]:
    who, program = caller.person, caller.workload
    return [who.issuer if who else "", who.subject if who else "", program.spiffe_id if program else ""]


def _rules_digest(reasons: Sequence[Match]) -> str:
    """The rules that matched, and nothing else of the policy: an unrelated change voids no approval."""
    rules = {(m.effect, m.question, m.party, m.rule, m.sentence, m.approval) for m in reasons}
    return digest([[str(part) for part in rule] for rule in sorted(rules)])


def proposed(record_id: str, proposal: Proposal, approvers: tuple[str, ...], now: float) -> ApprovalRecord:
    """A fresh record of `proposal`, which waits: as long as its class lets it, and no longer than its plan.

    Errors: Invalid (`bad-approval`), for a class that asks nobody.
    """
    lifetime = LIFETIMES_S.get(proposal.approval)
    if lifetime is None:
        raise Invalid(f"class {proposal.approval} asks nobody", hint="ask for confirm or above", code="bad-approval")
    required, plan = REQUIRED[proposal.approval], proposal.foreseen.plan
    expires = now + lifetime if plan is None else min(now + lifetime, plan.expires_at)
    return ApprovalRecord(
        record_id, proposal, approvers, required, ApprovalState.PENDING, created_at=now, expires_at=expires
    )


def as_of(record: ApprovalRecord, now: float) -> ApprovalRecord:
    """The record at `now`: what nobody answered or used in time has expired, a call that never ended is lost."""
    if record.moves_at is None or record.moves_at > now:
        return record
    if record.state is ApprovalState.EXECUTING:
        return _after(record, ApprovalMove.LOSE, "the call never told how it ended")
    return _after(record, ApprovalMove.EXPIRE, "nobody used it in time")


def why_not(record: ApprovalRecord, person: str, groups: frozenset[str]) -> str:
    """Why that person may not decide on `record`; empty if they may."""
    if record.state is not ApprovalState.PENDING:
        return f"this approval is {record.state}: there is nothing left to decide"
    if record.proposal.approval is Approval.CONFIRM:
        return "" if person == record.proposal.person else "a confirmation is for the one who asked"
    if person == record.proposal.person:
        return "nobody approves their own call"
    if groups.isdisjoint(record.approvers):
        return f"this is decided by {' or '.join(record.approvers) or 'nobody: no group is named for it'}"
    if person in record.yeses:
        return "you decided already: somebody else must agree"
    stood_in_for = {made.instead_of for made in record.decisions if made.verdict == "approve"}
    return "somebody decided in your place already: somebody else must agree" if person in stood_in_for else ""


def decided(record: ApprovalRecord, made: Decided) -> ApprovalRecord:
    """The record with one more decision: one no denies, enough yeses approve.

    Errors: Conflict (`approval-state`), Invalid (`bad-decision`).
    """
    current = as_of(record, made.at)
    after = replace(current, decisions=(*current.decisions, made))
    if made.verdict == "deny":
        return _after(after, ApprovalMove.DENY, made.comment)
    if made.verdict != "approve":
        raise Invalid(f"no such verdict: {made.verdict[:40]!r}", hint="approve or deny", code="bad-decision")
    moved(current.state, ApprovalMove.APPROVE)
    return _after(after, ApprovalMove.APPROVE, "") if len(after.yeses) >= record.required else after


def remarked(record: ApprovalRecord, made: Decided) -> ApprovalRecord:
    """The record with words that decide nothing."""
    return replace(record, decisions=(*record.decisions, made))


def cancelled(record: ApprovalRecord, now: float) -> ApprovalRecord:
    """Withdrawn by whoever asked. Errors: Conflict (`approval-state`)."""
    return _after(as_of(record, now), ApprovalMove.CANCEL, "withdrawn")


def superseded(record: ApprovalRecord, why: str) -> ApprovalRecord:
    """No longer good for anything. Errors: Conflict (`approval-state`)."""
    return _after(record, ApprovalMove.SUPERSEDE, why)


def spent(record: ApprovalRecord, fingerprint_now: str, call_id: str, now: float) -> ApprovalRecord:
    """Used up by the call `call_id`, which has to end in time.

    Errors: Conflict (`approval-state`; `approval-differs`, where the call is not the one that was approved).
    """
    if record.proposal.digest != fingerprint_now:
        raise Conflict("the call is not the one that was approved", hint="ask again", code="approval-differs")
    due = now + record.proposal.timeout_s + _GRACE_S
    return replace(_after(as_of(record, now), ApprovalMove.SPEND, ""), call_id=call_id, spent_at=now, due_at=due)


def finished(record: ApprovalRecord, call_id: str, ended: str) -> ApprovalRecord:
    """The call ended with a definite result. Errors: Conflict (`approval-state`), also for another call's end."""
    _same_call(record, call_id)
    return _after(record, ApprovalMove.FINISH, ended)


def lost(record: ApprovalRecord, call_id: str, why: str) -> ApprovalRecord:
    """Nobody knows what the call did. Errors: as `finished`."""
    _same_call(record, call_id)
    return _after(record, ApprovalMove.LOSE, why)


def settled(record: ApprovalRecord, made: Decided, now: float) -> ApprovalRecord:
    """A person looked, and says what the lost call did. Errors: Conflict (`approval-state`)."""
    after = _after(as_of(record, now), ApprovalMove.SETTLE, f"settled: {made.comment}")
    return replace(after, decisions=(*record.decisions, made))


def _same_call(record: ApprovalRecord, call_id: str) -> None:
    if record.call_id != call_id:
        raise Conflict("another call spent this approval", hint="nothing to do", code="approval-state")


def _after(record: ApprovalRecord, move: ApprovalMove, ended: str) -> ApprovalRecord:
    return replace(record, state=moved(record.state, move), ended=ended)
