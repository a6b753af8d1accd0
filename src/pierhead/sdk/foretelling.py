"""What people read of a call they are asked about: a sentence that the server makes from the arguments.

    @server.tool(..., proposal="delete the bookings of {carrier}", undo="restore last night's backup")

A value stands in quotation marks and is cut, so that no argument can pass for words of the server. Not here: tools that
carry out a plan, whose plan says all this (`plan`).
"""

import logging
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from pierhead.core.call import canonical
from pierhead.core.foreseen import Foreseen
from pierhead.core.identity import Caller
from pierhead.core.json import Json
from pierhead.sdk.authorize import Foresees

Proposal = str | Callable[[Mapping[str, Json]], str]
"""The sentence, with `{argument}` for values, or a function of the arguments that says it."""

_PLACE: Final = re.compile(r"\{(\w+)\}")
_LONGEST_VALUE: Final = 80
_LONGEST: Final = 300
_LOG: Final = logging.getLogger(__name__)


def foretold(proposal: Proposal, undo: str) -> Foresees:
    """Fills `Declaration.foresees`."""

    async def foresees(arguments: Mapping[str, Json], caller: Caller) -> Foreseen:
        del caller
        return Foreseen(_said(proposal, arguments)[:_LONGEST], undo)

    return foresees


def names_in(proposal: Proposal) -> Iterator[str]:
    """The arguments that a sentence names."""
    return (found[1] for found in _PLACE.finditer(proposal)) if isinstance(proposal, str) else iter(())


def _said(proposal: Proposal, arguments: Mapping[str, Json]) -> str:
    """The sentence; empty where the function that says it fails, and people read the tool's name instead."""
    if isinstance(proposal, str):
        return _PLACE.sub(lambda found: quoted(arguments.get(found[1])), proposal)
    try:
        return str(proposal(arguments))
    except Exception:  # noqa: BLE001 - an author's function may raise anything
        _LOG.exception("the sentence of a tool cannot be told from its arguments")
        return ""


def quoted(value: Json) -> str:
    """A value inside a sentence of ours, as JSON has it."""
    text = canonical(value).decode()
    if len(text) <= _LONGEST_VALUE:
        return text
    return text[: _LONGEST_VALUE - 1] + "…" + ('"' if isinstance(value, str) else "")
