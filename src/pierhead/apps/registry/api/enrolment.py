"""The credential of a server that its team runs: made, shown once, taken back.

Below: `usecases/enrol_server`. Not here: what that process then asks with it (`apps/registry/enrolled`).
"""

from pierhead.apps.registry.api.answers import Asked, answer
from pierhead.apps.registry.api.bodies import Sentence, Strict, read_body
from pierhead.apps.registry.api.sight import entry_seen
from pierhead.usecases.enrol_server import end_enrolment, enrol_server
from pierhead.usecases.ports_catalogue import Entry
from pierhead.usecases.rights import person_of


class Ending(Strict):
    """Why a credential is taken back."""

    reason: Sentence


async def enrol(asked: Asked) -> object:
    """Make the credential of a server's process; it is in this answer and nowhere else. Errors: as `enrol_server`."""
    entry = await _entry(asked)
    made = await enrol_server(entry.name, asked.caller, asked.site.enrolments)
    return answer({"server": made.server, "listens": made.listens, "credential": made.text()}, 201)


async def end(asked: Asked) -> object:
    """Take a server's credential back. Errors: as `end_enrolment`; Invalid."""
    entry = await _entry(asked)
    said = await read_body(Ending, asked, "endEnrolment")
    await end_enrolment(entry.name, said.reason, asked.caller, asked.site.registry)
    return {"server": entry.name}


async def _entry(asked: Asked) -> Entry:
    asked.query()
    person_of(asked.caller)
    return await entry_seen(asked, str(asked.request.path_params["name"]))
