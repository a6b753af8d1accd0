"""Shared by every test."""

import gc
from collections.abc import Generator, Iterator

import pytest
from hypothesis import HealthCheck, settings
from tests import components
from tests.coordinators import coordinator
from tools.java_engines import PRESTO, TRINO

# Both look at the clock: a busy machine is no fault of the code. What is generated and checked stays the same.
settings.register_profile("pierhead", deadline=None, suppress_health_check=[HealthCheck.too_slow])
# For `make test-fast`, where somebody waits; `make test` looks longer.
settings.register_profile("quick", settings.get_profile("pierhead"), max_examples=25)
settings.load_profile("pierhead")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """What modules and tests are made of stays to the end: the collector of garbage need not go through it again.

    Otherwise that is a fifth of the run, in pauses of half a second. What tests make is collected as ever.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.collect()
        gc.freeze()
        gc.enable()


def pytest_unconfigure() -> None:
    """At the end all of it is garbage: DuckDB's binding tells at length of what is left when an interpreter ends."""
    gc.unfreeze()


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """The superuser's URL of a real PostgreSQL, without a database."""
    with components.postgres() as url:
        yield url


@pytest.fixture(scope="session")
def mariadb_url() -> Iterator[str]:
    """The superuser's URL of a real MariaDB, without a database."""
    with components.mariadb() as url:
        yield url


@pytest.fixture(scope="session")
def trino_address() -> Iterator[str]:
    """A real Trino, as `http://host:port`."""
    with coordinator(TRINO) as address:
        yield address


@pytest.fixture(scope="session")
def presto_address() -> Iterator[str]:
    """A real PrestoDB, which speaks with `X-Presto-` headers, as `http://host:port`."""
    with coordinator(PRESTO) as address:
        yield address
