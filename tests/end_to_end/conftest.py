"""One running platform for the tests of the whole: starting it takes seconds, and most tests leave it as it was."""

from collections.abc import Iterator

import pytest
from tests.running_platform import RunningPlatform, running_platform


@pytest.fixture(scope="session")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPlatform]:
    """`pierhead up` with the demo fleet."""
    with running_platform(tmp_path_factory.mktemp("platform")) as running:
        yield running
    assert running.process.returncode == 0, running.talk.read_text()
