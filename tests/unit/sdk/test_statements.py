"""The statement client against answers no healthy coordinator gives: busy, lost, foreign, oversized, malformed.

What a real engine answers is tested on real ones (tests/integration/test_trino.py).
"""

import asyncio
import datetime as dt
import decimal
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx2
import orjson
import pytest

from pierhead.core.errors import Invalid, ToolTimedOut, UpstreamUnreachable
from pierhead.sdk.statements import Running, Session, StatementClient, StatementFailed, filled, literal
from pierhead.sdk.statements.client import LARGEST_PAGE
from pierhead.sdk.statements.values import decoder

pytestmark = pytest.mark.anyio

ADDRESS = "http://coordinator.example:8080"
NEXT = f"{ADDRESS}/v1/statement/executing/q1/slug/1"
SESSION = Session("ann", "hive", "sales", authorization="Basic secret", properties={"query_max_run_time": "5s"})
COLUMN = {"name": "n", "type": "bigint", "typeSignature": {"rawType": "bigint", "arguments": []}}
FIRST = {"id": "q1", "nextUri": NEXT}
LAST = {"id": "q1", "columns": [COLUMN], "data": [[1]]}

Answer = httpx2.Response | Exception
Script = Callable[[httpx2.Request], Answer]


def page(**members: object) -> httpx2.Response:
    return httpx2.Response(200, content=orjson.dumps(members))


class Coordinator(httpx2.AsyncBaseTransport):
    """Answers each method from its own list, the last answer again and again; keeps what it was asked."""

    def __init__(self, **answers: list[Answer]) -> None:
        self.answers = answers
        self.asked: list[httpx2.Request] = []
        self.pauses: list[float] = []

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        self.asked.append(request)
        answers = self.answers[request.method]
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(answer, Exception):
            raise answer
        return httpx2.Response(answer.status_code, content=answer.content)

    @property
    def methods(self) -> list[str]:
        return [request.method for request in self.asked]

    async def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)

    def client(self) -> StatementClient:
        return StatementClient(httpx2.AsyncClient(transport=self), ADDRESS, "Trino", pause=self.pause)


async def rows_of(coordinator: Coordinator, *, is_read: bool = True) -> list[list[Any]]:
    async with coordinator.client().running("SELECT 1", SESSION, seconds=5, is_read=is_read) as statement:
        return [row async for row in rows_in(statement)]


async def rows_in(statement: Running) -> AsyncIterator[list[Any]]:
    async for batch in statement.batches():
        for row in batch:
            yield row


async def test_a_statement_is_posted_once_and_followed_to_its_end() -> None:
    coordinator = Coordinator(POST=[page(**FIRST)], GET=[page(**LAST)])
    assert await rows_of(coordinator) == [[1]]
    assert coordinator.methods == ["POST", "GET"]
    first, second = coordinator.asked
    assert first.headers["x-trino-user"] == "ann"
    assert first.headers["x-trino-session"] == "query_max_run_time=5s"
    assert second.headers["authorization"] == "Basic secret"
    assert second.url.params["targetResultSize"] == "1MB"
    assert not [name for name in first.headers if name.startswith("x-presto")]


@pytest.mark.parametrize("status", [429, 502, 503, 504])
async def test_a_busy_coordinator_is_asked_again_after_a_pause(status: int) -> None:
    busy = httpx2.Response(status)
    coordinator = Coordinator(POST=[busy, page(**FIRST)], GET=[busy, busy, page(**LAST)])
    assert await rows_of(coordinator) == [[1]]
    assert coordinator.pauses == [0.1, 0.1, 0.2]


async def test_what_may_have_been_taken_is_posted_twice_only_if_it_reads() -> None:
    coordinator = Coordinator(POST=[httpx2.Response(502), page(**LAST)])
    with pytest.raises(UpstreamUnreachable):
        await rows_of(coordinator, is_read=False)
    assert coordinator.methods == ["POST"]


async def test_a_lost_connection_loses_no_page() -> None:
    lost = httpx2.ReadError("reset")
    assert await rows_of(Coordinator(POST=[page(**FIRST)], GET=[lost, page(**LAST)])) == [[1]]


async def test_a_coordinator_that_stays_away_is_given_up() -> None:
    coordinator = Coordinator(POST=[page(**FIRST)], GET=[httpx2.ConnectError("no")], DELETE=[httpx2.Response(204)])
    with pytest.raises(UpstreamUnreachable, match="does not answer"):
        await rows_of(coordinator)
    assert sum(coordinator.pauses) < 10


@pytest.mark.parametrize(
    "address",
    [
        "http://elsewhere.example:8080/v1/statement/executing/q1/slug/1",
        "https://coordinator.example:8080/v1/statement/executing/q1/slug/1",
        "http://coordinator.example:8081/v1/statement/executing/q1/slug/1",
        "http://coordinator.example:8080@elsewhere.example/v1/statement/1",
        "http://coordinator.example:8080/other",
        "not an address",
    ],
)
async def test_a_login_never_follows_an_address_elsewhere(address: str) -> None:
    coordinator = Coordinator(POST=[page(id="q1", nextUri=address)], GET=[page(**LAST)], DELETE=[page()])
    with pytest.raises(UpstreamUnreachable):
        await rows_of(coordinator)
    assert coordinator.methods == ["POST"]


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b"{}", b'{"id": 7}', b'{"id": "q", "columns": [1]}', b'{"id": "q", "data": [[1]]}']
)
async def test_what_no_coordinator_says_is_refused(body: bytes) -> None:
    coordinator = Coordinator(POST=[httpx2.Response(200, content=body)])
    with pytest.raises(UpstreamUnreachable) as refused:
        await rows_of(coordinator)
    assert refused.value.code == "upstream-garbage"


async def test_a_page_of_any_size_is_not_taken_in() -> None:
    huge = httpx2.Response(200, content=b" " * (LARGEST_PAGE + 1))
    coordinator = Coordinator(POST=[page(**FIRST)], GET=[huge], DELETE=[httpx2.Response(204)])
    with pytest.raises(UpstreamUnreachable, match="larger than"):
        await rows_of(coordinator)
    assert "DELETE" in coordinator.methods


async def test_a_login_that_is_not_accepted_says_so_without_asking_again() -> None:
    coordinator = Coordinator(POST=[httpx2.Response(401, content=b"Basic secret is wrong")])
    with pytest.raises(UpstreamUnreachable) as refused:
        await rows_of(coordinator)
    assert refused.value.code == "upstream-refused-login"
    assert "secret" not in str(refused.value)
    assert coordinator.methods == ["POST"]


async def test_a_redirect_is_no_answer() -> None:
    moved = httpx2.Response(302, headers={"location": "http://elsewhere.example/"})
    coordinator = Coordinator(POST=[moved])
    with pytest.raises(UpstreamUnreachable, match="302"):
        await rows_of(coordinator)
    assert coordinator.methods == ["POST"]


async def test_a_failure_is_raised_with_what_the_engine_calls_it() -> None:
    error = {"message": "value 'hidden'", "errorName": "DIVISION_BY_ZERO", "errorType": "USER_ERROR"}
    with pytest.raises(StatementFailed) as failed:
        await rows_of(Coordinator(POST=[page(id="q1", error=error)]))
    assert (failed.value.name, failed.value.kind, failed.value.place) == ("DIVISION_BY_ZERO", "USER_ERROR", None)


async def test_a_statement_left_early_is_ended_and_seen_to_end() -> None:
    cancelled = {"id": "q1", "error": {"errorName": "USER_CANCELED"}}
    coordinator = Coordinator(
        POST=[page(id="q1", nextUri=NEXT, columns=[COLUMN], data=[[1]])],
        DELETE=[httpx2.Response(204)],
        GET=[page(**FIRST), page(**cancelled)],
    )
    async with coordinator.client().running("SELECT 1", SESSION, seconds=5, is_read=True) as statement:
        assert await anext(statement.batches()) == [[1]]
    assert coordinator.methods == ["POST", "DELETE", "GET", "GET"]


class Hanging(Coordinator):
    """Holds the answer to POST back until it is let go."""

    def __init__(self) -> None:
        super().__init__(POST=[page(**FIRST)], DELETE=[httpx2.Response(204)], GET=[page(id="q1")])
        self.reached, self.go_on = asyncio.Event(), asyncio.Event()

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        if request.method == "POST":
            self.reached.set()
            await self.go_on.wait()
        return await super().handle_async_request(request)


async def test_a_caller_gone_before_the_first_answer_leaves_nothing_running() -> None:
    coordinator = Hanging()
    task = asyncio.create_task(rows_of(coordinator))
    await coordinator.reached.wait()
    task.cancel()
    coordinator.go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert coordinator.methods == ["POST", "DELETE", "GET"]


async def test_time_covers_the_whole_conversation() -> None:
    coordinator = Hanging()
    with pytest.raises(ToolTimedOut):
        async with coordinator.client().running("SELECT 1", SESSION, seconds=0.01, is_read=True):
            pass


@pytest.mark.parametrize("user", ["", " ann", "ann\r\nX-Trino-Role: admin", "änn", "a" * 300, "a\0b"])
async def test_a_user_that_a_header_cannot_carry_is_refused(user: str) -> None:
    coordinator = Coordinator(POST=[page(**LAST)])
    with pytest.raises(Invalid) as refused:
        async with coordinator.client().running("SELECT 1", Session(user, "c", "s"), seconds=1, is_read=True):
            pass
    assert refused.value.code == "unfit-engine-user"
    assert coordinator.asked == []


def test_marks_inside_quotes_are_no_marks() -> None:
    sql = "SELECT '?', \"?\", 'it''s ?', \"a\"\"?\" FROM t WHERE a = ? AND b = ?"
    assert filled(sql, [1, "?"]) == sql.replace("a = ?", "a = 1").replace("b = ?", "b = '?'")


@pytest.mark.parametrize("values", [[], [1], [1, 2, 3]])
def test_as_many_values_as_marks(values: list[object]) -> None:
    with pytest.raises(ValueError, match="than"):
        filled("SELECT ?, ?", values)


@pytest.mark.parametrize("value", [{"a": 1}, object(), "\ud800", 10**38, float, [object()]])
def test_what_has_no_literal_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match=r"literal|digits|surrogates"):
        literal(value)


def test_a_negative_number_never_begins_a_comment() -> None:
    assert "--" not in filled("SELECT -?", [-1])


def test_a_type_nobody_thought_of_passes_as_it_came() -> None:
    assert decoder({"rawType": "hyperloglog", "arguments": []}) is None
    assert decoder("bigint") is None
    decode = decoder({"rawType": "array", "arguments": [{"kind": "TYPE", "value": "odd"}]})
    assert decode is not None
    assert decode(["x"]) == ["x"]


def test_what_is_nested_is_read_from_json_text_too() -> None:
    """As a PrestoDB writes it."""
    number: dict[str, Any] = {"rawType": "decimal", "arguments": []}
    numbers = decoder({"rawType": "array", "arguments": [{"kind": "TYPE_SIGNATURE", "value": number}]})
    field = {"kind": "NAMED_TYPE_SIGNATURE", "value": {"fieldName": {"name": "a"}, "typeSignature": "decimal(2,1)"}}
    row = decoder({"rawType": "row", "arguments": [field]})
    assert numbers is not None
    assert row is not None
    assert [numbers('[ "1.5", null ]'), numbers(["1.5"]), numbers("no JSON")] == [
        [decimal.Decimal("1.5"), None],
        [decimal.Decimal("1.5")],
        "no JSON",
    ]
    assert row('[ "2.5" ]') == {"a": decimal.Decimal("2.5")}


def test_a_time_is_written_as_finely_as_it_is() -> None:
    assert literal(dt.time(1, 2, 3)) == "TIME '01:02:03.000'"
    assert literal(dt.time(1, 2, 3, 4_005)) == "TIME '01:02:03.004005'"
    assert literal(dt.datetime(2026, 1, 2, tzinfo=dt.UTC)) == "TIMESTAMP '2026-01-02 00:00:00.000 +00:00'"


def test_the_older_shape_of_row_types_is_read_too() -> None:
    inner = {"rawType": "decimal", "arguments": []}
    field = {"kind": "NAMED_TYPE_SIGNATURE", "value": {"fieldName": {"name": "a"}, "typeSignature": inner}}
    decode = decoder({"rawType": "row", "arguments": [field, {"kind": "X", "value": {"typeSignature": "bigint"}}]})
    assert decode is not None
    assert str(decode(["1.5", 2])) == "{'a': Decimal('1.5'), 'field1': 2}"


def test_rows_with_fields_of_one_name_stay_lists() -> None:
    field = {"kind": "NAMED_TYPE", "value": {"fieldName": {"name": "a"}, "typeSignature": {"rawType": "bigint"}}}
    decode = decoder({"rawType": "row", "arguments": [field, field]})
    assert decode is not None
    assert decode([1, 2]) == [1, 2]


def test_times_python_cannot_hold_stay_text() -> None:
    for kind, text in (
        ("date", "+12026-01-01"),
        ("timestamp", "2026-01-01 00:00:00.123456789"),
        ("time", "10:00:00.1234567"),
        ("timestamp with time zone", "2026-01-01 00:00:00 Europe/Berlin"),
    ):
        decode = decoder({"rawType": kind, "arguments": []})
        assert decode is not None
        assert decode(text) == text
