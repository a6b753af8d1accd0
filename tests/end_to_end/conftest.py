"""One running platform for the tests of the whole: starting it takes seconds, and most tests leave it as it was."""

from collections.abc import Iterator

import pytest
from tests.running_platform import Up, up


@pytest.fixture(scope="session")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """`pierhead up` with the demo fleet."""
    with up(tmp_path_factory.mktemp("up") / "data") as running:
        yield running
    assert running.process.returncode == 0, running.log.read_text()
