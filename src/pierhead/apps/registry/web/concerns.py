"""Fleet health as the registry's own parts see it: what is wrong, as far as a caller may know of it, and who must act.

Above: the page and the API. Below: `usecases/fleet_health`.
"""

from collections.abc import Callable, Iterable
from typing import Final

from pierhead.apps.registry.web.site import Site
from pierhead.core.catalog import Server
from pierhead.core.errors import Invalid
from pierhead.usecases.fleet_health import Company, Concern, Trouble, fleet_health, known_of

MOST: Final = 500


async def concerns(site: Site, is_shown: Callable[[Server], bool]) -> tuple[Concern, ...]:
    """Everything that is wrong with servers that are shown, the worst first."""
    known = await known_of(site.registry.catalogue, site.healths, site.records, site.now())
    return fleet_health(site.snapshots.current().servers.values(), known, _company(site), is_shown)


def of_kind(found: Iterable[Concern], trouble: str) -> tuple[Concern, ...]:
    """Those of one kind. Errors: Invalid."""
    if trouble not in set(Trouble):
        raise Invalid("no such trouble", hint=f"one of {', '.join(Trouble)}")
    return tuple(each for each in found if each.trouble == trouble)


def _company(site: Site) -> Company:
    people = site.tokens.people
    named = frozenset[str]().union(*(people.groups(name) or frozenset[str]() for name in people.names()))
    groups = named if site.federation is None else None
    return Company(groups, site.registry.rights.reviewers, " or ".join(sorted(site.admins)))
