"""What a gateway keeps of its policy on disk: the last whole revision, and the last change since."""

import os
from pathlib import Path

import pytest

from pierhead.adapters.snapshot_file import SnapshotOnDisk
from pierhead.usecases.ports_registry import Envelope

OPENED = Path("/proc/self/fd")
WHOLE, LATER, CHANGE = (Envelope(text, "signed") for text in ("whole", "later", "change"))


def test_a_change_is_kept_beside_its_whole_revision_and_goes_with_it(tmp_path: Path) -> None:
    file = SnapshotOnDisk(tmp_path / "snapshots" / "gateway.json")
    assert list(file.load()) == []
    file.keep(WHOLE)
    assert list(file.load()) == [WHOLE]
    file.keep_change(CHANGE)
    file.keep_change(CHANGE)
    assert list(file.load()) == [WHOLE, CHANGE]
    file.keep(LATER)
    assert list(file.load()) == [LATER]
    assert [path.name for path in file.path.parent.iterdir()] == ["gateway.json"]


def test_a_damaged_file_reads_as_none_and_a_change_alone_is_nothing(tmp_path: Path) -> None:
    file = SnapshotOnDisk(tmp_path / "gateway.json")
    file.keep(WHOLE)
    file.keep_change(CHANGE)
    (tmp_path / "gateway.change").write_bytes(b'{"payload":')
    assert list(file.load()) == [WHOLE]
    file.keep_change(CHANGE)
    file.path.write_bytes(b"[]")
    assert list(file.load()) == []


def test_what_is_kept_is_on_disk_before_it_has_its_name_and_so_is_the_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The order of a crash: contents whole, then synced, then renamed, then the folder synced; nothing stays open."""
    file = SnapshotOnDisk(tmp_path / "gateway.json")
    file.keep(LATER)
    moves: list[tuple[str, bytes]] = []
    sync, rename = os.fsync, os.rename

    def synced(descriptor: int) -> None:
        place = (OPENED / str(descriptor)).readlink()
        moves.append((place.name, b"" if place.is_dir() else place.read_bytes()))
        sync(descriptor)

    def renamed(source: Path, target: Path) -> None:
        moves.append((f"to {Path(target).name}", b""))
        rename(source, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "rename", renamed)
    opened = len(list(OPENED.iterdir()))
    file.keep(WHOLE)
    assert [name for name, _ in moves] == ["gateway.json.new", "to gateway.json", tmp_path.name]
    assert b"whole" in moves[0][1]
    assert len(list(OPENED.iterdir())) == opened
