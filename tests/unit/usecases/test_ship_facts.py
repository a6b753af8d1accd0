"""From a journal to the registry: in order, once, and never past a chain that does not fit."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest

from pierhead.core.chain import START, Head, Record, next_line, read_line
from pierhead.core.errors import Conflict, Invalid, UpstreamUnreachable
from pierhead.usecases.ship_facts import Shipping, ship_facts, ship_once, take_facts

pytestmark = pytest.mark.anyio


def lines(count: int, start: Head = START) -> list[bytes]:
    written, head = list[bytes](), start
    for number in range(count):
        head, line = next_line(head, 1000 + number, b'{"kind":"call-lost","call_id":"%d"}' % number)
        written.append(line)
    return written


@dataclass(slots=True)
class Journal:
    """A spool in memory; `released` is how far it was told it may forget."""

    written: list[bytes]
    released: int = 0

    @property
    def durable(self) -> int:
        return len(self.written)

    async def after(self, sequence: int, limit: int) -> Sequence[bytes]:
        return self.written[sequence : sequence + limit]

    async def release(self, sequence: int) -> None:
        self.released = sequence


@dataclass(slots=True)
class Store:
    """The registry's facts in memory; `rivals` are shippings of the same writer that come in between."""

    heads: dict[str, Head] = field(default_factory=dict[str, Head])
    kept: list[Record] = field(default_factory=list[Record])
    rivals: int = 0
    while_kept: Callable[[], None] = lambda: None

    async def head(self, writer: str) -> Head | None:
        return self.heads.get(writer)

    async def keep(self, writer: str, after: Head | None, records: Sequence[Record]) -> None:
        self.while_kept()
        if self.rivals:
            self.rivals -= 1
            raise Conflict("the chain moved")
        assert self.heads.get(writer) == after
        self.kept.extend(records)
        self.heads[writer] = Head(records[-1].sequence, records[-1].hash)


@dataclass(slots=True)
class Registry:
    """A sink that keeps what it takes; `away` answers fail first."""

    store: Store = field(default_factory=Store)
    away: int = 0
    batches: list[int] = field(default_factory=list[int])

    async def take(self, writer: str, lines: Sequence[bytes]) -> int:
        if self.away:
            self.away -= 1
            raise UpstreamUnreachable("the registry does not answer")
        self.batches.append(len(lines))
        return await take_facts(writer, lines, self.store)


async def test_all_that_is_on_disk_is_shipped_in_batches_then_released() -> None:
    journal, registry, progress = Journal(lines(1203)), Registry(), Shipping()
    await ship_once("gateway", journal, registry, progress)
    assert registry.batches == [0, 500, 500, 203]
    assert (progress.acknowledged, journal.released, len(registry.store.kept)) == (1203, 1203, 1203)


async def test_an_empty_journal_asks_nobody() -> None:
    registry = Registry()
    await ship_once("gateway", Journal([]), registry, Shipping())
    assert registry.batches == []


async def test_where_the_registry_stands_is_asked_once_and_nothing_new_is_not_sent() -> None:
    journal, registry, progress = Journal(lines(3)), Registry(), Shipping()
    await ship_once("gateway", journal, registry, progress)
    await ship_once("gateway", journal, registry, progress)
    assert registry.batches == [0, 3]


async def test_a_restarted_writer_goes_on_where_the_registry_stands() -> None:
    journal, registry = Journal(lines(3)), Registry()
    await ship_once("gateway", journal, registry, Shipping())
    journal.written = lines(5)
    await ship_once("gateway", journal, registry, Shipping())
    assert registry.batches == [0, 3, 0, 2]
    assert [record.sequence for record in registry.store.kept] == [1, 2, 3, 4, 5]


async def test_a_registry_that_is_away_is_asked_ever_less_often_and_loses_nothing() -> None:
    journal, registry, progress = Journal(lines(2)), Registry(away=6), Shipping()
    pauses, problems = list[float](), list[str]()
    has_shipped = asyncio.Event()

    async def pause(seconds: float) -> None:
        pauses.append(seconds)
        problems.append(progress.problem)
        if not progress.problem:
            has_shipped.set()
            await asyncio.Event().wait()

    shipping = asyncio.create_task(ship_facts("gateway", journal, registry, pause, progress))
    await asyncio.wait_for(has_shipped.wait(), 5)
    shipping.cancel()
    with pytest.raises(asyncio.CancelledError):
        await shipping
    assert pauses == [0.4, 0.8, 1.6, 3.2, 5.0, 5.0, 0.2]
    assert problems == ["the registry does not answer"] * 6 + [""]
    assert journal.released == 2


async def test_facts_that_come_twice_are_kept_once() -> None:
    store = Store()
    assert await take_facts("gateway", lines(3), store) == 3
    assert await take_facts("gateway", lines(4), store) == 4
    assert await take_facts("gateway", [], store) == 4
    assert len(store.kept) == 4


async def test_a_writer_never_seen_begins_where_its_journal_does() -> None:
    store, later = Store(), lines(5)[2:]
    assert await take_facts("gateway", [], store) == 0
    assert await take_facts("gateway", later, store) == 5
    assert [record.sequence for record in store.kept] == [3, 4, 5]


async def test_one_bad_record_keeps_its_whole_batch_out() -> None:
    good = lines(4)
    gap, changed = [good[0], good[2]], [good[0], good[1].replace(b'"call_id":"1"', b'"call_id":"9"')]
    for sent, code in ((gap, "chain-gap"), (changed, "chain-broken"), ([b"{}"], "record-unreadable")):
        store = Store()
        with pytest.raises(Invalid) as refused:
            await take_facts("gateway", sent, store)
        assert (refused.value.code, store.kept) == (code, [])


async def test_a_chain_that_forked_is_refused() -> None:
    store = Store()
    await take_facts("gateway", lines(2), store)
    _, other = next_line(Head(1, read_line(lines(1)[0]).hash), 9999, b'{"kind":"call-lost","call_id":"x"}')
    with pytest.raises(Invalid, match="record 2 is another one than the registry keeps"):
        await take_facts("gateway", [other], store)
    assert len(store.kept) == 2


async def test_what_another_try_kept_meanwhile_is_not_kept_again() -> None:
    """The rival keeps the first two of three records just before we keep all three."""
    store = Store(rivals=1)
    first = [read_line(line) for line in lines(2)]

    def rival() -> None:
        if not store.kept:
            store.kept.extend(first)
            store.heads["gateway"] = Head(2, first[-1].hash)

    store.while_kept = rival
    assert await take_facts("gateway", lines(3), store) == 3
    assert [record.sequence for record in store.kept] == [1, 2, 3]


async def test_a_chain_that_keeps_moving_is_given_back_to_be_shipped_again() -> None:
    with pytest.raises(Conflict, match="the chain of gateway keeps moving"):
        await take_facts("gateway", lines(1), Store(rivals=3))
    assert await take_facts("gateway", lines(1), Store(rivals=2)) == 1
