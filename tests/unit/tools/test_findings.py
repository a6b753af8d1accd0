"""Which files the checks see, and how a finding reads."""

import subprocess
from pathlib import Path

from tools.findings import Finding, sources, tracked_files


def test_a_finding_names_its_place() -> None:
    assert str(Finding("a.py", 3, "is wrong")) == "a.py:3: is wrong"
    assert str(Finding("a.py", 0, "is wrong")) == "a.py: is wrong"


def _fill(folder: Path) -> None:
    (folder / "sub").mkdir()
    (folder / ".venv").mkdir()
    for name in ("a.py", "sub/b.md", ".venv/c.py"):
        (folder / name).write_text("text", encoding="utf-8")


def test_without_git_what_lies_there_counts_and_environments_do_not(tmp_path: Path) -> None:
    _fill(tmp_path)
    assert tracked_files(tmp_path) == ["a.py", "sub/b.md"]


def test_with_git_what_is_ignored_does_not_count(tmp_path: Path) -> None:
    _fill(tmp_path)
    (tmp_path / ".gitignore").write_text(".venv/\nsub/\n", encoding="utf-8")
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
    assert tracked_files(tmp_path) == [".gitignore", "a.py"]


def test_sources_are_chosen_by_how_their_names_end(tmp_path: Path) -> None:
    _fill(tmp_path)
    paths = tracked_files(tmp_path)
    assert [source.path for source in sources(paths, suffix=".py", root=tmp_path)] == ["a.py"]
    assert [source.path for source in sources(paths, suffix=(".py", ".md"), root=tmp_path)] == ["a.py", "sub/b.md"]
