"""`{env: NAME}` in logins of roles: filled in by whoever serves, and nowhere kept."""

import json
from pathlib import Path

import pytest

from pierhead.bootstrap.fleet import load
from pierhead.bootstrap.secret_references import Secrets
from pierhead.bootstrap.variables import roles_with_variables, with_variables
from pierhead.bootstrap.wire_commands import declared_tools
from pierhead.core.errors import Misconfigured

ROLES = {
    "clerk": {"tables": {}, "login": {"user": "clerk", "password": {"env": "CLERK"}}},
    "boss": {"tables": {}, "login": {"url": {"env": "BOSS"}}},
    "local": {"tables": ["orders"], "operations": ["read"]},
}
HELD = {"CLERK": "secret", "BOSS": "postgresql://boss@db/shop"}


def test_a_login_takes_its_members_from_variables() -> None:
    filled = with_variables({"kind": "sql", "roles": ROLES}, Secrets(HELD.get, None))
    assert filled["kind"] == "sql"
    assert filled["roles"] == {
        "clerk": {"tables": {}, "login": {"user": "clerk", "password": "secret"}},
        "boss": {"tables": {}, "login": {"url": "postgresql://boss@db/shop"}},
        "local": ROLES["local"],
    }
    assert with_variables({"kind": "python"}, Secrets(HELD.get, None)) == {"kind": "python"}


def test_a_login_of_the_entry_is_filled_in_and_its_files_are_left_to_the_server(tmp_path: Path) -> None:
    (tmp_path / "stored").write_text("kept\n")
    login = {"user": "reader", "password": {"env": "CLERK"}, "token": {"secret": "stored"}, "key": {"file": "/none"}}
    filled = with_variables({"login": login}, Secrets(HELD.get, tmp_path))["login"]
    assert isinstance(filled, dict)
    assert (filled["user"], filled["key"]) == ("reader", {"file": "/none"})
    assert [filled[name].get_secret_value() for name in ("password", "token")] == ["secret", "kept"]
    assert "secret" not in repr(filled)
    with pytest.raises(Misconfigured, match=r"login\.password: the variable CLERK is not set") as refused:
        with_variables({"login": login}, Secrets({}.get, tmp_path))
    assert refused.value.code == "no-credential"


def test_every_missing_variable_is_named_and_no_value() -> None:
    with pytest.raises(Misconfigured) as refused:
        roles_with_variables(ROLES, Secrets({}.get, None))
    assert "roles.clerk.login.password: the variable CLERK is not set" in refused.value.message
    assert "roles.boss.login.url: the variable BOSS is not set" in refused.value.message


def test_a_mapping_that_is_no_variable_stays_for_the_plug_in_to_refuse() -> None:
    odd = {"clerk": {"tables": {}, "login": {"password": {"env": "CLERK", "more": 1}, "user": {"env": 7}}}}
    assert roles_with_variables(odd, Secrets(HELD.get, None)) == odd


def test_what_a_server_declares_is_told_without_its_credentials(tmp_path: Path) -> None:
    """`pierhead inspect` runs where nobody has them."""
    entry = {"kind": "airflow", "owner": "x", "support": "#x", "access": "everyone", "url": "https://airflow.example"}
    login = {"user": "pierhead", "password": {"env": "A_VARIABLE_THAT_IS_NOT_SET"}}
    (tmp_path / "fleet.yaml").write_text(json.dumps({"servers": {"airflow": {**entry, "login": login}}}))
    tools = declared_tools(load(tmp_path / "fleet.yaml"), "airflow")
    assert "airflow_diagnose_run" in {tool["name"] for tool in tools}
