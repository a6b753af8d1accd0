"""The company's own program has a word before anything is taken in or put before reviewers, and its no is final.

Whatever it says is on record: a yes with the change that it lets through, a no or a silence by itself. Without a clear
yes in time nothing is taken. Above: `register_server`, `advance_server`. Below: the port `Vetting`. Not here: how it is
asked (`adapters/foreign/vetting`).
"""

from collections.abc import Mapping
from typing import Final

from pierhead.core.audit import Fact
from pierhead.core.audit_reviews import OfferVetted
from pierhead.core.errors import Forbidden, UpstreamUnreachable
from pierhead.core.json import Json
from pierhead.usecases.ports_catalogue import Change
from pierhead.usecases.ports_review import Offer
from pierhead.usecases.registry_desk import RegistryDesk, commit

REGISTER: Final = "register"
SUBMIT: Final = "submit"


async def vetted(
    event: str, named: tuple[str, str], by: str, content: Mapping[str, Json], desk: RegistryDesk
) -> tuple[Fact, ...]:
    """The facts that belong to the change, if it may be made; none where nobody is to be asked.

    Shapes: `named` are server and version, which is empty for a registration.
    Errors: Forbidden (`vetoed`), with the program's reason; UpstreamUnreachable (`vetting-failed`).
    """
    if not desk.vetting.is_asked():
        return ()
    server, version = named
    offer = Offer(desk.ids.new(), event, server, version, by, content)
    try:
        said = await desk.vetting.ask(offer, desk.clock.now())
    except UpstreamUnreachable as failed:
        await commit(Change((_fact(offer, "failed", failed.message),)), desk)
        raise
    if said.allows:
        return (_fact(offer, "allowed", said.reason),)
    await commit(Change((_fact(offer, "vetoed", said.reason),)), desk)
    raise Forbidden(
        f"{server} is not taken: {said.reason}",
        hint="the company's own check of registrations said so; change what it names, or ask an administrator",
        code="vetoed",
    )


def _fact(offer: Offer, answer: str, reason: str) -> OfferVetted:
    return OfferVetted(offer.id, offer.event, offer.server, offer.version, answer, reason, offer.by)
