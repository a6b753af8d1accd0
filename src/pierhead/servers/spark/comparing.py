"""An application beside an earlier one that went well: what differs, the weightiest first.

Weights are factors: how many times more, or less. Settings that differ in every run are left out.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from pierhead.sdk import NotFound
from pierhead.sdk.envelope import Envelope, summed_up
from pierhead.sdk.redacting import redact, redact_value
from pierhead.servers.spark.answers import Comparison, Difference
from pierhead.servers.spark.application import Application
from pierhead.servers.spark.desk import Desk
from pierhead.servers.spark.found import Found

_LAST_GOOD: Final = "last_success"
_MOST: Final = 20
_MATTERS: Final = 1.2
_SETTING: Final = 2.0
_SECOND: Final = 1000
_VOLATILE: Final = (
    "spark.app.id",
    "spark.app.startTime",
    "spark.app.submitTime",
    "spark.driver.port",
    "spark.driver.host",
    "spark.ui.port",
    "spark.executor.id",
    "spark.repl",
    "spark.submit",
    "spark.sql.warehouse",
    "spark.blockManager.port",
    "spark.kubernetes.executor.podNamePrefix",
    "spark.kubernetes.driver.pod.name",
    "spark.yarn.app.id",
    "spark.org.apache.hadoop.yarn",
)


async def compared(desk: Desk, app: str, other: str) -> Envelope[Comparison]:
    """Errors: NotFound (`no-such-application`), where nothing went well before, or no log of either is left."""
    found = await desk.found(app)
    if found.application is None:
        raise _nothing("its event log is not there, so that nothing can be compared")
    name = other if other != _LAST_GOOD else await _last_good(desk, found, found.application)
    good = await desk.found(name)
    if good.application is None:
        raise _nothing("the other's event log is not there")
    ranked = sorted(_differences(found.application, good.application), key=lambda each: -each.weight)
    first = f"; {ranked[0].what}: {ranked[0].other} then, {ranked[0].this} now" if ranked else ""
    summary = summed_up(redact(f"{found.id} beside {good.id}: {len(ranked)} differences{first}"))
    return desk.told(found, summary, Comparison(app=found.id, other=good.id, differences=ranked[:_MOST]))


async def _last_good(desk: Desk, found: Found, application: Application) -> str:
    listed = await desk.listed()
    for each in listed:
        is_before = not application.started or each.started < application.started
        if each.name == application.name and each.id != found.id and each.status == "succeeded" and is_before:
            return each.id
    raise _nothing(f"no earlier application named {redact(application.name)!r} went well, as far as logs are kept")


def _differences(this: Application, other: Application) -> Iterator[Difference]:
    yield from _amount("duration, s", this.duration / _SECOND, other.duration / _SECOND)
    yield from _amount("input, bytes", this.input_bytes, other.input_bytes)
    yield from _amount("executors", len(this.executors), len(other.executors))
    yield from _settings(this.properties, other.properties)
    yield from _stages(this, other)
    if this.spark != other.spark:
        yield Difference(what="Spark", this=this.spark, other=other.spark, weight=_SETTING)


def _settings(this: Mapping[str, str], other: Mapping[str, str]) -> Iterator[Difference]:
    mine, theirs = redact_value(dict(this)), redact_value(dict(other))
    for name in sorted({*mine, *theirs}):
        before, now = str(theirs.get(name, "")), str(mine.get(name, ""))
        if before != now and not name.startswith(_VOLATILE):
            yield Difference(what=name, this=now[:200], other=before[:200], weight=_SETTING)


def _stages(this: Application, other: Application) -> Iterator[Difference]:
    """Stages of the same place in the code, in the order in which they ran."""
    for name, (now, shuffled) in _sums(this).items():
        before, shuffled_before = _sums(other).get(name, (0.0, 0))
        if before:
            yield from _amount(f"stage {redact(name)}, s", now, before)
            yield from _amount(f"stage {redact(name)}, shuffle bytes", shuffled, shuffled_before)


def _sums(application: Application) -> dict[str, tuple[float, int]]:
    sums: dict[str, tuple[float, int]] = {}
    for stage in application.stages.values():
        seconds, shuffled = sums.get(stage.name, (0.0, 0))
        sums[stage.name] = seconds + stage.duration / _SECOND, shuffled + stage.shuffle_read
    return sums


def _amount(what: str, this: float, other: float) -> Iterator[Difference]:
    factor = max(this, other) / max(min(this, other), 0.001)
    if this != other and factor >= _MATTERS:
        yield Difference(what=what, this=f"{this:g}", other=f"{other:g}", weight=round(min(factor, 1000.0), 2))


def _nothing(why: str) -> NotFound:
    return NotFound(why, hint="name another application in `with`", code="no-such-application")
