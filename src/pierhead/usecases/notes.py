"""What a running tool notes of its own call, for the record of how it ended.

`call_tool` opens a sheet around each run and records what stands on it, also when the tool fails. Kept are names,
numbers and digests; values of rows and of arguments have no place in a note. Above: `pierhead.sdk.note`.
"""

from collections.abc import Mapping
from contextvars import ContextVar
from typing import Final

from pierhead.core.json import Json

Sheet = dict[str, Json]

#: The notes of the call under way. A mutable sheet, so that threads and tasks of the same call write on one.
SHEET: Final[ContextVar[Sheet]] = ContextVar("pierhead_notes")


def note(**facts: Json) -> None:
    """Add facts to the record of the call that is running; a name noted again replaces what was noted before.

    Shapes: short texts, numbers, lists of names; about 4 KB a call are kept, the rest reads `[cut]`. A name that
    speaks of a secret is recorded without its value. Outside a call nothing happens.
    """
    note_all(facts)


def note_all(facts: Mapping[str, Json]) -> None:
    """The same, for facts that stand ready in a mapping."""
    sheet = SHEET.get(None)
    if sheet is not None:
        sheet.update(facts)
