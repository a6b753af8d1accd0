"""What a team's own server is started from: its credential, and its code."""

from pathlib import Path

import pytest

from pierhead.bootstrap.own_credential import own_credential
from pierhead.bootstrap.plugins import own_server
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
