"""`pierhead policy simulate`: what a fleet file would change, if it were in force in place of what is.

Asks the running platform as somebody, since the recorded calls are there. Not here: the comparison
(`usecases/simulate_policy`).
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from pierhead.apps.cli.access import data_of
from pierhead.apps.cli.frame import ConfigOption, DataOption, JsonOption, Output, OutputOption, emit, show
from pierhead.apps.cli.life import AsOption, client_of

FOUND_CHANGES: Final = 10
_CALLS: Final = ("moved", "who", "surface", "server", "tool", "before", "after", "calls", "why")
_REACH: Final = ("moved", "who", "server", "tool", "before", "after", "why")
_NOT_JUDGED: Final = ("what", "calls", "why")


def register(policy_app: typer.Typer) -> None:
    policy_app.command("simulate")(simulate)


def simulate(
    fleet: Annotated[Path, typer.Option("--fleet", help="The fleet file as it might be.")],
    since: Annotated[str, typer.Option("--since", help="Whose calls are replayed: 24h, 7d, 30d.")] = "7d",
    person: AsOption = "",
    output: OutputOption = Output.TABLE,
    as_json: JsonOption = False,
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """Show which recorded calls and which people a fleet file would decide otherwise; exit code 10 if any.

    Nothing is changed. The servers that the file does not name stay as they are.

    Examples: pierhead policy simulate --fleet new.yaml --as carol;
    pierhead policy simulate --fleet new.yaml --since 30d --as carol --json
    """
    from pierhead.bootstrap.fleet import load  # noqa: PLC0415 - see the package's docstring

    proposed = load(fleet, data_of(data, config))
    people = {name: sorted(groups) for name, groups in proposed.people.items()} or None
    policies = [{"name": each.name, "text": each.text} for each in proposed.policies] or None
    body = {"servers": proposed.documents, "people": people, "policies": policies, "since": since}
    found: dict[str, Any] = client_of(person, data, config).ask("POST", "/policy/simulate", body)
    if as_json or output is not Output.TABLE:
        emit(found, output, json=as_json)
    else:
        _show(found)
    raise typer.Exit(FOUND_CHANGES if found["changes"] or found["reach"] else 0)


def _show(found: Mapping[str, Any]) -> None:
    for title, member, columns in (
        ("Recorded calls that would be decided otherwise", "changes", _CALLS),
        ("Everyone who is known: what they would gain or lose", "reach", _REACH),
        ("Not judged", "not_judged", _NOT_JUDGED),
    ):
        if found[member]:
            print(f"{title}:")
            show(found[member], columns, Output.TABLE, json=False)
    calls = sum(each["calls"] for each in found["changes"])
    who = {each["who"] for each in (*found["changes"], *found["reach"])}
    print(f"{calls} of {found['judged_calls']} judged calls would be decided otherwise; {len(who)} callers are touched")
    if found["is_cut"]:
        print("there is more than is judged at once: name fewer servers, or a shorter time")
