"""Statements by REST, over a real socket, on real engines: every format, limits, streams, errors."""

import csv
import io
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import duckdb
import httpx2
import orjson
import pyarrow.ipc
import pytest
from tests.integration.sql_shops import ANALYST, DuckdbShop, PostgresShop, Shop, SqliteShop
from tests.rigs.rest import Site, serving
from tests.shop import CANARIES

pytestmark = [pytest.mark.slow, pytest.mark.anyio]

FIRST_TWO = "SELECT id, name FROM products ORDER BY id LIMIT 2"
LONG = "SELECT a.id, b.name FROM orders a CROSS JOIN products b"  # 200,000 rows
ENDLESS = "SELECT count(*) FROM orders a, orders b, orders c, orders d WHERE a.qty + b.qty + c.qty + d.qty > 1"


def address(shop: Shop) -> str:
    match shop:
        case PostgresShop(url):
            return url
        case SqliteShop(file):
            return f"sqlite:///{file}"
        case DuckdbShop(file):
            return f"duckdb:///{file}"
        case _:
            raise AssertionError


@pytest.fixture(scope="module", params=["sqlite", "duckdb", "postgres"])
def shop(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Shop:
    if request.param == "postgres":
        return PostgresShop.load(request.getfixturevalue("postgres_url"))
    return {"sqlite": SqliteShop.load, "duckdb": DuckdbShop.load}[request.param](tmp_path_factory.mktemp("shop"))


@pytest.fixture
async def site(shop: Shop) -> AsyncIterator[Site]:
    async with serving(address(shop), ANALYST) as site:
        yield site


@pytest.fixture
async def http(site: Site) -> AsyncIterator[httpx2.AsyncClient]:
    async with site.client() as client:
        yield client


async def ask(http: httpx2.AsyncClient, sql: str, accept: str = "", **more: Any) -> httpx2.Response:
    headers = {"accept": accept} if accept else {}
    return await http.post("/api/v1/_sql", json={"sql": sql, **more}, headers=headers)


async def test_rows_come_as_a_bare_array(site: Site, http: httpx2.AsyncClient) -> None:
    answer = await ask(http, FIRST_TWO)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["content-range"] == "0-1/*"
    assert "pierhead-truncated" not in answer.headers
    assert answer.json() == [{"id": 101, "name": "Software update pack"}, {"id": 102, "name": "insert tray"}]
    finished = site.finished()
    assert (finished.outcome, finished.bytes_out) == ("ok", len(answer.content))
    assert finished.details["rows"] == 2
    assert finished.details["tables"] == ["products"]


async def test_rows_come_as_a_page(http: httpx2.AsyncClient) -> None:
    answer = await ask(http, FIRST_TWO, "application/vnd.pierhead.page+json", max_rows=1)
    assert answer.json() == {
        "data": [{"id": 101, "name": "Software update pack"}],
        "page": {"limit": 1, "next_cursor": None, "total": None},
        "limits": {"rows": 1, "bytes": 10485760, "truncated": "rows"},
    }
    assert answer.headers["pierhead-truncated"] == "rows"


async def test_rows_come_as_csv(http: httpx2.AsyncClient) -> None:
    text = "CASE WHEN id = 101 THEN '=1+1' ELSE 'a \"b\", c' END"
    sql = f"SELECT id, {text} AS t, NULL AS n FROM products ORDER BY id LIMIT 2"
    answer = await ask(http, sql, "text/csv")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8; header=present"
    rows = list(csv.reader(io.StringIO(answer.text)))
    assert rows == [["id", "t", "n"], ["101", "=1+1", ""], ["102", 'a "b", c', ""]]
    safe = await ask(http, sql, "text/csv; formulas=quoted; header=absent")
    assert next(csv.reader(io.StringIO(safe.text))) == ["101", "'=1+1", ""]


async def test_rows_come_as_lines(http: httpx2.AsyncClient) -> None:
    answer = await ask(http, FIRST_TWO, "application/x-ndjson")
    assert [orjson.loads(line)["id"] for line in answer.content.splitlines()] == [101, 102]


async def test_rows_come_as_arrow(http: httpx2.AsyncClient) -> None:
    answer = await ask(http, FIRST_TWO, "application/vnd.apache.arrow.stream")
    table = pyarrow.ipc.open_stream(answer.content).read_all()
    assert table.to_pylist() == [{"id": 101, "name": "Software update pack"}, {"id": 102, "name": "insert tray"}]


async def test_an_empty_answer_is_empty_in_every_format(http: httpx2.AsyncClient) -> None:
    sql = "SELECT id, name FROM products WHERE id < 0"
    assert (await ask(http, sql)).json() == []
    assert (await ask(http, sql)).headers["content-range"] == "*/*"
    assert (await ask(http, sql, "text/csv")).text == "id,name\r\n"
    assert (await ask(http, sql, "application/x-ndjson")).content == b""
    table = pyarrow.ipc.open_stream((await ask(http, sql, "application/vnd.apache.arrow.stream")).content).read_all()
    assert (table.num_rows, table.column_names) == (0, ["id", "name"])


@pytest.mark.parametrize("accept", ["text/csv", "application/x-ndjson", "application/vnd.apache.arrow.stream"])
async def test_many_rows_come_as_a_stream(site: Site, http: httpx2.AsyncClient, accept: str) -> None:
    answer = await ask(http, LONG, accept, max_rows=50_000)
    assert answer.headers.get("transfer-encoding") == "chunked"
    if "arrow" in accept:
        assert pyarrow.ipc.open_stream(answer.content).read_all().num_rows == 50_000
    else:
        assert len(answer.content.splitlines()) == 50_000 + (accept == "text/csv")
    finished = site.finished()
    assert (finished.outcome, finished.details["rows"]) == ("ok", 50_000)
    assert finished.bytes_out == len(answer.content)


async def test_a_stream_that_is_cut_is_left_without_its_end(site: Site, http: httpx2.AsyncClient) -> None:
    with pytest.raises(httpx2.RemoteProtocolError):
        await ask(http, LONG, "text/csv")
    assert (site.finished().outcome, site.finished().error) == ("tool_error", "stream-cut")


async def test_a_stream_that_fails_before_its_first_row_is_a_problem(http: httpx2.AsyncClient) -> None:
    answer = await ask(http, ENDLESS, "text/csv", timeout_s=0.3)
    assert (answer.status_code, answer.json()["code"]) == (504, "tool-timed-out")
    assert answer.json()["retryable"] is True


async def test_json_beyond_a_page_is_refused_and_says_what_to_do(http: httpx2.AsyncClient) -> None:
    answer = await ask(http, LONG, max_rows=1001)
    assert (answer.status_code, answer.json()["code"]) == (400, "bad-parameter")
    assert "text/csv" in answer.json()["hint"]


async def test_a_default_page_says_that_it_was_cut(http: httpx2.AsyncClient) -> None:
    answer = await ask(http, LONG)
    assert len(answer.json()) == 100
    assert answer.headers["pierhead-truncated"] == "rows"
    assert answer.headers["content-range"] == "0-99/*"


@pytest.mark.parametrize(
    ("sql", "status", "code"),
    [
        ("SELECT token FROM secrets", 404, "unknown-table"),
        ("SELECT email FROM customers", 400, None),
        ("DELETE FROM orders", 400, "not-a-read"),
        ("SELECT 1; SELECT 2", 400, "several-statements"),
        ("SELECT", 400, "parse"),
        ("SELECT load_extension('x')", 400, "unknown-function"),
    ],
)
async def test_a_refused_statement_is_a_problem(
    http: httpx2.AsyncClient, sql: str, status: int, code: str | None
) -> None:
    answer = await ask(http, sql)
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (status, code or problem["code"])
    assert answer.headers["content-type"] == "application/problem+json"
    assert problem.keys() == {"type", "title", "status", "detail", "code", "hint", "retryable"}
    assert problem["status"] == status


async def test_explaining_says_what_would_run(http: httpx2.AsyncClient) -> None:
    answer = await http.post("/api/v1/_sql/explain", json={"sql": FIRST_TWO})
    assert answer.json()["verdict"] == "permitted"
    assert answer.json()["tables"] == ["products"]


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"accept": "image/png"}, 406, "not-acceptable"),
        ({"accept": "text/csv; formulas=maybe"}, 406, "not-acceptable"),
        ({"prefer": "handling=strict, respond-async"}, 400, "bad-preference"),
        ({"prefer": "count=exact, count=estimated"}, 400, "bad-preference"),
        ({"content-type": "text/plain"}, 415, "unsupported-content"),
        ({"content-encoding": "gzip"}, 415, "unsupported-content"),
    ],
)
async def test_contradictory_or_unknown_headers_are_refused(
    site: Site, http: httpx2.AsyncClient, change: dict[str, str], status: int, code: str
) -> None:
    body = orjson.dumps({"sql": FIRST_TWO})
    answer = await http.post("/api/v1/_sql", content=body, headers={"content-type": "application/json", **change})
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert site.audit.kinds() == ["call-refused"]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"{", 400, "bad-body"),
        (b"[]", 400, "bad-body"),
        (b'{"sql": "SELECT 1", "limit": 5}', 400, "bad-body"),
        (b'{"sql": 5}', 400, "bad-arguments"),
        (b'{"sql": "' + b" " * 1_048_576 + b'"}', 413, "body-too-large"),
    ],
)
async def test_a_body_that_cannot_be_read_is_refused(
    http: httpx2.AsyncClient, body: bytes, status: int, code: str
) -> None:
    answer = await http.post("/api/v1/_sql", content=body, headers={"content-type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (status, code)


async def test_routes_and_methods_that_are_not_there_say_so(http: httpx2.AsyncClient) -> None:
    assert (await http.get("/api/v1/_sql/nonsense")).status_code == 404
    wrong = await http.get("/api/v1/_sql")
    assert (wrong.status_code, wrong.headers["allow"], wrong.json()["code"]) == (405, "POST", "method-not-allowed")


async def test_the_schema_is_the_roles_own(http: httpx2.AsyncClient) -> None:
    tables = (await http.get("/api/v1/")).json()
    assert [table["name"] for table in tables] == ["customers", "orders", "products"]
    schema = (await http.get("/api/v1/_schema")).json()
    assert [table["name"] for table in schema] == ["customers", "orders", "products"]
    customers = (await http.get("/api/v1/_schema/customers")).json()
    assert customers["key"] == ["id"]
    assert [column["name"] for column in customers["columns"]] == ["id", "name", "region", "created_at"]
    hidden, absent = [(await http.get(f"/api/v1/_schema/{name}")) for name in ("secrets", "nothing")]
    assert hidden.status_code == absent.status_code == 404
    assert hidden.text.replace("secrets", "nothing") == absent.text


async def test_no_canary_leaves_by_any_format(http: httpx2.AsyncClient) -> None:
    for accept in ("application/json", "text/csv", "application/x-ndjson", "application/vnd.apache.arrow.stream"):
        answer = await ask(http, "SELECT * FROM customers", accept, max_rows=1000)
        assert answer.status_code == 200
        assert not any(canary.encode() in answer.content for canary in CANARIES)


async def test_what_json_cannot_carry_exactly_is_text(tmp_path: Path) -> None:
    file = tmp_path / "odd.duckdb"
    with duckdb.connect(str(file)) as connection:
        connection.execute(
            "CREATE TABLE odd AS SELECT 9007199254740993::BIGINT AS big, 9007199254740992::BIGINT AS fits,"
            " 1.10::DECIMAL(10,2) AS money, 'inf'::DOUBLE AS endless,"
            " '{\"a\": 1}'::JSON AS doc, '\\x00\\xFF'::BLOB AS raw,"
            " TIMESTAMP '2026-01-31 14:30:00' AS moment, [1, 2] AS list, NULL::INTEGER AS nothing"
        )
    async with (
        serving(f"duckdb:///{file}", {"r": {"tables": ["odd"], "operations": ["read"]}}) as site,
        site.client() as http,
    ):
        for accept in ("application/json", "application/x-ndjson"):
            answer = await ask(http, "SELECT * FROM odd", accept)
            row = orjson.loads(answer.content)
            assert (row[0] if isinstance(row, list) else row) == {
                "big": "9007199254740993",
                "fits": 9007199254740992,
                "money": "1.10",
                "endless": "inf",
                "doc": {"a": 1},
                "raw": "\\x00ff",
                "moment": "2026-01-31T14:30:00",
                "list": [1, 2],
                "nothing": None,
            }


async def test_two_columns_of_one_name_are_refused_where_an_object_cannot_hold_them(http: httpx2.AsyncClient) -> None:
    answer = await ask(http, "SELECT 1 AS a, 2 AS a")
    assert (answer.status_code, answer.json()["code"]) == (400, "repeated-column")
    assert (await ask(http, "SELECT 1 AS a, 2 AS a", "text/csv")).text == "a,a\r\n1,2\r\n"
