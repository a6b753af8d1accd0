"""What a person who is signed in reads of a server beside the official form: the registry's own record of it.

Owner, risk, state and conditions of every version that they may reach; the tools that *they* may use of the version
that runs, with their schemas where one version is read. What the registry does not know of a server is absent. Above:
`reading`. Not here: who may see which server (`views`).
"""

from collections.abc import Mapping
from typing import Final

from pierhead.apps.problem import REVISIONS
from pierhead.apps.registry.official.asking import Asked
from pierhead.core.catalog import Effect, Server, Tool
from pierhead.core.cost import METHOD as COST_METHOD
from pierhead.core.cost import Cost
from pierhead.core.definitions import tool_digest
from pierhead.core.errors import NotFound, Refused
from pierhead.core.identity import Caller
from pierhead.core.review import Review, sign_off_of
from pierhead.core.token_weight import token_weight
from pierhead.core.usage import Objective, Pace
from pierhead.usecases.integrity import integrity_of
from pierhead.usecases.list_tools import list_tools
from pierhead.usecases.official_forms import moment
from pierhead.usecases.official_listing import Item
from pierhead.usecases.ports_official import Standing
from pierhead.usecases.read_reviews import gate_states
from pierhead.usecases.record_figures import DAYS, Figures, Kept, figures_of, objective_in
from pierhead.usecases.report_impact import METHOD
from pierhead.usecases.told_by_roles import whole_rules

_EFFECTS: Final = tuple(Effect)
_RECORD: Final = "registry"

#: Members of a fleet file's entry that reviewers weigh, by the names they have here.
_DECLARED: Final[Mapping[str, str]] = {
    "personal_data": "personalData",
    "egress": "egress",
    "environments": "environments",
    "autonomous": "autonomous",
    "untrusted_results": "untrustedResults",
    "repository": "repository",
    "runbook": "runbook",
    "on_call": "onCall",
}


def with_record(asked: Asked, caller: Caller, item: Item, more: Mapping[str, object] | None) -> Mapping[str, object]:
    """The item's form with the record under `NAMESPACE/registry`: with `more`, the whole, for one version alone."""
    ours = f"{asked.eyes.place.namespace}/{_RECORD}"
    told = record(asked, caller, item, whole=more is not None)
    return {"server": item.server, "_meta": {**item.meta, ours: {**told, **(more or {})}}}


async def more_of(asked: Asked, caller: Caller, item: Item) -> Mapping[str, object]:
    """What is known of the item's version beyond its declaration."""
    site, standing = asked.eyes.site, item.standing
    kept = Kept(asked.desk.catalogue, site.healths, site.records)
    figures = await figures_of(standing.server, standing.version, kept, site.now())
    integrity = await _integrity(asked, standing, figures)
    use, server = figures.use, asked.current.snapshot.servers.get(standing.server)
    weight = sum(map(_tokens, _usable(asked, caller, server))) if server and server.version == standing.version else 0
    cost = {"cost": _cost(Cost(use.calls, use.result_tokens, weight, site.price))}
    return {
        **_figures(figures, objective_in(standing.document)),
        **cost,
        **({"integrity": integrity} if integrity else {}),
    }


async def _integrity(asked: Asked, standing: Standing, figures: Figures) -> Mapping[str, object]:
    """What vouches for a version, as far as it is known; every one that is listed was published."""
    kept = await asked.desk.catalogue.versions(standing.server)
    version = next(each for each in kept if each.version == standing.version)
    told = await integrity_of(version, figures.health, asked.desk)
    found: dict[str, object] = {"artefact": told.artefact, "sbom": told.bill}
    if told.signed is not None:
        over = {"over": list(told.signed.over)} if told.signed.is_verified else {"whyNot": told.signed.why_not}
        found["signature"] = {"isVerified": told.signed.is_verified, **over}
    checked = {"checkedAt": moment(told.checked_at), "isAsSigned": told.is_as_signed} if told.checked_at else {}
    return {**{name: value for name, value in found.items() if value}, **checked}


def _figures(figures: Figures, promised: Objective | None) -> Mapping[str, object]:
    use, known = figures.use, figures.health
    saved = use.saved
    told: dict[str, object] = {
        **_operation(figures.pace, promised),
        "use": {
            "days": DAYS,
            "calls": use.calls,
            "succeeded": saved.counted,
            "people": use.people,
            "minutesSaved": round(saved.gross, 1),
            "minutesLow": round(saved.low, 1),
            "minutesHigh": round(saved.high, 1),
            **({} if saved.coverage is None else {"coverage": round(saved.coverage, 4)}),
            "expired": saved.expired,
            "method": METHOD,
            **({"lastCallAt": moment(use.last_at)} if use.last_at else {}),
        },
    }
    if known is not None:
        seen = {"seenAt": moment(known.seen_at)} if known.seen_at else {}
        told["health"] = {
            "condition": known.condition,
            "since": moment(known.since),
            "reason": known.last.reason,
            **seen,
        }
    if figures.review is not None:
        told["review"] = _review(figures.review, figures.now)
    return told


def _cost(cost: Cost) -> Mapping[str, object]:
    """What its results cost a model at least; in money, where the operator says what tokens cost."""
    price, a_call = cost.price, cost.tokens_a_call
    told: dict[str, object] = {
        "tokensACall": None if a_call is None else round(a_call, 1),
        "pricePerMillionTokens": price.per_million_tokens if price else None,
        "currency": price.currency if price else None,
        "results": cost.results,
        "aCall": cost.a_call,
        "thousandTurns": cost.thousand_turns,
    }
    known = {name: value for name, value in told.items() if value is not None}
    tokens = {"resultTokens": cost.result_tokens, "definitionTokens": cost.definition_tokens}
    return {"days": DAYS, **tokens, **known, "method": COST_METHOD}


def _operation(pace: Pace, promised: Objective | None) -> Mapping[str, object]:
    """How calls went beside what is promised, as far as either is known; and what clients may speak to it."""
    rate = pace.success_rate
    measured = {"p95Ms": pace.p95_ms, "successRate": None if rate is None else round(rate, 4)}
    found: dict[str, object] = {name: value for name, value in measured.items() if value is not None}
    if promised is not None:
        slo = {"p95Ms": promised.p95_ms, "successRate": promised.success_rate, "isMet": promised.is_met_by(pace)}
        found["slo"] = {name: value for name, value in slo.items() if value is not None}
    return {"operation": {"days": DAYS, **found, "protocolRevisions": list(REVISIONS)}}


def _review(review: Review, now: float) -> Mapping[str, object]:
    """Where each gate stands, and until when; who signed is for the pages of reviews."""
    gates: list[Mapping[str, object]] = []
    due = dict(review.due_at)
    for gate, state in gate_states(review, now).items():
        made, line = sign_off_of(review, gate), dict[str, object](gate=gate, state=state)
        if made is None:
            line |= {"dueAt": moment(due[gate])} if gate in due and review.closed_at is None else {}
        else:
            line |= {"conditions": list(made.conditions), "evidence": list(made.evidence)}
            line |= {"expiresAt": moment(made.expires_at)} if made.expires_at else {}
        gates.append(line)
    return {"id": review.id, "submittedAt": moment(review.submitted_at), "gates": gates}


def record(asked: Asked, caller: Caller, item: Item, *, whole: bool) -> Mapping[str, object]:
    standing = item.standing
    members: dict[str, object] = {"slug": standing.server, "stage": standing.stage, "reason": standing.reason}
    document = standing.document
    members |= {shown: document[name] for name, shown in _DECLARED.items() if name in document}
    members |= _decided(standing)
    server = asked.current.snapshot.servers.get(standing.server)
    if server is None:
        return members
    members |= {"owner": server.owner, "support": server.support, "kind": server.kind, "dataClass": server.data_class}
    if server.version != standing.version:
        return members
    usable = _usable(asked, caller, server)
    highest = max((_EFFECTS.index(tool.effect) for tool in usable), default=None)
    return {
        **members,
        "highestEffect": None if highest is None else _EFFECTS[highest],
        "tokenWeight": sum(map(_tokens, usable)),
        "tools": [{**_tool(tool), **(_schemas(tool) if whole else {})} for tool in usable],
    }


def _decided(standing: Standing) -> Mapping[str, object]:
    """What its reviewers demanded, and what its owner said of its end, where anybody did."""
    sunset = None if standing.sunset_at is None else moment(standing.sunset_at)
    found = {
        "conditions": list(standing.conditions),
        "message": standing.message,
        "successor": standing.successor,
        "sunsetAt": sunset,
    }
    return {name: value for name, value in found.items() if value}


def _usable(asked: Asked, caller: Caller, server: Server) -> tuple[Tool, ...]:
    """As `tools/list` would show them; none of a server that takes no calls."""
    snapshots = asked.eyes.site.snapshots
    try:
        return list_tools(server.name, caller, snapshots, whole_rules(snapshots))
    except (NotFound, Refused):
        return ()


def _tool(tool: Tool) -> Mapping[str, object]:
    minutes = tool.minutes
    return {
        "name": tool.name,
        "description": tool.description,
        "policy": str(tool.narrowed or tool.policy),
        "effect": tool.effect,
        "approval": tool.approval,
        "idempotent": tool.idempotent,
        "timeoutSeconds": tool.timeout_s,
        "minutesSaved": {
            "low": minutes.low,
            "mode": minutes.mode,
            "high": minutes.high,
            "method": minutes.method,
            **({} if minutes.valid_until is None else {"validUntil": moment(minutes.valid_until)}),
        },
        "tokenWeight": _tokens(tool),
        "digest": tool_digest(tool),
    }


def _schemas(tool: Tool) -> Mapping[str, object]:
    return {"inputSchema": tool.input_schema, "outputSchema": tool.output_schema}


def _tokens(tool: Tool) -> int:
    return token_weight(tool.name, tool.description, (tool.input_schema, tool.output_schema))
