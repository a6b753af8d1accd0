"""Registering a server: a remote one by plain fields, any by its entry as YAML. Nothing can be called by that alone.

Not here: reading the form (`entry_form`), who may register what (`usecases/register_server`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import htpy as h
from starlette.requests import Request

from pierhead.apps.registry.web.entry_form import PLAIN, blame, entry_of
from pierhead.apps.registry.web.frame import heading
from pierhead.apps.registry.web.inputs import BLANK, Filled, area, choice, faults, form, submit, text
from pierhead.apps.registry.web.parts import Tone, exact, folded, notice, titled
from pierhead.apps.registry.web.site import Shown, Site, Viewer
from pierhead.core.catalog import DataClass
from pierhead.core.errors import Forbidden, Invalid
from pierhead.usecases.check_guest import REGISTRABLE
from pierhead.usecases.register_server import register_server
from pierhead.usecases.rights import may_register

_PATH: Final = "/servers/register"
_FIELDS: Final = frozenset({*PLAIN, "name", "tools", "egress"})
_LONGEST_ENTRY: Final = 40_000
_EXAMPLE: Final = """kind: http
url: https://tickets.corp.example/mcp
owner: support-tools
support: "#tickets"
description: Reads and files support tickets.
access: group:support
tools:
  search_tickets: {policy: "group:support", effect: read, minutes_saved: 3}"""


@dataclass(frozen=True, slots=True)
class RegisterView:
    """What the form asks for. `why_not` is why you cannot register; empty if you can."""

    why_not: str
    kinds: tuple[str, ...]
    data_classes: tuple[DataClass, ...]
    commands: tuple[str, ...]


async def register_page(site: Site, viewer: Viewer, request: Request) -> Shown:
    del request
    return _shown(site, viewer, BLANK)


async def register_form(site: Site, viewer: Viewer, request: Request, sent: Mapping[str, str]) -> str | Shown:
    """Take in what the form declares."""
    del request
    entry, wrong = entry_of(sent)
    name = sent.get("name", "").strip()
    if not wrong:
        try:
            await register_server(name, entry, viewer.caller(site), site.registry)
        except Forbidden as refused:
            return _shown(site, viewer, Filled(sent, {}, f"{refused.message}. {refused.hint}."))
        except Invalid as invalid:
            wrong = _blamed(invalid, sent)
        else:
            return f"/servers/{name}"
    return _shown(site, viewer, Filled(sent, wrong))


def _blamed(invalid: Invalid, sent: Mapping[str, str]) -> dict[str, str]:
    """The fields that the refusal is about: a taken or odd name is the name's."""
    if invalid.code == "name-taken" or "no name of a server" in invalid.message:
        return {"name": f"{invalid.message}: {invalid.hint}."}
    is_yaml = sent.get("as") == "yaml"
    if invalid.code == "guest-not-allowed":
        return {"document" if is_yaml else "url": f"{invalid.message}: {invalid.hint}."}
    fields = frozenset({"document"}) if is_yaml else _FIELDS
    return blame(invalid.message, fields, "document" if is_yaml else "url")


def _shown(site: Site, viewer: Viewer, filled: Filled) -> Shown:
    rights = site.registry.rights
    view = RegisterView(
        why_not=may_register(viewer.caller(site), rights),
        kinds=tuple(sorted(REGISTRABLE)),
        data_classes=tuple(DataClass),
        commands=tuple(" ".join((one.pin, *one.arguments)) for one in rights.guests.allowed_commands),
    )
    token = site.sessions.form_token(viewer.session)
    return Shown("Register a server", view, lambda: _register(view, token, filled))


def _register(view: RegisterView, token: str, filled: Filled) -> h.Node:
    told = "It can be called once its reviewers have signed a version and you have deployed it."
    head = heading("Register a server", h.p(class_="read quiet")[told])
    if view.why_not:
        return [head, notice(Tone.WAIT, "You cannot register servers.", f"{view.why_not}.")]
    is_yaml = filled.value("as") == "yaml"
    return [
        head,
        faults(filled),
        h.div(class_="stack wide narrow")[
            _remote(token, BLANK if is_yaml else filled), _as_yaml(view, token, filled if is_yaml else BLANK)
        ],
    ]


def _remote(token: str, filled: Filled) -> h.Node:
    classes = {str(each): str(each) for each in DataClass}
    return titled(
        "A remote MCP server",
        form(
            _PATH,
            token,
            h.input(type="hidden", name="as", value="fields"),
            text("Name: lower-case letters, digits, -", "name", filled, is_required=True),
            text("Title", "title", filled),
            text("Address of its MCP endpoint", "url", filled, is_required=True, kind="url"),
            text("Owner: the group that answers for it", "owner", filled, is_required=True),
            text("Support: where people ask", "support", filled, is_required=True),
            area("What it does", "description", filled, is_required=True),
            text("Who may reach it, like group:data-eng or everyone", "access", filled, is_required=True),
            area("Tools, one a line: name, effect, minutes saved, who may use it", "tools", filled, is_required=True),
            choice("Data class", "data_class", classes, filled.value("data_class") or DataClass.INTERNAL),
            _tick("It holds personal data", "personal_data", filled),
            _tick("Its answers hold text of strangers", "untrusted_results", filled),
            text("Hosts outside that it sends data to, with spaces between", "egress", filled),
            submit("Register the server", is_main=True),
        ),
    )


def _tick(label: str, name: str, filled: Filled) -> h.Element:
    ticked = filled.value(name) == "yes"
    return h.label(class_="row")[h.input(type="checkbox", name=name, value="yes", checked=ticked), label]


def _as_yaml(view: RegisterView, token: str, filled: Filled) -> h.Node:
    if view.commands:
        named = ", ".join(view.commands)
        commands = f"Of kind stdio, only what an administrator allows may be run: {named}."
    else:
        commands = "Of kind stdio, an administrator has allowed no command yet."
    own = "Of kind python, a server of yours: you run its process, and make its credential on its page."
    return titled(
        "Any server, as in a fleet file",
        h.p(class_="quiet")[commands],
        h.p(class_="quiet")[own],
        form(
            _PATH,
            token,
            h.input(type="hidden", name="as", value="yaml"),
            text("Name: lower-case letters, digits, -", "name", filled, is_required=True),
            area("Entry, YAML", "document", filled, is_required=True, rows=10, longest=_LONGEST_ENTRY),
            submit("Register the entry"),
        ),
        folded("An example", exact(_EXAMPLE, "An entry")),
    )
