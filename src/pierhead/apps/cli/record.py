"""`pierhead audit tail|search|verify|export` and `pierhead impact`: the record, and what it adds up to."""

import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, Any, Final

import typer

from pierhead.apps.cli.access import data_of
from pierhead.apps.cli.frame import ConfigOption, DataOption, JsonOption, Output, OutputOption, emit, explain, show
from pierhead.core.errors import Invalid

_UNITS: Final = {"m": 60, "h": 3600, "d": 86400}
_CHECK_FAILED: Final = 8
_FOLLOW_S: Final = 0.5
_COLUMNS: Final = ("time", "who", "server", "tool", "decision", "outcome", "ms", "why")

_Since = Annotated[str, typer.Option("--since", help="How far back: 30m, 24h, 30d.")]

audit_app = typer.Typer(help="The record: who called what, and why it was permitted.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    app.add_typer(audit_app, name="audit")
    app.command("impact")(impact)


@audit_app.command("tail")
def tail(
    count: Annotated[int, typer.Option("--lines", "-n", min=1, max=1000, help="How many calls.")] = 20,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as calls come in, until Ctrl-C.")] = False,
    output: OutputOption = Output.TABLE,
    as_json: JsonOption = False,
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """Show the last calls, the newest last.

    Examples: pierhead audit tail; pierhead audit tail -n 5 -f
    """
    from pierhead.bootstrap.wire_records import records  # noqa: PLC0415 - see the package's docstring

    here = records(data_of(data, config))
    calls = here.calls({"limit": count})
    show([_row(call) for call in reversed(calls)], _COLUMNS, output, json=as_json)
    seen = {call["call_id"] for call in calls}
    while follow:
        time.sleep(_FOLLOW_S)
        fresh = [call for call in here.calls({"limit": count}) if call["call_id"] not in seen]
        for call in reversed(fresh):
            print("  ".join(str(_row(call)[column]) for column in _COLUMNS), flush=True)
        seen |= {call["call_id"] for call in fresh}


@audit_app.command("search")
def search(
    since: _Since = "24h",
    who: Annotated[str, typer.Option("--as", help="Only this caller's.")] = "",
    server: Annotated[str, typer.Option("--server", help="Only on this server.")] = "",
    tool: Annotated[str, typer.Option("--tool", help="Only of this tool.")] = "",
    decision: Annotated[str, typer.Option("--decision", help="permit, refuse or ask.")] = "",
    count: Annotated[int, typer.Option("--lines", "-n", min=1, max=1000, help="At most so many.")] = 200,
    output: OutputOption = Output.TABLE,
    as_json: JsonOption = False,
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """Find calls, the newest first.

    The formats beside the table keep every member, also what the server noted of the call.

    Examples: pierhead audit search --as bob --decision refuse; pierhead audit search --since 7d --json
    """
    from pierhead.bootstrap.wire_records import records  # noqa: PLC0415

    asked = {"since": time_ago(since), "principal": who, "server": server, "tool": tool, "decision": decision}
    calls = records(data_of(data, config)).calls({**asked, "limit": count})
    show([_row(call) for call in calls], _COLUMNS, output, json=as_json)


@audit_app.command("verify")
def verify(data: DataOption = None, config: ConfigOption = None) -> None:
    """Recompute every hash chain: exit code 0 if all are whole, 8 if not, naming the first broken record.

    Checks the journals on this disk and the registry's copy; the platform may run or not.
    Example: pierhead audit verify
    """
    import asyncio  # noqa: PLC0415

    from pierhead.bootstrap.wire_audit import verify as verify_all  # noqa: PLC0415

    found = asyncio.run(verify_all(data_of(data, config).resolve()))
    for chain in found.journals:
        print(f"journal   {chain.writer:<20} {chain.records:>8} records  {chain.broken or 'whole'}")
    if found.registry is not None:
        print(f"registry  {'every writer':<20} {found.registry.records:>8} records  {found.registry.broken or 'whole'}")
    if found.broken:
        hint = "keep the data directory as evidence; compare the journal with the registry's copy"
        explain("the record is not whole", found.broken, hint, "docs/explanation/audit.md")
        raise typer.Exit(_CHECK_FAILED)
    print(f"ok: {found.records} records")


@audit_app.command("export")
def export(data: DataOption = None, config: ConfigOption = None) -> None:
    """Write every record to stdout as JSON Lines, writer by writer, each line exactly as it was hashed.

    Example: pierhead audit export > audit.jsonl
    """
    from pierhead.bootstrap.wire_commands import console, kept_lines  # noqa: PLC0415

    for writer, line in kept_lines(console(data_of(data, config)).internal):
        sys.stdout.write(f'{{"writer":"{writer}","record":{line.decode()}}}\n')


def impact(
    since: _Since = "30d",
    output: OutputOption = Output.TABLE,
    as_json: JsonOption = False,
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """Show calls, active users and hours saved, by the plain formulas: gross, and from low to high.

    Examples: pierhead impact; pierhead impact --since 7d --json
    """
    from pierhead.bootstrap.wire_commands import console  # noqa: PLC0415

    found: dict[str, Any] = console(data_of(data, config)).internal.get("/impact", {"since": time_ago(since)})
    if as_json or output is not Output.TABLE:
        emit(found, output, json=as_json)
        return
    columns = ("server", "tool", "calls", "succeeded", "covered", "users", "minutes", "low", "high")
    show(found["tools"], columns, output, json=False)
    print(f"{found['invocations']} calls, {found['succeeded']} succeeded, {found['active_users']} active users")
    print(f"{found['hours']:.2f} hours saved, gross, of which {found['hours_autonomous']:.2f} by programs alone")
    print(f"  {found['formula']}")
    for line in _range(found):
        print(line)
    print(f"  {found['range_formula']}")
    print(f"  {found['method']}")


def _range(found: dict[str, Any]) -> Iterator[str]:
    covered = found["coverage"]
    if not covered:
        yield "no range: no call that counts had an estimate in date"
    else:
        low, high = found["hours_low"], found["hours_high"]
        yield f"from {low:.2f} to {high:.2f} hours, over {covered:.0%} of the calls that count"
    if found["expired"]:
        yield f"{found['expired']} calls ran on an estimate that had expired: they count 0 in the range"


def time_ago(text: str) -> float:
    """`24h` as the time it was then, in seconds since 1970-01-01 UTC. Errors: Invalid."""
    number, unit = text[:-1], text[-1:]
    if unit not in _UNITS or not number.isdecimal():
        raise Invalid(f"cannot read the time {text!r}", hint="write 30m, 24h or 30d")
    return max(0.0, datetime.now(UTC).timestamp() - int(number) * _UNITS[unit])  # noqa: TID251 - a person's "ago"


def _row(call: dict[str, Any]) -> dict[str, Any]:
    """One call as a line; the other formats keep every member."""
    at = datetime.fromtimestamp(call["at"], UTC).strftime("%Y-%m-%d %H:%M:%S")
    ms = None if call["duration_ms"] is None else round(call["duration_ms"], 1)
    return {**call, "time": at, "who": call["principal"], "ms": ms, "why": call["sentence"]}
