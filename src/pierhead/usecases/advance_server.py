"""Every step of a version's life that a person takes, by TRANSITIONS and by right; and going back to another version.

Above: pages, API, command line. Below: `registry_desk`. Not here: approving and rejecting, which the gate does
(`sign_off`), and new versions (`publish_version`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from pierhead.core.audit import Fact, ServerMoved
from pierhead.core.audit_reviews import ReviewOpened
from pierhead.core.catalog import CALLABLE, TRANSITIONS, Stage, Step, Taker, taker
from pierhead.core.errors import Conflict, Forbidden, Invalid
from pierhead.core.identity import Caller
from pierhead.core.json import Json
from pierhead.core.packet import Part, packet_key
from pierhead.core.review import Review, is_open
from pierhead.usecases.entry_shown import shown
from pierhead.usecases.open_review import open_review
from pierhead.usecases.ports_catalogue import Change, Entry, Move, Version
from pierhead.usecases.registry_desk import RegistryDesk, commit, entry_of, put_in_force, version_of
from pierhead.usecases.rights import not_taker, person_of, require
from pierhead.usecases.vet_offer import SUBMIT, vetted

_LONGEST_TEXT = 500
_GATE = "gate"


@dataclass(frozen=True, slots=True)
class StepAsked:
    """Which step of which version, and why. `message`, `successor` and `sunset_at` belong to a deprecation."""

    server: str
    version: str
    step: Step
    reason: str
    message: str = ""
    successor: str = ""
    sunset_at: float | None = None


async def take_step(asked: StepAsked, caller: Caller, desk: RegistryDesk) -> Version:
    """Move a version; what follows for callers is in force when this returns.

    Errors: NotFound; Conflict (`wrong-stage`, `changed-meanwhile`, `review-expired`); Forbidden (`not-yours`,
    `person-needed`); Invalid (`reason-needed`, `bad-step`); to submit, as `vetted`.
    """
    by = person_of(caller)
    _check(asked, desk.clock.now())
    entry = await entry_of(asked.server, desk)
    version = await version_of(asked.server, asked.version, desk)
    target = TRANSITIONS.get((version.stage, asked.step))
    if target is None:
        raise Conflict(
            f"{asked.server} {asked.version} is {version.stage}: it cannot {asked.step}",
            hint=f"from there one can {_possible(version.stage) or 'do nothing'}",
            code="wrong-stage",
        )
    require(not_taker(entry, version.stage, asked.step, caller, desk.rights))
    await commit(await _change(asked, entry, version, by, desk), desk)
    await put_in_force(asked.server, by, desk)
    return await version_of(asked.server, asked.version, desk)


async def roll_back(server: str, version: str, reason: str, caller: Caller, desk: RegistryDesk) -> Entry:
    """Give clients another version again, one that is callable still.

    Errors: as `take_step`.
    """
    by = person_of(caller)
    _check_reason(reason)
    entry, wanted = await entry_of(server, desk), await version_of(server, version, desk)
    require(not_taker(entry, Stage.DEPLOYED, Step.SUSPEND, caller, desk.rights))
    if wanted.stage not in CALLABLE:
        raise Conflict(
            f"{server} {version} is {wanted.stage}: only what is deployed can be gone back to",
            hint="see its versions: pierhead server show",
            code="wrong-stage",
        )
    if entry.current == version:
        return entry
    stage = str(wanted.stage)
    fact = ServerMoved(server, version, "rollback", stage, stage, by, reason)
    await commit(Change((fact,), entries=(replace(entry, current=version),), versions=(wanted,)), desk)
    await put_in_force(server, by, desk)
    return await entry_of(server, desk)


async def _change(asked: StepAsked, entry: Entry, version: Version, by: str, desk: RegistryDesk) -> Change:
    match asked.step:
        case Step.SUBMIT:
            return await _submitted(asked, entry, version, by, desk)
        case Step.WITHDRAW:
            return await _withdrawn(asked, version, by, desk)
        case Step.DEPLOY:
            await _require_signed(version, desk)
            return _deployed(asked, entry, version, by, desk)
        case _:
            return _plain(asked, version, by, desk)


def move(version: Version, step: Step, by: str, reason: str, now: float) -> tuple[Version, Move, Fact]:
    """The version after that step, the step, and its fact. Whether it may be taken was asked before."""
    target = TRANSITIONS[version.stage, step]
    moved = Move(version.server, version.version, step, version.stage, target, by, now, reason)
    fact = ServerMoved(version.server, version.version, str(step), str(version.stage), str(target), by, reason)
    return replace(version, stage=target, moved_at=now, reason=reason), moved, fact


def _plain(asked: StepAsked, version: Version, by: str, desk: RegistryDesk) -> Change:
    after, moved, fact = move(version, asked.step, by, asked.reason, desk.clock.now())
    if asked.step is Step.DEPRECATE:
        after = replace(after, message=asked.message, successor=asked.successor, sunset_at=asked.sunset_at)
    return Change((fact,), versions=(after,), moves=(moved,))


def _deployed(asked: StepAsked, entry: Entry, version: Version, by: str, desk: RegistryDesk) -> Change:
    after, moved, fact = move(version, Step.DEPLOY, by, asked.reason, desk.clock.now())
    return Change((fact,), entries=(replace(entry, current=version.version),), versions=(after,), moves=(moved,))


async def _submitted(asked: StepAsked, entry: Entry, version: Version, by: str, desk: RegistryDesk) -> Change:
    """The version in review, and its review; where nobody has to sign, the gate opens at once."""
    now = desk.clock.now()
    packet = await desk.catalogue.packet(packet_key(version.binding))
    review = open_review(entry, version, await _signed_before(entry, desk), (by, packet), desk)
    vetting = await vetted(SUBMIT, (entry.name, version.version), by, _offered(version, packet), desk)
    after, moved, fact = move(replace(version, submitted_by=by), Step.SUBMIT, by, asked.reason, now)
    facts = (*vetting, fact, ReviewOpened.of(review))
    change = Change(facts, versions=(after,), moves=(moved,), reviews=(review,))
    return open_gate(change, now) if is_open(review, now) else change


def _offered(version: Version, packet: Sequence[Part]) -> Mapping[str, Json]:
    """What a program that may veto is told of a version; no secret of its entry."""
    bound = version.binding
    return {
        "entry": shown(version.document),
        "tools": [tool.name for tool in version.manifest.tools],
        "digests": {"tools": bound.tools_digest, "manifest": bound.manifest_digest, "access": bound.access_digest},
        "packet": {str(part.kind): part.digest for part in packet},
    }


def open_gate(change: Change, now: float) -> Change:
    """The same change with its version approved and its review closed: every gate has signed."""
    (version,), (review,) = change.versions, change.reviews
    reason = "every gate signed" if review.required else "nothing that anybody has to sign"
    after, moved, fact = move(version, Step.APPROVE, _GATE, reason, now)
    conditions = tuple(text for made in review.sign_offs for text in made.conditions)
    return replace(
        change,
        facts=(*change.facts, fact),
        versions=(replace(after, conditions=conditions),),
        moves=(*change.moves, moved),
        reviews=(replace(review, closed_at=now),),
    )


async def _signed_before(entry: Entry, desk: RegistryDesk) -> Version | None:
    """The version that clients get now: what the new one is compared with."""
    return await version_of(entry.name, entry.current, desk) if entry.current else None


async def _withdrawn(asked: StepAsked, version: Version, by: str, desk: RegistryDesk) -> Change:
    now = desk.clock.now()
    after, moved, fact = move(version, Step.WITHDRAW, by, asked.reason, now)
    closed = [replace(review, closed_at=now) for review in await open_reviews_of(version, desk)]
    return Change((fact,), versions=(after,), moves=(moved,), reviews=tuple(closed))


async def open_reviews_of(version: Version, desk: RegistryDesk) -> Sequence[Review]:
    """The reviews of that version that wait for a decision."""
    reviews = await desk.catalogue.reviews(version.server)
    return [review for review in reviews if review.binding.version == version.version and review.closed_at is None]


async def _require_signed(version: Version, desk: RegistryDesk) -> None:
    """Signatures that ran out between the gate and today deploy nothing."""
    reviews = await desk.catalogue.reviews(version.server)
    signed = next((review for review in reviews if review.binding == version.binding), None)
    if signed is None or not is_open(signed, desk.clock.now()):
        raise Conflict(
            f"the signatures on {version.server} {version.version} do not count any longer",
            hint="publish and submit it again",
            code="review-expired",
        )


def _check(asked: StepAsked, now: float) -> None:
    _check_reason(asked.reason)
    if taker(Stage.IN_REVIEW, asked.step) in {Taker.GATE, Taker.REVIEWER}:
        raise Forbidden(
            f"nobody takes the step {asked.step} by hand",
            hint="reviewers decide their gates; the version follows",
            code="not-yours",
        )
    if asked.step is not Step.DEPRECATE and (asked.message or asked.successor or asked.sunset_at is not None):
        raise Invalid(
            "message, successor and sunset_at belong to a deprecation", hint="leave them out", code="bad-step"
        )
    if asked.sunset_at is not None and not now < asked.sunset_at < float("inf"):
        raise Invalid("a deprecated version ends in the future", hint="name a later date", code="bad-step")
    if max(len(asked.message), len(asked.successor)) > _LONGEST_TEXT:
        raise Invalid(f"a text is longer than {_LONGEST_TEXT} characters", hint="say it shorter", code="bad-step")


def _check_reason(reason: str) -> None:
    if not reason.strip() or len(reason) > _LONGEST_TEXT:
        raise Invalid(
            f"say why, in 1 to {_LONGEST_TEXT} characters", hint="the reason is recorded", code="reason-needed"
        )


def _possible(stage: Stage) -> str:
    return " or ".join(sorted(step for source, step in TRANSITIONS if source is stage))
