"""The official registry API over a catalogue in memory: two servers for everyone, two for groups, one of each stage."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from ipaddress import ip_network
from typing import Any

import httpx2
from starlette.applications import Starlette
from tests.unit.registry_in_memory import Kept, desk_in_memory
from tests.web_site import NOW, PUBLIC_URL, TestSite, build, callers, server, tool

from pierhead.apps.registry.oauth import MachineSide, Rate
from pierhead.apps.registry.official.wiring import Official, OfficialSetting, Opened, official
from pierhead.core import scope
from pierhead.core.audience import Audience
from pierhead.core.catalog import CALLABLE, DataClass, Effect, Server, Stage, Step
from pierhead.core.reach import EVERY, Row
from pierhead.core.review import Binding
from pierhead.core.rule import parse_who
from pierhead.usecases.grant_tokens import Grant, issue
from pierhead.usecases.memory import snapshot_of
from pierhead.usecases.memory_catalogue import MemoryCatalogue
from pierhead.usecases.ports_catalogue import Entry, Move, Origin, Version
from pierhead.usecases.ports_official import CatalogueStandings
from pierhead.usecases.ports_registry import Revision
from pierhead.usecases.wire_forms import Manifest

NAMESPACE = "com.example"
DAY_S = 86_400.0
KEY = b"c" * 32
AUDIENCES = {
    "ads": Audience(frozenset({"ads"}), EVERY, EVERY),
    "few": Audience(frozenset({"ads", "data-eng"}), frozenset({"presto"}), EVERY),
    "office": Audience(frozenset({"data-eng"}), EVERY, (ip_network("10.20.0.0/16"),)),
}


@dataclass
class Listed:
    """One version to put into the catalogue."""

    server: str
    version: str
    stage: Stage
    days_ago: float = 10.0
    message: str = ""
    reason: str = "because"
    successor: str = ""
    sunset_at: float | None = None


VERSIONS = (
    Listed("time", "1.2.0", Stage.DEPLOYED),
    Listed("time", "1.10.0", Stage.DEPLOYED, 5),
    Listed("time", "2.0.0-rc.1", Stage.DEPLOYED, 3),
    Listed("time", "1.0.0", Stage.RETIRED, 90),
    Listed("time", "0.9.0", Stage.RETIRED, 95),
    Listed("time", "3.0.0", Stage.IN_REVIEW, 1),
    Listed("presto", "1.4.0+build.7", Stage.DEPLOYED, 8),
    Listed("warehouse", "1.4.0", Stage.DEPLOYED, 9),
    Listed("airflow", "0.8.0", Stage.DEPRECATED, 40, "slow", "", "pipelines", NOW + 30 * DAY_S),
    Listed("knowledge", "1.0.0", Stage.QUARANTINED, 20, "", "it tells the models of strangers what to do"),
    Listed("spark", "1.0.0", Stage.REGISTERED, 2),
)
DOCUMENTS: Mapping[str, Mapping[str, Any]] = {
    "time": {"title": "Time", "description": "The current time, and conversion between time zones."},
    "presto": {"description": "The data lake, through Presto, as yourself."},
    "warehouse": {
        "description": "Flights, airlines and weather of New York's airports, read only, for all who plan a trip,"
        " and for some more",
        "personal_data": False,
        "egress": ["api.weather.example"],
        "runbook": "https://wiki.example/warehouse",
    },
    "airflow": {"title": "Airflow", "description": "Runs, tasks and logs of the data pipelines."},
    "knowledge": {"description": "Search the handbook and the runbooks."},
    "spark": {"description": "Submit and watch Spark jobs."},
}
SERVERS = (
    ("time", "everyone", Stage.DEPLOYED, DataClass.PUBLIC, "1.10.0"),
    ("presto", "group:ads", Stage.DEPLOYED, DataClass.INTERNAL, "1.4.0+build.7"),
    ("warehouse", "group:data-eng", Stage.DEPLOYED, DataClass.INTERNAL, "1.4.0"),
    ("airflow", "everyone", Stage.DEPRECATED, DataClass.INTERNAL, "0.8.0"),
    ("knowledge", "everyone", Stage.QUARANTINED, DataClass.PUBLIC, "1.0.0"),
    ("spark", "everyone", Stage.REGISTERED, DataClass.PUBLIC, "1.0.0"),
)
RETIRED = (Move("time", "1.0.0", Step.RETIRE, Stage.DEPRECATED, Stage.RETIRED, "alice", NOW - 30 * DAY_S, "old"),)
NEVER_DEPLOYED = (Move("time", "0.9.0", Step.RETIRE, Stage.REJECTED, Stage.RETIRED, "alice", NOW - DAY_S, "no"),)


@dataclass
class World:
    """The site, its catalogue, and the API over both."""

    site: TestSite
    catalogue: MemoryCatalogue
    official: Official
    app: Starlette

    def client(self, address: str = "127.0.0.1") -> httpx2.AsyncClient:
        transport = httpx2.ASGITransport(self.app, client=(address, 1))
        return httpx2.AsyncClient(transport=transport, base_url=PUBLIC_URL)

    async def token(
        self, person: str, audience: str = f"{PUBLIC_URL}/r/me", scope: str = scope.EVERY
    ) -> dict[str, str]:
        token, _ = await issue(Grant(person, audience, "a-program", "family", 600, scope), self.site.site.tokens)
        return {"authorization": f"Bearer {token}"}

    def move_policy(self, servers: Iterable[Server], rows: Iterable[Row]) -> None:
        served = self.site.site.registry.served
        moved = snapshot_of(servers, rows, served.current().revision + 1)
        served.put(Revision(moved.revision, "", "{}"), moved)

    def change(self, listed: Listed) -> None:
        """Another state of the catalogue, which no policy follows; and time enough to see it."""
        kept = self.catalogue.kept_versions.get((listed.server, listed.version))
        changed = replace(version(listed), lock=kept.lock + 1 if kept else 1)
        self.catalogue.kept_versions[listed.server, listed.version] = changed
        self.site.clock.seconds += 2


def world(
    versions: Iterable[Listed] = VERSIONS, *, has_alias: bool = False, highest: DataClass = DataClass.INTERNAL
) -> World:
    site = build()
    registry = desk_in_memory(Kept(), clock=site.clock)
    catalogue = registry.catalogue
    assert isinstance(catalogue, MemoryCatalogue)
    fill(catalogue, versions)
    setting = OfficialSetting(NAMESPACE, has_alias, highest, AUDIENCES)
    found = callers(site.site)
    opened = Opened(registry, CatalogueStandings(catalogue), KEY)
    api = official(setting, site.site, found.listener, found.failed, opened)
    desk = site.site.tokens
    made = World(
        site, catalogue, api, Starlette(routes=[api.route(), *MachineSide(desk, Rate(30, desk.clock)).routes()])
    )
    made.move_policy([policy(*each) for each in SERVERS], rows())
    return made


def fill(catalogue: MemoryCatalogue, versions: Iterable[Listed]) -> None:
    """Put these versions and their entries into the catalogue, and why two of them were retired."""
    for listed in versions:
        catalogue.kept_versions[listed.server, listed.version] = version(listed)
        document = document_of(listed.server)
        entry = Entry(listed.server, document, Origin.FLEET, "fleet", NOW - 100 * DAY_S, listed.version, 1)
        catalogue.kept_entries[listed.server] = entry
    catalogue.kept_moves += [*RETIRED, *NEVER_DEPLOYED]


def document_of(server_name: str) -> Mapping[str, Any]:
    who = next((who for name, who, *_ in SERVERS if name == server_name), "nobody")
    access = {"everyone": True} if who == "everyone" else {"groups": [who.removeprefix("group:")]}
    common = {"kind": "stdio", "owner": "data-eng", "support": f"#{server_name}-help", "access": access}
    return {**common, **DOCUMENTS.get(server_name, {})}


def version(listed: Listed) -> Version:
    published = NOW - listed.days_ago * DAY_S
    return Version(
        server=listed.server,
        version=listed.version,
        stage=listed.stage,
        manifest=Manifest(listed.version, "", "", ()),
        binding=Binding(listed.server, listed.version, "0" * 64, "0" * 64, "0" * 64),
        submitted_by="alice",
        published_at=published,
        moved_at=published + 3600,
        reason=listed.reason,
        message=listed.message,
        successor=listed.successor,
        sunset_at=listed.sunset_at,
        lock=1,
        document=document_of(listed.server),
    )


def policy(name: str, who: str, stage: Stage, data_class: DataClass, current: str) -> Server:
    del who
    read = tool("look", "everyone", Effect.READ, 2, "Look.")
    write = tool("change", "group:data-eng", Effect.WRITE, 2, "Change.")
    return replace(
        server(name, f"{name}, as it says itself", stage, read, write), data_class=data_class, version=current
    )


def rows() -> list[Row]:
    """As policy has them: none for what takes no calls."""
    return [Row(name, parse_who(who), EVERY, EVERY, EVERY) for name, who, stage, *_ in SERVERS if stage in CALLABLE]


def many(count: int) -> tuple[list[Listed], list[Server], list[Row]]:
    """That many servers, each for everyone, each with one version."""
    names = [f"server-{number:04}" for number in range(count)]
    return (
        [Listed(name, f"1.{number}.0", Stage.DEPLOYED, number / count) for number, name in enumerate(names)],
        [
            policy(name, "everyone", Stage.DEPLOYED, DataClass.PUBLIC, f"1.{number}.0")
            for number, name in enumerate(names)
        ],
        [Row(name, parse_who("everyone"), EVERY, EVERY, EVERY) for name in names],
    )
