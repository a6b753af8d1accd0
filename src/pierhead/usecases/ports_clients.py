"""What connecting a client needs of the outside: its file, read, edited and replaced.

Below: nothing but values. Above: `connect_client`; the adapter is `adapters/client_files`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from pierhead.core.ai_client import Format


@dataclass(frozen=True, slots=True)
class KeptFile:
    """A client's file as it was read. One that is not there has no text and an empty document."""

    path: str
    written_as: Format
    text: str
    document: Mapping[str, object]
    is_there: bool


@dataclass(frozen=True, slots=True)
class Edit:
    """One value to put under these keys; where `item` names one, into the list there, for the item of that name."""

    place: tuple[str, ...]
    value: object
    item: str = ""


class ClientFiles(Protocol):
    """The files of AI clients on one machine."""

    def read(self, path: str, written_as: Format) -> KeptFile: ...

    def edited(self, kept: KeptFile, edits: Sequence[Edit]) -> str: ...

    def replace(self, kept: KeptFile, text: str) -> str: ...
