"""Projects from templates: what is made, what cannot be, and what an update leaves alone."""

import json
import re
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from pierhead import Server
from pierhead.adapters.image_rules import pins
from pierhead.bootstrap import fleet
from pierhead.bootstrap.new_project import RECORD, TEMPLATES, Answers, new_project, update_project
from pierhead.bootstrap.threats import threats
from pierhead.bootstrap.wire_check import CheckAsked, run_check
from pierhead.core.errors import Invalid, PierheadError
from pierhead.core.standard import State

LUNCH = Answers("lunch-menu", "plain", "kitchen", "#lunch", "staff")


@pytest.fixture(autouse=True)
def own_modules(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Projects of the same name follow each other here, and each must load its own code."""
    monkeypatch.setattr("sys.path", [*sys.path])
    known = set(sys.modules)
    yield
    for name in set(sys.modules) - known:
        del sys.modules[name]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    new_project(tmp_path / "lunch", LUNCH)
    return tmp_path / "lunch"


@pytest.mark.parametrize("template", TEMPLATES)
def test_a_project_is_complete_and_its_fleet_file_loads(template: str, tmp_path: Path) -> None:
    made = new_project(tmp_path / "made", replace(LUNCH, name=f"lunch-{template}", template=template))
    module = f"lunch_{template}".replace("-", "_")
    assert {"pyproject.toml", "fleet.yaml", "Dockerfile", "THREATS.md", "requirements.lock", "README.md"} <= {*made}
    assert {f"{module}/server.py", "tests/test_tools.py", ".github/workflows/check.yml", ".gitignore"} <= {*made}
    assert not [name for name in made if "@@" in (tmp_path / "made" / name).read_text()]
    (server,) = fleet.load(tmp_path / "made" / "fleet.yaml").servers.values()
    assert (server.name, server.owner, server.support) == (f"lunch-{template}", "kitchen", "#lunch")
    read = tomllib.loads((tmp_path / "made" / "pyproject.toml").read_text())
    assert read["tool"]["pierhead"]["server"] == f"{module}.server:server"


@pytest.mark.parametrize("template", TEMPLATES)
def test_each_tool_of_a_template_has_two_examples_and_a_bounded_text(template: str, tmp_path: Path) -> None:
    new_project(tmp_path / "made", replace(LUNCH, name=f"noon-{template}", template=template))
    server = sys.modules[f"noon_{template}.server".replace("-", "_")].server
    for tool in server.manifest():
        assert len(tool.examples) >= 2, tool.name
        assert len(tool.description) >= 20, tool.name
        for name, schema in tool.input_schema["properties"].items():
            assert name == "plan_id" or schema["type"] != "string" or {"maxLength", "pattern", "enum"} & schema.keys()


def test_the_lock_file_is_whole_and_names_what_runs_a_server(project: Path) -> None:
    """An installer that is told of one hash demands one of everything."""
    text = (project / "requirements.lock").read_text()
    named = pins(text)
    assert {"mcp", "pydantic", "cedarpy", "uvicorn"} <= {*named}
    assert "pierhead" not in named
    assert text.count("--hash=sha256:") >= len(named) == len(re.findall(r"^\S+==", text, re.MULTILINE))
    ours = Path(__file__).parents[3] / "requirements" / "dev.lock"
    tested = pins(ours.read_text())
    assert {name: version for name, version in named.items() if tested[name] != version} == {}


@pytest.mark.parametrize("template", TEMPLATES)
def test_a_fresh_project_breaks_nothing_of_the_standard(template: str, tmp_path: Path) -> None:
    answers = replace(LUNCH, name=f"clean-{template}", template=template, runbook="https://wiki.example/lunch")
    new_project(tmp_path / "made", answers)
    for named in (str(tmp_path / "made"), answers.name):
        asked = CheckAsked(named, tmp_path / "made" / "fleet.yaml", tmp_path / "data", date(2026, 11, 22))
        report = run_check(asked, None)
        open_ = {breach.place for verdict in report.verdicts for breach in verdict.breaches}
        assert open_ <= {"tools.stop_runs.inputSchema.properties.plan_id"}  # the SDK's own argument
        passed = {verdict.rule.id for verdict in report.verdicts if verdict.state is State.PASSED}
        assert {"S31", "S34", "S45"} <= passed


def test_only_a_runbook_is_left_to_its_author(project: Path) -> None:
    """No address that leads nowhere is made up for it."""
    report = run_check(CheckAsked(str(project), project / "fleet.yaml", project, date(2026, 11, 22)), None)
    open_ = [(verdict.rule.id, breach.place) for verdict in report.verdicts for breach in verdict.breaches]
    assert open_ == [("S45", "entry.runbook")]
    assert not report.blocks


@pytest.mark.parametrize(
    ("answers", "code"),
    [
        (replace(LUNCH, name="Lunch"), "bad-name"),
        (replace(LUNCH, name="lunch/../x"), "bad-name"),
        (replace(LUNCH, name="l" * 41), "bad-name"),
        (replace(LUNCH, name="lunch-"), "bad-name"),
        (replace(LUNCH, name="json"), "bad-name"),
        (replace(LUNCH, name="class"), "bad-name"),
        (replace(LUNCH, name="pierhead"), "bad-name"),
        (replace(LUNCH, template="django"), "unknown-template"),
        (replace(LUNCH, owner='kitchen"\n'), "bad-answer"),
        (replace(LUNCH, support="{{7*7}}"), "bad-answer"),
        (replace(LUNCH, group="a, b"), "bad-answer"),
        (replace(LUNCH, runbook='https://a"'), "bad-answer"),
    ],
)
def test_what_cannot_be_made_is_said_before_anything_is_written(answers: Answers, code: str, tmp_path: Path) -> None:
    with pytest.raises(Invalid) as refused:
        new_project(tmp_path / "made", answers)
    assert (refused.value.code, [*tmp_path.iterdir()]) == (code, [])


def test_a_folder_that_holds_something_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    for place in (tmp_path, tmp_path / "mine"):
        with pytest.raises(PierheadError) as refused:
            new_project(place, LUNCH)
        assert refused.value.code == "project-exists"


def test_an_update_of_what_is_up_to_date_does_nothing(project: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in project.rglob("*") if path.name != RECORD}
    done = update_project(project)
    assert (done.written, done.beside) == ((), ())
    assert before.items() <= {path: path.stat().st_mtime_ns for path in project.rglob("*")}.items()


def test_an_update_replaces_what_its_author_left_and_goes_beside_what_they_changed(project: Path) -> None:
    record = json.loads((project / RECORD).read_text())
    for name in ("Dockerfile", "README.md", "fleet.yaml"):  # as if an older template had written something else
        (project / name).write_text("old")
        record["files"][name] = "cba06b5736faf67e54b07b561eae94395e774c517a7d910a54369e1263ccfbd4"
    (project / RECORD).write_text(json.dumps(record))
    (project / "README.md").write_text("mine")
    (project / "fleet.yaml").unlink()
    server = project / "lunch_menu" / "server.py"
    server.write_text(server.read_text() + "\n# mine\n")
    done = update_project(project)
    assert (done.written, done.beside) == (("Dockerfile",), ("README.md",))
    assert (project / "README.md").read_text() == "mine"
    assert (project / "README.md.new").read_text().startswith("# Lunch menu")
    assert server.read_text().endswith("# mine\n")
    assert not (project / "fleet.yaml").exists()
    assert (project / "Dockerfile").read_text().startswith("# Runs the server")


def test_an_update_needs_a_project(tmp_path: Path) -> None:
    for text in (None, "{}", "nonsense"):
        if text is not None:
            (tmp_path / RECORD).write_text(text)
        with pytest.raises(Invalid) as refused:
            update_project(tmp_path)
        assert refused.value.code == "no-project"


def test_the_checklist_asks_about_what_is_declared() -> None:
    server = Server("shop", owner="o", support="#s")

    @server.tool(policy="everyone", effect="write", minutes_saved=1)
    async def rename(number: int, title: str) -> str:
        """Rename."""
        return title

    @server.tool(policy="group:staff", effect="destructive", minutes_saved=1)
    async def drop(number: int) -> int:
        """Drop."""
        return number

    text = threats("shop", server.manifest())
    assert "| `rename` | write | everyone | none | title |" in text
    for question in ("is for everyone", "acts twice", "without anybody's yes", "`title` of `rename` is free text"):
        assert question in text
    assert "`drop` destroys" in text
