"""References to secrets: variables, files, a mounted store; what has no value is named, and no value is told."""

from pathlib import Path
from typing import Any

import pytest

from pierhead.bootstrap import secret_references
from pierhead.bootstrap.entries import EntryDeclarations
from pierhead.bootstrap.fleet import Guest
from pierhead.bootstrap.secret_references import Secrets, Unresolved
from pierhead.bootstrap.settings import secret_store
from pierhead.bootstrap.variables import roles_with_variables, with_variables
from pierhead.bootstrap.wire_guard import GuestSetting, header_values
from pierhead.core.errors import Invalid, Misconfigured
from pierhead.usecases.check_guest import GuestRules

HELD = {"DB_PASSWORD": "hunter2", "EMPTY": ""}


@pytest.fixture
def store(tmp_path: Path) -> Path:
    (tmp_path / "db-password").write_text("from-the-store\n")
    (tmp_path / "plain").write_text("as it is ")
    return tmp_path


def test_each_kind_of_reference_has_its_value(store: Path) -> None:
    secrets = Secrets(HELD.get, store)
    assert secrets.value({"env": "DB_PASSWORD"}) == "hunter2"
    assert secrets.value({"secret": "db-password"}) == "from-the-store"
    assert secrets.value({"file": str(store / "plain")}) == "as it is "
    assert secrets.text("postgresql://app:${DB_PASSWORD}@db/shop") == "postgresql://app:hunter2@db/shop"


@pytest.mark.parametrize(
    ("reference", "why"),
    [
        ({"env": "MISSING"}, "the variable MISSING is not set"),
        ({"env": "EMPTY"}, "the variable EMPTY is not set"),
        ({"env": "A B"}, "'A B' is no name of a variable"),
        ({"secret": "../etc/passwd"}, "'../etc/passwd' is no name of a secret"),
        ({"secret": "nothing"}, "the secret nothing cannot be read: No such file or directory"),
        ({"file": "/nonexistent/x"}, "the file /nonexistent/x cannot be read: No such file or directory"),
    ],
)
def test_what_has_no_value_says_why(store: Path, reference: dict[str, str], why: str) -> None:
    with pytest.raises(Unresolved, match=f"^{why.replace('.', '[.]')}"):
        Secrets(HELD.get, store).value(reference)


def test_a_store_that_is_not_mounted_says_how_to_name_one() -> None:
    with pytest.raises(Unresolved, match="PIERHEAD_SECRETS"):
        Secrets(HELD.get, None).value({"secret": "db-password"})


def test_a_file_that_is_empty_too_large_or_no_text_is_refused(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secrets = Secrets(HELD.get, store)
    monkeypatch.setattr(secret_references, "MOST_BYTES", 8)
    for content, why in ((b"\n", "is empty"), (b"x" * 9, "larger than 8 bytes"), (b"\xff\xfe", "is no text")):
        (store / "odd").write_bytes(content)
        with pytest.raises(Unresolved, match=why):
            secrets.value({"secret": "odd"})


def test_an_address_takes_its_secret_from_where_it_says(store: Path) -> None:
    secrets = Secrets(HELD.get, store)
    filled = with_variables({"kind": "sql", "url": "postgresql://app:${DB_PASSWORD}@db/shop"}, secrets)
    assert filled["url"] == "postgresql://app:hunter2@db/shop"
    assert with_variables({"url": {"secret": "db-password"}}, secrets)["url"] == "from-the-store"
    with pytest.raises(Misconfigured, match=r"^url: the variable MISSING is not set$") as refused:
        with_variables({"url": "postgresql://${MISSING}@db/shop?password=${DB_PASSWORD}"}, secrets)
    assert refused.value.code == "no-credential"
    assert "hunter2" not in refused.value.message + refused.value.hint


def test_logins_of_roles_take_files_and_stores_too(store: Path) -> None:
    login: dict[str, Any] = {"user": "clerk", "password": {"secret": "db-password"}}
    roles: dict[str, Any] = {"clerk": {"tables": {}, "login": login}}
    assert roles_with_variables(roles, Secrets(HELD.get, store))["clerk"] == {
        "tables": {},
        "login": {"user": "clerk", "password": "from-the-store"},
    }


def test_a_look_at_what_is_written_reads_nothing() -> None:
    unread = Secrets.unread()
    assert unread.value({"file": "/nonexistent/x"}) == unread.value({"env": "MISSING"})
    assert unread.text("postgresql://${MISSING}@db") == "postgresql://MISSING@db"


def test_the_store_is_where_the_environment_says(monkeypatch: pytest.MonkeyPatch, store: Path) -> None:
    for name in ("PIERHEAD_SECRETS", "CREDENTIALS_DIRECTORY"):
        monkeypatch.delenv(name, raising=False)
    assert secret_store() is None
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", "/run/credentials/pierhead")
    assert secret_store() == Path("/run/credentials/pierhead")
    monkeypatch.setenv("PIERHEAD_SECRETS", str(store))
    assert Secrets.of_this_process().value({"secret": "db-password"}) == "from-the-store"


def _setting(store: Path, header: dict[str, str], rules: GuestRules | None = None) -> GuestSetting:
    tools = {"now": {"policy": "everyone", "effect": "read", "minutes_saved": 1}}
    entry: dict[str, Any] = {"kind": "http", "url": "https://a.example/mcp", "owner": "o", "support": "s"}
    read = EntryDeclarations().read("clock", {**entry, "tools": tools, "headers": {"Authorization": header}})
    assert isinstance(read.guest, Guest)
    return GuestSetting("clock", read.guest, (), store, rules, 300)


def test_a_guests_header_comes_from_a_file_or_a_store(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIERHEAD_SECRETS", str(store))
    assert header_values(_setting(store, {"secret": "db-password"})) == {"Authorization": "from-the-store"}
    assert header_values(_setting(store, {"file": str(store / "plain")})) == {"Authorization": "as it is "}
    (store / "two-lines").write_text("Bearer a\nX-Evil: b\n")
    with pytest.raises(Misconfigured, match="header Authorization is no line of plain ASCII") as refused:
        header_values(_setting(store, {"secret": "two-lines"}))
    assert "Bearer" not in refused.value.message
    with pytest.raises(Misconfigured, match="header Authorization: the secret nothing cannot be read"):
        header_values(_setting(store, {"secret": "nothing"}))


def test_a_registered_guest_takes_no_file_of_this_machine(store: Path) -> None:
    rules = GuestRules((), frozenset())
    with pytest.raises(Misconfigured, match="takes a file of this machine") as refused:
        header_values(_setting(store, {"file": str(store / "plain")}, rules))
    assert refused.value.code == "no-credential"


@pytest.mark.parametrize("header", [{}, {"env": "A", "file": "/a"}, {"file": "relative"}, {"secret": "../a"}])
def test_a_header_has_one_source_and_a_plain_name(store: Path, header: dict[str, str]) -> None:
    with pytest.raises(Invalid):
        _setting(store, header)
