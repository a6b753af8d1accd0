"""Examples of a tool's arguments: what an author gives, as plain JSON, held to what the tool takes.

Two or more show what varies; one that the tool would not take stops the load, so that none is ever out of date.
Above: `authorize` reads them, `tool` holds them to the schema. Not here: who sees them (the registry's page).
"""

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Final, cast

from pierhead.core.errors import Invalid, Misconfigured
from pierhead.core.json import Json

_FEWEST: Final = 2
_MOST: Final = 10
_LONGEST: Final = 2_000


def read_examples(given: Iterable[Mapping[str, object]]) -> tuple[Mapping[str, Json], ...]:
    """The same as plain JSON.

    Shapes: none at all, or 2 to 10 objects of at most 2,000 characters each, no two of them alike.
    Errors: Misconfigured (`bad-declaration`).
    """
    texts = [_text(each) for each in given]
    if texts and not _FEWEST <= len(set(texts)) == len(texts) <= _MOST:
        message = f"{len(texts)} examples, of which {len(set(texts))} differ"
        raise _wrong(message, f"give {_FEWEST} to {_MOST} different ones, or leave examples out")
    if any(len(text) > _LONGEST for text in texts):
        raise _wrong("an example is too long", f"one has at most {_LONGEST:,} characters")
    return tuple(cast("Mapping[str, Json]", json.loads(text)) for text in texts)


def hold_examples(tool: str, examples: Iterable[Mapping[str, Json]], parse: Callable[[bytes], object]) -> None:
    """Each must be taken by `parse`. Errors: Misconfigured (`bad-declaration`), with what is wrong."""
    for number, example in enumerate(examples, 1):
        try:
            parse(json.dumps(example).encode())
        except Invalid as invalid:
            message = f"example {number} of {tool} is none: {invalid.message}"
            raise _wrong(message, "give arguments that the tool takes") from None


def _text(example: Mapping[str, object]) -> str:
    try:
        return json.dumps(dict(example), sort_keys=True)
    except (TypeError, ValueError):
        raise _wrong("an example is no JSON object", "give arguments as JSON has them") from None


def _wrong(message: str, hint: str) -> Misconfigured:
    return Misconfigured(message, hint=hint, code="bad-declaration")
