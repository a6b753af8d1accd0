"""The statuses of the official registry API as steps of a version's life: one version, or all of a server, at once.

Either every version takes its step, in one transaction, or none does. By the same table and the same rights as any
step (`advance_server`). Above: `apps/registry/official`. Not here: which versions a caller may know of.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from pierhead.core.catalog import Stage, Step, taker
from pierhead.core.errors import Conflict, Invalid, NotFound
from pierhead.core.identity import Caller
from pierhead.core.scope import require_scope
from pierhead.usecases.advance_server import move
from pierhead.usecases.official_forms import ACTIVE, DELETED, DEPRECATED, STATUS
from pierhead.usecases.ports_catalogue import Change, Entry, Version
from pierhead.usecases.registry_desk import RegistryDesk, commit, entry_of, put_in_force, version_of
from pierhead.usecases.rights import level_of, not_taker, person_of, require

_LONGEST: Final = 500

#: What leads from a stage to a status. A version that was retired stays so, and one that is deprecated comes back by
#: being suspended and resumed: its clients were told to leave.
_STEPS: Final[Mapping[tuple[str, Stage], Step]] = {
    (DEPRECATED, Stage.DEPLOYED): Step.DEPRECATE,
    (DEPRECATED, Stage.SUSPENDED): Step.DEPRECATE,
    (DEPRECATED, Stage.QUARANTINED): Step.DEPRECATE,
    (DELETED, Stage.DEPLOYED): Step.SUSPEND,
    (DELETED, Stage.DEPRECATED): Step.SUSPEND,
    (ACTIVE, Stage.SUSPENDED): Step.RESUME,
    (ACTIVE, Stage.QUARANTINED): Step.RESUME,
}


@dataclass(frozen=True, slots=True)
class StatusAsked:
    """Which status for which version of a server; every listed one, if no version is named. `message` may be empty."""

    server: str
    version: str
    status: str
    message: str


async def set_status(asked: StatusAsked, caller: Caller, desk: RegistryDesk) -> Sequence[Version]:
    """Take the steps that lead there; what follows for callers is in force when this returns. The versions that moved.

    Errors: NotFound; Conflict (`wrong-stage`, `changed-meanwhile`), where a step is not possible or nothing is left to
    do; Forbidden (`not-yours`, `person-needed`, `insufficient-scope`); Invalid (`bad-step`).
    """
    by = person_of(caller)
    if asked.status not in {ACTIVE, DEPRECATED, DELETED} or len(asked.message) > _LONGEST:
        raise Invalid(
            f"status is active, deprecated or deleted, statusMessage at most {_LONGEST} characters",
            hint="correct them",
            code="bad-step",
        )
    entry = await entry_of(asked.server, desk)
    versions = [version for version in await _named(asked, desk) if STATUS[version.stage] != asked.status]
    if not versions:
        raise Conflict(
            f"no changes to apply: the status is {asked.status} already", hint="send another", code="wrong-stage"
        )
    steps = [_step(asked.status, version, entry, caller, desk) for version in versions]
    change = _change(asked, versions, steps, by, desk.clock.now())
    await commit(change, desk)
    await put_in_force(asked.server, by, desk)
    return [await version_of(version.server, version.version, desk) for version in versions]


async def _named(asked: StatusAsked, desk: RegistryDesk) -> Sequence[Version]:
    """The versions that are meant, of those that have a status at all."""
    if not asked.version:
        versions = await desk.catalogue.versions(asked.server)
        return [each for each in versions if each.stage in STATUS and each.stage is not Stage.RETIRED]
    version = await version_of(asked.server, asked.version, desk)
    if version.stage not in STATUS:
        raise NotFound(f"{asked.server} {asked.version} was not deployed yet", hint="see its versions on its page")
    return [version]


def _step(status: str, version: Version, entry: Entry, caller: Caller, desk: RegistryDesk) -> Step:
    step = _STEPS.get((status, version.stage))
    if step is None:
        raise Conflict(
            f"{version.server} {version.version} is {version.stage}: it cannot become {status}",
            hint="take its steps one by one on its page",
            code="wrong-stage",
        )
    require(not_taker(entry, version.stage, step, caller, desk.rights))
    require_scope(caller.scopes, level_of(entry, taker(version.stage, step), caller))
    return step


def _change(asked: StatusAsked, versions: Sequence[Version], steps: Sequence[Step], by: str, now: float) -> Change:
    reason = asked.message or f"status set to {asked.status} through the registry API"
    taken = [move(version, step, by, reason, now) for version, step in zip(versions, steps, strict=True)]
    told = {"message": asked.message, "successor": "", "sunset_at": None} if asked.status == DEPRECATED else {}
    return Change(
        facts=tuple(fact for _, _, fact in taken),
        versions=tuple(replace(version, **told) for version, _, _ in taken),
        moves=tuple(moved for _, moved, _ in taken),
    )
