"""How a server's page tells what its teams cost. Not here: which rows there are (`core/showback`)."""

from typing import Final

import htpy as h

from pierhead.apps.registry.web.parts import Column, empty, table, titled, visible
from pierhead.apps.registry.web.view_server import UseView
from pierhead.core.cost import Price
from pierhead.core.showback import LEAST_PEOPLE, Share, TeamCost

_NAMES: Final = {
    Share.OTHERS: "other people",
    Share.PROGRAMS: "programs without a person",
    Share.EVERYONE: f"everyone: fewer than {LEAST_PEOPLE} people are not told apart",
}


def showback_section(use: UseView) -> h.Node:
    """A row a team; nothing for those whom it is not told."""
    if use.showback is None:
        return None
    title = f"What teams cost, {use.days} days"
    if not use.showback:
        return titled(title, empty("Nobody called it."))
    price = use.cost.price
    columns = [Column("Team"), *(Column(head, is_number=True) for head in ("Calls", "People", "Result tokens"))]
    columns += [Column(price.currency, is_number=True)] if price else []
    told = f"At least, as its results cost a model. Teams of fewer than {LEAST_PEOPLE} people are among the others."
    return titled(
        title,
        h.p(class_="quiet")[told],
        table(title, columns, [_line(row, price) for row in use.showback]),
        identity="showback",
    )


def _line(row: TeamCost, price: Price | None) -> list[h.Node]:
    people = "not told" if row.people is None else f"{row.people:,}"
    return [
        h.bdi[visible(row.team)] if row.share is Share.TEAM else _NAMES[row.share],
        f"{row.calls:,}",
        people,
        f"{row.result_tokens:,}",
        *([f"{price.of(row.result_tokens):,.4f}"] if price else []),
    ]
