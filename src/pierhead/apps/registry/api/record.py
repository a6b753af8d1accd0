"""The caller's own calls, page by page; one of them whole; and what calls saved, for everyone.

Only ever the caller's own, auditors included: they read others' on the pages and with `pierhead audit`. Not here:
what the figures mean (`report_impact`).
"""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import asdict
from typing import Final

from pierhead.apps.registry.api.answers import Asked, moment
from pierhead.apps.registry.api.finding import page_size
from pierhead.core.errors import Invalid, NotFound
from pierhead.core.usage import ToolUse
from pierhead.usecases.ports_records import CallRow, Filter
from pierhead.usecases.report_impact import FORMULA, METHOD, RANGE_FORMULA, report_impact

DECISIONS: Final = ("permit", "refuse", "ask")
_PERIOD: Final = re.compile(r"([0-9]{1,4})([mhdw])")
_SECONDS: Final = {"m": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400}
_PLACE: Final = re.compile(r"([0-9]{1,15})\.([!-~]{1,200})")
_STATED_AT: Final = "minutes_stated_at"
_NOT_AS_KEPT: Final = frozenset({"call_id", "at", "groups", _STATED_AT})
_USUAL_PAGE: Final = 50
_LARGEST_PAGE: Final = 200


async def calls(asked: Asked) -> object:
    """A page of the caller's calls, newest first; `next` is the cursor of the page after, null at the end."""
    query = asked.query("since", "server", "tool", "decision", "limit", "cursor")
    limit = page_size(query.get("limit"), _USUAL_PAGE, _LARGEST_PAGE)
    wanted = Filter(
        since=_since(asked, query),
        principal=asked.caller.name,
        server=query.get("server", ""),
        tool=query.get("tool", ""),
        decision=_decision(query["decision"]) if "decision" in query else "",
        limit=limit + 1,
        before=_place(query["cursor"]) if "cursor" in query else None,
    )
    rows = await asked.site.records.calls(wanted)
    shown = rows[:limit]
    return {"calls": [_call(row) for row in shown], "next": _cursor(shown[-1]) if len(rows) > limit else None}


async def call(asked: Asked) -> object:
    """One call with every record of it.

    Errors: NotFound, alike for what is not there and what is another's.
    """
    asked.query()
    row = await asked.site.records.call(str(asked.request.path_params["id"]))
    if row is None or row.principal != asked.caller.name:
        raise NotFound("no such call, or not yours to see", hint="GET /api/v1/calls lists yours")
    facts = await asked.site.records.facts_of(row.call_id)
    return {**_call(row), "records": [{**asdict(fact), "at": moment(fact.at)} for fact in facts]}


async def impact(asked: Asked) -> object:
    """Time saved, for everyone together, with formulas and method."""
    found = await report_impact(asked.site.records, _since(asked, asked.query("since")))
    return {
        **asdict(found),
        "since": moment(found.since),
        "tools": [_use(use) for use in found.tools],
        "formula": FORMULA,
        "range_formula": RANGE_FORMULA,
        "method": METHOD,
    }


def _use(use: ToolUse) -> Mapping[str, object]:
    saved = use.saved
    return {**asdict(use), "hours": saved.gross / 60, "hours_low": saved.low / 60, "hours_high": saved.high / 60}


def _call(row: CallRow) -> Mapping[str, object]:
    content = {name: value for name, value in asdict(row).items() if name not in _NOT_AS_KEPT}
    stated = moment(row.minutes_stated_at) if row.minutes_stated_at else None
    return {"id": row.call_id, "at": moment(row.at), **content, _STATED_AT: stated}


def _since(asked: Asked, query: Mapping[str, str]) -> float:
    """The start of the period, in seconds since 1970-01-01 UTC."""
    return max(0.0, asked.site.now() - seconds_back(query.get("since", "30d")))


def seconds_back(text: str) -> int:
    """A period in seconds: 30d. Errors: Invalid."""
    found = _PERIOD.fullmatch(text)
    if found is None:
        raise Invalid("since is no period", hint="write a number and m, h, d or w: 30d")
    return int(found[1]) * _SECONDS[found[2]]


def _decision(text: str) -> str:
    if text not in DECISIONS:
        raise Invalid("no such decision", hint=f"one of {', '.join(DECISIONS)}")
    return text


def _cursor(row: CallRow) -> str:
    return urlsafe_b64encode(f"{round(row.at * 1000)}.{row.call_id}".encode()).rstrip(b"=").decode()


def _place(cursor: str) -> tuple[float, str]:
    """Where a page ended."""
    try:
        text = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
    except ValueError:
        text = ""
    found = _PLACE.fullmatch(text)
    if found is None:
        raise Invalid("the cursor is none of ours", hint="send `next` of the page before, or start without one")
    return int(found[1]) / 1000, found[2]
