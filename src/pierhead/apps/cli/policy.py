"""`pierhead policy explain`: what would be decided on a call, by which rules, and as what SQL it would run."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, cast

import typer

from pierhead.apps.cli import policy_access, policy_cases, policy_simulate
from pierhead.apps.cli.frame import ConfigOption, DataOption, JsonOption, Output, OutputOption, emit, settings_of
from pierhead.core.errors import Invalid

if TYPE_CHECKING:
    from pierhead.bootstrap.settings import Settings
    from pierhead.bootstrap.wire_explain import Question
    from pierhead.usecases.explain_decision import Explanation

_PERMITTED: Final = "permitted"

policy_app = typer.Typer(help="What is decided, and why.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    policy_cases.register(policy_app)
    policy_simulate.register(policy_app)
    policy_access.register(policy_app)
    app.add_typer(policy_app, name="policy")


@policy_app.command("explain")
def explain(
    person: Annotated[str, typer.Option("--as", help="The person, as the fleet file names them.")] = "",
    server: Annotated[str, typer.Option("--server", help="The server.")] = "",
    tool: Annotated[str, typer.Option("--tool", help="The tool. Default: only whether the server is reached.")] = "",
    args: Annotated[
        str, typer.Option("--args", help="The read that is meant, as JSON: of run_query, query_table.")
    ] = "",
    role: Annotated[str, typer.Option("--role", help="The role to act in, where several are held.")] = "",
    db: Annotated[str, typer.Option("--db", help="Instead of a server: a database, as serve would serve it.")] = "",
    roles: Annotated[Path | None, typer.Option("--roles", help="With --db. Default: DATA/roles.yaml")] = None,
    claim: Annotated[
        list[str] | None, typer.Option("--claim", help="With --db, what its rules ask: region=EU.")
    ] = None,
    output: OutputOption = Output.TABLE,
    as_json: JsonOption = False,
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """Print what would be decided on a call, with every rule that took part; with --args, the SQL that would run.

    Nothing runs; a server that is asked records it. Row rules stand in the SQL by name.
    Examples: pierhead policy explain --as bob --server warehouse --tool run_query --args '{"sql": "SELECT 1"}';
    pierhead policy explain --db sqlite:///shop.db --role local --tool query_table --args '{"table": "orders"}'
    """
    from pierhead.bootstrap.wire_explain import Question  # noqa: PLC0415 - see the package's docstring

    settings = settings_of(data, config).settings
    question = Question.of(tool, read_arguments(args), role) if args else None
    if db:
        document = _of_database(settings, db, roles, claim or [], question)
    elif person and server:
        document = _of_fleet(settings, person, server, tool, question)
    else:
        raise Invalid("nobody and nothing is named", hint="add --as PERSON --server NAME, or --db URL --role ROLE")
    if as_json or output is not Output.TABLE:
        emit(document, output, json=as_json)
        return
    _show(document)


def read_arguments(text: str) -> Mapping[str, Any]:
    """Errors: Invalid, for what is no JSON object."""
    try:
        found: object = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise Invalid("--args is no JSON object", hint="""write --args '{"sql": "SELECT …"}'""")
    return cast("dict[str, Any]", found)


def _of_database(
    settings: "Settings", db: str, roles: Path | None, claims: list[str], question: "Question | None"
) -> dict[str, Any]:
    from pierhead.apps.cli.key import claims_of  # noqa: PLC0415
    from pierhead.bootstrap.database_url import database_url  # noqa: PLC0415
    from pierhead.bootstrap.roles_file import default_place  # noqa: PLC0415
    from pierhead.bootstrap.wire_explain import ServedAlone, explained_alone  # noqa: PLC0415
    from pierhead.core.claims import parse_claims  # noqa: PLC0415

    if question is None or not question.role:
        raise Invalid("a database is asked about one read in one role", hint="add --role, --tool and --args")
    place = settings.platform.data.resolve()
    file = roles or default_place(place)
    served = ServedAlone(
        database_url(db, settings),
        place,
        file if roles or file.exists() else None,
        parse_claims(claims_of(claims)),
        settings.platform.surface,
        settings.platform.environment,
    )
    return {"statement": explained_alone(served, question)}


def _of_fleet(settings: "Settings", person: str, server: str, tool: str, question: "Question | None") -> dict[str, Any]:
    """The platform's decision; and where that is not a no, the server's own on the arguments."""
    from pierhead.bootstrap.wire_commands import console  # noqa: PLC0415
    from pierhead.bootstrap.wire_explain import explained_in_fleet  # noqa: PLC0415
    from pierhead.usecases.explain_decision import explain_decision  # noqa: PLC0415

    here = console(settings.platform.data)
    found = explain_decision(here.caller(person), server, tool, here.policy())
    document = _decided(found)
    if question is not None and found.decision != "refuse":
        document["statement"] = explained_in_fleet(here, person, server, question)
    return document


def _decided(found: "Explanation") -> dict[str, Any]:
    return {
        "decision": found.decision,
        "approval": str(found.approval),
        "why": found.sentence,
        "whom_to_ask": found.whom_to_ask,
        "policy_revision": found.revision,
        "rules": [
            {"effect": str(rule.effect), "question": str(rule.question), "rule": rule.rule, "says": rule.sentence}
            for rule in found.reasons
        ],
    }


def _show(document: Mapping[str, Any]) -> None:
    if "decision" in document:
        print(f"{document['decision']}: {document['why']} (policy revision {document['policy_revision']})")
        for rule in document["rules"]:
            print(f"  {rule['effect']:<7} {rule['question']:<6} {rule['rule']:<32} {rule['says']}")
        if document["decision"] == "refuse":
            print(f"  {document['whom_to_ask']}")
    if "statement" in document:
        _show_statement(document["statement"])


def _show_statement(statement: Mapping[str, Any]) -> None:
    acting = f", as role {statement['role']}" if statement["role"] else ""
    print(f"{statement['verdict']}{acting}")
    for reason in statement["reasons"]:
        print(f"  {reason}")
    if statement["verdict"] == _PERMITTED:
        estimate: Mapping[str, Any] | None = statement["estimate"]
        if estimate is not None and estimate["rows"] is not None:
            print(f"  the engine expects {estimate['rows']} rows")
        print(f"  would run: {statement['sql']}")
