"""Enrolling a server whose process its team runs: its owner is given that process's credential, once.

The credential opens, of the registry, only what is about that server (`apps/registry/enrolled`), and lets the process
check that the gateway sent a call. A new one ends the one before; one of a retired server is worth nothing. Above:
pages, API, command line. Not here: registering it (`register_server`), what its process then says.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, cast

from pierhead.core.audit_enrolment import EnrolmentEnded, ServerEnrolled
from pierhead.core.catalog import Stage
from pierhead.core.chain import read_line
from pierhead.core.enrolment import Enrolment
from pierhead.core.errors import Forbidden, Invalid
from pierhead.core.identity import Caller
from pierhead.core.server_key import (
    ID_BYTES,
    SECRET_BYTES,
    ServerKey,
    assertion_label,
    check_server_key,
    new_server_key,
    server_named_in,
    unknown_server_key,
)
from pierhead.usecases.ports_catalogue import Entry
from pierhead.usecases.registry_desk import RegistryDesk, entry_of, put_in_force
from pierhead.usecases.rights import is_owner, person_of, require

_CALLS: Final = frozenset({"call-started", "call-refused"})
_AT_ITS_DOOR: Final = frozenset({"sign-in-failed"})
_ENDS: Final = frozenset({"call-finished", "call-lost"})


@dataclass(frozen=True, slots=True)
class EnrolmentDesk:
    """Where credentials of servers are made. `chance` gives so many random bytes, `assertion_key` what is derived
    for a label (`server_key.assertion_label`); `policy_key` is what policy is verified with, `platform` our address.
    """

    registry: RegistryDesk
    platform: str
    policy_key: bytes
    assertion_key: Callable[[str], bytes] = field(repr=False)
    chance: Callable[[int], bytes] = field(repr=False)


async def enrol_server(server: str, caller: Caller, desk: EnrolmentDesk) -> Enrolment:
    """Make the credential of that server's process; the one before is no longer good.

    Errors: NotFound; Forbidden (`not-yours`, `person-needed`); Invalid (`nothing-to-enrol`), for a server that the
    platform runs, or that was retired.
    """
    by, registry = person_of(caller), desk.registry
    entry = await entry_of(server, registry)
    require("" if is_owner(entry, caller, registry.rights) else f"{server} is enrolled by its owner")
    place = registry.declarations.read(server, entry.document).place
    if not place:
        raise Invalid(
            f"the platform itself runs the process of {server}: nothing is to be enrolled",
            hint="only a server of kind python, with a url, is run by its team",
            code="nothing-to-enrol",
        )
    if await _is_retired(entry, registry):
        message = f"{server} is retired: no process of it is told anything"
        raise Invalid(message, hint="register it under another name", code="nothing-to-enrol")
    chance = desk.chance(ID_BYTES + SECRET_BYTES)
    bearer, key = new_server_key(server, by, registry.clock.now(), chance)
    await registry.source.keys.keep_key(key, ServerEnrolled(server, key.id, by))
    await put_in_force(server, by, registry)
    return Enrolment(
        server=server,
        listens=place,
        platform=desk.platform,
        bearer=bearer,
        assertion=desk.assertion_key(assertion_label(server, key.id)).hex(),
        policy=desk.policy_key.hex(),
    )


async def end_enrolment(server: str, reason: str, caller: Caller, registry: RegistryDesk) -> None:
    """Take a server's credential back: at once it opens nothing, and no call reaches its process.

    Errors: NotFound; Forbidden (`not-yours`, `person-needed`); Invalid (`nothing-to-enrol`), if it has none.
    """
    by = person_of(caller)
    entry = await entry_of(server, registry)
    require("" if is_owner(entry, caller, registry.rights) else f"{server} is enrolled by its owner")
    known = await registry.source.keys.key(server)
    if known is None:
        message = f"{server} has no credential"
        raise Invalid(message, hint="make one: pierhead server enrol", code="nothing-to-enrol")
    fact = EnrolmentEnded(server, known.id, by, reason)
    await registry.source.keys.end_key(server, registry.clock.now(), fact)
    await put_in_force(server, by, registry)


async def server_of_bearer(bearer: str, registry: RegistryDesk) -> ServerKey:
    """The key that a server's process presents, of a server that still lives. Errors: Unauthenticated."""
    server = server_named_in(bearer)
    found = check_server_key(bearer, await registry.source.keys.key(server))
    entry = await registry.catalogue.entry(server)
    if entry is None or await _is_retired(entry, registry):
        raise unknown_server_key()
    return found


def check_own_facts(server: str, lines: Sequence[bytes]) -> None:
    """A server's process tells of its own calls, of whom it turned away at its door, and of nothing else.

    Errors: Invalid (`record-unreadable`); Forbidden (`not-its-own`).
    """
    for line in lines:
        fact = _fact(line)
        kind, about = fact.get("kind"), fact.get("server")
        is_its_own = kind in _ENDS or (kind in _CALLS and about == server)
        if not is_its_own and not (kind in _AT_ITS_DOOR and about in {server, ""}):
            raise not_its_own(server)


def not_its_own(server: str) -> Forbidden:
    """What a server's process hears that asks for another, or tells of one."""
    message = f"the key of {server} is good for what is about {server} alone"
    return Forbidden(message, hint="each server has a key of its own", code="not-its-own")


def _fact(line: bytes) -> dict[str, object]:
    try:
        fact: object = json.loads(read_line(line).payload)
    except ValueError:
        fact = None
    if not isinstance(fact, dict):
        raise Invalid(
            "a record holds no fact", hint="send each line as it stands in the journal", code="record-unreadable"
        )
    return cast("dict[str, object]", fact)


async def _is_retired(entry: Entry, registry: RegistryDesk) -> bool:
    versions = await registry.catalogue.versions(entry.name)
    return any(each.version == entry.current and each.stage is Stage.RETIRED for each in versions)
