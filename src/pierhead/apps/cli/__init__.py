"""The command line: `pierhead NOUN VERB`. A module per noun; what is heavy is imported when a command runs.

Data goes to stdout, talk to stderr. Every error has four lines and an exit code (docs/reference/cli.md). Below:
`bootstrap` gives the commands all they need of the outside.
"""

from collections.abc import Sequence
from functools import cache
from typing import Annotated, Protocol

import typer


class Commands(Protocol):
    """A module of commands."""

    def register(self, app: typer.Typer) -> None: ...


def main() -> None:
    """The console script."""
    import sys  # noqa: PLC0415 - nothing is imported before it is needed

    from pierhead.apps.cli.frame import run  # noqa: PLC0415

    sys.exit(run(application()))


@cache
def application() -> typer.Typer:
    """The commands that work. One that a later version brings is absent, not a stub.

    Made once: nouns are of their modules, and would hold every command again.
    """
    app = typer.Typer(
        name="pierhead",
        help="Internal systems in the hands of AI agents: governed, approved, recorded, measured.",
        no_args_is_help=True,
        invoke_without_command=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_root)
    for module in _modules():
        module.register(app)
    return app


def _modules() -> Sequence[Commands]:
    """Every noun, in the order of the help."""
    from pierhead.apps.cli import (  # noqa: PLC0415
        access,
        approvals,
        call,
        check,
        config,
        connect,
        consents,
        contract,
        database,
        doctor,
        export,
        inspect,
        key,
        mesh,
        people,
        policy,
        programs,
        record,
        road,
        serve,
        server,
    )

    return (
        programs,
        road,
        serve,
        key,
        contract,
        access,
        connect,
        policy,
        export,
        mesh,
        call,
        approvals,
        consents,
        people,
        server,
        record,
        inspect,
        check,
        config,
        database,
        doctor,
    )


def _root(
    version: Annotated[bool, typer.Option("--version", help="Print the version.", is_eager=True)] = False,
) -> None:
    if version:
        from importlib.metadata import version as installed  # noqa: PLC0415 - only now

        print(f"pierhead {installed('pierhead')}")
        raise typer.Exit
