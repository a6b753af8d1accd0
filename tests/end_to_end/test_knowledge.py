"""A server of documents on the whole platform: this project's own, asked through the gateway."""

import json
from pathlib import Path
from typing import Any

import httpx2
import pytest
from mcp.client import Client
from mcp.client.streamable_http import streamable_http_client
from tests.components import ROOT
from tests.running_platform import Up, eventually, up

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240), pytest.mark.anyio]

FLEET = {
    "people": {"alice": {"groups": ["data-eng"]}},
    "servers": {
        "knowledge": {
            "kind": "knowledge",
            "owner": "docs",
            "support": "#docs-help",
            "access": {"everyone": True},
            "sources": {
                "documentation": {"folder": str(ROOT / "docs"), "readers": ["everyone"]},
                "decisions": {"folder": str(ROOT / "docs" / "decisions"), "readers": ["architects"]},
            },
        }
    },
}


async def called(platform: Up, tool: str, **arguments: object) -> Any:
    headers = {"authorization": f"Bearer {platform.token('alice')}"}
    async with (
        httpx2.AsyncClient(headers=headers, trust_env=False, timeout=60) as http,
        Client(streamable_http_client(platform.mcp("knowledge"), http_client=http)) as client,
    ):
        return (await client.call_tool(tool, arguments)).structured_content


async def test_what_the_documentation_says_is_found_and_quoted(tmp_path: Path) -> None:
    fleet = tmp_path / "fleet.yaml"
    fleet.write_text(json.dumps(FLEET))
    with up(tmp_path / "data", fleet) as platform:
        while (found := await called(platform, "knowledge_search", query="kill -9 audit intent"))["status"] != "ok":
            pass  # each round is a whole call; the index is being read
        hit = found["data"]["hits"][0]
        read = await called(platform, "knowledge_get", doc_id=hit["doc_id"], section=hit["section"])
        with platform.browsing("alice") as browser:
            rows = eventually(
                lambda: browser.get("/audit.json", params={"server": "knowledge"}).json()["calls"], "the calls"
            )
    assert hit["source"] == "documentation"
    assert read["data"]["text"]
    assert {row["tool"] for row in rows} <= {"knowledge_search", "knowledge_get"}
