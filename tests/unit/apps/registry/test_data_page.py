"""The data page: what it asks and as whom, what it shows of strangers' text, and what it refuses."""

import json
import shlex
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
from tests.pages import hidden
from tests.web_site import PUBLIC_URL, TestSite, build

from pierhead.apps.registry.web.data_query import Condition, DataQuery, as_curl, as_python, data_query
from pierhead.apps.registry.web.parts import visible
from pierhead.core.errors import Invalid
from pierhead.sdk.governed.grammar_native import parse_filter
from pierhead.servers.sql.grammar_faucet import parse_filter_text
from pierhead.usecases.memory_data import MemoryData
from pierhead.usecases.ports_data import DataAnswer

pytestmark = pytest.mark.anyio

PATH = "/servers/warehouse/data"


@pytest.fixture
def world() -> TestSite:
    return build()


@pytest.fixture
async def http(world: TestSite) -> AsyncIterator[httpx2.AsyncClient]:
    """A browser in which alice is signed in."""
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=world.app), base_url=PUBLIC_URL) as client:
        page = await client.get("/sign-in")
        form = {"token": hidden(page.text, "token"), "next": "/servers", "person": "alice"}
        await client.post("/sign-in", data=form, headers={"origin": PUBLIC_URL})
        yield client


def asked(world: TestSite) -> MemoryData:
    assert isinstance(world.site.data, MemoryData)
    return world.site.data


def claims(world: TestSite, token: str) -> dict[str, Any]:
    read = world.site.tokens.signer.read(token)
    assert read is not None
    return dict(read)


async def test_the_server_is_asked_as_the_person_with_a_token_for_it_alone(
    world: TestSite, http: httpx2.AsyncClient
) -> None:
    await http.get(f"{PATH}?table=flights")
    questions = asked(world).asked
    said = claims(world, questions[0].token)
    assert [each.target for each in questions] == ["/api/v1/_schema", "/api/v1/flights?limit=25"]
    assert (said["sub"], said["aud"], said["client_id"]) == ("alice", f"{PUBLIC_URL}/mcp/warehouse", "pierhead-web")
    assert said["exp"] - said["iat"] <= 30
    assert world.facts().count("token-issued") == 1


async def test_a_stranger_s_text_is_written_out_and_runs_nothing(http: httpx2.AsyncClient) -> None:
    page = (await http.get(f"{PATH}?table=flights")).text
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt; \\u{202e}gnp.exe \\u{1b}[31m \\u{0}" in page
    for sign in ("\u202e", "\x1b", "\x00"):
        assert sign not in page


async def test_filters_order_and_page_become_one_request(world: TestSite, http: httpx2.AsyncClient) -> None:
    path = (
        f"{PATH}?table=flights&c1=carrier&o1=in&v1=UA,%20AA&c2=dep_delay&o2=filled&order=id&down=yes&limit=50&cursor=x"
    )
    view = (await http.get(path.replace("/data?", "/data.json?"))).json()
    target = asked(world).asked[-1].target
    assert target == ("/api/v1/flights?carrier=in.%28UA%2CAA%29&dep_delay=not.is.null&order=id.desc&limit=50&cursor=x")
    assert view["rows"]["columns"] == ["id", "carrier", "dep_delay", "pilot"]
    assert view["rows"]["next"] == "next-page"
    assert json.loads(view["copies"][2]["text"])["params"]["arguments"] == {
        "table": "flights",
        "filter": "carrier IN ('UA', 'AA') AND dep_delay IS NOT NULL",
        "order": "id DESC",
        "cursor": "x",
        "limit": 50,
    }


async def test_a_refused_request_says_why_and_keeps_the_form(http: httpx2.AsyncClient) -> None:
    page = (await http.get(f"{PATH}?table=airlines&c1=nope&o1=eq&v1=1")).text
    assert "There is no column nope." in page
    assert "columns you may read: carrier, name" in page
    assert "unknown-column" in page
    assert 'value="1"' in page


async def statement(http: httpx2.AsyncClient, do: str, *, twin: bool = False, **changes: str) -> httpx2.Response:
    page = await http.get(PATH)
    form = {"token": hidden(page.text, "token"), "sql": "SELECT carrier FROM flights", "do": do, **changes}
    return await http.post(PATH + (".json" if twin else ""), data=form, headers={"origin": PUBLIC_URL})


async def test_a_statement_is_judged_before_it_runs_and_shows_what_runs(
    world: TestSite, http: httpx2.AsyncClient
) -> None:
    page = (await statement(http, "run")).text
    targets = [each.target for each in asked(world).asked[-2:]]
    assert targets == ["/api/v1/_sql/explain", "/api/v1/_sql"]
    assert "What runs in its place" in page
    assert "role analyst may read every table" in page
    assert "58665" in page
    assert "There are more rows than are shown" in page


async def test_explaining_runs_nothing(world: TestSite, http: httpx2.AsyncClient) -> None:
    view = (await statement(http, "explain", twin=True)).json()["statement"]
    assert view["judgement"]["verdict"] == "permitted"
    assert view["rows"] is None
    assert asked(world).asked[-1].target == "/api/v1/_sql/explain"


async def test_a_refused_statement_is_not_sent_to_run(world: TestSite, http: httpx2.AsyncClient) -> None:
    refused = {"verdict": "refused", "reasons": ["unknown-table: there is no table secrets"], "sql": "", "tables": []}
    answers = {**asked(world).answers, "/api/v1/_sql/explain": DataAnswer(200, json.dumps(refused).encode())}
    asked(world).answers = answers
    page = (await statement(http, "run", sql="SELECT * FROM secrets")).text
    assert "unknown-table: there is no table secrets" in page
    assert asked(world).asked[-1].target == "/api/v1/_sql/explain"


@pytest.mark.parametrize("headers", [{}, {"origin": "http://evil.example"}])
async def test_another_site_s_form_asks_nothing(
    world: TestSite, http: httpx2.AsyncClient, headers: dict[str, str]
) -> None:
    page = await http.get(PATH)
    before = len(asked(world).asked)
    form = {"token": hidden(page.text, "token"), "sql": "SELECT 1", "do": "run"}
    assert (await http.post(PATH, data=form, headers=headers)).status_code == 403
    assert (await statement(http, "run", token="forged")).status_code == 403
    assert len(asked(world).asked) == before + 1


async def test_without_a_session_a_statement_is_refused(world: TestSite) -> None:
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=world.app), base_url=PUBLIC_URL) as http:
        answer = await http.post(f"{PATH}.json", data={"sql": "SELECT 1"}, headers={"origin": PUBLIC_URL})
    assert (answer.status_code, asked(world).asked) == (401, [])


@pytest.mark.parametrize("name", ["time", "nothing"])
async def test_only_servers_with_tables_have_a_data_page(http: httpx2.AsyncClient, name: str) -> None:
    assert (await http.get(f"/servers/{name}/data")).status_code == 404


@pytest.mark.parametrize(
    ("status", "body", "shown"),
    [
        (403, {"code": "cannot-reach", "detail": "you may not reach it", "hint": "ask"}, (403, "cannot-reach")),
        (404, {"code": "not-found", "detail": "no server", "hint": ""}, (404, "not-found")),
        (502, "<html>", (502, "upstream-unreachable")),
        (200, "no json", (502, "upstream-unreachable")),
    ],
)
async def test_who_may_not_see_the_tables_sees_the_refusal(
    world: TestSite, http: httpx2.AsyncClient, status: int, body: object, shown: tuple[int, str]
) -> None:
    encoded = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    asked(world).answers = {"/": DataAnswer(status, encoded)}
    answer = await http.get(f"{PATH}.json")
    assert (answer.status_code, answer.json()["code"]) == shown


ODD = DataQuery(
    "a/b c",
    (
        Condition("price", "gte", "10"),
        Condition('we"ird', "eq", 'O\'Brien, "Inc" (x)\\'),
        Condition("select", "like", "a*b"),
        Condition("note", "null", ""),
        Condition("tag", "in", "x y, (z)"),
        Condition("empty", "neq", ""),
    ),
    order="select",
)


def test_odd_names_and_values_read_back_as_they_were_meant() -> None:
    """What a page writes, both grammars read as the same filter."""
    query = httpx2.URL(f"http://x{ODD.target}").params.multi_items()
    native = parse_filter(query)
    faucet = parse_filter_text(str(ODD.arguments["filter"]))
    assert ODD.target.startswith("/api/v1/a%2Fb%20c?")
    assert dict(query)["order"] == '"select".asc'
    assert '"we\\"ird"' in dict(query)
    assert native == faucet


@pytest.mark.parametrize("members", [{"limit": "7"}, {"limit": "x"}, {"table": "t", "c1": "a", "o1": "drop"}])
def test_what_no_form_of_ours_sends_is_refused(members: dict[str, str]) -> None:
    with pytest.raises(Invalid):
        data_query(members)


def test_a_page_s_own_address_reads_back_as_its_query() -> None:
    query = DataQuery("flights", (Condition("a b", "eq", "x&y"),), "id", descending=True, limit=100, cursor="")
    address = httpx2.URL(f"http://x{query.path('warehouse')}")
    assert data_query(dict(address.params.multi_items())) == query


def test_what_is_copied_is_quoted_for_where_it_goes() -> None:
    url = "http://h/data/w/api/v1/t?a=eq.O'Brien$(id)"
    curl = as_curl(url, {"sql": "SELECT 'x' -- $(id)"}, "pierhead token --as ann")
    parts = shlex.split(curl.splitlines()[1])
    assert parts[-1] == url
    assert json.loads(parts[parts.index("-d") + 1]) == {"sql": "SELECT 'x' -- $(id)"}
    compile(as_python(url, {"sql": 'a "quoted" text'}), "copied", "exec")


def test_text_without_tricks_stays_as_it_is() -> None:
    assert visible("Zoë · 東京 100%") == "Zoë · 東京 100%"
    assert visible("a\nb\tc\u2066d\u200be") == "a\\nb\\tc\\u{2066}d\\u{200b}e"
