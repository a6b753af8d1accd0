"""A `server.json` under our own namespace: registered first, submitted once its definitions are known."""

from dataclasses import replace
from typing import Any, Final

import pytest
from tests.unit.registry_in_memory import TOOLS, Kept, desk_in_memory, manifest_of, somebody

from pierhead.core.catalog import Stage
from pierhead.core.errors import Forbidden
from pierhead.core.scope import WRITE, ScopeMissing
from pierhead.usecases.official_forms import Place
from pierhead.usecases.publish_detail import publish_detail
from pierhead.usecases.publish_manifest import publish_manifest

pytestmark = pytest.mark.anyio

HERE: Final = Place("com.example", "https://mcp.corp.example")
DETAIL: Final[dict[str, Any]] = {
    "name": "com.example/clock",
    "description": "What time it is.",
    "version": "1",
    "remotes": [{"type": "streamable-http", "url": "https://clock.example/mcp"}],
    "_meta": {
        "com.example/registry": {
            "owner": "web",
            "support": "#web",
            "access": {"groups": ["data-eng"]},
            "tools": {TOOLS[0].name: {"policy": "everyone", "effect": "read", "minutes_saved": 1}},
        }
    },
}


async def test_it_is_registered_first_and_submitted_once_its_definitions_are_known() -> None:
    desk = desk_in_memory(Kept())
    bob = replace(somebody("bob"), scopes=frozenset({WRITE}))
    first = await publish_detail(DETAIL, bob, HERE, desk)
    assert (first.stage, "not read yet" in first.notes[-1]) == (Stage.REGISTERED, True)
    await publish_manifest("clock", manifest_of(TOOLS[0]), desk)
    again = await publish_detail(DETAIL, bob, HERE, desk)
    assert again.stage in {Stage.IN_REVIEW, Stage.APPROVED}
    third = await publish_detail(DETAIL, bob, HERE, desk)
    assert third.stage is again.stage, "what is in review is not submitted again"


async def test_a_name_of_another_namespace_is_refused() -> None:
    with pytest.raises(Forbidden):
        await publish_detail({**DETAIL, "name": "org.other/clock"}, somebody("bob"), HERE, desk_in_memory(Kept()))


async def test_a_token_that_may_only_read_changes_nothing_that_is_known() -> None:
    desk = desk_in_memory(Kept())
    await publish_detail(DETAIL, somebody("bob"), HERE, desk)
    with pytest.raises(ScopeMissing):
        await publish_detail(DETAIL, somebody("bob"), HERE, desk)
