"""The knowledge server: real folders, a real git checkout, a real PDF, called as a client calls it."""

import asyncio
import io
import json
import os
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from pypdf import PdfWriter
from pypdf.generic import DecodedStreamObject, DictionaryObject, NameObject

from pierhead.core.errors import Misconfigured
from pierhead.sdk import Server
from pierhead.sdk.testing import Running, platform
from pierhead.servers.knowledge import build, desk
from pierhead.servers.knowledge.documents import Unreadable, decoded, read_document
from pierhead.servers.knowledge.files import edits_of, files_of
from pierhead.servers.knowledge.keeping import Keeper

pytestmark = pytest.mark.anyio

RUNBOOK = """---
owner: data-platform
tags: [etl]
---
# When ads_etl_v2 fails

Look at the first failed task.

## Clear it

Clear the task once the partition has landed.

```
# this is no heading
airflow tasks clear ads_etl_v2
```

## Escalate

Page the on-call.
"""
INCIDENT = """---
date: 2026-10-03
severity: sev2
fingerprint: 9f2c, 77ab
---
# Late partition of core.users

The nightly job read a partition that was not there.

## Root cause

The upstream export had no sensor.
"""
PAGE = """<html><head><title>Expense &amp; travel</title><style>p {color: red}</style></head>
<body><h1>Expenses</h1><p>Hand in receipts <b>within</b> a month.</p><script>steal()</script>
<h2>Limits</h2><p>40 a day</p><table><tr><th>City</th><td>Oslo</td></tr></table></body></html>"""


def pdf(text: str) -> bytes:
    """A file of one page that says one line."""
    writer = PdfWriter()
    page = writer.add_blank_page(300, 300)
    font = DictionaryObject(
        {NameObject("/Type"): NameObject("/Font"), NameObject("/Subtype"): NameObject("/Type1")}
        | {NameObject("/BaseFont"): NameObject("/Helvetica")}
    )
    page[NameObject("/Resources")] = DictionaryObject(
        {NameObject("/Font"): DictionaryObject({NameObject("/F1"): font})}
    )
    stream = DecodedStreamObject()
    stream.set_data(f"BT /F1 12 Tf 20 200 Td ({text}) Tj ET".encode())
    page[NameObject("/Contents")] = stream
    written = io.BytesIO()
    writer.write(written)
    return written.getvalue()


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    """Three sources: runbooks, past incidents, and a handbook for finance alone."""
    for name, text in (
        ("runbooks/etl.md", RUNBOOK),
        ("runbooks/notes.txt", "The cluster is called heron."),
        ("incidents/2026-10-03.md", INCIDENT),
        ("finance/expenses.html", PAGE),
    ):
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
    (tmp_path / "finance" / "rates.pdf").write_bytes(pdf("The kilometre is worth 30 cents."))
    (tmp_path / "owners.yaml").write_text(
        json.dumps(
            [
                {"things": ["core.*"], "team": "core-data"},
                {"things": ["core.users"], "team": "identity", "on_call": "oncall:identity", "channel": "#identity"},
            ]
        )
    )
    return tmp_path


def settings(folder: Path, **more: object) -> Mapping[str, object]:
    return {
        "kind": "knowledge",
        "owner": "docs",
        "support": "#docs-help",
        "sources": {
            "runbooks": {
                "folder": str(folder / "runbooks"),
                "holds": "runbooks",
                "readers": ["everyone"],
                "url": "https://wiki.example/r/{path}",
            },
            "incidents": {"folder": str(folder / "incidents"), "holds": "incidents", "readers": ["data-eng"]},
            "finance": {"folder": str(folder / "finance"), "readers": ["finance"], "owner": "finance"},
        },
        "ownership": str(folder / "owners.yaml"),
        "refresh_s": 1,
        **more,
    }


@asynccontextmanager
async def running(folder: Path, **more: object) -> AsyncIterator[Running]:
    """The server, once it has read everything."""
    server = build("knowledge", settings(folder, **more))
    async with platform(server, access="everyone") as up:

        async def is_read() -> bool:
            return all(source["refreshed"] for source in await all_sources(up))

        await eventually(is_read)
        yield up


async def all_sources(up: Running) -> list[dict[str, Any]]:
    async with up.client("root", groups=["data-eng", "finance"]) as client:
        return (await structured(client, "knowledge_list_sources"))["data"]["sources"]


async def structured(client: Any, tool: str, **arguments: object) -> dict[str, Any]:
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, result.content
    assert result.structured_content is not None
    return result.structured_content


async def refused(client: Any, tool: str, **arguments: object) -> str:
    result = await client.call_tool(tool, arguments)
    assert result.is_error, result.structured_content
    return str(result.content[0].text)


async def eventually(find: Callable[[], Awaitable[Any]]) -> Any:
    """Ask until the answer is truthy; the test's own time limit ends it."""
    while not (found := await find()):
        await asyncio.wait({asyncio.ensure_future(asyncio.Event().wait())}, timeout=0.02)
    return found


async def test_a_section_is_found_by_words_and_by_a_piece_of_a_name_and_is_cited(folders: Path) -> None:
    async with running(folders) as up, up.client("alice", groups=["data-eng"]) as client:
        by_words = await structured(client, "knowledge_search", query="clearing once partitions land")
        by_piece = await structured(client, "knowledge_search", query="etl_v")
    hit = by_words["data"]["hits"][0]
    assert (hit["doc_id"], hit["section"]) == ("runbooks/etl.md", "clear-it")
    assert hit["heading"] == "When ads_etl_v2 fails > Clear it"
    assert hit["url"] == "https://wiki.example/r/etl.md"
    assert hit["owner"] == "data-platform"
    assert by_words["links"] == [{"title": "When ads_etl_v2 fails", "url": hit["url"]}]
    assert by_piece["data"]["hits"][0]["doc_id"] == "runbooks/etl.md"
    assert by_words["status"] == "ok"
    assert by_words["evidence"]["id"].startswith("ev_")
    assert "missing" not in by_words


@pytest.mark.parametrize("query", ['"', "a OR", "NEAR(x", "*", "body:clear", "clear AND NOT", "-clear", "^x"])
async def test_nothing_that_is_asked_is_an_operator(folders: Path, query: str) -> None:
    async with running(folders) as up, up.client("alice", groups=[]) as client:
        assert (await structured(client, "knowledge_search", query=query))["status"] == "ok"


async def test_a_source_is_there_for_its_readers_alone(folders: Path) -> None:
    async with running(folders) as up:
        async with up.client("bob", groups=["ads"]) as client:
            found = await structured(client, "knowledge_search", query="kilometre receipts partition heron")
            named = await refused(client, "knowledge_search", query="heron", sources=["finance"])
            unknown = await refused(client, "knowledge_search", query="heron", sources=["nothing"])
            hidden = await refused(client, "knowledge_get", doc_id="finance/rates.pdf")
            absent = await refused(client, "knowledge_get", doc_id="finance/none.pdf")
            listed = await structured(client, "knowledge_list_sources")
        async with up.client("fay", groups=["finance"]) as client:
            theirs = await structured(client, "knowledge_search", query="kilometre")
    assert {hit["source"] for hit in found["data"]["hits"]} == {"runbooks"}
    assert named.replace("finance", "nothing") == unknown
    assert hidden.replace("rates", "none") == absent
    assert [source["name"] for source in listed["data"]["sources"]] == ["runbooks"]
    assert theirs["data"]["hits"][0]["section"] == "page-1"


async def test_a_document_is_read_in_slices_that_end_at_letters(folders: Path) -> None:
    (folders / "runbooks" / "long.md").write_text("# Größe\n\n" + "ü" * 400)
    async with running(folders) as up, up.client("alice", groups=[]) as client:
        first = await structured(client, "knowledge_get", doc_id="runbooks/long.md", max_bytes=201)
        rest = await structured(
            client, "knowledge_get", doc_id="runbooks/long.md", offset=first["data"]["next_offset"], max_bytes=12_000
        )
        one = await structured(client, "knowledge_get", doc_id="runbooks/etl.md", section="escalate")
        named = await structured(client, "knowledge_get", doc_id="runbooks/etl.md", section="Escalate")
        wrong = await refused(client, "knowledge_get", doc_id="runbooks/etl.md", section="nowhere")
    assert first["limits"]["why"] == "bytes"
    assert first["data"]["text"] + rest["data"]["text"] == "Größe\n" + "ü" * 400
    assert rest["data"]["next_offset"] is None
    assert "limits" not in rest
    assert one["data"]["text"] == "When ads_etl_v2 fails > Escalate\nPage the on-call."
    assert named["data"]["text"] == one["data"]["text"]
    assert "clear-it" in wrong


@pytest.fixture
def looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """The folders are looked at as often as a test asks; by its settings a server waits a second."""
    monkeypatch.setattr(desk, "Keeper", lambda index, sources, _: Keeper(index, sources, 0.02))


@pytest.mark.usefixtures("looks_often")
async def test_what_changes_in_a_folder_is_found_and_what_goes_is_forgotten(folders: Path) -> None:
    async with running(folders) as up, up.client("alice", groups=[]) as client:

        async def found(query: str) -> list[Any]:
            return (await structured(client, "knowledge_search", query=query))["data"]["hits"]

        (folders / "runbooks" / "new.md").write_text("# Flamingo\n\nA new cluster.")
        assert (await eventually(lambda: found("flamingo")))[0]["title"] == "Flamingo"
        (folders / "runbooks" / "new.md").unlink()

        async def gone() -> bool:
            return not await found("flamingo")

        assert await eventually(gone)


async def test_past_incidents_are_found_by_fingerprint_by_words_and_by_day(folders: Path) -> None:
    async with running(folders) as up:
        async with up.client("alice", groups=["data-eng"]) as client:
            same = await structured(client, "knowledge_find_incidents", fingerprint="77ab")
            other = await structured(client, "knowledge_find_incidents", fingerprint="77")
            words = await structured(client, "knowledge_find_incidents", query="sensor missing upstream")
            future = await structured(client, "knowledge_find_incidents", since="2100-01-01")
            that_day = await structured(client, "knowledge_find_incidents", since="2026-10-03")
            day_after = await structured(client, "knowledge_find_incidents", since="2026-10-04", query="sensor")
            no_day = await refused(client, "knowledge_find_incidents", since="2026-02-30")
        async with up.client("bob", groups=["ads"]) as client:
            hidden = await structured(client, "knowledge_find_incidents", fingerprint="77ab")
    incident = same["data"]["incidents"][0]
    assert (incident["date"], incident["severity"]) == ("2026-10-03", "sev2")
    assert incident["cause"] == "The upstream export had no sensor."
    assert words["data"]["incidents"][0]["doc_id"] == incident["doc_id"]
    assert incident["doc_id"] in [each["doc_id"] for each in that_day["data"]["incidents"]]
    assert incident["doc_id"] not in [each["doc_id"] for each in day_after["data"]["incidents"]]
    assert (other["data"]["incidents"], future["data"]["incidents"], hidden["data"]["incidents"]) == ([], [], [])
    assert "2026-02-30" in no_day


async def test_an_owner_is_named_by_the_surest_entry_and_by_codeowners(folders: Path) -> None:
    (folders / "runbooks" / "CODEOWNERS").write_text("*.md @docs\n/jobs/ @jobs # all of it\netl.md @etl @ops\n")
    async with running(folders) as up, up.client("alice", groups=[]) as client:
        users = await structured(client, "knowledge_find_owner", entity="CORE.users")
        file = await structured(client, "knowledge_find_owner", entity="etl.md")
        below = await structured(client, "knowledge_find_owner", entity="jobs/daily.py")
        tool = await structured(client, "knowledge_find_owner", entity="knowledge_search")
        by_registry = tool["data"]["owners"]
        nobody = await refused(client, "knowledge_find_owner", entity="unheard.of")
        (folders / "owners.yaml").write_text("things: [")
        kept = await structured(client, "knowledge_find_owner", entity="core.users")
    assert by_registry == [
        {"thing": "knowledge", "team": "docs", "on_call": "", "channel": "#docs-help", "told_by": "registry"}
    ]
    assert [owner["team"] for owner in users["data"]["owners"]] == ["identity", "core-data"]
    assert users["data"]["owners"][0]["channel"] == "#identity"
    assert file["data"]["owners"][0]["team"] == "@etl @ops"
    assert below["data"]["owners"][0]["team"] == "@jobs"
    assert "no-such-owner" in nobody
    assert kept["status"] == "partial"
    assert kept["data"]["owners"][0]["team"] == "identity"


@pytest.mark.usefixtures("looks_often")
async def test_a_source_that_goes_away_keeps_what_was_known_and_says_so(folders: Path) -> None:
    async with running(folders) as up, up.client("alice", groups=["data-eng"]) as client:
        (folders / "incidents").rename(folders / "elsewhere")

        async def partial() -> dict[str, Any] | None:
            found = await structured(client, "knowledge_search", query="sensor")
            return found if found["status"] == "partial" else None

        found = await eventually(partial)
        standing = (await structured(client, "knowledge_list_sources"))["data"]["sources"]
    assert found["data"]["hits"][0]["doc_id"] == "incidents/2026-10-03.md"
    assert found["missing"] == ["incidents: the folder cannot be read: incidents is no folder"]
    assert [source["is_stale"] for source in standing] == [False, True]


async def test_what_cannot_be_read_is_named_with_its_reason(folders: Path) -> None:
    (folders / "runbooks" / "broken.pdf").write_bytes(b"%PDF-1.7 not really")
    async with running(folders) as up, up.client("alice", groups=[]) as client:
        source = (await structured(client, "knowledge_list_sources"))["data"]["sources"][0]
        answer = await refused(client, "knowledge_get", doc_id="runbooks/broken.pdf")
    assert source["unread"] == ["broken.pdf: it is no PDF that can be read"]
    assert source["documents"] == 2
    assert "no-such-document" in answer


def _commit(place: Path, monitor: Path) -> None:
    """A checkout with one commit, configured to run `monitor` whenever it is looked at."""
    for words in (
        ("init", "-q"),
        ("config", "core.fsmonitor", str(monitor)),
        ("-c", "core.fsmonitor=false", "add", "etl.md"),
        ("-c", "core.fsmonitor=false", "-c", "user.name=Ann", "-c", "user.email=a@b", "commit", "-qm", "one"),
    ):
        subprocess.run(["git", "-C", str(place), *words], check=True, env={"PATH": os.defpath, "HOME": str(place)})


async def test_a_checkout_tells_who_edited_what_and_runs_nothing_of_its_own(folders: Path) -> None:
    place, marker = folders / "runbooks", folders / "ran"
    monitor = folders / "monitor"
    monitor.write_text(f"#!/bin/sh\ntouch {marker}\n")
    monitor.chmod(0o755)
    _commit(place, monitor)
    async with running(folders) as up, up.client("alice", groups=[]) as client:
        told = (await structured(client, "knowledge_get", doc_id="runbooks/etl.md"))["data"]
        plain = (await structured(client, "knowledge_get", doc_id="runbooks/notes.txt"))["data"]
    assert (told["edited_by"], len(told["version"])) == ("Ann", 40)
    assert (plain["edited_by"], plain["version"]) == ("", "")
    assert not marker.exists()
    assert set(edits_of(place)) == {"etl.md"}


async def test_an_index_outlives_its_process_and_forgets_sources_that_are_gone(folders: Path) -> None:
    async def find(**more: object) -> list[Any]:
        server = build("knowledge", settings(folders, **more))
        server.folder = folders / "kept"
        async with platform(server, access="everyone") as up, up.client("alice", groups=["data-eng"]) as client:

            async def found() -> list[Any]:
                return (await structured(client, "knowledge_search", query="heron sensor"))["data"]["hits"]

            return await eventually(found)

    assert {hit["source"] for hit in await find()} <= {"runbooks", "incidents"}
    (folders / "runbooks" / "notes.txt").unlink()
    only = {"incidents": {"folder": str(folders / "incidents"), "readers": ["data-eng"]}}
    assert [hit["source"] for hit in await find(sources=only)] == ["incidents"]


def test_nothing_outside_a_folder_is_read(folders: Path) -> None:
    secret = folders / "secret.md"
    secret.write_text("# Secret")
    (folders / "runbooks" / "link.md").symlink_to(secret)
    (folders / "runbooks" / "up").symlink_to(folders)
    (folders / "runbooks" / ".hidden.md").write_text("# Hidden")
    (folders / "runbooks" / "program.py").write_text("pass")
    assert [found.path for found in files_of(folders / "runbooks")] == ["etl.md", "notes.txt"]


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("Größe".encode(), "Größe"),
        (b"\xef\xbb\xbfGr\xc3\xb6\xc3\x9fe", "Größe"),
        ("Größe".encode("utf-16"), "Größe"),
        ("Größe".encode("cp1252"), "Größe"),
        (b"\x81", "\ufffd"),
    ],
)
def test_any_encoding_is_read(content: bytes, text: str) -> None:
    assert decoded(content) == text


def test_a_page_is_read_as_its_text_without_its_scripts() -> None:
    document = read_document("x/expenses.html", PAGE.encode())
    assert document.title == "Expense & travel"
    assert [(part.place, part.title, part.text) for part in document.sections] == [
        ("expenses", "Expenses", "Hand in receipts within a month."),
        ("limits", "Limits", "40 a day\n\nCity Oslo"),
    ]


def test_a_heading_in_code_is_none_and_equal_headings_have_places_of_their_own() -> None:
    document = read_document("a.md", b"intro\n\n# A\n\n```\n# B\n```\n\n# A\n\nmore")
    assert [part.place for part in document.sections] == ["start", "a", "a-2"]
    assert document.title == "A"
    assert read_document("b.md", b"---\n: [\n---\ntext").title == "b"
    assert read_document("empty.md", b"").sections == ()


def test_a_broken_pdf_is_unreadable() -> None:
    with pytest.raises(Unreadable, match="no PDF"):
        read_document("a.pdf", b"%PDF-1.7")
    writer = PdfWriter()
    writer.add_blank_page(10, 10)
    writer.encrypt("secret")
    written = io.BytesIO()
    writer.write(written)
    with pytest.raises(Unreadable):
        read_document("a.pdf", written.getvalue())


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"sources": {}}, "sources"),
        ({"sources": {"a": {"folder": "/nowhere/at/all", "readers": ["everyone"]}}}, "no folder"),
        ({"sources": {"a": {"folder": "."}}}, "sources.a.readers"),
        ({"sources": {"a": {"folder": ".", "readers": []}}}, "sources.a.readers"),
        ({"sources": {"a": {"folder": ".", "readers": ["x"], "url": "javascript:{path}"}}}, "https://host"),
        ({"refresh_s": 0}, "refresh_s"),
        ({"colour": "red"}, "colour"),
        ({"ownership": "/nowhere/owners.yaml"}, "owners.yaml"),
    ],
)
def test_settings_that_make_no_sense_are_refused_with_their_place(
    folders: Path, change: Mapping[str, object], fault: str
) -> None:
    with pytest.raises(Misconfigured, match=fault):
        build("knowledge", settings(folders, **change))


def test_the_definitions_are_small(folders: Path) -> None:
    server: Server = build("knowledge", settings(folders))
    told = {
        name: len(json.dumps([tool.name, tool.description, tool.input_schema])) // 4
        for name, tool in ((each.name, each) for each in server.manifest())
    }
    assert max(told.values()) <= 500
    assert sum(told.values()) <= 4_500
    whole = sum(len(json.dumps([t.description, t.input_schema, t.output_schema])) // 4 for t in server.manifest())
    assert whole <= 4_500
