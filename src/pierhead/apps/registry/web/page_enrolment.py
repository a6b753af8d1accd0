"""The credential of a server that its team runs: made by its owner's button, on this one page, and nowhere again.

Not here: who may have it made, and what it opens (`usecases/enrol_server`).
"""

from collections.abc import Mapping
from dataclasses import dataclass

import htpy as h
from starlette.requests import Request

from pierhead.apps.registry.web.frame import heading
from pierhead.apps.registry.web.parts import Tone, exact, notice, titled, to
from pierhead.apps.registry.web.site import Shown, Site, Viewer
from pierhead.usecases.enrol_server import enrol_server


@dataclass(frozen=True, slots=True)
class EnrolmentView:
    """What the owner is shown, once. `listens` is where the process must listen."""

    server: str
    listens: str
    credential: str


async def enrol_form(site: Site, viewer: Viewer, request: Request, form: Mapping[str, str]) -> str | Shown:
    """Make the credential, and show it. Errors: as `enrol_server`."""
    del form
    name = str(request.path_params["name"])
    made = await enrol_server(name, viewer.caller(site), site.enrolments)
    view = EnrolmentView(made.server, made.listens, made.text())
    return Shown(f"Credential of {name}", view, lambda: _page(view), is_result=True)


def _page(view: EnrolmentView) -> h.Node:
    start = f"pierhead run own MODULE:NAME --credential {view.server}.credential --data DIRECTORY"
    return [
        heading(f"Credential of {view.server}", h.p(class_="read quiet")["For the process that your team runs."]),
        notice(Tone.WAIT, "It is shown this once.", "Keep it as a secret. The one before is no longer good."),
        titled("The credential", exact(view.credential, "The credential, one line")),
        titled("Start your server with it", exact(start, "A command"), h.p[f"It listens at {view.listens}."]),
        h.p[to(f"/servers/{view.server}", f"Back to {view.server}")],
    ]
