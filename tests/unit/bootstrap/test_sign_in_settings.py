"""An identity provider is configured whole, or Pierhead does not start."""

from pathlib import Path

import pytest

from pierhead.bootstrap.settings import Settings, client_secret, read_settings
from pierhead.bootstrap.sign_in_settings import known_programs, registered_programs
from pierhead.core.errors import Misconfigured
from pierhead.core.workload import Registration
from pierhead.usecases.grant_to_programs import Program

WHOLE = {"issuer": "https://login.example", "client_id": "pierhead", "client_secret": "s3cret of chance q7"}


def read(**given: str) -> Settings:
    variables = {f"PIERHEAD__SIGN_IN__{name.upper()}": value for name, value in given.items()}
    return read_settings({}, None, variables).settings


def refusal(**given: str) -> str:
    with pytest.raises(Misconfigured) as caught:
        read(**given)
    assert caught.value.code in {"half-secured", "bad-setting", "weak-secret"}
    return caught.value.message


def test_without_an_issuer_people_are_those_of_the_fleet_file() -> None:
    assert not read().sign_in.is_elsewhere
    assert not read(issuer="").sign_in.is_elsewhere


def test_a_whole_section_is_taken() -> None:
    groups = {"groups": "g-1=data-eng\n\ncn=x,dc=y=ads", "groups_claim": "realm.roles"}
    given = read(**WHOLE, **groups, scopes="openid groups").sign_in
    assert given.is_elsewhere
    assert given.scopes == ("openid", "groups")
    assert given.mapping.names == {"g-1": "data-eng", "cn=x,dc=y": "ads"}
    assert given.mapping.groups == "realm.roles"
    assert client_secret(given) == "s3cret of chance q7"
    assert "q7" not in repr(given)


HALVES = {
    "no secret": {"client_secret": ""},
    "no client": {"client_id": ""},
    "a secret of an example": {"client_secret": "changeme-changeme"},
    "no openid": {"scopes": "profile"},
    "plain http": {"issuer": "http://login.example"},
    "no url": {"issuer": "login.example"},
    "a query": {"issuer": "https://login.example/?a=b"},
    "a name in the url": {"issuer": "https://me@login.example"},
    "an algorithm of shared secrets": {"algorithms": "RS256 HS256"},
    "no algorithm": {"algorithms": " "},
    "an identity token as access token": {"token_types": "jwt id_token"},
    "its own id as audience": {"audience": "pierhead"},
    "an empty group": {"groups": "g-1="},
}


@pytest.mark.parametrize("change", HALVES.values(), ids=HALVES.keys())
def test_half_a_provider_does_not_start(change: dict[str, str]) -> None:
    assert "sign_in" in refusal(**{**WHOLE, **change})


@pytest.mark.parametrize("name", ["client_id", "client_secret", "audience", "groups"])
def test_a_provider_without_an_issuer_does_not_start(name: str) -> None:
    assert name in refusal(**{name: "x=y"})


def test_a_secret_is_read_where_it_is_kept(tmp_path: Path) -> None:
    kept = tmp_path / "secret"
    kept.write_text("read from a file, 9k\n")
    by_file = read(**{**WHOLE, "client_secret": f"file:{kept}"}).sign_in
    assert client_secret(by_file) == "read from a file, 9k"
    assert "nothing can be read" in refusal(**{**WHOLE, "client_secret": f"file:{tmp_path / 'absent'}"})
    assert "nothing can be read" in refusal(**{**WHOLE, "client_secret": "env:ABSENT_HERE"})
    places = {f"PIERHEAD__SIGN_IN__{name.upper()}": value for name, value in WHOLE.items()}
    places |= {"PIERHEAD__SIGN_IN__CLIENT_SECRET": "env:CORP", "CORP": "read from the environment"}
    assert read_settings({}, None, places).settings.sign_in.is_elsewhere


def test_other_addresses_than_loopback_need_a_provider_and_https() -> None:
    outside = {("platform", "host"): "10.0.0.1"}
    provider = {f"PIERHEAD__SIGN_IN__{name.upper()}": value for name, value in WHOLE.items()}
    with pytest.raises(Misconfigured):
        read_settings(outside, None, provider)
    with pytest.raises(Misconfigured):
        read_settings({**outside, ("platform", "public_url"): "http://mcp.example"}, None, provider)
    public = {**outside, ("platform", "public_url"): "https://mcp.example"}
    assert read_settings(public, None, provider).settings.platform.host == "10.0.0.1"


def test_what_a_plain_token_is_good_for_is_everything_unless_it_is_said() -> None:
    assert read(**WHOLE).sign_in.token_scopes == ("mcp",)
    assert read(**WHOLE, token_scopes="mcp.read shop.write").sign_in.token_scopes == ("mcp.read", "shop.write")
    assert read(**WHOLE, token_scopes=" ").sign_in.token_scopes == ()
    assert "no scope of tools" in refusal(**WHOLE, token_scopes="everything")


ROBOT = "spiffe://corp.example/job/nightly"


def program(tmp_path: Path, workload: str = ROBOT, digest: str = "a" * 64) -> Settings:
    file = tmp_path / "pierhead.toml"
    file.write_text(f'[sign_in.programs.nightly]\nworkload = "{workload}"\nsecret_sha256 = "{digest}"\n')
    return read_settings({}, file, {}).settings


def test_a_program_is_known_by_its_digest_and_stands_as_an_agent(tmp_path: Path) -> None:
    sign_in = program(tmp_path).sign_in
    assert known_programs(sign_in) == {"nightly": Program(ROBOT, "a" * 64)}
    assert registered_programs(sign_in, "prod") == {ROBOT: Registration("agent", "prod")}


@pytest.mark.parametrize(
    "wrong", [{"workload": "nightly"}, {"workload": "spiffe://corp.example"}, {"digest": "s3cret"}, {"digest": ""}]
)
def test_a_program_without_a_workload_or_with_its_secret_in_the_clear_does_not_start(
    tmp_path: Path, wrong: dict[str, str]
) -> None:
    with pytest.raises(Misconfigured):
        program(tmp_path, **wrong)
