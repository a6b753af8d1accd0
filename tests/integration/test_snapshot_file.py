"""What a gateway keeps of its policy on disk: the last whole revision, and the last change since."""

from pathlib import Path

from pierhead.adapters.snapshot_file import SnapshotOnDisk
from pierhead.usecases.ports_registry import Envelope

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
