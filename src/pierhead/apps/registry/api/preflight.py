"""`POST /api/v1/authorize`: may this be called? Asked before a call, which is then decided anew, in both layers.

The answer comes from the rules that decide calls (`explain_decision`). Asking for oneself tells no more than calling
would; asking for others is for platform admins, who are told every reason. Arguments and channel are part of the
question, but no rule reads them yet; nothing of the question is kept.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pierhead.apps.registry.api.answers import Asked, moment, reasons_of
from pierhead.apps.registry.forms import body_of
from pierhead.core.errors import Forbidden, Invalid, NotFound
from pierhead.core.identity import Both, Caller, Principal, User, Workload
from pierhead.usecases.explain_decision import Explanation, explain_decision, explain_to_caller

_VALID_S: Final = 30.0

Name = Annotated[str, Field(min_length=1, max_length=128)]
Spiffe = Annotated[str, Field(pattern=r"^spiffe://[a-z0-9._-]{1,255}(/[A-Za-z0-9._-]{1,255}){1,16}$")]


class Question(BaseModel):
    """What may be asked; all but `server` may be left out."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    server: Name
    tool: Name = ""
    user: Name = ""
    workload: Spiffe = ""
    surface: Name = ""
    channel: Name = ""
    arguments: Mapping[str, object] = Field(default_factory=dict[str, object])


async def authorize(asked: Asked) -> object:
    """The decision on one question.

    Errors: Invalid; Forbidden, for another's question without the right; NotFound, alike for what is not there,
    not live and not the asker's to know.
    """
    asked.query()
    question = _read(await body_of(asked.request))
    subject = _subject(asked, question)
    explain = explain_to_caller if subject.principal == asked.caller.principal else explain_decision
    try:
        explained = explain(subject, question.server, question.tool, asked.site.snapshots)
    except NotFound:
        raise NotFound("no such server or tool, or not to be seen", hint="GET /api/v1/me lists yours") from None
    return _decision(explained, asked.site.now())


def _decision(explained: Explanation, now: float) -> Mapping[str, object]:
    content: dict[str, object] = {"decision": explained.decision}
    if explained.decision == "approval":
        content["approval"] = {"class": explained.approval}
    return {
        **content,
        "reasons": reasons_of(explained),
        "policy_version": explained.revision,
        "valid_until": moment(now + _VALID_S),
    }


def _subject(asked: Asked, question: Question) -> Caller:
    """Whom the question is about: the asker, unless it names another."""
    surface = question.surface or asked.caller.surface
    is_own = not question.workload and question.user in {"", asked.caller.name}
    if is_own:
        return replace(asked.caller, surface=surface)
    if asked.caller.groups.isdisjoint(asked.site.admins):
        groups = " or ".join(sorted(asked.site.admins))
        raise Forbidden("you may not ask for others", hint=f"leave out user and workload, or ask one of {groups}")
    return replace(asked.caller, principal=_other(asked, question), surface=surface)


def _other(asked: Asked, question: Question) -> Principal:
    """The person, the workload, or the person through it."""
    if not question.user:
        return Workload(question.workload)
    people = asked.site.tokens.people
    groups = people.groups(question.user)
    if groups is None:
        raise NotFound(f"nobody here is called {question.user!r}", hint="name a person of the fleet file")
    user = User(asked.site.public_url, question.user, groups, people.claims(question.user))
    return Both(user, Workload(question.workload)) if question.workload else user


def _read(body: bytes) -> Question:
    try:
        return Question.model_validate(json.loads(body, object_pairs_hook=_once))
    except ValidationError as wrong:
        faults = "; ".join(f"{'.'.join(map(str, each['loc'])) or 'body'}: {each['msg']}" for each in wrong.errors())
        raise Invalid(f"the question cannot be read: {faults}"[:1000], hint="see /docs#authorize") from None
    except (ValueError, RecursionError):
        raise Invalid("the body is no JSON object, each member once", hint="see /docs#authorize") from None


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member is given twice")
    return members
