"""The AI clients we know, one value each: the entry point `built-in` of the group `pierhead.clients`.

Another package adds its own by naming a tuple of `AiClient` in that group. What a field means is told in
`core/ai_client`; who reads this table: `pierhead connect`, the page for connecting, the how-to page.
"""

from typing import Final

from pierhead.core.ai_client import AiClient, Coding, Format, Link, Place

BRIDGE: Final = "mcp-remote@0.15.1"
"""The program that speaks stdio to a client and HTTP to us, where a client can do no better. Pinned."""

_URL: Final = {"url": "{url}"}
_TYPED: Final = {"type": "http", "url": "{url}"}
_BRIDGED: Final = {"command": "npx", "args": ["-y", BRIDGE, "{url}"]}
_SERVERS: Final = ("servers",)
_MCP_SERVERS: Final = ("mcpServers",)
_CONFIG: Final = "{XDG_CONFIG_HOME|~/.config}"
_APP_DATA: Final = "{APPDATA|~/AppData/Roaming}"
_LOCAL_APP_DATA: Final = "{LOCALAPPDATA|~/AppData/Local}"
_MAC_APP_DATA: Final = "~/Library/Application Support"
_CODE: Final = Place(f"{_CONFIG}/Code/User", f"{_MAC_APP_DATA}/Code/User", f"{_APP_DATA}/Code/User")
_CLINE: Final = "globalStorage/saoudrizwan.claude-dev/settings/cline_mcp_settings.json"


def _inside(place: Place, path: str) -> Place:
    return Place(f"{place.linux}/{path}", f"{place.macos}/{path}", f"{place.windows}/{path}")


_EDITORS: Final = (
    AiClient(
        id="vscode",
        name="VS Code",
        format=Format.JSON,
        top=_SERVERS,
        entry=_TYPED,
        user=_inside(_CODE, "mcp.json"),
        project=Place.everywhere(".vscode/mcp.json"),
        command='code --add-mcp \'{"name":"{name}","type":"http","url":"{url}"}\'',
        links=(
            Link("https://insiders.vscode.dev/redirect/mcp/install?name={name}&config={config}", Coding.PERCENT),
            Link("vscode:mcp/install?{config}", Coding.PERCENT, has_name=True),
        ),
    ),
    AiClient(
        id="visual-studio",
        name="Visual Studio",
        format=Format.JSON,
        top=_SERVERS,
        entry=_URL,
        user=Place("", "", "~/.mcp.json"),
        project=Place("", "", ".mcp.json"),
    ),
    AiClient(
        id="jetbrains-copilot",
        name="Copilot in JetBrains IDEs",
        format=Format.JSON,
        top=_SERVERS,
        entry=_URL,
        user=Place(
            f"{_CONFIG}/github-copilot/intellij/mcp.json",
            f"{_CONFIG}/github-copilot/intellij/mcp.json",
            f"{_LOCAL_APP_DATA}/github-copilot/intellij/mcp.json",
        ),
    ),
    AiClient(
        id="jetbrains-ai",
        name="JetBrains AI Assistant",
        format=Format.JSON,
        top=_MCP_SERVERS,
        entry=_URL,
        note="Paste it in Settings, Tools, AI Assistant, Model Context Protocol. Its sign-in is not documented.",
    ),
    AiClient(
        id="junie",
        name="Junie",
        format=Format.JSON,
        top=_MCP_SERVERS,
        entry=_BRIDGED,
        user=Place.everywhere("~/.junie/mcp/mcp.json"),
        project=Place.everywhere(".junie/mcp/mcp.json"),
        bridged=True,
    ),
    AiClient(
        id="cursor",
        name="Cursor",
        format=Format.JSON,
        top=_MCP_SERVERS,
        entry=_URL,
        user=Place.everywhere("~/.cursor/mcp.json"),
        project=Place.everywhere(".cursor/mcp.json"),
        links=(Link("cursor://anysphere.cursor-deeplink/mcp/install?name={name}&config={config}", Coding.BASE64),),
    ),
    AiClient(
        id="zed",
        name="Zed",
        format=Format.JSON,
        top=("context_servers",),
        entry=_URL,
        user=Place(f"{_CONFIG}/zed/settings.json", "~/.config/zed/settings.json", f"{_APP_DATA}/Zed/settings.json"),
        project=Place.everywhere(".zed/settings.json"),
        note="Headers in the entry switch its sign-in off.",
    ),
    AiClient(
        id="windsurf",
        name="Windsurf",
        format=Format.JSON,
        top=_MCP_SERVERS,
        entry={"serverUrl": "{url}"},
        user=Place.everywhere("~/.codeium/windsurf/mcp_config.json"),
        links=(Link("windsurf://windsurf-mcp-registry?serverName={full_name}"),),
        note="The link works where the team's registry is this one.",
    ),
    AiClient(
        id="antigravity",
        name="Antigravity",
        format=Format.JSON,
        top=_MCP_SERVERS,
        entry={"serverUrl": "{url}"},
        user=Place.everywhere("~/.gemini/antigravity/mcp_config.json"),
    ),
    AiClient(
        id="cline",
        name="Cline",
        format=Format.JSON,
        top=_MCP_SERVERS,
        entry={"type": "streamableHttp", "url": "{url}"},
        user=_inside(_CODE, _CLINE),
    ),
    AiClient(
        id="continue",
        name="Continue",
        format=Format.YAML,
        top=_MCP_SERVERS,
        entry={"name": "{name}", "type": "streamable-http", "url": "{url}"},
        user=Place.everywhere("~/.continue/config.yaml"),
        is_list=True,
        begin={"name": "Local Config", "version": "1.0.0", "schema": "v1"},
    ),
    AiClient(
        id="kiro",
        name="Kiro",
        format=Format.JSON,
        top=_MCP_SERVERS,
        entry=_URL,
        user=Place.everywhere("~/.kiro/settings/mcp.json"),
        project=Place.everywhere(".kiro/settings/mcp.json"),
    ),
    AiClient(
        id="qoder",
        name="Qoder",
        format=Format.JSON,
        top=_MCP_SERVERS,
        entry=_URL,
        user=Place.everywhere("~/.qoder/mcp.json"),
    ),
)

_TERMINALS: Final = (
    AiClient(
        id="claude-code",
        name="Claude Code",
        format=Format.JSON,
        top=_MCP_SERVERS,
        entry=_TYPED,
        user=Place.everywhere("{CLAUDE_CONFIG_DIR|~}/.claude.json"),
        project=Place.everywhere(".mcp.json"),
        command="claude mcp add --transport http --scope user {name} {url}",
        sign_in="claude mcp login {name}",
    ),
    AiClient(
        id="codex",
        name="Codex",
        format=Format.TOML,
        top=("mcp_servers",),
        entry={"url": "{url}", "tool_timeout_sec": 120},
        user=Place.everywhere("{CODEX_HOME|~/.codex}/config.toml"),
        project=Place.everywhere(".codex/config.toml"),
        preferences=frozenset({"tool_timeout_sec"}),
        command="codex mcp add {name} --url {url}",
        sign_in="codex mcp login {name}",
    ),
    AiClient(
        id="gemini",
        name="Gemini CLI",
        format=Format.JSON,
        top=_MCP_SERVERS,
        entry={"httpUrl": "{url}", "timeout": 120000},
        user=Place.everywhere("~/.gemini/settings.json"),
        project=Place.everywhere(".gemini/settings.json"),
        preferences=frozenset({"timeout"}),
        command="gemini mcp add --transport http --scope user {name} {url}",
        sign_in="/mcp auth {name}",
    ),
    AiClient(
        id="copilot-cli",
        name="Copilot CLI",
        format=Format.JSON,
        top=_MCP_SERVERS,
        entry=_TYPED,
        user=Place.everywhere("{COPILOT_HOME|~/.copilot}/mcp-config.json"),
        project=Place.everywhere(".mcp.json"),
    ),
    AiClient(
        id="opencode",
        name="OpenCode",
        format=Format.JSON,
        top=("mcp",),
        entry={"type": "remote", "url": "{url}"},
        user=Place.everywhere(f"{_CONFIG}/opencode/opencode.json"),
        project=Place.everywhere("opencode.json"),
        sign_in="opencode mcp auth {name}",
    ),
    AiClient(
        id="goose",
        name="Goose",
        format=Format.YAML,
        top=("extensions",),
        entry={
            "name": "{name}",
            "type": "streamable_http",
            "uri": "{url}",
            "enabled": True,
            "timeout": 60,
        },
        user=Place(
            f"{_CONFIG}/goose/config.yaml", "~/.config/goose/config.yaml", f"{_APP_DATA}/Block/goose/config/config.yaml"
        ),
        preferences=frozenset({"enabled", "timeout", "name"}),
    ),
    AiClient(
        id="amp",
        name="Amp",
        format=Format.JSON,
        top=("amp.mcpServers",),
        entry=_URL,
        user=Place.everywhere(f"{_CONFIG}/amp/settings.json"),
        project=Place.everywhere(".amp/settings.json"),
    ),
    AiClient(
        id="factory",
        name="Factory",
        format=Format.JSON,
        top=_MCP_SERVERS,
        entry=_URL,
        user=Place.everywhere("~/.factory/mcp.json"),
        project=Place.everywhere(".factory/mcp.json"),
    ),
    AiClient(
        id="kimi",
        name="Kimi",
        format=Format.JSON,
        top=_MCP_SERVERS,
        entry=_URL,
        user=Place.everywhere("~/.kimi/mcp.json"),
    ),
)

_DESKTOPS: Final = (
    AiClient(
        id="claude-desktop",
        name="Claude Desktop",
        format=Format.JSON,
        top=_MCP_SERVERS,
        entry=_BRIDGED,
        bridged=True,
        note=(
            "Paste it in claude_desktop_config.json (Settings, Developer, Edit Config): an entry with a bare url is "
            "skipped there without a word. A custom connector dials from the vendor's cloud, which must reach us."
        ),
    ),
    AiClient(
        id="lm-studio",
        name="LM Studio",
        format=Format.JSON,
        top=_MCP_SERVERS,
        entry=_URL,
        user=Place.everywhere("~/.lmstudio/mcp.json"),
        links=(Link("lmstudio://add_mcp?name={name}&config={config}", Coding.BASE64),),
    ),
)

AI_CLIENTS: Final = (*_TERMINALS, *_EDITORS, *_DESKTOPS)
