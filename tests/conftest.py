"""Shared by every test."""

from collections.abc import Iterator

import pytest
from tests import components


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """The superuser's URL of a real PostgreSQL, without a database."""
    with components.postgres() as url:
        yield url
