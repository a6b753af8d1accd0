"""Registering a server, and changing what is declared of it. Either way nothing of it can be called by that alone.

Above: pages, API, command line. Below: `registry_desk`. Not here: its versions (`publish_version`), their life
(`advance_server`), the operator's own fleet file (`trust_fleet`).
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from pierhead.core.audit import EntryChanged, Fact
from pierhead.core.errors import Conflict, Forbidden, Invalid
from pierhead.core.identity import Caller
from pierhead.core.json import Json
from pierhead.usecases.check_definitions import check_document, refuse_hostile
from pierhead.usecases.check_guest import REGISTRABLE, check_guest
from pierhead.usecases.entry_shown import shown
from pierhead.usecases.ports_catalogue import Change, Entry, Origin
from pierhead.usecases.registry_desk import RegistryDesk, commit, entry_of, put_in_force
from pierhead.usecases.rights import is_owner, may_register, person_of, require
from pierhead.usecases.vet_offer import REGISTER, vetted

_NAME: Final = re.compile(r"[a-z][a-z0-9-]{0,62}")
#: Names that no server has: a page of ours stands there, and the front desk is called so in clients' files.
RESERVED: Final = frozenset({"register", "pierhead"})


async def register_server(name: str, document: Mapping[str, Json], caller: Caller, desk: RegistryDesk) -> Entry:
    """Take in a server that somebody offers.

    Errors: Forbidden (`not-yours`, `person-needed`, `kind-not-registrable`); Invalid (`bad-entry`,
    `guest-not-allowed`, `hostile-definition`); Conflict (`name-taken`); as `vetted`.
    """
    by = person_of(caller)
    require(may_register(caller, desk.rights))
    if not _NAME.fullmatch(name):
        raise Invalid(
            f"{name[:80]!r} is no name of a server",
            hint="a letter, then lower-case letters, digits and -, at most 63",
            code="bad-entry",
        )
    if name in RESERVED:
        message = f"{name!r} is no name of a server: something of ours is called so"
        raise Invalid(message, hint="choose another name", code="bad-entry")
    _check(name, document, desk)
    others = await desk.catalogue.entries()
    refuse_hostile(check_document(name, document, others))
    if name in others:
        raise Conflict(f"there is a server {name!r} already", hint="choose another name", code="name-taken")
    entry = Entry(name, dict(document), Origin.REGISTERED, by, desk.clock.now(), current="", lock=0)
    facts = await vetted(REGISTER, (name, ""), by, {"entry": shown(entry.document)}, desk)
    await _commit_new(entry, facts, desk)
    return await entry_of(name, desk)


async def change_entry(name: str, document: Mapping[str, Json], lock: int, caller: Caller, desk: RegistryDesk) -> Entry:
    """Declare something else of a server. What that opens or alters comes in force with its next reviewed version.

    Errors: as `register_server`; NotFound; Conflict (`changed-meanwhile`), if `lock` is not the one it has now.
    """
    by = person_of(caller)
    entry = await entry_of(name, desk)
    require("" if is_owner(entry, caller, desk.rights) else f"{name} is changed by its owner")
    if entry.origin is Origin.FLEET:
        raise Forbidden(f"{name} stands in the operator's fleet file", hint="change it there", code="not-yours")
    _check(name, document, desk)
    refuse_hostile(check_document(name, document, ()))
    members = changed_members(entry.document, document)
    if not members:
        return entry
    # another owner ends the right of whoever registered it: people leave, and their servers stay
    answers = by if "owner" in members else entry.by
    changed = replace(entry, document=dict(document), by=answers, lock=lock)
    await commit(Change((EntryChanged(name, members, by),), entries=(changed,)), desk)
    await put_in_force(name, by, desk)
    return await entry_of(name, desk)


def changed_members(before: Mapping[str, Json], after: Mapping[str, Json]) -> tuple[str, ...]:
    """The names of the members that differ."""
    return tuple(sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name)))


def _check(name: str, document: Mapping[str, Json], desk: RegistryDesk) -> None:
    """A registered server runs and reaches nothing that an administrator did not allow."""
    declared = desk.declarations.read(name, document)
    if declared.kind not in REGISTRABLE:
        raise Forbidden(
            f"a server of kind {declared.kind} is for the operator to declare",
            hint=f"register one of kind {', '.join(sorted(REGISTRABLE))}, or ask for a place in the fleet file",
            code="kind-not-registrable",
        )
    check_guest(name, document, desk.rights.guests)


async def _commit_new(entry: Entry, vetting: tuple[Fact, ...], desk: RegistryDesk) -> None:
    fact = EntryChanged(entry.name, tuple(sorted(entry.document)), entry.by)
    try:
        await commit(Change((*vetting, fact), entries=(entry,)), desk)
    except Conflict:
        message = f"there is a server {entry.name!r} already"
        raise Conflict(message, hint="choose another name", code="name-taken") from None
