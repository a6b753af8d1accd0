"""A shell at a site of its own, for every test of commands."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.shells import Front, Shell, standing


@pytest.fixture(scope="session")
def front() -> Iterator[Front]:
    with standing() as front:
        yield front


@pytest.fixture
def shell(
    front: Front, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Shell]:
    monkeypatch.chdir(tmp_path)
    with front.before() as world:
        yield Shell(front.url, world, tmp_path, monkeypatch, capsys)
