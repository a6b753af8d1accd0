"""Charts as SVG from the view's own figures: geometry in attributes, colour by class, the table stands beneath.

Axes start at zero. No chart carries what its table does not.
"""

from collections.abc import Sequence
from typing import Any, Final

import htpy as h

from pierhead.usecases.ports_records import DayOfCalls

_WIDTH: Final = 720
_HEIGHT: Final = 128
_GAP: Final = 0.3

_g: Any = h.Element("g")
_rect: Any = h.Element("rect")
_title: Any = h.Element("title")


def columns_chart(days: Sequence[DayOfCalls]) -> h.Node:
    """One column a day: calls that were permitted, and on top of them refusals.

    The drawing is stretched to its place, so words stand outside it.
    """
    most = max((day.calls + day.refused for day in days), default=0)
    top = _round_up(most)
    said = f"Calls a day, at most {most:,}; refusals stand on top of each column."
    step = _WIDTH / max(len(days), 1)
    box = f"0 0 {_WIDTH} {_HEIGHT}"
    return h.figure[
        h.div(class_="ends")[h.span[f"{top:,} calls"], h.span["Refusals on top, in red"]],
        h.svg(class_="chart", viewBox=box, preserveAspectRatio="none", role="img", aria_label=said)[
            _title[said], [_column(day, index * step, step, top) for index, day in enumerate(days)]
        ],
        h.div(class_="ends")[h.span[days[0].day], h.span[days[-1].day]] if days else None,
    ]


def _column(day: DayOfCalls, left: float, step: float, top: int) -> h.Node:
    scale = _HEIGHT / top
    permitted, refused = day.calls * scale, day.refused * scale
    x, width = left + step * _GAP / 2, step * (1 - _GAP)
    return _g[
        _title[f"{day.day}: {day.calls:,} calls, {day.refused:,} refused"],
        _bar("ok", x, _HEIGHT - permitted, width, permitted),
        _bar("no", x, _HEIGHT - permitted - refused, width, refused),
    ]


def _bar(kind: str, x: float, y: float, width: float, height: float) -> h.Node:
    if height <= 0:
        return None
    return _rect(class_=kind, x=f"{x:.1f}", y=f"{y:.1f}", width=f"{width:.1f}", height=f"{height:.1f}")


def _round_up(most: int) -> int:
    """The next figure of one digit and zeros: an axis that reads well."""
    size = 10 ** (len(str(max(most, 1))) - 1)
    return -(-max(most, 1) // size) * size
