"""Fleet health, for whoever may know of the servers. Below: `apps/registry/web/concerns`."""

from pierhead.apps.registry.api.answers import Asked, moment
from pierhead.apps.registry.api.finding import page_size
from pierhead.apps.registry.api.sight import knows_live
from pierhead.apps.registry.web.concerns import MOST, concerns, of_kind
from pierhead.usecases.fleet_health import Concern


async def fleet_health(asked: Asked) -> object:
    """What is wrong with the servers that the caller may know of, the worst first, and who must act.

    Errors: Invalid.
    """
    query = asked.query("trouble", "limit")
    most = page_size(query.get("limit"), MOST, MOST)
    found = await concerns(asked.site, lambda each: knows_live(asked, each))
    if "trouble" in query:
        found = of_kind(found, query["trouble"])
    return {
        "concerns": [_form(each) for each in found[:most]],
        "count": len(found),
        "policy_version": asked.site.snapshots.current().revision,
    }


def _form(concern: Concern) -> object:
    return {
        "server": concern.server,
        "trouble": concern.trouble,
        "sentence": concern.sentence,
        "since": moment(concern.since) if concern.since else None,
        "must_act": concern.must_act,
        "where": concern.where or None,
    }
