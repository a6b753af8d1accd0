"""What the buttons of duties do: break the glass, review it, be away and back, forget a choice.

Below: the use cases, which check everything again. Not here: deciding (`answers`).
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import quote

from starlette.requests import Request

from pierhead.apps.registry.web.inputs import Filled
from pierhead.apps.registry.web.page_approval import shown_approval
from pierhead.apps.registry.web.page_you import shown_you
from pierhead.apps.registry.web.site import Shown, Site, Viewer
from pierhead.core.absence import Absence
from pierhead.core.errors import Invalid
from pierhead.core.identity import User
from pierhead.usecases.answer_approval import Answer, seen_approval
from pierhead.usecases.break_glass import break_glass, review_glass
from pierhead.usecases.declare_absence import declare_absence, end_absence
from pierhead.usecases.remember_choice import revoke_choice

Done = str | Shown


def fresh_enough(site: Site, viewer: Viewer) -> str:
    """How old the proof of who that is, for the record; empty if it is too old to approve with."""
    age = max(0, int(site.now()) - viewer.session.proved_at)
    return f"sign-in {age} s old" if age <= site.reauthenticate_s else ""


def prove_anew(path: str) -> str:
    """Where somebody whose sign-in is too old goes first, and comes back from."""
    return f"/sign-in?fresh=1&next={quote(path, safe='')}"


async def break_form(site: Site, viewer: Viewer, request: Request, form: Mapping[str, str]) -> Done:
    approval_id = await _seen(site, viewer, request)
    auth = fresh_enough(site, viewer)
    if not auth:
        return prove_anew(f"/approvals/{approval_id}")
    answer = Answer("", form.get("comment", "").strip(), "web", form.get("digest", ""), auth)
    try:
        await break_glass(approval_id, answer, viewer.caller(site), site.approvals)
    except Invalid as refused:
        return await shown_approval(site, viewer, approval_id, Filled(problem=_sentence(refused)))
    return f"/approvals/{approval_id}"


async def review_glass_form(site: Site, viewer: Viewer, request: Request, form: Mapping[str, str]) -> Done:
    approval_id = await _seen(site, viewer, request)
    answer = Answer("", form.get("comment", "").strip(), "web", "", fresh_enough(site, viewer))
    try:
        await review_glass(approval_id, answer, viewer.caller(site), site.auditors, site.approvals)
    except Invalid as refused:
        return await shown_approval(site, viewer, approval_id, Filled(problem=_sentence(refused)))
    return f"/approvals/{approval_id}"


async def away_form(site: Site, viewer: Viewer, request: Request, form: Mapping[str, str]) -> Done:
    """The end of a day, in UTC: no time of day is asked for, and none is guessed."""
    try:
        until = datetime.fromisoformat(form.get("until", "")).replace(hour=23, minute=59, tzinfo=UTC).timestamp()
    except ValueError:
        return await shown_you(site, viewer, request, Filled(form, {"until": "Name the last day."}))
    wanted = Absence("", "", form.get("deputy", "").strip(), 0.0, until, form.get("reason", "").strip())
    try:
        await declare_absence(wanted, viewer.caller(site), site.duty)
    except Invalid as refused:
        return await shown_you(site, viewer, request, Filled(form, problem=_sentence(refused)))
    return "/you"


async def back_form(site: Site, viewer: Viewer, request: Request, form: Mapping[str, str]) -> Done:
    del form
    try:
        await end_absence(str(request.path_params["id"]), viewer.caller(site), site.admins, site.duty)
    except Invalid as refused:
        return await shown_you(site, viewer, request, Filled(problem=_sentence(refused)))
    return "/you"


async def forget_form(site: Site, viewer: Viewer, request: Request, form: Mapping[str, str]) -> Done:
    del form
    who = User(site.tokens.terms.people_of, viewer.person, viewer.groups)
    try:
        await revoke_choice(str(request.path_params["id"]), who, site.approvals)
    except Invalid as refused:
        return await shown_you(site, viewer, request, Filled(problem=_sentence(refused)))
    return "/you"


async def _seen(site: Site, viewer: Viewer, request: Request) -> str:
    approval_id = str(request.path_params["id"])
    return (await seen_approval(approval_id, viewer.caller(site), site.auditors, site.approvals)).id


def _sentence(refused: Invalid) -> str:
    return f"{refused.message[:1].upper()}{refused.message[1:]}."
