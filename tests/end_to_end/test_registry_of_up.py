"""The official registry API of the whole platform, through the gateway: what each known client finds there."""

import asyncio
from typing import Any

import httpx2
import pytest
from tests.official_shapes import ERROR, LIST, RESPONSE, check
from tests.registry_clients import copilot, toolhive, vscode
from tests.running_platform import WITHIN_S, Up, eventually

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

TIME, WAREHOUSE = "local.pierhead/time", "local.pierhead/warehouse"
ELSEWHERE = {"origin": "https://elsewhere.example"}


def get(platform: Up, path: str, **headers: str) -> httpx2.Response:
    with httpx2.Client(trust_env=False, timeout=WITHIN_S) as http:
        return http.get(platform.url + path, headers=headers)


def names(answer: httpx2.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    check(LIST, answer.json())
    return [str(each["server"]["name"]) for each in answer.json()["servers"]]


def listed(platform: Up) -> None:
    """Versions stand in the list once their servers have published."""
    eventually(lambda: TIME in names(get(platform, "/v0.1/servers")), "the list holds the guest")


def asked(client: Any, base: str) -> list[str]:
    async def run() -> list[str]:
        async with httpx2.AsyncClient(trust_env=False, timeout=WITHIN_S) as http:
            return list(await client(http, base))

    return asyncio.run(run())


@pytest.mark.parametrize("end", ["", "/"])
@pytest.mark.parametrize("client", [vscode, copilot, toolhive])
def test_every_known_client_finds_what_is_for_everyone(platform: Up, client: Any, end: str) -> None:
    listed(platform)
    assert asked(client, platform.url + end) == [TIME]


def test_a_person_finds_what_they_may_reach_with_its_record(platform: Up) -> None:
    listed(platform)
    alice, bob = (f"Bearer {platform.token(person)}" for person in ("alice", "bob"))
    eventually(
        lambda: WAREHOUSE in names(get(platform, "/r/me/v0.1/servers", authorization=alice)),
        "the list holds the database",
    )
    assert names(get(platform, "/r/me/v0.1/servers", authorization=bob)) == [TIME]
    one = get(platform, "/r/me/v0.1/servers/local.pierhead%2Fwarehouse/versions/latest", authorization=alice).json()
    check(RESPONSE, one)
    record = one["_meta"]["local.pierhead/registry"]
    assert (record["owner"], record["dataClass"]) == ("data-platform", "internal")
    assert {tool["name"] for tool in record["tools"]} >= {"list_tables", "run_query"}
    assert one["server"]["remotes"] == [{"type": "streamable-http", "url": platform.mcp("warehouse")}]
    assert get(platform, "/v0.1/servers/local.pierhead%2Fwarehouse/versions/latest").status_code == 404


def test_without_a_token_a_client_is_led_to_the_sign_in(platform: Up) -> None:
    answer = get(platform, "/r/me/v0.1/servers", **ELSEWHERE)
    assert answer.status_code == 401
    check(ERROR, answer.json())
    challenge = answer.headers["www-authenticate"]
    place = challenge.partition('resource_metadata="')[2].partition('"')[0]
    with httpx2.Client(trust_env=False) as http:
        metadata = http.get(place).json()
    assert metadata["resource"] == f"{platform.url}/r/me"
    assert metadata["authorization_servers"] == [platform.url]


def test_a_list_that_did_not_change_is_not_sent_again(platform: Up) -> None:
    listed(platform)
    first = get(platform, "/v0.1/servers?version=latest", **ELSEWHERE)
    again = get(platform, "/v0.1/servers?version=latest", **{"if-none-match": first.headers["etag"]}, **ELSEWHERE)
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["access-control-allow-origin"] == "*"


def test_pages_of_other_origins_read_this_api_and_no_other(platform: Up) -> None:
    assert get(platform, "/v0.1/servers", **ELSEWHERE).headers["access-control-allow-origin"] == "*"
    for path in ("/api/v1/servers", "/openapi.json", "/servers"):
        answer = get(platform, path, **ELSEWHERE)
        assert answer.status_code == 403
        assert "access-control-allow-origin" not in answer.headers


def test_the_registry_cannot_be_asked_for_another_view_by_a_header_or_a_path(platform: Up) -> None:
    listed(platform)
    forged = {"pierhead-client": "10.0.0.1", "x-forwarded-for": "10.0.0.1", "cookie": "session=x"}
    assert names(get(platform, "/v0.1/servers", **forged)) == [TIME]
    for path in ("/r/all/v0.1/servers", "/r/me%2Falice/v0.1/servers", "/v0/servers", "/internal/metrics"):
        assert get(platform, path).status_code == 404
