"""The author's road, in its order: `pierhead new`, `dev`, `eval`, `publish`.

Not here: `check`, which is for anybody's server.
"""

import typer

from pierhead.apps.cli import dev, evals, new, publish


def register(app: typer.Typer) -> None:
    for command in (new, dev, evals, publish):
        command.register(app)
