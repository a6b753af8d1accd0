"""The URL of a Trino or Presto, read strictly."""

import pytest

from pierhead.core.errors import Forbidden, Misconfigured
from pierhead.core.identity import Caller, User
from pierhead.sdk.governed.trino import TrinoEngine
from pierhead.sdk.governed.trino_place import Place
from pierhead.sdk.tool import CALLER
from pierhead.servers.sql.server import assemble
from pierhead.servers.sql.settings import SqlSettings
from pierhead.usecases.ports_exchange import Credential


def test_a_url_names_coordinator_login_catalog_and_schema() -> None:
    place = Place.parse("trino://service@trino.example/hive/sales")
    assert (place.flavour, place.coordinator) == ("Trino", "http://trino.example:8080")
    assert (place.login, place.catalog, place.schema, place.identity) == ("service", "hive", "sales", "login")
    assert Place.parse("presto://s@h:9000/hive").schema == "default"
    assert Place.parse("presto://s@h/hive").flavour == "Presto"


def test_a_password_goes_only_over_tls() -> None:
    place = Place.parse("trino://service:p%40ss@trino.example/hive?tls=on")
    assert place.coordinator == "https://trino.example:443"
    assert place.session(1.0).authorization == "Basic c2VydmljZTpwQHNz"
    assert "p@ss" not in repr(place) + repr(place.session(1.0))
    with pytest.raises(Misconfigured, match="unencrypted"):
        Place.parse("trino://service:secret@trino.example/hive")


@pytest.mark.parametrize(
    "url",
    [
        "trino://trino.example/hive",
        "trino://s@/hive",
        "trino://s@h",
        "trino://s@h/a/b/c",
        "trino://s@h/hive?tls=yes",
        "trino://s@h/hive?indentity=caller",
    ],
)
def test_what_a_url_does_not_say_rightly_does_not_start(url: str) -> None:
    with pytest.raises(Misconfigured):
        Place.parse(url)


def test_the_engine_is_told_when_to_end_a_statement() -> None:
    session = Place.parse("trino://s@h/hive").session(2.5)
    assert session.headers("Trino")["X-Trino-Session"] == "query_max_run_time=2500ms"


def test_a_file_without_certificates_does_not_start() -> None:
    with pytest.raises(Misconfigured, match="no certificate"):
        Place.parse("trino://s@h/hive?tls=on&ca=/dev/null").trust()


def test_a_callers_credential_goes_only_over_tls_and_says_alone_who_asks() -> None:
    with pytest.raises(Misconfigured, match="unencrypted"):
        Place.parse("trino://s@h/hive?identity=exchange")
    place = Place.parse("trino://s:t0ken@h/hive?tls=on&identity=exchange&proof=bearer")
    assert place.session(1.0).authorization == "Bearer t0ken"
    session = place.shown("Bearer of-ann", "ann").session(1.0)
    headers = session.headers("Trino")
    assert headers["Authorization"] == session.later_headers("Trino")["Authorization"] == "Bearer of-ann"
    assert "X-Trino-User" not in headers
    assert "of-ann" not in repr(place.shown("Bearer of-ann", "ann")) + repr(session)
    presto = Place.parse("presto://s@h/hive?tls=on&identity=exchange").shown("Bearer of-ann", "ann").session(1.0)
    assert presto.headers("Presto")["X-Presto-User"] == "ann"


class Exchanged:
    """Credentials named after server and caller."""

    async def exchanged(self, server: str, caller: Caller) -> Credential:
        return Credential(f"Bearer of-{caller.name}-for-{server}", 0.0)


@pytest.mark.anyio
async def test_a_server_gives_its_engine_the_credentials_of_its_callers() -> None:
    url = "trino://s@h/hive?tls=on&identity=exchange"
    entry = {"url": url, "owner": "o", "support": "#s", "roles": {}}
    server, source = assemble(SqlSettings.parse("orders", entry))
    server.exchanges = Exchanged()
    engine = source.engine
    assert isinstance(engine, TrinoEngine)
    ann = CALLER.set(Caller(User("https://idp", "ann", frozenset()), "ide", "local", "c-1"))
    assert (await engine._acting()).credential == "Bearer of-ann-for-orders"
    alone = TrinoEngine(Place.parse(url))  # of a role with a login of its own
    with pytest.raises(Forbidden) as refused:
        await alone._acting()
    CALLER.reset(ann)
    assert refused.value.code == "no-exchange"
    await engine.close()
    await alone.close()
