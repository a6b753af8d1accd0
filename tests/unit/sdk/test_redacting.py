"""Secrets taken out of answers, errors and streams, without the author of a server doing anything."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from pierhead.core.errors import ToolFailed
from pierhead.sdk.envelope import Envelope, Link
from pierhead.sdk.redacting import Redactor, also_secret, redact, redact_value
from pierhead.sdk.result import failure
from pierhead.sdk.server import Server
from pierhead.testing import platform


class Data(BaseModel):
    settings: dict[str, str]
    line: str


def _answer() -> Envelope[Data]:
    data = Data(
        settings={"spark.hadoop.fs.s3a.secret.key": "wJalrX", "spark.app.name": "load", "patient": "4711"},
        line="password=abc",
    )
    link = Link(title="log", url="https://logs/x?sig=abcdef")
    return Envelope(summary="token: abcdefgh", data=data, links=[link]).observed("log", 0.0)


def test_an_envelope_holds_no_secret_of_any_member() -> None:
    told = _answer().model_dump(mode="json")
    assert told["data"]["settings"]["spark.hadoop.fs.s3a.secret.key"].startswith("[redacted:")
    assert told["data"]["settings"]["spark.app.name"] == "load"
    assert told["data"]["line"] == "password=[redacted:password]"
    assert told["summary"] == "token: [redacted:token]"
    assert told["links"][0]["url"] == "https://logs/x?sig=[redacted:signature]"
    assert told["evidence"]["id"].startswith("ev_")


def test_the_digest_of_evidence_knows_no_secret() -> None:
    one = Envelope(summary="", data=Data(settings={}, line="password=one")).observed("log", 0.0)
    two = Envelope(summary="", data=Data(settings={}, line="password=two")).observed("log", 0.0)
    assert one.evidence == two.evidence


def test_an_error_tells_no_secret() -> None:
    told = failure(ToolFailed("login failed for postgres://etl:hunter2@db/x", hint="password=hunter2"))
    assert b"hunter2" not in told.encoded


@pytest.mark.anyio
async def test_names_of_the_owner_hold_in_answers_and_their_evidence() -> None:
    server = Server("clinic", owner="clinic", support="#clinic", secret_names=["patient"])

    @server.tool(policy="everyone", effect="read", minutes_saved=1)
    async def look() -> Envelope[Data]:
        """Look at it."""
        return _answer()

    async with platform(server, access="everyone") as running, running.client("ann") as client:
        answer = await client.call_tool("look", {})
    assert "4711" not in str(answer)
    assert "load" in str(answer)


def test_values_of_members_that_name_secrets_are_withheld_each() -> None:
    told = redact_value(
        {"tokens": {"a": "x", "n": 1}, "api_keys": ["k", "", 3], "next_page_token": "go", "at": (1, "y")}
    )
    assert told["api_keys"] == ["[redacted:named]", "", 3]
    assert told["next_page_token"] == "go"
    assert told["at"] == [1, "y"]


def test_what_is_nested_without_end_is_not_kept() -> None:
    deep: object = "password=x"
    for _ in range(100):
        deep = [deep]
    assert "password" not in str(redact_value(deep))


def test_names_hold_inside_their_block_alone() -> None:
    with also_secret(["patient"]):
        assert redact("patient=4711") == "patient=[redacted:named]"
    assert redact("patient=4711") == "patient=4711"


@settings(max_examples=25, deadline=None)
@given(st.integers(500, 9_000), st.integers(0, 9_000))
def test_a_secret_across_two_pieces_is_found(size: int, before: int) -> None:
    text = "word " * (before // 5) + "\npassword=hunter2secret and then\n" + "more text here\n" * 1_000
    redactor = Redactor()
    told = "".join(redactor.feed(text[begin : begin + size]) for begin in range(0, len(text), size)) + redactor.rest()
    assert told == redact(text)


def test_a_text_without_a_place_to_cut_is_left_out() -> None:
    redactor = Redactor()
    told = "".join(redactor.feed("x" * 40_000) for _ in range(3)) + redactor.rest()
    assert "[redacted:long" in told
    assert len(told) < 60_000
