"""The ports of the record in lists: for tests of pages. Simpler than the database: a call that repeats counts again."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from pierhead.core.cost import tokens_of
from pierhead.core.showback import CallerCost
from pierhead.core.usage import Minutes, Pace, ServerUse, ToolUse, does_work, p95_place, saved_by
from pierhead.usecases.ports_records import (
    CallerUse,
    CallRow,
    ChainState,
    DayOfCalls,
    Filter,
    KeptFact,
    ProcessState,
)


@dataclass(slots=True)
class MemoryRecords:
    """Fills `Records`. `rows` in any order; `kept` by call id."""

    rows: list[CallRow] = field(default_factory=list[CallRow])
    kept: dict[str, tuple[KeptFact, ...]] = field(default_factory=dict[str, tuple[KeptFact, ...]])
    state: ChainState = field(default_factory=lambda: ChainState(records=0, verified_to=0.0, broken=""))

    async def calls(self, wanted: Filter) -> Sequence[CallRow]:
        newest = sorted(self.rows, key=_place, reverse=True)
        return [row for row in newest if _matches(row, wanted)][: wanted.limit]

    async def call(self, call_id: str) -> CallRow | None:
        return next((row for row in self.rows if row.call_id == call_id), None)

    async def facts_of(self, call_id: str) -> Sequence[KeptFact]:
        return self.kept.get(call_id, ())

    async def chain(self) -> ChainState:
        return self.state

    async def calls_by_server(self, since: float) -> Mapping[str, int]:
        return Counter(row.server for row in self._permitted(since))

    async def uses(self, since: float) -> Sequence[ToolUse]:
        kept: dict[tuple[str, str, Minutes], list[CallRow]] = {}
        for row in self._permitted(since):
            kept.setdefault((row.server, row.tool, replace(row.estimate, stated_at=0.0)), []).append(row)
        uses = [_tool_use(server, tool, minutes, rows) for (server, tool, minutes), rows in kept.items()]
        return sorted(uses, key=lambda use: -use.calls)

    async def use_of(self, server: str, since: float) -> ServerUse:
        rows = [row for row in self._permitted(since) if row.server == server]
        return ServerUse(
            calls=len(rows),
            people=_people(rows),
            saved=saved_by(_tool_use(server, row.tool, row.estimate, [row]) for row in rows),
            last_at=max((row.at for row in rows), default=0.0),
            result_tokens=sum(tokens_of(row.bytes_out) for row in rows),
        )

    async def pace_of(self, server: str, since: float) -> Pace:
        rows = [row for row in self._permitted(since) if row.server == server]
        times = sorted(row.duration_ms for row in rows if row.duration_ms is not None)
        p95 = times[p95_place(len(times))] if times else None
        return Pace(len(rows), sum(row.outcome == "ok" for row in rows), p95)

    async def callers(self, since: float, limit: int) -> Sequence[CallerUse]:
        """Every caller came through an editor: rows do not keep surfaces."""
        kept: dict[tuple[str, str, str], list[CallRow]] = {}
        for row in self.rows:
            if row.at >= since:
                kept.setdefault((row.principal, row.server, row.tool), []).append(row)
        uses = [_use(principal, server, tool, rows) for (principal, server, tool), rows in kept.items()]
        return sorted(uses, key=lambda use: (-use.calls, use.principal, use.server, use.tool))[:limit]

    async def callers_of(self, server: str, since: float) -> Sequence[CallerCost]:
        kept: dict[tuple[str, tuple[str, ...]], list[CallRow]] = {}
        for row in self._permitted(since):
            if row.server == server:
                kept.setdefault((row.person, row.groups), []).append(row)
        return [
            CallerCost(person, frozenset(groups), len(rows), sum(tokens_of(row.bytes_out) for row in rows))
            for (person, groups), rows in kept.items()
        ]

    async def active_users(self, since: float) -> int:
        return _people(self._permitted(since))

    async def by_day(self, since: float) -> Sequence[DayOfCalls]:
        days: dict[str, list[CallRow]] = {}
        for row in sorted(self.rows, key=lambda row: row.at):
            if row.at >= since:
                days.setdefault(datetime.fromtimestamp(row.at, UTC).date().isoformat(), []).append(row)
        return [_day(day, rows) for day, rows in days.items()]

    def _permitted(self, since: float) -> list[CallRow]:
        return [row for row in self.rows if row.at >= since and row.decision == "permit"]


def _matches(row: CallRow, wanted: Filter) -> bool:
    pairs = (
        (wanted.principal, row.principal),
        (wanted.server, row.server),
        (wanted.tool, row.tool),
        (wanted.decision, row.decision),
    )
    is_next = wanted.before is None or _place(row) < wanted.before
    return is_next and row.at >= wanted.since and all(asked in {"", value} for asked, value in pairs)


def _place(row: CallRow) -> tuple[float, str]:
    return row.at, row.call_id


def _people(rows: Iterable[CallRow]) -> int:
    return len({row.person for row in rows} - {""})


def _tool_use(server: str, tool: str, minutes: Minutes, rows: Sequence[CallRow]) -> ToolUse:
    counted = [row for row in rows if row.outcome == "ok" and does_work(tool)]
    return ToolUse(
        server,
        tool,
        minutes.mode,
        calls=len(rows),
        succeeded=len(counted),
        users=_people(rows),
        low=minutes.low,
        high=minutes.high,
        method=minutes.method,
        covered=sum(row.estimate.is_valid(row.at) for row in counted),
        expired=sum(row.estimate.is_over(row.at) for row in counted),
        autonomous=sum(not row.person for row in counted),
    )


def _day(day: str, rows: Sequence[CallRow]) -> DayOfCalls:
    permitted = [row for row in rows if row.decision == "permit"]
    succeeded = sum(row.outcome == "ok" for row in permitted)
    return DayOfCalls(day, len(permitted), succeeded, sum(row.decision == "refuse" for row in rows))


def _use(principal: str, server: str, tool: str, rows: Sequence[CallRow]) -> CallerUse:
    return CallerUse(
        principal=principal,
        person=rows[0].person,
        surface="ide",
        server=server,
        tool=tool,
        calls=len(rows),
        permitted=sum(row.decision == "permit" for row in rows),
        last_at=max(row.at for row in rows),
        call_id=max(row.call_id for row in rows),
    )


@dataclass(frozen=True, slots=True)
class MemoryProcesses:
    """Fills `Processes`."""

    by_server: Mapping[str, ProcessState]

    async def states(self) -> Mapping[str, ProcessState]:
        return self.by_server
