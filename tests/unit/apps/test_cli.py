"""The command line without a platform: arguments, formats, errors in four lines, exit codes, a fast start."""

import json
import subprocess
import sys

import pytest
import typer

from pierhead.apps.cli.access import seconds
from pierhead.apps.cli.call import arguments_of, pairs, show_result
from pierhead.apps.cli.frame import Output, run
from pierhead.apps.cli.record import time_ago
from pierhead.core.errors import Invalid

HEAVY = ("mcp", "sqlalchemy", "starlette", "pydantic", "uvicorn", "httpx2", "rich.table")
SCHEMA = {
    "properties": {
        "sql": {"type": "string"},
        "limit": {"type": "integer"},
        "deep": {"anyOf": [{"type": "object"}, {"type": "null"}]},
        "either": {"anyOf": [{"type": "integer"}, {"type": "string"}]},
    }
}


def pierhead(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "pierhead.apps.cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_values_are_read_as_the_tools_schema_types_them() -> None:
    given = pairs(["sql=select 1 = 1", "limit=5", 'deep={"a": 1}', "either=7", "unknown=3"])
    read = arguments_of(given, "", SCHEMA)
    assert read == {"sql": "select 1 = 1", "limit": 5, "deep": {"a": 1}, "either": "7", "unknown": "3"}


def test_a_pair_wins_over_the_json_object() -> None:
    assert arguments_of({"limit": "5"}, '{"limit": 1, "sql": "x"}', SCHEMA) == {"limit": 5, "sql": "x"}


@pytest.mark.parametrize("argument", ["novalue", "=x"])
def test_an_argument_without_its_name_or_sign_is_refused(argument: str) -> None:
    with pytest.raises(Invalid, match="cannot read the argument"):
        pairs([argument])


def test_an_argument_given_twice_is_refused() -> None:
    with pytest.raises(Invalid):
        pairs(["a=1", "a=2"])


@pytest.mark.parametrize("text", ["[1]", "{", "null"])
def test_arguments_must_be_one_json_object(text: str) -> None:
    with pytest.raises(Invalid, match="no JSON object"):
        arguments_of({}, text, {})


def test_times_are_read_with_their_unit_and_bounded() -> None:
    assert (seconds("30s"), seconds("15m"), seconds("1h")) == (30, 900, 3600)
    for text in ("", "h", "15", "0m", "13h", "-1h", "1w"):
        with pytest.raises(Invalid):
            seconds(text)
    assert time_ago("0m") - time_ago("1h") == pytest.approx(3600, abs=5)


def test_an_error_has_four_lines_and_its_exit_code() -> None:
    answer = pierhead("connect", "nobody")
    assert answer.returncode == 2
    assert [line.split(":")[0] for line in answer.stderr.splitlines()] == ["error", "cause", "hint", "docs"]
    assert not answer.stdout


def test_a_command_of_the_platform_says_what_it_lacks(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["pierhead"])

    def lacking(name: str) -> typer.Typer:
        app = typer.Typer(pretty_exceptions_enable=False)

        @app.command()
        def up() -> None:
            raise ModuleNotFoundError(name=name)

        return app

    assert run(lacking("joserfc")) == 2
    said = capsys.readouterr().err
    assert "error: this command needs joserfc, which is not installed" in said
    assert "hint: pip install 'pierhead[all]'" in said
    assert run(lacking("pydantic_evals")) == 2
    assert "hint: pip install 'pierhead[eval]'" in capsys.readouterr().err
    with pytest.raises(ModuleNotFoundError):
        run(lacking("pierhead.nothing"))


def test_a_misspelt_command_is_answered_with_the_nearest() -> None:
    answer = pierhead("cal")
    assert answer.returncode == 2
    assert "Did you mean 'call'?" in answer.stderr


def test_settings_are_shown_as_a_table_as_json_and_as_yaml() -> None:
    assert "platform.port" in pierhead("config", "show").stdout
    rows = json.loads(pierhead("config", "show", "--json").stdout)
    assert {"setting": "platform.host", "value": "127.0.0.1", "origin": "default"} in rows
    assert "- setting: platform.host" in pierhead("config", "show", "-o", "yaml").stdout


def test_the_schema_of_the_settings_is_json() -> None:
    assert json.loads(pierhead("config", "schema").stdout)["additionalProperties"] is False


def test_the_start_imports_nothing_heavy() -> None:
    probe = "import sys; from pierhead.apps.cli import application; application(); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True).stdout.split()
    assert not set(HEAVY) & set(loaded)


def test_rows_are_a_table_where_a_person_reads_them(capsys: pytest.CaptureFixture[str]) -> None:
    result = {"columns": [{"name": "carrier"}, {"name": "n"}], "rows": [["UA", 58665]], "notice": "cut after 1 row"}
    show_result(result, Output.TABLE)
    told = capsys.readouterr()
    assert "carrier" in told.out
    assert "58665" in told.out
    assert "{" not in told.out
    assert told.err == "cut after 1 row\n"


@pytest.mark.parametrize("result", [{"n": 1}, "plain", {"columns": [{"name": "a"}, {"name": "a"}], "rows": [[1, 2]]}])
def test_what_is_no_table_is_a_document(result: object, capsys: pytest.CaptureFixture[str]) -> None:
    show_result(result, Output.TABLE)
    assert json.loads(capsys.readouterr().out) == result
