"""What only two people, a statement or an address of the probe's own show: S23, S26, S28, S29, S30, over loopback.

Only tools that say they read are called. Each answer says besides which rules could not be looked at, and why: a
server with no argument that is an address asked nothing of the canary. Above: `bootstrap/wire_live`. Not here: doors,
limits and odd inputs (`probe`).
"""

import json
import re
import threading
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final, cast

import httpx2

from pierhead.adapters.live.probe import Live, Wire
from pierhead.core.odd_inputs import odd_inputs
from pierhead.core.standard import Breach
from pierhead.core.standard_rules import breach

WORD: Final = "canary-of-the-first-person"
_STATEMENTS: Final = frozenset({"sql", "query", "statement"})
#: In the names of tools that answer about a statement, also about one that they would refuse.
_JUDGES: Final = frozenset({"explain", "validate", "check", "lint", "format", "parse", "plan"})
_ADDRESSES: Final = frozenset({"url", "uri", "link", "address", "endpoint", "webhook", "callback", "href"})
_HANDLES: Final = frozenset({"handle", "plan_id", "result_id", "result_handle", "job_handle", "state", "session_id"})
#: So many characters of letters and digits hold 128 bits; what is shorter, or counts up, can be guessed.
_RANDOM: Final = re.compile(r"(?=.*[0-9])(?=.*[A-Za-z])[A-Za-z0-9_.~-]{22,}")
_ABSENT: Final = re.compile(r"no such table|does ?n[o']t exist|unknown table|not found", re.IGNORECASE)
"""What an engine says of a table that is not there: it was asked, then."""
_OF_AN_ENGINE: Final = re.compile(
    r"syntax error at or near|unterminated quoted|SQLSTATE|ORA-\d{5}|near \\?\"[^\"]{0,40}\": syntax|unrecognized token"
)
#: What no read can be: a second statement, a write, a file, a program, a wait, a right.
NO_READS: Final = (
    "SELECT 1; SELECT 2",
    "CREATE TEMPORARY TABLE pierhead_probe (a INTEGER)",
    "DELETE FROM pierhead_probe",
    "WITH x AS (DELETE FROM pierhead_probe RETURNING 1) SELECT * FROM x",
    "EXPLAIN ANALYZE DELETE FROM pierhead_probe",
    "COPY (SELECT 1) TO PROGRAM 'true'",
    "SELECT pg_read_file('/etc/hostname')",
    "SELECT pg_sleep(0)",
    "SELECT load_extension('none')",
    "ATTACH DATABASE ':memory:' AS pierhead_probe",
    "PRAGMA user_version = 0",
    "SET ROLE none",
    "SELECT 1 INTO OUTFILE '/dev/null'",
)


@dataclass(slots=True)
class Canary:
    """An address of the probe's own, which sends on whoever asks it. `asked` is the path and headers of each."""

    url: str = ""
    asked: list[tuple[str, Mapping[str, str]]] = field(default_factory=list[tuple[str, Mapping[str, str]]])


@contextmanager
def canary() -> Generator[Canary]:
    """One that listens while the block lasts."""
    known = Canary()

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            known.asked.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
            self.send_response(302)
            self.send_header("location", f"{known.url}/followed")
            self.end_headers()

        do_POST = do_HEAD = do_GET  # noqa: N815 - the names are the library's

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
            """Nothing: what was asked is kept."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    known.url = f"http://127.0.0.1:{server.server_address[1]}"
    # It looks that often whether it shall stop; by itself twice a second, and whoever asked would wait for that.
    listening = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    listening.start()
    try:
        yield known
    finally:
        server.shutdown()
        server.server_close()


def probe_people(live: Live, tools: Sequence[Wire], canary_: Canary) -> tuple[tuple[Breach, ...], Mapping[str, str]]:
    """What breaks, and by rule why it could not be looked at."""
    reading = [tool for tool in tools if cast("Wire", tool.get("annotations") or {}).get("readOnlyHint") is True]
    found = [*_statements(live, reading), *_addresses(live, reading, canary_)]
    for tool in reading:
        found += [*_words(live, tool), *_handles(live, tool, reading)]
    return tuple(dict.fromkeys(found)), _unlooked(reading, canary_)


def _unlooked(reading: Sequence[Wire], canary_: Canary) -> Mapping[str, str]:
    if not reading:
        return dict.fromkeys(("S23", "S26", "S28", "S29", "S30"), "no tool says that it reads")
    return {} if canary_.asked else {"S23": "it asked nothing of the canary: read its code"}


def _statements(live: Live, reading: Sequence[Wire]) -> Iterator[Breach]:
    for tool in reading:
        for name in _taken(tool) & _STATEMENTS:
            if not _is_sql(tool, name):
                continue
            for statement in NO_READS:
                if _runs(live.call(str(tool["name"]), {**_fitting(tool), name: statement})):
                    yield breach("S26", f"tools.{tool['name']}", f"it runs what is no read: {statement.split('(')[0]}")
                    break


def _runs(answer: httpx2.Response) -> bool:
    """Whether a statement came to the engine: it has a result, or the engine misses the table."""
    return _told(answer) is not None or ("pierhead_probe" in answer.text and _ABSENT.search(answer.text) is not None)


def _is_sql(tool: Wire, name: str) -> bool:
    """Whether that argument is a statement to run: it is called so, or the tool speaks of SQL; and not to judge one."""
    if _JUDGES & set(str(tool["name"]).split("_")):
        return False
    return name == "sql" or "SQL" in str(tool.get("description", "")) + json.dumps(_argument(tool, name))


def _addresses(live: Live, reading: Sequence[Wire], canary_: Canary) -> Iterator[Breach]:
    """Addresses of this machine, given as an argument: asked at all, with the caller's token, and followed."""
    for tool in reading:
        for name in sorted(_taken(tool)):
            if name not in _ADDRESSES and _argument(tool, name).get("format") != "uri":
                continue
            before = len(canary_.asked)
            _result(live, tool, {name: f"{canary_.url}/given"}, 0)
            asked = canary_.asked[before:]
            place = f"tools.{tool['name']}.inputSchema.properties.{name}"
            if asked:
                yield breach("S28", place, "it asks any address of its own machine that a caller names")
            if any(path == "/followed" for path, _ in asked):
                yield breach("S28", place, "it follows where it is sent")
            if any(token in value for _, headers in asked for value in headers.values() for token in live.tokens):
                yield breach("S23", place, "the caller's token went to an address of the caller's choice")


def _words(live: Live, tool: Wire) -> Iterator[Breach]:
    """Whether the second person is told what only the first one said; and whether a value reaches a statement."""
    texts = sorted(name for name in _taken(tool) if _is_free_text(_argument(tool, name)))
    for name in texts:
        said = live.call(str(tool["name"]), {**_fitting(tool), name: WORD}).text
        quoted = live.call(str(tool["name"]), {**_fitting(tool), name: "o'brien\""}).text
        other = live.post("tools/call", {"name": tool["name"], "arguments": _fitting(tool)}, live.tokens[1]).text
        if WORD in other:
            yield breach("S30", f"tools.{tool['name']}", "one person's answer holds what another one said")
        if name not in _STATEMENTS and _OF_AN_ENGINE.search(quoted) and not _OF_AN_ENGINE.search(said):
            yield breach("S26", f"tools.{tool['name']}", f"a quotation mark in {name} breaks its statement")


def _handles(live: Live, tool: Wire, reading: Sequence[Wire]) -> Iterator[Breach]:
    """Handles in the first person's answer: not to be guessed, and nothing to the second person."""
    answer = _result(live, tool, {}, 0)
    for name, handle in _named(answer):
        if not _RANDOM.fullmatch(handle):
            yield breach("S29", f"tools.{tool['name']}", f"its {name} can be guessed")
        for other in reading:
            if name in _taken(other) and (told := _result(live, other, {name: handle}, 1)) is not None and told != {}:
                yield breach("S29", f"tools.{other['name']}", f"it takes the {name} of another person")


def _named(value: object) -> Iterator[tuple[str, str]]:
    """The handles in a result, by their names."""
    if isinstance(value, Mapping):
        for name, inner in cast("Mapping[str, object]", value).items():
            if name in _HANDLES and isinstance(inner, str | int) and not isinstance(inner, bool) and inner != "":
                yield name, str(inner)
            else:
                yield from _named(inner)
    elif isinstance(value, list):
        for inner in cast("list[object]", value):
            yield from _named(inner)


def _result(live: Live, tool: Wire, given: Mapping[str, Any], person: int) -> object:
    """What a call gives; None for an error or no answer that can be read."""
    arguments = {**_fitting(tool), **given}
    return _told(live.post("tools/call", {"name": tool["name"], "arguments": arguments}, live.tokens[person]))


def _told(answer: httpx2.Response) -> object:
    try:
        result = cast("Wire", answer.json()).get("result")
    except ValueError:
        return None
    if not isinstance(result, Mapping) or cast("Wire", result).get("isError"):
        return None
    return cast("Wire", result).get("structuredContent") or {}


def _fitting(tool: Wire) -> dict[str, Any]:
    """The arguments that it must be given, as its schema has them."""
    schema = cast("Wire", tool["inputSchema"])
    whole = cast("dict[str, Any]", next(odd_inputs(schema, 1, "", only_wrong=False)))
    return {name: value for name, value in whole.items() if name in cast("Sequence[str]", schema.get("required") or ())}


def _taken(tool: Wire) -> frozenset[str]:
    return frozenset(cast("Wire", cast("Wire", tool["inputSchema"]).get("properties") or {}))


def _argument(tool: Wire, name: str) -> Wire:
    found = cast("Wire", cast("Wire", tool["inputSchema"])["properties"])[name]
    return cast("Wire", found) if isinstance(found, Mapping) else {}


def _is_free_text(schema: Wire) -> bool:
    """Whether any words fit: a text without a list, pattern or form, long enough for the canary's."""
    long = int(cast("int", schema.get("maxLength", len(WORD))))
    return (
        schema.get("type") == "string"
        and not {"enum", "pattern", "format", "const"} & schema.keys()
        and long >= len(WORD)
    )
