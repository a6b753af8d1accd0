"""`pierhead policy who-can` and `policy review`: who may reach what, through anything, from the policy in force.

Asks the running platform as somebody: auditors see everything, owners what they own. Not here: what a grant is
(`usecases/review_access`).
"""

import csv
import sys
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final
from urllib.parse import urlencode

import typer

from pierhead.apps.cli.frame import ConfigOption, DataOption, JsonOption, Output, OutputOption, emit, show
from pierhead.apps.cli.life import AsOption, client_of
from pierhead.core.errors import Invalid

_COLUMNS: Final = ("who", "server", "tool", "effect", "decision", "approval", "role", "bounds", "last_used")
_CSV: Final = (
    *("who", "kind", "server", "tool", "effect", "decision", "approval", "surfaces", "environments", "bounds"),
    *("role", "operations", "owner", "last_used"),
)
_FORMULAS: Final = ("=", "+", "-", "@", "\t", "\r")

_Server = Annotated[str, typer.Option("--server", help="Only on this server.")]


def register(policy_app: typer.Typer) -> None:
    policy_app.command("who-can")(who_can)
    policy_app.command("review")(review)


def who_can(
    tool: Annotated[str, typer.Option("--tool", help="Who may use a tool of this name, on any server.")] = "",
    table: Annotated[str, typer.Option("--table", help="Who may read or write this table, through any server.")] = "",
    server: _Server = "",
    person: AsOption = "",
    output: OutputOption = Output.TABLE,
    as_json: JsonOption = False,
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """Show everyone who may use a tool, or reach a table, through anything; by the names in the rules.

    Examples: pierhead policy who-can --tool run_query --as carol; pierhead policy who-can --table flights --as carol
    """
    if bool(tool) == bool(table):
        raise Invalid("name a tool or a table", hint="add --tool NAME, or --table NAME")
    client = client_of(person, data, config)
    found: dict[str, Any] = client.ask("GET", _path(server=server, tool=tool, table=table))
    if as_json or output is not Output.TABLE:
        emit(found, output, json=as_json)
        return
    show(found["grants"], _COLUMNS, Output.TABLE, json=False)
    _end(found)


def review(
    server: _Server = "",
    as_csv: Annotated[bool, typer.Option("--csv", help="Write CSV, for a spreadsheet.")] = False,
    person: AsOption = "",
    output: OutputOption = Output.TABLE,
    as_json: JsonOption = False,
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """Write an access review: who may reach what with which tools, effect and approval, owner, last use.

    Examples: pierhead policy review --as carol; pierhead policy review --csv --as carol > review.csv
    """
    found: dict[str, Any] = client_of(person, data, config).ask("GET", _path(server=server))
    if as_csv:
        _write_csv(found["grants"])
    elif as_json or output is not Output.TABLE:
        emit(found, output, json=as_json)
        return
    else:
        show(found["grants"], _COLUMNS, Output.TABLE, json=False)
    _end(found)


def _path(**members: str) -> str:
    given = {name: value for name, value in members.items() if value}
    return f"/access?{urlencode(given)}" if given else "/access"


def _end(found: Mapping[str, Any]) -> None:
    """What the list does not hold; on stderr, so that a file of it holds rows alone."""
    for each in found["not_judged"]:
        print(f"not judged: {each}", file=sys.stderr)
    if found["is_cut"]:
        print("there are more grants than are told at once: name a server", file=sys.stderr)


def _write_csv(rows: Sequence[Mapping[str, Any]]) -> None:
    writer = csv.writer(sys.stdout)
    writer.writerow(_CSV)
    writer.writerows([_cell(row[name]) for name in _CSV] for row in rows)


def _cell(value: object) -> str:
    """No cell is a formula, whoever opens it."""
    text = "; ".join(map(str, value)) if isinstance(value, list) else str(value or "")  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType] - of texts
    return f"'{text}" if text.startswith(_FORMULAS) else text
