"""What every card of an approval is made of: the question as its title, what would change, why, and what it costs.

The words about the action are the server's, made from its arguments. What an agent said stands apart, as theirs. Above:
`page_approval`, `page_batch`. Not here: the buttons.
"""

from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import urlsplit

import htpy as h

from pierhead.apps.registry.approval_shown import ApprovalLine, ApprovalWhole
from pierhead.apps.registry.web.parts import (
    Column,
    absolute,
    count,
    exact_json,
    facts,
    folded,
    table,
    theirs,
    titled,
    visible,
)
from pierhead.core.foreseen import Foreseen, Planned
from pierhead.core.json import Json

_MOST_COLUMNS: Final = 20


def question(line: ApprovalLine) -> h.Node:
    """Verb, object, environment: "Delete 3 rows of weather in prod"."""
    return [_does(line), " in ", h.strong[visible(line.environment)]]


def _does(line: ApprovalLine) -> h.Node:
    if line.does:
        return visible(f"{line.does[:1].upper()}{line.does[1:]}")
    return ["Run ", h.code[visible(line.tool)], " on ", h.bdi[visible(line.server)]]


def until(line: ApprovalLine, now: float) -> h.Node:
    """When it ends, and how long that is; a script counts down."""
    left = max(0, int(line.expires_at - now))
    return [absolute(line.expires_at), " · ", h.span(class_="quiet", data_left=str(left))[f"{left // 60} min left"]]


def change(known: ApprovalWhole, *, mark: str = "") -> h.Node:
    """What would change, and the exact arguments; those fold away where a plan says it all."""
    plan = known.foreseen.plan
    arguments = exact_json(known.arguments, "Arguments")
    if plan is None:
        return titled("What would run", arguments, identity=f"arguments{mark}")
    return [
        titled("What would change", *_planned(plan, f"What {known.line.id} would change"), identity=f"plan{mark}"),
        h.section(class_="stack", id=f"arguments{mark}")[
            h.h2["What would run"],
            folded(
                "The exact arguments, and what the plan was made with",
                h.div(class_="stack")[
                    arguments,
                    h.p["Planned by ", h.code[visible(plan.made_by)], " with"],
                    exact_json(plan.arguments, "Arguments of the plan"),
                ],
            ),
        ],
    ]


def _planned(plan: Planned, label: str) -> Sequence[h.Node]:
    shown = len(plan.first)
    told = f"{count(plan.count, 'thing', 'things')} in all"
    if shown < plan.count:
        told += f", the first {shown} of them here" if shown else "; none of them is listed"
    return [h.p(class_="read")[f"{told}. If anything of it changes, nothing runs."], _items(plan.first, label)]


def _items(items: Sequence[Json], label: str) -> h.Node:
    """A table where the items are alike, the items one by one where they are not."""
    rows = [item for item in items if isinstance(item, Mapping)]
    if not items:
        return None
    heads = list(rows[0]) if rows else []
    if len(rows) == len(items) and 0 < len(heads) <= _MOST_COLUMNS and all(list(row) == heads for row in rows):
        columns = [Column(visible(head)) for head in heads]
        return table(label, columns, [[_cell(row[head]) for head in heads] for row in rows])
    return h.ul(class_="stack")[(h.li[exact_json(item, "One of what would change")] for item in items)]


def _cell(value: Json) -> h.Node:
    if isinstance(value, str):
        return h.bdi[visible(value)]
    return h.span(class_="quiet")["none"] if value is None else str(value)


def reason(known: ApprovalWhole, *, mark: str = "") -> h.Node:
    """The agent's own words, marked as such; nobody has checked them."""
    if not known.reason:
        return None
    said = h.p(class_="quiet")["Said by whoever called, and checked by nobody:"]
    return titled("Why", said, theirs(known.reason), identity=f"why{mark}")


def consequences(foreseen: Foreseen) -> h.Node:
    """What it costs, whether it can be taken back, and what to look at."""
    pairs: list[tuple[str, h.Node]] = [
        ("Cost", visible(foreseen.cost) if foreseen.cost else "not estimated"),
        ("Way back", visible(foreseen.undo) if foreseen.undo else "the server names none: take it as final"),
        ("Evidence", [_link(each) for each in foreseen.evidence] or "none was given"),
    ]
    return titled("Consequences", facts(pairs), identity="consequences")


def _link(address: str) -> h.Element:
    """A link that a server gave: opened apart, and only if it is one of the web."""
    if urlsplit(address).scheme not in {"http", "https"}:
        return h.div[h.code[visible(address)]]
    return h.div[h.a(href=address, rel="noreferrer noopener", target="_blank")[visible(address)]]


def counting() -> h.Element:
    """The script that counts down, for pages with `until`."""
    return h.script(src="/-/static/countdown.js", defer=True)
