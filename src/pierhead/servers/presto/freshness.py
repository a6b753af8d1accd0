"""Whether a table is fresh, and by which method that was found out: partitions, commits, or the greatest landing time.

The first method that the connector has and the caller's role permits: figures of the engine count every row, so they
are not asked where a row rule hides some. Units: Unix seconds and minutes, by the engine's clock.
"""

import datetime as dt
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from statistics import median
from typing import Final

from pierhead.sdk import Caller
from pierhead.sdk.envelope import Envelope, summed_up
from pierhead.sdk.governed.cells import plain
from pierhead.sdk.governed.engine import Limits
from pierhead.servers.presto.answers import Freshness, Landed, Verdict
from pierhead.servers.presto.backing import Backing, Seen
from pierhead.servers.presto.partitions import Partition, partitions_of, quoted, snapshots_of

_MAX: Final = "SELECT max({column}), count(*) FROM {table}"
_MAX_S: Final = 20.0
_TIMES: Final = ("timestamp", "date")
_WRITTEN_DAY: Final = re.compile(r"\d{4}-\d\d-\d\d")


@dataclass(frozen=True, slots=True)
class Found:
    """`names` are partitions, the newest first; `rows` those of the newest, where they were counted."""

    method: str
    names: Sequence[Landed] = ()
    latest: str | None = None
    landed: float | None = None
    rows: int | None = None
    snapshot: str | None = None


class FreshnessDesk:
    def __init__(self, backing: Backing) -> None:
        self._backing = backing

    async def check(
        self, caller: Caller, table: str, expect: str, max_lag_minutes: int | None, last_n: int
    ) -> Envelope[Freshness]:
        """Errors: Invalid (`unknown-table`); Forbidden (`no-role`); UpstreamUnreachable."""
        seen = await self._backing.seen(caller, table)
        found, missing = await self._found(caller, seen)
        now = self._backing.now()
        verdict, why = judged(found, expect, max_lag_minutes or seen.asset.max_lag_minutes, now)
        before = [each.rows for each in found.names[1 : last_n + 1] if each.rows is not None]
        data = Freshness(
            table=seen.name,
            verdict=verdict,
            why=why,
            method=found.method,
            latest=found.latest,
            landed_at=None if found.landed is None else written(found.landed),
            lag_minutes=None if found.landed is None else max(0, round((now - found.landed) / 60)),
            rows=found.rows,
            rows_median=float(median(before)) if before else None,
            last=list(found.names[:last_n]),
            snapshot=found.snapshot,
        )
        answer = Envelope(
            status="partial" if missing else "ok",
            summary=summed_up(f"{seen.name} is {verdict}: {why} (by {found.method})"),
            data=data,
            missing=[*missing, *self._backing.faults()],
        )
        return answer.observed(f"{self._backing.chosen.name} {found.method}", now)

    async def _found(self, caller: Caller, seen: Seen) -> tuple[Found, list[str]]:
        if seen.is_whole:
            found = await self._by_partitions(seen) or await self._by_snapshots(seen)
            if found is not None:
                return found, []
        missing = [] if seen.is_whole else ["partition metadata: a row rule hides some of what it counts"]
        found = await self._by_greatest(caller, seen)
        if found is not None:
            return found, missing
        nothing = "landing time: no column of the table is known to hold it (assets: tables.NAME.landed)"
        return Found("nothing that this connector tells"), [*missing, nothing]

    async def _by_partitions(self, seen: Seen) -> Found | None:
        backing, place = self._backing, (seen.permitted.schema, seen.permitted.name)
        by = await backing.partitioning(seen)
        if not by.keys:
            return None
        partitions = await partitions_of(backing.engine, backing.catalog, place, by)
        names = [Landed(partition=each.named(by.keys), rows=each.rows) for each in partitions]
        latest = names[0] if names else None
        found = Found(
            "partition metadata", names, latest and latest.partition, _end_of_day(partitions), latest and latest.rows
        )
        if by.kind != "iceberg":
            return found
        snapshots = await snapshots_of(backing.engine, backing.catalog, place)
        if not snapshots:
            return found
        if snapshots[0].has_deletes:
            names = [each.model_copy(update={"rows": None}) for each in names]
            found = replace(found, names=names, rows=None)
        return replace(found, landed=snapshots[0].at, snapshot=snapshots[0].id)

    async def _by_snapshots(self, seen: Seen) -> Found | None:
        place = (seen.permitted.schema, seen.permitted.name)
        snapshots = await snapshots_of(self._backing.engine, self._backing.catalog, place)
        if not snapshots:
            return None
        return Found("Iceberg snapshots", landed=snapshots[0].at, snapshot=snapshots[0].id)

    async def _by_greatest(self, caller: Caller, seen: Seen) -> Found | None:
        """As any statement of the caller: under the same guard, roles and budget."""
        column = seen.asset.landed or _only_time(seen)
        if not column or not seen.shows(column) or not seen.acting.role.sql:
            return None
        sql = _MAX.format(column=quoted(column), table=quoted(seen.permitted.schema, seen.permitted.name))
        async with self._backing.lane.ready(caller, sql=sql, limits=Limits(1, _MAX_S)) as ready:
            answer = await ready.engine.run(ready.query, ready.view, ready.values, ready.limits)
        [[greatest, rows]] = answer.rows
        return Found(
            f"greatest {column}",
            latest=None if greatest is None else str(plain(greatest)),
            landed=_moment(greatest),
            rows=int(str(rows)),
        )


def judged(found: Found, expect: str, max_lag_minutes: int | None, now: float) -> tuple[Verdict, str]:
    """What follows from what was found. Nothing expected, or nothing found, is unknown and never fresh."""
    if expect:
        is_there = _is_there(found, expect)
        if is_there is None:
            return "unknown", f"whether {expect} has landed cannot be told"
        return ("fresh", f"{expect} has landed") if is_there else ("stale", f"{expect} has not landed")
    if max_lag_minutes is None:
        return "unknown", "nothing says how late it may be: give expect_partition or max_lag_minutes"
    if found.landed is None:
        return "unknown", "when it was last written cannot be told"
    lag = round((now - found.landed) / 60)
    return ("fresh" if lag <= max_lag_minutes else "stale"), f"{lag} minutes old, {max_lag_minutes} allowed"


def _is_there(found: Found, expect: str) -> bool | None:
    if found.names:
        return any(expect == each.partition or expect in _values(each.partition) for each in found.names)
    if found.method == "partition metadata":
        return False
    return None if found.latest is None else found.latest[: len(expect)] >= expect


def _values(partition: str) -> list[str]:
    """Of `ds=2026-11-19/hour=3`: the values, and the parts with their keys."""
    parts = partition.split("/")
    return [*parts, *(part.partition("=")[2] for part in parts)]


def _only_time(seen: Seen) -> str:
    """The one column that holds a time or a day; nothing where there are several."""
    names = [column.name for column in seen.stored.columns if column.type.startswith(_TIMES)]
    return names[0] if len(names) == 1 else ""


def _end_of_day(partitions: Sequence[Partition]) -> float | None:
    """A partition of a day is whole when the day is over: the latest time at which it can have landed in time."""
    days = [day for value in partitions[0].values if (day := _day(value)) is not None] if partitions else []
    return _moment(days[0] + dt.timedelta(days=1)) if days else None


def _day(value: object) -> dt.date | None:
    """Hive often keeps days as text."""
    if isinstance(value, str) and _WRITTEN_DAY.fullmatch(value):
        with suppress(ValueError):
            return dt.date.fromisoformat(value)
    return value if isinstance(value, dt.date) else None


def _moment(value: object) -> float | None:
    if isinstance(value, dt.datetime):
        return (value if value.tzinfo else value.replace(tzinfo=dt.UTC)).timestamp()
    if isinstance(value, dt.date):
        return dt.datetime.combine(value, dt.time(), dt.UTC).timestamp()
    return None


def written(at: float) -> str:
    return dt.datetime.fromtimestamp(at, dt.UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
