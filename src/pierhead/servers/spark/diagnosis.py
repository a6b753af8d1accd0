"""Why an application failed, from everything that was found of it. The rules are the SDK's; here their facts are told.

An application that succeeded is asked only for what slowed it: lost executors, failed fetches, skew. Above: the desk.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from pierhead.sdk.failure_rules import Confidence, Fact, Verdict, classify
from pierhead.sdk.redacting import redact
from pierhead.sdk.tracebacks import find_exceptions
from pierhead.servers.spark.answers import Diagnosis, FailedStage, FoundFailure, SourceTold, TimedFact
from pierhead.servers.spark.application import Application
from pierhead.servers.spark.endings import SLOWED
from pierhead.servers.spark.found import Found

_MOST_EXCEPTIONS: Final = 5
_MOST_STAGES: Final = 5
_MOST_MOMENTS: Final = 12
_LONGEST_QUOTE: Final = 800
_LONGEST_TEXT: Final = 300
#: A context that the program stopped, or that ended with it.
_ENDED: Final = frozenset({"succeeded", "left"})


def status_of(found: Found) -> str:
    """What became of it: by its event log, unless its driver's own words, or its pods, say worse."""
    if found.is_live:
        return "running"
    is_bad = any(fact.is_final for fact in found.facts) or any(
        fact.kind == "container" and fact.rule and fact.quote.startswith("driver") for fact in found.facts
    )
    if is_bad:
        return "failed"
    status = found.application.status if found.application else ""
    if status not in {"", "incomplete"}:
        return status
    if any(fact.kind == "state" and fact.value in _ENDED for fact in found.facts) and not _is_grave(found.facts):
        return "succeeded"
    return "failed" if any(fact.rule for fact in found.facts) else status or "unknown"


def _is_grave(facts: Sequence[Fact]) -> bool:
    """Whether something ended it, other than what only slows: a context that is stopped for a kill stops well, too.

    What a task raised ends nothing by itself: its driver says so.
    """
    return any(fact.rule and fact.value not in SLOWED and fact.kind != "executor" for fact in facts)


def judged(found: Found) -> tuple[str, Verdict]:
    """The status, and the verdict; of one that succeeded, over what slowed it alone."""
    status = status_of(found)
    facts = found.facts
    if status == "succeeded":
        facts = [fact for fact in facts if fact.value in SLOWED]
    return status, classify(facts)


def diagnosed(found: Found, text: Sequence[tuple[str, str]], similar: Sequence[str]) -> Diagnosis:
    """The answer. `text` are the ends of its logs, each with its source's name."""
    status, verdict = judged(found)
    is_well = status == "succeeded" and not verdict.rules
    application = found.application or Application(found.id)
    failures = exceptions_in(text, application)
    return Diagnosis(
        app=found.id,
        name=redact(application.name),
        status=status,
        category="none" if is_well else verdict.category,
        confidence=_wellness(found) if is_well else verdict.confidence,
        quote=redact(verdict.quote),
        rules=list(verdict.rules),
        contributing=list(verdict.contributing)[:3],
        fingerprint=failures[0].fingerprint if failures else "",
        exit_code=application.exit_code if application.is_ended else None,
        exceptions=failures,
        failed_stages=_failed_stages(application),
        timeline=_timeline(found.facts),
        sources=[SourceTold(source=name, state=told.state, detail=told.detail) for name, told in found.told.items()],
        similar=list(similar),
    )


def _wellness(found: Found) -> Confidence:
    """How sure it is that nothing failed: a program that left without stopping its context may have left for cause."""
    ends = {fact.value for fact in found.facts if fact.kind == "state"}
    if "succeeded" in ends:
        return "confirmed"
    return "likely" if found.application is not None and found.application.jobs else "possible"


def exceptions_in(text: Sequence[tuple[str, str]], application: Application) -> list[FoundFailure]:
    """The exceptions of its logs and failed tasks, each kind once, the first of them first."""
    failures = [each.text for stage in application.stages.values() for each in stage.failures.values()]
    whole = [*text, ("event log", "\n".join([*failures, *(job.error for job in application.jobs.values())]))]
    found: dict[str, FoundFailure] = {}
    for source, words in whole:
        for each in find_exceptions(redact(words)):
            if each.fingerprint in found:
                continue
            found[each.fingerprint] = FoundFailure(
                kind=each.kind,
                message=each.message[:_LONGEST_TEXT],
                count=each.count,
                fingerprint=each.fingerprint,
                quote=each.quote[:_LONGEST_QUOTE],
                source=source,
            )
    return list(found.values())[-_MOST_EXCEPTIONS:]


def _failed_stages(application: Application) -> list[FailedStage]:
    return [
        FailedStage(
            stage=stage.id,
            attempt=stage.attempt,
            name=redact(stage.name),
            failed_tasks=stage.failed,
            reason=redact(stage.failure)[:_LONGEST_TEXT],
        )
        for stage in application.stages.values()
        if stage.failure
    ][:_MOST_STAGES]


def _timeline(facts: Sequence[Fact]) -> list[TimedFact]:
    """The facts in the order in which they happened, the same words once."""
    ordered = sorted((fact for fact in facts if fact.at and fact.quote), key=lambda fact: fact.at)
    told: dict[str, TimedFact] = {}
    for fact in ordered:
        what = redact(fact.quote)[:_LONGEST_TEXT]
        told.setdefault(what, TimedFact(at=moment(fact.at), source=fact.source, what=what))
    return list(told.values())[:_MOST_MOMENTS]


def moment(seconds: float) -> str:
    """As people read it; empty where nobody knows."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z") if seconds else ""
