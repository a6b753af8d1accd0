"""Duties for programs that people use: absences, remembered choices, broken glass, and the habits of approving.

Who may what is the use cases' to say. Not here: approvals themselves (`approvals`).
"""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Annotated

from pydantic import AwareDatetime, Field

from pierhead.apps.registry.api.answers import Asked, moment
from pierhead.apps.registry.api.approvals import proof, seen, shown
from pierhead.apps.registry.api.bodies import Sentence, Strict, read_body
from pierhead.core.absence import Absence
from pierhead.core.choice import Choice
from pierhead.core.errors import Forbidden
from pierhead.core.identity import User
from pierhead.usecases.answer_approval import Answer
from pierhead.usecases.break_glass import break_glass, review_glass
from pierhead.usecases.declare_absence import declare_absence, end_absence
from pierhead.usecases.measure_fatigue import DAYS, FatigueDesk, measure_fatigue
from pierhead.usecases.remember_choice import revoke_choice
from pierhead.usecases.rights import person_of

_Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
_Moment = Annotated[AwareDatetime, Field(strict=False)]
"""JSON has no times: a text that is one, with its zone."""
_Name = Annotated[str, Field(max_length=255)]


class Breaking(Strict):
    """Why one yes must stand for two, of exactly what was shown."""

    reason: Sentence
    digest: _Digest


class Reviewing(Strict):
    """What somebody found who looked at a broken glass."""

    comment: Sentence


class Being(Strict):
    """Being away: until when, from when (now, if left out), who stands in (nobody), and why."""

    until: _Moment
    since: _Moment | None = None
    deputy: _Name = ""
    reason: str = Field(default="", max_length=500)


async def break_the_glass(asked: Asked) -> object:
    """Errors: as `break_glass`; NotFound; Invalid."""
    asked.query()
    known = await seen(asked)
    said = await read_body(Breaking, asked, "breakGlass")
    answer = Answer("", said.reason.strip(), "api", said.digest, proof(asked))
    return await shown(asked, await break_glass(known.id, answer, asked.caller, asked.site.approvals))


async def review_the_glass(asked: Asked) -> object:
    """Errors: as `review_glass`; NotFound; Invalid."""
    asked.query()
    known = await seen(asked)
    said = await read_body(Reviewing, asked, "reviewGlass")
    answer, site = Answer("", said.comment.strip(), "api", "", proof(asked)), asked.site
    return await shown(asked, await review_glass(known.id, answer, asked.caller, site.auditors, site.approvals))


async def absences(asked: Asked) -> object:
    """The caller's own, and those in which they stand in; on or to come."""
    asked.query()
    return await _absences(asked)


async def be_away(asked: Asked) -> object:
    """Errors: as `declare_absence`; Invalid."""
    asked.query()
    said = await read_body(Being, asked, "beAway")
    wanted = Absence("", "", said.deputy.strip(), _seconds(said.since), _seconds(said.until), said.reason.strip())
    await declare_absence(wanted, asked.caller, asked.site.duty)
    return await _absences(asked)


async def be_back(asked: Asked) -> object:
    """Errors: as `end_absence`."""
    asked.query()
    await end_absence(str(asked.request.path_params["id"]), asked.caller, asked.site.admins, asked.site.duty)
    return await _absences(asked)


async def choices(asked: Asked) -> object:
    """What the caller need not confirm again."""
    asked.query()
    return await _choices(asked)


async def forget(asked: Asked) -> object:
    """Errors: as `revoke_choice`; Forbidden (`person-needed`)."""
    asked.query()
    person_of(asked.caller)
    await revoke_choice(str(asked.request.path_params["id"]), _person(asked), asked.site.approvals)
    return await _choices(asked)


async def fatigue(asked: Asked) -> object:
    """How people answer, and what rules come to. Errors: Forbidden."""
    asked.query()
    site = asked.site
    desk = FatigueDesk(site.approvals.store, site.auditors, site.thresholds)
    found = await measure_fatigue(asked.caller, site.now(), desk)
    return {**asdict(found), "days": DAYS, "thresholds": asdict(site.thresholds)}


def _person(asked: Asked) -> User:
    who = asked.caller.person
    if who is None:
        raise Forbidden("this is for a person to do", hint="sign in yourself", code="person-needed")
    return who


async def _absences(asked: Asked) -> Mapping[str, object]:
    name = _person(asked).subject
    lasting = await asked.site.duty.absences.open(asked.site.now())
    return {"absences": [_absence(each) for each in lasting if name in {each.person, each.deputy}]}


def _absence(each: Absence) -> Mapping[str, object]:
    members = asdict(each)
    del members["ended_at"]
    return {**members, "since": moment(each.since), "until": moment(each.until)}


async def _choices(asked: Asked) -> Mapping[str, object]:
    who = _person(asked)
    held = await asked.site.approvals.choices.held(who.subject)
    return {"choices": [_choice(each) for each in held if each.issuer == who.issuer]}


def _choice(each: Choice) -> Mapping[str, object]:
    names = (
        "id",
        "approval_id",
        "server",
        "version",
        "tool",
        "environment",
        "surface",
        "client",
        "client_id",
        "fixed",
        "free",
    )
    told = {name: getattr(each, name) for name in names}
    return {**told, "created_at": moment(each.created_at), "expires_at": moment(each.expires_at)}


def _seconds(at: datetime | None) -> float:
    return at.timestamp() if at else 0.0
