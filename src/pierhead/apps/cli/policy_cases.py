"""`pierhead policy test`: cases of a policy, judged under a fleet file or under the running platform's policy.

Not here: what a case says (`bootstrap/policy_cases`), how it is judged (`usecases/judge_cases`).
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from pierhead.apps.cli.access import data_of
from pierhead.apps.cli.frame import ConfigOption, DataOption, JsonOption, Output, OutputOption, emit, show
from pierhead.core.errors import Invalid

if TYPE_CHECKING:
    from pierhead.usecases.judge_cases import Judged

_CHECK_FAILED: Final = 8
_COLUMNS: Final = ("case", "place", "expected", "got", "fault")


def register(policy_app: typer.Typer) -> None:
    policy_app.command("test")(judge)


def judge(
    files: Annotated[list[Path] | None, typer.Argument(help="Files of cases. Default: those the fleet names.")] = None,
    fleet: Annotated[
        Path | None, typer.Option("--fleet", help="Judge what this file declares. Default: what is in force.")
    ] = None,
    output: OutputOption = Output.TABLE,
    as_json: JsonOption = False,
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """Put cases to a policy: exit code 0 if all hold, 8 if not, with a table of those that fail.

    With --fleet nothing needs to run; without it, the running platform's policy is judged.

    Examples: pierhead policy test --fleet fleet.yaml; pierhead policy test cases.yaml --fleet fleet.yaml;
    pierhead policy test cases.yaml
    """
    place = data_of(data, config)
    judged = _of_file(fleet, files or [], place) if fleet is not None else _of_platform(place, files or [])
    if not judged:
        raise Invalid("there are no cases", hint="name a file of cases, or put tests: [cases.yaml] into the fleet file")
    failed = [each for each in judged if not each.is_good]
    if as_json or output is not Output.TABLE:
        emit([_form(each) for each in judged], output, json=as_json)
    elif failed:
        show([_line(each) for each in failed], _COLUMNS, Output.TABLE, json=False)
    if failed:
        typer.echo(f"{len(failed)} of {len(judged)} cases fail", err=True)
        raise typer.Exit(_CHECK_FAILED)
    if not as_json and output is Output.TABLE:
        print(f"ok: {len(judged)} cases")


def _of_file(fleet: Path, files: Sequence[Path], data: Path) -> "tuple[Judged, ...]":
    from pierhead.bootstrap.declared_policy import judged_fleet  # noqa: PLC0415 - see the package's docstring
    from pierhead.bootstrap.fleet import load  # noqa: PLC0415

    return judged_fleet(load(fleet, data), files)


def _of_platform(data: Path, files: Sequence[Path]) -> "tuple[Judged, ...]":
    from pierhead.bootstrap.policy_cases import read_cases  # noqa: PLC0415
    from pierhead.bootstrap.wire_commands import console  # noqa: PLC0415
    from pierhead.usecases.judge_cases import judge_cases  # noqa: PLC0415

    here = console(data)
    fleet = here.fleet()
    return judge_cases(read_cases(files or fleet.tests, fleet.people, fleet.claims), here.policy())


def _line(judged: "Judged") -> dict[str, Any]:
    case = judged.case
    return {
        "case": case.name,
        "place": case.place,
        "expected": case.expect,
        "got": judged.got,
        "fault": "; ".join(judged.faults),
    }


def _form(judged: "Judged") -> dict[str, Any]:
    return {
        **_line(judged),
        "name": judged.case.name,
        "is_good": judged.is_good,
        "as": judged.case.caller.name,
        "server": judged.case.server,
        "tool": judged.case.tool,
        "why": judged.why,
        "rules": judged.rules,
    }
