"""Connect an AI client: which entries its file must hold, which it holds, and what there is to change.

Another's entry of the same name is never replaced unasked. What a person added to an entry of ours stays. Not here:
text and disk (the port `ClientFiles`), which servers (`reachable` is asked by the command).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import cast

from pierhead.core.ai_client import AiClient, Connection, Machine, Scope
from pierhead.core.errors import Conflict, Invalid
from pierhead.usecases.ports_clients import ClientFiles, Edit, KeptFile

Document = Mapping[str, object]


class Standing(StrEnum):
    """How an entry stands in a client's file."""

    CURRENT = "current"
    ABSENT = "absent"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Found:
    """One entry: what it must be, and how it stands."""

    name: str
    standing: Standing
    wanted: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Plan:
    """What connecting will do to one file. `text` is the file as it will be."""

    kept: KeptFile
    found: tuple[Found, ...]
    text: str

    @property
    def changes(self) -> bool:
        return self.text != self.kept.text


def path_of(client: AiClient, scope: Scope | None, machine: Machine) -> str:
    """The client's file on that machine. Errors: Invalid (`client-without-file`)."""
    scopes = client.scopes()
    chosen = scope or next(iter(scopes), None)
    place = client.place(chosen) if chosen else None
    path = place.on(machine) if place else ""
    if path:
        return path
    if place is None and scopes:
        hint = f"its file serves one {scopes[0]}: --scope {scopes[0]}"
    else:
        hint = "add --print, then paste it where the client says"
    what = f"no file for one {chosen}" if chosen else "no file that another program may write"
    raise Invalid(f"{client.name} has {what} on {machine.system}", hint=hint, code="client-without-file")


def look(client: AiClient, connections: Sequence[Connection], document: Document) -> tuple[Found, ...]:
    """How each server's entry stands in that document."""
    present = _entries(client, document)
    return tuple(
        Found(each.name, _standing(client, wanted, present.get(each.name)), wanted)
        for each in connections
        for wanted in (client.entry_of(each),)
    )


def _entries(client: AiClient, document: Document) -> Document:
    """The entries of a file by name, whoever wrote them."""
    inner: object = document
    for key in client.top:
        inner = cast("Document", inner).get(key) if isinstance(inner, dict) else None
    if client.is_list and isinstance(inner, list):
        items = [cast("Document", item) for item in cast("list[object]", inner) if isinstance(item, dict)]
        return {str(item.get("name")): item for item in items}
    return cast("Document", inner) if isinstance(inner, dict) else {}


def _standing(client: AiClient, wanted: Document, present: object) -> Standing:
    if present is None:
        return Standing.ABSENT
    if not isinstance(present, dict):
        return Standing.OTHER
    there = cast("Document", present)
    binding = wanted.keys() - client.preferences
    return Standing.CURRENT if all(there.get(key) == wanted[key] for key in binding) else Standing.OTHER


def plan(
    client: AiClient, connections: Sequence[Connection], kept: KeptFile, files: ClientFiles, *, force: bool
) -> Plan:
    """What there is to do. Errors: Conflict (`client-entry-taken`), unless `force`; Invalid."""
    found = look(client, connections, kept.document)
    taken = [each.name for each in found if each.standing is Standing.OTHER]
    if taken and not force:
        message = f"{kept.path} has another entry called {', '.join(taken)}"
        raise Conflict(message, hint="keep it, or replace it with --force; a backup is made", code="client-entry-taken")
    return Plan(kept, found, files.edited(kept, _edits(client, found, kept)))


def _edits(client: AiClient, found: Sequence[Found], kept: KeptFile) -> list[Edit]:
    changed = [each for each in found if each.standing is not Standing.CURRENT]
    begun = [Edit((key,), value) for key, value in client.begin.items() if not kept.document] if changed else []
    if client.is_list:
        return begun + [Edit(client.top, each.wanted, each.name) for each in changed]
    return begun + [Edit((*client.top, each.name), each.wanted) for each in changed]


def refuse_drift(path: str, found: Sequence[Found]) -> None:
    """Errors: Conflict (`client-entry-taken`), for one that points elsewhere; Invalid (`check-failed`), for none."""
    other = [each.name for each in found if each.standing is Standing.OTHER]
    if other:
        message = f"{path}: {', '.join(other)} points elsewhere"
        raise Conflict(message, hint="correct it with pierhead connect --force", code="client-entry-taken")
    absent = [each.name for each in found if each.standing is Standing.ABSENT]
    if absent:
        message = f"{path} has no entry for {', '.join(absent)}"
        raise Invalid(message, hint="add it with pierhead connect", code="check-failed")
