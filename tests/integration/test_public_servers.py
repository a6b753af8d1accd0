"""Real MCP servers that others wrote and published: started here, and asked for their tools.

None has an account: the keys are made up, and nothing is called.
"""

import json
import os
from pathlib import Path
from typing import Final

import pytest
from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client
from tests import components
from tools.components import PUBLIC_SERVERS_SOURCE

from pierhead.core.json import Json
from pierhead.core.standard import Weight
from pierhead.usecases.check_listing import Listing, check_listing

pytestmark = [pytest.mark.slow, pytest.mark.anyio]

SERVERS: Final = tuple(json.loads((PUBLIC_SERVERS_SOURCE / "package.json").read_text())["dependencies"])
#: What some will not start without.
MADE_UP: Final = dict.fromkeys(
    (
        "AIRTABLE_API_KEY",
        "FIRECRAWL_API_KEY",
        "GITHUB_PERSONAL_ACCESS_TOKEN",
        "GITLAB_PERSONAL_ACCESS_TOKEN",
        "GOOGLE_MAPS_API_KEY",
        "NOTION_TOKEN",
        "SLACK_BOT_TOKEN",
        "SLACK_TEAM_ID",
        "TAVILY_API_KEY",
    ),
    "made-up",
)
#: The rules that speak of hostile definitions; the others ask for care that public servers do not take.
OF_POISON: Final = frozenset({*(f"S{number:02}" for number in range(1, 10)), "S11", "S12"})


async def listed(server: str, folder: Path) -> list[dict[str, Json]]:
    """The tools of a server, as it gives them."""
    command, *arguments = components.public_server(server)
    arguments += [str(folder)] if server.endswith("/server-filesystem") else []
    environment = {**MADE_UP, "PATH": os.environ["PATH"], "HOME": str(folder)}
    parameters = StdioServerParameters(command=command, args=arguments, env=environment, cwd=folder)
    with (folder / "said").open("w") as said:
        async with stdio_client(parameters, errlog=said) as (read, write), ClientSession(read, write) as session:
            await session.initialize()
            found = await session.list_tools()
    return [tool.model_dump(mode="json", by_alias=True, exclude_none=True) for tool in found.tools]


def taken_for_poisoned(tool: dict[str, Json]) -> bool:
    found = check_listing(Listing("public", (tool,)))
    return any(breach.weight is Weight.BLOCKS and breach.rule in OF_POISON for breach in found)


async def test_real_public_tools_are_hardly_ever_taken_for_poisoned(tmp_path: Path) -> None:
    real = {server: await listed(server, tmp_path) for server in SERVERS}
    flagged = [
        f"{server}: {tool['name']}" for server, tools in real.items() for tool in tools if taken_for_poisoned(tool)
    ]
    count = sum(map(len, real.values()))

    assert all(real.values())
    assert count >= 150
    assert len(flagged) <= 0.05 * count, flagged
