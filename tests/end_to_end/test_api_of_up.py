"""The REST API of the whole platform, through the gateway: real servers, a real record, the document it serves."""

from typing import Any

import httpx2
import pytest
from tests.openapi_answers import validator
from tests.running_platform import WITHIN_S, Up, eventually

from pierhead.apps.registry import openapi

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

QUESTION = {"server": "warehouse", "tool": "run_query"}


def ask(platform: Up, token: str, route: str, **filled: str) -> Any:
    """The body of an answer that is as the document of this very platform says."""
    method, _, path = route.partition(" ")
    headers = {"authorization": f"Bearer {token}"}
    with httpx2.Client(base_url=platform.url, headers=headers, trust_env=False, timeout=WITHIN_S) as http:
        document = http.get("/openapi.json").json()
        answer = http.request(method, path.format(**filled), json=QUESTION if method == "POST" else None)
    validator(document, route, answer.status_code).validate(answer.json())
    return answer.json()


def test_a_call_is_found_by_its_caller_and_by_nobody_else(platform: Up) -> None:
    platform.tell("call", "warehouse", "list_tables", "--as", "alice")
    alice, bob = platform.token("alice"), platform.token("bob")
    call = eventually(lambda: next(iter(ask(platform, alice, "GET /api/v1/calls")["calls"]), None), "a call")
    whole = ask(platform, alice, "GET /api/v1/calls/{id}", id=call["id"])
    anothers = ask(platform, bob, "GET /api/v1/calls/{id}", id=call["id"])

    assert {"principal": "alice", "server": "warehouse"}.items() <= call.items()
    assert {record["writer"] for record in whole["records"]} >= {"gateway"}
    assert anothers["code"] == "not-found"
    assert ask(platform, bob, "GET /api/v1/impact")["succeeded"] >= 1


def test_what_the_api_permits_is_what_a_call_permits(platform: Up) -> None:
    for person, decision, code in (("alice", "permit", 0), ("bob", "refuse", 6)):
        token = platform.token(person)
        told = ask(platform, token, "POST /api/v1/authorize")
        usable = {each["name"] for each in ask(platform, token, "GET /api/v1/me")["servers"]}
        done = platform.run("call", "warehouse", "run_query", "sql=select 1", "--as", person)

        assert (told["decision"], done.returncode) == (decision, code)
        assert ("warehouse" in usable) == (decision == "permit")


def test_the_role_on_the_demo_source_is_read_ahead(platform: Up) -> None:
    wanted = {"weather": "approval", "flights": "refuse", "nowhere": "refuse"}
    headers = {"authorization": f"Bearer {platform.token('alice')}"}
    with httpx2.Client(base_url=platform.url, headers=headers, trust_env=False, timeout=WITHIN_S) as http:
        questions = [
            {"server": "warehouse", "tool": "delete_rows", "arguments": {"table": table, "filter": "x = 1"}}
            for table in wanted
        ]
        answer = http.post("/api/v1/authorize/batch", json={"questions": questions}).json()

    assert [each["decision"] for each in answer["decisions"]] == list(wanted.values())
    assert answer["decisions"][0]["approval"] == {"class": "approve"}


def test_every_tool_of_every_real_server_is_as_the_document_says(platform: Up) -> None:
    token = platform.token("frank")
    names = [each["name"] for each in ask(platform, token, "GET /api/v1/servers")["servers"]]
    tools = {name: ask(platform, token, "GET /api/v1/servers/{name}", name=name)["tools"] for name in names}

    assert {tool["name"] for tool in tools["warehouse"]} >= {"list_tables", "describe_table", "run_query"}
    assert {tool["name"]: tool["may_use"] for tool in tools["time"]} == {"get_current_time": True, "convert_time": True}
    assert not any(tool["may_use"] for tool in tools["warehouse"])


def test_a_token_of_one_server_does_not_open_the_api(platform: Up) -> None:
    token = platform.tell("token", "--as", "alice", "--server", "warehouse").strip()

    assert ask(platform, token, "GET /api/v1/me")["code"] == "wrong-audience"


def test_the_page_is_for_anyone(platform: Up) -> None:
    page = httpx2.get(f"{platform.url}/docs", trust_env=False)

    assert page.status_code == 200
    assert all(f"{each.method} {each.path}" in page.text for each in openapi.operations(openapi.document("")))
