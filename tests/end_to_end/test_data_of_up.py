"""A server's data on the whole platform: over REST behind the gateway, and on the page of the registry."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx2
import pytest
from tests.pages import hidden
from tests.running_platform import WITHIN_S, Up, eventually

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

PATH = "/servers/warehouse/data"


@pytest.fixture
def rest(platform: Up) -> Iterator[httpx2.Client]:
    """A program of alice's, before the gateway."""
    headers = {"authorization": f"Bearer {platform.token('alice')}"}
    base = f"{platform.url}/data/warehouse"
    with httpx2.Client(base_url=base, headers=headers, trust_env=False, timeout=WITHIN_S) as http:
        yield http


@contextmanager
def browser(platform: Up, person: str) -> Iterator[httpx2.Client]:
    """A browser in which `person` has signed in."""
    with httpx2.Client(base_url=platform.url, trust_env=False, timeout=WITHIN_S) as http:
        page = http.get("/sign-in")
        form = {"token": hidden(page.text, "token"), "next": "/servers", "person": person}
        http.post("/sign-in", data=form, headers={"origin": platform.url})
        yield http


def last_call(platform: Up, tool: str) -> Any:
    headers = {"authorization": f"Bearer {platform.token('alice')}"}
    answer = httpx2.get(f"{platform.url}/api/v1/calls?tool={tool}&limit=1", headers=headers, trust_env=False)
    return next((call for call in answer.json()["calls"] if call["outcome"] == "ok"), None)


def test_rest_behind_the_gateway_answers_and_is_recorded_under_its_tool(platform: Up, rest: httpx2.Client) -> None:
    tables = rest.get("/api/v1/")
    answer = rest.post("/api/v1/_sql", json={"sql": "SELECT count(*) AS n FROM flights"})
    call = eventually(lambda: last_call(platform, "run_query"), "the call")

    assert {"name": "flights", "kind": "table"}.items() <= tables.json()[0].items() or len(tables.json()) > 1
    assert answer.json()[0]["n"] > 300_000
    assert (call["server"], call["principal"]) == ("warehouse", "alice")
    assert rest.get("/openapi.json").json()["openapi"].startswith("3.1")
    assert rest.get("/docs").headers["content-type"].startswith("text/html")


def test_a_problem_of_the_server_comes_through_as_it_is(rest: httpx2.Client) -> None:
    answer = rest.post("/api/v1/_sql", json={"sql": "SELECT * FROM nothing_like_it"})

    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")
    assert answer.json()["code"] == "unknown-table"


def test_a_person_sees_on_the_page_what_their_role_reads(platform: Up) -> None:
    with browser(platform, "alice") as http:
        view = http.get(f"{PATH}.json").json()
        page = http.get(PATH)
        form = {"token": hidden(page.text, "token"), "do": "run"}
        asked = {**form, "sql": "SELECT carrier, name FROM airlines ORDER BY 1 LIMIT 3"}
        ran = http.post(f"{PATH}.json", data=asked, headers={"origin": platform.url}).json()["statement"]
        refused = {**form, "sql": "DELETE FROM airlines"}
        said = http.post(f"{PATH}.json", data=refused, headers={"origin": platform.url}).json()["statement"]

    assert "flights" in {table["name"] for table in view["tables"]}
    assert ran["judgement"]["verdict"] == "permitted"
    assert ran["rows"]["columns"] == ["carrier", "name"]
    assert len(ran["rows"]["cells"]) == 3
    assert said["judgement"]["verdict"] == "refused"
    assert said["rows"] is None


def test_rows_of_a_table_are_filtered_ordered_and_paged(platform: Up) -> None:
    query = "table=flights&c1=carrier&o1=eq&v1=UA&order=dep_delay&down=yes&limit=25"
    with browser(platform, "alice") as http:
        first = http.get(f"{PATH}.json?{query}").json()
        second = http.get(f"{PATH}.json?{query}&cursor={first['rows']['next']}").json()
        strange = http.get(f"{PATH}.json?table=flights&limit=25&cursor={first['rows']['next']}").json()

    carrier = first["rows"]["columns"].index("carrier")
    assert first["problem"] is None
    assert {row[carrier] for row in first["rows"]["cells"]} == {"UA"}
    assert len(first["rows"]["cells"]) == 25
    assert first["rows"]["next"]
    assert second["problem"] is None
    assert second["rows"]["cells"] != first["rows"]["cells"]
    assert strange["problem"]["code"], "a cursor belongs to its own query"


def test_who_may_not_reach_the_server_sees_none_of_it(platform: Up) -> None:
    with browser(platform, "bob") as http:
        answer = http.get(f"{PATH}.json")

    assert (answer.status_code, answer.json()["code"]) == (403, "cannot-reach")


def test_a_read_is_explained_to_whoever_would_make_it(platform: Up) -> None:
    args = ("policy", "explain", "--server", "warehouse", "--as", "alice", "--json")
    sql = '{"sql": "SELECT carrier FROM airlines"}'
    told = json.loads(platform.tell(*args, "--tool", "run_query", "--args", sql))
    read = '{"table": "airlines", "select": "carrier", "limit": 2}'
    by_parameters = json.loads(platform.tell(*args, "--tool", "query_table", "--args", read))
    refused = json.loads(platform.tell(*args, "--tool", "run_query", "--args", '{"sql": "DROP TABLE airlines"}'))

    assert told["decision"] == "permit"
    assert told["rules"]
    for statement in (told["statement"], by_parameters["statement"]):
        assert (statement["verdict"], statement["role"]) == ("permitted", "analyst")
        assert "airlines" in statement["sql"]
    assert refused["statement"]["verdict"] == "refused"
    assert eventually(lambda: last_call(platform, "explain_query"), "the call")["principal"] == "alice"
