"""Load that does not wait for answers: so many requests a second, each on its way when it is due.

Latency runs from when a request was to be sent, not from when it was: a program that stalls delays everything that was
due meanwhile, and all of it counts. Argument: a file with `port`, `rate`, `seconds`, `warm_s` and `requests` (texts, as
they go over the wire); prints the latencies in milliseconds, and what was not answered with 200, as JSON.
"""

import asyncio
import json
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

_CONNECTIONS: Final = 256
_ANSWER_S: Final = 10.0
_OK: Final = b"HTTP/1.1 200"

_Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass(slots=True)
class Load:
    """One run. A connection carries one request at a time; another is opened when all are busy."""

    port: int
    latencies: list[float] = field(default_factory=list[float])
    failed: list[str] = field(default_factory=list[str])
    _idle: list[_Connection] = field(default_factory=list[_Connection])
    _opened: int = 0

    async def run(self, rate: float, seconds: float, warm_s: float, requests: list[bytes]) -> None:
        tasks: list[asyncio.Task[None]] = []
        began = time.perf_counter()
        for number in range(int(rate * (warm_s + seconds))):
            due = began + number / rate
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            counts = number / rate >= warm_s
            tasks.append(asyncio.create_task(self._one(requests[number % len(requests)], due, counts=counts)))
        await asyncio.gather(*tasks)
        for _, writer in self._idle:
            writer.close()

    async def _one(self, request: bytes, due: float, *, counts: bool) -> None:
        try:
            async with asyncio.timeout(_ANSWER_S):
                head = await self._ask(request)
        except (OSError, EOFError, asyncio.IncompleteReadError) as broken:
            self.failed.append(repr(broken))
            return
        if not head.startswith(_OK):
            self.failed.append(head[:200].decode(errors="replace"))
        elif counts:
            self.latencies.append((time.perf_counter() - due) * 1000)

    async def _ask(self, request: bytes) -> bytes:
        connection = self._idle.pop() if self._idle else await self._open()
        reader, writer = connection
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(_length(head))
        self._idle.append(connection)
        return head

    async def _open(self) -> _Connection:
        self._opened += 1
        if self._opened > _CONNECTIONS:
            raise EOFError("more requests are under way than there are connections")
        return await asyncio.open_connection("127.0.0.1", self.port)


def _length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line.partition(b":")[2])
    raise EOFError("an answer without its length")


def main(asked: dict[str, Any]) -> None:
    load = Load(asked["port"])
    requests = [text.encode() for text in asked["requests"]]
    asyncio.run(load.run(asked["rate"], asked["seconds"], asked["warm_s"], requests))
    print(json.dumps({"latencies": load.latencies, "failed": load.failed}))


if __name__ == "__main__":
    main(json.loads(Path(sys.argv[1]).read_text()))
