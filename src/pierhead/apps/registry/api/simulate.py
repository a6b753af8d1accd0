"""`POST /api/v1/policy/simulate`: what a proposed policy would change, for recorded calls and for everyone known.

For auditors; for owners, of what they own. Nothing is kept and nothing is in force. Not here: the comparison
(`usecases/simulate_policy`).
"""

from dataclasses import asdict
from typing import Annotated, Any, Final

from pydantic import Field

from pierhead.apps.registry.api.answers import Asked, moment
from pierhead.apps.registry.api.bodies import Name, Strict, read_body
from pierhead.apps.registry.api.record import seconds_back
from pierhead.apps.registry.web.policy_tools import Proposed, prepared
from pierhead.core.snapshot import PolicyText
from pierhead.usecases.simulate_policy import Change, Simulation

_LARGEST: Final = 4 * 1024 * 1024
_MOST_TOLD: Final = 2_000

_Group = Annotated[str, Field(min_length=1, max_length=256)]


class Text(Strict):
    """One file of company policies."""

    name: str = Field(pattern=r"^[A-Za-z0-9_./-]{1,200}\.cedar$")
    text: str = Field(max_length=256 * 1024)


class Question(Strict):
    """Entries by server, as in a fleet file; people with their groups and company policies, where they are others."""

    servers: dict[Name, dict[str, Any]] = Field(min_length=0, max_length=2_000)
    people: dict[Name, list[_Group]] | None = Field(default=None, max_length=100_000)
    policies: list[Text] | None = Field(default=None, max_length=100)
    since: str = Field(default="7d", max_length=8)


async def simulate_policy(asked: Asked) -> object:
    """The changes. Errors: Invalid; Forbidden."""
    asked.query()
    question = await read_body(Question, asked, "simulatePolicy", _LARGEST)
    people = None if question.people is None else {name: frozenset(each) for name, each in question.people.items()}
    since = max(0.0, asked.site.now() - seconds_back(question.since))
    policies = question.policies
    texts = None if policies is None else tuple(PolicyText(each.name, each.text) for each in policies)
    ready = await prepared(asked.site, asked.caller, Proposed(question.servers, people, since, texts))
    return simulation_form(await ready.run(), since, asked.site.snapshots.current().revision)


def simulation_form(found: Simulation, since: float, revision: int) -> dict[str, object]:
    """Bounded: `is_cut` says that there is more than is judged or told."""
    return {
        "since": moment(since),
        "policy_version": revision,
        "judged_calls": found.judged,
        "changes": [_change(each) for each in found.changes[:_MOST_TOLD]],
        "reach": [_change(each) for each in found.reach[:_MOST_TOLD]],
        "not_judged": [asdict(each) for each in found.unjudged[:_MOST_TOLD]],
        "is_cut": found.is_cut or max(len(found.changes), len(found.reach), len(found.unjudged)) > _MOST_TOLD,
    }


def _change(change: Change) -> dict[str, object]:
    return {**asdict(change), "last_at": moment(change.last_at) if change.calls else None}
