"""Records cut to a size: their beginning, what was raised with the frames around it, their end; gaps are told.

Below: `log_lines`. Above: `log_reading`. Not here: which records are told.
"""

from collections.abc import Sequence
from typing import Final

from pierhead.sdk.log_lines import is_raised

Numbered = tuple[int, str]
"""A line's number, and its text."""

_FRAMES: Final = (12, 5, 2, 0)
_LONGEST: Final = 500
_GAP: Final = 40


def size_of(text: str) -> int:
    """Bytes of a line with its end."""
    return len(text.encode()) + 1


def shortened_record(lines: Sequence[Numbered], most: int, most_lines: int) -> list[Numbered]:
    """The record in at most `most` bytes and so many lines."""
    if _fits(lines, most, most_lines):
        return list(lines)
    told = list(lines)
    for frames in _FRAMES:
        told = _with_gaps(lines, _pillars(lines, frames))
        if _fits(told, most, most_lines):
            return told
    half, room = max(1, (most_lines - 1) // 2), max(0, most - _GAP) // 2
    head = _fitting(told[:half], room)
    tail = _fitting(told[len(head) :][-half:][::-1], room)[::-1]
    gap = [(told[len(head)][0], "  [… lines left out]")] if len(head) + len(tail) < len(told) else []
    return [*head, *gap, *tail][:most_lines]


def _fits(lines: Sequence[Numbered], most: int, most_lines: int) -> bool:
    return len(lines) <= most_lines and sum(size_of(text) for _, text in lines) <= most


def _pillars(lines: Sequence[Numbered], frames: int) -> set[int]:
    """Places to keep: both ends, and around whatever was raised."""
    kept = set(range(min(frames + 1, len(lines)))) | set(range(max(0, len(lines) - frames - 1), len(lines)))
    for place, (_, text) in enumerate(lines):
        if is_raised(text.encode()) or text.lstrip().startswith(("Caused by", "Traceback (")):
            kept |= set(range(max(0, place - frames // 2), min(len(lines), place + 1 + frames // 2)))
    return kept


def _with_gaps(lines: Sequence[Numbered], kept: set[int]) -> list[Numbered]:
    told: list[Numbered] = []
    gap = 0
    for place, (number, text) in enumerate(lines):
        if place not in kept:
            gap += 1
            continue
        told += [(number - 1, f"  [… {gap} lines]")] if gap else []
        told.append((number, text[:_LONGEST]))
        gap = 0
    return told


def _fitting(lines: Sequence[Numbered], room: int) -> list[Numbered]:
    kept: list[Numbered] = []
    for number, text in lines:
        room -= size_of(text)
        if room < 0:
            break
        kept.append((number, text))
    return kept
