"""A backup of a platform that runs: destroyed, restored elsewhere, and it goes on."""

import json
import shutil
from pathlib import Path

import pytest
from tests.running_platform import eventually, pierhead, up

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def test_a_platform_that_was_destroyed_goes_on_from_its_backup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIERHEAD__BACKUP__PASSPHRASE", "open sesame, my q7 caves")
    archive, gone, new = str(tmp_path / "b.tar.gz"), tmp_path / "gone", tmp_path / "new"
    with up(gone) as running:
        running.tell("call", "warehouse", "list_tables", "--as", "alice")
        key = (gone / "keys" / "token.jwk").read_bytes()
        running.tell("backup", "create", archive)
        running.stop()
    shutil.rmtree(gone)
    assert pierhead("backup", "verify", archive).returncode == 0
    restored = pierhead("backup", "restore", archive, "--data", str(new))
    assert restored.returncode == 0, restored.stderr
    with up(new) as running:
        running.tell("call", "warehouse", "list_tables", "--as", "alice")

        def both() -> bool:
            return len(json.loads(running.tell("audit", "search", "--server", "warehouse", "--json"))) == 2

        eventually(both, "the call before the end and the one after it")
        running.stop()
    assert (new / "keys" / "token.jwk").read_bytes() == key
    assert pierhead("audit", "verify", "--data", str(new)).returncode == 0
