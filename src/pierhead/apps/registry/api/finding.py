"""Pages of servers: by name, from where the page before ended, filtered by what a caller typed.

Search reads what the caller is shown and nothing else: a tool that they may not use finds no server. A long search
lets other requests in between. Not here: what a server looks like in an answer (`catalogue`).
"""

import asyncio
from bisect import bisect_right
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from pierhead.core.catalog import Server, Tool
from pierhead.core.errors import Invalid
from pierhead.core.snapshot import Snapshot

USUAL_PAGE: Final = 100
LARGEST_PAGE: Final = 200
_LONGEST_SEARCH: Final = 200
_AT_ONCE: Final = 50
"""Servers looked at before others get their turn: a few milliseconds."""


@dataclass(frozen=True, slots=True)
class Page:
    """Servers in the order of their names; `next` is the cursor of the page after, None at the end."""

    servers: tuple[Server, ...]
    next: str | None


@dataclass(frozen=True, slots=True)
class Search:
    """What is asked for. `text` is lower-case; `after` the name that the page before ended with."""

    text: str
    after: str
    limit: int


def search_of(query: Mapping[str, str]) -> Search:
    """Errors: Invalid."""
    text = query.get("search", "").strip().lower()
    if len(text) > _LONGEST_SEARCH:
        raise Invalid(f"search is longer than {_LONGEST_SEARCH} characters", hint="a word or two find more")
    return Search(text, query.get("cursor", ""), page_size(query.get("limit"), USUAL_PAGE, LARGEST_PAGE))


def page_size(text: str | None, usual: int, largest: int) -> int:
    """How many to a page; `usual`, if nothing was said. Errors: Invalid."""
    if text is None:
        return usual
    number = int(text) if text.isascii() and text.isdigit() and len(text) <= len(str(largest)) else 0
    if not 1 <= number <= largest:
        raise Invalid(f"limit is no number from 1 to {largest}", hint="ask for the next page with cursor")
    return number


Shown = Callable[[Server], bool]
Tools = Callable[[Server], tuple[Tool, ...]]


async def find(snapshot: Snapshot, search: Search, is_shown: Shown, tools_of: Tools) -> Page:
    """One page. `tools_of` are the tools that the caller is shown of a server."""
    names = sorted(snapshot.servers)
    found: list[Server] = []
    for place, name in enumerate(names[bisect_right(names, search.after) :], start=1):
        server = snapshot.servers[name]
        if is_shown(server) and _matches(server, search.text, tools_of):
            found.append(server)
            if len(found) > search.limit:
                return Page(tuple(found[:-1]), found[-2].name)
        if place % _AT_ONCE == 0:
            await asyncio.sleep(0)
    return Page(tuple(found), None)


def _matches(server: Server, text: str, tools_of: Tools) -> bool:
    if text in f"{server.name} {server.title} {server.owner} {server.description}".lower():
        return True
    named = {
        tool.name for tool in server.tools.values() if text in tool.name.lower() or text in tool.description.lower()
    }
    return bool(named) and any(tool.name in named for tool in tools_of(server))
