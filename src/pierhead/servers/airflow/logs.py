"""A task's log as Airflow tells it, as lines of text: the end of it, bounded, with moment and level before each line.

Airflow 3 streams a JSON object a line, Airflow 2 text. Only what is looked at is decoded. Above: `reading` and
`failures`. Below: `api` (the stream), `sdk/log_reading` (choosing lines).
"""

import re
from collections import deque
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, cast

import orjson

#: What Airflow itself says around a task's words, and no line of which tells why a task failed.
_AROUND: Final = frozenset(
    {
        "airflow.dag_processing.bundles.manager.DagBundlesManager",
        "airflow.dag_processing.dagbag.BundleDagBag",
        "airflow.dag_processing.dagbag.DagBag",
        "py.warnings",
        # Of Airflow 2, by their files.
        "local_task_job_runner.py",
        "standard_task_runner.py",
        "task_command.py",
        "dagbag.py",
    }
)
#: Of Airflow 2: what it says before and behind a task, and, where it is an error, what the task raised.
_RUNNER: Final = "taskinstance.py"
_ECHOES: Final = ("Running command: ", "Tmp dir root location: ", "Spark-Submit cmd: ", "::group::", "::endgroup::")
_ENDED_BY: Final = "Task exited with return code -"
_HEAD: Final = re.compile(
    r"\[(\d{4}-\d\d-\d\d[T ][\d:.,]+(?:[+-]\d{4}|Z)?)\] \{([\w.-]{1,80}):\d+\} ([A-Z]{4,8}) - (.*)", re.DOTALL
)
_LONGEST_LINE: Final = 64 * 1024
_LONGEST_ENTRY: Final = 256 * 1024


@dataclass(frozen=True, slots=True)
class Line:
    """One entry of the log. `text` may have several lines: a traceback belongs to its entry."""

    at: str
    level: str
    logger: str
    text: str

    @property
    def is_of_the_task(self) -> bool:
        """Whether the task, or what it started, may have said it: no echo of a command, no news of Airflow's own."""
        if self.text.startswith(_ENDED_BY):
            return True
        is_around = self.logger in _AROUND or (self.logger == _RUNNER and self.level not in {"error", "critical"})
        return not is_around and self.text != "Output:" and not self.text.startswith(_ECHOES)

    def written(self) -> str:
        """As it is shown: moment and level, so that neither is lost."""
        head = " ".join(word for word in (self.at, self.level.upper()) if word)
        return f"{head} {self.text}" if head else self.text


@dataclass(slots=True)
class Tail:
    """The last bytes of a log, from the beginning of a line on, of so many in all. Fills `LogSource`."""

    kept: bytes
    total: int

    @property
    def is_cut(self) -> bool:
        return len(self.kept) < self.total

    @property
    def is_json(self) -> bool:
        return self.kept.lstrip()[:1] == b"{"

    def lines(self) -> Iterator[Line]:
        """Every entry, the oldest first."""
        if not self.is_json:
            return _entries_of_text(self.kept)
        return (_entry(raw) for raw in self.kept.split(b"\n") if raw.strip())

    async def size(self) -> int | None:
        return self.total

    async def blocks_from_end(self, block: int) -> AsyncIterator[bytes]:
        """The log as text, a block at a time from its end on: entries are decoded when they are asked for."""
        if not self.is_json:
            for end in range(len(self.kept), 0, -block):
                yield self.kept[max(0, end - block) : end]
            return
        end = len(self.kept)
        while end > 0:
            start = self.kept.rfind(b"\n", 0, max(0, end - block)) + 1
            texts = [_entry(raw).written() for raw in self.kept[start:end].split(b"\n") if raw.strip()]
            if texts:
                yield ("\n".join(texts) + "\n").encode("utf-8", "surrogatepass")
            end = start


async def tail_of(stream: AsyncIterator[bytes], most: int) -> Tail:
    """The last `most` bytes of a stream, which is read to its end and never kept whole."""
    kept: deque[bytes] = deque()
    held = total = 0
    async for chunk in stream:
        kept.append(chunk)
        held += len(chunk)
        total += len(chunk)
        while kept and held - len(kept[0]) >= most:
            held -= len(kept.popleft())
    whole = b"".join(kept)
    if len(whole) > most:
        whole = whole[-most:]
    if len(whole) < total:
        whole = whole[whole.find(b"\n") + 1 :]
    return Tail(whole, total)


def _plain(raw: bytes) -> Line:
    return Line("", "", "", raw[:_LONGEST_LINE].decode("utf-8", "replace").rstrip("\r"))


def _entries_of_text(kept: bytes) -> Iterator[Line]:
    """Entries as Airflow 2 writes them: what has no head of its own belongs to the one before it."""
    head: Line | None = None
    texts: list[str] = []
    for raw in kept.split(b"\n"):
        plain = _plain(raw)
        found = _HEAD.match(plain.text)
        if found is None:
            if head is None and plain.text.strip() and not plain.text.startswith((" INFO - ::", "*** ")):
                yield plain
            texts.append(plain.text)
            continue
        if head is not None:
            yield _whole(head, texts)
        head, texts = Line(found[1], found[3].lower(), found[2], found[4]), []
    if head is not None:
        yield _whole(head, texts)


def _whole(head: Line, texts: list[str]) -> Line:
    text = "\n".join([head.text, *texts])
    return replace(head, text=text[:_LONGEST_ENTRY].rstrip())


def _entry(raw: bytes) -> Line:
    """An entry of Airflow 3; what is no JSON is text."""
    try:
        said = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return _plain(raw)
    if not isinstance(said, dict):
        return _plain(raw)
    entry = cast("Mapping[str, Any]", said)
    text = str(entry.get("event", ""))[:_LONGEST_LINE]
    if isinstance(code := entry.get("exit_code"), int | str) and code != "":
        text += f": exit code {code}" if isinstance(code, int) else f": {code}"[:_LONGEST_LINE]
    details = entry.get("error_detail")
    if isinstance(details, list):
        text += f"\n{_traceback(cast('list[Any]', details))}"
    return Line(str(entry.get("timestamp") or ""), str(entry.get("level") or ""), str(entry.get("logger") or ""), text)


def _traceback(details: list[Any]) -> str:
    """As Python prints one: the cause first."""
    told: list[str] = []
    for each in reversed([cast("Mapping[str, Any]", one) for one in details if isinstance(one, dict)]):
        told += [*_frames(each), f"{each.get('exc_type', 'Exception')}: {each.get('exc_value', '')}".rstrip(": ")]
        told += [str(note) for note in _listed(each.get("exc_notes"))]
        if each is not details[0]:
            link = "The above exception was the direct cause of the following exception:"
            during = "During handling of the above exception, another exception occurred:"
            told += ["", link if each.get("is_cause") else during, ""]
    return "\n".join(told)


def _frames(said: Mapping[str, Any]) -> list[str]:
    frames = [cast("Mapping[str, Any]", one) for one in _listed(said.get("frames")) if isinstance(one, dict)]
    told = [
        f'  File "{one.get("filename", "")}", line {one.get("lineno", 0)}, in {one.get("name", "")}' for one in frames
    ]
    return ["Traceback (most recent call last):", *told] if told else []


def _listed(value: object) -> list[Any]:
    return cast("list[Any]", value) if isinstance(value, list) else []
