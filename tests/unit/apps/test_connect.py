"""`pierhead connect`, through the command line, on files of a home folder made for it."""

import json
import sys
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from pierhead.adapters.client_files.texts import parsed
from pierhead.apps.cli import application
from pierhead.apps.cli.frame import run
from pierhead.bootstrap.plugins import ai_clients
from pierhead.bootstrap.wire_connect import machine
from pierhead.core.ai_client import Connection, Format, Scope
from pierhead.usecases.ai_clients import AI_CLIENTS
from pierhead.usecases.client_snippets import part_of_file, snippets_of

URL = "https://mcp.corp.example/mcp/presto"
PRESTO = Connection("presto", URL)
WITH_FILES = [client.id for client in AI_CLIENTS if client.scopes() and client.id != "visual-studio"]


@dataclass(frozen=True)
class Said:
    code: int
    out: str
    err: str


Run = Callable[..., Said]


@pytest.fixture
def pierhead(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """The command line in a home and a project of its own."""
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(tmp_path / "project")
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("XDG_CONFIG_HOME", "COPILOT_HOME", "CODEX_HOME", "CLAUDE_CONFIG_DIR"):
        monkeypatch.delenv(name, raising=False)

    def told(*arguments: str) -> Said:
        monkeypatch.setattr(sys, "argv", ["pierhead", *arguments])
        code = run(application())
        said = capsys.readouterr()
        return Said(code, said.out, said.err)

    return told


def connect(pierhead: Run, client: str, *more: str) -> Said:
    return pierhead("connect", client, "--url", "https://mcp.corp.example", "--server", "presto", *more)


def file_of(client: str, scope: Scope = Scope.USER) -> Path:
    described = ai_clients()[client]
    place = described.place(scope) or described.place(Scope.PROJECT)
    assert place is not None
    return Path(place.on(machine()))


@pytest.mark.parametrize("client", WITH_FILES)
def test_every_clients_file_is_written_checked_and_left_alone_the_second_time(pierhead: Run, client: str) -> None:
    assert connect(pierhead, client, "--check").code == 8
    first = connect(pierhead, client)
    assert (first.code, first.out) == (0, "")
    written = file_of(client).read_text("utf-8")
    assert URL in written
    assert connect(pierhead, client).err.strip().endswith("names every server already")
    assert file_of(client).read_text("utf-8") == written
    assert connect(pierhead, client, "--check").code == 0
    assert not list(file_of(client).parent.glob("*.bak*")), "an unchanged file needs no backup"


@pytest.mark.parametrize("client", WITH_FILES)
def test_what_is_printed_is_what_is_written(pierhead: Run, client: str) -> None:
    described = ai_clients()[client]
    printed = connect(pierhead, client, "--print")
    assert not file_of(client).exists()
    connect(pierhead, client)
    written = parsed("f", described.format, file_of(client).read_text("utf-8"))
    shown = parsed("f", described.format, printed.out)
    assert dict(shown) == {key: value for key, value in written.items() if key not in described.begin}


@pytest.mark.parametrize("client", [each.id for each in AI_CLIENTS])
def test_every_client_has_something_to_paste(pierhead: Run, client: str) -> None:
    said = connect(pierhead, client, "--print")
    assert said.code == 0
    assert URL in said.out


def test_a_project_has_a_file_of_its_own(pierhead: Run, tmp_path: Path) -> None:
    assert connect(pierhead, "vscode", "--scope", "project").code == 0
    file = tmp_path / "project" / ".vscode" / "mcp.json"
    assert json.loads(file.read_text())["servers"] == {"presto": {"type": "http", "url": URL}}


def test_anothers_entry_is_kept_unless_force_says_otherwise(pierhead: Run) -> None:
    file = file_of("cursor")
    file.parent.mkdir()
    theirs = '{"mcpServers": {"presto": {"command": "theirs"}, "more": {}}}'
    file.write_text(theirs)
    refused = connect(pierhead, "cursor")
    assert (refused.code, file.read_text()) == (5, theirs)
    assert "client-entry-taken" in refused.err
    assert connect(pierhead, "cursor", "--check").code == 5
    assert connect(pierhead, "cursor", "--force").code == 0
    assert json.loads(file.read_text())["mcpServers"] == {"presto": {"url": URL}, "more": {}}
    assert (file.parent / "mcp.json.bak").read_text() == theirs


def test_what_is_no_entry_is_somebody_elses(pierhead: Run) -> None:
    file = file_of("cursor")
    file.parent.mkdir()
    file.write_text('{"mcpServers": {"presto": 3}}')
    assert connect(pierhead, "cursor").code == 5


def test_what_a_person_added_to_our_entry_stays(pierhead: Run) -> None:
    file = file_of("codex")
    file.parent.mkdir()
    text = f'[mcp_servers.presto]\nurl = "{URL}"\ntool_timeout_sec = 5\nenabled_tools = ["a"]\n'
    file.write_text(text)
    assert connect(pierhead, "codex", "--check").code == 0
    assert connect(pierhead, "codex").code == 0
    assert file.read_text() == text


def test_a_broken_file_is_refused_with_its_line_and_left_alone(pierhead: Run) -> None:
    file = file_of("claude-code")
    file.write_text('{\n  "mcpServers": {\n')
    said = connect(pierhead, "claude-code")
    assert said.code == 2
    assert f"{file}, line 3: no key in quotes" in said.err
    assert file.read_text() == '{\n  "mcpServers": {\n'


def test_a_dry_run_shows_the_difference_and_changes_nothing(pierhead: Run) -> None:
    said = connect(pierhead, "goose", "--dry-run")
    assert f"uri: {URL}" in said.out
    assert not file_of("goose").exists()


def test_a_client_without_a_file_is_told_what_to_paste(pierhead: Run) -> None:
    said = connect(pierhead, "claude-desktop")
    assert (said.code, json.loads(said.out)["mcpServers"]["presto"]["command"]) == (0, "npx")
    assert "claude_desktop_config.json" in said.err
    assert connect(pierhead, "claude-desktop", "--check").code == 2


def test_a_client_that_does_not_run_here_says_so(pierhead: Run) -> None:
    said = connect(pierhead, "visual-studio")
    assert said.code == 2
    assert "client-without-file" in said.err


def test_a_scope_that_a_client_has_not_is_refused(pierhead: Run) -> None:
    said = connect(pierhead, "windsurf", "--scope", "project")
    assert (said.code, "--scope user" in said.err) == (2, True)


def test_links_are_printed_or_refused(pierhead: Run) -> None:
    assert connect(pierhead, "vscode", "--deeplink").out.startswith("https://insiders.vscode.dev/redirect/mcp/install?")
    assert connect(pierhead, "zed", "--deeplink").code == 2


def test_one_connection_serves_the_whole_fleet(pierhead: Run) -> None:
    assert pierhead("connect", "cursor", "--url", "https://mcp.corp.example/", "--desk").code == 0
    written = json.loads(file_of("cursor").read_text())
    assert written["mcpServers"] == {"pierhead": {"url": "https://mcp.corp.example/mcp"}}


@pytest.mark.parametrize(
    "arguments",
    [
        ("cursor",),
        ("nobody", "--url", "https://a.example", "--server", "b"),
        ("cursor", "--url", "https://a.example"),
        ("cursor", "--url", "ftp://a.example", "--server", "b"),
        ("cursor", "--url", "https://a.example/path", "--server", "b"),
        ("cursor", "--url", "https://a.example", "--server", "a b"),
        ("cursor", "--url", "https://a.example", "--as", "alice"),
        ("cursor", "--url", "https://a.example", "--token-file", "nowhere"),
    ],
)
def test_what_is_not_said_widens_nothing(pierhead: Run, arguments: tuple[str, ...], tmp_path: Path) -> None:
    said = pierhead("connect", *arguments)
    assert said.code in {2, 7}
    assert [path.name for path in tmp_path.iterdir()] == ["project"]


@pytest.mark.parametrize("client", AI_CLIENTS, ids=lambda client: client.id)
def test_a_snippet_reads_as_its_format(client: object) -> None:
    described = next(each for each in AI_CLIENTS if each is client)
    text = part_of_file(described, [PRESTO, Connection("time", "https://mcp.corp.example/mcp/time")])
    reads = {Format.JSON: json.loads, Format.TOML: tomllib.loads, Format.YAML: yaml.safe_load}
    document = reads[described.format](text)
    for key in described.top:
        document = document[key]
    names = [item["name"] for item in document] if described.is_list else list(document)
    assert names == ["presto", "time"]


def test_a_line_for_a_shell_is_quoted_where_a_shell_would_read_more() -> None:
    odd = Connection("a", "https://mcp.corp.example/mcp/a;b")
    assert snippets_of(ai_clients()["codex"], [odd]).commands == (
        "codex mcp add a --url 'https://mcp.corp.example/mcp/a;b'",
    )
