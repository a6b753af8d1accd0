"""What the buttons of an approval do: read the form, call the one use case, show the card as it is now.

Whoever clicks is checked again, now: group, own call, state, expiry, and that what they saw is what would run. A
second tab, a reload or an old page changes nothing, and is told so. Not here: token and origin of a form (`pages`).
"""

from collections.abc import Mapping

from starlette.requests import Request

from pierhead.apps.registry.web.inputs import Filled
from pierhead.apps.registry.web.page_approval import shown_approval
from pierhead.apps.registry.web.site import Shown, Site, Viewer
from pierhead.core.errors import Invalid
from pierhead.usecases.answer_approval import (
    Answer,
    cancel_approval,
    decide_approval,
    seen_approval,
    settle_approval,
)

Done = str | Shown


async def answer_form(site: Site, viewer: Viewer, request: Request, form: Mapping[str, str]) -> Done:
    """Approve or deny."""
    approval_id = await _seen(site, viewer, request)
    answer = Answer(form.get("verdict", ""), form.get("comment", "").strip(), "web", form.get("digest", ""))
    try:
        await decide_approval(approval_id, answer, viewer.caller(site), site.approvals)
    except Invalid as refused:  # also a Conflict: it moved on in another tab
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
