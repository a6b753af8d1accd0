"""Allow-lists for AI clients, compiled from the registry: what an administrator rolls out, file by file.

Each client has its own shape, and its own idea of an empty list: where one would mean "everything", none is written.
They steer clients; what holds is the gateway. Pure. Not here: disk, and which servers are live (`compile_fleet`).
"""

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, cast

from pierhead.core.ai_client import Connection
from pierhead.core.catalog import Effect, Server, Stage
from pierhead.core.errors import Invalid
from pierhead.core.snapshot import Snapshot

MARKETPLACE: Final = "pierhead"
"""What the front desk is called in a client's file, and the marketplace that holds the servers as plugins."""
DESK_CALL: Final = "call_tool"
"""The front desk's tool that calls any other: it may be one that acts."""
_BARE: Final = re.compile(r"[A-Za-z0-9_-]+")
_STOPPED: Final = frozenset({Stage.SUSPENDED, Stage.QUARANTINED})


@dataclass(frozen=True, slots=True)
class Offered:
    """One server that clients may connect to, the tools of it that are offered, and which of them do not only read."""

    connection: Connection
    tools: tuple[str, ...]
    acting: tuple[str, ...]
    description: str
    version: str
    owner: str


@dataclass(frozen=True, slots=True)
class Fleet:
    """What is exported. `stopped` are servers that nobody is to connect to for now, whoever listed them."""

    origin: str
    offered: tuple[Offered, ...]
    stopped: tuple[Connection, ...]

    @property
    def pattern(self) -> str:
        """One prefix for everything behind the gateway."""
        return f"{self.origin}/*"


@dataclass(frozen=True, slots=True)
class Exported:
    """One file to roll out.

    `places` says where to, `document` what it means, for a comparison; a text that is read by people has none.
    `whole`: nothing else may stand in the file.
    """

    name: str
    places: tuple[str, ...]
    text: str
    document: Mapping[str, object] = field(default_factory=dict[str, object], hash=False)
    whole: bool = False


def compile_fleet(origin: str, snapshot: Snapshot) -> Fleet:
    """The servers of that snapshot: those that can be called, and those that were stopped."""
    servers = sorted(snapshot.servers.values(), key=lambda server: server.name)
    return Fleet(
        origin,
        tuple(_offered(origin, each) for each in servers if each.is_callable),
        tuple(_connection(origin, each.name) for each in servers if each.stage in _STOPPED),
    )


def _offered(origin: str, server: Server) -> Offered:
    connection = _connection(origin, server.name)
    shown = [tool for tool in server.tools.values() if not tool.withheld]
    names = tuple(tool.name for tool in shown)
    acting = tuple(tool.name for tool in shown if tool.effect is not Effect.READ)
    return Offered(connection, names, acting, server.description, server.version, server.owner)


def _connection(origin: str, name: str) -> Connection:
    return Connection(name, f"{origin}/mcp/{name}")


def export(client: str, fleet: Fleet) -> tuple[Exported, ...]:
    """The files of that client. Errors: Invalid, for a client without any, and for a fleet without a live server."""
    write = EXPORTS.get(client)
    if write is None:
        raise Invalid(f"client {client!r} has no allow-list", hint=f"those have: {', '.join(EXPORTS)}")
    _refuse_none(fleet.offered)
    return write(fleet)


def _refuse_none(offered: Sequence[Offered]) -> None:
    if not offered:
        message = "no server is live, and to some clients an empty list means that every server is allowed"
        raise Invalid(message, hint="deploy a server first")


def _json(name: str, places: Sequence[str], document: Mapping[str, object], *, whole: bool = False) -> Exported:
    text = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    return Exported(name, tuple(places), text, document, whole=whole)


def _lists(fleet: Fleet) -> dict[str, object]:
    """Deny wins over allow, in every client that knows both."""
    return {
        "allowedMcpServers": [{"serverUrl": fleet.pattern}],
        "deniedMcpServers": [{"serverUrl": each.url} for each in fleet.stopped],
    }


def _copilot(fleet: Fleet) -> tuple[Exported, ...]:
    places = ("managed-settings.json in the organisation's .github-private repository, or by device management",)
    return (_json("managed-settings.json", places, _lists(fleet)),)


_CLAUDE_CODE: Final = (
    "/etc/claude-code/",
    "/Library/Application Support/ClaudeCode/",
    "C:\\Program Files\\ClaudeCode\\",
)


def _claude_code(fleet: Fleet) -> tuple[Exported, ...]:
    """A fixed set, which excludes all else, and the lists that also filter that set."""
    servers = {each.connection.name: {"type": "http", "url": each.connection.url} for each in fleet.offered}
    settings = {**_lists(fleet), "allowManagedMcpServersOnly": True}
    return (
        _json("managed-mcp.json", _CLAUDE_CODE, {"mcpServers": servers}, whole=True),
        _json("managed-settings.json", _CLAUDE_CODE, settings),
    )


def _codex(fleet: Fleet) -> tuple[Exported, ...]:
    """Name and address must both match: one table a server, no prefix."""
    urls = {each.connection.name: each.connection.url for each in fleet.offered}
    tables = [f"[mcp_servers.{_key(name)}.identity]\nurl = {json.dumps(url)}\n" for name, url in urls.items()]
    document = {"mcp_servers": {name: {"identity": {"url": url}} for name, url in urls.items()}}
    places = ("/etc/codex/", "%ProgramData%\\OpenAI\\Codex\\")
    return (Exported("requirements.toml", places, "\n".join(tables), document),)


def _key(name: str) -> str:
    """A key of TOML: quoted where it has to be."""
    return name if _BARE.fullmatch(name) else json.dumps(name)


def _gemini(fleet: Fleet) -> tuple[Exported, ...]:
    """A server without tools is left out: an empty list of tools would restrict nothing.

    Injected is the front desk alone, which costs a model the same however many servers there are. `trust` is said each
    time: of an injected server it is taken for granted otherwise, and then nobody is asked before a tool runs.
    """
    offered = [each for each in fleet.offered if each.tools]
    _refuse_none(offered)
    servers = {
        each.connection.name: {
            "url": each.connection.url,
            "type": "http",
            "trust": False,
            "includeTools": list(each.tools),
        }
        for each in offered
    }
    about = "Finds, describes and calls the tools of every server that you may use"
    desk = {"url": f"{fleet.origin}/mcp", "type": "http", "trust": False, "description": about}
    admin = {"mcpServers": servers, "requiredMcpServers": {MARKETPLACE: desk}}
    names = [MARKETPLACE, *(each.connection.name for each in offered)]
    system = ("/etc/gemini-cli/", "/Library/Application Support/GeminiCli/", "C:\\ProgramData\\gemini-cli\\")
    return (
        _json("gemini-admin.json", ("the admin console, MCP servers",), admin, whole=True),
        _json("settings.json", system, {"mcp": {"allowed": names}}),
    )


def _vscode(fleet: Fleet) -> tuple[Exported, ...]:
    policies: dict[str, object] = {
        "McpGalleryServiceUrl": fleet.origin,
        "ChatMCP": "registry",
        "ChatToolsAutoApprove": False,
        "ChatToolsEligibleForAutoApproval": _never_alone(fleet),
    }
    return (
        _json("policy.json", ("/etc/vscode/",), policies),
        Exported("vscode.reg", ("Windows: regedit /s, or the same values by group policy",), _registry(policies)),
        Exported("vscode.mobileconfig", ("macOS: device management",), _profile(policies)),
    )


def _never_alone(fleet: Fleet) -> str:
    """The tools that a person confirms each time; JSON in a text, as VS Code takes an object on any system.

    It looks a tool of MCP up by its bare name, its dots as `_`, whichever server it is of: a name that only reads on
    one server and acts on another is confirmed on both.
    """
    acting = {name.replace(".", "_") for each in fleet.offered for name in each.acting}
    return json.dumps(dict.fromkeys(sorted({DESK_CALL, *acting}), False))


def _registry(policies: Mapping[str, object]) -> str:
    """A file of the Windows registry, whose lines end as Windows has them."""
    lines = ["Windows Registry Editor Version 5.00", "", "[HKEY_LOCAL_MACHINE\\Software\\Policies\\Microsoft\\VSCode]"]
    for name, value in policies.items():
        told = f"dword:{int(value):08x}" if isinstance(value, bool) else json.dumps(value)
        lines.append(f'"{name}"={told}')
    return "\r\n".join([*lines, "", ""])


def _profile(policies: Mapping[str, object]) -> str:
    """A configuration profile of macOS. Its ids are made of its content, so that the same export is the same file."""
    members = "".join(f"      <key>{name}</key>\n      {_plist(value)}\n" for name, value in policies.items())
    return _PROFILE.format(members=members, inner=_uuid(f"inner {members}"), outer=_uuid(f"outer {members}"))


def _plist(value: object) -> str:
    if isinstance(value, bool):
        return "<true/>" if value else "<false/>"
    escaped = str(value).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return f"<string>{escaped}</string>"


def _uuid(text: str) -> str:
    digits = hashlib.sha256(text.encode()).hexdigest()[:32].upper()
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


_PROFILE: Final = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<dict>
  <key>PayloadContent</key>
  <array>
    <dict>
{members}      <key>PayloadIdentifier</key>
      <string>com.microsoft.VSCode.{inner}</string>
      <key>PayloadType</key>
      <string>com.microsoft.VSCode</string>
      <key>PayloadUUID</key>
      <string>{inner}</string>
      <key>PayloadVersion</key>
      <integer>1</integer>
    </dict>
  </array>
  <key>PayloadDisplayName</key>
  <string>Pierhead: MCP servers in VS Code</string>
  <key>PayloadIdentifier</key>
  <string>pierhead.vscode.{outer}</string>
  <key>PayloadType</key>
  <string>Configuration</string>
  <key>PayloadUUID</key>
  <string>{outer}</string>
  <key>PayloadVersion</key>
  <integer>1</integer>
</dict>
</plist>
"""


_Write = Callable[[Fleet], tuple[Exported, ...]]


def _checklist(client: str, where: str, lines: Callable[[Fleet], Sequence[str]]) -> _Write:
    """For clients that are governed by hand: what to enter, value by value."""

    def write(fleet: Fleet) -> tuple[Exported, ...]:
        points = "".join(f"- [ ] {line}\n" for line in lines(fleet))
        return (Exported(f"{client}-checklist.md", (where,), f"# {where}\n\n{points}"),)

    return write


def _cursor_lines(fleet: Fleet) -> list[str]:
    return [
        "Open the dashboard as an administrator of the team: Settings, MCP.",
        "Turn the allow-list of MCP servers on.",
        f"Allow this address pattern, and no other: `{fleet.pattern}`",
        "Leave the list of local commands empty.",
    ]


def _windsurf_lines(fleet: Fleet) -> list[str]:
    return [
        "Open the team's settings as an administrator: Security, MCP servers.",
        f"Set the MCP registry to `{fleet.origin}`",
        *(f"Allow the server `{each.connection.name}` at `{each.connection.url}`" for each in fleet.offered),
        "Allow no other: once one is listed, all that are not are blocked.",
    ]


def _desktop_lines(fleet: Fleet) -> list[str]:
    return [
        "Open the organisation's settings as an owner: Connectors.",
        "Let members use the organisation's connectors only.",
        *(f"Add the custom connector `{each.connection.name}` at `{each.connection.url}`" for each in fleet.offered),
        "The vendor's cloud dials these addresses. Where it must not reach them, allow the bridge instead:",
        "`pierhead connect claude-desktop --print`",
    ]


_FOLDER: Final = ("a repository that people add: /plugin marketplace add OWNER/REPOSITORY",)


def _marketplace(fleet: Fleet) -> tuple[Exported, ...]:
    """A marketplace of plugins for Claude Code and Copilot: one for each server, with its connection and nothing else.

    Both read these very files; a plugin's `source` is a folder beside them, so they are given out by a repository.
    """
    listed = [{**_about(each), "source": f"./plugins/{each.connection.name}"} for each in fleet.offered]
    market = {
        "name": MARKETPLACE,
        "owner": {"name": "Pierhead"},
        "metadata": {"description": f"The servers of {fleet.origin}"},
        "plugins": listed,
    }
    files = [_json(".claude-plugin/marketplace.json", _FOLDER, market, whole=True)]
    for each in fleet.offered:
        folder = f"plugins/{each.connection.name}"
        author = {"author": {"name": each.owner}}
        servers = {each.connection.name: {"type": "http", "url": each.connection.url}}
        files.append(_json(f"{folder}/.claude-plugin/plugin.json", _FOLDER, {**_about(each), **author}, whole=True))
        files.append(_json(f"{folder}/.mcp.json", _FOLDER, {"mcpServers": servers}, whole=True))
    return tuple(files)


def _about(each: Offered) -> dict[str, object]:
    return {"name": each.connection.name, "description": each.description, "version": each.version}


EXPORTS: Final[Mapping[str, _Write]] = {
    "copilot": _copilot,
    "claude-code": _claude_code,
    "codex": _codex,
    "gemini": _gemini,
    "vscode": _vscode,
    "cursor": _checklist("cursor", "Cursor: the team's dashboard", _cursor_lines),
    "windsurf": _checklist("windsurf", "Windsurf: the team's settings", _windsurf_lines),
    "marketplace": _marketplace,
    "claude-desktop": _checklist("claude-desktop", "Claude Desktop: the organisation's settings", _desktop_lines),
}
"""What can be exported, by the client's id."""


def differences(exported: Exported, deployed: Mapping[str, object]) -> list[str]:
    """How a file that was rolled out differs from the export; nothing where it says the same."""
    wanted = exported.document
    keys = wanted.keys() | (deployed.keys() if exported.whole else set[str]())
    return [line for key in sorted(keys) for line in _differ(key, wanted.get(key), deployed.get(key))]


def _differ(place: str, wanted: object, deployed: object) -> list[str]:
    if wanted == deployed:
        return []
    if isinstance(wanted, dict) and isinstance(deployed, dict):
        ours, theirs = cast("Mapping[str, object]", wanted), cast("Mapping[str, object]", deployed)
        keys = sorted(ours.keys() | theirs.keys())
        return [line for key in keys for line in _differ(f"{place}.{key}", ours.get(key), theirs.get(key))]
    if deployed is None:
        return [f"{place} is missing"]
    if wanted is None:
        return [f"{place} is not ours"]
    return [f"{place} is {json.dumps(deployed)}, not {json.dumps(wanted)}"]
