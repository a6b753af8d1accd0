"""A fresh database for each test of a port: SQLite always, and a real PostgreSQL where slow tests run."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from tests.postgres import fresh_database, running_postgres

from pierhead.adapters.db import Database, open_database

Story = Callable[[Database], Awaitable[None]]
Run = Callable[[Story], None]


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    with running_postgres() as url:
        yield url


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A fresh, empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/pierhead.db"
    return fresh_database(request.getfixturevalue("postgres"))


@pytest.fixture(params=["memory", "sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def url_or_memory(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A fresh, empty database; empty for the memory."""
    if request.param != "postgresql":
        return f"sqlite:///{tmp_path}/pierhead.db" if request.param == "sqlite" else ""
    return fresh_database(request.getfixturevalue("postgres"))


@pytest.fixture
def run(url: str) -> Run:
    """Tell a story on an open database."""

    def told(story: Story) -> None:
        async def telling() -> None:
            database = await open_database(url)
            try:
                await story(database)
            finally:
                await database.close()

        asyncio.run(telling())

    return told
