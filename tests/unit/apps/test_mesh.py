"""`pierhead mesh render` without a platform: from settings and a fleet file, and what it cannot do without."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

FLEET = """
servers:
  warehouse:
    kind: sql
    url: sqlite:///warehouse.db
    owner: data-platform
    support: "#data-help"
    access:
      groups: [data-eng]
      workloads: ["spiffe://corp.example/chat"]
      surfaces: [chat]
      environments: [production]
    roles: {analyst: {tables: [flights], operations: [read]}}
"""
SETTINGS = """
[platform]
public_url = "https://mcp.corp.example"
[mesh]
trust_domain = "corp.example"
sidecar = "unix:/run/pierhead/sidecar.sock"
authz = "unix:/run/pierhead/authz.sock"
gateway_id = "spiffe://corp.example/pierhead/gateway"
[mesh.workloads."spiffe://corp.example/chat"]
surface = "chat"
environment = "production"
"""


def render(folder: Path, settings: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    (folder / "fleet.yaml").write_text(FLEET)
    (folder / "pierhead.toml").write_text(settings)
    command = [sys.executable, "-m", "pierhead.apps.cli", "mesh", "render", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)


def filters(configuration: Any) -> list[Any]:
    chain = configuration["static_resources"]["listeners"][0]["filter_chains"][0]
    return chain["filters"][0]["typed_config"]["http_filters"]


def test_the_gateways_envoy_has_the_rules_of_the_fleet(tmp_path: Path) -> None:
    done = render(tmp_path, SETTINGS, "gateway", "--fleet", "fleet.yaml", "--port", "9443")
    assert (done.returncode, done.stderr) == (0, "")
    configuration = json.loads(done.stdout)
    found = {each["name"]: each["typed_config"] for each in filters(configuration)}
    assert [name.rpartition(".")[2] for name in found] == [
        "local_ratelimit",
        "jwt_authn",
        "rbac",
        "ext_authz",
        "router",
    ]
    rules = found["envoy.filters.http.rbac"]["rules"]
    assert rules["action"] == "ALLOW"
    assert sorted(rules["policies"]) == ["warehouse", "~desk", "~pages", "~sign-in"]
    assert found["envoy.filters.http.ext_authz"]["failure_mode_allow"] is False
    assert configuration["admin"]["address"]["socket_address"]["address"] == "127.0.0.1"
    assert configuration["static_resources"]["listeners"][0]["address"]["socket_address"]["port_value"] == 9443


def test_a_servers_envoy_stands_before_the_address_that_is_named(tmp_path: Path) -> None:
    done = render(tmp_path, SETTINGS, "warehouse", "--upstream", "http://127.0.0.1:8501/mcp")
    endpoints = json.loads(done.stdout)["static_resources"]["clusters"][0]["load_assignment"]["endpoints"]
    assert endpoints[0]["lb_endpoints"][0]["endpoint"]["address"]["socket_address"]["port_value"] == 8501
    assert render(tmp_path, SETTINGS, "warehouse", "--upstream", "nowhere").returncode == 2


def test_half_a_mesh_is_not_rendered(tmp_path: Path) -> None:
    for missing in ("public_url", "authz", "sidecar"):
        settings = "\n".join(line for line in SETTINGS.splitlines() if not line.startswith(missing))
        done = render(tmp_path, settings, "gateway", "--fleet", "fleet.yaml")
        assert (done.returncode, "cause: half-secured" in done.stderr) == (2, True), missing
