"""`pierhead eval`: cases put to a model, judged, recorded, and replayed without it.

Models are stand-ins of pydantic-ai (`FunctionModel`, `TestModel`); servers, policy, record and protocol are real.
"""

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic_ai.exceptions import ModelHTTPError
from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart, ToolCallPart, ToolReturnPart
from pydantic_ai.models.function import AgentInfo, FunctionModel
from typer.testing import CliRunner

from pierhead import Server
from pierhead.apps.cli import application
from pierhead.core.errors import Invalid, Misconfigured, PierheadError, UpstreamUnreachable
from pierhead.core.wire_codes import numbers
from pierhead.testing.eval_cases import EvalCase, Expectation, read_cases
from pierhead.testing.eval_cassette import (
    Cassette,
    Recording,
    Replayed,
    Turn,
    cassette_of,
    read_cassette,
    write_cassette,
)
from pierhead.testing.eval_judges import is_part, judge, judged
from pierhead.testing.eval_model import Asked, find_model
from pierhead.testing.eval_run import MOST_CALLS, MOST_TURNS, Called, Ran, Speakers, run_case

SERVER = '''
from pierhead import Server

server = Server("shelf", owner="o", support="#s", version="1.2.0", description="Books of ours")


@server.tool(policy="everyone", effect="read", minutes_saved=4, examples=[{"number": 1}, {"number": 2}])
def look(number: int) -> str:
    """{says}"""
    return f"book {number}"
'''
SAYS = "Look at one of the books."
Model = Callable[[list[ModelMessage], AgentInfo], ModelResponse]


def shelf() -> Server:
    server = Server("shelf", owner="o", support="#s", version="1.2.0", description="Books of ours")

    @server.tool(policy="everyone", effect="read", minutes_saved=4, examples=[{"number": 1}, {"number": 2}])
    def look(number: int) -> str:
        """Look at one of the books."""
        return f"book {number}"

    @server.tool(policy="group:staff", effect="destructive", minutes_saved=9, examples=[{"number": 1}, {"number": 2}])
    def burn(number: int) -> str:
        """Burn one of the books."""
        return f"burnt {number}"

    return server


def case(name: str = "third", **expect: Any) -> EvalCase:
    person = {"person": "ann", "groups": ["staff"]}
    expected = {"tool": "look", **expect}
    return EvalCase.model_validate({"name": name, "prompt": "What is book 3?", "as": person, "expect": expected})


def calling(tool: str = "look", **arguments: Any) -> Model:
    """A model that calls once, and then says what it was answered."""

    def say(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        told = [part.content for part in messages[-1].parts if isinstance(part, ToolReturnPart)]
        return ModelResponse(parts=[TextPart(str(told[0])) if told else ToolCallPart(tool, arguments)])

    return say


def asking(say: Model) -> Speakers:
    return lambda each, tools: Asked(FunctionModel(say), each.prompt, tools)


async def ran(say: Model, each: EvalCase | None = None) -> Ran:
    return await run_case(shelf(), each or case(), asking(say))


@pytest.mark.anyio
async def test_a_call_as_expected_holds_whatever_is_expected_of_it() -> None:
    each = case(arguments={"number": 3}, result={"contains": "book 3"}, most_tokens=2_000, least_minutes=4)
    (row,), (found,) = await judged([each], lambda one: run_case(shelf(), one, asking(calling(number=3))))
    assert row["ok"], row
    assert set(row["held"]) == {"tool", "arguments", "result", "tokens", "minutes", "end"}
    assert found.calls[0].text == '{"result":"book 3"}'
    assert (found.minutes, row["turns"]) == (4, 2)


@pytest.mark.anyio
async def test_each_expectation_that_fails_says_what_came_instead() -> None:
    each = case(arguments={"number": 3}, result={"contains": "book 3"}, most_tokens=5, least_minutes=100)
    (row,), _ = await judged([each], lambda one: run_case(shelf(), one, asking(calling(number=4))))
    assert not row["ok"]
    assert row["failed"]["arguments"] == "called with [{'number': 4}]"
    assert row["failed"]["result"] == "no call as expected"
    assert row["failed"]["minutes"] == "4 minutes"
    assert row["failed"]["tokens"].endswith(" tokens")
    assert set(row["held"]) == {"tool", "end"}


@pytest.mark.anyio
async def test_a_model_is_shown_what_the_person_may_use_and_nothing_of_pierheads_own() -> None:
    shown: list[list[str]] = []

    def say(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        shown.append([tool.name for tool in info.function_tools])
        return ModelResponse(parts=[TextPart("no")])

    stranger = case().model_copy(update={"asker": case().asker.model_copy(update={"groups": ()})})
    await ran(say)
    await ran(say, stranger)
    assert shown == [["look", "burn"], ["look"]]


@pytest.mark.anyio
async def test_what_waits_for_a_person_runs_nothing_and_saves_nothing() -> None:
    found = await ran(calling("burn", number=3), case(tool="burn", result={"contains": "burnt"}))
    assert "burnt" not in found.calls[0].text
    assert (found.calls[0].is_ok, found.minutes) == (False, 0)
    assert judge(case(tool="burn", result={"contains": "burnt"}).expect, found)["result"].startswith("answered ")


@pytest.mark.anyio
async def test_a_tool_that_is_not_there_and_arguments_that_are_wrong_are_answered_to_the_model() -> None:
    missing = await ran(calling("look_up", number=3))
    wrong = await ran(calling(number="three"))
    assert [call.is_ok for call in (*missing.calls, *wrong.calls)] == [False, False]
    assert missing.calls[0].text.startswith("error: ")
    assert judge(case().expect, missing)["tool"] == "called look_up"
    assert judge(case(tool="gone").expect, missing)["tool"] == "gone is not offered; called look_up"
    assert missing.is_ended
    assert wrong.is_ended


@pytest.mark.anyio
async def test_a_model_that_comes_to_no_end_is_stopped() -> None:
    def again(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        return ModelResponse(parts=[ToolCallPart("look", {"number": 3})])

    def many(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        return ModelResponse(parts=[ToolCallPart("look", {"number": each}) for each in range(100)])

    found, wide = await ran(again), await ran(many)
    assert (len(found.calls), found.is_ended) == (MOST_TURNS, False)
    assert (len(wide.calls), wide.is_ended) == (MOST_CALLS, False)
    assert judge(case().expect, found)["end"].startswith("no end after 10 calls")
    assert found.minutes == 4, "the same call counts once"


@pytest.mark.anyio
async def test_a_model_that_does_not_answer_is_no_failed_case_and_its_words_are_not_told() -> None:
    def refuses(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        raise ModelHTTPError(401, "stand-in", {"message": "bad key sk-1234"})

    with pytest.raises(UpstreamUnreachable) as refused:
        await judged([case()], lambda one: run_case(shelf(), one, asking(refuses)))
    assert refused.value.code == "model-unreachable"
    assert (refused.value.message[-10:], refused.value.hint) == ("(HTTP 401)", "look at the provider's key")
    assert "sk-1234" not in refused.value.message


@pytest.mark.anyio
async def test_a_recording_runs_the_tools_again_without_a_model(tmp_path: Path) -> None:
    live = await ran(calling(number=3))
    place = cassette_of(tmp_path / "evals.yaml")
    assert "book 3" not in live.recording.model_dump_json(), "what was answered is not kept"
    write_cassette(place, Cassette(model="stand-in", recordings=(live.recording,)))
    kept = read_cassette(place).find(live.recording.digest)
    assert kept is not None
    replayed = await run_case(shelf(), case(), lambda each, tools: Replayed(kept))
    assert (replayed.calls, replayed.recording, replayed.minutes) == (live.calls, live.recording, live.minutes)


def test_a_result_is_held_by_text_and_by_members_of_its_json() -> None:
    called = Called("look", {}, is_ok=True, text='{"a": 1}', found={"a": 1, "b": [{"c": 2}]})
    recording = Recording(name="third", digest="", turns=(Turn(),))
    found = Ran(recording, ("look",), (called,), is_ended=True, tokens=1, minutes=0)
    wishes: dict[str, bool] = {'{"a": 1}': True, '{"b": [{"c": 2}]}': True, '{"a": true}': False, '{"d": null}': False}
    for wanted, holds in ((json.loads(each), holds) for each, holds in wishes.items()):
        expect = Expectation.model_validate({"tool": "look", "result": {"json": wanted}})
        assert (not judge(expect, found)["result"]) is holds, wanted


@pytest.mark.parametrize(
    ("expected", "found", "holds"),
    [
        ({}, {"a": 1}, True),
        ({"a": {"b": 1}}, {"a": {"b": 1, "c": 2}}, True),
        ({"a": 1}, {}, False),
        ([1], [1, 2], False),
        ([{"a": 1}], [{"a": 1, "b": 2}], True),
        (1, True, False),
        (1, 1.0, True),
        ({"a": 1}, "a", False),
    ],
)
def test_a_part_is_a_part(expected: object, found: object, holds: bool) -> None:
    assert is_part(expected, found) is holds


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("cases: []", "cases: "),
        ("cases: [{name: a, prompt: b, as: {person: c}, expect: {}}]", "cases.0.expect.tool: "),
        ("cases: [{name: a, prompt: b, expect: {tool: c}}]", "cases.0.as: "),
        ("cases: [{name: a, prompt: b, as: {person: c}, expect: {tool: d, result: {}}}]", "say contains or json"),
        ("cases: [&a {name: a, prompt: b, as: {person: c}, expect: {tool: d}}, *a]", "two cases are called a"),
        ("cases: [", "is no YAML"),
    ],
)
def test_a_file_that_cannot_be_read_says_where(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "evals.yaml"
    file.write_text(text)
    with pytest.raises(Invalid) as refused:
        read_cases(file)
    assert refused.value.code == "bad-eval-file"
    assert says in refused.value.message


def test_a_file_that_is_not_there_or_too_large_is_refused(tmp_path: Path) -> None:
    large = tmp_path / "large.yaml"
    large.write_bytes(b"#" * (1024 * 1024 + 1))
    for file, says in ((tmp_path / "none.yaml", "cannot read"), (large, "larger than 1 MiB")):
        with pytest.raises(Invalid) as refused:
            read_cases(file)
        assert says in refused.value.message


@pytest.mark.parametrize("name", ["nonsense", "nobody:at-all"])
def test_a_model_that_nobody_knows_is_said(name: str) -> None:
    with pytest.raises(Misconfigured) as refused:
        find_model(name)
    assert refused.value.code == "no-such-model"


def test_a_package_of_a_provider_that_refuses_is_said_without_its_words(monkeypatch: pytest.MonkeyPatch) -> None:
    class Refusal(Exception):
        """As providers' packages raise, each its own."""

    def refuses(name: str) -> None:
        raise Refusal("the key sk-1234 is none")

    monkeypatch.setattr("pierhead.testing.eval_model.infer_model", refuses)
    with pytest.raises(Misconfigured) as refused:
        find_model("anybody:any")
    assert refused.value.message == "cannot ask 'anybody:any': its package refuses (Refusal)"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A project whose cases are such that pydantic-ai's `test` model, which calls every tool, gets them right."""
    monkeypatch.setattr("sys.path", [*sys.path])
    monkeypatch.setattr("sys.dont_write_bytecode", True)
    (tmp_path / "pyproject.toml").write_text('[tool.pierhead]\nserver = "eval_shelf:server"\n')
    say(tmp_path, SAYS)
    expect = {"tool": "look", "result": {"contains": "book"}, "least_minutes": 4}
    cases = [{"name": "any", "prompt": "Look.", "as": {"person": "ann"}, "expect": expect}]
    (tmp_path / "evals.yaml").write_text(yaml.safe_dump({"cases": cases}))
    yield tmp_path
    sys.modules.pop("eval_shelf", None)


def say(project: Path, says: str) -> None:
    (project / "eval_shelf.py").write_text(SERVER.replace("{says}", says))
    sys.modules.pop("eval_shelf", None)


def evaluate(project: Path, *arguments: str) -> tuple[int, str, PierheadError | None]:
    done = CliRunner().invoke(application(), ["eval", str(project / "evals.yaml"), *arguments])
    raised = done.exception if isinstance(done.exception, PierheadError) else None
    return numbers(raised).exit if raised else done.exit_code, done.stdout, raised


def test_what_is_recorded_once_replays_until_a_definition_changes(project: Path) -> None:
    code, _, fault = evaluate(project)
    assert (code, fault and fault.code) == (8, "stale-cassette")
    assert evaluate(project, "--record", "--model", "test")[0] == 0
    code, out, _ = evaluate(project, "-o", "json")
    (row,) = json.loads(out)
    assert (code, row["ok"], [call["tool"] for call in row["calls"]]) == (0, True, ["look"])
    assert "1 of 1 cases hold" in evaluate(project)[1]
    say(project, "Look at a book of ours.")
    code, _, fault = evaluate(project)
    assert fault is not None
    assert (code, fault.code) == (8, "stale-cassette")
    assert "nothing is recorded for: any" in fault.message


def test_a_case_that_fails_ends_with_8_and_says_why(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project)
    file = project / "evals.yaml"
    file.write_text(file.read_text().replace("book", "scroll"))
    asked = ("--model", "test", "--server", "eval_shelf:server")
    code, out, _ = evaluate(project, *asked, "--json")
    assert (code, json.loads(out)[0]["failed"]) == (8, {"result": 'answered {"result":"book 0"}'})
    assert "0 of 1 cases hold" in evaluate(project, *asked)[1]
    assert not cassette_of(file).exists(), "nothing is kept unless asked"


def test_a_recording_needs_a_model(project: Path) -> None:
    code, _, fault = evaluate(project, "--record")
    assert (code, fault and fault.message) == (2, "--record has nothing to record")


FLEET = """
servers:
  shelf: {kind: python, code: "eval_shelf:server", owner: o, support: "#s", access: everyone, on_call: "#s"}
  other: {kind: knowledge, owner: o, support: "#s", access: everyone, on_call: "#s"}
"""


def test_a_server_of_a_fleet_file_is_found_by_its_name_if_it_has_code(project: Path) -> None:
    (project / "fleet.yaml").write_text(FLEET)
    assert evaluate(project, "--model", "test", "--server", "shelf")[0] == 0
    for name in ("other", "none"):
        code, _, fault = evaluate(project, "--model", "test", "--server", name)
        assert fault is not None, name
        assert (code, fault.message) == (4, f"{project / 'fleet.yaml'} has no server {name!r} with code of its own")


def test_a_file_says_which_server_it_is_about(project: Path) -> None:
    (project / "pyproject.toml").unlink()
    code, _, fault = evaluate(project, "--model", "test")
    assert (code, fault and fault.code) == (2, "no-project")
    file = project / "evals.yaml"
    file.write_text(f"server: eval_shelf:server\n{file.read_text()}")
    assert evaluate(project, "--model", "test")[0] == 0
