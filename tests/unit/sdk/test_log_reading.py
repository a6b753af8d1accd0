"""A few lines out of large logs: the right traceback, within its bounds, from whatever a log comes in."""

import gzip
import tracemalloc
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from pierhead.core.errors import Invalid, NotFound, ToolFailed
from pierhead.sdk.log_reading import LogQuestion, LogSlice, read_log
from pierhead.sdk.log_sources import BytesSource, FileSource, StreamSource

pytestmark = pytest.mark.anyio

INFO = "[2026-11-20T02:00:{0:02d}.000+0000] {{taskinstance.py:{1}}} INFO - Finished task {1} in stage 3 on host-{0}\n"
TRACE = """[2026-11-20T02:00:01.123+0000] {taskinstance.py:2905} ERROR - Task failed with exception
Traceback (most recent call last):
  File "/opt/airflow/dags/load.py", line 42, in load
    read(path)
  File "/opt/airflow/dags/load.py", line 17, in read
    raise FileNotFoundError(path)
FileNotFoundError: s3://bucket/dt=2026-11-20
"""
JAVA = """26/11/20 02:00:09 ERROR Executor: Exception in task 0.0 in stage 1.0 (TID 1)
java.lang.RuntimeException: wrapped
\tat com.example.Job.run(Job.java:10)
\tat java.base/java.lang.Thread.run(Thread.java:829)
Caused by: java.lang.OutOfMemoryError: Java heap space
\tat com.example.Job.fill(Job.java:99)
\t... 2 more
"""


def noise(lines: int) -> str:
    return "".join(INFO.format(number % 60, number) for number in range(lines))


async def read(text: str | bytes, **asked: object) -> LogSlice:
    content = text if isinstance(text, bytes) else text.encode()
    return await read_log(BytesSource(content), LogQuestion(**asked))  # type: ignore[arg-type]


async def test_a_traceback_is_told_whole_with_its_place_time_and_context() -> None:
    told = await read(noise(100) + TRACE + noise(50))
    matches = [line for line in told.lines if line.is_match]
    assert "\n".join(line.text for line in matches) + "\n" == TRACE
    assert (matches[0].number, matches[0].level, matches[0].at) == (101, "error", "2026-11-20T02:00:01.123+0000")
    assert [line.number for line in told.lines if not line.is_match] == [98, 99, 100, 108, 109, 110]
    assert (told.matched, told.truncated, told.next_cursor) == (1, None, None)


async def test_a_cause_behind_many_consequences_is_still_told() -> None:
    """What comes after the failure and says the same again and again is counted, not repeated."""
    after = "".join(f"2026-11-20 02:01:00 ERROR Heartbeat: cannot reach driver, try {n}\n" for n in range(5_000))
    told = await read(JAVA + noise(200) + after)
    assert "java.lang.OutOfMemoryError: Java heap space" in told.text()
    assert told.matched == 5_001
    assert [line.repeats for line in told.lines if line.repeats] == [4_999]
    assert len(told.text()) < 2_000


async def test_a_trace_that_a_relay_called_information_is_told() -> None:
    relayed = "".join(f"[2026-11-20, 02:00:01 UTC] {{subprocess.py:93}} INFO - {line}\n" for line in JAVA.splitlines())
    told = await read(noise(20) + relayed + noise(20))
    assert "Caused by: java.lang.OutOfMemoryError" in told.text()
    assert [line.number for line in told.lines if line.is_match] == list(range(22, 28))


async def test_a_record_across_two_blocks_is_found_once(tmp_path: Path) -> None:
    """Blocks are 8 MiB: the trace lies over the border of the last two."""
    file = tmp_path / "task.log"
    after = noise(60_000).encode()
    filler = b"x" * (8 * 2**20 - len(TRACE) // 2 - len(after) - 1) + b"\n"
    file.write_bytes(noise(60_000).encode() + TRACE.encode() + after + filler)
    told = await read_log(FileSource(file, tmp_path), LogQuestion(context=0))
    assert told.matched == 1
    assert told.text() + "\n" == TRACE


async def test_a_large_log_is_read_in_little_memory(tmp_path: Path) -> None:
    file = tmp_path / "driver.log"
    part = noise(80_000).encode()
    with file.open("wb") as opened:
        opened.write(TRACE.encode())
        for _ in range(12):
            opened.write(part)
    tracemalloc.start()
    told = await read_log(FileSource(file, tmp_path), LogQuestion())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert "FileNotFoundError" in told.text()
    assert told.bytes_read == file.stat().st_size > 90 * 2**20
    assert peak < 64 * 2**20
    assert len(told.text().encode()) <= 16_000


async def test_what_matches_before_the_bound_of_bytes_ends_the_search(tmp_path: Path) -> None:
    file = tmp_path / "driver.log"
    file.write_bytes(noise(200_000).encode() + TRACE.encode())
    told = await read_log(FileSource(file, tmp_path), LogQuestion(), most_scanned=2**20)
    assert told.bytes_read == 8 * 2**20
    assert told.truncated == "bytes"
    assert [line.number for line in told.lines if line.is_match] == list(range(-7, 0))
    cursor = told.next_cursor or ""
    further = await read_log(FileSource(file, tmp_path), LogQuestion(level="all", tail=2, cursor=cursor))
    assert further.lines[-1].number == int(cursor.partition(".")[2]) - 1


async def test_a_packed_log_and_a_stream_are_read_from_their_beginning() -> None:
    packed = gzip.compress((noise(100) + TRACE).encode()) + gzip.compress(b"02:00:09 the end\n")
    told = await read(packed)
    assert [line.number for line in told.lines if line.is_match] == list(range(101, 108))

    async def pieces() -> AsyncGenerator[bytes]:
        whole = (noise(100) + TRACE + noise(10)).encode()
        for begin in range(0, len(whole), 777):
            yield whole[begin : begin + 777]

    told = await read_log(StreamSource(pieces()), LogQuestion(context=0))
    assert told.text() + "\n" == TRACE
    assert [line.number for line in told.lines] == list(range(101, 108))
    tail = await read_log(StreamSource(pieces()), LogQuestion(level="all", tail=2))
    assert [line.number for line in tail.lines] == [116, 117]


async def test_a_damaged_packed_log_says_so() -> None:
    with pytest.raises(ToolFailed) as failed:
        await read(b"\x1f\x8b\x08\x00garbage and more of it")
    assert failed.value.code == "log-unreadable"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be", "latin-1", "utf-8-sig"])
async def test_encodings(encoding: str) -> None:
    text = "2026-11-20 02:00:01 ERROR Größe stimmt nicht\n" + noise(3)
    content = text.encode(encoding)
    told = await read(b"\xfe\xff" + content if encoding == "utf-16-be" else content)
    assert "ERROR Größe stimmt nicht" in told.text()


async def test_a_line_reads_as_a_terminal_would_show_it() -> None:
    told = await read(b"\x1b[31m2026-11-20 02:00:01 ERROR\x1b[0m b\0ad\r\n 10%\r 50%\r100% error done\r\n")
    assert [line.text for line in told.lines] == ["2026-11-20 02:00:01 ERROR bad", "100% error done"]


async def test_a_relayed_traceback_of_python_is_told_whole() -> None:
    lines = TRACE.splitlines()[1:]
    relayed = "".join(f"2026-11-20T02:00:01.123Z INFO {line}\n" for line in lines)
    told = await read(noise(20) + relayed + noise(20), context=0)
    assert told.text() == relayed.rstrip()


async def test_records_of_json_become_lines() -> None:
    record = (
        '{"timestamp":"2026-11-20T02:00:01Z","level":"error","event":"Task failed","logger":"task","error_detail":'
        '[{"exc_type":"KeyError","exc_value":"\'x\'","frames":[{"filename":"a.py","lineno":3,"name":"f"}]}]}\n'
    )
    told = await read('{"level":"info","event":"an error is none"}\n' + record + '{"level":"info","event":"bye"}\n')
    matches = [line for line in told.lines if line.is_match]
    assert [line.text for line in matches] == [
        "2026-11-20T02:00:01Z ERROR task: Task failed",
        "Traceback (most recent call last):",
        '  File "a.py", line 3, in f',
        "KeyError: 'x'",
    ]
    assert {line.number for line in matches} == {2}


async def test_a_text_is_looked_for_in_records_of_a_level() -> None:
    text = noise(5) + TRACE + "2026-11-20 02:00:02 ERROR other\n2026-11-20 02:00:03 INFO dt=2026-11-20 is fine\n"
    told = await read(text, contains="dt=2026-11-20", context=0)
    assert told.text() + "\n" == TRACE
    told = await read(text, contains="dt=2026-11-20", context=0, level="all")
    assert told.matched == 2


async def test_nothing_is_found_by_a_secret() -> None:
    line = "2026-11-20 02:00:01 ERROR login with password=hunter2 failed\n"
    assert (await read(line, contains="hunter2", level="all")).lines == []
    assert "hunter2" not in (await read(line, level="all")).text()
    assert (await read(line, contains="login with")).lines[0].text.endswith("password=[redacted:password] failed")


async def test_many_matches_are_told_a_page_at_a_time() -> None:
    words = ["alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa"]
    text = "".join(f"2026-11-20 02:00:01 ERROR {word} went wrong\n" for word in words)
    seen: list[str] = []
    cursor = ""
    for _ in range(10):
        told = await read(text, tail=3, context=0, cursor=cursor)
        seen = [line.text.split()[3] for line in told.lines] + seen
        cursor = told.next_cursor or ""
        if not cursor:
            break
        assert told.truncated == "lines"
    assert seen == words


async def test_the_end_of_a_log_by_level_lines_and_bytes() -> None:
    text = "2026-11-20 02:00:01 DEBUG a\n  b\n2026-11-20 02:00:02 INFO c\n  d\n2026-11-20 02:00:03 DEBUG e"
    told = await read(text, level="info", tail=10)
    assert [(line.number, line.text) for line in told.lines] == [(3, "2026-11-20 02:00:02 INFO c"), (4, "  d")]
    told = await read(text, level="all", tail=1)
    assert [(line.number, line.text) for line in told.lines] == [(5, "2026-11-20 02:00:03 DEBUG e")]
    assert told.truncated == "lines"
    further = await read(text, level="all", tail=2, cursor=told.next_cursor)
    assert [line.text for line in further.lines] == ["2026-11-20 02:00:02 INFO c", "  d"]
    large = await read(noise(500), level="all", tail=2_000, max_bytes=1_000)
    assert len(large.text()) <= 1_000
    assert large.truncated == "bytes"


async def test_a_huge_trace_is_cut_around_its_causes() -> None:
    frames = "".join(f"\tat com.example.deep.Stack$Inner.frame{n}(Stack.java:{n})\n" for n in range(500))
    text = f"2026-11-20 02:00:01 ERROR Job: failed\njava.lang.IllegalStateException: outer\n{frames}"
    text += f"Caused by: java.io.IOException: disk is full\n{frames}"
    told = await read(noise(50) + text, max_bytes=4_000)
    assert "java.lang.IllegalStateException: outer" in told.text()
    assert "Caused by: java.io.IOException: disk is full" in told.text()
    assert "[… " in told.text()
    assert len(told.text().encode()) <= 4_000


async def test_one_line_without_an_end_is_cut_to_what_was_looked_for() -> None:
    line = b"2026-11-20 02:00:01 ERROR " + b"x" * 3_000_000 + b" needle " + b"y" * 3_000_000
    told = await read(line, contains="needle", level="all")
    assert "needle" in told.text()
    assert len(told.text()) < 3_000


async def test_an_empty_log_and_one_that_is_not_there(tmp_path: Path) -> None:
    assert (await read("")).lines == []
    assert (await read("", level="all")).lines == []
    for path in (tmp_path / "absent.log", tmp_path / "../etc/passwd", tmp_path):
        with pytest.raises(NotFound) as absent:
            await read_log(FileSource(path, tmp_path), LogQuestion())
        assert absent.value.code == "no-such-log"
    (tmp_path / "link.log").symlink_to("/etc/hostname")
    with pytest.raises(NotFound):
        await read_log(FileSource(tmp_path / "link.log", tmp_path), LogQuestion())


@pytest.mark.parametrize("cursor", ["x", "1", "-1.2", "1.x", "1" * 50 + ".1"])
async def test_a_cursor_of_somebody_elses_making_is_refused(cursor: str) -> None:
    with pytest.raises(Invalid) as refused:
        await read("x", cursor=cursor)
    assert refused.value.code == "bad-cursor"


async def test_the_end_of_a_stream_backwards() -> None:
    async def pieces() -> AsyncGenerator[bytes]:
        for number in range(10):
            yield b"%d" % number * 10

    told = [block async for block in StreamSource(pieces()).blocks_from_end(7)]
    assert b"".join(reversed(told)) == b"".join(b"%d" % number * 10 for number in range(10))


async def test_pages_of_one_line_come_to_an_end() -> None:
    text = (TRACE + noise(2)) * 2 + JAVA
    cursor, pages = "", 0
    while pages < 20:
        told = await read(text, tail=1, context=0, cursor=cursor)
        assert len(told.lines) <= 1
        pages += 1
        if not told.next_cursor:
            break
        assert told.next_cursor != cursor
        cursor = told.next_cursor
    assert pages < 20


async def test_a_secret_is_not_told_whose_name_was_too_far_away() -> None:
    """A line is read 64 KiB around what it was found by: the name of a secret may be cut off from it."""
    for far in range(64 * 1024 - 12, 64 * 1024 + 2):
        line = b"password=hunter2 " + b"x" * (far - 17) + b" needle"
        for told in (
            await read(b"first\n" + line, contains="needle", level="all"),
            await read(line, contains="needle"),
        ):
            assert "hunter2" not in told.text()
            assert "unter2" not in told.text()
