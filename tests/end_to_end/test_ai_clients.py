"""AI clients that people use, without an account: do they read the files that we write?

`connect` and `policy export` write for a running platform; then each client lists its servers. Files of administrators
stand in /etc: a client gets one of its own, in a mount namespace, and this machine's stays as it is.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.components import ai_client
from tests.running_platform import PIERHEAD, Up

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

NEEDS_NAMESPACE = "component mount namespace: unshare --mount is not permitted here"


def home_of(folder: Path) -> dict[str, str]:
    """An environment in which everything a client keeps is in that folder."""
    (folder / "project").mkdir(parents=True, exist_ok=True)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("CLAUDE", "CODEX", "GEMINI"))}
    path = f"{Path(sys.executable).parent}{os.pathsep}{kept['PATH']}"
    return {**kept, "HOME": str(folder), "PATH": path, "NO_COLOR": "1", "GEMINI_CLI_TRUST_WORKSPACE": "true"}


def told(command: list[str], home: Path) -> str:
    done = subprocess.run(
        command, cwd=home / "project", env=home_of(home), capture_output=True, text=True, timeout=120, check=False
    )
    return done.stdout + done.stderr


def connect(platform: Up, client: str, home: Path, *more: str) -> str:
    home_of(home)
    command = [*PIERHEAD, "connect", client, "--as", "alice", "--data", str(platform.data), *more]
    return told(command, home)


@pytest.mark.parametrize("client", ["claude-code", "codex", "gemini", "copilot-cli"])
def test_a_client_lists_the_servers_that_we_wrote(platform: Up, client: str, tmp_path: Path) -> None:
    program = ai_client(client)
    connect(platform, client, tmp_path)
    said = told([*program, "mcp", "list"], tmp_path)
    assert "warehouse" in said, said
    assert "time" in said, said
    if client != "copilot-cli":  # which lists names alone
        assert platform.mcp("warehouse") in said


def test_a_platform_elsewhere_is_asked_with_a_token(platform: Up, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text(platform.token("bob"))
    home = tmp_path / "home"
    home_of(home)
    told([*PIERHEAD, "connect", "cursor", "--url", platform.url, "--token-file", str(token)], home)
    written = json.loads((home / ".cursor" / "mcp.json").read_text())["mcpServers"]
    assert written == {"time": {"url": platform.mcp("time")}}, "warehouse is not bob's to reach"
    token.write_text("nonsense")
    said = told([*PIERHEAD, "connect", "cursor", "--url", platform.url, "--token-file", str(token)], home)
    assert "does not accept the token" in said


@pytest.mark.parametrize("client", ["claude-code", "copilot-cli"])
def test_a_client_installs_a_server_from_the_marketplace_that_we_wrote(
    platform: Up, client: str, tmp_path: Path
) -> None:
    program, market = ai_client(client), tmp_path / "market"
    platform.tell("policy", "export", "--client", "marketplace", "--out", str(market))
    if client == "claude-code":  # which alone can judge one by itself
        judged = told([*program, "plugin", "validate", str(market)], tmp_path)
        assert "Validation passed" in judged, judged
        assert "warning" not in judged, judged
    told([*program, "plugin", "marketplace", "add", str(market)], tmp_path)
    installed = told([*program, "plugin", "install", "time@pierhead"], tmp_path)
    said = told([*program, "mcp", "list"], tmp_path)
    assert "time" in said, (installed, said)
    assert "warehouse" not in said, "it was not installed"
    if client == "claude-code":
        assert platform.mcp("time") in said
    written = platform.run(
        "policy", "export", "--client", "marketplace", "--check", str(market / "plugins/time/.mcp.json")
    )
    assert written.returncode == 0, written.stderr
    (market / "plugins/time/.mcp.json").write_text('{"mcpServers": {"time": {"type": "http", "url": "https://evil"}}}')
    drifted = platform.run(
        "policy", "export", "--client", "marketplace", "--check", str(market / "plugins/time/.mcp.json")
    )
    assert drifted.returncode == 5


def in_etc(files: Path, folder: str, command: list[str], home: Path) -> str:
    """What a client says that finds these files in its folder of /etc: an /etc of its own, over this machine's."""
    script = (
        f'mount -t tmpfs none "$SCRATCH" && mkdir "$SCRATCH/up" "$SCRATCH/work" && '
        f'mount -t overlay overlay -o "lowerdir=/etc,upperdir=$SCRATCH/up,workdir=$SCRATCH/work" /etc && '
        f'mkdir -p "/etc/{folder}" && cp "$FILES"/* "/etc/{folder}/" && exec "$@"'
    )
    scratch = home / "scratch"
    scratch.mkdir(exist_ok=True)
    environment = {**home_of(home), "SCRATCH": str(scratch), "FILES": str(files)}
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", script, "sh", *command],
        cwd=home / "project",
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if "Operation not permitted" in done.stderr or "permission denied" in done.stderr:
        pytest.skip(NEEDS_NAMESPACE)
    return done.stdout + done.stderr


def exported(platform: Up, client: str, folder: Path, *names: str) -> Path:
    """The files of an export, those of these names if any are named."""
    platform.tell("policy", "export", "--client", client, "--out", str(folder))
    for path in folder.iterdir():
        if names and path.name not in names:
            path.unlink()
    return folder


def test_codex_turns_off_what_is_not_on_the_list(platform: Up, tmp_path: Path) -> None:
    program, home = ai_client("codex"), tmp_path / "home"
    connect(platform, "codex", home)
    with (home / ".codex" / "config.toml").open("a") as file:
        file.write(f'\n[mcp_servers.mine]\nurl = "{platform.mcp("mine")}"\n')
    files = exported(platform, "codex", tmp_path / "etc")
    said = in_etc(files, "codex", [*program, "mcp", "list"], home)
    lines = {line.split()[0]: line for line in said.splitlines() if line.strip()}
    assert "disabled: requirements" in lines["mine"], said
    assert "disabled" not in lines["warehouse"], said


def test_claude_code_has_the_fixed_set_and_no_other(platform: Up, tmp_path: Path) -> None:
    program, home = ai_client("claude-code"), tmp_path / "home"
    home_of(home)
    (home / ".claude.json").write_text('{"mcpServers": {"mine": {"type": "http", "url": "http://127.0.0.1:9/mcp"}}}')
    files = exported(platform, "claude-code", tmp_path / "etc")
    said = in_etc(files, "claude-code", [*program, "mcp", "list"], home)
    assert platform.mcp("warehouse") in said, said
    assert "mine" not in said


def test_claude_codes_lists_let_only_our_addresses_pass(platform: Up, tmp_path: Path) -> None:
    program, home = ai_client("claude-code"), tmp_path / "home"
    connect(platform, "claude-code", home, "--server", "warehouse")
    told(
        [*program, "mcp", "add", "--transport", "http", "--scope", "user", "mine", "http://127.0.0.1:9/mcp/warehouse"],
        home,
    )
    files = exported(platform, "claude-code", tmp_path / "etc", "managed-settings.json")
    said = in_etc(files, "claude-code", [*program, "mcp", "list"], home)
    assert platform.mcp("warehouse") in said, said
    assert "mine" not in said, said


def test_gemini_allows_the_listed_names_alone(platform: Up, tmp_path: Path) -> None:
    program, home = ai_client("gemini"), tmp_path / "home"
    connect(platform, "gemini", home)
    told([*program, "mcp", "add", "--scope", "user", "--transport", "http", "mine", "http://127.0.0.1:9/mcp"], home)
    files = exported(platform, "gemini", tmp_path / "etc", "settings.json")
    said = in_etc(files, "gemini-cli", [*program, "mcp", "list"], home)
    blocked = [line for line in said.splitlines() if "mine" in line]
    assert all("Blocked" in line or "blocked" in line or "Disabled" in line for line in blocked), said
    assert "warehouse" in said


def test_an_export_that_was_rolled_out_is_compared(platform: Up, tmp_path: Path) -> None:
    files = exported(platform, "claude-code", tmp_path)
    for path in files.iterdir():
        platform.tell("policy", "export", "--client", "claude-code", "--check", str(path))
    settings = files / "managed-settings.json"
    settings.write_text(settings.read_text().replace(f"{platform.url}/*", "*"))
    done = platform.run("policy", "export", "--client", "claude-code", "--check", str(settings))
    assert done.returncode == 5
    assert "allowedMcpServers is" in done.stderr
