"""A server.json of another registry becomes an entry of ours."""

from contextlib import suppress
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pierhead.core.errors import Invalid
from pierhead.usecases.check_guest import NOTHING_ALLOWED, GuestRules, parse_artefact
from pierhead.usecases.import_server import CURRENT, KNOWN, Imported, import_server

SCHEMA: Final = "https://static.modelcontextprotocol.io/schemas/{}/server.schema.json"
GIVEN: Final[dict[str, Any]] = {"owner": "ads", "support": "#ads", "access": "group:ads"}
REMOTE: Final[dict[str, Any]] = {
    "$schema": SCHEMA.format(CURRENT),
    "name": "com.example/Weather_v2",
    "title": "Weather",
    "description": "Forecasts.",
    "version": "1.4.0",
    "remotes": [
        {"type": "sse", "url": "https://a.example/sse"},
        {"type": "streamable-http", "url": "https://a.example/mcp"},
    ],
    "_meta": {"anything": {"at": ["all"]}},
}
PACKAGE: Final[dict[str, Any]] = {
    "name": "com.example/time",
    "description": "Time.",
    "version": "1.0.0",
    "packages": [
        {
            "registryType": "pypi",
            "identifier": "mcp-server-time",
            "version": "1.2.3",
            "transport": {"type": "stdio"},
            "packageArguments": [{"type": "named", "name": "--local-timezone", "value": "UTC"}],
        }
    ],
}
RULES: Final = GuestRules((parse_artefact("mcp-server-time==1.2.3 --local-timezone UTC"),), frozenset())


def imported(source: object, rules: GuestRules = NOTHING_ALLOWED, **changes: Any) -> Imported:
    return import_server(source, GIVEN, rules, **changes)


def refusal(source: object, code: str = "bad-import", rules: GuestRules = NOTHING_ALLOWED) -> Invalid:
    with pytest.raises(Invalid) as refused:
        imported(source, rules)
    assert refused.value.code == code
    assert refused.value.hint
    return refused.value


def test_a_remote_becomes_an_entry_of_kind_http() -> None:
    found = imported(REMOTE)
    assert (found.name, found.full_name, found.version) == ("weather-v2", "com.example/Weather_v2", "1.4.0")
    assert found.document == {
        "kind": "http",
        "url": "https://a.example/mcp",
        "title": "Weather",
        "description": "Forecasts.",
        "version": "1.4.0",
        **GIVEN,
    }
    assert imported({"server": REMOTE, "_meta": {}}, name="sky").name == "sky"


@pytest.mark.parametrize("version", KNOWN)
def test_every_known_schema_version_is_read(version: str) -> None:
    assert imported({**REMOTE, "$schema": SCHEMA.format(version)}).document["kind"] == "http"


def test_the_oldest_version_is_read_in_its_own_names() -> None:
    old = {
        **REMOTE,
        "$schema": SCHEMA.format("2025-07-09"),
        "remotes": [
            {
                "transport_type": "streamable-http",
                "url": "https://a.example/mcp",
                "headers": [{"name": "X-Key", "is_secret": True, "is_required": True}],
            }
        ],
    }
    assert imported(old).document["headers"] == {"X-Key": {"env": "PIERHEAD_GUEST__WEATHER_V2__X_KEY"}}


def test_an_unknown_schema_is_refused_with_those_that_are_known() -> None:
    assert CURRENT in refusal({**REMOTE, "$schema": SCHEMA.format("2031-01-01")}, "import-schema").hint
    refusal({**REMOTE, "$schema": "https://evil.example/x.json"}, "import-schema")


def test_a_secret_is_never_taken_over_but_named() -> None:
    headers = [
        {"name": "Authorization", "value": "Bearer {token}", "isRequired": True},
        {"name": "X-Secret", "value": "s3cret", "isSecret": True},
        {"name": "X-Region", "value": "eu"},
        {"name": "X-Optional"},
    ]
    found = imported({**REMOTE, "remotes": [{**REMOTE["remotes"][1], "headers": headers}]})
    assert found.document["headers"] == {
        "Authorization": {"env": "PIERHEAD_GUEST__WEATHER_V2__AUTHORIZATION"},
        "X-Secret": {"env": "PIERHEAD_GUEST__WEATHER_V2__X_SECRET"},
        "X-Region": {"value": "eu"},
    }
    assert len(found.notes) == 2
    assert "s3cret" not in str(found)


def test_a_package_becomes_a_command_only_where_that_very_version_is_allowed() -> None:
    assert imported(PACKAGE, RULES).document["command"] == ["mcp-server-time", "--local-timezone", "UTC"]
    assert "mcp-server-time==1.2.3" in refusal(PACKAGE).message
    newer = {**PACKAGE, "packages": [{**PACKAGE["packages"][0], "version": "1.2.4"}]}
    assert "mcp-server-time==1.2.4" in refusal(newer, rules=RULES).message
    npm = {**PACKAGE, "packages": [{**PACKAGE["packages"][0], "registryType": "npm"}]}
    refusal(npm, rules=RULES)


@pytest.mark.parametrize(
    "change",
    [
        *({"name": "weather"}, {"name": "a/b/c"}, {"name": 3}, {"description": ""}, {"description": "x" * 101}),
        *({"version": ""}, {"remotes": []}, {"remotes": "x"}, {"remotes": ["x"]}, {"remotes": [{"type": "sse"}]}),
        *(
            {"remotes": [{"type": "streamable-http"}]},
            {"remotes": [{"type": "streamable-http", "url": "https://{x}/"}]},
        ),
    ],
)
def test_what_cannot_be_an_entry_is_refused(change: dict[str, Any]) -> None:
    refusal({**REMOTE, **change})


def deep(levels: int) -> Any:
    value: Any = "x"
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    "bomb", [{"a": deep(10_000)}, {"a": ["x"] * 5_000}, {"a": "x" * 10_000}, {"x" * 10_000: 1}, {"_meta": deep(100)}]
)
def test_an_import_bomb_is_refused_before_it_is_read(bomb: dict[str, Any]) -> None:
    refusal({**REMOTE, **bomb}, "import-too-large")


@pytest.mark.parametrize(
    ("change", "place", "hint"),
    [
        ({"remots": []}, "unknown member remots", "did you mean remotes?"),
        ({"colour": "red"}, "unknown member colour", "known there: $schema"),
        ({"repository": {"url": "https://x.example", "sauce": "git"}}, "repository.sauce", "did you mean source?"),
        ({"packages": [{"identifer": "x"}]}, "packages[0].identifer", "did you mean identifier?"),
        ({"remotes": [{"type": "sse", "uri": "https://x"}]}, "remotes[0].uri", "did you mean url?"),
        (
            {"remotes": [{"type": "sse", "url": "https://x", "headers": [{"name": "A", "isSecrt": True}]}]},
            "remotes[0].headers[0].isSecrt",
            "did you mean isSecret?",
        ),
    ],
)
def test_a_member_that_nobody_knows_is_told_with_its_place_and_the_nearest(
    change: dict[str, Any], place: str, hint: str
) -> None:
    with pytest.raises(Invalid) as refused:
        import_server({**REMOTE, **change}, GIVEN, NOTHING_ALLOWED)
    assert refused.value.code == "bad-import"
    assert place in refused.value.message
    assert hint in refused.value.hint


def test_what_runs_comes_from_the_document_alone() -> None:
    with pytest.raises(Invalid, match=r"url come from the server\.json"):
        import_server(REMOTE, {**GIVEN, "url": "https://other.example/"}, NOTHING_ALLOWED)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=15,
)


@given(
    st.sampled_from([REMOTE, PACKAGE]),
    st.sampled_from(["name", "remotes", "packages", "version", "$schema", "x"]),
    _JSON,
)
def test_any_document_is_read_or_refused_and_nothing_else(source: dict[str, Any], key: str, value: Any) -> None:
    with suppress(Invalid):
        assert imported({**source, key: value}, RULES).document["kind"] in {"http", "stdio"}


@pytest.mark.parametrize("source", [[], "text", 3, None])
def test_what_is_no_object_is_refused(source: object) -> None:
    refusal(source)


def test_a_packages_argument_without_a_value_adds_nothing() -> None:
    given = [{"type": "positional"}, *PACKAGE["packages"][0]["packageArguments"], {"type": "named", "name": "UTC"}]
    package = {**PACKAGE["packages"][0], "packageArguments": [*given[:2]]}
    assert imported({**PACKAGE, "packages": [package]}, RULES).document["command"] == [
        "mcp-server-time",
        "--local-timezone",
        "UTC",
    ]
    bare = {**package, "packageArguments": given}
    assert "not in registry.allowed_commands" in refusal({**PACKAGE, "packages": [bare]}, rules=RULES).message
