"""Reads one large log and says what that took: `python -m bench.programs.log_reader HOW FILE`. Prints JSON.

HOW is `file` (from the end), `stream` (in pieces, from the beginning), or `lines`: the floor, each line in turn with a
regular expression, the last two hundred matches kept.
"""

import asyncio
import json
import re
import resource
import sys
import time
from collections import deque
from collections.abc import AsyncGenerator
from pathlib import Path

from pierhead.sdk.log_reading import LogQuestion, read_log
from pierhead.sdk.log_sources import FileSource, StreamSource

_SIGNS = re.compile(rb"ERROR|FATAL|CRITICAL|Traceback|Exception|Error")


async def _pieces(file: Path) -> AsyncGenerator[bytes]:
    with file.open("rb") as opened:
        while piece := opened.read(2**16):
            yield piece


async def _read(how: str, file: Path) -> str:
    source = FileSource(file, file.parent) if how == "file" else StreamSource(_pieces(file))
    return (await read_log(source, LogQuestion())).text()


def _by_lines(file: Path) -> str:
    kept: deque[bytes] = deque(maxlen=200)
    with file.open("rb") as opened:
        for line in opened:
            if _SIGNS.search(line):
                kept.append(line)
    return b"".join(kept).decode()


def _peak_kb() -> int:
    """Of this program alone: `ru_maxrss` begins with what the process was that started it."""
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))


def main(how: str, file: Path) -> None:
    """Read, and tell."""
    started = time.perf_counter()
    text = _by_lines(file) if how == "lines" else asyncio.run(_read(how, file))
    seconds = time.perf_counter() - started
    usage = resource.getrusage(resource.RUSAGE_SELF)
    told = {"seconds": seconds, "cpu": usage.ru_utime + usage.ru_stime, "peak_mb": _peak_kb() / 1024}
    print(json.dumps({**told, "bytes": len(text.encode()), "found": "FileNotFoundError: s3://bucket/" in text}))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
