"""How one review looks: first what you can decide on, then what would be signed, exactly; at the side who signs.

What the owner and the server say is shown as theirs, with nothing hidden in it. Not here: the forms' fields
(`inputs`), what they do (`changes`).
"""

from collections.abc import Iterable, Sequence
from typing import Final

import htpy as h
from starlette.requests import Request

from pierhead.apps.registry.web.differences import MemberDifference, Piece, ToolDifference
from pierhead.apps.registry.web.frame import heading
from pierhead.apps.registry.web.inputs import BLANK, Filled, area, faults, form, one_of, submit, text
from pierhead.apps.registry.web.page_packet import egress_section, packet_section, token_section
from pierhead.apps.registry.web.page_reviews import asked_line
from pierhead.apps.registry.web.parts import (
    GATES,
    Tone,
    absolute,
    badge,
    count,
    effect_badge,
    empty,
    exact_json,
    facts,
    folded,
    moment,
    notice,
    stage_badge,
    theirs,
    titled,
    to,
    visible,
    visible_lines,
)
from pierhead.apps.registry.web.shapes import Shape
from pierhead.apps.registry.web.site import Shown, Site, Viewer
from pierhead.apps.registry.web.view_review import ChangesView, ExactTool, GateView, ReviewView, review_view
from pierhead.core.finding import Finding, Severity
from pierhead.core.review import ChangeClass, SignOff, Verdict
from pierhead.core.token_weight import METHOD

#: Each verdict as the reviewer reads it.
VERDICTS: Final = (
    (Verdict.APPROVE, "Approve"),
    (Verdict.APPROVE_WITH_CONDITIONS, "Approve with conditions"),
    (Verdict.REQUEST_CHANGES, "Return for changes"),
    (Verdict.REJECT, "Reject"),
    (Verdict.WAIVE, "Waive"),
)
_SAID: Final = dict(VERDICTS)
_NAMED: Final = 20
_CHANGES: Final = {
    ChangeClass.FIRST: "the first version",
    ChangeClass.MAJOR: "a breaking or widening change",
    ChangeClass.MINOR: "a compatible change",
    ChangeClass.WORDING: "a change of words that models read",
    ChangeClass.PATCH: "nothing that clients or models are shown",
}


async def review_page(site: Site, viewer: Viewer, request: Request) -> Shown:
    return await shown_review(site, viewer, str(request.path_params["id"]))


async def shown_review(site: Site, viewer: Viewer, review_id: str, filled: Filled = BLANK) -> Shown:
    """The page, with a form as it was sent if something in it must change."""
    view = await review_view(site, viewer, review_id)
    token = site.sessions.form_token(viewer.session)
    title = f"Review of {view.line.server} {view.line.version}"
    return Shown(visible(title), view, lambda: _review(view, token, filled))


def _review(view: ReviewView, token: str, filled: Filled) -> h.Node:
    return [
        _head(view),
        faults(filled),
        _state_notice(view),
        h.div(class_="split")[
            h.div(class_="stack wide")[
                _decide(view, token, filled),
                _changed(view),
                packet_section(view),
                _found(view),
                egress_section(view.risk.egress),
                token_section(view.tools, view.packet),
                _exact(view),
                _comments(view, token),
            ],
            h.aside(class_="stack wide side", aria_label="About this review")[
                _sign_offs(view), _reach(view), _bound(view), _declared(view)
            ],
        ],
    ]


def _head(view: ReviewView) -> h.Node:
    line = view.line
    return heading(
        ["Review of ", h.bdi[line.server], " ", h.bdi[visible(line.version)]],
        h.p(class_="row")[
            stage_badge(view.stage),
            h.span(class_="quiet")[
                "submitted by ", h.bdi[visible(line.submitted_by)], " ", moment(line.submitted_at, view.now)
            ],
        ],
        theirs(view.reason) if view.reason else None,
        h.p[to(f"/servers/{line.server}", "About this server")],
    )


def _state_notice(view: ReviewView) -> h.Node:
    if view.line.closed_at is not None:
        return notice(Tone.NOTE, "Closed.", "What was decided stands below.", absolute(view.line.closed_at))
    if not view.is_as_submitted:
        return notice(Tone.BAD, "Outdated.", "This version changed after it was submitted; no decision here counts.")
    return None


def _decide(view: ReviewView, token: str, filled: Filled) -> h.Node:
    """One form for each gate that is yours; for the others why not, in a word."""
    yours = [gate for gate in view.gates if not gate.why_not]
    if view.line.closed_at is not None:
        return None
    if not yours:
        return titled("Your decision", h.ul(class_="stack")[(_not_yours(gate) for gate in view.gates)])
    return titled("Your decision", *(_yours(view, gate, token, filled) for gate in yours), identity="decide")


def _not_yours(gate: GateView) -> h.Element:
    return h.li[h.strong[f"{GATES[gate.asked.gate]}: "], f"{visible(gate.why_not)}."]


def _yours(view: ReviewView, gate: GateView, token: str, filled: Filled) -> h.Node:
    """The form; where you decided, what you decided, and the form for whoever thinks better of it."""
    own = _form(view, gate, token, filled)
    if gate.last is None:
        return own
    named, missing = GATES[gate.asked.gate], [GATES[each] for each in view.line.missing]
    waits = f" It waits for {' and '.join(missing)}." if missing else ""
    said = f"{named}: {_SAID[gate.last.verdict].lower()}, by {visible(gate.last.by)}.{waits}"
    is_open = filled.value("gate") == gate.asked.gate
    return h.div(class_="stack")[h.p[said], folded(f"Decide again for {named}", own, is_open=is_open)]


def _form(view: ReviewView, gate: GateView, token: str, filled: Filled) -> h.Node:
    named = GATES[gate.asked.gate]
    own = filled if filled.value("gate") in {"", gate.asked.gate} else BLANK
    again = f"You decide again: the last decision for {named} counts." if gate.last else ""
    return form(
        f"/reviews/{view.line.id}/decisions",
        token,
        h.p(class_="quiet")[
            f"You sign for {named}: the definitions, entry and access below, by their digests. {again}"
        ],
        h.input(type="hidden", name="gate", value=gate.asked.gate),
        one_of("Verdict", "verdict", VERDICTS, own),
        area("Reason, for the record", "reason", own, is_required=True, rows=3),
        folded(
            "Conditions, evidence, end date, waiver",
            h.div(class_="stack")[
                area("Conditions, one a line", "conditions", own),
                h.p(class_="quiet")[
                    "Become policy if written as ",
                    h.code["access: group:NAME"],
                    ", ",
                    h.code["surfaces: ide"],
                    " or ",
                    h.code["tool NAME: group:NAME"],
                    "; anything else is for people.",
                ],
                area("Evidence, one link or reference a line", "evidence", own),
                text("Counts until (UTC); a waiver needs it", "expires_at", own, kind="date"),
                text("Of a waiver: who answers for it until then", "waiver_owner", own),
            ],
        ),
        submit(f"Sign for {named}", is_main=True),
    )


def _changed(view: ReviewView) -> h.Node:
    changes = view.changes
    words = _CHANGES[view.line.change]
    if not changes.before:
        return titled("What changed", h.p[f"This is {words}: all of it is new."], identity="changes")
    told = h.p[f"Since version {visible(changes.before)}, which clients get now: {words}."]
    shown = list(_differences(view, changes))
    return titled("What changed", told, *(shown or [empty("No difference.")]), identity="changes")


def _differences(view: ReviewView, changes: ChangesView) -> Iterable[h.Node]:
    before, after = _terms(view.access_before), _terms(view.access)
    gained, lost = sorted(after - before), sorted(before - after)
    if gained or lost:
        yield facts([("Gain access", ", ".join(gained) or "nobody"), ("Lose access", ", ".join(lost) or "nobody")])
    if changes.instructions:
        yield _member("instructions", changes.instructions)
    yield from (_tool_change(each) for each in changes.tools)
    yield from (_member(f"entry: {each.member}", each) for each in changes.entry)


def _terms(access: Sequence[str]) -> set[str]:
    """Each group, person or program that the rows name."""
    return {term for row in access for term in row.split(" or ")} - {"nobody"}


def _tool_change(each: ToolDifference) -> h.Element:
    word = {"added": ("Added", Shape.PENCIL, Tone.WAIT), "removed": ("Removed", Shape.CROSS, Tone.BAD)}
    label = badge(*word.get(each.what, (f"Changed, {each.change}", Shape.EXCLAMATION, Tone.WAIT)))
    return h.section(class_="tool stack")[
        h.div(class_="row")[h.h3[h.code[visible(each.tool)]], label], *(_member(m.member, m) for m in each.members)
    ]


def _member(label: str, difference: MemberDifference) -> h.Node:
    pieces = [_piece(piece) for piece in difference.pieces]
    label = visible(label.replace("_", " "))
    if difference.is_lines:
        joined = [part for piece in pieces for part in (piece, "\n")]
        shown: h.Node = h.pre(class_="exact", role="group", aria_label=f"Difference of {label}")[joined]
    else:
        shown = h.blockquote[pieces]
    return h.div(class_="stack")[h.span(class_="quiet")[label], shown]


def _piece(piece: Piece) -> h.Node:
    said = visible_lines(piece.text)
    match piece.kind:
        case "out":
            return h.del_[said]
        case "in":
            return h.ins[said]
        case _:
            return said


def _found(view: ReviewView) -> h.Node:
    if not view.findings:
        return titled("What the checks found", h.p["Nothing hidden, hostile or out of bounds."], identity="findings")
    return titled(
        "What the checks found", h.ul(class_="why")[(_finding(each) for each in view.findings)], identity="findings"
    )


def _finding(finding: Finding) -> h.Element:
    is_bad = finding.severity is Severity.REFUSE
    label = badge("Must change", Shape.CROSS, Tone.BAD) if is_bad else badge("Look at", Shape.EXCLAMATION, Tone.WAIT)
    where = " ".join(part for part in (finding.tool, finding.place) if part)
    return h.li[label, h.span[f"{visible(finding.message)}: {visible(finding.hint)}."], h.code[visible(where)]]


def _exact(view: ReviewView) -> h.Node:
    told = f"{count(len(view.tools), 'tool', 'tools')}, about {view.tokens:,} tokens ({METHOD}). Words are the owner's."
    return titled(
        "Exactly what would be signed",
        h.p(class_="quiet")[told],
        folded("Instructions to the model", theirs(view.instructions)) if view.instructions else None,
        *(_tool(tool) for tool in view.tools),
        folded("The entry, as it was submitted", exact_json(view.document, "Entry")),
        identity="exact",
    )


def _tool(tool: ExactTool) -> h.Element:
    return h.section(class_="tool stack")[
        h.div(class_="row")[h.h3[h.code[visible(tool.name)]], effect_badge(tool.effect)],
        theirs(str(tool.definition.get("description", ""))),
        h.p(class_="quiet")[f"For {tool.policy}. Approval: {tool.approval}. About {tool.tokens:,} tokens."],
        folded("Definition", exact_json(tool.definition, f"Definition of {visible(tool.name)}")),
    ]


def _comments(view: ReviewView, token: str) -> h.Node:
    said = [
        h.li(class_="stack")[
            h.p[h.strong[h.bdi[visible(each.by)]], " ", h.span(class_="quiet")[moment(each.at, view.now)]],
            theirs(each.text),
        ]
        for each in view.comments
    ]
    box = form(
        f"/reviews/{view.line.id}/comments",
        token,
        area("Comment; it decides nothing", "text", is_required=True, longest=4000),
        submit("Add the comment"),
    )
    return titled("Comments", h.ul(class_="stack")[said] if said else None, box, identity="comments")


def _sign_offs(view: ReviewView) -> h.Node:
    return titled(
        "Signatures",
        *(_sign_off(gate, view.now) for gate in view.gates),
        folded("Every decision", _decisions(view.decisions, view.now)) if view.decisions else None,
        None if view.gates else empty("Nobody has to sign this."),
    )


def _sign_off(gate: GateView, now: float) -> h.Node:
    made = gate.last
    if made is None:
        return asked_line(gate.asked, now)
    return h.div(class_="stack")[asked_line(gate.asked, now), _said(made)]


def _said(made: SignOff) -> h.Element:
    return h.div(class_="stack")[
        theirs(made.reason),
        [h.p["Condition: ", h.bdi[visible(text)]] for text in made.conditions],
        [h.p["Evidence: ", h.bdi[visible(text)]] for text in made.evidence],
        h.p(class_="quiet")["Counts until ", absolute(made.expires_at)] if made.expires_at else None,
        h.p["Answers for the waiver: ", h.bdi[visible(made.waiver_owner)]] if made.waiver_owner else None,
        h.p(class_="quiet")[f"Proved by: {visible(made.auth)}."] if made.auth else None,
    ]


def _decisions(made: Sequence[SignOff], now: float) -> h.Node:
    return h.ul(class_="stack")[
        (
            h.li[
                f"{GATES[each.gate]}: {_SAID[each.verdict].lower()}, by ",
                h.bdi[visible(each.by)],
                " ",
                moment(each.at, now),
            ]
            for each in made
        )
    ]


def _bound(view: ReviewView) -> h.Node:
    bound = view.binding
    return titled(
        "Checked by Pierhead",
        facts(
            [
                ("Tools digest", h.code[bound.tools_digest]),
                ("Entry digest", h.code[bound.manifest_digest]),
                ("Access digest", h.code[bound.access_digest]),
                ("Registered by", h.bdi[visible(view.registered_by or "the fleet file")]),
            ]
        ),
    )


def _declared(view: ReviewView) -> h.Node:
    risk = view.risk
    return titled(
        "Said by the owner",
        facts(
            [
                ("Owner", h.bdi[visible(view.owner)]),
                ("Data class", str(risk.data_class)),
                ("Personal data", "yes" if risk.has_personal_data else "none declared"),
                ("Sends data to", h.bdi[visible(", ".join(risk.egress))] if risk.egress else "no host declared"),
                ("Callers without a person", "may use it" if risk.is_autonomous else "may not"),
                ("Strangers' text in results", "yes" if risk.has_untrusted_results else "none declared"),
                ("Would be open to", ", ".join(view.access) or "nobody"),
            ]
        ),
    )


def _reach(view: ReviewView) -> h.Node:
    """Whom this version lets in, by name: of a first version everyone whom it would."""
    return titled(
        "Who would reach it",
        facts([("Would gain access", _named(view.gains)), ("Would lose it", _named(view.loses))]),
        h.p(class_="quiet")["Of the people who are known here, by its rows of access; tools may ask for more."],
    )


def _named(people: Sequence[str]) -> h.Node:
    if not people:
        return "nobody"
    shown = h.bdi[visible(", ".join(people[:_NAMED]))]
    return [shown, f", and {len(people) - _NAMED:,} more"] if len(people) > _NAMED else shown
