"""Where a client's file stands, on each system, and how links carry an entry."""

import base64
import json
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from pierhead.core.ai_client import Connection, Machine, Place, Scope, System, percent_encoded
from pierhead.usecases.ai_clients import AI_CLIENTS

PRESTO = Connection("presto", "https://mcp.corp.example/mcp/presto", "com.example/presto")
BY_ID = {client.id: client for client in AI_CLIENTS}
LINUX = Machine(System.LINUX, "/src/shop", {"HOME": "/people/ann"})
MACOS = Machine(System.MACOS, "/src/shop", {"HOME": "/persons/ann"})
WINDOWS = Machine(System.WINDOWS, "D:\\src\\shop", {"USERPROFILE": "C:\\Users\\user", "APPDATA": "C:\\Roaming"})


def path(client: str, scope: Scope, machine: Machine) -> str:
    place = BY_ID[client].place(scope)
    assert place is not None
    return place.on(machine)


@pytest.mark.parametrize(
    ("client", "machine", "expected"),
    [
        ("vscode", LINUX, "/people/ann/.config/Code/User/mcp.json"),
        ("vscode", MACOS, "/persons/ann/Library/Application Support/Code/User/mcp.json"),
        ("vscode", WINDOWS, "C:\\Roaming\\Code\\User\\mcp.json"),
        ("cursor", WINDOWS, "C:\\Users\\user\\.cursor\\mcp.json"),
        ("claude-code", LINUX, "/people/ann/.claude.json"),
        ("codex", MACOS, "/persons/ann/.codex/config.toml"),
        ("gemini", LINUX, "/people/ann/.gemini/settings.json"),
        ("zed", LINUX, "/people/ann/.config/zed/settings.json"),
        ("windsurf", LINUX, "/people/ann/.codeium/windsurf/mcp_config.json"),
        ("goose", LINUX, "/people/ann/.config/goose/config.yaml"),
        ("copilot-cli", LINUX, "/people/ann/.copilot/mcp-config.json"),
        ("jetbrains-copilot", WINDOWS, "C:\\Users\\user\\AppData\\Local\\github-copilot\\intellij\\mcp.json"),
        ("visual-studio", LINUX, ""),
        ("visual-studio", WINDOWS, "C:\\Users\\user\\.mcp.json"),
    ],
)
def test_a_clients_own_file_stands_where_its_system_has_it(client: str, machine: Machine, expected: str) -> None:
    assert path(client, Scope.USER, machine) == expected


def test_a_projects_file_stands_in_the_project() -> None:
    assert path("vscode", Scope.PROJECT, LINUX) == "/src/shop/.vscode/mcp.json"
    assert path("claude-code", Scope.PROJECT, WINDOWS) == "D:\\src\\shop\\.mcp.json"


@pytest.mark.parametrize(("value", "expected"), [("/elsewhere/", "/elsewhere/mcp-config.json"), ("relative", None)])
def test_a_variable_moves_a_file_only_if_it_holds_an_absolute_path(value: str, expected: str | None) -> None:
    moved = Machine(System.LINUX, "/src/shop", {"HOME": "/people/ann", "COPILOT_HOME": value})
    assert path("copilot-cli", Scope.USER, moved) == (expected or "/people/ann/.copilot/mcp-config.json")


def test_a_place_outside_the_project_is_left_as_it_is() -> None:
    assert Place.everywhere("/etc/tool/mcp.json").on(LINUX) == "/etc/tool/mcp.json"


def test_every_client_has_an_id_of_its_own_and_a_way_in() -> None:
    assert len(BY_ID) == len(AI_CLIENTS) == 24
    assert all(client.scopes() or client.note for client in AI_CLIENTS)


def test_every_entry_names_the_address_and_no_secret() -> None:
    for client in AI_CLIENTS:
        text = json.dumps(client.entry_of(PRESTO))
        assert PRESTO.url in text, client.id
        assert not any(word in text.lower() for word in ("token", "bearer", "authorization", "secret")), client.id
        assert "{url}" not in text


def test_vs_codes_links_carry_name_and_entry() -> None:
    page, scheme = (link.to(BY_ID["vscode"], PRESTO) for link in BY_ID["vscode"].links)
    query = parse_qs(urlsplit(page).query)
    assert page.startswith("https://insiders.vscode.dev/redirect/mcp/install?")
    assert (query["name"], json.loads(query["config"][0])) == (["presto"], {"type": "http", "url": PRESTO.url})
    assert scheme.startswith("vscode:mcp/install?")
    assert json.loads(unquote(scheme.partition("?")[2])) == {"name": "presto", "type": "http", "url": PRESTO.url}


def test_cursors_link_carries_the_entry_in_base64() -> None:
    (link,) = (link.to(BY_ID["cursor"], PRESTO) for link in BY_ID["cursor"].links)
    query = parse_qs(urlsplit(link).query)
    assert link.startswith("cursor://anysphere.cursor-deeplink/mcp/install?name=presto&")
    assert json.loads(base64.b64decode(query["config"][0])) == {"url": PRESTO.url}


def test_windsurfs_link_names_the_server_as_the_registry_does() -> None:
    (link,) = (link.to(BY_ID["windsurf"], PRESTO) for link in BY_ID["windsurf"].links)
    assert link == "windsurf://windsurf-mcp-registry?serverName=com.example%2Fpresto"
    assert BY_ID["windsurf"].links_to(Connection("presto", PRESTO.url)) == (), "that name is not known"


@pytest.mark.parametrize("text", ["", "a-b_c.~", "a b&c=d?é%\n", "日本"])
def test_what_is_encoded_reads_back(text: str) -> None:
    encoded = percent_encoded(text)
    assert unquote(encoded) == text
    assert not set(encoded) & set(" &=?#'\"<>")
