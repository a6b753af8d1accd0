"""What the coordinators of the tests are put together from is what was locked."""

from pathlib import Path

import pytest
from tools.java_engines import PRESTO, TRINO, JavaEngine, digests_of, java, other_than


@pytest.fixture
def parts(tmp_path: Path) -> Path:
    folder = tmp_path / "parts"
    folder.mkdir()
    for name in ("a.jar", "b.zip"):
        (folder / name).write_text(name)
    return folder


def test_what_came_as_locked_is_fine_and_anything_else_is_named(parts: Path, tmp_path: Path) -> None:
    locked = tmp_path / "digests.sha256"
    locked.write_text(digests_of(parts))
    assert other_than(locked, parts) == ""
    (parts / "a.jar").write_text("another")
    (parts / "b.zip").unlink()
    (parts / "c.jar").write_text("more")
    assert other_than(locked, parts).endswith("digests.sha256 has it: a.jar, b.zip, c.jar")


@pytest.mark.parametrize("engine", [TRINO, PRESTO])
def test_each_engine_has_its_connectors_locked(engine: JavaEngine) -> None:
    names = {line.split("  ")[1] for line in engine.digests.read_text().splitlines()}
    version = engine.folder.split("-")[-1]
    assert {f"{engine.name}-memory-{version}.zip", f"{engine.name}-tpch-{version}.zip"} <= names


def test_an_engine_runs_on_the_newest_java_that_it_can() -> None:
    assert java(PRESTO, lambda _: 18) is None
    assert java(PRESTO, lambda _: 10) is None
