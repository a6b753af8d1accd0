"""A packet by REST, by the shell and on the review's page: handed in, shown part by part, and kept as files."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
import pytest
from tests.packets import FAILING, PASSING, SBOM, SCAN, Signer
from tests.shells import Shell
from tests.unit.samples import TOOL_FORM
from tests.visiting import Visit, kept, words_of
from tests.web_registry import SPARK_REVIEW, WAREHOUSE_REVIEW, handed_in
from tests.web_site import NOW, PUBLIC_URL

from pierhead.adapters.packet_keys import PinnedKeys
from pierhead.core.errors import Misconfigured
from pierhead.core.packet import PartKind
from pierhead.usecases.grant_tokens import Grant, issue
from pierhead.usecases.wire_forms import manifest_from_form

REVIEW = f"/reviews/{WAREHOUSE_REVIEW}"
CLOCK = {"kind": "http", "url": "https://clock.example/mcp", "owner": "web", "support": "#web", "access": "everyone"}
MANIFEST = {"version": "1", "description": "", "tools": [TOOL_FORM]}
PACKET = "/api/v1/servers/clock/versions/1/packet"


def put(visit: Visit, **parts: bytes) -> None:
    """What the warehouse's submitter handed in before its review was opened."""
    catalogue = kept(visit)
    packet = {PartKind(name): content for name, content in parts.items()}
    review = catalogue.kept_reviews[WAREHOUSE_REVIEW]
    catalogue.kept_reviews[WAREHOUSE_REVIEW] = handed_in(catalogue, review, packet, NOW - 60)


def pin(visit: Visit, **keys: bytes) -> None:
    object.__setattr__(visit.world.site.registry, "signatures", PinnedKeys.read(keys))


@pytest.mark.anyio
async def test_a_review_says_of_each_part_that_it_was_not_provided(visit: Visit) -> None:
    await visit.sign_in("carol")
    page = await visit.text(f"/reviews/{SPARK_REVIEW}")
    for head in ("Tests", "Evaluations", "Bill of materials", "Signature", "Scan"):
        assert f"{head} Not provided" in page
    assert "Hosts that it sends data to No host is declared." in page
    assert "Hosts that it sends data to s3.example" in await visit.text(REVIEW)


@pytest.mark.anyio
async def test_a_review_shows_what_each_part_says(visit: Visit) -> None:
    await visit.sign_in("carol")
    signer = Signer()
    bound = kept(visit).kept_reviews[WAREHOUSE_REVIEW].binding
    put(visit, tests=PASSING, evals=FAILING, sbom=SBOM, scan=SCAN, signature=signer.envelope(bound.tools_digest))
    pin(visit, web=signer.pem)
    page = await visit.text(REVIEW)

    assert "Tests Passes 3 cases: 2 passed, 0 failed, 1 skipped." in page
    assert "Evaluations Does not pass 3 cases: 1 passed, 1 failed, 1 skipped." in page
    assert "Bill of materials Readable 3 components of clock 1.2.3 , CycloneDX 1.6." in page
    assert "Scan Found errors semgrep, grype : 1 error, 1 warning, 1 note." in page
    assert "Signature Verified Verified by the key web , over the tools." in page
    assert "Not provided" not in page
    view = await visit.json(REVIEW)
    assert view["packet"]["packet"]["signed"]["key"] == "web"


@pytest.mark.anyio
async def test_a_signature_that_nobody_pinned_is_not_verified_and_says_why(visit: Visit) -> None:
    await visit.sign_in("carol")
    put(visit, signature=Signer().envelope("0" * 64))
    assert "Not verified: no key is pinned here." in await visit.text(REVIEW)
    signer = Signer()
    put(visit, signature=signer.envelope("0" * 64))
    pin(visit, web=signer.pem)
    page = await visit.text(REVIEW)
    assert "Not verified: it is over something else than this version. It was made by the key web ." in page


@pytest.mark.anyio
async def test_a_clean_scan_and_one_with_warnings_are_told_apart(visit: Visit) -> None:
    await visit.sign_in("carol")
    run: dict[str, Any] = {"tool": {"driver": {"name": "<b>grype</b>"}}}
    put(visit, scan=json.dumps({"version": "2.1.0", "runs": [run]}).encode())
    page = (await visit.http.get(REVIEW)).text
    assert "<b>grype" not in page
    assert "No errors" in words_of(page)


@pytest.mark.anyio
async def test_tokens_stand_beside_those_of_the_version_that_clients_get(visit: Visit) -> None:
    await visit.sign_in("carol")
    view, page = await visit.json(REVIEW), await visit.text(REVIEW)
    assert set(view["packet"]["tokens_before"]) == {"describe_table", "list_tables", "run_query"}
    assert "All of them" in page
    assert "export_table" in page.partition("Tokens of each tool")[0] or "export_table" in page


@pytest.mark.anyio
async def test_a_part_that_was_replaced_after_the_review_was_opened_is_pointed_out(visit: Visit) -> None:
    await visit.sign_in("carol")
    put(visit, tests=PASSING)
    assert "was replaced after this review" not in await visit.text(REVIEW)
    (key, part), *_ = [(each, found) for each, (found, _) in kept(visit).kept_parts.items()]
    kept(visit).kept_parts[key] = (replace(part, digest="e" * 64), FAILING)
    assert "Changed. A part was replaced after this review was opened." in await visit.text(REVIEW)


@pytest.mark.anyio
async def test_a_part_is_a_file_to_keep_and_never_a_page(visit: Visit) -> None:
    await visit.sign_in("carol")
    put(visit, tests=b"<testsuite><!--<script>alert(1)</script>--></testsuite>")
    answer = await visit.http.get(f"{REVIEW}/packet/tests")
    assert answer.content.startswith(b"<testsuite>")
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"] == 'attachment; filename="warehouse-1.5.0-tests.xml"'
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    for path in ("scan", "passwd", "..%2ftests"):
        assert (await visit.http.get(f"{REVIEW}/packet/{path}")).status_code == 404
    assert (await visit.http.get("/reviews/none/packet/tests")).status_code == 404


@pytest.mark.anyio
async def test_a_name_of_a_file_holds_nothing_of_a_strangers_version(visit: Visit) -> None:
    await visit.sign_in("carol")
    put(visit, tests=PASSING)
    catalogue = kept(visit)
    version = catalogue.kept_versions.pop(("warehouse", "1.5.0"))
    catalogue.kept_versions["warehouse", "x"] = replace(version, version='1"\r\nx-evil: 1/☕')
    answer = await visit.http.get(f"{REVIEW}/packet/tests")
    assert answer.headers["content-disposition"] == 'attachment; filename="warehouse-1___x-evil__1__-tests.xml"'


@pytest.mark.anyio
async def test_the_files_are_for_owners_reviewers_and_auditors(visit: Visit) -> None:
    put(visit, scan=SCAN)
    assert (await visit.http.get(f"{REVIEW}/packet/scan")).headers["location"].startswith("/sign-in")
    answers: dict[str, int] = {}
    for person in ("bob", "alice", "carol", "frank"):
        await visit.sign_in(person)
        answers[person] = (await visit.http.get(f"{REVIEW}/packet/scan")).status_code
    assert answers == {"bob": 404, "alice": 404, "carol": 200, "frank": 200}


@pytest.mark.anyio
async def test_a_yes_on_the_page_needs_a_sign_in_of_just_now_and_a_no_does_not(visit: Visit) -> None:
    await visit.sign_in("carol")
    visit.world.clock.seconds += 3600
    fields = {"gate": "security", "reason": "read it"}
    asked = await visit.send(REVIEW, f"{REVIEW}/decisions", verdict="approve", **fields)
    assert asked.headers["location"] == f"/sign-in?fresh=1&next={REVIEW.replace('/', '%2F')}"
    assert len(kept(visit).kept_reviews[WAREHOUSE_REVIEW].sign_offs) == 1
    await visit.send(REVIEW, f"{REVIEW}/decisions", verdict="request-changes", **fields)
    assert kept(visit).kept_reviews[WAREHOUSE_REVIEW].sign_offs[-1].auth == "an older sign-in"
    await visit.sign_in("carol")
    await visit.send(REVIEW, f"{REVIEW}/decisions", verdict="approve", **fields)
    assert kept(visit).kept_reviews[WAREHOUSE_REVIEW].sign_offs[-1].auth == "sign-in 0 s old"
    assert "Proved by: sign-in 0 s old." in await visit.text(REVIEW)


# -- by REST


async def ask(visit: Visit, person: str, method: str, path: str, content: bytes | object = b"") -> httpx2.Response:
    token, _ = await issue(Grant(person, f"{PUBLIC_URL}/api/v1", "p", "f", 600), visit.world.site.tokens)
    headers = {"authorization": f"Bearer {token}"}
    if isinstance(content, bytes):
        return await visit.http.request(method, path, content=content, headers=headers)
    return await visit.http.request(method, path, json=content, headers=headers)


async def clock(visit: Visit) -> None:
    await ask(visit, "bob", "POST", "/api/v1/servers", {"name": "clock", "entry": CLOCK})
    await ask(visit, "bob", "POST", "/api/v1/servers/clock/versions", {"manifest": MANIFEST})


@pytest.mark.anyio
async def test_by_rest_parts_are_handed_in_read_and_kept_as_files(visit: Visit) -> None:
    await clock(visit)
    kept_part = await ask(visit, "bob", "PUT", f"{PACKET}/tests", PASSING)
    assert kept_part.json()["told"] == {"cases": 3, "failed": 0, "skipped": 1}
    packet = (await ask(visit, "carol", "GET", PACKET)).json()
    assert [name for name, part in packet["parts"].items() if part] == ["tests"]
    assert packet["signature"] is None
    file = await ask(visit, "bob", "GET", f"{PACKET}/tests")
    assert (file.content, file.headers["content-type"]) == (PASSING, "application/octet-stream")
    assert file.headers["content-disposition"] == 'attachment; filename="clock-1-tests.xml"'
    assert file.headers["x-content-type-options"] == "nosniff"
    signer = Signer()
    await ask(visit, "bob", "PUT", f"{PACKET}/signature", signer.envelope("0" * 64))
    told = (await ask(visit, "bob", "GET", PACKET)).json()["signature"]
    assert told == {"verified": False, "key": "", "over": [], "why_not": "no key is pinned here"}


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("person", "part", "content", "status", "code"),
    [
        ("bob", "tests", b"x", 400, "unreadable-part"),
        ("bob", "tests", b" " * (2 * 2**20 + 1), 400, "part-too-large"),
        ("bob", "signature", b" " * (64 * 2**10 + 1), 400, "part-too-large"),
        ("bob", "readme", b"x", 404, "not-found"),
        ("carol", "tests", PASSING, 403, "not-yours"),
        ("alice", "tests", PASSING, 404, "not-found"),
    ],
)
async def test_by_rest_what_is_refused_says_why(
    visit: Visit, person: str, part: str, content: bytes, status: int, code: str
) -> None:
    await clock(visit)
    answer = await ask(visit, person, "PUT", f"{PACKET}/{part}", content)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


# -- by the shell


@pytest.fixture
def published(shell: Shell) -> Shell:
    """A shell at a site whose clock has told its definitions."""
    shell.write(
        "catalog/clock.yaml",
        {
            "servers": {
                "clock": CLOCK
                | {"owner": "ads", "tools": {"now": {"policy": "everyone", "effect": "read", "minutes_saved": 1}}}
            }
        },
    )
    shell.done("bob", "server", "register", "catalog/clock.yaml")
    form = {**MANIFEST, "instructions": "", "upstream": "http://127.0.0.1:9001/mcp"}
    shell.world.site.registry.manifests.live["clock"] = manifest_from_form(form)  # type: ignore[attr-defined]
    return shell


def put_files(folder: Path, **files: bytes) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name.replace("__", ".")).write_bytes(content)
    return folder


def parts_of(shell: Shell) -> list[str]:
    catalogue: Any = shell.world.site.registry.catalogue
    return sorted(kind for (_, kind), (part, _) in catalogue.kept_parts.items() if part.server == "clock")


def test_the_shell_publishes_with_a_folder_and_hands_in_nothing_twice(published: Shell) -> None:
    folder = put_files(published.folder / "packet", tests__xml=PASSING, sbom__cdx__json=SBOM)
    (folder / ".DS_Store").write_bytes(b"")
    published.done("bob", "server", "publish", "clock", "--packet", str(folder), "--submit")
    assert parts_of(published) == ["sbom", "tests"]
    published.done("bob", "server", "publish", "clock", "--packet", str(folder), "--submit")
    put_files(folder, tests__xml=FAILING)
    closed = published.run("bob", "server", "publish", "clock", "--packet", str(folder))
    assert closed.code == 5
    assert "withdraw it" in closed.error["hint"]


def test_the_shell_takes_single_files_before_those_of_the_folder(published: Shell) -> None:
    folder = put_files(published.folder / "packet", tests__xml=FAILING, evals__xml=PASSING)
    named = put_files(published.folder, mine__xml=PASSING) / "mine.xml"
    published.done("bob", "server", "publish", "clock", "--packet", str(folder), "--tests", str(named))
    catalogue: Any = published.world.site.registry.catalogue
    parts = [part for part, _ in catalogue.kept_parts.values() if part.server == "clock"]
    told = {str(part.kind): part.told.failed for part in parts}
    assert told == {"tests": 0, "evals": 0}


def test_a_folder_of_servers_has_a_folder_of_packets(published: Shell) -> None:
    put_files(published.folder / "packets" / "clock", scan__sarif=SCAN)
    published.done("bob", "server", "publish", "-f", "catalog", "--packet", "packets", "--wait", "0")
    assert parts_of(published) == ["scan"]


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (("clock", "--packet", "nowhere"), "it holds tests.xml"),
        (("clock", "--packet", "odd"), "did you mean tests.xml?"),
        (("clock", "--packet", "strange"), "a packet holds tests.xml"),
        (("clock", "--tests", "gone.xml"), "name one that is there"),
        (("clock", "--signature", "big.json"), "hand in a shorter one"),
        (("-f", "catalog", "--tests", "big.json"), "with a folder for each server"),
    ],
)
def test_the_shell_says_what_of_a_packet_it_does_not_take(published: Shell, words: tuple[str, ...], hint: str) -> None:
    put_files(published.folder / "odd", test__xml=PASSING)
    put_files(published.folder / "strange", README=b"")
    put_files(published.folder, big__json=b" " * (64 * 2**10 + 1))
    refused = published.run("bob", "server", "publish", *words)
    assert refused.code == 2
    assert hint in refused.error["hint"]


@pytest.mark.parametrize("text", [b"", b"-----BEGIN PUBLIC KEY-----\nAA==\n-----END PUBLIC KEY-----\n"])
def test_a_key_that_is_none_starts_nothing(text: bytes) -> None:
    with pytest.raises(Misconfigured) as wrong:
        PinnedKeys.read({"web": text})
    assert "review.keys: web" in wrong.value.message
