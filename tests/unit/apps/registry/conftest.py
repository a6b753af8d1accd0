"""A browser at a site of its own, for every test of pages."""

from collections.abc import AsyncIterator

import httpx2
import pytest
from tests.visiting import Visit
from tests.web_site import PUBLIC_URL, build


@pytest.fixture
async def visit() -> AsyncIterator[Visit]:
    world = build()
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=world.app), base_url=PUBLIC_URL) as http:
        yield Visit(world, http)
