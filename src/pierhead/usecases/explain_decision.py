"""Why may I, or why may I not: every rule that took part, in both layers.

Uses the very rules and the very `decide` of a call, so that the explanation cannot differ from what happens, and
what the roles of a data server say (`told_by_roles`). Who may ask about whom is decided above. Not here: wording for a
terminal or a page.
"""

from dataclasses import dataclass
from typing import Final, assert_never

from pierhead.core.approval import Approval
from pierhead.core.call import Arguments, Call, Opaque, Request
from pierhead.core.catalog import Discovery, Server
from pierhead.core.errors import NotFound
from pierhead.core.identity import Caller
from pierhead.core.policy import ApprovalNeeded, Match, Permit, Question, Refusal, decide, refuse
from pierhead.usecases.match_rules import REACH, REACH_AND_USE
from pierhead.usecases.ports import Snapshots
from pierhead.usecases.resolve import live_server, no_such_server, resolve
from pierhead.usecases.told_by_roles import ToldByRoles, whole_rules

UNREAD: Final = Opaque(digest="", size=0)


@dataclass(frozen=True, slots=True)
class Explanation:
    """One decision and its grounds. `decision` is permit, refuse or approval; `tool` is empty for reach alone.

    `question` is the one that a refusal failed, `code` its code where the caller may know why.
    """

    server: str
    tool: str
    decision: str
    approval: Approval
    sentence: str
    whom_to_ask: str
    revision: int
    reasons: tuple[Match, ...]
    question: Question | None = None
    code: str = ""


def explain_decision(
    caller: Caller, server: str, tool: str, snapshots: Snapshots, arguments: Arguments = UNREAD
) -> Explanation:
    """What would be decided on a call of `tool` now; an empty `tool` asks only whether the server can be reached.

    Conditions on arguments ask for people where none are given, as in every place that has not read them.

    Errors: NotFound, alike for what is not there and what is not live; PolicyExpired.
    """
    rules = whole_rules(snapshots)
    snapshot = snapshots.current()
    if not tool:
        found = live_server(server, snapshot, snapshots.age())
        reasons = tuple(rules.reach(caller, server))
        return _reach(caller, found, reasons, snapshot.revision)
    call = Call(id="", server=server, tool=tool, arguments=arguments, era="", client="")
    request = resolve(call, caller, snapshot, snapshots.age())
    return _use(request, rules)


def explain_to_caller(
    caller: Caller, server: str, tool: str, snapshots: Snapshots, arguments: Arguments = UNREAD
) -> Explanation:
    """The same, for the caller's own eyes: a tool that may not be used reads as absent, as in a call.

    Errors: as `explain_decision`; NotFound for a hidden tool of a server that can be reached.
    """
    reach = explain_decision(caller, server, "", snapshots)
    if reach.decision == "refuse":
        if snapshots.current().servers[server].discovery is Discovery.GATED:
            raise no_such_server(server)
        return reach
    if not tool:
        return reach
    use = explain_decision(caller, server, tool, snapshots, arguments)
    if use.decision == "refuse" and not use.code:
        raise NotFound(f"Unknown tool: {tool}", hint="list the tools you may use", code="unknown-tool")
    return use


def _reach(caller: Caller, server: Server, reasons: tuple[Match, ...], revision: int) -> Explanation:
    refusal = refuse(caller, reasons, REACH, server.whom_to_ask)
    sentence = refusal.sentence if refusal else f"{caller.name} may reach {server.name}"
    decision = "refuse" if refusal else "permit"
    return Explanation(
        server.name,
        "",
        decision,
        Approval.NONE,
        sentence,
        server.whom_to_ask,
        revision,
        reasons,
        refusal.question if refusal else None,
    )


def _use(request: Request, rules: ToldByRoles) -> Explanation:
    decision = decide(request, rules.matches(request), REACH_AND_USE)
    match decision:
        case Permit():
            word, approval, sentence = "permit", Approval.NONE, f"{request.caller.name} may use {request.tool.name}"
        case ApprovalNeeded():
            word, approval = "approval", decision.approval
            sentence = f"{request.tool.name} needs approval first: {decision.approval}"
        case Refusal():
            word, approval, sentence = "refuse", Approval.NONE, decision.sentence
        case _:
            assert_never(decision)
    server = request.server
    return Explanation(
        server.name,
        request.tool.name,
        word,
        approval,
        sentence,
        server.whom_to_ask,
        request.revision,
        decision.reasons,
        decision.question if isinstance(decision, Refusal) else None,
        decision.code if isinstance(decision, Refusal) else "",
    )
