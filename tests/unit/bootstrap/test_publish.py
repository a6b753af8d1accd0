"""What a project hands in: its bill of materials, its tests, its signature; and what is said where one is missing."""

import json
import stat
import sys
from collections.abc import Iterator
from datetime import date
from importlib.metadata import version
from pathlib import Path

import pytest

from pierhead.adapters.packet_keys import PinnedKeys
from pierhead.adapters.publisher_key import PublisherKey
from pierhead.bootstrap.evidence import bill_of, run_tests
from pierhead.bootstrap.projects import project_in
from pierhead.bootstrap.wire_publish import entry_of, offer_of
from pierhead.core.errors import PierheadError
from pierhead.core.packet import PartKind
from pierhead.core.packet_reading import read_envelope, read_part

DIGEST = "ab" * 32
TODAY = date(2026, 11, 22)
SERVER = """
from pierhead import Server

server = Server("shelf-of-books", owner="o", support="#s", version="1.2.0")


@server.tool(policy="group:staff", effect="read", minutes_saved=1%s)
def look(number: int) -> int:
    '''Look at one of the books.'''
    return number
"""
FLEET = """
servers:
  shelf-of-books:
    kind: python
    code: shelf_code:server
    description: Books
    owner: o
    support: "#s"
    access: {groups: [staff]}
    data_class: internal
"""
EXAMPLES = ', examples=[{"number": 1}, {"number": 2}]'
REPORT = '<testsuites><testsuite name="t" tests="1"><testcase name="a"/></testsuite></testsuites>'


@pytest.fixture(autouse=True)
def own_modules(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr("sys.path", [*sys.path])
    yield
    sys.modules.pop("shelf_code", None)


def project(folder: Path, examples: str = EXAMPLES) -> Path:
    (folder / "pyproject.toml").write_text('[tool.pierhead]\nserver = "shelf_code:server"\n')
    (folder / "shelf_code.py").write_text(SERVER % examples)
    (folder / "requirements.lock").write_text(
        "mcp==2.3.0 --hash=sha256:bb\n# a remark\nuvicorn[standard]==0.54.0 \\\n    --hash=sha256:aa\n"
    )
    (folder / "tests.xml").write_text(REPORT)
    return folder


def refusal(folder: Path) -> str:
    with pytest.raises(PierheadError) as refused:
        offer_of(project_in(folder), None, folder / "tests.xml", TODAY)
    return refused.value.code


def test_everything_is_handed_in_and_the_same_again_is_the_same(tmp_path: Path) -> None:
    first = offer_of(project_in(project(tmp_path)), None, tmp_path / "tests.xml", TODAY)
    before = {kind: path.read_bytes() for kind, path in first.parts.items()}
    again = offer_of(project_in(tmp_path), None, tmp_path / "tests.xml", TODAY)
    assert (first.name, first.manifest["version"]) == ("shelf-of-books", "1.2.0")
    assert (first.key.is_new, again.key.is_new) == (True, False)
    assert before == {kind: path.read_bytes() for kind, path in again.parts.items()}
    assert {*before} == {PartKind.TESTS, PartKind.SBOM, PartKind.SIGNATURE}
    assert all(read_part(kind, content) for kind, content in before.items())


def test_a_tool_without_examples_is_not_published(tmp_path: Path) -> None:
    assert refusal(project(tmp_path, "")) == "no-examples"


def test_what_the_registry_would_refuse_is_refused_at_home(tmp_path: Path) -> None:
    folder = project(tmp_path)
    code = (folder / "shelf_code.py").read_text().replace("one of the books.", "it\u202e.")
    (folder / "shelf_code.py").write_text(code)
    assert refusal(folder) == "hostile-definition"


@pytest.mark.parametrize("text", [None, "[tool", "[tool]\npierhead = 7", '[tool.pierhead]\nserver = "shelf"'])
def test_a_folder_that_is_no_project_says_so(text: str | None, tmp_path: Path) -> None:
    if text is not None:
        (tmp_path / "pyproject.toml").write_text(text)
    assert refusal(tmp_path) == "no-project"


def test_a_fleet_file_says_who_owns_it(tmp_path: Path) -> None:
    (project(tmp_path) / "fleet.yaml").write_text(FLEET)
    entry = entry_of(project_in(tmp_path), "shelf-of-books")
    assert entry_of(project_in(tmp_path), "another") == {}
    assert (entry["owner"], entry["code"]) == ("o", "shelf_code:server")


def test_what_breaks_the_standard_is_not_published(tmp_path: Path) -> None:
    (project(tmp_path) / "fleet.yaml").write_text(FLEET.replace("    data_class: internal\n", ""))
    assert refusal(tmp_path) == "below-standard"


def test_the_signature_holds_by_the_public_half_and_over_that_digest(tmp_path: Path) -> None:
    key = PublisherKey.at(tmp_path / "my.key")
    assert stat.S_IMODE(key.path.stat().st_mode) == 0o600
    envelope = read_envelope(key.envelope(DIGEST))
    assert envelope.statement.subjects == (DIGEST,)
    pinned = PinnedKeys.read({"me": key.public.read_bytes()})
    assert pinned.signer(envelope.message, envelope.signatures) == "me"
    assert PublisherKey.at(key.path).envelope(DIGEST) == key.envelope(DIGEST)
    assert "PRIVATE" not in repr(key)


def test_a_file_that_is_no_key_is_said(tmp_path: Path) -> None:
    (tmp_path / "bad.key").write_text("no key")
    for place in (tmp_path / "bad.key", tmp_path / "nowhere" / "my.key"):
        with pytest.raises(PierheadError) as refused:
            PublisherKey.at(place)
        assert refused.value.code == "bad-key"


UV = """
[[package]]
name = "lunch"
version = "0.1.0"
source = { editable = "." }
[[package]]
name = "mcp"
version = "2.3.0"
source = { registry = "https://packages.example/simple" }
"""


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("uv.lock", UV),
        ("pylock.toml", '[[packages]]\nname = "mcp"\nversion = "2.3.0"\n'),
        ("requirements.txt", "-- \nMCP == 2.3.0 ; python_version > '3'\n"),
    ],
)
def test_a_bill_is_made_of_any_lock_file(name: str, text: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text)
    bill = json.loads(bill_of(tmp_path, "lunch", "0.1.0"))
    ours = f"pkg:pypi/pierhead@{version('pierhead')}"
    assert [each["purl"] for each in bill["components"]] == ["pkg:pypi/mcp@2.3.0", ours]
    assert bill["metadata"]["component"]["name"] == "lunch"
    assert bill_of(tmp_path, "lunch", "0.1.0") == bill_of(tmp_path, "lunch", "0.1.0")


@pytest.mark.parametrize("text", [None, "mcp>=2\n", "-e .\n", "\x00"])
def test_what_locks_nothing_gives_no_bill(text: str | None, tmp_path: Path) -> None:
    if text is not None:
        (tmp_path / "requirements.lock").write_text(text)
    with pytest.raises(PierheadError) as refused:
        bill_of(tmp_path, "lunch", "0.1.0")
    assert refused.value.code == "no-lock"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("test", "said"), [("def test_a(): assert 1 == 2, 'one is not two'", "one is not two"), (None, "has no tests")]
)
def test_tests_that_fail_are_not_handed_in(test: str | None, said: str, tmp_path: Path) -> None:
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    if test is not None:
        (tmp_path / "test_it.py").write_text(test)
    with pytest.raises(PierheadError, match=said) as refused:
        run_tests(tmp_path, tmp_path / "packet" / "tests.xml")
    assert refused.value.code == "tests-failed"
