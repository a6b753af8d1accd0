"""The section `mesh`: nothing is on until it is said, and what is said in part does not start."""

import json
from pathlib import Path

import pytest

from pierhead.bootstrap.mesh_settings import registered
from pierhead.bootstrap.running import bound_path
from pierhead.bootstrap.settings import read_settings
from pierhead.core.errors import Misconfigured
from pierhead.core.scope import WHOLE
from pierhead.core.workload import Registration

CHAT = "spiffe://corp.example/ns/chat/sa/assistant"
DOMAIN = {"PIERHEAD__MESH__TRUST_DOMAIN": "corp.example"}


def test_without_a_word_of_it_there_is_no_mesh() -> None:
    mesh = read_settings({}, None, {}).settings.mesh
    assert (mesh.trust_domain, mesh.registered, mesh.sidecar_socket) == ("", {}, None)
    assert mesh.sidecar_addresses == frozenset()


def test_what_the_fleet_file_lists_and_the_settings_do_not_place_is_an_agent_of_this_platform() -> None:
    place = {CHAT: {"surface": "chat", "environment": "production"}}
    mesh = read_settings({}, None, {"PIERHEAD__MESH__WORKLOADS": json.dumps(place)} | DOMAIN).settings.mesh
    assert registered(mesh, [CHAT, f"{CHAT}/2"], "test") == {
        CHAT: Registration("chat", "production", scopes=WHOLE),
        f"{CHAT}/2": Registration("agent", "test", scopes=WHOLE),
    }


def test_workloads_are_registered_in_the_file(tmp_path: Path) -> None:
    file = tmp_path / "pierhead.toml"
    place = f'[mesh.workloads."{CHAT}"]\nsurface = "chat"\nenvironment = "production"\ninteractive = true\n'
    file.write_text(f'[mesh]\ntrust_domain = "corp.example"\nsidecar = "unix:/run/sidecar.sock"\n{place}')
    mesh = read_settings({}, file, {}).settings.mesh
    assert mesh.registered == {CHAT: Registration("chat", "production", interactive=True, scopes=WHOLE)}
    assert (mesh.sidecar_socket, mesh.sidecar_addresses) == (Path("/run/sidecar.sock"), frozenset())


def test_workloads_are_registered_in_the_environment_as_json() -> None:
    table = {CHAT: {"surface": "chat", "environment": "production"}}
    environment = {
        "PIERHEAD__MESH__WORKLOADS": json.dumps(table),
        "PIERHEAD__MESH__TRUST_DOMAIN": "corp.example",
        "PIERHEAD__MESH__SIDECAR": "10.0.0.7",
    }
    mesh = read_settings({}, None, environment).settings.mesh
    assert mesh.registered == {CHAT: Registration("chat", "production", scopes=WHOLE)}
    assert mesh.sidecar_addresses == {"10.0.0.7"}


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ({"SIDECAR": "10.0.0.7"}, "half-secured"),
        ({"AUTHZ": "127.0.0.1:9001"}, "half-secured"),
        ({"BUNDLE": "/bundle.json"}, "half-secured"),
        ({"TRUST_DOMAIN": "Corp Example"}, "bad-setting"),
        ({"TRUST_DOMAIN": "corp.example", "SIDECAR": "0.0.0.0"}, "bad-setting"),  # noqa: S104 - refused
        ({"TRUST_DOMAIN": "corp.example", "SIDECAR": "sidecar.local"}, "bad-setting"),
        ({"TRUST_DOMAIN": "corp.example", "SIDECAR": "unix:relative"}, "bad-setting"),
        ({"TRUST_DOMAIN": "corp.example", "AUTHZ": "0.0.0.0:9001"}, "bad-setting"),
        ({"TRUST_DOMAIN": "corp.example", "AUTHZ": "127.0.0.1:0"}, "bad-setting"),
        ({"TRUST_DOMAIN": "corp.example", "WORKLOADS": "no json"}, "bad-setting"),
        ({"TRUST_DOMAIN": "corp.example", "WORKLOADS": '{"alice": {"surface":"a","environment":"b"}}'}, "bad-setting"),
        (
            {"TRUST_DOMAIN": "a.example", "WORKLOADS": f'{{"{CHAT}":{{"surface":"a","environment":"b"}}}}'},
            "bad-setting",
        ),
        ({"TRUST_DOMAIN": "corp.example", "WORKLOADS": f'{{"{CHAT}":{{"surface":"a"}}}}'}, "bad-setting"),
    ],
)
def test_half_a_mesh_does_not_start(members: dict[str, str], code: str) -> None:
    with pytest.raises(Misconfigured) as refused:
        read_settings({}, None, {f"PIERHEAD__MESH__{name}": value for name, value in members.items()})
    assert refused.value.code == code


def test_a_socket_is_for_its_account_and_group_and_replaces_one_that_was_left(tmp_path: Path) -> None:
    path = tmp_path / "sidecar.sock"
    first = bound_path(path)
    assert path.stat().st_mode & 0o777 == 0o660
    with pytest.raises(Misconfigured, match="cannot be used"):
        bound_path(path)
    first.close()
    bound_path(path).close()
