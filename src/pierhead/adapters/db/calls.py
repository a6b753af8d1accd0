"""Reading the record: calls, their facts, the chain, use.

Fills `ports_records.Records`. Not here: writing (`facts`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

import orjson
from sqlalchemy import ColumnElement, and_, case, distinct, func, or_, select, tuple_
from sqlalchemy.engine import RowMapping

from pierhead.adapters.db.engine import Database
from pierhead.adapters.db.facts import DatabaseFacts
from pierhead.adapters.db.schema import CALLS, FACTS, HEADS
from pierhead.core.chain import Head, follow, read_line
from pierhead.core.errors import Invalid
from pierhead.core.showback import CallerCost
from pierhead.core.usage import (
    ESTIMATE_S,
    POLLING,
    PROTOCOL_READS,
    READ_BACK,
    Pace,
    Saved,
    ServerUse,
    ToolUse,
    p95_place,
)
from pierhead.usecases.ports_records import CallerUse, CallRow, ChainState, DayOfCalls, Filter, KeptFact
from pierhead.usecases.ports_registry import FactLine

_REPEAT_MS: Final = 60_000
_DAY_MS: Final = 86_400_000
_CHECKED_AT_ONCE: Final = 5_000


@dataclass(slots=True)
class _Checked:
    """How far the chains were verified in this process."""

    heads: dict[str, Head] = field(default_factory=dict[str, Head])
    records: int = 0
    verified_to: float = 0.0
    broken: str = ""


@dataclass(frozen=True, slots=True)
class DatabaseRecords:
    """The record, as far as it has been shipped here."""

    database: Database
    _checked: _Checked = field(default_factory=_Checked)

    async def calls(self, wanted: Filter) -> Sequence[CallRow]:
        query = select(CALLS).where(*_conditions(wanted)).order_by(CALLS.c.at_ms.desc(), CALLS.c.call_id.desc())
        async with self.database.reading() as connection:
            rows = (await connection.execute(query.limit(wanted.limit))).mappings().all()
        return [_call(row) for row in rows]

    async def call(self, call_id: str) -> CallRow | None:
        async with self.database.reading() as connection:
            row = (await connection.execute(select(CALLS).where(CALLS.c.call_id == call_id))).mappings().one_or_none()
        return _call(row) if row else None

    async def facts_of(self, call_id: str) -> Sequence[KeptFact]:
        query = (
            select(FACTS.c.writer, FACTS.c.line)
            .where(FACTS.c.call_id == call_id)
            .order_by(FACTS.c.at_ms, FACTS.c.writer, FACTS.c.sequence)
        )
        async with self.database.reading() as connection:
            rows = (await connection.execute(query)).all()
        return [_fact(row.writer, bytes(row.line)) for row in rows]

    async def chain(self) -> ChainState:
        """Checks what came in since the last question; whole chains in the first one."""
        checked = self._checked
        while not checked.broken:
            if not await self._check_some(checked):
                break
        return ChainState(checked.records, checked.verified_to, checked.broken)

    async def calls_by_server(self, since: float) -> Mapping[str, int]:
        query = select(CALLS.c.server, func.count()).where(_since(since)).group_by(CALLS.c.server)
        async with self.database.reading() as connection:
            rows = (await connection.execute(query)).all()
        return {row[0]: row[1] for row in rows}

    async def uses(self, since: float) -> Sequence[ToolUse]:
        counted = _counted(since).subquery()
        found = counted.c
        declared = (found.minutes, found.minutes_low, found.minutes_high, found.minutes_method)
        calls = func.count()
        query = (
            select(
                found.server,
                found.tool,
                *declared,
                calls.label("calls"),
                func.count(distinct(func.nullif(found.person, ""))).label("users"),
                *(func.sum(found[name]).label(name) for name in ("counts", "covers", "is_over", "is_alone")),
            )
            .where(found.at_ms >= int(since * 1000))
            .group_by(found.server, found.tool, *declared)
            .order_by(calls.desc(), found.server, found.tool, *declared)
        )
        async with self.database.reading() as connection:
            rows = (await connection.execute(query)).mappings().all()
        return [_tool_use(row) for row in rows]

    async def use_of(self, server: str, since: float) -> ServerUse:
        counted = _counted(since, CALLS.c.server == server).subquery()
        found = counted.c
        sums = {
            "gross": found.counts * found.minutes,
            "low": found.covers * found.minutes_low,
            "high": found.covers * found.minutes_high,
            "autonomous": found.is_alone * found.minutes,
            "counted": found.counts,
            "covered": found.covers,
            "expired": found.is_over,
            "tokens": found.tokens,
        }
        query = select(
            func.count().label("calls"),
            func.count(distinct(func.nullif(found.person, ""))).label("people"),
            func.coalesce(func.max(found.at_ms), 0).label("last_ms"),
            *(func.coalesce(func.sum(each), 0).label(name) for name, each in sums.items()),
        ).where(found.at_ms >= int(since * 1000))
        async with self.database.reading() as connection:
            row = (await connection.execute(query)).mappings().one()
        return ServerUse(row["calls"], row["people"], _saved(row), row["last_ms"] / 1000, int(row["tokens"]))

    async def pace_of(self, server: str, since: float) -> Pace:
        wanted = (_since(since), CALLS.c.server == server, CALLS.c.decision == "permit")
        ok = func.coalesce(func.sum(case((CALLS.c.outcome == "ok", 1), else_=0)), 0)
        counted = select(func.count(), ok, func.count(CALLS.c.duration_ms)).where(*wanted)
        times = select(CALLS.c.duration_ms).where(*wanted, CALLS.c.duration_ms.is_not(None))
        async with self.database.reading() as connection:
            calls, good, ended = (await connection.execute(counted)).one()
            if not ended:
                return Pace(calls, int(good), None)
            at = times.order_by(CALLS.c.duration_ms).limit(1).offset(p95_place(ended))
            return Pace(calls, int(good), float((await connection.execute(at)).scalar_one()))

    async def callers(self, since: float, limit: int) -> Sequence[CallerUse]:
        who = (CALLS.c.principal, CALLS.c.person, CALLS.c.surface, CALLS.c.server, CALLS.c.tool)
        calls = func.count()
        query = (
            select(
                *who,
                calls.label("calls"),
                func.sum(case((CALLS.c.decision == "permit", 1), else_=0)).label("permitted"),
                func.max(CALLS.c.at_ms).label("last_ms"),
                func.max(CALLS.c.call_id).label("call_id"),
            )
            .where(_since(since))
            .group_by(*who)
            .order_by(calls.desc(), *who)
            .limit(limit)
        )
        async with self.database.reading() as connection:
            rows = (await connection.execute(query)).mappings().all()
        return [_use(row) for row in rows]

    async def callers_of(self, server: str, since: float) -> Sequence[CallerCost]:
        who = (CALLS.c.person, CALLS.c.groups)
        query = (
            select(*who, func.count().label("calls"), func.sum(_TOKENS).label("tokens"))
            .where(_since(since), CALLS.c.server == server, CALLS.c.decision == "permit")
            .group_by(*who)
        )
        async with self.database.reading() as connection:
            rows = (await connection.execute(query)).mappings().all()
        return [
            CallerCost(row["person"], frozenset(_groups(row["groups"])), row["calls"], int(row["tokens"]))
            for row in rows
        ]

    async def active_users(self, since: float) -> int:
        query = select(func.count(distinct(CALLS.c.person))).where(
            _since(since), CALLS.c.decision == "permit", CALLS.c.person != ""
        )
        async with self.database.reading() as connection:
            return (await connection.execute(query)).scalar_one()

    async def by_day(self, since: float) -> Sequence[DayOfCalls]:
        day = (CALLS.c.at_ms // _DAY_MS).label("day")
        permitted = func.sum(case((CALLS.c.decision == "permit", 1), else_=0)).label("calls")
        succeeded = func.sum(case((CALLS.c.outcome == "ok", 1), else_=0)).label("succeeded")
        refused = func.sum(case((CALLS.c.decision == "refuse", 1), else_=0)).label("refused")
        query = select(day, permitted, succeeded, refused).where(_since(since)).group_by(day).order_by(day)
        async with self.database.reading() as connection:
            rows = (await connection.execute(query)).mappings().all()
        return [
            DayOfCalls(_day(int(row["day"])), int(row["calls"]), int(row["succeeded"]), int(row["refused"]))
            for row in rows
        ]

    async def _check_some(self, checked: _Checked) -> bool:
        """Check the next lines of one writer; False when every chain is checked to its end."""
        async with self.database.reading() as connection:
            ends = (await connection.execute(select(HEADS).order_by(HEADS.c.writer))).mappings().all()
        for end in ends:
            writer, known = end["writer"], checked.heads.get(end["writer"])
            if known is not None and known.sequence >= end["sequence"]:
                continue
            after = known.sequence if known else 0
            lines = await DatabaseFacts(self.database).lines((writer, after), _CHECKED_AT_ONCE)
            _check(checked, [kept for kept in lines if kept.writer == writer])
            if checked.heads.get(writer) == known and not checked.broken:
                checked.broken = f"{writer}: records after {after} are missing"
            return True
        return False


def _check(checked: _Checked, lines: Sequence[FactLine]) -> None:
    for kept in lines:
        try:
            record = read_line(kept.line)
            head = checked.heads.get(kept.writer) or Head(record.sequence - 1, record.previous)
            checked.heads[kept.writer] = follow(head, record)
        except Invalid as broken:
            checked.broken = f"{kept.writer} record {kept.sequence}: {broken.message}"
            return
        checked.records += 1
        checked.verified_to = max(checked.verified_to, record.time_ms / 1000)


def _since(since: float) -> ColumnElement[bool]:
    return CALLS.c.at_ms >= int(since * 1000)


def _conditions(wanted: Filter) -> list[ColumnElement[bool]]:
    equal = {
        CALLS.c.principal: wanted.principal,
        CALLS.c.server: wanted.server,
        CALLS.c.tool: wanted.tool,
        CALLS.c.decision: wanted.decision,
    }
    found = [_since(wanted.since), *(column == value for column, value in equal.items() if value)]
    if wanted.before is not None:
        at, call_id = wanted.before
        found.append(tuple_(CALLS.c.at_ms, CALLS.c.call_id) < tuple_(round(at * 1000), call_id))
    return found


def _counted(since: float, *wanted: ColumnElement[bool]) -> Any:  # noqa: ANN401 - a select of many columns has no short type
    """Permitted calls with `counts`: 1 for a success that does work and repeats none within a minute; and of those
    `covers` and `is_over`, by how old its estimate was, and `is_alone`, 1 where no person asked.

    Looks a minute further back than asked: the call before the first may be the one that counts. `before` is a column
    of a query inside: SQLite works a window function out anew for each place that names it.
    """
    is_ok = CALLS.c.outcome == "ok"
    before = func.lag(CALLS.c.at_ms).over(
        partition_by=[CALLS.c.principal, CALLS.c.server, CALLS.c.tool, CALLS.c.arguments_digest, is_ok],
        order_by=[CALLS.c.at_ms, CALLS.c.call_id],
    )
    told = ("minutes", "minutes_low", "minutes_high", "minutes_method", "minutes_stated_at", "person", "at_ms")
    found = (
        select(
            CALLS.c.server,
            CALLS.c.tool,
            *(CALLS.c[name] for name in told),
            _TOKENS.label("tokens"),
            (is_ok & _DOES_WORK).label("works"),
            before.label("before"),
        )
        .where(CALLS.c.at_ms >= int(since * 1000) - _REPEAT_MS, CALLS.c.decision == "permit", *wanted)
        .subquery()
        .c
    )
    counts = found.works & or_(found.before.is_(None), found.at_ms - found.before >= _REPEAT_MS)
    is_dated = (found.minutes_stated_at > 0) & (found.minutes_high > 0)
    is_young = found.at_ms < (found.minutes_stated_at + ESTIMATE_S) * 1000
    flags = {
        "counts": counts,
        "covers": counts & is_dated & is_young,
        "is_over": counts & is_dated & ~is_young,
        "is_alone": counts & (found.person == ""),
    }
    return select(
        found.server,
        found.tool,
        *(found[name] for name in told),
        found.tokens,
        *(case((is_so, 1), else_=0).label(name) for name, is_so in flags.items()),
    )


_TOKENS: Final = (CALLS.c.bytes_out * 10 + 35) // 36
"""As `core.cost.tokens_of`."""
_DOES_WORK: Final = and_(
    CALLS.c.tool.not_in(sorted(POLLING | PROTOCOL_READS)),
    func.substr(CALLS.c.tool, func.length(CALLS.c.tool) - len(READ_BACK) + 1) != READ_BACK,
)
"""As `core.usage.does_work`."""


def _saved(row: RowMapping) -> Saved:
    return Saved(
        gross=float(row["gross"]),
        low=float(row["low"]),
        high=float(row["high"]),
        autonomous=float(row["autonomous"]),
        counted=int(row["counted"]),
        covered=int(row["covered"]),
        expired=int(row["expired"]),
    )


def _tool_use(row: RowMapping) -> ToolUse:
    return ToolUse(
        row["server"],
        row["tool"],
        row["minutes"],
        calls=row["calls"],
        succeeded=int(row["counts"]),
        users=row["users"],
        low=row["minutes_low"],
        high=row["minutes_high"],
        method=row["minutes_method"],
        covered=int(row["covers"]),
        expired=int(row["is_over"]),
        autonomous=int(row["is_alone"]),
    )


def _call(row: RowMapping) -> CallRow:
    return CallRow(
        call_id=row["call_id"],
        at=row["at_ms"] / 1000,
        principal=row["principal"],
        server=row["server"],
        tool=row["tool"],
        effect=row["effect"],
        client=row["client"],
        decision=row["decision"],
        outcome=row["outcome"],
        sentence=row["sentence"],
        duration_ms=row["duration_ms"],
        minutes=row["minutes"],
        details=orjson.loads(row["details"]) if row["details"] else {},
        minutes_low=row["minutes_low"],
        minutes_high=row["minutes_high"],
        minutes_method=row["minutes_method"],
        minutes_stated_at=row["minutes_stated_at"],
        bytes_out=row["bytes_out"],
        groups=_groups(row["groups"]),
    )


def _groups(kept: str) -> tuple[str, ...]:
    return tuple(orjson.loads(kept)) if kept else ()


def _use(row: RowMapping) -> CallerUse:
    return CallerUse(
        principal=row["principal"],
        person=row["person"],
        surface=row["surface"],
        server=row["server"],
        tool=row["tool"],
        calls=row["calls"],
        permitted=int(row["permitted"]),
        last_at=row["last_ms"] / 1000,
        call_id=row["call_id"],
    )


def _fact(writer: str, line: bytes) -> KeptFact:
    record = read_line(line)
    return KeptFact(writer, record.sequence, record.time_ms / 1000, record.hash, orjson.loads(record.payload))


def _day(number: int) -> str:
    return datetime.fromtimestamp(number * 86_400, UTC).date().isoformat()
