"""Allow-lists, held against the shapes that the clients' makers publish.

Sources, read on 2026-11-21:
Copilot: docs.github.com, "Configuring an MCP server allowlist for your enterprise".
Claude Code: code.claude.com/docs/en/managed-mcp. Codex: its manual, "Managed configuration", requirements.toml.
Gemini CLI: docs/admin/enterprise-controls.md and docs/tools/mcp-server.md in its package, 0.61.0.
VS Code: build/lib/policies/policyData.jsonc in its repository; how a tool is looked up, on 2026-11-22:
src/vs/workbench/contrib/chat/browser/tools/languageModelToolsService.ts (isToolEligibleForAutoApproval) and
src/vs/workbench/contrib/mcp/common/mcpServer.ts (McpTool.referenceName).
"""

import json
import plistlib
import tomllib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from tests.unit.samples import SERVER, TOOL

from pierhead.apps.gateway.desk import CALL
from pierhead.core.catalog import Effect, Stage
from pierhead.core.errors import Invalid
from pierhead.core.snapshot import Snapshot
from pierhead.usecases.export_policy import DESK_CALL, EXPORTS, Exported, compile_fleet, differences, export

ORIGIN = "https://mcp.corp.example"
DRIFTED = replace(TOOL, name="drop_table", withheld="its description changed")
PRESTO = replace(SERVER, name="presto", tools={"run_query": TOOL, "drop_table": DRIFTED})
NEW = replace(SERVER, name="new", stage=Stage.REGISTERED)
STOPPED = replace(SERVER, name="stopped", stage=Stage.QUARANTINED)
OLD = replace(SERVER, name="old", stage=Stage.DEPRECATED, tools={})
SNAPSHOT = Snapshot(7, {each.name: each for each in (PRESTO, NEW, STOPPED, OLD)}, {})
FLEET = compile_fleet(ORIGIN, SNAPSHOT)
URL = f"{ORIGIN}/mcp/presto"


def files(client: str) -> dict[str, Exported]:
    return {each.name: each for each in export(client, FLEET)}


def read(exported: Exported) -> Mapping[str, Any]:
    document = tomllib.loads(exported.text) if exported.name.endswith(".toml") else json.loads(exported.text)
    assert document == exported.document, "what is compared is what is written"
    return document


def check_entries(entries: object) -> None:
    """Each entry of an allow-list or a deny-list has exactly one of three members."""
    assert isinstance(entries, list)
    for entry in entries:
        assert len(entry) == 1
        ((kind, value),) = entry.items()
        assert kind in {"serverName", "serverUrl", "serverCommand"}
        assert isinstance(value, list if kind == "serverCommand" else str)


def test_only_live_servers_are_offered_and_stopped_ones_are_denied() -> None:
    assert [each.connection.name for each in FLEET.offered] == ["old", "presto"]
    assert [each.name for each in FLEET.stopped] == ["stopped"]


def test_tools_that_are_withheld_are_not_listed() -> None:
    assert FLEET.offered[1].tools == ("run_query",)


def test_copilot_allows_one_prefix_and_denies_what_was_stopped() -> None:
    document = read(files("copilot")["managed-settings.json"])
    assert document.keys() <= {"allowedMcpServers", "deniedMcpServers", "telemetry"}
    check_entries(document["allowedMcpServers"])
    check_entries(document["deniedMcpServers"])
    assert document["allowedMcpServers"] == [{"serverUrl": f"{ORIGIN}/*"}]
    assert document["deniedMcpServers"] == [{"serverUrl": f"{ORIGIN}/mcp/stopped"}]


def test_claude_code_gets_a_fixed_set_and_the_lists_that_filter_it() -> None:
    fixed, settings = (
        read(files("claude-code")["managed-mcp.json"]),
        read(files("claude-code")["managed-settings.json"]),
    )
    assert fixed.keys() == {"mcpServers"}
    assert fixed["mcpServers"]["presto"] == {"type": "http", "url": URL}
    assert settings["allowManagedMcpServersOnly"] is True
    check_entries(settings["allowedMcpServers"])
    check_entries(settings["deniedMcpServers"])
    prefix = settings["allowedMcpServers"][0]["serverUrl"].removesuffix("*")
    assert all(entry["url"].startswith(prefix) for entry in fixed["mcpServers"].values()), "the lists filter the set"


def test_codex_names_each_server_with_its_address() -> None:
    document = read(files("codex")["requirements.toml"])
    assert document == {
        "mcp_servers": {
            "old": {"identity": {"url": f"{ORIGIN}/mcp/old"}},
            "presto": {"identity": {"url": URL}},
        }
    }
    assert "[mcp_servers.presto.identity]" in files("codex")["requirements.toml"].text


def test_gemini_restricts_tools_and_never_trusts() -> None:
    document = read(files("gemini")["gemini-admin.json"])
    allowed = {"url", "type", "trust", "includeTools", "excludeTools"}
    for entry in document["mcpServers"].values():
        assert {"url", "type"} <= entry.keys() <= allowed
        assert (entry["type"], entry["trust"]) == ("http", False)
        assert entry["includeTools"], "an empty list would restrict nothing"
    assert document["mcpServers"]["presto"]["includeTools"] == ["run_query"]
    assert read(files("gemini")["settings.json"]) == {"mcp": {"allowed": ["pierhead", "presto"]}}


def test_gemini_is_given_the_front_desk_whatever_its_user_configured() -> None:
    injected = read(files("gemini")["gemini-admin.json"])["requiredMcpServers"]
    members = {"url", "type", "trust", "description", "authProviderType", "oauth", "targetAudience"}
    members |= {"targetServiceAccount", "headers", "includeTools", "excludeTools", "timeout"}
    for entry in injected.values():
        assert {"url", "type", "trust"} <= entry.keys() <= members
        assert (entry["type"], entry["trust"]) == ("http", False), (
            "what is injected is trusted unless it says otherwise"
        )
    assert {name: entry["url"] for name, entry in injected.items()} == {"pierhead": f"{ORIGIN}/mcp"}


EFFECTS = {"rows.write": Effect.WRITE, "rows_delete": Effect.DESTRUCTIVE}
VSCODE = {
    "McpGalleryServiceUrl": str,
    "ChatMCP": str,
    "ChatToolsAutoApprove": bool,
    "ChatToolsEligibleForAutoApproval": str,
}


def test_vs_code_gets_the_same_policies_on_every_system() -> None:
    exported = files("vscode")
    policies = read(exported["policy.json"])
    assert {name: type(value) for name, value in policies.items()} == VSCODE
    assert policies["ChatMCP"] in {"none", "registry", "all"}
    assert policies["McpGalleryServiceUrl"] == ORIGIN, "without a slash at the end"
    profile = plistlib.loads(exported["vscode.mobileconfig"].text.encode())
    (payload,) = profile["PayloadContent"]
    assert {name: payload[name] for name in VSCODE} == policies
    assert payload["PayloadType"] == "com.microsoft.VSCode"
    registry = exported["vscode.reg"].text
    assert registry.startswith("Windows Registry Editor Version 5.00\r\n")
    assert f'"McpGalleryServiceUrl"="{ORIGIN}"\r\n' in registry
    assert '"ChatToolsAutoApprove"=dword:00000000\r\n' in registry
    assert (
        f'"ChatToolsEligibleForAutoApproval"={json.dumps(policies["ChatToolsEligibleForAutoApproval"])}\r\n' in registry
    )


def test_vs_code_never_approves_by_itself_what_does_not_only_read() -> None:
    acting = [replace(TOOL, name=name, effect=effect) for name, effect in EFFECTS.items()]
    held = replace(TOOL, name="held", effect=Effect.WRITE, withheld="it changed")
    server = replace(SERVER, name="ops", tools={each.name: each for each in (*acting, TOOL, held)})
    fleet = compile_fleet(ORIGIN, Snapshot(7, {"ops": server, "presto": PRESTO}, {}))
    (policy, *_) = export("vscode", fleet)
    said = json.loads(str(policy.document["ChatToolsEligibleForAutoApproval"]))
    assert said == {"call_tool": False, "rows_delete": False, "rows_write": False}


def test_the_front_desk_calls_by_that_name() -> None:
    assert DESK_CALL == CALL


@pytest.mark.parametrize("client", ["cursor", "windsurf", "claude-desktop"])
def test_a_checklist_has_exact_values(client: str) -> None:
    (exported,) = export(client, FLEET)
    assert f"`{ORIGIN}/" in exported.text
    assert all(line.startswith(("# ", "- [ ] ")) for line in exported.text.splitlines() if line)


@pytest.mark.parametrize("client", EXPORTS)
def test_the_same_fleet_is_the_same_file(client: str) -> None:
    assert export(client, FLEET) == export(client, compile_fleet(ORIGIN, SNAPSHOT))


@pytest.mark.parametrize("client", EXPORTS)
def test_an_empty_fleet_is_not_exported_since_an_empty_list_may_allow_all(client: str) -> None:
    with pytest.raises(Invalid, match="no server is live"):
        export(client, compile_fleet(ORIGIN, Snapshot(1, {"new": NEW}, {})))


def test_gemini_gets_no_list_where_no_server_has_tools() -> None:
    with pytest.raises(Invalid, match="no server is live"):
        export("gemini", compile_fleet(ORIGIN, Snapshot(1, {"old": OLD}, {})))


def test_a_client_without_a_list_is_named() -> None:
    with pytest.raises(Invalid, match="'zed' has no allow-list"):
        export("zed", FLEET)


def test_a_file_that_says_the_same_differs_in_nothing() -> None:
    exported = files("claude-code")["managed-settings.json"]
    assert differences(exported, {**exported.document, "telemetry": {"enabled": True}}) == []


def test_what_was_added_by_hand_to_a_fixed_set_is_named() -> None:
    exported = files("claude-code")["managed-mcp.json"]
    changed = {"mcpServers": {"presto": {"type": "http", "url": "https://evil.example"}, "mine": {}}, "more": 1}
    assert differences(exported, changed) == [
        "mcpServers.mine is not ours",
        "mcpServers.old is missing",
        f'mcpServers.presto.url is "https://evil.example", not "{URL}"',
        "more is not ours",
    ]


def test_a_list_that_was_loosened_is_named() -> None:
    exported = files("copilot")["managed-settings.json"]
    (found,) = differences(exported, {**exported.document, "allowedMcpServers": [{"serverUrl": "*"}]})
    assert found.startswith('allowedMcpServers is [{"serverUrl": "*"}], not ')


def test_a_marketplace_has_a_plugin_for_each_live_server_with_its_connection_alone() -> None:
    written = files("marketplace")
    market = read(written[".claude-plugin/marketplace.json"])
    assert [(each["name"], each["source"]) for each in market["plugins"]] == [
        ("old", "./plugins/old"),
        ("presto", "./plugins/presto"),
    ]
    assert read(written["plugins/presto/.mcp.json"]) == {"mcpServers": {"presto": {"type": "http", "url": URL}}}
    about = read(written["plugins/presto/.claude-plugin/plugin.json"])
    assert (about["name"], about["author"]) == ("presto", {"name": PRESTO.owner})
    assert len(written) == 5
