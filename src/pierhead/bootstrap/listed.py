"""A setting that is a list: in a file a list, in a variable of the environment a text with one item a line."""

from typing import Annotated

from pydantic import BeforeValidator


def _lines(given: object) -> object:
    return tuple(line.strip() for line in given.splitlines() if line.strip()) if isinstance(given, str) else given


Listed = Annotated[tuple[str, ...], BeforeValidator(_lines)]
