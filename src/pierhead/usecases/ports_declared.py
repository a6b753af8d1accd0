"""What an entry's document declares, read: the port, since only bootstrap knows the form of a fleet file's server."""

from collections.abc import Mapping
from typing import Protocol

from pierhead.core.catalog import Risk
from pierhead.core.json import Json
from pierhead.core.reach import Row
from pierhead.core.rule import Who


class DeclaredServer(Protocol):
    """One server as a fleet file or a registration declares it. No rows: nobody reaches it."""

    @property
    def name(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def owner(self) -> str: ...
    @property
    def support(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def description(self) -> str: ...
    @property
    def version(self) -> str:
        """The version it is declared to be; empty where its manifest says it."""
        ...

    @property
    def risk(self) -> Risk: ...
    @property
    def rows(self) -> tuple[Row, ...]: ...
    @property
    def narrowed(self) -> Mapping[str, Who]: ...
    @property
    def is_guest(self) -> bool:
        """Nobody here wrote it: its program may change while its entry does not."""
        ...


class Declarations(Protocol):
    """Reads documents."""

    def read(self, name: str, document: Mapping[str, Json]) -> DeclaredServer:
        """The server that `document` declares.

        Shapes: what stands under one server's name in a fleet file.
        Errors: Invalid (`bad-entry`), every fault with its place.
        """
        ...
