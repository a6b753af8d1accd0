"""`pierhead check TARGET`: the MCP Security Standard over a server, its tokens, its difference from what is registered.

Exit code 8 if something blocks. Not here: the rules (docs/reference/security-standard.md).
"""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, cast

import typer

from pierhead.apps.cli.access import data_of
from pierhead.apps.cli.frame import ConfigOption, DataOption, JsonOption, Output, OutputOption, emit, show
from pierhead.core.standard import State

if TYPE_CHECKING:
    from pierhead.usecases.check_standard import Report

_CHECK_FAILED: Final = 8


def register(app: typer.Typer) -> None:
    app.command("check")(check)


def check(
    target: Annotated[str, typer.Argument(help="A server of the fleet file, MODULE:NAME, a folder, or a file.")],
    fleet: Annotated[Path | None, typer.Option("--fleet", help="The fleet file. Default: the demo fleet.")] = None,
    beside: Annotated[
        list[Path] | None, typer.Option("--with", help="Another file of it: Dockerfile, YAML, lock; repeatable.")
    ] = None,
    waivers: Annotated[Path | None, typer.Option("--waivers", help="Default: waivers.yaml beside the target.")] = None,
    against: Annotated[
        Path | None, typer.Option("--against", help="An earlier answer to tools/list, to tell the class of the change.")
    ] = None,
    person: Annotated[str, typer.Option("--as", help="Ask the platform, as them, for the registered version.")] = "",
    live: Annotated[bool, typer.Option("--live", help="Start it on loopback, and ask it: writes nothing.")] = False,
    inputs: Annotated[int, typer.Option("--inputs", min=1, max=5000, help="With --live: odd inputs a tool.")] = 500,
    everything: Annotated[bool, typer.Option("--all", help="Show the rules that hold, too.")] = False,
    output: OutputOption = Output.TABLE,
    as_json: JsonOption = False,
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """Check a server by the MCP Security Standard. Exit code 8 if something blocks its approval.

    Examples: pierhead check warehouse; pierhead check lunch:server --as bob; pierhead check tools.json -o json
    """
    from pierhead.bootstrap.wire_check import CheckAsked, run_check  # noqa: PLC0415 - see the package's docstring
    from pierhead.bootstrap.wire_commands import api  # noqa: PLC0415
    from pierhead.bootstrap.wire_platform import demo_fleet, prepare_demo  # noqa: PLC0415

    place = data_of(data, config)
    if fleet is None and not Path(target).exists() and ":" not in target:
        prepare_demo(place)
    asked = CheckAsked(
        target=target,
        fleet=fleet or demo_fleet(),
        data=place,
        today=today(),
        beside=tuple(beside or ()),
        waivers=waivers,
        against=against,
        inputs=inputs if live else 0,
    )
    report = run_check(asked, api(place, person) if person else None)
    _show(report, output, everything=everything, as_json=as_json)
    if report.blocks:
        raise typer.Exit(_CHECK_FAILED)


def today() -> date:
    return datetime.now(UTC).date()  # noqa: TID251 - waivers end on a day of the calendar


def _show(report: "Report", output: Output, *, everything: bool, as_json: bool) -> None:
    from pierhead.usecases.check_standard import report_to_form  # noqa: PLC0415

    form = cast("dict[str, Any]", report_to_form(report))
    if as_json or output is not Output.TABLE:
        emit(form, output, json=as_json)
        return
    show(list(_rows(form, everything=everything)), ("rule", "state", "place", "what", "fix"), output, json=False)
    tokens = form["tokens"]
    if tokens["tools"]:
        rows = [{"tool": name, "tokens": weight} for name, weight in tokens["tools"].items()]
        rows.append({"tool": "all together", "tokens": tokens["total"]})
        show(rows, ("tool", "tokens"), output, json=False)
    if form["change"]:
        print(f"change against {form['change']['registered'] or 'nothing'}: {form['change']['class']}")
        print("\n".join(f"  {said}" for said in form["change"]["told"]), end="\n" if form["change"]["told"] else "")
    for waiver in form["unused_waivers"]:
        print(f"waiver of {waiver['rule']} until {waiver['until']} answers nothing: take it out, or renew it")
    if not everything:
        _tell_unseen(form)
    print(", ".join(f"{count} {state}" for state, count in form["counts"].items() if count))


def _tell_unseen(form: dict[str, Any]) -> None:
    """The rules that nobody could look at, by what they would need."""
    unseen: dict[str, list[str]] = {}
    for rule in form["rules"]:
        if rule["state"] == State.UNASSESSED:
            needs = "; ".join(f"{look}: {why}" for look, why in rule["missing"].items())
            unseen.setdefault(needs, []).append(rule["id"])
    for needs, rules in unseen.items():
        print(f"not assessed ({needs}): {', '.join(rules)}")


def _rows(form: dict[str, Any], *, everything: bool) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for rule in form["rules"]:
        head = {"rule": f"{rule['id']} {rule['severity']}", "state": rule["state"]}
        rows += [{**head, "rule": f"{rule['id']} {found['severity']}", **found} for found in rule["findings"]]
        for found in rule["waived"]:
            waiver = found["waiver"]
            said = f"waived by {waiver['owner']} until {waiver['until']}: {waiver['reason']}"
            rows.append(
                {**head, "state": str(State.WAIVED), "place": found["place"], "what": found["what"], "fix": said}
            )
        if everything and not rule["findings"] and not rule["waived"]:
            missing = "; ".join(f"{look}: {why}" for look, why in rule["missing"].items())
            rows.append({**head, "place": "", "what": rule["title"], "fix": missing})
    return rows
