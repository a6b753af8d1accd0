"""Around every command: errors in four lines, exit codes, output formats, common options.

Not here: what any command does.
"""

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, cast

import typer
from typer.exceptions import Abort, Exit, TyperException

from pierhead.core.errors import Misconfigured, PierheadError
from pierhead.core.wire_codes import numbers

if TYPE_CHECKING:
    from pierhead.bootstrap.settings import Resolved

INTERRUPTED: Final = 130
USAGE: Final = 2
_DOCS: Final = "docs/reference/errors.md"
_IN_EXTRAS: Final = frozenset({"aiosqlite", "alembic", "cedarpy", "htpy", "joserfc", "prometheus_client", "sqlalchemy"})
"""What the platform's own programs need beyond the SDK."""
_IN_EVAL: Final = frozenset({"pydantic_ai", "pydantic_evals"})
"""What `pierhead eval` needs, which is not in `all`."""


class Output(StrEnum):
    TABLE = "table"
    JSON = "json"
    YAML = "yaml"
    NAME = "name"
    """What names each thing, one a line: for the next command."""


OutputOption = Annotated[Output, typer.Option("--output", "-o", help="How to show it.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Short for -o json.")]
DataOption = Annotated[Path | None, typer.Option("--data", help="The data directory. Default: .pierhead")]
ConfigOption = Annotated[Path | None, typer.Option("--config", help="The configuration file.")]


def run(app: typer.Typer) -> int:
    """Run the command line; the exit code."""
    try:
        code = _commands(app)(standalone_mode=False)
    except PierheadError as error:
        return _told(error)
    except ModuleNotFoundError as missing:
        if missing.name not in _IN_EXTRAS | _IN_EVAL:
            raise
        extra = "eval" if missing.name in _IN_EVAL else "all"
        message = f"this command needs {missing.name}, which is not installed"
        return _told(Misconfigured(message, hint=f"pip install 'pierhead[{extra}]'", code="not-installed"))
    except Exit as ended:
        return ended.exit_code
    except (Abort, KeyboardInterrupt):
        return INTERRUPTED
    except TyperException as wrong:
        return _misused(wrong)
    except BrokenPipeError:
        sys.stderr.close()  # whoever read our output has gone, and reads no complaint either
        return 1
    return code if isinstance(code, int) else 0


def _told(error: PierheadError) -> int:
    explain(error.message, error.code, error.hint, f"{_DOCS} ({error.code})")
    return numbers(error).exit


@cache
def _commands(app: typer.Typer) -> Callable[..., object]:
    """The parser of a command line: made once, since it reads the signature of every command."""
    return typer.main.get_command(app)


def _misused(wrong: TyperException) -> int:
    context = getattr(wrong, "ctx", None)
    if not wrong.format_message():  # no command was given: the help was shown
        return USAGE
    command = context.command_path if context else "pierhead"
    explain(wrong.format_message(), "usage", f"see {command} --help", "docs/reference/cli.md")
    return wrong.exit_code


def explain(error: str, cause: str, hint: str, docs: str) -> None:
    """An error in its four lines, on stderr."""
    for name, text in (("error", error), ("cause", cause), ("hint", hint), ("docs", docs)):
        print(f"{name}: {text or '-'}", file=sys.stderr)


def show(rows: Sequence[Mapping[str, Any]], columns: Iterable[str], output: Output, *, json: bool) -> None:
    """A list, in the format that was asked for. `columns` are those of the table; the other formats have all."""
    if json or output is not Output.TABLE:
        emit(list(rows), output, json=json)
        return
    if not rows:
        print("nothing to show", file=sys.stderr)
        return
    from rich import box  # noqa: PLC0415 - only a table needs it
    from rich.table import Table  # noqa: PLC0415

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    names = list(columns)
    for name in names:
        table.add_column(name.replace("_", " "), overflow="fold")
    for row in rows:
        table.add_row(*(_cell(row.get(name)) for name in names))
    _console().print(table)


def emit(document: object, output: Output, *, json: bool) -> None:
    """One document as JSON or YAML, or what names it."""
    if output is Output.NAME and not json:
        for each in _listed(document):
            print(each.get("name") or each.get("id") or each.get("version") or "")
        return
    import orjson  # noqa: PLC0415 - only now

    encoded = orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS, default=str).decode()
    if json or output is not Output.YAML:
        print(encoded)
        return
    import yaml  # noqa: PLC0415 - only for YAML

    print(yaml.safe_dump(orjson.loads(encoded), sort_keys=False, allow_unicode=True), end="")


def _listed(document: object) -> list[Mapping[str, Any]]:
    found = cast("list[object]", document) if isinstance(document, list) else [document]
    return [cast("Mapping[str, Any]", each) for each in found if isinstance(each, Mapping)]


def json_line(document: object) -> str:
    """One document on one line, for a program that reads lines."""
    import orjson  # noqa: PLC0415 - only now

    return orjson.dumps(document).decode()


def _console() -> Any:  # noqa: ANN401 - rich is imported on demand
    """Follows NO_COLOR and the terminal; wide where there is none, so that a pipe sees whole lines."""
    from rich.console import Console  # noqa: PLC0415

    return Console(width=None if sys.stdout.isatty() else 200, highlight=False, markup=False)


def _cell(value: object) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:g}"
        case list() | tuple():
            return ", ".join(map(str, value))  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
        case _:
            return str(value)


def settings_of(
    data: Path | None, config: Path | None, mesh_settings: Path | None = None, **platform: object
) -> "Resolved":
    """The settings, with the flags that were given."""
    from pierhead.bootstrap.mesh_settings import mesh_flags  # noqa: PLC0415
    from pierhead.bootstrap.settings import read_settings  # noqa: PLC0415 - pydantic is slow to import

    given = {"data": data, **platform}
    flags: dict[tuple[str, str], object] = {
        ("platform", key): value for key, value in given.items() if value is not None
    }
    return read_settings({**flags, **mesh_flags(mesh_settings)}, config)
