"""The official API from what bootstrap opened: its eyes, its list, its one route.

Above: `apps/registry/app`, which mounts it, and tests, which put other parts in. Not here: what a route does.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pierhead.apps.authenticate import Listener
from pierhead.apps.registry.official.listings import Listings
from pierhead.apps.registry.official.routes import OfficialRoute
from pierhead.apps.registry.official.views import Eyes, rules_of
from pierhead.apps.registry.web.site import Site
from pierhead.core.audience import Audience
from pierhead.core.catalog import DataClass
from pierhead.usecases.official_forms import Place
from pierhead.usecases.ports_official import Standings
from pierhead.usecases.record_failed_sign_ins import FailedSignIns
from pierhead.usecases.registry_desk import RegistryDesk


@dataclass(frozen=True, slots=True)
class OfficialSetting:
    """What an operator decides: the namespace of every name, the alias, and what anonymous lists may show."""

    namespace: str
    has_alias: bool
    highest: DataClass
    audiences: Mapping[str, Audience] = field(hash=False)


@dataclass(frozen=True, slots=True)
class Official:
    """The API of one site."""

    eyes: Eyes
    desk: RegistryDesk
    key: bytes = field(repr=False)
    has_alias: bool

    @property
    def listings(self) -> Listings:
        return self.eyes.listings

    def route(self) -> OfficialRoute:
        return OfficialRoute(self.eyes, self.desk, self.key, has_alias=self.has_alias)


@dataclass(frozen=True, slots=True)
class Opened:
    """What the API works on beside the site: `desk` changes servers, `standings` reads them, `key` seals cursors."""

    desk: RegistryDesk
    standings: Standings
    key: bytes = field(repr=False)


def official(
    setting: OfficialSetting, site: Site, listener: Listener, failed: FailedSignIns, opened: Opened
) -> Official:
    """The API over that site's policy and sign-in."""
    place = Place(setting.namespace, site.public_url)
    eyes = Eyes(
        site=site,
        listener=listener,
        failed=failed,
        listings=Listings(opened.standings, site.snapshots, place, opened.desk.declarations, site.tokens.clock),
        place=place,
        audiences=setting.audiences,
        highest=setting.highest,
        rules=rules_of(site),
    )
    return Official(eyes, opened.desk, opened.key, setting.has_alias)
