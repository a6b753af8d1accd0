"""A shell at a site of its own, for every test of commands."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.shells import Shell, served


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Shell]:
    monkeypatch.chdir(tmp_path)
    with served() as (url, world):
        yield Shell(url, world, tmp_path, monkeypatch, capsys)
