"""Facts in the text of a log: entries, judged each by the table, with the line that shows what they say.

An entry is a line with a time and a level, and what follows it without one; a traceback is one of its own. What merely
informs speaks only of executors, shuffles and kills. Logs of Spark (plain or structured), of Airflow around Spark's,
and of Python. Not here: reading files, and judging all facts together (`failure_rules`).
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
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
_WORRIED: Final = re.compile(
    r"TaskSetManager|Scheduler|Executor|executor|kill|Kill|memory|Memory|[Pp]reempt|[Hh]eartbeat|[Ff]etch|[Ss]huffle|YARN"
    r"|TransportChannel|BlockManager|accepted any resources"
)
#: What merely informs is looked at closely where it has one of these: a long log is little else.
_NOTABLE: Final = re.compile(
    r"lost|kill|memory|oom|fetch|shuffle|exit|signal|preempt|decommission|disassociat|cancel|shut down|heartbeat"
    r"|maxresultsize|removed our|fail|interrupt|terminat",
    re.IGNORECASE,
)
_STOPPING: Final = re.compile(r"SparkContext: (?:SparkContext is stopping|Invoking stop\(\) from shutdown hook)")
_LONGEST_ENTRY: Final = 16_000
_MOST_FACTS: Final = 400
#: What a log repeats with other numbers is judged once, and of a log without end the first so many kinds.
_NUMBERS: Final = re.compile(r"\d+")
_MOST_JUDGED: Final = 2_000


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
    """Each entry with its fact; what only differs in its numbers from an earlier one is not judged again."""
    known: dict[str, Fact | None] = {}
    for entry in entries_of(lines):
        shape = _NUMBERS.sub("", entry.whole())
        if entry.is_own or (shape not in known and len(known) < _MOST_JUDGED):
            known[shape] = _fact(entry, kind, source)
        yield entry, known.get(shape)


def _fact(entry: Entry, kind: str, source: str) -> Fact | None:
    text = entry.whole()
    if entry.level in {"TRACE", "DEBUG"} or (entry.level.startswith("WARN") and not _WORRIED.search(text)):
        return None
    if entry.level in {"INFO", "NOTICE"} and not _NOTABLE.search(text):
        return None
    known = rule_for(kind, text)
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


def _iso(text: str) -> float:
    try:
        return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()
    except ValueError:
        return 0.0


def _short(text: str) -> float:
    try:
        return datetime.strptime(text, "%y/%m/%d %H:%M:%S").replace(tzinfo=UTC).timestamp()
    except ValueError:
        return 0.0
