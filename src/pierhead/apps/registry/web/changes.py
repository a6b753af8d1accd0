"""What the forms about servers and reviews do: read the fields, call the one use case, say where to look next.

A form that a person can mend comes back filled, with what is wrong beside its field; anything else is an error page.
Not here: who may (`usecases/rights`), ticket and origin of a form (`pages`), how forms look.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

from starlette.requests import Request

from pierhead.apps.registry.web.answers_duty import fresh_enough, prove_anew
from pierhead.apps.registry.web.inputs import Filled
from pierhead.apps.registry.web.page_admin import shown_admin
from pierhead.apps.registry.web.page_review import shown_review
from pierhead.apps.registry.web.page_server import shown_server
from pierhead.apps.registry.web.site import Shown, Site, Viewer
from pierhead.apps.registry.web.view_review import seen_review
from pierhead.core.catalog import Step
from pierhead.core.errors import Conflict, Invalid
from pierhead.core.review import Gate, Verdict
from pierhead.usecases.advance_server import StepAsked, roll_back, take_step
from pierhead.usecases.publish_version import publish_version
from pierhead.usecases.sign_off import GateDecision, add_comment, decide_gate

Done = str | Shown
"""Where to go on, one of our own paths; or the page again, with its form filled."""

_HINT: Final = "reload the page and try again"
STALE: Final = "an older sign-in"
"""What proves whoever says no although their sign-in is too old to say yes."""
_OPENING: Final = frozenset({Verdict.APPROVE, Verdict.APPROVE_WITH_CONDITIONS, Verdict.WAIVE})
"""What lets a version through needs a sign-in of just now, as approvals do."""
#: What a person can mend by typing, and the field that it stands beside; empty for whichever of several.
_MENDED: Final = {"reason-needed": "reason", "bad-step": ""}


async def step_form(site: Site, viewer: Viewer, request: Request, form: Mapping[str, str]) -> Done:
    name = str(request.path_params["name"])
    step = _named(form)
    try:
        await _step(site, viewer, name, step, form)
    except Invalid as invalid:
        return await _again(site, viewer, name, form, invalid)
    return f"/servers/{name}#versions"


async def _again(site: Site, viewer: Viewer, server: str, form: Mapping[str, str], invalid: Invalid) -> Done:
    """The server's page with what was typed, where typing can mend it. Errors: `invalid`, where it cannot."""
    if isinstance(invalid, Conflict) or invalid.code not in _MENDED:
        raise invalid
    said = f"{invalid.message}. {invalid.hint}."
    field = _MENDED[invalid.code] or ("sunset_at" if form.get("sunset_at") else "")
    filled = Filled(form, {field: said}) if field else Filled(form, problem=said)
    return await shown_server(site, viewer, server, filled)


def _named(form: Mapping[str, str]) -> Step:
    """The step of the button. Errors: Invalid (`bad-step`), for a form that is none of ours."""
    step = form.get("step", "")
    if step not in set(Step):
        raise Invalid("the form names no step", hint=_HINT, code="bad-step")
    return Step(step)


async def _step(site: Site, viewer: Viewer, server: str, step: Step, form: Mapping[str, str]) -> None:
    asked = StepAsked(
        server=server,
        version=form.get("version", ""),
        step=step,
        reason=form.get("reason", "").strip(),
        message=form.get("message", "").strip(),
        successor=form.get("successor", "").strip(),
        sunset_at=end_of_day(form.get("sunset_at", "")),
    )
    await take_step(asked, viewer.caller(site), site.registry)


async def roll_back_form(site: Site, viewer: Viewer, request: Request, form: Mapping[str, str]) -> Done:
    name = str(request.path_params["name"])
    reason = form.get("reason", "").strip()
    try:
        await roll_back(name, form.get("version", ""), reason, viewer.caller(site), site.registry)
    except Invalid as invalid:
        return await _again(site, viewer, name, form, invalid)
    return f"/servers/{name}#versions"


async def publish_form(site: Site, viewer: Viewer, request: Request, form: Mapping[str, str]) -> Done:
    """A version of what the server's process shows now."""
    name = str(request.path_params["name"])
    try:
        await publish_version(name, None, viewer.caller(site), site.registry)
    except Conflict:
        raise
    except Invalid as invalid:
        problem = f"{invalid.message}. {invalid.hint}."
        return await shown_server(site, viewer, name, Filled(form, problem=problem))
    return f"/servers/{name}#versions"


async def suspend_form(site: Site, viewer: Viewer, request: Request, form: Mapping[str, str]) -> Done:
    """The switch of the administration's page: the current version of the named server."""
    del request
    name = form.get("name", "").strip()
    entry = await site.registry.catalogue.entry(name)
    if entry is None or not entry.current:
        faults = {"name": f"No server {name[:80]!r} is deployed. Choose one of the list."}
        return await shown_admin(site, viewer, Filled(form, faults))
    try:
        await _step(site, viewer, name, Step.SUSPEND, {**form, "version": entry.current})
    except Conflict as conflict:  # it moved meanwhile, or is stopped already
        return await shown_admin(site, viewer, Filled(form, {"name": f"{conflict.message}. {conflict.hint}."}))
    except Invalid as invalid:
        return await shown_admin(site, viewer, Filled(form, {"reason": f"{invalid.message}. {invalid.hint}."}))
    return f"/servers/{name}"


async def decision_form(site: Site, viewer: Viewer, request: Request, form: Mapping[str, str]) -> Done:
    """One reviewer's decision on one gate."""
    review_id = str(request.path_params["id"])
    await seen_review(site, viewer, review_id)
    faults, auth = _decision_faults(form), fresh_enough(site, viewer)
    if not faults and not auth and Verdict(form["verdict"]) in _OPENING:
        return prove_anew(f"/reviews/{review_id}")
    if not faults:
        try:
            await decide_gate(review_id, _decision(form, auth or STALE), viewer.caller(site), site.registry)
        except Conflict:
            raise
        except Invalid as invalid:
            field = "reason" if invalid.code == "reason-needed" else _blamed(form)
            faults = {field: f"{invalid.message}. {invalid.hint}."}
    if faults:
        return await shown_review(site, viewer, review_id, Filled(form, faults))
    return f"/reviews/{review_id}"


def _decision_faults(form: Mapping[str, str]) -> dict[str, str]:
    faults: dict[str, str] = {}
    if form.get("verdict", "") not in set(Verdict):
        faults["verdict"] = "Choose a verdict."
    if not form.get("reason", "").strip():
        faults["reason"] = "Say why; the reason is recorded."
    if form.get("gate", "") not in set(Gate):
        raise Invalid("the form names no gate", hint=_HINT, code="bad-decision")
    return faults


def _blamed(form: Mapping[str, str]) -> str:
    """The field that a decision's fault belongs to: what the verdict asks for beside the reason."""
    is_unanswered = form.get("verdict") == Verdict.WAIVE and not form.get("waiver_owner", "").strip()
    if is_unanswered and form.get("expires_at"):
        return "waiver_owner"
    return "expires_at" if form.get("verdict") == Verdict.WAIVE or form.get("expires_at") else "conditions"


def _decision(form: Mapping[str, str], auth: str) -> GateDecision:
    return GateDecision(
        gate=Gate(form["gate"]),
        verdict=Verdict(form["verdict"]),
        reason=form["reason"].strip(),
        conditions=_lines(form.get("conditions", "")),
        evidence=_lines(form.get("evidence", "")),
        expires_at=end_of_day(form.get("expires_at", "")),
        auth=auth,
        waiver_owner=form.get("waiver_owner", ""),
    )


def _lines(text: str) -> tuple[str, ...]:
    return tuple(line.strip() for line in text.splitlines() if line.strip())


async def comment_form(site: Site, viewer: Viewer, request: Request, form: Mapping[str, str]) -> Done:
    review_id = str(request.path_params["id"])
    await seen_review(site, viewer, review_id)
    await add_comment(review_id, form.get("text", "").replace("\r\n", "\n"), viewer.caller(site), site.registry)
    return f"/reviews/{review_id}#comments"


def end_of_day(text: str) -> float | None:
    """The end of that day (`YYYY-MM-DD`, UTC); None for no date.

    Errors: Invalid (`bad-step`).
    """
    if not text:
        return None
    try:
        day = datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise Invalid(f"{text[:20]!r} is no date", hint="write it as 2027-03-31", code="bad-step") from None
    return (day + timedelta(days=1)).timestamp() - 1
