"""One line of a log, as bytes: whether a record begins with it, its level and time, whether it goes on with a trace.

Fits what Python, log4j, Airflow 2 and 3, glog and programs that log JSON write. Above: `log_scan`, `log_reading`. Not
here: exceptions as such (`tracebacks`).
"""

import re
from typing import Final, Literal, cast

import orjson

Level = Literal["error", "warning", "info", "debug", "all"]

DEBUG: Final = 10
INFO: Final = 20
WARNING: Final = 30
ERROR: Final = 40
RANKS: Final[dict[Level, int]] = {"all": 0, "debug": DEBUG, "info": INFO, "warning": WARNING, "error": ERROR}
LONGEST_LINE: Final = 2_000

_NAMES: Final = {
    b"TRACE": ("debug", DEBUG), b"DEBUG": ("debug", DEBUG), b"INFO": ("info", INFO), b"NOTICE": ("info", INFO),
    b"WARN": ("warning", WARNING), b"WARNING": ("warning", WARNING), b"ERROR": ("error", ERROR),
    b"ERR": ("error", ERROR), b"FATAL": ("error", ERROR), b"CRITICAL": ("error", ERROR), b"SEVERE": ("error", ERROR),
    b"EXCEPTION": ("error", ERROR), b"PANIC": ("error", ERROR), b"I": ("info", INFO), b"W": ("warning", WARNING),
    b"E": ("error", ERROR), b"F": ("error", ERROR),
}  # fmt: skip
_WORD: Final = rb"(?:TRACE|DEBUG|INFO|NOTICE|WARN(?:ING)?|ERROR|FATAL|CRITICAL|SEVERE|PANIC)"
_TIME: Final = (
    rb"\d{4}[-/]\d\d[-/]\d\d[T ,]+\d\d:\d\d(?::\d\d)?(?:[.,]\d+)?(?: ?(?:Z|UTC|[+-]\d\d:?\d\d))?"
    rb"|\d\d/\d\d/\d\d(?:\d\d)? \d\d:\d\d:\d\d(?:[.,]\d+)?"
    rb"|[A-Z][a-z]{2} +\d{1,2} \d\d:\d\d:\d\d|\d\d:\d\d:\d\d(?:[.,]\d+)?"
)
_HEAD: Final = re.compile(
    rb"(?:<\d{1,3}>)?(?P<open>[\[(]?)(?:(?P<time>" + _TIME + rb")|(?P<word>" + _WORD + rb")\b(?![.\w$])"
    rb"|(?P<glog>[IWEF])(?P<glogtime>\d{4} \d\d:\d\d:\d\d(?:\.\d+)?))"
)
_LEVEL: Final = re.compile(rb"(?<![\w.$-])" + rb"(?P<level>" + _WORD + rb")(?![\w.$])")
_LOGFMT: Final = re.compile(rb"(?<!\w)(?:level|lvl|severity)=\"?(?P<level>[A-Za-z]+)")
_JSON_LEVEL: Final = re.compile(rb'"(?:log\.)?(?:level|levelname|severity|lvl|log_level)"\s*:\s*"(?P<level>[A-Za-z]+)"')
_JSON_TIME: Final = re.compile(rb'"(?:@?timestamp|time|ts|asctime|instant|datetime)"\s*:\s*"(?P<time>[^"]{8,40})"')
_PREFIX: Final = re.compile(
    rb"\s*(?:\[[^\]]{8,40}\] \{[^}]{1,200}\} [A-Z]+ - |(?:" + _TIME + rb")\]? ?(?:\[?" + _WORD + rb"\]?)?(?: - |: | )?)"
)
#: What a line of a trace begins with, once its prefix is gone.
_TRACE: Final = re.compile(
    rb"\s+(?:at |File \"|\.\.\. \d+ |Suppressed: )|\tat |at [\w.$<>/]+\(|Caused by: |Suppressed: "
    rb"|\.\.\. \d+ (?:more|common)"
    rb"|Traceback \(|During handling of the above|The above exception was|(?:JVM|Driver) stacktrace:|\s*\^+\s*$"
    rb"|: (?:java|org|com|io|scala|py4j)\.[\w.$]+|\s+\+ Exception Group|\s*\| "
)
_RAISED: Final = re.compile(
    rb"(?:[\w$]+\.)*[A-Z_][\w$]*(?:Error|Exception|Exit|Interrupt|Timeout|Failure|Fault|Killed)\b"
    rb"(?:[: ]|\s*$)"
    rb"|(?:[a-z_][\w$]*\.){1,12}[A-Z][\w$]+(?:: |$)|Exception in thread "
)
_ANSI: Final = re.compile(rb"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b[@-_]")
_SOUNDS_BAD: Final = re.compile(
    rb"(?<![\w-])(?:[Ee]rror|ERROR|[Ff]atal|FATAL|[Ee]xception|[Kk]illed|CRITICAL|SEVERE|panic)(?![\w-])"
    rb"|[A-Z]\w*(?:Error|Exception)\b"
)


def head_of(line: bytes) -> "re.Match[bytes] | None":
    """What says that a record begins here: a time, or a level at the very beginning; None in the middle of one."""
    return _HEAD.match(line) or (_JSON_LEVEL.search(line, 0, 4_096) if line[:1] == b"{" else None)


def rank_of(line: bytes) -> int | None:
    """How bad a line says it is; None where it does not say."""
    named = _level(line)
    return named[1] if named else None


def level_of(line: bytes) -> str | None:
    named = _level(line)
    return named[0] if named else None


def time_of(line: bytes) -> str | None:
    """The time at the head of a line, as it stands there."""
    if line[:1] == b"{":
        found = _JSON_TIME.search(line, 0, 4_096)
        return found["time"].decode(errors="replace") if found else None
    head = _HEAD.match(line)
    told = head and (head["time"] or head["glogtime"])
    return told.decode() if told else None


def message_of(line: bytes) -> bytes:
    """The line without the time and level in front of it."""
    found = _PREFIX.match(line)
    return line[found.end() :] if found else line


def is_trace(line: bytes) -> bool:
    """Whether a line is one of a stack trace, whatever stands in front of it."""
    return bool(_TRACE.match(line) or _TRACE.match(message_of(line)))


def is_indented(line: bytes) -> bool:
    """Whether a line stands further in behind its time and level, as code in a trace does that a relay wrote."""
    said = message_of(line)
    return len(said) < len(line) and said[:1] in b" \t" and said[1:2] in b" \t"


def is_raised(line: bytes) -> bool:
    """Whether a line begins with the name of an exception, whatever stands in front of it."""
    return bool(_RAISED.match(line) or _RAISED.match(message_of(line)))


def sounds_bad(line: bytes) -> bool:
    """Whether a line without a level speaks of an error."""
    return _SOUNDS_BAD.search(line, 0, 4_096) is not None


def plain(line: bytes) -> bytes:
    """The line as a terminal would show it in the end: no colours, no NULs, of a progress bar its last state."""
    if b"\x1b" in line:
        line = _ANSI.sub(b"", line)
    if b"\0" in line:
        line = line.replace(b"\0", b"")
    line = line.rstrip(b"\r\n")
    return line.rpartition(b"\r")[2] if b"\r" in line else line


def decoded(line: bytes) -> str:
    """The text of a line: UTF-8, or else one byte a character."""
    try:
        return line.decode()
    except UnicodeDecodeError:
        return line.decode("cp1252", errors="replace")


def shortened(text: str, around: str = "") -> str:
    """At most 2,000 characters of a line: its beginning, and what lies around a text that it was found by."""
    if len(text) <= LONGEST_LINE:
        return text
    left = f" [… of {len(text)} characters]"
    at = text.find(around) if around else -1
    if at < LONGEST_LINE - len(around) - 100:
        return text[: LONGEST_LINE - len(left)] + left
    begin = max(0, at - LONGEST_LINE // 2 + 200)
    return f"{text[:200]} […] {text[begin : begin + LONGEST_LINE - 300]}{left}"


def as_text_lines(line: bytes) -> list[bytes]:
    """A record that is JSON as the lines that it stands for, its trace among them; any other as it is."""
    if line[:1] != b"{":
        return [line]
    try:
        record = orjson.loads(line)
    except orjson.JSONDecodeError:
        return [line]
    if not isinstance(record, dict):
        return [line]
    members = cast("dict[str, object]", record)
    said = _first(members, ("event", "message", "msg", "body"))
    if said is None:
        return [line]
    level = (_first(members, ("level", "levelname", "severity", "log.level")) or "").upper()
    at = _first(members, ("timestamp", "@timestamp", "time", "ts")) or ""
    name = _first(members, ("logger", "logger_name", "name", "loggerName")) or ""
    head = " ".join(part for part in (at, level, f"{name}:" if name else "", said) if part)
    return [*head.encode().split(b"\n"), *_trace_in(members)]


def _trace_in(record: dict[str, object]) -> list[bytes]:
    told = _first(record, ("exception", "stack_trace", "stacktrace", "exc_info", "traceback", "error.stack_trace"))
    if told:
        return told.encode().split(b"\n")
    details = record.get("error_detail")
    if not isinstance(details, list):
        return []
    lines: list[str] = []
    for detail in cast("list[object]", details)[-5:]:
        if isinstance(detail, dict):
            lines += _raised_in(cast("dict[str, object]", detail))
    return [line.encode() for line in lines]


def _raised_in(detail: dict[str, object]) -> list[str]:
    """An exception as structlog writes it: its type, its value and its frames."""
    lines = ["Traceback (most recent call last):"]
    frames = detail.get("frames")
    for frame in cast("list[object]", frames)[-20:] if isinstance(frames, list) else []:
        if isinstance(frame, dict):
            at = cast("dict[str, object]", frame)
            lines.append(f'  File "{at.get("filename")}", line {at.get("lineno")}, in {at.get("name")}')
    lines += f"{detail.get('exc_type')}: {detail.get('exc_value')}".split("\n")
    return lines


def _first(record: dict[str, object], names: tuple[str, ...]) -> str | None:
    return next((value for name in names if isinstance(value := record.get(name), str) and value), None)


def _level(line: bytes) -> tuple[str, int] | None:
    if line[:1] == b"{":
        found = _JSON_LEVEL.search(line, 0, 4_096)
        return _NAMES.get(found["level"].upper()) if found else None
    head = _HEAD.match(line)
    if head is not None and (told := head["word"] or head["glog"]):
        return _NAMES[told]
    found = (_LEVEL.search(line, 0, 240) if head is not None else None) or _LOGFMT.search(line, 0, 240)
    return _NAMES.get(found["level"].upper()) if found else None
