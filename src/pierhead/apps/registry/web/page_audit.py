"""The record, to be read: who called what, what was decided and why, how it ended. And one call, whole.

Everyone sees their own calls; auditors see everyone's. A call that is not yours to see reads "not found".
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, cast

import htpy as h
from starlette.requests import Request

from pierhead.apps.registry.forms import query_of
from pierhead.apps.registry.web.frame import heading
from pierhead.apps.registry.web.parts import (
    Column,
    Tone,
    absolute,
    ago,
    badge,
    decision_badge,
    duration,
    empty,
    exact_json,
    facts,
    folded,
    moment,
    notice,
    outcome_badge,
    table,
    titled,
    why,
)
from pierhead.apps.registry.web.shapes import Shape
from pierhead.apps.registry.web.site import DAY_S, Shown, Site, Viewer
from pierhead.core.errors import NotFound
from pierhead.core.json import Json
from pierhead.usecases.ports_records import CallRow, ChainState, Filter, KeptFact

DECISIONS: Final = ("permit", "refuse", "ask")
PERIODS: Final = (1, 7, 30)
_LIMIT: Final = 200


@dataclass(frozen=True, slots=True)
class AuditView:
    """Calls of the last days, newest first, and how far the chain behind them is verified."""

    chain: ChainState
    days: int
    person: str
    server: str
    decision: str
    calls: tuple[CallRow, ...]
    is_cut: bool
    servers: tuple[str, ...]
    sees_all: bool
    auditors: tuple[str, ...]
    now: float


async def audit_page(site: Site, viewer: Viewer, request: Request) -> Shown:
    query = query_of(request)
    sees_all = viewer.sees_all(site)
    days = _days(query.get("days", ""))
    wanted = Filter(
        since=site.now() - days * DAY_S,
        principal=query.get("person", "").strip() if sees_all else viewer.person,
        server=query.get("server", ""),
        decision=query.get("decision", "") if query.get("decision") in DECISIONS else "",
        limit=_LIMIT + 1,
    )
    calls = await site.records.calls(wanted)
    view = AuditView(
        chain=await site.records.chain(),
        days=days,
        person=wanted.principal,
        server=wanted.server,
        decision=wanted.decision,
        calls=tuple(calls[:_LIMIT]),
        is_cut=len(calls) > _LIMIT,
        servers=tuple(sorted(site.snapshots.current().servers.keys() - viewer.hidden(site))),
        sees_all=sees_all,
        auditors=tuple(sorted(site.auditors)),
        now=site.now(),
    )
    return Shown("Audit", view, lambda: _audit(view))


def _days(text: str) -> int:
    return int(text) if text in {str(days) for days in PERIODS} else 7


def _audit(view: AuditView) -> h.Node:
    return [
        heading("Audit", _chain(view.chain, view.now), h.p(class_="quiet")[_whose(view)]),
        _filters(view),
        calls_table("Calls and refusals", view.calls, view.now) if view.calls else _nothing(),
        h.p(class_="quiet")[f"The newest {_LIMIT} are shown; filter for the rest."] if view.is_cut else None,
    ]


def _nothing() -> h.Node:
    return empty("No call fits. Calls appear here with their decision, whether they ran or not.")


def _whose(view: AuditView) -> str:
    groups = " and ".join(view.auditors) or "nobody"
    if view.sees_all:
        return f"You see everyone's calls, as all of {groups} do."
    return f"You see your own calls; {groups} see everyone's."


def _chain(chain: ChainState, now: float) -> h.Node:
    if chain.broken:
        return notice(
            Tone.BAD, "The chain is broken.", f"First wrong record: {chain.broken}.", h.code["pierhead audit verify"]
        )
    if not chain.records:
        return h.p[badge("Nothing recorded yet", Shape.RING, Tone.FLAT)]
    return h.p(class_="row")[
        badge("Chain whole", Shape.CHECK, Tone.GOOD),
        h.span[f"{chain.records:,} records, verified to ", moment(chain.verified_to, now)],
    ]


def _filters(view: AuditView) -> h.Node:
    return h.form(class_="filters", method="get", action="/audit", role="search")[
        _choice("Period", "days", [(str(days), f"{days} day{'s' if days > 1 else ''}") for days in PERIODS], view.days),
        _choice("Server", "server", [("", "All"), *((name, name) for name in view.servers)], view.server),
        _choice(
            "Decision", "decision", [("", "All"), *((name, name.capitalize()) for name in DECISIONS)], view.decision
        ),
        h.label(class_="field")["Person", h.input(name="person", value=view.person, size="14")]
        if view.sees_all
        else None,
        h.button(class_="button")["Filter"],
    ]


def _choice(label: str, name: str, options: Iterable[tuple[str, str]], chosen: object) -> h.Node:
    return h.label(class_="field")[
        label,
        h.select(name=name)[(h.option(value=value, selected=value == str(chosen))[word] for value, word in options)],
    ]


def calls_table(label: str, calls: Sequence[CallRow], now: float, *, of_one_server: bool = False) -> h.Node:
    """One line a call; its moment leads to the call whole. On a server's own page there is less room to say why."""
    columns = [Column("When"), Column("Who"), Column("What"), Column("Decision")]
    columns += [] if of_one_server else [Column("Why")]
    columns += [Column("Outcome"), Column("Took", is_number=True)]
    return table(label, columns, [_line(call, now, of_one_server=of_one_server) for call in calls])


def _line(call: CallRow, now: float, *, of_one_server: bool) -> list[h.Node]:
    relative = h.div(class_="quiet")[ago(now - call.at)]
    what = call.tool if of_one_server else f"{call.server} {call.tool}"
    return [
        h.div[h.a(href=f"/calls/{call.call_id}")[absolute(call.at)], relative],
        h.bdi[call.principal],
        h.code[what],
        decision_badge(call.decision),
        *([] if of_one_server else [call.sentence]),
        outcome_badge(call.outcome),
        _took(call),
    ]


def _took(call: CallRow) -> str:
    return duration(call.duration_ms, ran=call.decision == "permit")


@dataclass(frozen=True, slots=True)
class CallView:
    """One call, every fact of it."""

    call: CallRow
    facts: tuple[KeptFact, ...]
    now: float


async def call_page(site: Site, viewer: Viewer, request: Request) -> Shown:
    """One call.

    Errors: NotFound, alike for what is not there and what is another person's.
    """
    call = await site.records.call(str(request.path_params["id"]))
    if call is None or (call.principal != viewer.person and not viewer.sees_all(site)):
        raise NotFound("no such call, or not yours to see", hint="see your calls on /audit")
    view = CallView(call, tuple(await site.records.facts_of(call.call_id)), site.now())
    return Shown(f"{call.tool} on {call.server}", view, lambda: _call(view))


def _call(view: CallView) -> h.Node:
    call = view.call
    return [
        heading(
            [h.code[call.tool], f" on {call.server}"],
            h.p(class_="row")[decision_badge(call.decision), outcome_badge(call.outcome)],
            h.p(class_="read")[f"{call.sentence}."],
        ),
        facts(
            [
                ("Who", h.bdi[call.principal]),
                ("When", moment(call.at, view.now)),
                ("Took", _took(call)),
                ("Effect", call.effect),
                ("Client, as it says", h.bdi[call.client or "not said"]),
                ("Counted", _counted(call)),
            ],
            kind="across",
        ),
        titled("Why", _rules(view.facts)),
        titled("Noted by the server", facts(_noted(call))) if call.details else None,
        titled("Record", *(_fact(fact, view.now) for fact in view.facts)),
    ]


def _counted(call: CallRow) -> str:
    return f"{call.minutes:g} min saved" if call.outcome == "ok" else "no time saved"


def _noted(call: CallRow) -> Iterable[tuple[str, h.Node]]:
    """The server's notes, in its own words: names, numbers and digests."""
    for name, value in call.details.items():
        text = ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
        yield name.replace("_", " ").capitalize(), h.bdi[text]


def _rules(kept: Iterable[KeptFact]) -> h.Node:
    """Every rule that any writer named, once."""
    named = [_rule(reason) for fact in kept for reason in _reasons(fact.fact)]
    if not named:
        return h.p["No rule permitted it, and no match means no."]
    return why(dict.fromkeys(named))


def _reasons(fact: Mapping[str, Json]) -> Sequence[Mapping[str, Json]]:
    found = fact.get("reasons")
    members = cast("Sequence[Json]", found) if isinstance(found, list | tuple) else ()
    return [cast("Mapping[str, Json]", member) for member in members if isinstance(member, Mapping)]


def _rule(reason: Mapping[str, Json]) -> tuple[str, str, str]:
    return str(reason.get("effect", "")), str(reason.get("rule", "")), str(reason.get("sentence", ""))


def _fact(fact: KeptFact, now: float) -> h.Node:
    kind = str(fact.fact.get("kind", "")).replace("-", " ").capitalize()
    return h.section(class_="tool stack")[
        h.h3[f"{kind}, says {fact.writer}"],
        h.p(class_="quiet")[f"Record {fact.sequence} · ", moment(fact.at, now)],
        folded(
            "The exact record",
            h.div(class_="stack")[exact_json(fact.fact, f"Record {fact.sequence} of {fact.writer}"), _hash(fact)],
        ),
    ]


def _hash(fact: KeptFact) -> h.Node:
    return h.p(class_="quiet")["Hash ", h.code[fact.hash]]
