"""The figures of a server's record as the API tells them. Not here: what they mean (`usecases/record_figures`)."""

from collections.abc import Iterable, Mapping
from typing import Final

from pierhead.apps.problem import REVISIONS
from pierhead.apps.registry.api.answers import Asked, moment
from pierhead.core.catalog import Effect, Server, Tool
from pierhead.core.cost import METHOD as COST_METHOD
from pierhead.core.cost import Cost, Price
from pierhead.core.health import Health
from pierhead.core.json import Json
from pierhead.core.reach import Row
from pierhead.core.review import Binding, Gate, GateState, Review, sign_off_of
from pierhead.core.showback import TeamCost
from pierhead.core.token_weight import token_weight
from pierhead.core.usage import Objective, Pace, ServerUse
from pierhead.usecases.find_table import texts_of
from pierhead.usecases.integrity import integrity_of
from pierhead.usecases.read_packet import Signed
from pierhead.usecases.read_reviews import gate_states
from pierhead.usecases.record_figures import DAYS, Figures, Kept, figures_of
from pierhead.usecases.report_impact import METHOD

_EFFECTS: Final = tuple(Effect)


async def figures(asked: Asked, server: str, version: str) -> Figures:
    site = asked.site
    return await figures_of(server, version, Kept(site.registry.catalogue, site.healths, site.records), site.now())


def use_form(use: ServerUse) -> Mapping[str, object]:
    saved = use.saved
    return {
        "days": DAYS,
        "calls": use.calls,
        "succeeded": saved.counted,
        "people": use.people,
        "minutes_saved": round(saved.gross, 1),
        "minutes_low": round(saved.low, 1),
        "minutes_high": round(saved.high, 1),
        "coverage": None if saved.coverage is None else round(saved.coverage, 4),
        "expired": saved.expired,
        "method": METHOD,
        "last_call_at": moment(use.last_at) if use.last_at else None,
    }


def cost_of(use: ServerUse, tools: Iterable[Tool], price: Price | None) -> Cost:
    """What the calls cost at least, and what the definitions weigh that clients are sent."""
    weights = (
        token_weight(tool.name, tool.description, (tool.input_schema, tool.output_schema))
        for tool in tools
        if not tool.withheld
    )
    return Cost(use.calls, use.result_tokens, sum(weights), price)


def cost_form(cost: Cost) -> Mapping[str, object]:
    a_call, price = cost.tokens_a_call, cost.price
    return {
        "days": DAYS,
        "result_tokens": cost.result_tokens,
        "tokens_a_call": None if a_call is None else round(a_call, 1),
        "definition_tokens": cost.definition_tokens,
        "price_per_million_tokens": price.per_million_tokens if price else None,
        "currency": price.currency if price else None,
        "results": cost.results,
        "a_call": cost.a_call,
        "thousand_turns": cost.thousand_turns,
        "method": COST_METHOD,
    }


def showback_form(rows: Iterable[TeamCost], price: Price | None) -> list[Mapping[str, object]]:
    return [
        {
            "of": row.share,
            "team": row.team or None,
            "calls": row.calls,
            "people": row.people,
            "result_tokens": row.result_tokens,
            "results": price.of(row.result_tokens) if price else None,
        }
        for row in rows
    ]


def pace_form(pace: Pace, promised: Objective | None) -> Mapping[str, object]:
    """What was measured beside what its owner promises, and what clients may speak to it."""
    rate = pace.success_rate
    slo = {"p95_ms": promised.p95_ms, "success_rate": promised.success_rate} if promised else None
    return {
        "days": DAYS,
        "p95_ms": pace.p95_ms,
        "success_rate": None if rate is None else round(rate, 4),
        "slo": {**slo, "is_met": promised.is_met_by(pace)} if slo and promised else None,
        "protocol_revisions": REVISIONS,
    }


def declared_form(document: Mapping[str, Json], server: Server, rows: Iterable[Row]) -> Mapping[str, object]:
    """What the owner says of it and nobody checked, and which callers without a person its rows admit."""
    effects = [_EFFECTS.index(tool.effect) for tool in server.tools.values()]
    return {
        **{name: document.get(name) or None for name in ("on_call", "runbook", "repository")},
        **{name: document.get(name) is True for name in ("personal_data", "autonomous", "untrusted_results")},
        **{name: list(texts_of(document.get(name))) for name in ("egress", "environments")},
        "highest_effect": _EFFECTS[max(effects)] if effects else None,
        "workloads": sorted({each for row in rows for each in row.who.workloads}),
    }


async def integrity_form(asked: Asked, server: str, version: str, known: Health | None) -> Mapping[str, object] | None:
    """What vouches for that version; null for one that was never published."""
    kept = await asked.site.registry.catalogue.versions(server)
    found = next((each for each in kept if each.version == version), None)
    if found is None:
        return None
    told = await integrity_of(found, known, asked.site.registry)
    return {
        "digests": digests_form(told.binding),
        "artefact": told.artefact or None,
        "sbom": told.bill or None,
        "signature": signed_form(told.signed) if told.signed else None,
        "checked_at": moment(told.checked_at) if told.checked_at else None,
        "is_as_signed": told.is_as_signed,
    }


def digests_form(bound: Binding) -> Mapping[str, str]:
    return {"tools": bound.tools_digest, "manifest": bound.manifest_digest, "access": bound.access_digest}


def signed_form(signed: Signed) -> Mapping[str, object]:
    return {"verified": signed.is_verified, "key": signed.key, "over": list(signed.over), "why_not": signed.why_not}


def review_form(review: Review | None, now: float) -> Mapping[str, object] | None:
    """Where each gate of the version's last review stands; null where nobody was ever asked."""
    if review is None:
        return None
    gates = [_gate(review, gate, state) for gate, state in gate_states(review, now).items()]
    return {"id": review.id, "submitted_at": moment(review.submitted_at), "gates": gates}


def _gate(review: Review, gate: Gate, state: GateState) -> Mapping[str, object]:
    made, due = sign_off_of(review, gate), dict(review.due_at)
    is_awaited = made is None and gate in due and review.closed_at is None
    return {
        "gate": gate,
        "state": state,
        "due_at": moment(due[gate]) if is_awaited else None,
        "conditions": list(made.conditions) if made else [],
        "evidence": list(made.evidence) if made else [],
        "expires_at": moment(made.expires_at) if made and made.expires_at else None,
    }
