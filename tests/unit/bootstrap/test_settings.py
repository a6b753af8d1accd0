"""Settings: who wins, what is refused, and what the refusal teaches."""

from pathlib import Path

import pytest

from pierhead.bootstrap.settings import read_settings
from pierhead.core.errors import Misconfigured


def test_a_flag_beats_the_environment_which_beats_the_file(tmp_path: Path) -> None:
    file = tmp_path / "pierhead.toml"
    file.write_text("[platform]\nport = 1111\ndiagnostics_port = 1112\nenvironment = 'file'\n")
    environment = {"PIERHEAD__PLATFORM__PORT": "2222", "PIERHEAD__PLATFORM__DIAGNOSTICS_PORT": "2223"}
    resolved = read_settings({("platform", "port"): 3333}, file, environment)
    platform = resolved.settings.platform
    assert (platform.port, platform.diagnostics_port, platform.environment) == (3333, 2223, "file")
    sources = {origin.key: origin.source for origin in resolved.origins if origin.section == "platform"}
    assert sources["port"] == "flag"
    assert sources["diagnostics_port"] == "env PIERHEAD__PLATFORM__DIAGNOSTICS_PORT"
    assert sources["environment"] == f"file {file}"
    assert sources["host"] == "default"


def test_a_value_may_stand_in_a_file_of_its_own(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("prod\n")
    resolved = read_settings({}, None, {"PIERHEAD__PLATFORM__ENVIRONMENT_FILE": str(secret)})
    assert resolved.settings.platform.environment == "prod"


def test_short_names_are_honoured() -> None:
    platform = read_settings({}, None, {"PIERHEAD_PORT": "9000", "PIERHEAD_DATA": "/srv/x"}).settings.platform
    assert (platform.port, platform.data) == (9000, Path("/srv/x"))


@pytest.mark.parametrize(("replica", "writer"), [("", "gateway"), ("eu-2", "gateway-eu-2")])
def test_a_gateway_writes_under_the_name_of_its_replica(replica: str, writer: str) -> None:
    assert read_settings({("platform", "replica"): replica}, None, {}).settings.platform.gateway == writer


@pytest.mark.parametrize("replica", ["../x", "EU", "a" * 41])
def test_a_replica_is_named_plainly(replica: str) -> None:
    with pytest.raises(Misconfigured, match="replica"):
        read_settings({("platform", "replica"): replica}, None, {})


def test_a_named_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match=r"no configuration file at .*absent\.toml"):
        read_settings({}, None, {"PIERHEAD_CONFIG": str(tmp_path / "absent.toml")})


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("[platform]\nprot = 1\n", "did you mean port?"),
        ("[platfrom]\nport = 1\n", "did you mean platform?"),
    ],
)
def test_an_unknown_key_is_refused_with_the_nearest_one(tmp_path: Path, text: str, hint: str) -> None:
    file = tmp_path / "pierhead.toml"
    file.write_text(text)
    with pytest.raises(Misconfigured) as refused:
        read_settings({}, file, {})
    assert (refused.value.code, refused.value.hint) == ("unknown-setting", hint)


def test_a_wrong_value_names_its_origin() -> None:
    with pytest.raises(Misconfigured, match=r"env PIERHEAD__PLATFORM__PORT: platform\.port"):
        read_settings({}, None, {"PIERHEAD__PLATFORM__PORT": "many"})


@pytest.mark.parametrize("host", ["0.0.0.0", "10.0.0.1", "example.com", ""])  # noqa: S104 - what must be refused
def test_the_built_in_sign_in_serves_loopback_only(host: str) -> None:
    with pytest.raises(Misconfigured) as refused:
        read_settings({("platform", "host"): host}, None, {})
    assert refused.value.code == "half-secured"


def test_metrics_never_share_the_public_port() -> None:
    with pytest.raises(Misconfigured, match="both 9464"):
        read_settings({("platform", "port"): 9464}, None, {})


def test_neither_age_limit_can_be_switched_off_or_crossed() -> None:
    with pytest.raises(Misconfigured):
        read_settings({("policy", "expired_s"): 0}, None, {})
    with pytest.raises(Misconfigured, match="larger than"):
        read_settings({("policy", "expired_s"): 30}, None, {})


@pytest.mark.parametrize(
    "namespace", ["com.mcp", "com.mcp.tools", "io.ModelContextProtocol", "io.modelcontextprotocol.x"]
)
def test_a_namespace_that_is_reserved_is_refused(namespace: str) -> None:
    with pytest.raises(Misconfigured, match="reserved") as refused:
        read_settings({}, None, {"PIERHEAD__REGISTRY__NAMESPACE": namespace})
    assert refused.value.code == "bad-setting"


@pytest.mark.parametrize("namespace", ["example", "com.example/x", "com..example", "", ".com", "com.exam ple"])
def test_a_namespace_is_a_domain_turned_round(namespace: str) -> None:
    with pytest.raises(Misconfigured, match=r"registry\.namespace"):
        read_settings({}, None, {"PIERHEAD__REGISTRY__NAMESPACE": namespace})


def test_lists_without_sign_in_show_nothing_above_internal_unless_told_so() -> None:
    registry = read_settings({}, None, {"PIERHEAD__REGISTRY__NAMESPACE": "mcp.example"}).settings.registry
    assert (registry.anonymous_max_data_class, registry.v0_alias) == ("internal", False)
