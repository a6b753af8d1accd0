"""Facts in the text of a log: entries, judged each by the table, with the line that shows what they say.

An entry is a line with a time and a level, and what follows it without one; a traceback is one of its own. What merely
informs speaks only of executors, shuffles and kills. Logs of Spark (plain or structured), of Airflow around Spark's,
and of Python. Not here: reading files, and judging all facts together (`failure_rules`).
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final, cast

import orjson

from pierhead.sdk.failure_rules import Fact, rule_for

_LEVEL: Final = r"(TRACE|DEBUG|INFO|NOTICE|WARN(?:ING)?|ERROR|FATAL|CRITICAL|SEVERE)"
_SPARK: Final = re.compile(rf"(\d\d/\d\d/\d\d \d\d:\d\d:\d\d)(?:[.,]\d+)? {_LEVEL} ")
_ISO: Final = re.compile(
    rf"\[?(\d{{4}}-\d\d-\d\d[T ]\d\d:\d\d:\d\d)(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?\]?,?"
    rf"(?: +(?:\{{[^}}]{{1,80}}\}}|\[[^\]]{{1,80}}\]))* +{_LEVEL}\b(?: +- |:? )?",
    re.IGNORECASE,
)
#: How a line begins that no logger wrote, but a program at its end, a shell or a virtual machine.
_OWN: Final = re.compile(
    r"Traceback \(most recent call last\)|Exception in thread |Error: |error: |Error in query|ERROR: "
    r"|(?:[a-z_]\w*\.)+[A-Z][\w$]*(?:Exception|Error|\$\w+)(?:\([\w.$]+\))?:|\[[A-Z][A-Z0-9]*_[A-Z0-9_.]+\] "
    r"|[\w/.-]*spark-submit: error|[\w/.-]*python[\d.]*: can't open file|\S*env: |\S*sh: |/\S+: .*(?:: not found"
    r"|required by)|(?:\S+: line \d+: +\d+ +)?(?:Killed|Terminated|Aborted|Segmentation fault)(?:$| {2})"
    r"|(?:Terminating|Aborting) due to java\.|(?:# )?There is insufficient memory|# A fatal error has been detected"
)
_BAD: Final = frozenset({"ERROR", "FATAL", "CRITICAL", "SEVERE"})
_TOLD: Final = ("executor.", "shuffle.", "killed.", "yarn.", "driver.result-size", "container.")
#: Words of warnings that tell something.
_WORRIED: Final = (
    *("TaskSetManager", "Scheduler", "Executor", "executor", "BlockManager", "TransportChannel", "YARN"),
    *("kill", "Kill", "memory", "Memory", "preempt", "Preempt", "heartbeat", "Heartbeat", "fetch", "Fetch"),
    *("shuffle", "Shuffle", "accepted any resources"),
)
#: What merely informs is looked at closely where it has one of these, in either case: a long log is little else. A
#: search for each word is ten times as fast as one expression for all.
_NOTABLE: Final = (
    *("lost", "kill", "memory", "oom", "fetch", "shuffle", "exit", "signal", "preempt", "decommission", "fail"),
    *("disassociat", "cancel", "shut down", "heartbeat", "maxresultsize", "removed our", "interrupt", "terminat"),
)
_STOPPING: Final = re.compile(r"SparkContext: (?:SparkContext is stopping|Invoking stop\(\) from shutdown hook)")
_LONGEST_ENTRY: Final = 16_000
_MOST_FACTS: Final = 400
#: What a log repeats with other numbers is judged once.
_NUMBERS: Final = re.compile(r"\d+")
#: Characters of a log that are judged, about a second's work: what it ends with, and this much of what it begins with.
_MOST_JUDGED: Final = 240_000
_MOST_FROM_START: Final = 80_000


@dataclass(slots=True)
class Entry:
    """One entry: when (Unix seconds, 0 unknown), how bad, and its text; `is_own` where no logger wrote it."""

    at: float
    level: str
    text: str
    is_own: bool = False
    _more: list[str] = field(default_factory=list[str])
    _size: int = 0

    def add(self, line: str) -> None:
        if self._size < _LONGEST_ENTRY:
            self._more.append(line)
            self._size += len(line)

    def whole(self) -> str:
        return "\n".join([self.text, *self._more])


def entries_of(lines: Iterable[str]) -> Iterator[Entry]:
    """Lines put together to entries, in their order."""
    entry: Entry | None = None
    for line in lines:
        begun = _begun(line, entry.at if entry else 0.0)
        if isinstance(begun, Entry):
            if entry is not None:
                yield entry
            entry = begun
        elif entry is not None:
            entry.add(begun)
        else:
            entry = Entry(0.0, "", begun)
    if entry is not None:
        yield entry


def facts_in_text(lines: Iterable[str], kind: str, source: str) -> list[Fact]:
    """What a log shows, each rule once for the first entry it fits; the last words of a driver are marked as final.

    `kind` is `driver` or `executor`: whose log it is.
    """
    found: dict[str, Fact] = {}
    ending: list[Fact] = []
    is_stopping = False
    for entry, fact in _judged(lines, kind, source):
        is_stopping = _is_stopping(entry, before=is_stopping)
        if is_stopping and not entry.is_own and fact is not None and fact.value != "killed":
            continue
        if not entry.is_own and (_is_complaint(entry, fact) or "Starting task" in entry.text):
            ending = []  # whatever was raised until here was caught
        if fact is not None:
            ending += [fact] if entry.is_own else []
            if len(found) < _MOST_FACTS:
                found.setdefault(fact.rule, fact)
    ended = [replace(fact, is_final=True) for fact in ending] if kind == "driver" else []
    return [*found.values(), *{fact.rule: fact for fact in ended}.values()]


def _is_stopping(entry: Entry, *, before: bool) -> bool:
    """Whether a context of Spark is being stopped: workers and executors that go then are a consequence."""
    if "SparkContext: " not in entry.text:
        return before
    return "Running Spark version" not in entry.text and (before or bool(_STOPPING.search(entry.text)))


def _is_complaint(entry: Entry, fact: Fact | None) -> bool:
    """Whether something failed here by itself: what is lost may as well have gone because its driver went."""
    return entry.level in _BAD and (fact is None or fact.value not in {"executor_lost", "killed"})


def _judged(lines: Iterable[str], kind: str, source: str) -> Iterator[tuple[Entry, Fact | None]]:
    """Each entry with its fact, as far as it was judged; what differs from an earlier one in its numbers alone was not.

    What no logger wrote is judged by itself: its numbers say which file or day was missing.
    """
    entries = list(entries_of(lines))
    texts = [_judged_as(entry) for entry in entries]
    chosen, known = _chosen(texts), dict[str, Fact | None]()
    for entry, text in zip(entries, texts, strict=True):
        if text in chosen and text not in known:
            known[text] = _fact(entry, kind, source)
        yield entry, known.get(text)


def _judged_as(entry: Entry) -> str:
    """What two entries are the same by; nothing where an entry of its level has nothing to tell."""
    text = entry.whole()
    if entry.is_own:
        return text
    if entry.level in {"TRACE", "DEBUG"} or (entry.level.startswith("WARN") and not _has(text, _WORRIED)):
        return ""
    if entry.level in {"INFO", "NOTICE"} and not _has(text.lower(), _NOTABLE):
        return ""
    return _NUMBERS.sub("", text)


def _has(text: str, words: Sequence[str]) -> bool:
    return any(word in text for word in words)


def _chosen(texts: Sequence[str]) -> set[str]:
    """The texts that are judged: of a log without an end, those at its end and those at its beginning."""
    chosen, left = set[str](), _MOST_JUDGED
    for ordered, spared in ((reversed(texts), _MOST_FROM_START), (texts, 0)):
        for text in ordered:
            if not text or text in chosen:
                continue
            left -= len(text)
            if left < spared:
                break
            chosen.add(text)
        left = max(left, spared)
    return chosen


def _fact(entry: Entry, kind: str, source: str) -> Fact | None:
    known = rule_for(kind, entry.whole())
    if known is None:
        return None
    rule, quote = known
    if entry.level in {"INFO", "NOTICE"} and not rule.id.startswith(_TOLD):
        return None
    return Fact(kind, rule.category, entry.at, source, quote, rule.id)


def _begun(line: str, earlier: float) -> Entry | str:
    """The entry that a line begins, or the line as it continues one."""
    if line.startswith('{"ts":'):
        return _structured(line)
    body, at, level = line, earlier, ""
    outer = _ISO.match(body)
    if outer:
        body, at, level = body[outer.end() :], _iso(outer[1]), outer[2].upper()
    inner = _SPARK.match(body)
    if inner:
        return Entry(_short(inner[1]), inner[2], body)
    if _OWN.match(body):
        return Entry(at, "ERROR", body, is_own=True)
    if outer and (level != "INFO" or not body[:1].isspace()) and not _goes_on(body):
        return Entry(at, level, body)
    return body


def _goes_on(body: str) -> bool:
    """Whether a line is in the middle of a trace, although every line of its log has a time."""
    return body.startswith(("  ", "\tat ", "Caused by:", "at ")) or bool(re.match(r"\w*(?:Error|Exception)\b", body))


def _structured(line: str) -> Entry | str:
    """A line of Spark's structured log."""
    try:
        told = cast("dict[str, Any]", orjson.loads(line))
        raised = cast("dict[str, Any]", told.get("exception") or {})
        words = [f"{told.get('logger', '')}: {told.get('msg', '')}"]
        if raised:
            words.append(f"{raised.get('class', '')}: {raised.get('msg', '')}")
        return Entry(_iso(str(told["ts"])[:19]), str(told.get("level", "INFO")), "\n".join(words))
    except (orjson.JSONDecodeError, KeyError, AttributeError):
        return line


@lru_cache(maxsize=1024)  # a busy second has many lines
def _iso(text: str) -> float:
    try:
        return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()
    except ValueError:
        return 0.0


@lru_cache(maxsize=1024)
def _short(text: str) -> float:
    try:
        return datetime.strptime(text, "%y/%m/%d %H:%M:%S").replace(tzinfo=UTC).timestamp()
    except ValueError:
        return 0.0
