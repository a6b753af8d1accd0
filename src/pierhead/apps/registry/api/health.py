"""How a server is, as the registry knows it: for whoever may know of the server.

Made of what `usecases/watch_health` keeps. Not here: the same on a page (`web/view_health`), judging (`core/health`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from pierhead.apps.registry.api.answers import Asked, moment
from pierhead.apps.registry.api.sight import entry_seen
from pierhead.core.errors import Invalid
from pierhead.core.health import Condition, Dependency, Health, Probe, Span, by_version, spans
from pierhead.usecases.ports_health import PROBES_KEPT

_USUAL: Final = 60


@dataclass(frozen=True, slots=True)
class HealthForm:
    """How a server is, in short; `since` and `seen_at` are null where nobody looked, or it never answered."""

    condition: Condition
    since: str | None
    seen_at: str | None
    reason: str


def short(known: Health | None) -> HealthForm:
    if known is None:
        return HealthForm(Condition.UNKNOWN, None, None, "")
    return HealthForm(known.condition, moment(known.since), _when(known.seen_at), known.last.reason)


async def health(asked: Asked) -> object:
    """One server's health with its last looks.

    Errors: NotFound, alike for what is not there and what is not the caller's to know; Invalid.
    """
    limit = _limit(asked.query("limit"))
    name = str(asked.request.path_params["name"])
    live = asked.site.snapshots.current().servers.get(name)
    if live is None or not (live.is_callable or asked.sees_all):
        await entry_seen(asked, name)
    known = await asked.site.healths.health(name)
    probes = await asked.site.healths.probes(name, PROBES_KEPT)
    return {
        "server": name,
        "condition": known.condition if known else Condition.UNKNOWN,
        "since": moment(known.since) if known else None,
        "seen_at": _when(known.seen_at) if known else None,
        "changes": [moment(at) for at in known.changes] if known else [],
        "last": _look(known.last) if known else None,
        "dependencies": [_dependency(one) for one in known.last.dependencies] if known else [],
        "spans": [_span(span) for span in spans(probes)[:limit]],
        "looks": [_look(probe) for probe in probes[:limit]],
        "versions": [
            {"version": each.version, "looks": each.looks, "answered": each.answered, "last_at": moment(each.last.at)}
            for each in by_version(probes)
        ],
    }


def _limit(query: Mapping[str, str]) -> int:
    """How many looks and spans are told. Errors: Invalid."""
    text = query.get("limit", str(_USUAL))
    if not (text.isascii() and text.isdigit()) or not 1 <= int(text[:6]) <= PROBES_KEPT:
        raise Invalid("limit is no number of looks", hint=f"1 to {PROBES_KEPT}; so many are kept")
    return int(text)


def _look(probe: Probe) -> Mapping[str, object]:
    return {
        "at": moment(probe.at),
        "version": probe.version,
        "condition": probe.condition,
        "latency_ms": probe.latency_ms,
        "reason": probe.reason,
        "tools_digest": probe.tools_digest,
        "is_as_published": probe.is_as_published,
    }


def _dependency(one: Dependency) -> Mapping[str, object]:
    return {"name": one.name, "condition": one.condition, "reason": one.reason}


def _span(span: Span) -> Mapping[str, object]:
    return {
        "since": moment(span.since),
        "until": moment(span.until),
        "version": span.version,
        "condition": span.condition,
        "looks": span.looks,
        "reason": span.reason,
    }


def _when(seconds: float) -> str | None:
    """Zero is never."""
    return moment(seconds) if seconds else None
