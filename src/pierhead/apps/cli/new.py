"""`pierhead new NAME`: a project that runs, with its tests; and the same project brought to a later template."""

from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    app.command("new")(new)


def new(
    name: Annotated[str, typer.Argument(help="The server's name; with --update the project's folder.")],
    template: Annotated[str, typer.Option("--template", help="plain, sql, http or spark-like.")] = "plain",
    folder: Annotated[Path | None, typer.Option("--folder", help="Where to make it. Default: ./NAME")] = None,
    owner: Annotated[str, typer.Option("--owner", help="The team that answers for it.")] = "your-team",
    support: Annotated[str, typer.Option("--support", help="Where people ask about it.")] = "#your-team",
    group: Annotated[str, typer.Option("--group", help="The group whose people may use it.")] = "staff",
    runbook: Annotated[str, typer.Option("--runbook", help="https://... for whoever is called out.")] = "",
    update: Annotated[bool, typer.Option("--update", help="Bring a project to this version's template.")] = False,
) -> None:
    """Make a server's project: tools, tests, fleet file, image, checks, threat checklist.

    Examples: pierhead new lunch; pierhead new shop --template sql --owner shop --group sales; pierhead new . --update
    """
    from pierhead.bootstrap.new_project import Answers, new_project, update_project  # noqa: PLC0415 - only now

    if update:
        done = update_project(Path(name))
        print("\n".join([f"wrote {each}" for each in done.written] + [f"wrote {each}.new" for each in done.beside]))
        print(
            "up to date; what you changed is as it was, the template's text beside it" if done.beside else "up to date"
        )
        return
    place = folder or Path(name)
    made = new_project(place, Answers(name, template, owner, support, group, runbook))
    print("\n".join(f"{place / each}" for each in made))
    steps = (f"cd {place}", "python -m pytest", "pierhead check .", "pierhead dev", "pierhead up --fleet fleet.yaml")
    print("\n  ".join(("\nNext:", *steps)))
