"""The small drawings that stand beside words, so that no meaning hangs on colour alone.

Drawn by attributes in `currentColor`: the content policy allows no inline style, and colour stays the badge's.
"""

from enum import StrEnum
from typing import Final

import htpy as h
from markupsafe import Markup


class Shape(StrEnum):
    """Every shape there is."""

    RING = "ring"
    DOTS = "dots"
    CHECK = "check"
    CROSS = "cross"
    DOT = "dot"
    PAUSE = "pause"
    PADLOCK = "padlock"
    EXCLAMATION = "exclamation"
    DASH = "dash"
    EYE = "eye"
    PENCIL = "pencil"
    TRIANGLE = "triangle"
    QUESTION = "question"
    BAR = "bar"
    CLOCK = "clock"
    HOURGLASS = "hourglass"


_LINE: Final = 'fill="none" stroke="currentColor" stroke-width="1.5" stroke-linecap="round" stroke-linejoin="round"'

_DRAWINGS: Final = {
    Shape.RING: f'<circle cx="6" cy="6" r="3.75" {_LINE}/>',
    Shape.DOTS: '<g fill="currentColor"><circle cx="2" cy="6" r="1.3"/><circle cx="6" cy="6" r="1.3"/>'
    '<circle cx="10" cy="6" r="1.3"/></g>',
    Shape.CHECK: f'<path d="M2 6.5 4.8 9.2 10 3.2" {_LINE}/>',
    Shape.CROSS: f'<path d="m3 3 6 6M9 3 3 9" {_LINE}/>',
    Shape.DOT: '<circle cx="6" cy="6" r="4" fill="currentColor"/>',
    Shape.PAUSE: f'<path d="M4 3v6M8 3v6" {_LINE}/>',
    Shape.PADLOCK: f'<path d="M2.5 5.5h7v4.75h-7zM4 5.5V4a2 2 0 0 1 4 0v1.5" {_LINE}/>',
    Shape.EXCLAMATION: f'<path d="M6 2v4.75M6 9.9v.1" {_LINE}/>',
    Shape.DASH: f'<path d="M3 6h6" {_LINE}/>',
    Shape.EYE: f'<path d="M1 6s1.8-3.25 5-3.25S11 6 11 6 9.2 9.25 6 9.25 1 6 1 6Z" {_LINE}/>'
    '<circle cx="6" cy="6" r="1.25" fill="currentColor"/>',
    Shape.PENCIL: f'<path d="m2 10 .6-2.6 5.6-5.6 2 2-5.6 5.6L2 10Z" {_LINE}/>',
    Shape.TRIANGLE: f'<path d="M6 1.75 11 10.25H1Z" {_LINE}/>',
    Shape.QUESTION: f'<path d="M4 4.25a2 2 0 1 1 2.9 1.8c-.6.3-.9.6-.9 1.2M6 9.9v.1" {_LINE}/>',
    Shape.BAR: f'<circle cx="6" cy="6" r="4.5" {_LINE}/><path d="M3.75 6h4.5" {_LINE}/>',
    Shape.CLOCK: f'<circle cx="6" cy="6" r="4.5" {_LINE}/><path d="M6 3.5V6l1.6 1.2" {_LINE}/>',
    Shape.HOURGLASS: f'<path d="M3 1.75h6M3 10.25h6M3.75 1.75c0 3 4.5 5.5 4.5 8.5" {_LINE}/>'
    f'<path d="M8.25 1.75c0 3-4.5 5.5-4.5 8.5" {_LINE}/>',
}


def drawing(shape: Shape) -> h.Element:
    """The shape, hidden from screen readers: the word beside it says the same."""
    return h.svg(viewBox="0 0 12 12", width="12", height="12", aria_hidden="true")[Markup(_DRAWINGS[shape])]  # noqa: S704 - written above, nobody else's text


def mark() -> h.Element:
    """Our own mark: a pierhead with its light, seen from the water."""
    path = f'<path d="M8 2.2v2.3M3.5 3.2l1.3 1.3M12.5 3.2l-1.3 1.3M8 7v3M2 10h12M4 10v4M8 10v4M12 10v4" {_LINE}/>'
    return h.svg(viewBox="0 0 16 16", width="18", height="18", aria_hidden="true")[Markup(path)]  # noqa: S704 - as above
