"""How VS Code's gallery sees a platform: the probe, then page by page, no credential, no header of its own."""

from typing import Any

import httpx2
from tests.running_platform import WITHIN_S


def gallery(url: str) -> list[Any]:
    """Every item that it lists."""
    with httpx2.Client(base_url=url, trust_env=False, timeout=WITHIN_S) as http:
        assert http.get("/v0.1/servers?limit=1").is_success
        found, cursor = list[Any](), ""
        while True:
            page = http.get(f"/v0.1/servers?limit=50&version=latest{cursor}").json()
            found += page["servers"]
            if not (more := page["metadata"].get("nextCursor")):
                return found
            cursor = f"&cursor={more}"  # appended as it is: VS Code does not encode it


def listed(url: str, name: str) -> Any:
    """How the gallery shows one server; None where it does not."""
    return next((each for each in gallery(url) if each["server"]["name"].endswith(f"/{name}")), None)


def status(item: Any) -> str:
    """What the official block says of it; empty where it is not listed."""
    return item["_meta"]["io.modelcontextprotocol.registry/official"]["status"] if item else ""
