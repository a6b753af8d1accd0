"""What is told of a server's health as JSON and back: by its own process, by whoever looks at it, in the database.

Pure; strict where a value comes from another process. Not here: judging (`core/health`), keeping (`watch_health`).
"""

from collections.abc import Mapping, Sequence
from typing import Final, cast

from pierhead.core.errors import Invalid
from pierhead.core.health import Condition, Dependency, Health, Probe
from pierhead.usecases.wire_forms import Form

_LONGEST_REASON: Final = 500
_MOST_DEPENDENCIES: Final = 20
_LOOKED: Final = frozenset({Condition.UP, Condition.DEGRADED, Condition.DOWN})


def dependency_to_form(dependency: Dependency) -> Form:
    return {"name": dependency.name, "condition": str(dependency.condition), "reason": dependency.reason}


def dependencies_from_form(form: object) -> tuple[Dependency, ...]:
    """Errors: Invalid (`wire-form`)."""
    given = cast("list[object]", form) if isinstance(form, list) else [None]
    return tuple(_dependency(one) for one in given[:_MOST_DEPENDENCIES])


def probe_to_form(probe: Probe) -> Form:
    return {
        "server": probe.server,
        "version": probe.version,
        "at": probe.at,
        "condition": str(probe.condition),
        "latency_ms": round(probe.latency_ms, 1),
        "reason": probe.reason,
        "tools_digest": probe.tools_digest,
        "is_as_published": probe.is_as_published,
        "dependencies": [dependency_to_form(one) for one in probe.dependencies],
    }


def probe_from_form(form: object, at: float) -> Probe:
    """One look, as it was told; `at` is when it was heard. Errors: Invalid (`wire-form`)."""
    members = _mapping(form)
    condition = _condition(members.get("condition"))
    if condition not in _LOOKED:
        raise _wrong(f"a look finds one of {', '.join(sorted(_LOOKED))}")
    latency = members.get("latency_ms")
    if isinstance(latency, bool) or not isinstance(latency, int | float) or not 0 <= latency < float("inf"):
        raise _wrong("latency_ms is no number from 0 on")
    return Probe(
        server=_text(members, "server"),
        version=_text(members, "version"),
        at=at,
        condition=condition,
        latency_ms=float(latency),
        reason=_text(members, "reason"),
        tools_digest=_text(members, "tools_digest"),
        is_as_published=members.get("is_as_published") is True,
        dependencies=dependencies_from_form(members.get("dependencies")),
    )


def health_to_form(health: Health) -> Form:
    return {
        "server": health.server,
        "condition": str(health.condition),
        "since": health.since,
        "seen_at": health.seen_at,
        "probes": health.probes,
        "changes": list(health.changes),
        "last": probe_to_form(health.last),
    }


def health_from_form(form: object) -> Health:
    """What `health_to_form` made; written by this program alone. Errors: Invalid (`wire-form`)."""
    members = _mapping(form)
    last = _mapping(members.get("last"))
    changes = cast("Sequence[float]", members.get("changes", ()))
    return Health(
        last=probe_from_form(last, _number(last, "at")),
        condition=_condition(members.get("condition")),
        since=_number(members, "since"),
        seen_at=_number(members, "seen_at"),
        probes=int(_number(members, "probes")),
        changes=tuple(changes),
    )


def _dependency(form: object) -> Dependency:
    members = _mapping(form)
    return Dependency(_text(members, "name"), _condition(members.get("condition")), _text(members, "reason"))


def _mapping(form: object) -> Mapping[str, object]:
    if not isinstance(form, Mapping):
        raise _wrong("not an object")
    return cast("Mapping[str, object]", form)


def _condition(value: object) -> Condition:
    if not isinstance(value, str) or value not in set(Condition):
        raise _wrong(f"no such condition: {value!r}"[:200])
    return Condition(value)


def _text(members: Mapping[str, object], name: str) -> str:
    value = members.get(name)
    if not isinstance(value, str):
        raise _wrong(f"{name} is no text")
    return value[:_LONGEST_REASON]


def _number(members: Mapping[str, object], name: str) -> float:
    value = members.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _wrong(f"{name} is no number")
    return float(value)


def _wrong(why: str) -> Invalid:
    hint = "run the same version of pierhead everywhere"
    return Invalid(f"cannot read a server's health: {why}", hint=hint, code="wire-form")
