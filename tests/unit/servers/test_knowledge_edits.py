"""Edits that are proposed through a knowledge server: branches of a real checkout, patches in a folder."""

import json
import os
import subprocess
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.unit.servers.test_knowledge import eventually, refused, structured

from pierhead.core.errors import Misconfigured
from pierhead.sdk.testing import Running, platform
from pierhead.servers.knowledge import build
from pierhead.testing import approve_with

pytestmark = pytest.mark.anyio

BEFORE = "# Late data\n\nLook at the first task.\nThen wait.\n"
PATCH = """--- a/anything.md
+++ b/anything.md
@@ -1,4 +1,4 @@
 # Late data

 Look at the first task.
-Then wait.
+Then clear it.
"""


def git(folder: Path, *words: str) -> str:
    environment = {"PATH": os.defpath, "HOME": str(folder)}
    command = ["git", "-c", "user.name=ann", "-c", "user.email=ann@x", "-C", str(folder), *words]
    return subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A repository whose documents lie in a folder of it."""
    documents = tmp_path / "repository" / "docs"
    documents.mkdir(parents=True)
    (documents / "late data.md").write_text(BEFORE)
    (documents / "page.pdf").write_bytes(b"%PDF")
    git(tmp_path / "repository", "init", "-q", "-b", "main")
    git(tmp_path / "repository", "add", ".")
    git(tmp_path / "repository", "commit", "-qm", "begin")
    return documents


def entry(folder: Path, **more: object) -> Mapping[str, object]:
    source = {"folder": str(folder), "readers": ["everyone"], **more}
    return {"kind": "knowledge", "owner": "docs", "support": "#docs", "sources": {"docs": source}, "refresh_s": 1}


@asynccontextmanager
async def running(folder: Path, **more: object) -> AsyncIterator[tuple[Running, Any]]:
    server = build("knowledge", entry(folder, **more))
    async with (
        platform(server, access="everyone", approvals=approve_with("approve")) as up,
        up.client("ann", groups=[]) as client,
    ):

        async def is_read() -> bool:
            told = await structured(client, "knowledge_list_sources")
            return all(source["refreshed"] for source in told["data"]["sources"])

        await eventually(is_read)
        yield up, client


async def test_an_edit_becomes_a_branch_and_the_work_tree_stays(checkout: Path) -> None:
    async with running(checkout, edits="branch") as (up, client):
        told = await structured(
            client, "knowledge_propose_edit", doc_id="docs/late data.md", patch=PATCH, reason="waiting does not help"
        )
    branch = told["data"]["place"]
    assert told["data"]["is_new"]
    assert git(checkout, "show", f"{branch}:docs/late data.md") == BEFORE.replace("Then wait.", "Then clear it.")
    assert git(checkout, "log", "-1", "--format=%an|%cn|%s|%b", branch).startswith(
        "ann|Pierhead|Edit late data.md|waiting"
    )
    assert git(checkout, "rev-parse", f"{branch}~1").strip() == told["data"]["base"]
    assert (checkout / "late data.md").read_text() == BEFORE
    assert git(checkout, "status", "--porcelain") == ""
    assert "call-started" in up.audit.kinds()


async def test_the_same_patch_is_the_same_change(checkout: Path) -> None:
    async with running(checkout, edits="branch") as (_, client):
        first = await structured(client, "knowledge_propose_edit", doc_id="docs/late data.md", patch=PATCH)
        other_head = PATCH.replace("anything", "else").replace("\n", "\r\n")
        again = await structured(client, "knowledge_propose_edit", doc_id="docs/late data.md", patch=other_head)
    assert again["data"] == {**first["data"], "is_new": False}
    assert len(git(checkout, "branch", "--list", "pierhead/*").splitlines()) == 1


async def test_a_patch_becomes_a_file_where_there_is_no_checkout(tmp_path: Path) -> None:
    folder, edits = tmp_path / "docs", tmp_path / "edits"
    folder.mkdir()
    edits.mkdir()
    (folder / "late.md").write_text(BEFORE)
    async with running(folder, edits="folder", edits_folder=str(edits)) as (_, client):
        first = await structured(client, "knowledge_propose_edit", doc_id="docs/late.md", patch=PATCH, reason="r")
        again = await structured(client, "knowledge_propose_edit", doc_id="docs/late.md", patch=PATCH)
        assert "bad-patch" in await refused(
            client, "knowledge_propose_edit", doc_id="docs/late.md", patch=PATCH.replace("first", "last")
        )
    assert (first["data"]["is_new"], again["data"]["is_new"]) == (True, False)
    change = first["data"]["change"]
    assert sorted(file.name for file in edits.iterdir()) == [f"{change}.json", f"{change}.patch"]
    assert json.loads((edits / f"{change}.json").read_text())["by"] == "ann"
    git(folder, "apply", str(edits / f"{change}.patch"))
    assert "Then clear it." in (folder / "late.md").read_text()


@pytest.mark.parametrize(
    "patch",
    ["Then clear it.", PATCH.replace("Then wait.", "Then hope."), PATCH + "diff --git a/x b/x\n",
     "@@ -1,1 +1,1 @@\n # Late data\n", "@@ -0,0 +1,1 @@\n+new\n--- a/other.md\n+++ b/other.md\n@@ -0,0 +1,1 @@\n+x\n"],
)  # fmt: skip
async def test_a_patch_that_does_not_fit_this_document_changes_nothing(checkout: Path, patch: str) -> None:
    async with running(checkout, edits="branch") as (_, client):
        told = await refused(client, "knowledge_propose_edit", doc_id="docs/late data.md", patch=patch)
    assert "bad-patch" in told
    assert git(checkout, "branch", "--list", "pierhead/*") == ""


async def test_a_source_takes_edits_only_where_its_owner_says_so(checkout: Path) -> None:
    async with running(checkout) as (_, client):
        assert "knowledge_propose_edit" not in [tool.name for tool in (await client.list_tools()).tools]
    async with running(checkout, edits="branch") as (_, client):
        told = await refused(client, "knowledge_propose_edit", doc_id="docs/absent.md", patch=PATCH)
        assert "no-such-document" in told


@pytest.mark.parametrize("more", [{"edits": "folder"}, {"edits_folder": "."}, {"edits": "branch"}])
def test_settings_of_edits_that_make_no_sense_are_refused(tmp_path: Path, more: Mapping[str, object]) -> None:
    with pytest.raises(Misconfigured, match="edits"):
        build("knowledge", entry(tmp_path, **more))


def test_all_six_tools_are_small_together(checkout: Path) -> None:
    tools = build("knowledge", entry(checkout, edits="branch")).manifest()
    assert len(tools) == 6
    assert (
        sum(len(json.dumps([tool.description, tool.input_schema, tool.output_schema])) // 4 for tool in tools) <= 4_500
    )
