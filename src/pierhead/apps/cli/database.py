"""`pierhead db upgrade|check` and `pierhead backup create|restore|verify`: the platform's own database."""

import sys
from pathlib import Path
from typing import Annotated, Final

import typer

from pierhead.apps.cli.frame import ConfigOption, DataOption, JsonOption, Output, OutputOption, emit, settings_of, show

_BEHIND: Final = 5

_File = Annotated[Path, typer.Argument(help="The backup's file.")]

db_app = typer.Typer(help="The schema of the platform's own database.", no_args_is_help=True)
backup_app = typer.Typer(help="Everything an installation knows, in one signed file.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    app.add_typer(db_app, name="db")
    app.add_typer(backup_app, name="backup")


@db_app.command("check")
def check(
    output: OutputOption = Output.TABLE,
    as_json: JsonOption = False,
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """Say which migrations the database still needs: exit code 0 for none, 5 if it is behind. Changes nothing.

    Examples: pierhead db check; pierhead db check --json
    """
    import asyncio  # noqa: PLC0415 - see the package's docstring

    from pierhead.bootstrap.wire_database import steps_to_come  # noqa: PLC0415

    steps = asyncio.run(steps_to_come(settings_of(data, config).settings))
    if steps or as_json or output is not Output.TABLE:
        show([{"step": step} for step in steps], ("step",), output, json=as_json)
    if steps:
        raise typer.Exit(_BEHIND)
    print("ok: the schema is that of this program", file=sys.stderr)


@db_app.command("upgrade")
def upgrade(data: DataOption = None, config: ConfigOption = None) -> None:
    """Bring the database to the schema of this program, in one transaction. A registry does the same at its start.

    Examples: pierhead db upgrade; pierhead db upgrade --data /srv/pierhead
    """
    import asyncio  # noqa: PLC0415

    from pierhead.bootstrap.wire_database import bring_up_to_date  # noqa: PLC0415

    for step in asyncio.run(bring_up_to_date(settings_of(data, config).settings)):
        print(f"done: {step}", file=sys.stderr)


@backup_app.command("create")
def create(file: _File, data: DataOption = None, config: ConfigOption = None) -> None:
    """Write a signed backup: database, journals, fleet file and, under a passphrase, the keys. The platform may run.

    The passphrase is the setting backup.passphrase; without one the backup holds no keys.
    Examples: pierhead backup create monday.tar.gz; pierhead backup create /backups/$(date +%F).tar.gz
    """
    from pierhead.bootstrap.wire_backup import create as make  # noqa: PLC0415

    made = make(settings_of(data, config).settings, file)
    if not made.has_keys:
        print(
            "note: without backup.passphrase the keys are left out; a restore elsewhere makes new ones", file=sys.stderr
        )
    print(f"ok: {sum(made.rows.values())} rows of {len(made.rows)} tables in {made.path}", file=sys.stderr)


@backup_app.command("verify")
def verify(
    file: _File,
    output: OutputOption = Output.TABLE,
    as_json: JsonOption = False,
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """Check a backup's signature, every digest, and every hash chain in it. Needs no platform.

    Examples: pierhead backup verify monday.tar.gz; pierhead backup verify monday.tar.gz --json
    """
    from dataclasses import asdict  # noqa: PLC0415

    from pierhead.bootstrap.wire_backup import check as check_backup  # noqa: PLC0415

    found = asdict(check_backup(file, settings_of(data, config).settings.platform.data.resolve()))
    if as_json or output is not Output.TABLE:
        emit(found, output, json=as_json)
    else:
        show(
            [{"what": name.replace("_", " "), "found": value} for name, value in found.items()],
            ("what", "found"),
            output,
            json=False,
        )


@backup_app.command("restore")
def restore(
    file: _File,
    yes: Annotated[bool, typer.Option("--yes", help="Replace what is there; old files are moved aside.")] = False,
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """Put a backup back, into SQLite or the database that is set. The platform must not run.

    The chain is checked first. Policy goes on above every revision known here, so that gateways take it.
    Examples: pierhead backup restore monday.tar.gz --data /srv/new; pierhead backup restore monday.tar.gz --yes
    """
    from pierhead.bootstrap.wire_backup import restore as put_back  # noqa: PLC0415

    restored = put_back(settings_of(data, config).settings, file, overwrite=yes)
    for path in restored.aside:
        print(f"note: what was there is now {path}", file=sys.stderr)
    if not restored.has_keys:
        print("note: the backup holds no keys; people sign in again, programs need new tokens", file=sys.stderr)
    rows, revision = sum(restored.rows.values()), restored.policy_revision
    print(
        "note: clients that people let in no more since then are let in again; see pierhead consents", file=sys.stderr
    )
    print(f"ok: {rows} rows restored; policy goes on at revision {revision}", file=sys.stderr)
