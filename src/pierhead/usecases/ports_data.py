"""What the registry's data page needs from outside: the gateway's data lane, asked as the person who looks.

Filled by `adapters/data_lane`. Not here: what a page asks (apps/registry/web), what it may see (the server).
"""

from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class DataQuestion:
    """One request to a server's routes. `target` is path and query on the server; an empty `body` makes it a GET."""

    server: str
    target: str
    token: str = field(repr=False)
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class DataAnswer:
    """What came back, whole: rows, or a problem document."""

    status: int
    body: bytes


class DataLane(Protocol):
    """The way to every server's data."""

    async def ask(self, question: DataQuestion) -> DataAnswer:
        """Errors: UpstreamUnreachable, where the gateway does not answer."""
        ...
