"""How the page of one server looks. Not here: its versions and the forms that move them (`page_versions`)."""

from collections.abc import Iterable
from urllib.parse import quote

import htpy as h
from starlette.requests import Request

from pierhead.apps.registry.web.frame import heading
from pierhead.apps.registry.web.inputs import BLANK, Filled, faults
from pierhead.apps.registry.web.next_step import next_step
from pierhead.apps.registry.web.page_audit import calls_table
from pierhead.apps.registry.web.page_health import health_notice, health_section
from pierhead.apps.registry.web.page_versions import suspend_switch, versions_section
from pierhead.apps.registry.web.part_showback import showback_section
from pierhead.apps.registry.web.parts import (
    GATES,
    Tone,
    absolute,
    ago,
    condition_badge,
    count,
    day,
    decision_badge,
    effect_badge,
    empty,
    exact,
    exact_json,
    facts,
    folded,
    gate_badge,
    hours,
    moment,
    notice,
    process_badge,
    spread,
    stage_badge,
    theirs,
    titled,
    to,
    visible,
    why,
)
from pierhead.apps.registry.web.site import Shown, Site, Viewer
from pierhead.apps.registry.web.view_data import KINDS
from pierhead.apps.registry.web.view_server import SaidView, ServerView, ToolView, UseView, server_view
from pierhead.apps.registry.web.view_versions import GateLine, ReviewLine
from pierhead.core.catalog import CALLABLE, Stage
from pierhead.core.cost import Cost
from pierhead.core.review import GateState
from pierhead.core.token_weight import METHOD
from pierhead.core.usage import Minutes, Objective

_STOPPED = frozenset({Stage.SUSPENDED, Stage.QUARANTINED, Stage.RETIRED})


async def server_page(site: Site, viewer: Viewer, request: Request) -> Shown:
    return await shown_server(site, viewer, str(request.path_params["name"]))


async def shown_server(site: Site, viewer: Viewer, name: str, filled: Filled = BLANK) -> Shown:
    """The page, with a form as it was sent if something in it must change."""
    view = await server_view(site, viewer, name)
    token = site.sessions.form_token(viewer.session)
    is_admin = viewer.is_admin(site)
    return Shown(view.name, view, lambda: _server(view, token, filled, is_admin=is_admin))


def _server(view: ServerView, token: str, filled: Filled, *, is_admin: bool) -> h.Node:
    return [
        _head(view),
        faults(filled),
        *_notices(view),
        h.div(class_="split")[
            h.div(class_="stack wide")[
                _tools(view),
                versions_section(view.name, view.versions, view.now, token, filled),
                _reviews(view),
                health_section(view.health, view.now),
                showback_section(view.use),
                _activity(view),
            ],
            h.aside(class_="stack wide side", aria_label="About this server")[
                suspend_switch(view.name, view.versions, token) if is_admin else None,
                _connect(view),
                _checked(view),
                _said(view),
            ],
        ],
    ]


def _head(view: ServerView) -> h.Node:
    version = f"version {view.version} · " if view.version else ""
    return heading(
        h.bdi[view.name],
        h.p(class_="row")[
            stage_badge(view.standing.stage),
            _state_badge(view),
            h.span(class_="quiet")[
                h.bdi[visible(view.title)], " · " if view.title else "", f"{visible(version)}{view.kind}"
            ],
        ],
        theirs(view.description) if view.description else None,
        h.p[to(f"/servers/{view.name}/data", "Browse its data")] if view.kind in KINDS else None,
    )


def _state_badge(view: ServerView) -> h.Node:
    """One badge: what its process does, or, where that is as usual, how it was last seen."""
    is_usual = view.process.state in {"", "running"}
    if is_usual and view.health.last is not None:
        return h.a(href="#health")[condition_badge(view.health.condition)]
    return process_badge(view.process.state)


def _notices(view: ServerView) -> Iterable[h.Node]:
    stage, process = _stage_notice(view), _process_notice(view)
    return (stage, _withheld_notice(view), next_step(view.versions), process, health_notice(view.health))


def _stage_notice(view: ServerView) -> h.Node:
    standing = view.standing
    if standing.stage is Stage.DEPRECATED:
        end = [" It can be called until ", absolute(standing.sunset_at), "."] if standing.sunset_at else None
        said = visible(standing.notice) or "Its owner is taking it out of use."
        next_one = to(f"/servers/{standing.successor}", "What comes after it") if standing.successor else None
        return notice(Tone.WAIT, "Deprecated.", said, end, next_one)
    if standing.stage in _STOPPED:
        first = f"{str(standing.stage).capitalize()}."
        reason = visible(standing.reason) or "No reason is on record"
        return notice(Tone.BAD, first, f"Nobody can call it. {reason.rstrip('.')}.")
    return None


def _withheld_notice(view: ServerView) -> h.Node:
    withheld = view.standing.withheld
    if not withheld:
        return None
    several = count(len(withheld), "tool is", "tools are")
    sentence = "Nobody sees or calls what was not signed; the rest works on."
    return notice(Tone.WAIT, f"{several} withheld.", sentence, to("#tools", "Which and why"))


def _process_notice(view: ServerView) -> h.Node:
    if view.process.state in {"", "running"}:
        return None
    since = ago(view.now - view.process.since)
    reason = f" {visible(view.process.reason)}." if view.process.reason else ""
    tone = Tone.BAD if view.process.state == "failed" else Tone.WAIT
    return notice(
        tone, f"{view.process.state.capitalize()}.", f"Since {since}.{reason} Other servers are not affected."
    )


def _tools(view: ServerView) -> h.Node:
    if not view.tools:
        return titled("Tools", empty("This server has not published its tools yet."), identity="tools")
    told = f"Words with a line beside them are the owner's. All definitions: about {view.tokens:,} tokens ({METHOD})."
    return titled(
        "Tools", h.p(class_="quiet")[told], *(_tool(tool, view.name, view.now) for tool in view.tools), identity="tools"
    )


def _tool(tool: ToolView, server: str, now: float) -> h.Node:
    return h.section(class_="tool stack", id=f"tool-{tool.name}")[
        h.div(class_="row")[
            h.h3[h.code[visible(tool.name)]], effect_badge(tool.effect), decision_badge(tool.you.decision)
        ],
        h.p[h.strong["Withheld: "], f"{visible(tool.withheld)}."] if tool.withheld else None,
        theirs(tool.description) if tool.description else None,
        h.p(class_="quiet")[_saves(tool.minutes, now), f" · about {tool.tokens:,} tokens"],
        h.p[h.strong["You: "], f"{visible(tool.you.sentence)}.", _whom(tool.you.whom_to_ask)],
        folded("Why", _why(tool), h.p[to(f"/why?server={server}&tool={quote(tool.name)}", "In plain sentences")]),
        folded("Input and output", h.div(class_="stack")[_schemas(tool)]),
    ]


def _whom(whom: str) -> h.Node:
    return f" {visible(whom[:1].upper() + whom[1:])}." if whom else None


def _saves(minutes: Minutes, now: float) -> h.Node:
    """The estimate, and until when it counts in ranges."""
    if not minutes.high:
        return "Saves no time by itself"
    stated = minutes.low != minutes.high
    spread = f", between {minutes.low:g} and {minutes.high:g}" if stated else ""
    told = f"Saves about {minutes.mode:g} min a call{spread} (owner's {visible(minutes.method)}"
    until = minutes.valid_until
    if until is None:
        return f"{told})"
    end = "; expired on " if minutes.is_over(now) else "; holds until "
    return [told, end, day(until), ")"]


def _why(tool: ToolView) -> h.Node:
    declared = f"declared for {tool.policy}" + (f", narrowed by the fleet to {tool.narrowed}" if tool.narrowed else "")
    declared += "".join(f", {bound}" for bound in tool.bounds)
    return h.div(class_="stack")[
        why((rule.effect, visible(rule.rule), visible(rule.sentence)) for rule in tool.you.rules),
        h.p(class_="quiet")[
            f"The tool is {visible(declared)}. Approval: {tool.approval}. Time limit: {tool.timeout_s:g} s."
        ],
    ]


def _schemas(tool: ToolView) -> h.Node:
    return [
        exact_json(tool.input_schema, f"Input schema of {visible(tool.name)}"),
        exact_json(tool.output_schema, f"Output schema of {visible(tool.name)}"),
        *(
            exact_json(example, f"Example {number} of the arguments of {visible(tool.name)}")
            for number, example in enumerate(tool.examples, 1)
        ),
    ]


def _reviews(view: ServerView) -> h.Node:
    if not view.versions.reviews:
        return None
    return titled("Reviews", h.ul(class_="stack")[(_review(line, view.now) for line in view.versions.reviews)])


def _review(line: ReviewLine, now: float) -> h.Node:
    return h.li(class_="stack")[
        h.p(class_="row")[
            to(f"/reviews/{line.id}", f"Version {line.version}"),
            h.span(class_="quiet")["submitted by ", h.bdi[line.submitted_by], " ", moment(line.submitted_at, now)],
        ],
        h.p(class_="row")[
            h.span(class_="quiet")["Closed."] if line.closed_at is not None else None,
            ([GATES[gate.gate], gate_badge(gate.state)] for gate in line.gates if _is_told(gate, line)),
        ],
    ]


def _is_told(gate: GateLine, line: ReviewLine) -> bool:
    """Whom a review waited for when it was closed says nothing any more."""
    return gate.state != GateState.NOT_REQUIRED and not (line.closed_at is not None and gate.state == GateState.PENDING)


def _activity(view: ServerView) -> h.Node:
    whose = "Last calls" if view.sees_all else "Your last calls"
    if not view.last_calls:
        return titled(whose, empty("No calls yet. Connect a client, and they appear here with their reasons."))
    return titled(whose, calls_table(whose, view.last_calls, view.now, of_one_server=True), identity="activity")


def _connect(view: ServerView) -> h.Node:
    if view.standing.stage not in CALLABLE:
        stage = str(view.standing.stage).replace("-", " ")
        return titled("Connect", h.p[f"Nobody can call it while it is {stage}."])
    if all(tool.you.decision == "refuse" for tool in view.tools):
        return titled(
            "Connect",
            h.p[f"You can call no tool here. Ask {visible(view.said.owner)} in {visible(view.said.support)}."],
        )
    return titled(
        "Connect",
        *(
            h.div(class_="stack")[h.h3[snippet.client], exact(snippet.text, f"Line for {snippet.client}")]
            for snippet in view.connect[:2]
        ),
        h.p[to("/connect", "Other clients")],
    )


def _checked(view: ServerView) -> h.Node:
    current = next((line for line in view.versions.lines if line.is_current), None)
    use = view.use
    withheld = view.standing.withheld
    is_approved = any(line.stage is Stage.APPROVED for line in view.versions.lines)
    unused = "signed, not deployed yet" if is_approved else "none signed yet"
    signed = "as signed" if current else unused
    return titled(
        "Checked by Pierhead",
        facts(
            [
                ("Open to", h.div(class_="stack")[(h.code[who] for who in view.access)] if view.access else "nobody"),
                ("Address", h.code[view.url]),
                ("Definitions", f"{len(withheld)} of {len(view.tools)} withheld" if withheld else signed),
                *([("Signed digest", h.code[current.tools_digest[:16]])] if current else []),
                ("Policy revision", str(view.revision)),
                (f"Calls, {use.days} days", f"{use.calls:,}, of which {use.succeeded:,} count"),
                (f"People, {use.days} days", f"{use.people:,}"),
                *_pace(view),
                *_cost(view.use),
                *([("Last call", moment(use.last_at, view.now))] if use.last_at else []),
                ("Declared by", _declared_by(view)),
            ]
        ),
    )


def _pace(view: ServerView) -> Iterable[tuple[str, h.Node]]:
    """How its calls went, and whether that is what its owner promises."""
    pace, promised = view.use.pace, view.said.slo
    if pace.p95_ms is not None:
        yield "Slowest twentieth", f"took longer than {pace.p95_ms:,.0f} ms"
    if pace.success_rate is not None:
        yield "Success rate", f"{pace.success_rate:.1%}"
    if promised is not None:
        met = {True: "kept", False: "not kept", None: "not measured yet"}[promised.is_met_by(pace)]
        yield "Promise", f"{_promised(promised)}: {met}"


def _cost(use: UseView) -> Iterable[tuple[str, h.Node]]:
    """What its results cost a model at least; in money, where the operator says what tokens cost."""
    cost = use.cost
    if cost.tokens_a_call is not None:
        money = _money(cost, cost.a_call)
        yield (
            f"Results, {use.days} days",
            f"at least {cost.result_tokens:,} tokens, {cost.tokens_a_call:,.0f} a call{money}",
        )
    if cost.price is not None:
        yield "Definitions, 1,000 turns", f"{cost.definition_tokens:,} tokens a turn{_money(cost, cost.thousand_turns)}"


def _money(cost: Cost, amount: float | None) -> str:
    """The amount to four places, which tokens need."""
    return "" if cost.price is None or amount is None else f", {amount:,.4f} {cost.price.currency}"


def _promised(slo: Objective) -> str:
    parts = [f"p95 within {slo.p95_ms:,.0f} ms"] if slo.p95_ms is not None else []
    parts += [f"{slo.success_rate:.1%} succeed"] if slo.success_rate is not None else []
    return " and ".join(parts)


def _declared_by(view: ServerView) -> h.Node:
    if not view.entry_by:
        return "the fleet file"
    return [h.bdi[view.entry_by], f" ({view.origin}), ", absolute(view.entry_at)]


def _said(view: ServerView) -> h.Node:
    return titled("Said by the owner", facts([*_who_answers(view.said), *_what_it_holds(view)]))


def _who_answers(said: SaidView) -> Iterable[tuple[str, h.Node]]:
    yield "Owner", h.bdi[visible(said.owner)]
    yield "Support", h.bdi[visible(said.support)]
    for label, value in (("On call", said.on_call), ("Repository", said.repository), ("Runbook", said.runbook)):
        if value:
            yield label, h.bdi[visible(value)]


def _what_it_holds(view: ServerView) -> Iterable[tuple[str, h.Node]]:
    said = view.said
    yield "Data class", str(said.data_class)
    yield "Personal data", "yes" if said.has_personal_data else "none declared"
    yield "Sends data to", h.bdi[visible(", ".join(said.egress))] if said.egress else "no host declared"
    if said.environments:
        yield "Environments", h.bdi[visible(", ".join(said.environments))]
    yield "Callers without a person", "may use it" if said.is_autonomous else "may not"
    yield "Strangers' text in results", "yes" if said.has_untrusted_results else "none declared"
    yield f"Time saved, {view.use.days} days", h.div(class_="stack")[(h.span[line] for line in _time_saved(view.use))]


def _time_saved(use: UseView) -> Iterable[str]:
    """The range first, with what it covers; the gross figure beside it."""
    if use.coverage:
        yield f"{spread(use.hours_low, use.hours_high)}, over {use.coverage:.0%} of the calls that count"
    elif use.succeeded:
        yield "no range: no estimate was in date"
    if use.expired:
        yield f"{count(use.expired, 'call', 'calls')} on an expired estimate: 0 in the range"
    yield f"{hours(use.hours)} gross, by the owner's estimates"
