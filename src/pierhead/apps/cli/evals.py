"""`pierhead eval FILE`: whether a model finds its way with a server's tools, live or from what one said before.

Exit code 8 if a case failed, or the cassette is stale. Not here: cases, runs and judgements (`pierhead.testing`).
"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from pierhead.apps.cli.frame import JsonOption, Output, OutputOption, emit, show
from pierhead.core.errors import Invalid, NotFound

if TYPE_CHECKING:
    from pierhead.sdk.server import Server
    from pierhead.testing.eval_cases import EvalFile
    from pierhead.testing.eval_run import Ran, Speakers

_CHECK_FAILED: Final = 8


def register(app: typer.Typer) -> None:
    app.command("eval")(evaluate)


def evaluate(
    file: Annotated[Path, typer.Argument(help="The cases, as YAML.")],
    server: Annotated[str, typer.Option("--server", help="MODULE:NAME, or a name in the fleet file.")] = "",
    fleet: Annotated[Path | None, typer.Option("--fleet", help="Default: fleet.yaml beside the cases.")] = None,
    model: Annotated[str, typer.Option("--model", help="Ask this model, as provider:name. Default: replay.")] = "",
    record: Annotated[bool, typer.Option("--record", help="With --model: keep what it says beside the cases.")] = False,
    output: OutputOption = Output.TABLE,
    as_json: JsonOption = False,
) -> None:
    """Put cases to a model: which tool it chooses, with which arguments, what comes of it, and what that costs.

    Examples: pierhead eval evals.yaml; pierhead eval evals.yaml --record --model anthropic:claude-sonnet-4-5
    """
    import anyio  # noqa: PLC0415 - see the package's docstring

    from pierhead.testing.eval_cases import read_cases  # noqa: PLC0415

    if record and not model:
        raise Invalid("--record has nothing to record", hint="name a model: --model PROVIDER:NAME")
    cases = read_cases(file)
    beside = file.resolve().parent
    found = _server(server or cases.server, Path.cwd() if server else beside, fleet or beside / "fleet.yaml")
    rows = anyio.run(_evaluated, file, cases, found, model, record)
    _show(rows, output, as_json=as_json)
    if not all(row["ok"] for row in rows):
        raise typer.Exit(_CHECK_FAILED)


async def _evaluated(file: Path, cases: "EvalFile", server: "Server", model: str, record: bool) -> list[dict[str, Any]]:
    """Every case, judged. Errors: Invalid (`stale-cassette`); Misconfigured (`no-such-model`, `not-installed`)."""
    from pierhead.testing.eval_judges import judged  # noqa: PLC0415
    from pierhead.testing.eval_run import run_case  # noqa: PLC0415

    speakers = _asking(model) if model else await _replaying(file, cases, server)
    rows, several = await judged(cases.cases, lambda case: run_case(server, case, speakers))
    if record:
        _keep(file, model, several)
    return rows


def _asking(model: str) -> "Speakers":
    from pierhead.testing.eval_model import Asked, find_model  # noqa: PLC0415

    found = find_model(model)
    return lambda case, tools: Asked(found, case.prompt, tools)


async def _replaying(file: Path, cases: "EvalFile", server: "Server") -> "Speakers":
    """Recordings of exactly these prompts and definitions. Errors: Invalid (`stale-cassette`), before anything runs."""
    from pierhead.testing.eval_cassette import Replayed, cassette_of, digest_of, read_cassette, stale  # noqa: PLC0415
    from pierhead.testing.eval_run import digests  # noqa: PLC0415

    cassette = read_cassette(cassette_of(file))
    now = await digests(server, cases.cases)
    if lacking := [name for name, digest in now.items() if cassette.find(digest) is None]:
        raise stale(f"prompts or definitions have changed, nothing is recorded for: {', '.join(lacking)}")
    kept = {each.digest: each for each in cassette.recordings}
    return lambda case, tools: Replayed(kept[digest_of(case.prompt, tools)])


def _keep(file: Path, model: str, several: "list[Ran]") -> None:
    from pierhead.testing.eval_cassette import Cassette, cassette_of, write_cassette  # noqa: PLC0415

    place = cassette_of(file)
    write_cassette(place, Cassette(model=model, recordings=tuple(ran.recording for ran in several)))
    print(f"recorded in {place}", file=sys.stderr)


def _server(named: str, beside: Path, fleet: Path) -> "Server":
    """Code, a name in the fleet file, or for no name the project's.

    Errors: NotFound; Invalid (`no-project`); Misconfigured (`no-such-code`).
    """
    from pierhead.bootstrap import fleet as fleet_file  # noqa: PLC0415
    from pierhead.bootstrap.plugins import own_server  # noqa: PLC0415
    from pierhead.bootstrap.projects import project_in  # noqa: PLC0415

    if not named:
        return project_in(beside).server()
    if ":" in named:
        return own_server(named, beside)
    entry = fleet_file.load(fleet).servers.get(named)
    if entry is None or "code" not in entry.settings:
        message = f"{fleet} has no server {named!r} with code of its own"
        raise NotFound(message, hint="name one that has, MODULE:NAME, or another file: --fleet")
    return own_server(str(entry.settings["code"]), Path(str(entry.settings.get("folder", fleet.parent))))


def _show(rows: list[dict[str, Any]], output: Output, *, as_json: bool) -> None:
    if as_json or output is not Output.TABLE:
        emit(rows, output, json=as_json)
        return
    told = [
        {
            **row,
            "case": row["name"],
            "state": "ok" if row["ok"] else "failed",
            "called": [call["tool"] for call in row["calls"]],
            "why": [f"{name}: {reason}" for name, reason in row["failed"].items()],
        }
        for row in rows
    ]
    show(told, ("case", "state", "called", "tokens", "minutes", "why"), output, json=False)
    print(f"{sum(row['ok'] for row in rows)} of {len(rows)} cases hold")
