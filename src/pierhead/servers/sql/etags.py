"""ETags: a digest of one row as a role sees it, and If-Match against it.

A hidden column changes no tag, and a masked one counts as masked: a tag tells nothing that the row does not. Cells
are told apart by type and hashed whole, never as cut for an answer. Not here: fetching or locking the row.
"""

import base64
import hashlib
from collections.abc import Sequence

from pierhead.sdk import Invalid
from pierhead.servers.sql.whole_cells import whole


def etag(columns: Sequence[str], row: Sequence[object]) -> str:
    """The strong tag of a row: driver values, in the order of `columns`."""
    told: list[str] = []
    for name, value in zip(columns, row, strict=True):
        cell = whole(value)
        text = "" if cell is None else str(cell)
        told.append(f"{len(name)}:{name}={type(cell).__name__}{len(text)}:{text};")
    digest = hashlib.sha256("".join(told).encode("utf-8", "surrogatepass")).digest()
    return '"' + base64.urlsafe_b64encode(digest[:18]).decode() + '"'


def state(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """The tag of many rows together, in whatever order they come."""
    tags = sorted(etag(columns, row[: len(columns)]) for row in rows)
    return hashlib.sha256(" ".join(tags).encode()).hexdigest()


def matches(if_match: str, current: str) -> bool:
    """Whether the header, or the argument, names `current`. `*` is any row there is; weak tags never match."""
    wanted = [part.strip() for part in if_match.split(",")]
    return "*" in wanted or current in (_quoted(part) for part in wanted)


def _quoted(part: str) -> str:
    return part if part.startswith(('"', "W/")) else f'"{part}"'


def changed() -> Invalid:
    return Invalid(
        "the row is not the one you read: it was changed, or is gone; nothing was written",
        hint="read it again, and send its new ETag",
        code="precondition-failed",
    )


def needed() -> Invalid:
    return Invalid(
        "your role writes this table only with if_match",
        hint="read the row, and send the ETag you got",
        code="precondition-required",
    )
