"""Times as requests write them: RFC 3339 with an offset. Not here: how answers write them (`answers.moment`)."""

from datetime import datetime
from typing import Annotated

from pydantic import Field

from pierhead.core.errors import Invalid

Time = Annotated[str, Field(max_length=40)]


def seconds_of(text: str, member: str) -> float | None:
    """Seconds since 1970-01-01 UTC; None for no text. Errors: Invalid."""
    if not text:
        return None
    try:
        read = datetime.fromisoformat(text)
        if read.tzinfo is not None:
            return read.timestamp()
    except (ValueError, OverflowError):
        pass
    raise Invalid(f"{member} is no time", hint="write it as 2027-03-31T00:00:00Z")
