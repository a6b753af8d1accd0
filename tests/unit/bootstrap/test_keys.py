"""Keys: made once, kept, refused when others can read them."""

import stat
from pathlib import Path

import pytest

from pierhead.bootstrap.keys import Keys, derived
from pierhead.core.errors import Misconfigured


def test_keys_are_made_once_and_kept(tmp_path: Path) -> None:
    keys = Keys.at(tmp_path)
    keys.ensure(("warehouse",))
    first = {file.name: file.read_bytes() for file in keys.directory.iterdir()}
    keys.ensure(("warehouse",))
    assert {file.name: file.read_bytes() for file in keys.directory.iterdir()} == first
    assert {"internal.key", "assertion.key", "token.jwk", "snapshot.key", "snapshot.pub", "session.key"} <= set(first)


def test_nobody_else_can_read_them(tmp_path: Path) -> None:
    keys = Keys.at(tmp_path)
    keys.ensure(("warehouse",))
    assert stat.S_IMODE(keys.directory.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in keys.directory.iterdir()} == {0o600}


def test_a_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    keys = Keys.at(tmp_path)
    keys.ensure(())
    (keys.directory / "session.key").chmod(0o644)
    with pytest.raises(Misconfigured, match="can be read by others"):
        keys.read("session.key")


def test_a_server_has_its_own_key_and_no_others(tmp_path: Path) -> None:
    keys = Keys.at(tmp_path)
    keys.ensure(("warehouse", "time"))
    assert keys.server_key("warehouse") == derived(keys.read("assertion.key"), "warehouse")
    assert keys.server_key("warehouse") != keys.server_key("time")
