"""What pages are made of: each part one typed function over core values.

So a page cannot show a stage that does not exist, nor a state by colour alone. Looks are in `static/style.css`.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

import htpy as h

from pierhead.apps.registry.web.shapes import Shape, drawing
from pierhead.core.catalog import Effect, Stage
from pierhead.core.health import Condition
from pierhead.core.hostile_text import is_hidden
from pierhead.core.review import Gate, GateState


class Tone(StrEnum):
    """What a tint means."""

    FLAT = "flat"
    GOOD = "good"
    WAIT = "wait"
    BAD = "bad"
    NOTE = "note"


_STAGES: Final = {
    Stage.REGISTERED: (Shape.RING, Tone.FLAT),
    Stage.IN_REVIEW: (Shape.DOTS, Tone.WAIT),
    Stage.APPROVED: (Shape.CHECK, Tone.NOTE),
    Stage.REJECTED: (Shape.CROSS, Tone.BAD),
    Stage.DEPLOYED: (Shape.DOT, Tone.GOOD),
    Stage.SUSPENDED: (Shape.PAUSE, Tone.BAD),
    Stage.QUARANTINED: (Shape.PADLOCK, Tone.BAD),
    Stage.DEPRECATED: (Shape.EXCLAMATION, Tone.WAIT),
    Stage.RETIRED: (Shape.DASH, Tone.FLAT),
}
_EFFECTS: Final = {
    Effect.READ: (Shape.EYE, Tone.GOOD),
    Effect.WRITE: (Shape.PENCIL, Tone.WAIT),
    Effect.DESTRUCTIVE: (Shape.TRIANGLE, Tone.BAD),
}
#: What people call the gates.
GATES: Final = {Gate.SECURITY: "Security", Gate.LEGAL: "Legal/Privacy", Gate.GENAI: "GenAI"}
_GATE_STATES: Final = {
    GateState.NOT_REQUIRED: ("Not required", Shape.DASH, Tone.FLAT),
    GateState.PENDING: ("Pending", Shape.HOURGLASS, Tone.WAIT),
    GateState.CHANGES_REQUESTED: ("Changes requested", Shape.PENCIL, Tone.WAIT),
    GateState.APPROVED: ("Approved", Shape.CHECK, Tone.GOOD),
    GateState.APPROVED_WITH_CONDITIONS: ("Approved with conditions", Shape.CHECK, Tone.GOOD),
    GateState.REJECTED: ("Rejected", Shape.CROSS, Tone.BAD),
    GateState.WAIVED: ("Waived", Shape.EXCLAMATION, Tone.WAIT),
    GateState.EXPIRED: ("Expired", Shape.CLOCK, Tone.BAD),
}
DECISIONS: Final = {
    "permit": ("Permit", Shape.CHECK, Tone.GOOD),
    "ask": ("Ask", Shape.QUESTION, Tone.WAIT),
    "lower": ("Lower", Shape.DASH, Tone.FLAT),
    "refuse": ("Refuse", Shape.BAR, Tone.BAD),
    "forbid": ("Forbid", Shape.BAR, Tone.BAD),
}
PROCESSES: Final = {
    "running": ("Running", Shape.DOT, Tone.GOOD),
    "starting": ("Starting", Shape.DOTS, Tone.WAIT),
    "restarting": ("Restarting", Shape.CLOCK, Tone.WAIT),
    "failed": ("Failed", Shape.CROSS, Tone.BAD),
    "stopped": ("Stopped", Shape.PAUSE, Tone.FLAT),
}
CONDITIONS: Final = {
    Condition.UP: ("Up", Shape.DOT, Tone.GOOD),
    Condition.DEGRADED: ("Degraded", Shape.EXCLAMATION, Tone.WAIT),
    Condition.DOWN: ("Down", Shape.CROSS, Tone.BAD),
    Condition.FLAPPING: ("Flapping", Shape.CLOCK, Tone.WAIT),
    Condition.UNKNOWN: ("Not seen lately", Shape.RING, Tone.FLAT),
}
OUTCOMES: Final = {
    "ok": ("Succeeded", Shape.CHECK, Tone.GOOD),
    "relayed": ("Relayed", Shape.CHECK, Tone.FLAT),
    "running": ("Running", Shape.DOTS, Tone.WAIT),
    "tool_error": ("Tool error", Shape.CROSS, Tone.BAD),
    "timeout": ("Timed out", Shape.CLOCK, Tone.BAD),
    "upstream_error": ("Server unreachable", Shape.CROSS, Tone.BAD),
    "cancelled": ("Cancelled", Shape.DASH, Tone.FLAT),
    "lost": ("Lost", Shape.EXCLAMATION, Tone.BAD),
    "approval_required": ("Waits for approval", Shape.HOURGLASS, Tone.WAIT),
}


def badge(word: str, shape: Shape, tone: Tone) -> h.Element:
    return h.span(class_=f"badge {tone}")[drawing(shape), word]


def stage_badge(stage: Stage) -> h.Element:
    return badge(str(stage).replace("-", " ").capitalize(), *_STAGES[stage])


def effect_badge(effect: Effect) -> h.Element:
    return badge(str(effect).capitalize(), *_EFFECTS[effect])


def gate_badge(state: GateState) -> h.Element:
    return badge(*_GATE_STATES[state])


def decision_badge(decision: str) -> h.Element:
    return badge(*DECISIONS.get(decision, (decision.capitalize(), Shape.RING, Tone.FLAT)))


def outcome_badge(outcome: str) -> h.Element:
    """How a call ended. What never ran has no outcome of its own: its code stands there, flat."""
    return badge(*OUTCOMES.get(outcome, (f"Did not run: {outcome}", Shape.DASH, Tone.FLAT)))


def process_badge(state: str) -> h.Element:
    return badge(*PROCESSES.get(state, ("Not reported", Shape.RING, Tone.FLAT)))


def condition_badge(condition: Condition) -> h.Element:
    return badge(*CONDITIONS[condition])


def notice(tone: Tone, first: str, sentence: str, *more: h.Node) -> h.Element:
    return h.p(class_=f"notice {tone}", role="status")[h.strong[first], " ", sentence, *[(" ", part) for part in more]]


def empty(sentence: str, *more: h.Node) -> h.Element:
    return h.p(class_="read quiet")[sentence, *[(" ", part) for part in more]]


def facts(pairs: Iterable[tuple[str, h.Node]], *, kind: str = "") -> h.Element:
    """Label over value."""
    return h.dl(class_=f"facts {kind}".strip())[(h.div[h.dt[label], h.dd[value]] for label, value in pairs)]


def titled(heading: str, *content: h.Node, identity: str = "", kind: str = "stack") -> h.Element:
    return h.section(class_=kind, id=identity or None)[h.h2[heading], *content]


@dataclass(frozen=True, slots=True)
class Column:
    """A column's head, and whether it holds numbers."""

    head: str
    is_number: bool = False


def table(label: str, columns: Sequence[Column], rows: Iterable[Sequence[h.Node]]) -> h.Element:
    """Hairlines; scrolls in its own labelled region, turns into cards below 30 rem. A row's first cell heads it."""
    head = h.thead[h.tr[(h.th(scope="col", class_=_number(column))[column.head] for column in columns)]]
    body = h.tbody[(_row(columns, cells) for cells in rows)]
    return h.div(class_="scroll", role="region", aria_label=label, tabindex="0")[h.table(class_="cards")[head, body]]


def _row(columns: Sequence[Column], cells: Sequence[h.Node]) -> h.Element:
    rest = zip(columns[1:], cells[1:], strict=True)
    return h.tr[
        h.th(scope="row")[cells[0]],
        (h.td(class_=_number(column), data_label=column.head)[h.div[cell]] for column, cell in rest),
    ]


def _number(column: Column) -> str | None:
    return "number" if column.is_number else None


def why(reasons: Iterable[tuple[str, str, str]]) -> h.Element:
    """One row a rule: its effect, its sentence, its name."""
    return h.ul(class_="why")[
        (h.li[decision_badge(effect), h.span[sentence], h.code[rule]] for effect, rule, sentence in reasons)
    ]


def exact(text: str, label: str) -> h.Element:
    """Text as it is, to be read or copied whole."""
    return h.pre(class_="exact", role="group", aria_label=label)[h.code[text]]


def exact_json(value: object, label: str) -> h.Element:
    """JSON of whatever was sent: what would hide in it is written out."""
    return exact(visible_lines(json.dumps(value, indent=2, ensure_ascii=False, default=str)), label)


def theirs(text: str) -> h.Element:
    """What an owner or an agent wrote, set apart from what we say, with nothing hidden in it."""
    return h.blockquote(class_="read")[h.bdi[visible_lines(text)]]


def folded(label: str, *content: h.Node, is_open: bool = False) -> h.Element:
    return h.details(open=is_open)[h.summary[label], *content]


def absolute(seconds: float) -> h.Element:
    at = datetime.fromtimestamp(seconds, UTC)
    return h.time(datetime=at.isoformat(timespec="seconds"))[at.strftime("%Y-%m-%d %H:%M:%S UTC")]


def day(seconds: float) -> h.Element:
    at = datetime.fromtimestamp(seconds, UTC)
    return h.time(datetime=at.isoformat(timespec="seconds"))[at.strftime("%Y-%m-%d")]


def moment(seconds: float, now: float) -> h.Element:
    """Absolute first, relative second; `now` comes from the same clock."""
    return h.span[absolute(seconds), h.span(class_="quiet")[f" · {ago(now - seconds)}"]]


def ago(seconds: float) -> str:
    """How long ago, in the largest unit that fits."""
    for unit, length in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if seconds >= length:
            count = int(seconds // length)
            return f"{count} {unit}{'s' if count > 1 else ''} ago"
    return f"{max(0, int(seconds))} s ago"


def duration(milliseconds: float | None, *, ran: bool = True) -> str:
    if milliseconds is None:
        return "not yet" if ran else "not run"
    return f"{milliseconds:,.0f} ms" if milliseconds >= 10 else f"{milliseconds:.1f} ms"  # noqa: PLR2004 - ten


def hours(value: float) -> str:
    return f"{value:,.1f} h"


def spread(low: float, high: float) -> str:
    """A range of hours; one figure, where its ends read alike."""
    first, last = f"{low:,.1f}", f"{high:,.1f}"
    return f"{last} h" if first == last else f"{first} to {last} h"


def count(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}"


_WORDS: Final = (
    "No",
    "One",
    "Two",
    "Three",
    "Four",
    "Five",
    "Six",
    "Seven",
    "Eight",
    "Nine",
    "Ten",
    "Eleven",
    "Twelve",
)


def in_words(number: int) -> str:
    """A number that opens a sentence."""
    return _WORDS[number] if number < len(_WORDS) else f"{number:,}"


_SHORT: Final = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def visible(text: str) -> str:
    """A stranger's text, with what would hide, move or reverse it written out: controls, directions, odd spaces."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_written_out(sign) if is_hidden(sign) or not sign.isprintable() else sign for sign in text)


def _written_out(sign: str) -> str:
    return _SHORT.get(sign, f"\\u{{{ord(sign):x}}}")


def visible_lines(text: str) -> str:
    """The same for text of several lines, which stay lines."""
    return "\n".join(visible(line) for line in text.split("\n"))


def to(path: str, text: h.Node) -> h.Element:
    """A link to one of our own pages."""
    return h.a(href=path)[text]
