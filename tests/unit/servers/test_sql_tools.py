"""The tools of a SQL server as an agent meets them: few, short, and answering what they say."""

import sqlite3
from pathlib import Path
from typing import Any

import orjson
import pytest

from pierhead.core.waiting_tools import WAITING_TOOLS
from pierhead.sdk import Server
from pierhead.sdk.testing import platform
from pierhead.servers.sql import build

pytestmark = pytest.mark.anyio

MOST_TOOLS = 8
MOST_TOKENS = 2_000
BYTES_A_TOKEN = 4
EVERYTHING = ["read", "create", "update", "delete"]
SCHEMA = """
CREATE TABLE people (person_id INTEGER PRIMARY KEY, name TEXT NOT NULL, age INTEGER);
CREATE TABLE orders (number INTEGER PRIMARY KEY, person_id INTEGER REFERENCES people, total INTEGER);
INSERT INTO people VALUES (1, 'Ada', 40), (2, 'Bo', NULL), (3, 'Cy', 9007199254740993);
INSERT INTO orders VALUES (10, 1, 5), (11, 1, 7), (12, 2, 9);
"""


@pytest.fixture
def server(tmp_path: Path) -> Server:
    connection = sqlite3.connect(tmp_path / "shop.db")
    connection.executescript(SCHEMA)
    connection.close()
    return build(
        "shop",
        {
            "owner": "data@example.com",
            "support": "#data",
            "url": f"sqlite:///{tmp_path / 'shop.db'}",
            "roles": {"all": {"tables": ["people", "orders"], "operations": EVERYTHING}},
        },
    )


async def test_the_definitions_of_all_tools_fit_their_budget(server: Server) -> None:
    async with platform(server, access="everyone") as running, running.client("ann") as client:
        tools = [tool for tool in (await client.list_tools()).tools if tool.name not in WAITING_TOOLS]
    # Pierhead's own three have a budget of their own (`unit/core/test_waiting_tools.py`).
    # `_meta` is for hosts: no client shows it to a model.
    listed = orjson.dumps(
        [tool.model_dump(mode="json", by_alias=True, exclude_none=True, exclude={"meta"}) for tool in tools]
    )
    assert "query_table" in {tool.name for tool in tools}
    assert len(tools) <= MOST_TOOLS
    assert len(listed) / BYTES_A_TOKEN < MOST_TOKENS


async def ask(server: Server, **arguments: Any) -> Any:
    async with platform(server, access="everyone") as running, running.client("ann") as client:
        answer = await client.call_tool("query_table", arguments)
    assert not answer.is_error, answer.content
    return answer.structured_content


async def test_a_table_is_read_by_parameters(server: Server) -> None:
    answer = await ask(
        server,
        table="people",
        select="name,age,orders(number,total)",
        filter="name != 'Cy' AND (age > 30 OR age IS NULL)",
        order="name.desc",
        count="exact",
    )
    assert [column["name"] for column in answer["columns"]] == ["name", "age", "orders"]
    assert answer["rows"] == [
        ["Bo", None, [{"number": 12, "total": 9}]],
        ["Ada", 40, [{"number": 10, "total": 5}, {"number": 11, "total": 7}]],
    ]
    assert (answer["truncated"], answer["total"], answer["next_cursor"], answer["notice"]) == (False, 2, None, "")


async def test_a_description_names_the_relations_that_select_takes(server: Server) -> None:
    async with platform(server, access="everyone") as running, running.client("ann") as client:
        described = (await client.call_tool("describe_table", {"table": "people"})).structured_content
        asked = {"table": "people", "select": "orders!orders_person_id_fkey(number)", "filter": "name = 'Bo'"}
        answer = (await client.call_tool("query_table", asked)).structured_content
    hint = "orders_person_id_fkey"
    assert described["relations"] == [{"table": "orders", "hint": hint, "columns": ["person_id"], "many": True}]
    assert not any(column["masked"] for column in described["columns"])
    assert answer["rows"] == [[[{"number": 12}]]]


async def test_groups_are_chosen_by_what_comes_out_of_them(server: Server) -> None:
    answer = await ask(server, table="orders", select="person_id,sum(total)", having="sum > 10 OR count(*) = 1")
    assert sorted(answer["rows"]) == [[1, 12], [2, 9]]


async def test_a_cut_answer_says_how_to_go_on(server: Server) -> None:
    first = await ask(server, table="orders", limit=2)
    assert (len(first["rows"]), first["truncated"]) == (2, True)
    assert "next_cursor" in first["notice"]


async def test_integers_beyond_what_json_holds_are_text(server: Server) -> None:
    assert (await ask(server, table="people", select="age", filter="person_id = 3"))["rows"] == [["9007199254740993"]]


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ({"table": "nowhere"}, "there is no table nowhere"),
        ({"table": "people", "filter": "ghost = 1"}, "there is no column ghost"),
        ({"table": "people", "filter": "age = 'x'"}, "column age takes an integer"),
        ({"table": "people", "select": "name,("}, "missing at position"),
        ({"table": "people", "cursor": "made-up"}, "does not belong"),
    ],
)
async def test_a_refusal_teaches(server: Server, arguments: dict[str, Any], word: str) -> None:
    async with platform(server, access="everyone") as running, running.client("ann") as client:
        answer = await client.call_tool("query_table", arguments)
    assert answer.is_error
    assert word in str(answer.content)
