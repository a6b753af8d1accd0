"""Logs of every shape, in blocks of every size: within the bounds, without secrets, and each page further back."""

import gzip
import random
from collections.abc import AsyncGenerator

import pytest

from pierhead.sdk import log_scan, log_walk
from pierhead.sdk.log_reading import LogQuestion, read_log
from pierhead.sdk.log_sources import BytesSource, LogSource, StreamSource
from pierhead.sdk.tracebacks import find_exceptions

PIECES = (
    "2026-11-20 02:00:01 INFO fine {0}\n", "2026-11-20 02:00:01 ERROR bad {0}\n",
    "Traceback (most recent call last):\n",
    '  File "a.py", line {0}, in f\n', "    x = 1\n", "ValueError: no {0}\n", "\tat a.b.C.d(C.java:{0})\n",
    "java.lang.RuntimeException: x\n", "Caused by: java.io.IOException: y {0}\n", "\n", "plain error text\n",
    "password=hunter{0}\n", '{{"level":"error","event":"boom {0}"}}\n', "x\r", "\x1b[31mERROR\x1b[0m z\n", "no newline",
    '[2026-11-20, 02:00:01 UTC] {{a.py:1}} INFO -   File "q.py", line 3, in g\n', "-----BEGIN PRIVATE KEY-----\n",
    "\nDuring handling of the above exception, another exception occurred:\n", "é" * 50 + "\n",
)  # fmt: skip


def some_log(chance: random.Random) -> bytes:
    return "".join(
        piece.format(chance.randrange(5)) for piece in chance.choices(PIECES, k=chance.randrange(60))
    ).encode()


def sources(log: bytes) -> list[LogSource]:
    async def pieces() -> AsyncGenerator[bytes]:
        for begin in range(0, len(log), 7):
            yield log[begin : begin + 7]

    return [BytesSource(log), StreamSource(pieces()), BytesSource(gzip.compress(log))]


@pytest.mark.anyio
@pytest.mark.parametrize("seed", range(150))
async def test_every_log_is_told_within_its_bounds(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    chance = random.Random(seed)  # noqa: S311 - no secret is made of it
    margin = chance.choice([200, 4_000])
    monkeypatch.setattr(log_walk, "_BLOCK", chance.choice([16, 64, 300, 5_000]))
    monkeypatch.setattr(log_walk, "MARGIN", margin)
    monkeypatch.setattr(log_scan, "MARGIN", margin)
    log = some_log(chance)
    asked = LogQuestion(
        level=chance.choice(["error", "warning", "info", "debug", "all"]),
        contains=chance.choice(["", "", "bad", "no 3", "é"]),
        context=chance.randrange(4),
        tail=chance.choice([1, 3, 10, 200]),
        max_bytes=chance.choice([500, 16_000]),
    )
    for source in sources(log):
        told = await read_log(source, asked, most_scanned=chance.choice([10, 10**9]))
        assert len(told.lines) <= asked.tail
        assert len(told.text().encode()) <= asked.max_bytes
        assert "hunter" not in told.text()
        assert all(found.quote in told.text() for found in find_exceptions(told.text()))
    await pages_end(log, asked)


async def pages_end(log: bytes, asked: LogQuestion) -> None:
    cursors: list[str] = [""]
    while len(cursors) < 300:
        question = LogQuestion(asked.level, asked.contains, asked.context, asked.tail, asked.max_bytes, cursors[-1])
        told = await read_log(BytesSource(log), question)
        if not told.next_cursor:
            return
        assert told.next_cursor not in cursors
        cursors.append(told.next_cursor)
    raise AssertionError("pages without end")
