"""What known clients of MCP registries do, step by step, and what they fail on. Written from their behaviour.

Each function is one client before one base address, and raises where the client would show an error or nothing.
Sources: docs/reference/registry-api.md, "What clients do".
"""

import json
from typing import Any
from urllib.parse import quote

import httpx2

VSCODE_PAGE = 50
TOOLHIVE_PAGE = 100
TOOLHIVE_MOST = 10_000
PAGE_ORIGIN = "vscode-file://vscode-app"


async def vscode(http: httpx2.AsyncClient, base: str, search: str = "") -> list[str]:
    """The gallery: probe, list every page, open each server. The names that it shows."""
    version = await _vscode_probe(http, base)
    names: list[str] = []
    url = f"{base}/{version}/servers?limit={VSCODE_PAGE}&version=latest"
    page = await _vscode_get(http, url + (f"&search={quote(search, safe='')}" if search else ""))
    while True:
        names += _vscode_items(page)
        cursor = page["metadata"].get("nextCursor")
        if not cursor:
            break
        page = await _vscode_get(http, f"{url}&cursor={cursor}")
    for name in names:
        one = await _vscode_get(http, f"{base}/{version}/servers/{quote(name, safe='')}/versions/latest")
        assert _vscode_item(one) == name
    return names


async def _vscode_probe(http: httpx2.AsyncClient, base: str) -> str:
    for version in ("v0.1", "v0"):
        answer = await http.get(f"{base}/{version}/servers?limit=1")
        if answer.is_success:
            return version
    return "v0.1"


async def _vscode_get(http: httpx2.AsyncClient, url: str) -> Any:
    answer = await http.get(url, headers={"origin": PAGE_ORIGIN, "user-agent": "Code/1.110.0"})
    assert answer.status_code == 200, answer.text
    return answer.json()


def _vscode_items(page: Any) -> list[str]:
    """The first item that is not right takes the page with it, a later one is left out: here each must be right."""
    assert isinstance(page["servers"], list)
    assert isinstance(page["metadata"], dict)
    return [_vscode_item(item) for item in page["servers"]]


def _vscode_item(item: Any) -> str:
    server, meta = item["server"], item["_meta"]
    assert isinstance(meta, dict)
    assert isinstance(meta["io.modelcontextprotocol.registry/official"], dict)
    for member in ("name", "description", "version"):
        assert isinstance(server[member], str)
        assert server[member]
    assert server.get("remotes") or server.get("packages")
    return str(server["name"])


async def copilot(http: httpx2.AsyncClient, base: str) -> list[str]:
    """The three reads, anonymous, as a page of another origin sends them."""
    origin = {"origin": "https://github.example"}
    asked = await http.options(f"{base}/v0.1/servers", headers={**origin, "access-control-request-method": "GET"})
    _copilot_may_read(asked)
    assert asked.is_success
    listed = await http.get(f"{base}/v0.1/servers", headers=origin)
    _copilot_may_read(listed)
    names = [str(item["server"]["name"]) for item in listed.json()["servers"]]
    for name in names:
        path = f"{base}/v0.1/servers/{quote(name, safe='')}/versions"
        for url in (f"{path}/latest", path):
            answer = await http.get(url, headers=origin)
            _copilot_may_read(answer)
            assert answer.status_code == 200
        version = str((await http.get(f"{path}/latest", headers=origin)).json()["server"]["version"])
        exact = await http.get(f"{path}/{quote(version, safe='')}", headers=origin)
        assert exact.json()["server"]["version"] == version
    missing = await http.get(f"{base}/v0.1/servers/com.nobody%2Fnothing/versions/latest", headers=origin)
    _copilot_may_read(missing)
    assert missing.status_code == 404
    return names


def _copilot_may_read(answer: httpx2.Response) -> None:
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "GET" in answer.headers["access-control-allow-methods"]
    assert {"Authorization", "Content-Type"} <= set(answer.headers["access-control-allow-headers"].split(", "))


async def toolhive(http: httpx2.AsyncClient, base: str) -> list[str]:
    """Is this an API, and what does it list? A base without `.json` at its end is probed within five seconds."""
    probe = await http.get(f"{base}/v0.1/servers?limit=1&version=latest", timeout=5)
    assert probe.is_success
    assert "application/json" in probe.headers["content-type"]
    shape = probe.json()
    assert isinstance(shape["servers"], list)
    assert isinstance(shape["metadata"], dict)
    names: list[str] = []
    query = f"limit={TOOLHIVE_PAGE}&version=latest"
    while len(names) <= TOOLHIVE_MOST:
        page = json.loads((await http.get(f"{base}/v0.1/servers?{query}")).text)
        names += [str(item["server"]["name"]) for item in page["servers"]]
        cursor = page["metadata"].get("nextCursor")
        if not cursor:
            return names
        query = f"limit={TOOLHIVE_PAGE}&version=latest&cursor={quote(cursor, safe='')}"
    raise AssertionError("more than this client reads")
