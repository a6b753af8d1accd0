"""A key that nobody knows, at every door where a server is declared: refused with its place and the nearest known."""

from typing import Any

import httpx2
import pytest
from tests.shells import Shell
from tests.unit.samples import TOOL_FORM
from tests.visiting import Visit
from tests.web_site import PUBLIC_URL

from pierhead.bootstrap.entries import EntryDeclarations
from pierhead.core.errors import Invalid
from pierhead.usecases.grant_tokens import Grant, issue
from pierhead.usecases.registry_desk import RegistryDesk
from pierhead.usecases.wire_forms import manifest_from_form

TOOL = {"policy": "everyone", "effect": "read", "minutes_saved": 1}
CLOCK: dict[str, Any] = {
    "kind": "http",
    "url": "https://clock.example/mcp",
    "owner": "ads",
    "support": "#ads",
    "access": "everyone",
    "tools": {"now": TOOL},
}
SHOP: dict[str, Any] = {"kind": "sql", "url": {"env": "PIERHEAD_GUEST__SHOP__URL"}, "owner": "ads", "support": "#ads"}
WRONG = [
    pytest.param(CLOCK | {"acess": "everyone"}, "acess", "did you mean access?", id="of the entry"),
    pytest.param(CLOCK | {"access": {"group": ["a"]}}, "access", "did you mean groups?", id="of its access"),
    pytest.param(
        CLOCK | {"tools": {"now": TOOL | {"efect": "read"}}}, "tools.now.efect", "did you mean effect?", id="of a tool"
    ),
    pytest.param(
        CLOCK | {"tools": {"now": TOOL | {"minutes_saved": {"mode": 1, "low": 1, "hihg": 1, "method": "x"}}}},
        "hihg",
        "did you mean high?",
        id="of its minutes",
    ),
    pytest.param(CLOCK | {"colour": "red"}, "colour", "allowed there: access", id="like none"),
    pytest.param(SHOP | {"acess": "everyone"}, "acess", "did you mean access?", id="of a plug-in's entry"),
]


def strict(desk: RegistryDesk) -> None:
    """The very models of the platform in place of the test site's few."""
    object.__setattr__(desk.source, "declarations", EntryDeclarations())


@pytest.mark.anyio
@pytest.mark.parametrize(("entry", "place", "hint"), WRONG)
async def test_by_rest(visit: Visit, entry: dict[str, Any], place: str, hint: str) -> None:
    strict(visit.world.site.registry)
    answer = await _post(visit, "/api/v1/servers", {"name": "clock", "entry": entry})
    said = answer.json()
    assert (answer.status_code, said["code"]) == (400, "bad-entry")
    assert f"unknown member {place}" in said["message"] or place in said["message"]
    assert hint in said["hint"]


@pytest.mark.parametrize(("entry", "place", "hint"), WRONG)
def test_by_the_shell(shell: Shell, entry: dict[str, Any], place: str, hint: str) -> None:
    strict(shell.world.site.registry)
    shell.write("clock.yaml", {"servers": {"clock": entry}})
    refused = shell.run("bob", "server", "register", "clock.yaml")
    assert refused.code == 2
    assert place in refused.error["error"] + refused.error["cause"]
    assert hint in refused.error["hint"]


def test_by_a_folder_of_files(shell: Shell) -> None:
    shell.write("catalog/clock.yaml", {"servers": {"clock": CLOCK | {"acess": "everyone"}}})
    refused = shell.run("bob", "server", "publish", "-f", "catalog")
    assert refused.code == 2
    assert "unknown key servers.clock.acess" in refused.error["error"]
    assert refused.error["hint"] == "did you mean access?"


def test_by_a_manifest_in_a_file(shell: Shell) -> None:
    shell.write("catalog/clock.yaml", {"servers": {"clock": CLOCK}})
    shell.done("bob", "server", "register", "catalog/clock.yaml")
    file = shell.write("manifest.json", {"version": "1", "instructons": "Read first.", "tools": [TOOL_FORM]})
    refused = shell.run("bob", "server", "publish", "clock", "--file", file)
    assert (refused.code, refused.error["hint"]) == (2, "did you mean instructions?")
    assert "unknown member instructons" in refused.error["error"]
    file = shell.write("manifest.json", {"version": "1", "tools": [TOOL_FORM | {"efect": "read"}]})
    refused = shell.run("bob", "server", "publish", "clock", "--file", file)
    assert (refused.code, refused.error["hint"]) == (2, "did you mean effect?")
    assert f"tool {TOOL_FORM['name']}: unknown members: efect" in refused.error["error"]


@pytest.mark.anyio
async def test_by_a_manifest_over_rest(visit: Visit) -> None:
    await _post(visit, "/api/v1/servers", {"name": "clock", "entry": {**CLOCK, "tools": {}}})
    manifest = {"version": "1", "descripton": "", "tools": [TOOL_FORM]}
    answer = await _post(visit, "/api/v1/servers/clock/versions", {"manifest": manifest})
    assert (answer.status_code, answer.json()["code"]) == (400, "wire-form")
    assert answer.json()["hint"] == "did you mean description?"


def test_what_is_like_nothing_is_told_without_a_guess() -> None:
    with pytest.raises(Invalid) as refused:
        manifest_from_form({"version": "1", "description": "", "upstream": "", "tools": [], "zzz": 1})
    assert refused.value.hint == "run the same version of pierhead everywhere"


async def _post(visit: Visit, path: str, body: object) -> httpx2.Response:
    token, _ = await issue(Grant("bob", f"{PUBLIC_URL}/api/v1", "p", "f", 600), visit.world.site.tokens)
    return await visit.http.post(path, json=body, headers={"authorization": f"Bearer {token}"})
