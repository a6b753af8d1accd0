"""`POST /api/v1/policy/simulate`: what a proposed policy would change, for recorded calls and for everyone known.

For auditors; for owners, of what they own. Nothing is kept and nothing is in force. What a page started is told as a
file by `GET /api/v1/policy/simulations/{id}`. Not here: the comparison (`usecases/simulate_policy`).
"""

from dataclasses import asdict
from typing import Annotated, Any, Final

from pydantic import Field
from starlette.responses import Response

from pierhead.apps.registry.api.answers import Asked, answer, moment
from pierhead.apps.registry.api.bodies import Name, Strict, read_body
from pierhead.apps.registry.api.record import seconds_back
from pierhead.apps.registry.api.tables import csv_file
from pierhead.apps.registry.web.policy_tools import Proposed, prepared
from pierhead.apps.registry.web.simulations import MOST_TOLD
from pierhead.core.errors import Conflict, Invalid
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


async def simulation(asked: Asked) -> object:
    """What came of a simulation, to who started it. Errors: Invalid; Conflict, while it runs; NotFound."""
    written_as = asked.query("format").get("format", "json")
    if written_as not in {"json", "csv"}:
        raise Invalid("no such format", hint="json or csv")
    started = asked.site.simulations.find(str(asked.request.path_params["id"]), asked.caller.name)
    if started.found is None:
        raise Conflict("the simulation is not done", hint="ask again in some seconds")
    if written_as == "csv":
        return _csv(started.found)
    form = simulation_form(started.found, started.since, started.revision, MOST_TOLD)
    headers = {"content-disposition": 'attachment; filename="policy-simulation.json"'}
    return answer(form, headers=headers)


_COLUMNS: Final = ("about", "moved", "who", "surface", "server", "tool", "before", "after", "calls", "last_at", "why")


def _csv(found: Simulation) -> Response:
    """Recorded calls, then everyone known, then what was not judged: one table."""
    rows = [{"about": "recorded call", **_change(each)} for each in found.changes]
    rows += [{"about": "known caller", **_change(each)} for each in found.reach]
    rows += [{"about": "not judged", "who": each.what, "calls": each.calls, "why": each.why} for each in found.unjudged]
    return csv_file("policy-simulation.csv", _COLUMNS, rows)


def simulation_form(found: Simulation, since: float, revision: int, most: int = _MOST_TOLD) -> dict[str, object]:
    """Bounded: `is_cut` says that there is more than is judged or told."""
    return {
        "since": moment(since),
        "policy_version": revision,
        "judged_calls": found.judged,
        "changes": [_change(each) for each in found.changes[:most]],
        "reach": [_change(each) for each in found.reach[:most]],
        "not_judged": [asdict(each) for each in found.unjudged[:most]],
        "is_cut": found.is_cut or max(len(found.changes), len(found.reach), len(found.unjudged)) > most,
    }


def _change(change: Change) -> dict[str, object]:
    return {**asdict(change), "last_at": moment(change.last_at) if change.calls else None}
