"""What the buttons of an approval do: read the form, call the one use case, show the card as it is now.

Whoever clicks is checked again, now: group, own call, state, expiry, and that what they saw is what would run. A
second tab, a reload or an old page changes nothing, and is told so. Not here: token and origin of a form (`pages`).
"""

from collections.abc import Mapping

from starlette.requests import Request

from pierhead.apps.registry.web.answers_duty import fresh_enough, prove_anew
from pierhead.apps.registry.web.inputs import Filled
from pierhead.apps.registry.web.page_approval import shown_approval
from pierhead.apps.registry.web.page_approval_duty import HOURS
from pierhead.apps.registry.web.site import Shown, Site, Viewer
from pierhead.core.approval import Approval, ApprovalState
from pierhead.core.approval_record import ApprovalRecord
from pierhead.core.errors import Invalid
from pierhead.core.identity import User
from pierhead.usecases.answer_approval import (
    Answer,
    cancel_approval,
    decide_approval,
    seen_approval,
    settle_approval,
)
from pierhead.usecases.approval_desk import record_of
from pierhead.usecases.ports_duty import Wish
from pierhead.usecases.remark_on_approval import remark_on_approval
from pierhead.usecases.remember_choice import remember_choice

Done = str | Shown


async def answer_form(site: Site, viewer: Viewer, request: Request, form: Mapping[str, str]) -> Done:
    """Approve, deny, or ask back."""
    approval_id = await _seen(site, viewer, request)
    if form.get("verdict") == "ask":
        return await remark_form(site, viewer, request, form)
    auth, verdict = fresh_enough(site, viewer), form.get("verdict", "")
    answer = Answer(verdict, form.get("comment", "").strip(), "web", form.get("digest", ""), auth)
    if not auth and verdict == "approve" and await _asks_others(site, approval_id):
        return prove_anew(f"/approvals/{approval_id}")
    try:
        record = await decide_approval(approval_id, answer, viewer.caller(site), site.approvals)
        await _remember(site, viewer, record, form.get("remember", ""))
    except Invalid as refused:  # also a Conflict: it moved on in another tab
        return await _again(site, viewer, approval_id, form, refused)
    return f"/approvals/{approval_id}"


async def _asks_others(site: Site, approval_id: str) -> bool:
    """Whether it is of class approve or above: then a yes needs a sign-in of just now."""
    return (await record_of(approval_id, site.approvals)).proposal.approval is not Approval.CONFIRM


async def _remember(site: Site, viewer: Viewer, record: ApprovalRecord, hours: str) -> None:
    """What was chosen beside a confirmation; a denial is remembered by its own record."""
    if record.state is not ApprovalState.APPROVED or hours not in HOURS or hours == "0":
        return
    who = User(site.tokens.terms.people_of, viewer.person, viewer.groups)
    await remember_choice(record.id, Wish(int(hours) * 3600.0, (), "web"), who, site.approvals)


async def remark_form(site: Site, viewer: Viewer, request: Request, form: Mapping[str, str]) -> Done:
    """Ask, or answer what was asked; nothing is decided."""
    approval_id = await _seen(site, viewer, request)
    said = form.get("comment", "").strip()
    try:
        await remark_on_approval(approval_id, said, "web", viewer.caller(site), site.approvals)
    except Invalid as refused:
        return await _again(site, viewer, approval_id, form, refused)
    return f"/approvals/{approval_id}"


async def cancel_form(site: Site, viewer: Viewer, request: Request, form: Mapping[str, str]) -> Done:
    approval_id = await _seen(site, viewer, request)
    try:
        await cancel_approval(approval_id, viewer.caller(site), site.approvals)
    except Invalid as refused:
        return await _again(site, viewer, approval_id, form, refused)
    return f"/approvals/{approval_id}"


async def settle_form(site: Site, viewer: Viewer, request: Request, form: Mapping[str, str]) -> Done:
    approval_id = await _seen(site, viewer, request)
    try:
        await settle_approval(approval_id, form.get("comment", "").strip(), viewer.caller(site), site.approvals)
    except Invalid as refused:
        return await _again(site, viewer, approval_id, form, refused)
    return f"/approvals/{approval_id}"


async def _seen(site: Site, viewer: Viewer, request: Request) -> str:
    """The id, of an approval that the viewer may see. Errors: NotFound."""
    approval_id = str(request.path_params["id"])
    return (await seen_approval(approval_id, viewer.caller(site), site.auditors, site.approvals)).id


async def _again(site: Site, viewer: Viewer, approval_id: str, form: Mapping[str, str], refused: Invalid) -> Shown:
    said = f"{refused.message[:1].upper()}{refused.message[1:]}."
    return await shown_approval(site, viewer, approval_id, Filled(form, problem=said))
