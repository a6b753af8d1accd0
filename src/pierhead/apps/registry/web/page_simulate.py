"""The form that takes a proposed policy and simulates it: a fleet file or its part, company policies, and how far back.

Nothing is published and nothing is kept of the texts. Not here: reading them (`bootstrap/proposed_policy`), what came
of it (`page_simulation`), who may propose what (`policy_tools`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import htpy as h
from starlette.requests import Request

from pierhead.apps.registry.web.frame import form_token, heading
from pierhead.apps.registry.web.inputs import BLANK, Filled, area, choice, faults, submit, text
from pierhead.apps.registry.web.parts import empty, exact, folded, titled, to, visible
from pierhead.apps.registry.web.policy_tools import Prepared, Proposed, prepared
from pierhead.apps.registry.web.site import DAY_S, Shown, Site, Viewer
from pierhead.bootstrap.fleet import located
from pierhead.bootstrap.proposed_policy import COMPANY, InForce, ProposedPolicy, read_proposal
from pierhead.core.errors import Forbidden, Invalid, LimitExceeded, Misconfigured
from pierhead.core.snapshot import PolicyText
from pierhead.usecases.check_entry import UnknownNarrowing

LARGEST: Final = 4 * 1024 * 1024
_LONGEST: Final = 1_000_000
_LONGEST_POLICY: Final = 256 * 1024
_PATH: Final = "/access/simulate"
_DAYS: Final = {"1": "the last day", "7": "the last 7 days", "30": "the last 30 days", "90": "the last 90 days"}
_USUAL: Final = "7"
_EXAMPLE: Final = """servers:
  warehouse:
    access: group:data-eng or group:ads
    tools: {run_query: {policy: "group:data-eng"}}"""


@dataclass(frozen=True, slots=True)
class SimulateView:
    """What may be proposed here: the viewer's servers, or all; and the company policies in force, for auditors."""

    may_ask: bool
    sees_all: bool
    servers: tuple[str, ...]
    policies: tuple[str, ...]
    revision: int


async def simulate_page(site: Site, viewer: Viewer, request: Request) -> Shown:
    del request
    return _shown(site, viewer, BLANK)


async def simulate_form(site: Site, viewer: Viewer, request: Request, sent: Mapping[str, str]) -> str | Shown:
    """Start the simulation of what was sent, and lead to it; or the form again, with what is wrong where."""
    del request
    filled, wrong = _uploaded(sent)
    if wrong:
        return _shown(site, viewer, Filled(filled, wrong))
    since = max(0.0, site.now() - int(_days(filled)) * DAY_S)
    try:
        ready = await _prepared(site, viewer, filled, since)
        revision = site.snapshots.current().revision
        started = await site.simulations.start(ready.run, viewer.person, since, revision, ready.proposal.servers)
    except (Forbidden, LimitExceeded) as refused:
        return _shown(site, viewer, Filled(filled, {}, f"{refused.message}: {refused.hint}."))
    except (Misconfigured, Invalid) as invalid:
        return _shown(site, viewer, Filled(filled, {_blamed(invalid): _told(invalid)}))
    return f"/access/simulations/{started.id}"


async def _prepared(site: Site, viewer: Viewer, filled: Mapping[str, str], since: float) -> Prepared:
    """Errors: Misconfigured, Invalid, with line and column; Forbidden."""
    read = await _read(site, filled)
    asked = Proposed(read.servers, read.people, since, read.policies)
    try:
        return await prepared(site, viewer.caller(site), asked)
    except UnknownNarrowing as fault:
        raise located(fault, read.document) from None


async def _read(site: Site, filled: Mapping[str, str]) -> ProposedPolicy:
    entries = await site.registry.catalogue.entries()
    documents = {name: entry.document for name, entry in entries.items()}
    now = InForce(documents, site.snapshots.current().policies.texts)
    return read_proposal(filled.get("fleet", ""), _texts(filled), now)


def _texts(filled: Mapping[str, str]) -> tuple[PolicyText, ...]:
    """The one that was typed, and those that were uploaded."""
    typed = filled.get("policy", "")
    named = [(filled.get("policy_name", "").strip() or COMPANY, typed)] if typed.strip() else []
    uploaded = [(key.partition(":")[2], text) for key, text in filled.items() if key.startswith("policy_files:")]
    return tuple(PolicyText(name, text) for name, text in (*named, *uploaded))


def _uploaded(sent: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """The form with an uploaded fleet file in its field, and what cannot be taken, by field."""
    filled = {name: said.replace("\r\n", "\n") for name, said in sent.items()}
    files = [key for key in filled if key.startswith("fleet_file:")]
    wrong: dict[str, str] = {}
    if files and filled.get("fleet", "").strip():
        wrong["fleet"] = "Paste it or upload it, not both."
    elif files:
        filled["fleet"] = filled.pop(files[0])
    if len(filled.get("fleet", "")) > _LONGEST:
        wrong["fleet"] = f"It is longer than {_LONGEST:,} characters."
    texts = _texts(filled)
    if any(len(each.text) > _LONGEST_POLICY for each in texts):
        wrong["policy"] = f"A policy file is longer than {_LONGEST_POLICY:,} characters."
    if len({each.name for each in texts}) != len(texts):
        wrong["policy_name"] = "Two policy files have the same name."
    return filled, wrong


def _days(filled: Mapping[str, str]) -> str:
    days = filled.get("days", "")
    return days if days in _DAYS else _USUAL


def _blamed(fault: Misconfigured | Invalid) -> str:
    """The field that a fault is about."""
    return "policy" if fault.code in {"policy-syntax", "policy-unknown-name"} else "fleet"


def _told(fault: Misconfigured | Invalid) -> str:
    said = f"{fault.message[:1].upper()}{fault.message[1:]}"
    return f"{said}. {fault.hint[:1].upper()}{fault.hint[1:]}." if fault.hint else f"{said}."


def _shown(site: Site, viewer: Viewer, filled: Filled) -> Shown:
    now = site.snapshots.current()
    sees_all = viewer.sees_all(site)
    own = [each.name for each in now.servers.values() if sees_all or each.owner in viewer.groups]
    view = SimulateView(
        may_ask=sees_all or bool(own),
        sees_all=sees_all,
        servers=tuple(sorted(own)),
        policies=tuple(each.name for each in now.policies.texts) if sees_all else (),
        revision=now.revision,
    )
    token = site.sessions.form_token(viewer.session)
    return Shown("Simulate a policy", view, lambda: _page(view, token, filled))


def _page(view: SimulateView, token: str, filled: Filled) -> h.Node:
    head = heading(
        "Simulate a policy",
        h.p(class_="read quiet")[
            "What a proposed policy would change: the recorded calls of the last days, and everyone who is known, "
            "decided under both. Nothing is published, and nothing of it is kept but for an hour."
        ],
        h.p(class_="row")[to("/access", "Who can, as it is"), to("/why", "Why may I, or why may I not?")],
    )
    if not view.may_ask:
        return [head, empty("Owners simulate what they own, and auditors everything. You own no server here.")]
    return [
        head,
        faults(filled),
        h.div(class_="split")[
            h.div(class_="stack wide")[_form(view, token, filled)],
            h.aside(class_="stack wide side", aria_label="What is in force")[_in_force(view)],
        ],
    ]


def _form(view: SimulateView, token: str, filled: Filled) -> h.Node:
    return h.form(class_="stack", method="post", action=_PATH, enctype="multipart/form-data")[
        form_token(token),
        area("A fleet file, or the part of it that changes (YAML)", "fleet", filled, rows=14, longest=_LONGEST),
        _file("Or upload it", "fleet_file", ".yaml,.yml"),
        [
            area("A company policy (Cedar)", "policy", filled, rows=8, longest=_LONGEST_POLICY),
            text("Its file name, if it is not company.cedar", "policy_name", filled),
            _file("Or upload policy files", "policy_files", ".cedar", is_many=True),
        ]
        if view.sees_all
        else None,
        choice("Calls to replay", "days", _DAYS, _days(filled.values)),
        submit("Simulate", is_main=True),
    ]


def _file(label: str, name: str, accept: str, *, is_many: bool = False) -> h.Node:
    return h.label(class_="field")[label, h.input(type="file", name=name, accept=accept, multiple=is_many)]


def _in_force(view: SimulateView) -> h.Node:
    own = ", ".join(view.servers)
    return titled(
        "What you may propose",
        h.p["Anything: entries, people and company policies." if view.sees_all else f"Entries of {visible(own)}."],
        h.p(class_="quiet")[
            "An entry without a kind changes what it names and leaves the rest as it is in force. "
            "Servers that are not named stay as they are."
        ],
        h.p(class_="quiet")[f"Company policies in force: {visible(', '.join(view.policies)) or 'none'}. "]
        if view.sees_all
        else None,
        h.p(class_="quiet")[f"Compared with policy revision {view.revision:,}."],
        folded("An example", exact(_EXAMPLE, "A part of a fleet file")),
    )
