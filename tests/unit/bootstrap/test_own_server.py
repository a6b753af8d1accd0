"""What a team's own server is started from: its credential, and its code."""

import sys
from pathlib import Path

import pytest

from pierhead.bootstrap import fleet
from pierhead.bootstrap.own_credential import own_credential
from pierhead.bootstrap.plugins import fleet_server, own_server
from pierhead.core.enrolment import Enrolment
from pierhead.core.errors import Misconfigured

ENROLMENT = Enrolment("lunch", "http://h:1/mcp", "https://mcp", "ps_x", "a" * 64, "0" * 64)


@pytest.fixture(autouse=True)
def without_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PIERHEAD_CREDENTIAL", "PIERHEAD_CREDENTIAL_FILE"):
        monkeypatch.delenv(name, raising=False)


def test_a_credential_comes_from_its_file_or_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "lunch.credential"
    file.write_text(ENROLMENT.text() + "\n")
    assert own_credential(file) == ENROLMENT
    monkeypatch.setenv("PIERHEAD_CREDENTIAL_FILE", str(file))
    assert own_credential(None) == ENROLMENT
    monkeypatch.setenv("PIERHEAD_CREDENTIAL", ENROLMENT.text())
    monkeypatch.setenv("PIERHEAD_CREDENTIAL_FILE", "/nowhere")
    assert own_credential(None) == ENROLMENT


def test_without_one_a_server_does_not_start(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    for file in (None, tmp_path / "absent", tmp_path / "empty"):
        with pytest.raises(Misconfigured) as refused:
            own_credential(file)
        assert refused.value.code == "bad-credential"


@pytest.mark.parametrize("code", ["", "lunch", ":server", "no.such.module:server", "json:nothing", "json:dumps"])
def test_code_that_is_no_server_is_refused_by_name(code: str) -> None:
    with pytest.raises(Misconfigured) as refused:
        own_server(code)
    assert refused.value.code == "no-such-code"


LUNCH = """
from pierhead import Server

server = Server("lunch", owner="kitchen", support="#lunch")
"""


def declared(folder: Path, entry: str) -> Path:
    file = folder / "fleet.yaml"
    file.write_text(f"servers:\n  {entry}\n")
    return file


def test_the_code_of_a_fleet_lies_beside_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.path", [*sys.path])
    (tmp_path / "kitchen").mkdir()
    (tmp_path / "kitchen" / "code_of_lunch.py").write_text(LUNCH)
    members = "kind: python, code: 'code_of_lunch:server', folder: kitchen, owner: kitchen, support: '#lunch'"
    server = fleet.load(declared(tmp_path, f"lunch: {{{members}}}")).servers["lunch"]
    assert server.place == ""
    assert fleet_server(server.kind, server.name, server.settings).name == "lunch"
    with pytest.raises(Misconfigured, match="declares lunch") as refused:
        fleet_server(server.kind, "dinner", server.settings)
    assert refused.value.code == "no-such-code"


@pytest.mark.parametrize("said", ["", ", code: 'lunch:server', url: 'http://h:1/mcp'"])
def test_a_server_of_the_sdk_says_where_it_runs_once(said: str, tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="one of both"):
        fleet.load(declared(tmp_path, f"lunch: {{kind: python, owner: kitchen, support: '#lunch'{said}}}"))
