"""Keys: made once, kept, refused when others can read them."""

import stat
import subprocess
import sys
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


def test_keys_made_aside_leave_nothing_of_their_making_in_the_platform(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from pierhead.bootstrap.keys import Keys;"
        f"keys = Keys.at(Path({str(tmp_path)!r})); keys.ensure_lightly(('warehouse',));"
        "made = keys.read('token.jwk'); keys.ensure_lightly(('warehouse',)); assert keys.read('token.jwk') == made;"
        "print(sorted({'cryptography', 'joserfc'} & set(sys.modules)))"
    )
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"


def test_what_could_not_be_made_aside_is_told_by_who_needs_it(tmp_path: Path) -> None:
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "assertion.key").write_bytes(b"k")
    (tmp_path / "keys" / "assertion.key").chmod(0o644)
    with pytest.raises(Misconfigured, match="can be read by others"):
        Keys.at(tmp_path).ensure_lightly(("warehouse",))
