"""`pierhead contract lock|diff|accept`: the schema that clients were promised, and what became of it."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, TypeVar

import typer

from pierhead.apps.cli.frame import ConfigOption, DataOption, JsonOption, Output, OutputOption, settings_of, show
from pierhead.core.errors import Conflict, Invalid

if TYPE_CHECKING:
    from pierhead.sdk.database import Change, Database

_DRIFTED: Final = 5
_MODES: Final = ("off", "warn", "strict")

_Db = Annotated[str, typer.Option("--db", help="The database's url. Default: the setting serve.db")]
_File = Annotated[Path | None, typer.Option("--contract", help="The locked schema. Default: DATA/contracts/NAME.json")]

Answer = TypeVar("Answer")

contract_app = typer.Typer(help="The schema that a database's clients were promised.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    app.add_typer(contract_app, name="contract")


@contract_app.command("lock")
def lock(
    db: _Db = "",
    mode: Annotated[str, typer.Option("--mode", help="What follows from a difference: off, warn or strict.")] = "warn",
    contract: _File = None,
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """Write down the schema as it is. From then on what is added stays hidden until it is accepted.

    `warn` says that the schema has changed, `strict` also withholds tables that broke.
    Examples: pierhead contract lock --db sqlite:///shop.db; pierhead contract lock --db sqlite:///shop.db --mode strict
    """
    if mode not in _MODES:
        raise Invalid(f"no mode {mode!r}", hint=f"known: {', '.join(_MODES)}")

    def locked(database: "Database", file: Path) -> None:
        if file.exists() and database.changes(file):
            message = f"the schema is not the one that {file} locks"
            raise Conflict(message, hint="see: pierhead contract diff; then: pierhead contract accept")
        database.lock(file, mode)

    _with_database(db, contract, data, config, locked)


@contract_app.command("diff")
def diff(
    db: _Db = "",
    contract: _File = None,
    output: OutputOption = Output.TABLE,
    as_json: JsonOption = False,
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """Show how the schema differs from the locked one: exit code 5 if it does.

    Example: pierhead contract diff --db sqlite:///shop.db
    """
    changes = _with_database(db, contract, data, config, lambda database, file: database.changes(file))
    _show(changes, output, as_json=as_json)
    if changes:
        raise typer.Exit(_DRIFTED)


@contract_app.command("accept")
def accept(
    db: _Db = "",
    contract: _File = None,
    output: OutputOption = Output.TABLE,
    as_json: JsonOption = False,
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """Lock the schema as it is now, and show what that accepts. A running `serve` follows within seconds.

    Example: pierhead contract accept --db sqlite:///shop.db
    """

    def accepted(database: "Database", file: Path) -> "tuple[Change, ...]":
        changes = database.changes(file)
        database.lock(file, "")
        return changes

    _show(_with_database(db, contract, data, config, accepted), output, as_json=as_json)


def _show(changes: "tuple[Change, ...]", output: Output, *, as_json: bool) -> None:
    rows = [{"kind": change.kind, "table": change.table, "change": change.said} for change in changes]
    if rows or as_json or output is not Output.TABLE:
        show(rows, ("kind", "table", "change"), output, json=as_json)


def _with_database(
    db: str,
    contract: Path | None,
    data: Path | None,
    config: Path | None,
    work: "Callable[[Database, Path], Answer]",
) -> Answer:
    """Do the work on the open database, with the place of its contract."""
    import asyncio  # noqa: PLC0415 - see the package's docstring

    from pierhead.bootstrap.database_url import database_url  # noqa: PLC0415
    from pierhead.bootstrap.wire_serve import contract_file, opened_database  # noqa: PLC0415

    settings = settings_of(data, config).settings
    url = database_url(db, settings)
    file = contract or contract_file(settings.platform.data.resolve(), url)

    async def main() -> Answer:
        async with opened_database(url) as database:
            return work(database, file)

    return asyncio.run(main())
