"""Remote servers of somebody else in a running platform: declared, registered, changing, going and coming."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from tests.remote_servers import RemoteServer, remote_server
from tests.running_platform import Up, eventually, up

from pierhead.adapters.db import DatabaseCatalogue, open_database
from pierhead.adapters.internal_client import InternalClient
from pierhead.bootstrap.keys import Keys
from pierhead.bootstrap.running import find_running
from pierhead.core.audit import EntryChanged
from pierhead.usecases.ports_catalogue import Change, Entry, Origin

pytestmark = pytest.mark.slow

FLEET = """
people:
  alice: {{groups: [data-eng]}}
servers:
  sky:
    kind: http
    url: {url}
    owner: data-platform
    support: "#data-help"
    access: {{groups: [data-eng]}}
    tools:
      echo: {{policy: everyone, effect: read, minutes_saved: 1}}
"""


@dataclass
class Town:
    """A platform, and the remote server that it governs."""

    platform: Up
    remote: RemoteServer

    def ask(self, path: str) -> Any:
        client = InternalClient(
            find_running(self.platform.data).registry_url, Keys.at(self.platform.data).read("internal.key")
        )
        return client.get(path)

    def health(self, server: str) -> dict[str, Any]:
        return self.ask("/health")["health"].get(server, {"condition": "", "last": {}})

    def call(self, server: str, text: str) -> str:
        return (done := self.platform.run("call", server, "echo", f"text={text}", "--as", "alice")).stdout + done.stderr

    def register(self, name: str, **members: Any) -> None:
        document = {"owner": "ads", "support": "#ads", "access": "everyone", "tools": TOOLS, **members}
        entry = Entry(name, document, Origin.REGISTERED, "alice", 1.0, current="", lock=0)
        asyncio.run(self._write(entry))

    async def _write(self, entry: Entry) -> None:
        database = await open_database(f"sqlite:///{self.platform.data / 'pierhead.db'}")
        try:
            change = Change((EntryChanged(entry.name, ("url",), "alice"),), entries=(entry,))
            await DatabaseCatalogue(database).change(change, 1.0)
        finally:
            await database.close()


TOOLS = {"echo": {"policy": "everyone", "effect": "read", "minutes_saved": 1}}


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    folder = tmp_path_factory.mktemp("town")
    with remote_server() as remote:
        fleet = folder / "fleet.yaml"
        fleet.write_text(FLEET.format(url=remote.url))
        quick = {"registry__probe_s": "0.5", "registry__relist_s": "2"}
        with up(folder / "data", fleet, **quick, registry__allowed_hosts="127.0.0.1") as platform:
            yield Town(platform, remote)


def test_a_remote_server_of_the_fleet_is_called_through_the_gateway_and_its_health_is_known(town: Town) -> None:
    eventually(lambda: town.health("sky")["condition"] == "up", "sky is up")
    assert "hello" in town.call("sky", "hello")
    last = town.health("sky")["last"]
    assert last["is_as_published"]
    assert last["dependencies"] == [{"name": "guest", "condition": "up", "reason": ""}]


def test_a_definition_that_changed_is_withheld_while_the_platform_runs(town: Town) -> None:
    town.remote.tell(tools={"echo": "Says it again, and what else you said."})
    eventually(lambda: "hello" not in town.call("sky", "hello"), "the changed tool is withheld")
    town.remote.tell(tools={"echo": "Says it again."})
    eventually(lambda: "hello" in town.call("sky", "hello"), "the signed tool is back")


def test_a_remote_server_that_goes_away_is_seen_and_comes_back(town: Town) -> None:
    town.remote.end()
    eventually(lambda: town.health("sky")["condition"] in {"degraded", "flapping"}, "sky is degraded")
    assert "does not answer" in town.health("sky")["last"]["reason"]
    assert "upstream-unreachable" in town.call("sky", "hello")
    town.remote.start_again()
    eventually(lambda: town.health("sky")["last"].get("condition") == "up", "sky is up again")
    eventually(lambda: "hello" in town.call("sky", "hello"), "sky answers again")


def test_a_registered_server_gets_a_guard_without_a_restart_and_is_not_callable_by_that(town: Town) -> None:
    before = town.platform.children()
    town.register("weather", kind="http", url=town.remote.url)
    town.register("broken", kind="http", url="http://127.0.0.1:9/mcp")
    eventually(lambda: town.health("weather")["condition"] == "up", "weather's guard is up")
    after = town.platform.children()
    assert {role: pid for role, pid in after.items() if role in before} == before
    assert "server weather" in after
    assert "hello" not in town.call("weather", "hello")
    assert "hello" in town.call("sky", "hello")


def test_a_server_that_asks_for_an_inner_address_is_kept_from_it(town: Town) -> None:
    town.register("inside", kind="http", url=town.remote.url.replace("127.0.0.1", "localhost"))
    eventually(lambda: town.health("inside")["condition"] == "degraded", "its guard says why")
    reason = town.health("inside")["last"]["reason"]
    assert "inside the network" in reason
    assert "registry.allowed_hosts" in reason
