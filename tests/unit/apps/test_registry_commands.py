"""The registry from the shell, against a real API: what each command prints, its formats, its errors and exit codes."""

import json

import pytest
import yaml
from tests.shells import Shell
from tests.unit.apps.test_gitops import CLOCK
from tests.unit.samples import TOOL_FORM

MANIFEST = {"version": "1", "description": "Tells the time.", "tools": [TOOL_FORM]}


def offered(shell: Shell) -> None:
    """A clock that bob registered, published and submitted."""
    entry, manifest = shell.write("clock.yaml", {"servers": {"clock": CLOCK}}), shell.write("clock.json", MANIFEST)
    shell.done("bob", "server", "register", entry)
    shell.done("bob", "server", "publish", "clock", "--file", manifest)
    shell.done("bob", "server", "submit", "clock", "--reason", "first version")


def deployed(shell: Shell) -> None:
    offered(shell)
    shell.done("carol", "server", "approve", "clock", "--reason", "read it")
    shell.done("bob", "server", "deploy", "clock", "--reason", "signed")


def stage(shell: Shell) -> str:
    return shell.done("bob", "server", "show", "clock", "-o", "json").document["versions"][0]["stage"]


TOOL = ("--tool", "find_route read 2.5 group:ads or user:carol")
OWNED = ("--owner", "ads", "--support", "#ads", *TOOL)
FOREIGN = {
    "$schema": "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json",
    "name": "io.github.acme/Road_Maps",
    "description": "Roads.",
    "version": "1.2.0",
    "remotes": [{"type": "streamable-http", "url": "https://maps.example/mcp"}],
}


@pytest.mark.parametrize("around", [FOREIGN, {"server": FOREIGN, "_meta": {}}])
def test_another_registrys_server_is_registered_with_what_only_its_owner_here_can_say(
    shell: Shell, around: object
) -> None:
    file = shell.write("server.json", around)
    entry = shell.done("bob", "server", "register", file, *OWNED, "-o", "json").document
    assert entry["name"] == "road-maps"
    told = {name: entry["entry"][name] for name in ("kind", "url", "version", "owner", "access")}
    url = "https://maps.example/mcp"
    assert told == {"kind": "http", "url": url, "version": "1.2.0", "owner": "ads", "access": "nobody"}
    tool = {"effect": "read", "minutes_saved": 2.5, "policy": "group:ads or user:carol"}
    assert entry["entry"]["tools"] == {"find_route": tool}


def test_a_server_that_cannot_be_spoken_to_is_not_imported(shell: Shell) -> None:
    file = shell.write("server.json", {**FOREIGN, "remotes": [{"type": "sse", "url": "https://maps.example/sse"}]})
    said = shell.run("bob", "server", "register", file, *OWNED)
    assert (said.code, said.error["cause"]) == (2, "bad-import")


def test_a_remote_server_is_registered_by_its_address_alone(shell: Shell) -> None:
    address = ("--name", "maps", "--url", "https://maps.example/mcp")
    entry = shell.done("bob", "server", "register", *address, *OWNED, "-o", "json").document
    assert (entry["name"], entry["entry"]["url"], list(entry["entry"]["tools"])) == ("maps", address[3], ["find_route"])


def test_servers_are_listed_as_a_table_as_documents_and_by_name(shell: Shell) -> None:
    table = shell.done("alice", "server", "list").out
    assert [line.split()[0] for line in table.splitlines() if "deployed" in line] == [
        *("airflow", "presto", "time", "warehouse")
    ]
    names = shell.done("alice", "server", "list", "-o", "name").out.split()
    documents = shell.done("alice", "server", "list", "--json").document
    assert [each["name"] for each in documents] == names
    assert yaml.safe_load(shell.done("alice", "server", "ls", "-o", "yaml").out) == documents
    assert shell.done("alice", "server", "list", "--search", "spark", "-o", "name").out == "spark\n"
    nothing = shell.done("alice", "server", "list", "--search", "no such thing")
    assert (nothing.out, nothing.err) == ("", "nothing to show\n")


def test_a_server_is_shown_with_what_its_caller_may_do(shell: Shell) -> None:
    mine = shell.done("alice", "server", "show", "warehouse").out
    assert "alice may reach warehouse" in mine
    assert any(line.split()[:4] == ["run_query", "read", "none", "permit"] for line in mine.splitlines())
    assert any(line.split()[:3] == ["1.4.0", "deployed", "yes"] for line in mine.splitlines())
    others = shell.done("bob", "server", "show", "warehouse").out
    assert "no rule lets bob reach it" in others
    assert "none that are yours to use" in others
    document = shell.done("bob", "server", "show", "warehouse", "-o", "json").document
    assert (document["may_reach"], document["tools"]) == (False, [])


def test_every_step_of_a_life_is_silent_and_shows_what_came_of_it_when_asked(shell: Shell) -> None:
    deployed(shell)
    steps = {
        ("suspend", "--reason", "it errs"): "suspended",
        ("resume", "--reason", "mended"): "deployed",
        ("deprecate", "--reason", "time does it", "--message", "use time", "--sunset", "2999-03-31"): "deprecated",
        ("retire", "--reason", "unused"): "retired",
    }
    for (step, *words), reached in steps.items():
        said = shell.done("bob", "server", step, "clock", *words)
        assert (said.out, said.err) == ("", "")
        assert stage(shell) == reached
    shown = shell.done("bob", "server", "show", "clock", "-o", "yaml").out
    assert yaml.safe_load(shown)["versions"][0]["sunset_at"] == "2999-03-31T23:59:59.000Z"


def test_security_stops_a_server_and_its_owner_cannot_let_it_go_on(shell: Shell) -> None:
    deployed(shell)
    said = shell.done("carol", "server", "quarantine", "clock", "--reason", "leaks names", "-o", "json")
    assert said.document["stage"] == "quarantined"
    refused = shell.run("bob", "server", "resume", "clock", "--reason", "please")
    assert (refused.code, refused.error["cause"]) == (6, "not-yours")


def test_reviews_tell_whose_gate_is_whose_and_decisions_find_their_gate(shell: Shell) -> None:
    offered(shell)
    table = shell.done("carol", "server", "review", "clock").out
    assert "security: pending (yours)" in table
    shell.done("carol", "server", "review", "clock", "--comment", "which zone?")
    shell.done("carol", "server", "reject", "clock", "--request-changes", "--reason", "say which zone")
    waiting = shell.done("carol", "server", "review", "clock", "-o", "json").document
    assert waiting[0]["gates"][0]["state"] == "changes-requested"
    shell.done("carol", "server", "approve", "clock", "--condition", "surfaces: ide", "--reason", "only there")
    assert stage(shell) == "approved"
    assert shell.done("carol", "server", "review", "clock").err == "nothing to show\n"
    assert len(shell.done("carol", "server", "review", "clock", "--all", "-o", "json").document) == 1


@pytest.mark.parametrize(
    ("person", "words", "code", "cause", "hint"),
    [
        ("alice", "server show nothing", 4, "not-found", "lists yours"),
        ("bob", "server approve clock --reason mine", 2, "invalid", "security"),
        ("bob", "server approve clock --gate security --reason mine", 6, "", ""),
        ("bob", "server deploy clock --reason early", 5, "wrong-stage", "withdraw"),
        ("bob", "server deploy clock", 2, "usage", "--help"),
        ("bob", "server publish", 2, "invalid", "--help"),
        ("bob", "server publish clock --file nowhere.json", 2, "invalid", "pierhead inspect"),
        ("bob", "server register nowhere.yaml", 2, "bad-fleet", "can be read"),
        ("bob", "server register", 2, "invalid", "--help"),
        ("bob", "server register clock.yaml", 5, "name-taken", "another name"),
        ("bob", "server register --url https://a.example --tool find", 2, "invalid", "minutes saved"),
        ("bob", "server diff clock --from 9", 4, "not-found", "versions"),
        ("bob", "server rollback clock 1 --reason back", 5, "wrong-stage", "server show"),
        ("bob", "server review --comment hm", 2, "invalid", "NAME"),
        ("carol", "server reject nothing --reason no", 4, "not-found", "--all"),
        ("bob", "server retire clock --reason", 2, "usage", "--help"),
    ],
)
def test_an_error_says_what_and_why_and_what_to_do(
    shell: Shell, person: str, words: str, code: int, cause: str, hint: str
) -> None:
    offered(shell)
    said = shell.run(person, *words.split())
    assert (said.code, said.out) == (code, ""), said
    assert cause in said.error["cause"]
    assert hint in said.error["hint"]
    assert said.error["error"] != "-"


def test_a_difference_is_told_tool_by_tool(shell: Shell) -> None:
    deployed(shell)
    changed = {**TOOL_FORM, "description": "The time, and your notes."}
    other = shell.write("other.json", {**MANIFEST, "version": "2", "tools": [changed, {**TOOL_FORM, "name": "later"}]})
    shell.done("bob", "server", "publish", "clock", "--file", other)
    said = shell.done("bob", "server", "diff", "clock", "--from", "1", "--to", "2").out
    assert said.startswith("clock: 1 -> 2: ")
    rows = [" ".join(line.split()) for line in said.splitlines()]
    assert "tool later added" in rows
    assert "tool now wording: description" in rows
    document = shell.done("bob", "server", "diff", "clock", "--to", "2", "-o", "json").document
    assert [tool["name"] for tool in document["added"]] == ["later"]


def test_nobody_in_particular_is_told_to_say_who_asks(shell: Shell) -> None:
    shell.patch.delenv("PIERHEAD_TOKEN", raising=False)
    shell.patch.setenv("PIERHEAD_URL", shell.url)
    said = shell.bare("server", "review")
    assert (said.code, said.error["cause"]) == (3, "unauthenticated")
    assert "--as PERSON" in said.error["hint"]


def test_a_wrong_token_and_a_platform_that_is_away_have_codes_of_their_own(shell: Shell) -> None:
    shell.patch.setenv("PIERHEAD_URL", shell.url)
    shell.patch.setenv("PIERHEAD_TOKEN", "nonsense")
    assert shell.bare("server", "list").code == 3
    shell.patch.setenv("PIERHEAD_URL", "http://127.0.0.1:9")
    away = shell.bare("server", "list")
    assert (away.code, away.error["hint"]) == (7, "is pierhead up running?")


def test_documents_are_json_that_other_programs_read(shell: Shell) -> None:
    offered(shell)
    for words in ("server list", "server show clock", "server review", "server diff clock"):
        json.loads(shell.done("carol", *words.split(), "-o", "json").out)
        assert yaml.safe_load(shell.done("carol", *words.split(), "-o", "yaml").out)
