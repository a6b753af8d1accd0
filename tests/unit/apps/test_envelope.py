"""The envelope: any bytes are either one message, read as every parser reads it, or a fault. Never an exception."""

import json
from base64 import b64encode
from typing import Any

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pierhead.apps.gateway.envelope import Envelope, Fault, read
from pierhead.apps.gateway.methods import NOTIFICATIONS, REQUESTS
from pierhead.apps.gateway.strict_json import NotStrict, parse
from pierhead.apps.problem import http_status
from pierhead.core.wire_codes import numbers

MODERN = "2026-07-28"
META = {
    "io.modelcontextprotocol/protocolVersion": MODERN,
    "io.modelcontextprotocol/clientInfo": {"name": "agent", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {},
}
HEADERS = {b"mcp-protocol-version": MODERN.encode(), b"mcp-method": b"tools/call", b"mcp-name": b"count"}


def request(**changes: Any) -> dict[str, Any]:
    good = {
        "jsonrpc": "2.0",
        "id": 7,
        "method": "tools/call",
        "params": {"name": "count", "arguments": {"table": "t"}, "_meta": META},
    }
    return {name: value for name, value in {**good, **changes}.items() if value is not ...}


def body(**changes: Any) -> bytes:
    return json.dumps(request(**changes)).encode()


def code(found: Envelope | Fault) -> int:
    assert isinstance(found, Fault), found
    return numbers(found.error).json_rpc


def test_a_modern_call_is_read() -> None:
    found = read(body(), HEADERS)
    assert isinstance(found, Envelope)
    assert (found.method.name, found.id, found.target, found.era) == ("tools/call", 7, "count", MODERN)
    assert (found.client, found.size) == ("agent/1", len(body()))


def test_a_legacy_call_is_read_without_meta() -> None:
    found = read(body(params={"name": "count"}), {b"mcp-protocol-version": b"2025-11-25"})
    assert isinstance(found, Envelope)
    assert found.era == "2025-11-25"


def test_a_client_that_names_no_version_is_legacy() -> None:
    found = read(body(params={"name": "count"}), {})
    assert isinstance(found, Envelope)
    assert found.era == "2025-03-26"


@pytest.mark.parametrize("asked", ["2025-06-18", "2025-11-25"])
def test_initialize_is_of_the_era_it_asks_for(asked: str) -> None:
    found = read(body(method="initialize", params={"protocolVersion": asked}), {})
    assert isinstance(found, Envelope)
    assert found.era == asked


NOT_STRICT = {
    "nothing": b"",
    "half": b'{"jsonrpc":"2.0"',
    "two": b"{} {}",
    "a byte order mark": b"\xef\xbb\xbf" + body(),
    "utf-16": body().decode().encode("utf-16"),
    "utf-16 without a mark": body().decode().encode("utf-16-le"),
    "bad utf-8": body().replace(b"count", b"c\xffunt"),
    "overlong utf-8": body().replace(b"count", b"c\xc0\xafunt"),
    "not a number": body().replace(b'"t"', b"NaN"),
    "infinity": body().replace(b'"t"', b"-Infinity"),
    "a number past any double": body().replace(b'"t"', b"1e999"),
    "an integer past 2^53-1": body().replace(b'"t"', b"9007199254740992"),
    "a negative one": body().replace(b'"t"', b"-9007199254740992"),
    "a very long integer": body().replace(b'"t"', b"9" * 5000),
    "a member twice": body().replace(b'"id"', b'"id": 1, "id"'),
    "a method twice": body().replace(b'"method"', b'"method": "tools/list", "method"'),
    "a name twice, deep down": body().replace(b'"table"', b'"table": 1, "table"'),
    "a name twice, escaped": body().replace(b'"table"', b'"t\\u0061ble": 1, "table"'),
    "names alike but for case": body().replace(b'"table"', b'"Table": 1, "table"'),
    "names alike but for a long s": body().replace(b'"table"', b'"\\u017ftable": 1, "stable"'),
    "a lone surrogate": body().replace(b'"t"', b'"\\ud800"'),
    "a lone surrogate as a name": body().replace(b'"table"', b'"\\udc00"'),
    "a control character": body().replace(b'"t"', b'"\n"'),
    "too deep": body().replace(b'"t"', b"[" * 62 + b"]" * 62),
    "much too deep": b"[" * 100_000,
    "a comment": body() + b"// hello",
    "a trailing comma": b'{"jsonrpc":"2.0",}',
}


@pytest.mark.parametrize("text", NOT_STRICT.values(), ids=NOT_STRICT.keys())
def test_what_two_parsers_could_read_differently_is_refused(text: bytes) -> None:
    found = read(text, HEADERS)
    assert code(found) == -32700
    assert isinstance(found, Fault)
    assert found.id is None


def test_what_is_exactly_at_the_limits_is_read() -> None:
    for text in (b"[" * 61 + b"]" * 61, b"9007199254740991", b"-9007199254740991", b'"\\ud83d\\ude00"', b"1e308"):
        assert isinstance(read(body().replace(b'"t"', text), HEADERS), Envelope), text[:20]


NOT_A_MESSAGE = {
    "a batch": [request()],
    "a text": "tools/call",
    "nothing": None,
    "no jsonrpc": request(jsonrpc=...),
    "another jsonrpc": request(jsonrpc="1.0"),
    "a jsonrpc number": request(jsonrpc=2.0),
    "an unknown member": request(extra=1),
    "a member in another case": request(Method="tools/list"),
    "a null id": request(id=None),
    "a fractional id": request(id=1.5),
    "a boolean id": request(id=True),
    "an object as id": request(id={}),
    "a long id": request(id="x" * 257),
    "a method that is no text": request(method=5),
    "a result in the modern era": {"jsonrpc": "2.0", "id": 1, "result": {}},
    "neither": {"jsonrpc": "2.0", "id": 1},
}


@pytest.mark.parametrize("value", NOT_A_MESSAGE.values(), ids=NOT_A_MESSAGE.keys())
def test_what_is_no_single_message_is_refused(value: Any) -> None:
    found = read(json.dumps(value).encode(), HEADERS)
    if isinstance(value, dict) and "Method" in value:
        assert code(found) == -32700  # two names alike but for case
    else:
        assert code(found) == -32600


def test_a_fault_names_the_id_of_its_message() -> None:
    found = read(body(extra=1, id="abc"), HEADERS)
    assert isinstance(found, Fault)
    assert found.id == "abc"


MISMATCHES = {
    "another method": {b"mcp-method": b"tools/list"},
    "another name": {b"mcp-name": b"drop"},
    "no method": {b"mcp-method": None},
    "no name": {b"mcp-name": None},
    "the name in another case": {b"mcp-name": b"Count"},
    "broken base64": {b"mcp-name": b"=?base64?Y291bnQ?="},
    "base64 that is not canonical": {b"mcp-name": b"=?base64?Y291bnR=?="},
    "base64 of another": {b"mcp-name": b"=?base64?" + b64encode(b"drop") + b"?="},
    "raw bytes": {b"mcp-name": "cöunt".encode()},
    "a legacy version": {b"mcp-protocol-version": b"2025-11-25"},
    "no version": {b"mcp-protocol-version": None},
    "an unknown version": {b"mcp-protocol-version": b"2030-01-01"},
}


@pytest.mark.parametrize("change", MISMATCHES.values(), ids=MISMATCHES.keys())
def test_headers_that_contradict_the_body_are_refused(change: dict[bytes, bytes | None]) -> None:
    headers = {name: value for name, value in {**HEADERS, **change}.items() if value is not None}
    assert code(read(body(), headers)) == -32020


def test_headers_are_held_to_the_body_in_the_legacy_eras_too() -> None:
    legacy = {b"mcp-protocol-version": b"2025-11-25", b"mcp-method": b"tools/list"}
    assert code(read(body(params={"name": "count"}), legacy)) == -32020
    assert code(read(body(params={"name": "count"}), {b"mcp-name": b"drop"})) == -32020


def test_a_name_beyond_ascii_travels_in_base64() -> None:
    headers = {**HEADERS, b"mcp-name": b"=?base64?" + b64encode("zählen".encode()) + b"?="}
    assert isinstance(read(body(params={"name": "zählen", "_meta": META}), headers), Envelope)


def test_a_version_nobody_speaks_is_named_with_those_we_do() -> None:
    strange = {**META, "io.modelcontextprotocol/protocolVersion": "2030-01-01"}
    found = read(body(params={"name": "count", "_meta": strange}), {**HEADERS, b"mcp-protocol-version": b"2030-01-01"})
    assert code(found) == -32022
    assert isinstance(found, Fault)
    assert found.extra == {"supported": [MODERN], "requested": "2030-01-01"}


@pytest.mark.parametrize("missing", ["protocolVersion", "clientCapabilities"])
def test_a_modern_request_without_its_meta_is_refused(missing: str) -> None:
    meta = {name: value for name, value in META.items() if not name.endswith(missing)}
    assert code(read(body(params={"name": "count", "_meta": meta}), HEADERS)) == -32602


BAD_PARAMS = {
    "a list": ["count"],
    "no name": {"_meta": META},
    "an empty name": {"name": "", "_meta": META},
    "a name that is no text": {"name": 5, "_meta": META},
    "a very long name": {"name": "x" * 3000, "_meta": META},
    "the name in another case": {"Name": "count", "_meta": META},
    "the meta in another case": {"name": "count", "_META": META},
    "meta that is no object": {"name": "count", "_meta": 3},
}


@pytest.mark.parametrize("params", BAD_PARAMS.values(), ids=BAD_PARAMS.keys())
def test_parameters_the_gateway_reads_are_strict(params: Any) -> None:
    assert code(read(body(params=params), HEADERS)) == -32602


@pytest.mark.parametrize("method", ["tools/drop", "initialize", "ping", "TOOLS/CALL", "", "notifications/initialized"])
def test_a_method_of_no_row_or_another_era_is_refused(method: str) -> None:
    headers = {b"mcp-protocol-version": MODERN.encode(), b"mcp-method": method.encode()}
    found = read(body(method=method), headers)
    assert code(found) == -32601
    assert isinstance(found, Fault)
    assert http_status(found.error, found.era) == 404


def test_every_method_is_read_in_its_eras_and_no_other() -> None:
    for row in REQUESTS.values():
        params = {"_meta": META, **({row.target: "x"} if row.target else {})}
        name = {b"mcp-name": b"x"} if row.target else {}
        modern = {b"mcp-protocol-version": MODERN.encode(), b"mcp-method": row.name.encode(), **name}
        assert isinstance(read(body(method=row.name, params=params), modern), Envelope) is row.modern, row.name
        params.pop("_meta")
        assert isinstance(read(body(method=row.name, params=params), {}), Envelope) is row.legacy, row.name


def test_notifications_are_dropped_in_the_modern_era_and_carried_in_the_legacy_ones() -> None:
    for name in NOTIFICATIONS:
        notification = body(method=name, id=..., params={})
        modern = read(notification, {b"mcp-protocol-version": MODERN.encode()})
        legacy = read(notification, {})
        assert isinstance(modern, Envelope)
        assert isinstance(legacy, Envelope)
        assert (modern.method.name, legacy.method.name) == ("notification", name)


def test_an_answer_to_the_server_is_carried_in_the_legacy_eras() -> None:
    found = read(json.dumps({"jsonrpc": "2.0", "id": 3, "result": {}}).encode(), {})
    assert isinstance(found, Envelope)
    assert found.method.name == "response"
    both = json.dumps({"jsonrpc": "2.0", "id": 3, "result": {}, "error": {}}).encode()
    assert code(read(both, {})) == -32600


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=20,
)
MESSAGES = st.fixed_dictionaries(
    {},
    optional={
        "jsonrpc": st.just("2.0") | JSON,
        "id": st.integers() | st.text() | JSON,
        "method": st.sampled_from(sorted(REQUESTS)) | JSON,
        "params": st.fixed_dictionaries({"_meta": st.just(META) | JSON, "name": st.text()}) | JSON,
        "result": JSON,
    },
)
VALUES = st.sampled_from([b"2026-07-28", b"2025-11-25", b"tools/call", b"=?base64?", b"=?base64?=", b""]) | st.binary()
SENT = st.dictionaries(st.sampled_from([b"mcp-protocol-version", b"mcp-method", b"mcp-name"]), VALUES)


@given(st.binary() | MESSAGES.map(lambda value: json.dumps(value).encode()), SENT)
@example(b"[" * 5000 + b"]" * 5000, {})
@example(b"\xff", {})
def test_any_bytes_are_an_envelope_or_a_fault(text: bytes, headers: dict[bytes, bytes]) -> None:
    found = read(text, headers)
    assert isinstance(found, Envelope | Fault)
    if isinstance(found, Envelope):
        other = orjson.loads(text)
        assert other["jsonrpc"] == "2.0"
        assert other.get("id") == found.id
        if "method" in other and found.id is not None:
            assert other["method"] == found.method.name
        if found.method.target:
            assert other["params"][found.method.target] == found.target


@given(st.binary() | JSON.map(lambda value: json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")))
def test_what_is_accepted_a_second_strict_parser_reads_alike(text: bytes) -> None:
    try:
        value = parse(text)
    except NotStrict:
        return
    assert json.dumps(orjson.loads(text), sort_keys=True) == json.dumps(value, sort_keys=True)
