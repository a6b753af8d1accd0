"""May this be called? Asked before a call, which is then decided anew, in both layers.

The answer comes from the rules that decide calls (`explain_decision`). Asking for oneself tells no more than calling
would; asking for others is for platform admins, who are told every reason. Where the asker says they are (surface,
channel) is part of the question and proves nothing; a workload stands where it is registered. Kept is what came out
(`decisions`), never the arguments. Not here: who else may (`who_can`).
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any

from pydantic import Field

from pierhead.apps.registry.api.answers import Asked, moment, reasons_of
from pierhead.apps.registry.api.bodies import Name, Strict, read_body
from pierhead.apps.registry.decisions import VALID_S, new_id
from pierhead.core.call import Arguments, Parsed, digest
from pierhead.core.errors import Forbidden, NotFound, PierheadError
from pierhead.core.identity import Both, Caller, Principal, User, Workload
from pierhead.core.workload import standing
from pierhead.usecases.explain_decision import UNREAD, Explanation, explain_decision, explain_to_caller

Spiffe = Annotated[str, Field(pattern=r"^spiffe://[a-z0-9._-]{1,255}(/[A-Za-z0-9._-]{1,255}){1,16}$")]


class Question(Strict):
    """What may be asked; all but `server` may be left out."""

    server: Name
    tool: Name = ""
    user: Name = ""
    workload: Spiffe = ""
    surface: Name = ""
    channel: Name = ""
    arguments: dict[str, Any] | None = None


class Batch(Strict):
    """Questions that are answered together, each as if it had been asked alone."""

    questions: list[Question] = Field(min_length=1, max_length=100)


async def authorize(asked: Asked) -> object:
    """The decision on one question.

    Errors: Invalid; Forbidden, for another's question without the right; NotFound, alike for what is not there,
    not live and not the asker's to know.
    """
    asked.query()
    return _decide(asked, await read_body(Question, asked, "authorize"))


async def authorize_batch(asked: Asked) -> object:
    """The decisions on up to a hundred questions, in their order; a refused question has its error in its place."""
    asked.query()
    batch = await read_body(Batch, asked, "authorizeBatch", 1024 * 1024)
    return {"decisions": [_answered(asked, question) for question in batch.questions]}


async def decision(asked: Asked) -> object:
    """An earlier decision, explained: to who asked for it, and to auditors.

    Errors: NotFound, alike for what is not there, too old and another's.
    """
    asked.query()
    found = asked.site.decisions.find(str(asked.request.path_params["id"]))
    if found is None or not (asked.sees_all or found.was_for(asked.caller.principal)):
        raise NotFound("no such decision, too old, or not yours to see", hint="decisions are kept for an hour")
    is_current = found.told["policy_version"] == asked.site.snapshots.current().revision
    return {**found.told, "at": moment(found.at), "is_current": is_current}


def _answered(asked: Asked, question: Question) -> Mapping[str, object]:
    try:
        return _decide(asked, question)
    except PierheadError as error:
        return {"error": {"code": error.code, "message": error.message, "hint": error.hint}}


def _decide(asked: Asked, question: Question) -> Mapping[str, object]:
    subject = _subject(asked, question)
    explain = explain_to_caller if subject.principal == asked.caller.principal else explain_decision
    try:
        explained = explain(subject, question.server, question.tool, asked.site.snapshots, _arguments(question))
    except NotFound:
        raise NotFound("no such server or tool, or not to be seen", hint="GET /api/v1/me lists yours") from None
    return _kept(asked, subject, question.channel, explained)


def _kept(asked: Asked, subject: Caller, channel: str, explained: Explanation) -> Mapping[str, object]:
    """The answer, which its asker may ask about by its id."""
    decisions, decision_id = asked.site.decisions, new_id()
    at = decisions.clock.now()
    told = _form(decision_id, at, explained)
    about = {"subject": subject.name, "server": explained.server, "tool": explained.tool}
    decisions.keep(
        decision_id, at, asked.caller.principal, {**told, **about, "surface": subject.surface, "channel": channel}
    )
    return told


def _form(decision_id: str, at: float, explained: Explanation) -> Mapping[str, object]:
    content: dict[str, object] = {"decision": explained.decision, "decision_id": decision_id}
    if explained.decision == "approval":
        content["approval"] = {"class": explained.approval}
    return {
        **content,
        "reasons": reasons_of(explained),
        "policy_version": explained.revision,
        "valid_until": moment(at + VALID_S),
    }


def _subject(asked: Asked, question: Question) -> Caller:
    """Whom the question is about: the asker, unless it names another."""
    is_own = not question.workload and question.user in {"", asked.caller.name}
    if is_own:
        return replace(asked.caller, surface=question.surface or asked.caller.surface, channel=question.channel)
    if asked.caller.groups.isdisjoint(asked.site.admins):
        groups = " or ".join(sorted(asked.site.admins))
        raise Forbidden("you may not ask for others", hint=f"leave out user and workload, or ask one of {groups}")
    subject = standing(replace(asked.caller, principal=_other(asked, question)), asked.site.registered)
    return replace(subject, surface=question.surface or subject.surface, channel=question.channel)


def _arguments(question: Question) -> Arguments:
    """Those of the question, as a call with them would be judged; nothing was read where none were given."""
    if question.arguments is None:
        return UNREAD
    return Parsed(question.arguments, digest=digest(question.arguments), size=0)


def _other(asked: Asked, question: Question) -> Principal:
    """The person, the workload, or the person through it."""
    if not question.user:
        return Workload(question.workload)
    people = asked.site.tokens.people
    groups = people.groups(question.user)
    if groups is None:
        raise NotFound(f"nobody here is called {question.user!r}", hint="name a person of the fleet file")
    user = User(asked.site.tokens.terms.people_of, question.user, groups, people.claims(question.user))
    return Both(user, Workload(question.workload)) if question.workload else user
