"""Exceptions in a text: what was raised, what caused it, where, and how often; each kind once.

Python tracebacks and Java stack traces, also one inside the other, as drivers of PySpark write them, and also where a
relay put a time in front of each line. Below: `log_lines`. Not here: what an exception means (`failure_rules`).
"""

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Literal

from pierhead.sdk.log_lines import head_of, is_trace, message_of

Language = Literal["python", "java"]

LONGEST_QUOTE: Final = 1_200
_LONGEST_MESSAGE: Final = 400
_LONGEST_FRAME: Final = 120
_FRAMES: Final = 4
_DIGITS: Final = 16
_MOST_PLAIN: Final = 12

_NAME: Final = r"(?:[A-Za-z_][\w$]*\.)*[A-Za-z_][\w$]*"
_SOUNDS: Final = r"(?:Error|Exception|Exit|Interrupt|Timeout|Failure|Fault|Killed|Throwable)"
_EVENT: Final = re.compile(
    rf"(?:(?P<how>Caused by|Suppressed): |: |Exception in thread \"[^\"]*\" |Error: )?"
    rf"(?P<kind>(?:[A-Za-z_][\w$]*\.)*[A-Z_]\w*{_SOUNDS}(?:\$\w+)?|(?:[a-z_][\w$]*\.){{1,12}}[A-Z][\w$]+)"
    r"(?::(?P<said>[ \t].*)?)?$"
)
_EMBEDDED: Final = re.compile(rf"[:)] (?P<kind>(?:[a-z][\w$]*\.){{1,12}}[A-Z][\w$]*{_SOUNDS})(?:: (?P<said>.*))?$")
_CAUSED: Final = re.compile(rf"Caused by: (?P<kind>{_NAME})(?:: ?(?P<said>.*))?$")
_JAVA_FRAME: Final = re.compile(r"\s*at ([\w.$<>/@-]+)\(([^)]*)\)")
_PYTHON_FRAME: Final = re.compile(r'\s*File "([^"]+)", line (\d+), in (\S+)')
_CHAINED: Final = ("During handling of the above", "The above exception was")
#: Frames of what is installed, of Python itself, and of what was compiled.
_INSTALLED: Final = re.compile(r"(?:site|dist)-packages/|/lib/python|\.zip/|<|\.p[yx][xi]:")
_VARIABLE: Final = re.compile(r"0x[0-9a-fA-F]+|[0-9a-fA-F]{8,}(?:-[0-9a-fA-F]{4,})*|\d+")
_PATH: Final = re.compile(r"(?:[a-z0-9]+:/)?(?:/[\w.@=#+%-]+){2,}/?")


@dataclass(frozen=True, slots=True)
class FoundException:
    """One kind of failure. `kind` and `message` are of its cause, `chain` names all, from what fell out to the cause.

    `quote` stands in the text as it is, at most 1,200 bytes. Lines count from 1. `fingerprint` is the same for the same
    failure with other numbers, ids and paths.
    """

    kind: str
    message: str
    language: Language
    chain: tuple[str, ...]
    frames_head: tuple[str, ...]
    fingerprint: str
    count: int
    first_line: int
    last_line: int
    quote: str


@dataclass(slots=True)
class _Raised:
    """An exception that a line names, with the frames below it (Java) or above it (Python)."""

    kind: str
    message: str
    language: Language
    place: int
    how: str = ""
    frames: list[str] = field(default_factory=list[str])


@dataclass(slots=True)
class _Block:
    """Lines that belong together."""

    first: int
    last: int
    events: list[_Raised] = field(default_factory=list[_Raised])


def find_exceptions(text: str | Iterable[str]) -> list[FoundException]:
    """Each exception in `text` once, those that were met last at the end."""
    lines = text.splitlines() if isinstance(text, str) else [line.rstrip("\r\n") for line in text]
    found: dict[str, FoundException] = {}
    for block in _blocks(lines):
        told = _told(block, lines)
        known = found.pop(told.fingerprint, None)
        counted = replace(told, count=known.count + 1, first_line=known.first_line) if known else told
        found[told.fingerprint] = counted
    return list(found.values())


def _blocks(lines: Sequence[str]) -> Iterable[_Block]:
    reader = _Reader(lines)
    for place in range(len(lines)):
        if (done := reader.read(place)) is not None:
            yield done
    if (done := reader.ended()) is not None:
        yield done


class _Reader:
    """Line by line: which block a line belongs to, and what it says."""

    def __init__(self, lines: Sequence[str]) -> None:
        self._lines = lines
        self._block: _Block | None = None
        self._frames: list[str] = []
        self._plain = 0
        self._is_open = False
        self._is_chained = False

    def ended(self) -> _Block | None:
        done, self._block = self._block, None
        return done if done and done.events else None

    def read(self, place: int) -> _Block | None:
        """Take a line in; gives the block that ended before it, if one did."""
        line = self._lines[place]
        raw = line.encode()
        said = message_of(raw).decode(errors="replace") if head_of(raw) is not None else line
        is_headed = said is not line
        if said.lstrip().startswith("Traceback ("):
            done = None if self._goes_on() else self.ended()
            self._begin(place)
            return done
        if (event := self._event(said, place, is_headed=is_headed)) is not None:
            return self._raised(event, place)
        if self._block is None:
            return None
        return self._inner(said, place, is_headed=is_headed)

    def _goes_on(self) -> bool:
        """Whether a traceback that begins here belongs to what was read before."""
        block = self._block
        return self._is_chained or (block is not None and bool(block.events) and _holds_python(block.events[-1]))

    def _begin(self, place: int) -> None:
        self._block = self._block or _Block(place, place)
        self._block.last = place
        self._frames, self._plain, self._is_open, self._is_chained = [], 0, True, False

    def _event(self, said: str, place: int, *, is_headed: bool) -> _Raised | None:
        stripped = said.strip() if self._block else said.rstrip()
        found = _CAUSED.match(stripped) or (None if said[:1] in " \t" else _EVENT.match(stripped))
        if found is None and is_headed and self._frame_follows(place):
            found = _EMBEDDED.search(stripped)
        if found is None:
            return None
        how = "Caused by" if stripped.startswith("Caused by: ") else ""
        is_python = self._is_open and not how
        return _Raised(found["kind"], (found["said"] or "").strip(), "python" if is_python else "java", place, how)

    def _frame_follows(self, place: int) -> bool:
        following = self._lines[place + 1] if place + 1 < len(self._lines) else ""
        return _JAVA_FRAME.match(following) is not None

    def _raised(self, event: _Raised, place: int) -> _Block | None:
        done = None
        block = self._block
        is_more = self._is_open or event.how or self._lines[place].lstrip().startswith(": ")
        if block is not None and block.events and not is_more:
            done, block = self.ended(), None
        self._block = block or _Block(place, place)
        if event.language == "python":
            event.frames = _telling(self._frames)
        elif "." not in event.kind and not self._frame_follows(place):
            event.language = "python"
        self._block.events.append(event)
        self._block.last = place
        self._is_open = event.message.startswith("Traceback (")
        self._frames, self._plain, self._is_chained = [], 0, False
        return done

    def _inner(self, said: str, place: int, *, is_headed: bool) -> _Block | None:
        """A line that names no exception: a frame, more of a message, or the end of the block."""
        block = self._block
        if block is None:  # pragma: no cover - asked before
            return None
        stripped = said.strip()
        if stripped.startswith(_CHAINED):
            self._is_chained = True
        elif (java := _JAVA_FRAME.match(said)) and block.events:
            if len(block.events[-1].frames) < _FRAMES and block.events[-1].language == "java":
                block.events[-1].frames.append(f"{java[1]}({java[2]})"[:_LONGEST_FRAME])
        elif python := _PYTHON_FRAME.match(said):
            self._frames.append(f"{python[1]}:{python[2]} in {python[3]}"[-_LONGEST_FRAME:])
        elif not self._is_more(said, is_headed=is_headed):
            return self.ended()
        if stripped:
            block.last = place
        return None

    def _is_more(self, said: str, *, is_headed: bool) -> bool:
        is_inner = said.startswith(("\t", "  ")) or (not is_headed and said.startswith(" "))
        if not said.strip() or is_inner or is_trace(said.encode()):
            return True
        self._plain += 1
        return not is_headed and self._plain <= _MOST_PLAIN


def _telling(frames: list[str]) -> list[str]:
    """The innermost, and of code that nobody installed the innermost too: it is where somebody looks."""
    inner = frames[-_FRAMES:][::-1]
    own = next((frame for frame in reversed(frames) if _is_own(frame)), None)
    return inner if own is None or own in inner else [*inner[:-1], own]


def _holds_python(event: _Raised) -> bool:
    return event.kind.endswith(("PythonException", "Py4JJavaError", "PythonWorkerException"))


def _told(block: _Block, lines: Sequence[str]) -> FoundException:
    cause = _cause(block.events)
    chain = [event for event in block.events if event is not cause]
    outer = [
        f"{event.kind}: {event.message}"[:_LONGEST_FRAME] for event in (chain[-1:] if _is_python(block) else chain[:3])
    ]
    message = cause.message[:_LONGEST_MESSAGE] or _following(lines, cause.place)
    return FoundException(
        kind=cause.kind,
        message=message,
        language=cause.language,
        chain=(*outer, f"{cause.kind}: {message}"[:_LONGEST_FRAME]),
        frames_head=tuple(_with_own(cause.frames[:_FRAMES], block.events)),
        fingerprint=_fingerprint(cause.kind, message, cause.frames[:1]),
        count=1,
        first_line=block.first + 1,
        last_line=block.last + 1,
        quote=_quote(lines, cause, block),
    )


def _with_own(frames: Sequence[str], events: Sequence[_Raised]) -> Sequence[str]:
    """The frames of a cause deep in a library, and of its chain the last one that is not."""
    own = [each for event in events if event.language == "python" for each in event.frames if _is_own(each)]
    is_known = not own or not frames or any(_is_own(each) for each in frames)
    return frames if is_known else [*frames[: _FRAMES - 1], own[-1]]


def _is_own(frame: str) -> bool:
    return not _INSTALLED.search(frame)


def _is_python(block: _Block) -> bool:
    return all(event.language == "python" for event in block.events)


def _cause(events: Sequence[_Raised]) -> _Raised:
    """What it began with: inside a worker of Python, else the last `Caused by`, else what Python raised first."""
    for place, event in enumerate(events[:-1]):
        if event.kind.endswith("PythonException") and events[place + 1].language == "python":
            return events[place + 1]
    caused = [event for event in events if event.how]
    if caused:
        return caused[-1]
    java = [event for event in events if event.language == "java" and not _holds_python(event)]
    if java and any(_holds_python(event) for event in events):
        return java[-1]
    return events[0]


def _following(lines: Sequence[str], place: int) -> str:
    """What stands in the line behind one that names an exception and says nothing."""
    following = lines[place + 1].strip() if place + 1 < len(lines) else ""
    return "" if following.startswith(("at ", "File ", "Traceback", "Caused by")) else following[:_LONGEST_MESSAGE]


def _quote(lines: Sequence[str], cause: _Raised, block: _Block) -> str:
    """The line of the cause and what lies around it: for Python its frames above, for Java those below."""
    begin = max(block.first, cause.place - 6) if cause.language == "python" else cause.place
    end = min(block.last, cause.place + (1 if cause.language == "python" else 5))
    while begin < cause.place and len("\n".join(lines[begin : end + 1]).encode()) > LONGEST_QUOTE:
        begin += 1
    while end > cause.place and len("\n".join(lines[begin : end + 1]).encode()) > LONGEST_QUOTE:
        end -= 1
    return "\n".join(lines[begin : end + 1]).encode()[:LONGEST_QUOTE].decode(errors="ignore")


def _fingerprint(kind: str, message: str, frames: Sequence[str]) -> str:
    """Stable over runs: numbers, ids and paths of the message do not count, nor the line of the frame."""
    said = _VARIABLE.sub("#", _PATH.sub("/", message[:200]))
    where = [_VARIABLE.sub("#", frame.rpartition(" in ")[2] or frame) for frame in frames]
    digest = hashlib.sha256("\n".join([kind.rpartition(".")[2], said, *where]).encode())
    return f"fp_{digest.hexdigest()[:_DIGITS]}"
