"""What people no longer have: take it from them at once, give it back, and see what is in force. For administrators.

A provider's own withdrawal comes in by other ways (`usecases/reconfirm_people`, `oauth`); this is for people and for
programs that hear of it first. Not here: what it means (`usecases/withdraw_person`).
"""

from typing import Annotated

from pydantic import Field

from pierhead.apps.registry.api.answers import Asked, moment
from pierhead.apps.registry.api.bodies import Name, Sentence, Strict, read_body
from pierhead.core.errors import Forbidden
from pierhead.core.federation import LONGEST_NAME
from pierhead.usecases.withdraw_person import end_everything, restore_groups, withdraw_groups

_Person = Annotated[str, Field(min_length=1, max_length=LONGEST_NAME)]
_Groups = Annotated[list[Name], Field(max_length=100)]


class Revoking(Strict):
    """Of whom, and which groups; none means all that was issued until now."""

    person: _Person
    groups: _Groups = Field(default_factory=list)
    reason: Sentence


class Restoring(Strict):
    """Which groups count again."""

    person: _Person
    groups: Annotated[list[Name], Field(min_length=1, max_length=100)]
    reason: Sentence


async def withdrawn(asked: Asked) -> object:
    """What is withdrawn now. Errors: Forbidden."""
    asked.query()
    _admin(asked)
    found = asked.site.snapshots.current().withdrawn
    people = sorted(found.people.values(), key=lambda one: one.person)
    return {
        "people": [
            {
                "person": one.subject,
                "issuer": one.issuer,
                "groups": sorted(one.groups),
                "void_before": moment(one.before) if one.before else None,
            }
            for one in people
        ]
    }


async def revoke(asked: Asked) -> object:
    """Take groups from a person, or everything that was issued to them until now. Errors: Forbidden; Invalid."""
    asked.query()
    by, desk = _admin(asked), asked.site.people
    said = await read_body(Revoking, asked, "revokePerson")
    if said.groups:
        await withdraw_groups(said.person, frozenset(said.groups), by, said.reason, desk)
    else:
        await end_everything(said.person, by, said.reason, desk)
    return _state(asked, said.person)


async def restore(asked: Asked) -> object:
    """Let groups count again. Errors: Forbidden; Invalid; NotFound."""
    asked.query()
    by = _admin(asked)
    said = await read_body(Restoring, asked, "restorePerson")
    await restore_groups(said.person, frozenset(said.groups), by, said.reason, asked.site.people)
    return _state(asked, said.person)


def _state(asked: Asked, person: str) -> object:
    found, issuer = asked.site.snapshots.current().withdrawn, asked.site.people.issuer
    before = found.before(issuer, person)
    return {
        "person": person,
        "issuer": issuer,
        "groups": sorted(found.groups_of(issuer, person)),
        "void_before": moment(before) if before else None,
    }


def _admin(asked: Asked) -> str:
    """The name of the administrator who asks."""
    who = asked.caller.person
    if who is None or asked.site.admins.isdisjoint(asked.caller.groups):
        hint = f"ask a member of {', '.join(sorted(asked.site.admins))}"
        raise Forbidden("what people have is for administrators to take", hint=hint, code="not-yours")
    return who.subject
