"""What a running server breaks of the standard: S15, S20, S22, S39 to S43, S46, asked over loopback.

Speaks plain HTTP, as an attacker would; nothing is sent to a tool that writes but what its schema refuses. Above:
`bootstrap/wire_live`, which starts what is asked. Not here: inputs (`odd_inputs`), the login of a database (S27).
"""

import json
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, cast

import httpx2

from pierhead.core.odd_inputs import odd_inputs
from pierhead.core.standard import Breach
from pierhead.core.standard_rules import breach

REVISION: Final = "2026-07-28"
_PREFIX: Final = "io.modelcontextprotocol/"
_BODY: Final = 4 * 1024 * 1024
_DEEP: Final = 80
_ANSWER: Final = 4 * 1024 * 1024
_INSIDE: Final = re.compile(r"Traceback \(most recent|File \\?\"/|/site-packages/|\.py\\?\", line \d|0x[0-9a-f]{8,16}>")
"""Of a program: its stack, where its files lie, where its objects."""
_HANGS_S: Final = 30.0
_FOUND: Final = 200
_REFUSED: Final = 400
_UNPROVED: Final = 401
_BROKEN: Final = 500
_UNSIGNED: Final = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJwcm9iZSIsImV4cCI6NDEwMjQ0NDgwMH0."
MARKER: Final = "canary-7f3a19c2"

Wire = Mapping[str, Any]


@dataclass(slots=True)
class Live:
    """A running server: its MCP address, and the tokens of two people. `holds` says whether a result fits a schema."""

    url: str
    tokens: tuple[str, str]
    holds: Callable[[Wire, object], str]
    inputs: int
    false_tokens: Mapping[str, str] = field(default_factory=dict[str, str])
    """Tokens that only who has the key can make, by what is wrong with each."""
    pause_s: float = 1.0
    """Between the first and the second look at the list."""
    http: httpx2.Client = field(
        default_factory=lambda: httpx2.Client(trust_env=False, timeout=_HANGS_S, follow_redirects=False)
    )

    def post(self, method: str, params: Wire, token: str, **headers: str) -> httpx2.Response:
        meta = {
            f"{_PREFIX}protocolVersion": REVISION,
            f"{_PREFIX}clientInfo": {"name": headers.pop("client", "check"), "version": "1"},
            f"{_PREFIX}clientCapabilities": {},
        }
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": {**params, "_meta": meta}}
        return self.send(json.dumps(body).encode(), method, str(params.get("name", "")), token, **headers)

    def send(self, body: bytes, method: str, name: str, token: str, **headers: str) -> httpx2.Response:
        own = {
            "content-type": "application/json",
            "accept": "application/json, text/event-stream",
            "mcp-protocol-version": REVISION,
            "mcp-method": method,
            **({"mcp-name": name} if name else {}),
            **({"authorization": f"Bearer {token}"} if token else {}),
            **headers,
        }
        return self.http.post(self.url, content=body, headers=own)

    def call(self, tool: str, arguments: object) -> httpx2.Response:
        return self.post("tools/call", {"name": tool, "arguments": arguments}, self.tokens[0])

    def listed(self, person: int, client: str) -> list[Wire]:
        """Errors: ValueError, if it lists nothing that can be read."""
        answer = self.post("tools/list", {}, self.tokens[person], client=client)
        return cast("list[Wire]", answer.json()["result"]["tools"])


def probe(live: Live, pinned: Sequence[Wire]) -> tuple[Breach, ...]:
    """Everything that the running server breaks. `pinned` is what its definitions should be, empty: nobody says."""
    found: list[Breach] = []
    for each in (_doors, _limits):
        found += each(live)
    tools = live.listed(0, "first")
    found += _pinned(live, tools, pinned)
    for tool in tools:
        found += _inputs(live, tool)
    return tuple(dict.fromkeys(found))


def _doors(live: Live) -> Iterator[Breach]:
    """No proof, a false one, an unsigned one; another host, another origin."""
    broken_token = live.tokens[0][:-6] + "AAAAAA"
    for what, token in (
        ("no token", ""),
        ("a changed token", broken_token),
        ("an unsigned token", _UNSIGNED),
        ("a text", "x"),
        *live.false_tokens.items(),
    ):
        status = live.post("tools/list", {}, token).status_code
        if status != _UNPROVED:
            yield breach("S20", live.url, f"{what} is answered with {status}")
    told = httpx2.URL(live.url)
    document = live.http.get(told.copy_with(path=f"/.well-known/oauth-protected-resource{told.path}"))
    if document.status_code != _FOUND or document.json().get("resource") != live.url:
        yield breach("S20", live.url, "its metadata names another resource, or there is none")
    for header, value in (("host", "evil.example"), ("origin", "https://evil.example")):
        status = live.post("tools/list", {}, live.tokens[0], **{header: value}).status_code
        if status < _REFUSED:
            yield breach("S22", live.url, f"a request with {header} {value} is answered with {status}")
    asked = {"origin": "https://evil.example", "access-control-request-method": "POST"}
    allowed = live.http.request("OPTIONS", live.url, headers=asked).headers.get("access-control-allow-origin", "")
    if allowed in {"*", "https://evil.example", "null"}:
        yield breach("S22", live.url, "pages of every origin may read what it answers")


def _limits(live: Live) -> Iterator[Breach]:
    large = live.post("tools/list", {"filler": "x" * (_BODY + 1)}, live.tokens[0]).status_code
    if large < _REFUSED:
        yield breach("S41", live.url, f"a body of more than 4 MiB is answered with {large}")
    deep = b'{"jsonrpc":"2.0","id":1,"method":"tools/list","params":' + b'{"a":' * _DEEP + b"1" + b"}" * _DEEP + b"}"
    status = live.send(deep, "tools/list", "", live.tokens[0]).status_code
    if status < _REFUSED:
        yield breach("S41", live.url, f"a body {_DEEP} deep is answered with {status}")


def _pinned(live: Live, tools: Sequence[Wire], pinned: Sequence[Wire]) -> Iterator[Breach]:
    """The same list twice, for another person in another client, a second apart; and as it was read unstarted."""
    time.sleep(live.pause_s)
    if _shown(live.listed(1, "second")) != _shown(tools):
        yield breach("S15", "tools", "another client is shown other definitions")
    known = {str(tool["name"]): tool for tool in tools}
    for tool in pinned:
        live_one = known.get(str(tool["name"]))
        if live_one is not None and _shown([live_one]) != _shown([tool]):
            yield breach("S15", f"tools.{tool['name']}", "the running server shows another definition")


def _shown(tools: Sequence[Wire]) -> str:
    members = ("name", "description", "inputSchema", "outputSchema")
    return json.dumps([{key: tool.get(key) or {} for key in members} for tool in tools], sort_keys=True)


def _inputs(live: Live, tool: Wire) -> Iterator[Breach]:
    """Odd inputs: no fault, no hang, no inside told, results as the output schema says."""
    name, schema = str(tool["name"]), cast("Wire", tool["inputSchema"])
    reads = cast("Wire", tool.get("annotations") or {}).get("readOnlyHint") is True
    if name.startswith("approvals_"):
        return
    for arguments in odd_inputs(schema, live.inputs, MARKER, only_wrong=not reads):
        try:
            answer = live.call(name, arguments)
        except httpx2.HTTPError as failed:
            yield breach("S46", f"tools.{name}", f"it does not answer: {type(failed).__name__}")
            return
        if answer.status_code >= _BROKEN:
            yield breach("S46", f"tools.{name}", f"it answers {answer.status_code}")
            return
        fault = _fault(live, tool, answer)
        if fault is not None:
            yield fault
            return


def _fault(live: Live, tool: Wire, answer: httpx2.Response) -> Breach | None:
    where, said = f"tools.{tool['name']}", answer.text
    whole = _read(answer)
    result = cast("Wire", whole.get("result") or {})
    failed = bool(result.get("isError")) or not result
    if len(answer.content) > _ANSWER:
        return breach("S41", where, f"a result has {len(answer.content)} bytes")
    if failed and (MARKER in said or _INSIDE.search(said)):
        return breach("S42", where, "an error repeats what was given, or tells of the inside")
    schema, value = tool.get("outputSchema"), cast("object", result.get("structuredContent"))
    if not failed and schema and value is not None and (place := live.holds(cast("Wire", schema), value)):
        return breach("S46", where, f"its result is not as its schema says, at {place}")
    return None


def _read(answer: httpx2.Response) -> Wire:
    try:
        read: object = answer.json()
    except ValueError:
        return {}
    return cast("Wire", read) if isinstance(read, dict) else {}


def recorded(records: Sequence[Wire]) -> Iterator[Breach]:
    """Whether what is kept of the probe's calls says who, what, with what, and what came of it."""
    facts = [fact for record in records for fact in _facts(record)]
    began = [fact for fact in facts if fact["kind"] == "call-started"]
    if not began or not any(fact["kind"] == "call-finished" for fact in facts):
        yield breach("S40", "record", "the calls of the probe left no record of their beginning and their end")
        return
    for member in ("actor", "server", "tool", "arguments_digest", "reasons"):
        if not all(fact.get(member) for fact in began):
            yield breach("S40", f"record.{member}", "a record of a call does not say it")


def _facts(record: object) -> Iterator[Wire]:
    """The facts in a record, however it is wrapped."""
    if isinstance(record, Mapping):
        form = cast("Wire", record)
        if str(form.get("kind", "")).startswith("call-"):
            yield form
            return
        for each in form.values():
            yield from _facts(each)


def logged(texts: Mapping[str, str], tokens: Sequence[str]) -> Iterator[Breach]:
    """Whether a log holds a token, or what was given as an argument."""
    for name, text in texts.items():
        for number, line in enumerate(text.splitlines(), start=1):
            if MARKER in line or any(token in line for token in tokens):
                yield breach("S39", f"{name}:{number}", "it holds a token, or an argument as it was given")
                break
