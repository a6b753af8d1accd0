"""What a registered entry may ask the platform to run or to reach."""

from typing import Any, Final

import pytest

from pierhead.core.errors import Invalid
from pierhead.usecases.check_guest import (
    NOTHING_ALLOWED,
    GuestRules,
    artefact_of,
    check_guest,
    is_set_aside,
    parse_artefact,
    variable_prefix,
)

DIGEST: Final = "a" * 64
RULES: Final = GuestRules(
    (
        parse_artefact("mcp-server-time==1.2.3 --local-timezone UTC"),
        parse_artefact("any-args==2 serve *"),
        parse_artefact(f"/opt/tools/server@sha256:{DIGEST}"),
    ),
    frozenset({"mcp.corp.example", "10.1.2.3"}),
)


def refusal(document: dict[str, Any], rules: GuestRules = RULES, name: str = "weather") -> Invalid:
    with pytest.raises(Invalid) as refused:
        check_guest(name, document, rules)
    assert refused.value.code == "guest-not-allowed"
    return refused.value


@pytest.mark.parametrize("url", ["https://mcp.example.com/mcp", "http://mcp.example.com:8080/", "https://8.8.8.8/mcp"])
def test_a_host_outside_may_be_registered(url: str) -> None:
    check_guest("weather", {"kind": "http", "url": url}, NOTHING_ALLOWED)


@pytest.mark.parametrize("url", ["https://mcp.corp.example/mcp", "http://10.1.2.3/mcp"])
def test_a_host_inside_may_be_registered_where_the_operator_names_it(url: str) -> None:
    check_guest("weather", {"kind": "http", "url": url}, RULES)


@pytest.mark.parametrize(
    "host",
    [
        *("localhost", "127.0.0.1", "10.0.0.1", "169.254.169.254", "[::1]", "[::ffff:10.0.0.1]", "[fe80::1]", "0"),
        *("127.1", "2130706433", "0x7f000001", "0x7f.1", "017700000001", "metadata.google.internal", "box.local", "db"),
        *("localhost.", "a.localhost", "10.1.2.4"),
    ],
)
def test_a_host_inside_is_refused_with_what_to_change(host: str) -> None:
    refused = refusal({"kind": "http", "url": f"http://{host}/mcp"})
    assert "lies inside the network" in refused.message
    assert "registry.allowed_hosts" in refused.hint


@pytest.mark.parametrize(
    "url",
    [
        *(None, 3, "", "ftp://a.example/", "file:///etc/hosts", "//a.example", "https://", "https://a.example:99999/"),
        *("https://a.example/ b", "https://a.example\\@b.example/", "https://\u0430.example/", "https://a.example/\n"),
        "https://a.example/" + "a" * 3000,
    ],
)
def test_what_is_no_plain_url_is_refused(url: object) -> None:
    assert "no http or https address" in refusal({"kind": "http", "url": url}).message


def test_a_url_holds_no_credential_and_no_fragment_and_all_faults_are_told() -> None:
    refused = refusal({"kind": "http", "url": "http://me:secret@10.0.0.1/mcp#x"})
    assert "credential" in refused.message
    assert "fragment" in refused.message
    assert "inside the network" in refused.message
    assert "secret" not in refused.message + refused.hint


def test_a_credential_comes_from_variables_that_were_set_aside_for_this_server_alone() -> None:
    entry = {"kind": "http", "url": "https://a.example/"}
    own = variable_prefix("my-weather") + "TOKEN"
    assert own == "PIERHEAD_GUEST__MY_WEATHER__TOKEN"
    check_guest("my-weather", {**entry, "headers": {"Authorization": {"env": own}, "X": {"value": "1"}}}, RULES)
    for other in ("AWS_SECRET_ACCESS_KEY", "PIERHEAD_GUEST__OTHER__TOKEN", f"{own}__X", variable_prefix("my-weather")):
        refused = refusal({**entry, "headers": {"Authorization": {"env": other}}}, name="my-weather")
        assert "PIERHEAD_GUEST__MY_WEATHER__TOKEN" in refused.hint


@pytest.mark.parametrize("header", [{"file": "/run/secrets/db"}, {"secret": "db"}])
def test_no_file_and_no_store_of_this_machine_is_for_whoever_registers(header: dict[str, str]) -> None:
    refused = refusal({"kind": "http", "url": "https://a.example/", "headers": {"Authorization": header}})
    assert "takes a file of the platform's machine" in refused.message


def test_no_name_reaches_into_the_variables_of_another() -> None:
    assert not is_set_aside("a", "PIERHEAD_GUEST__A_B__TOKEN")
    assert not is_set_aside("a", "PIERHEAD_GUEST__A__B__TOKEN")
    assert not is_set_aside("a-", "PIERHEAD_GUEST__A__TOKEN")
    assert is_set_aside("a-b", "PIERHEAD_GUEST__A_B__MY_TOKEN_2")


@pytest.mark.parametrize(
    "command",
    [
        ["mcp-server-time", "--local-timezone", "UTC"],
        ["any-args", "serve", "--anything"],
        ["any-args", "serve"],
        ["/opt/tools/server"],
    ],
)
def test_an_allowed_command_may_be_registered(command: list[str]) -> None:
    check_guest("time", {"kind": "stdio", "command": command}, RULES)


@pytest.mark.parametrize(
    "command",
    [
        *(None, [], [3], "mcp-server-time", ["sh", "-c", "id"], ["mcp-server-time"], ["mcp-server-time==1.2.3"]),
        *(["mcp-server-time", "--local-timezone", "UTC", "--more"], ["any-args"], ["/opt/tools/server", "-x"]),
        ["/opt/tools/../tools/server"],
    ],
)
def test_any_other_command_is_refused_and_the_allowed_ones_are_told(command: object) -> None:
    refused = refusal({"kind": "stdio", "command": command})
    assert refused.hint
    if isinstance(command, list) and command and isinstance(command[0], str):
        assert "mcp-server-time==1.2.3 --local-timezone UTC" in refused.hint


def test_nothing_is_allowed_unless_the_operator_says_so() -> None:
    assert refusal({"kind": "stdio", "command": ["mcp-server-time"]}, NOTHING_ALLOWED).hint.endswith("none")


def test_a_registered_command_sets_no_environment() -> None:
    document = {"kind": "stdio", "command": ["/opt/tools/server"], "environment": {"LD_PRELOAD": "/srv/x.so"}}
    assert "environment" in refusal(document).message


def test_other_kinds_are_the_operators() -> None:
    assert "'airflow' is for the operator" in refusal({"kind": "airflow"}, NOTHING_ALLOWED).message


@pytest.mark.parametrize("url", ["http://mcp.corp.example:9000/mcp", "http://10.1.2.3:1/mcp"])
def test_a_server_that_its_team_runs_stands_on_a_host_that_the_operator_names(url: str) -> None:
    check_guest("lunch", {"kind": "python", "url": url}, RULES)
    refused = refusal({"kind": "python", "url": url}, NOTHING_ALLOWED)
    assert "registry.allowed_hosts" in refused.hint


@pytest.mark.parametrize("document", [{"code": "lunch:server"}, {"folder": "/srv/lunch"}])
def test_no_code_runs_on_the_platform_because_somebody_registered_it(document: dict[str, object]) -> None:
    refused = refusal({"kind": "python", "url": "http://mcp.corp.example:9000/mcp", **document})
    assert "its code would run on the platform" in refused.message


def test_not_even_a_host_outside_takes_calls_without_the_operators_word() -> None:
    assert "mcp.example.com" in refusal({"kind": "python", "url": "http://mcp.example.com:9000/mcp"}).message


@pytest.mark.parametrize(
    "url",
    [
        *("http://mcp.corp.example/mcp", "ftp://mcp.corp.example:9000/mcp", "http://mcp.corp.example:9000/other"),
        *("http://mcp.corp.example:0/mcp", "http://mcp.corp.example:65536/mcp", "http://a@mcp.corp.example:9/mcp"),
        *("http://MCP.corp.example:9000/mcp", "http://mcp.corp.example:9000/mcp?x=1", 7, None),
    ],
)
def test_the_place_of_a_server_is_written_in_one_way(url: object) -> None:
    assert "http://HOST:PORT/mcp" in refusal({"kind": "python", "url": url}).hint


def test_a_server_may_be_called_over_tls() -> None:
    rules = GuestRules((), frozenset({"mcp.corp.example"}))
    check_guest("shop", {"kind": "python", "url": "https://mcp.corp.example:9000/mcp"}, rules)


@pytest.mark.parametrize("url", [{"env": "PIERHEAD_GUEST__SHOP__URL"}, "${PIERHEAD_GUEST__SHOP__URL}"])
def test_a_database_is_one_that_the_operator_set_aside_for_that_entry(url: object) -> None:
    document = {"kind": "sql", "url": url, "roles": {"analyst": {"tables": ["orders"]}}}
    check_guest("shop", document, NOTHING_ALLOWED)
    assert "set aside" in refusal(document, name="other").message


@pytest.mark.parametrize(
    "url",
    [
        *("postgresql://db/x", "sqlite:////srv/pierhead.db", "${HOME}", "x${PIERHEAD_GUEST__SHOP__URL}", None),
        *({"env": "DATABASE_URL"}, {"file": "/etc/passwd"}, {"secret": "shop"}, {"env": 1}),
        {"env": "PIERHEAD_GUEST__SHOP__URL", "file": "/etc/passwd"},
    ],
)
def test_no_other_database_is_opened_for_who_registers(url: object) -> None:
    assert "PIERHEAD_GUEST__SHOP__URL" in refusal({"kind": "sql", "url": url}, name="shop").hint


def test_what_names_files_and_secrets_of_the_platform_is_the_operators() -> None:
    document: dict[str, Any] = {
        "kind": "sql",
        "url": {"env": "PIERHEAD_GUEST__SHOP__URL"},
        "contract": "/etc/passwd",
        "cursor_key": "k",
        "roles": {"analyst": {"login": {"user": "x"}}, "reader": {"tables": []}, "odd": 1},
    }
    refused = refusal(document, name="shop")
    for word in ("contract", "cursor_key", "analyst"):
        assert word in refused.message
    assert "reader" not in refused.message


@pytest.mark.parametrize("kind", ["presto", "trino"])
def test_a_registered_engine_is_set_aside_and_keeps_to_its_roles(kind: str) -> None:
    document: dict[str, Any] = {
        "kind": kind,
        "url": {"env": "PIERHEAD_GUEST__LAKE__URL"},
        "roles": {"analyst": {"tables": ["orders"]}},
    }
    check_guest("lake", document, NOTHING_ALLOWED)
    beyond: dict[str, Any] = {
        "assets": "/etc/passwd",
        "groups": {"oncall": ["web"]},
        "overwrite": {"tables": ["orders"]},
    }
    refused = refusal({**document, "url": f"{kind}://root@db:8080/hive", **beyond}, name="lake")
    for word in ("set aside", "assets", "groups", "overwrite"):
        assert word in refused.message


@pytest.mark.parametrize(
    "text", ["", "sh", "mcp-server-time", "a==", "a==1.*", "/x@sha256:12", "x@sha256:" + DIGEST, '"']
)
def test_an_artefact_must_be_pinned(text: str) -> None:
    with pytest.raises(Invalid, match="pinned") as refused:
        parse_artefact(text)
    assert refused.value.code == "bad-artefact"


def test_no_command_runs_no_artefact() -> None:
    assert artefact_of((), RULES) is None
