"""A server's versions: publishing one, its steps in life, going back, and how two of them differ.

Who may do what is the use cases' to say; answers name the steps that the caller may take now. Below: `publish_version`,
`advance_server`, `read_reviews`. Not here: what people sign (`reviews`).
"""

from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Annotated, Final

from pydantic import Field

from pierhead.apps.registry.api.answers import Asked, moment
from pierhead.apps.registry.api.bodies import Name, Sentence, Strict, read_body
from pierhead.apps.registry.api.entries import entry_form
from pierhead.apps.registry.api.sight import entry_seen, version_in, versions_seen
from pierhead.apps.registry.api.times import Time, seconds_of
from pierhead.core.catalog import TRANSITIONS, Step, Tool
from pierhead.core.definitions import gravest
from pierhead.core.errors import NotFound
from pierhead.usecases.advance_server import StepAsked, roll_back, take_step
from pierhead.usecases.ports_catalogue import Entry, Move, Version
from pierhead.usecases.publish_version import candidate as candidate_now
from pierhead.usecases.publish_version import publish_version
from pierhead.usecases.read_reviews import Difference, changes_between, difference, weakened
from pierhead.usecases.rights import may_take, person_of
from pierhead.usecases.wire_forms import Manifest, manifest_from_form, manifest_to_form, tool_to_form

_BODY: Final = 4 * 1024 * 1024
_BY_HAND: Final = tuple(step for step in Step if step not in {Step.APPROVE, Step.REJECT})
"""What follows from signatures is nobody's to take."""


class NewVersion(Strict):
    """The definitions to sign; left out, those that the server's process has now."""

    manifest: Annotated[Mapping[str, object] | None, Field(default=None)]


class Stepping(Strict):
    """Why a step is taken; the rest is for a deprecation."""

    reason: Sentence
    message: Sentence | None = None
    successor: Name | None = None
    sunset_at: Time | None = None


class RollingBack(Strict):
    """To which version, and why."""

    version: Name
    reason: Sentence


async def versions(asked: Asked) -> object:
    """Every version, newest first, and how each came where it is. Errors: NotFound."""
    asked.query()
    entry = await _entry(asked)
    known = await versions_seen(asked, entry)
    moves = await asked.site.registry.catalogue.moves(entry.name)
    return {
        "versions": [version_form(asked, entry, each) for each in known],
        "moves": [_move(each) for each in reversed(moves)],
    }


async def version(asked: Asked) -> object:
    """One version with the definitions that are signed. Errors: NotFound."""
    asked.query()
    entry = await _entry(asked)
    found = version_in(await versions_seen(asked, entry), str(asked.request.path_params["version"]))
    return {**version_form(asked, entry, found), "manifest": _manifest(found.manifest)}


async def publish(asked: Asked) -> object:
    """A version of these definitions, new or already kept. Errors: as `publish_version`; NotFound; Invalid."""
    asked.query()
    person_of(asked.caller)
    entry = await _entry(asked)
    offered = await read_body(NewVersion, asked, "publishVersion", _BODY)
    manifest = None
    if offered.manifest is not None:
        manifest = manifest_from_form({"instructions": "", "description": "", **offered.manifest, "upstream": ""})
    made = await publish_version(entry.name, manifest, asked.caller, asked.site.registry)
    return version_form(asked, await _entry(asked), made)


async def candidate(asked: Asked) -> object:
    """What publishing would give just now, and how it differs from what clients get. Errors: as `publish`."""
    asked.query()
    entry = await _entry(asked)
    found = await candidate_now(entry.name, asked.caller, asked.site.registry)
    return {
        **_between(found.before, found.version),
        "is_new": found.is_new,
        "stage": None if found.is_new else found.version.stage,
        "reason": "" if found.is_new else found.version.reason,
        "run": sha256(found.upstream.encode()).hexdigest()[:16],
    }


async def step(asked: Asked) -> object:
    """Move a version; what follows for callers is in force when this answers. Errors: as `take_step`; Invalid."""
    asked.query()
    wanted = str(asked.request.path_params["step"])
    if wanted not in _BY_HAND:
        raise NotFound("there is no such step to take", hint=f"one of {', '.join(_BY_HAND)}")
    entry = await _entry(asked)
    known = version_in(await versions_seen(asked, entry), str(asked.request.path_params["version"]))
    said = await read_body(Stepping, asked, "step")
    asking = StepAsked(
        server=entry.name,
        version=known.version,
        step=Step(wanted),
        reason=said.reason,
        message=said.message or "",
        successor=said.successor or "",
        sunset_at=seconds_of(said.sunset_at or "", "sunset_at"),
    )
    moved = await take_step(asking, asked.caller, asked.site.registry)
    return version_form(asked, await _entry(asked), moved)


async def rollback(asked: Asked) -> object:
    """Give clients another version again. Errors: as `roll_back`; Invalid."""
    asked.query()
    entry = await _entry(asked)
    said = await read_body(RollingBack, asked, "rollback")
    version_in(await versions_seen(asked, entry), said.version)
    return entry_form(await roll_back(entry.name, said.version, said.reason, asked.caller, asked.site.registry))


async def diff(asked: Asked) -> object:
    """How `to` differs from `from`: unless named, the newest version from the one that clients get now."""
    query = asked.query("from", "to")
    entry = await _entry(asked)
    known = await versions_seen(asked, entry)
    if not known:
        raise NotFound("the server has no version yet", hint="publish one")
    after = version_in(known, query["to"]) if "to" in query else known[0]
    before = version_in(known, query["from"]) if "from" in query else _current(entry, known)
    return _between(before, after)


def _between(before: Version | None, after: Version) -> Mapping[str, object]:
    found = difference(before.manifest if before else None, after.manifest)
    return {
        "server": after.server,
        "from": before.version if before else None,
        "to": after.version,
        **_difference(found),
        "change": gravest(*changes_between(before, after)),
        "weakened": list(weakened(before, after)),
        "entry": _members(before.document if before else {}, after.document),
    }


async def _entry(asked: Asked) -> Entry:
    return await entry_seen(asked, str(asked.request.path_params["name"]))


def version_form(asked: Asked, entry: Entry, each: Version) -> Mapping[str, object]:
    rights = asked.site.registry.rights
    mine = [
        step
        for step in _BY_HAND
        if (each.stage, step) in TRANSITIONS and not may_take(entry, each, step, asked.caller, rights)
    ]
    return {
        "server": each.server,
        "version": each.version,
        "stage": each.stage,
        "is_current": each.version == entry.current,
        "tools": [tool.name for tool in each.manifest.tools],
        "digests": {
            "tools": each.binding.tools_digest,
            "manifest": each.binding.manifest_digest,
            "access": each.binding.access_digest,
        },
        "submitted_by": each.submitted_by,
        "published_at": moment(each.published_at),
        "moved_at": moment(each.moved_at),
        "reason": each.reason,
        "conditions": list(each.conditions),
        "message": each.message,
        "successor": each.successor,
        "sunset_at": None if each.sunset_at is None else moment(each.sunset_at),
        "steps": mine,
    }


def _move(each: Move) -> Mapping[str, object]:
    return {
        "version": each.version,
        "step": each.step,
        "from": each.source,
        "to": each.target,
        "by": each.by,
        "at": moment(each.at),
        "reason": each.reason,
    }


def _manifest(signed: Manifest) -> Mapping[str, object]:
    """What is signed; where a process listens is nobody's business here."""
    form = {name: value for name, value in manifest_to_form(signed).items() if name != "upstream"}
    return {**form, "tools": [_tool(tool) for tool in signed.tools]}


def _tool(tool: Tool) -> Mapping[str, object]:
    """One definition as declared, without what a policy made of it."""
    return {name: value for name, value in tool_to_form(tool).items() if name not in {"narrowed", "withheld"}}


def _difference(found: Difference) -> Mapping[str, object]:
    before, after = found.instructions
    return {
        "change": found.change,
        "instructions": None if before == after else {"before": before, "after": after},
        "added": [_tool(tool) for tool in found.added],
        "removed": [_tool(tool) for tool in found.removed],
        "changed": [
            {
                "name": each.name,
                "change": each.change,
                "members": list(each.members),
                "before": _tool(found.before[each.name]),
                "after": _tool(found.after[each.name]),
            }
            for each in found.changed
        ],
    }


def _members(before: Mapping[str, object], after: Mapping[str, object]) -> Sequence[Mapping[str, object]]:
    """The members of the entry that differ; their names alone, since a value may be for owners."""
    names = sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
    return [{"member": name, "change": _kind(name, before, after)} for name in names]


def _kind(name: str, before: Mapping[str, object], after: Mapping[str, object]) -> str:
    if name not in before:
        return "added"
    return "changed" if name in after else "removed"


def _current(entry: Entry, known: Sequence[Version]) -> Version | None:
    return next((each for each in known if each.version == entry.current), None)
