"""Scopes of tools as settings write them: a list, or from the environment words with blanks between.

Above: the sections `sign_in` and `mesh`. Not here: what a scope means (`core/scope`).
"""

from typing import Annotated

from pydantic import AfterValidator, BeforeValidator

from pierhead.core.scope import is_word


def words(given: object) -> object:
    """A text as the words in it; anything else as it is."""
    return tuple(given.split()) if isinstance(given, str) else given


def _known(given: tuple[str, ...]) -> tuple[str, ...]:
    odd = [scope for scope in given if not is_word(scope)]
    if odd:
        raise ValueError(f"{odd[0]!r} is no scope of tools: write mcp, mcp.read, NAME.read or NAME.write")
    return given


Scopes = Annotated[tuple[str, ...], BeforeValidator(words), AfterValidator(_known)]
