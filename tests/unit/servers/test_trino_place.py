"""The URL of a Trino or Presto, read strictly."""

import pytest

from pierhead.core.errors import Misconfigured
from pierhead.servers.sql.engines.trino_place import Place


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
