"""`pierhead call`: one governed tool call, through the gateway, by the official client. No way of its own exists."""

import asyncio
import json
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Final, cast

import typer

from pierhead.apps.cli.access import data_of
from pierhead.apps.cli.frame import ConfigOption, DataOption, Output, emit, show
from pierhead.core.errors import (
    Forbidden,
    Invalid,
    LimitExceeded,
    NotFound,
    PierheadError,
    PolicyExpired,
    ToolFailed,
    ToolTimedOut,
    Unauthenticated,
    UpstreamUnreachable,
)

if TYPE_CHECKING:
    import ssl

    from mcp import Client
    from mcp.shared.exceptions import MCPError

_TTL_S: Final = 300
_TIMEOUT_S: Final = 120.0
_KINDS: Final[Mapping[int, type[PierheadError]]] = {
    -31401: Unauthenticated,
    -31403: Forbidden,
    -31404: NotFound,
    -31429: LimitExceeded,
    -31502: UpstreamUnreachable,
    -31503: PolicyExpired,
    -31504: ToolTimedOut,
    -32602: Invalid,
}
_CODES: Final[Mapping[str, type[PierheadError]]] = {"unknown-tool": NotFound, "approval_required": Forbidden}


def register(app: typer.Typer) -> None:
    app.command("call")(call)


def call(
    server: Annotated[str, typer.Argument(help="The server.")],
    tool: Annotated[str, typer.Argument(help="The tool.")],
    arguments: Annotated[list[str] | None, typer.Argument(help="Arguments as key=value.")] = None,
    as_json: Annotated[str, typer.Option("--json", help="All arguments as one JSON object.")] = "",
    person: Annotated[str, typer.Option("--as", help="Who calls.")] = "",
    output: Annotated[Output | None, typer.Option("--output", "-o", help="How to show the result.")] = None,
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """Call one tool as a person, under policy, on the record. Rows are a table on a terminal, all else is JSON.

    Examples: pierhead call warehouse run_query sql="select count(*) from flights" --as alice;
    pierhead call time get_current_time timezone=Europe/Berlin --as alice
    """
    from pierhead.bootstrap.running import trusted  # noqa: PLC0415
    from pierhead.bootstrap.wire_commands import console  # noqa: PLC0415

    if not person:
        raise Invalid("nobody is named who calls", hint="add --as PERSON, for instance --as alice")
    here = console(data_of(data, config))
    token = here.token(person, server, _TTL_S)
    given = pairs(arguments or [])
    url = f"{here.running.public_url}/mcp/{server}"
    show_result(asyncio.run(_call(url, token, trusted(here.running), (tool, given, as_json))), output or _fitting())


def _fitting() -> Output:
    """People get tables, programs JSON."""
    return Output.TABLE if sys.stdout.isatty() else Output.JSON


def show_result(result: object, output: Output) -> None:
    """A result with `columns` and `rows` as a table, if a table was asked for; everything else as a document."""
    names = _column_names(result)
    if output is not Output.TABLE or not names:
        emit(result, output, json=False)
        return
    table = cast("dict[str, Any]", result)
    show([dict(zip(names, row, strict=True)) for row in table["rows"]], names, output, json=False)
    if table.get("notice"):
        print(table["notice"], file=sys.stderr)


def _column_names(result: object) -> list[str]:
    """The names of a result's columns; none for a result that is no table, or whose names are not its keys."""
    if not isinstance(result, dict) or not {"columns", "rows"} <= result.keys():
        return []
    columns = cast("list[dict[str, object]]", result["columns"])
    names = [str(column["name"]) for column in columns]
    return names if len(set(names)) == len(names) else []


def pairs(arguments: list[str]) -> dict[str, str]:
    """`key=value` each. Errors: Invalid."""
    given: dict[str, str] = {}
    for argument in arguments:
        key, sign, value = argument.partition("=")
        if not sign or not key or key in given:
            raise Invalid(f"cannot read the argument {argument!r}", hint="write each key=value once")
        given[key] = value
    return given


async def _call(
    url: str, token: str, verify: "ssl.SSLContext | bool", asked: tuple[str, dict[str, str], str]
) -> object:
    import httpx2  # noqa: PLC0415 - the protocol stack is heavy
    from mcp import Client  # noqa: PLC0415
    from mcp.client.streamable_http import streamable_http_client  # noqa: PLC0415
    from mcp.shared.exceptions import MCPError  # noqa: PLC0415

    headers = {"authorization": f"Bearer {token}"}
    try:
        async with (
            httpx2.AsyncClient(headers=headers, timeout=_TIMEOUT_S, trust_env=False, verify=verify) as http,
            Client(streamable_http_client(url, http_client=http)) as client,
        ):
            return await _result(client, *asked)
    except MCPError as failed:
        raise _meant(failed) from None
    except ExceptionGroup as group:
        raise _first(group) from None


async def _result(client: "Client", tool: str, given: dict[str, str], as_json: str) -> object:
    schemas = {entry.name: entry.input_schema for entry in (await client.list_tools()).tools}
    answer = await client.call_tool(tool, arguments_of(given, as_json, schemas.get(tool, {})))
    shown = answer.structured_content
    if shown is None:
        shown = "\n".join(part.text for part in answer.content if part.type == "text")
    if answer.is_error:
        raise _told(_words(answer.content))
    return shown


def _told(words: str) -> PierheadError:
    """A tool's failure: the envelope's code, message and hint where it has one, else its words as they stand."""
    try:
        error: dict[str, Any] = json.loads(words)["error"]
        return ToolFailed(str(error["message"]), hint=str(error["hint"]), code=str(error["code"]))
    except (ValueError, KeyError, TypeError):
        return ToolFailed(words or "the tool failed without a word", hint="read the message")


def _words(content: list[Any]) -> str:
    return "\n".join(part.text for part in content if part.type == "text")


def arguments_of(given: Mapping[str, str], as_json: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of a call: the JSON object, and over it each pair, read as the tool's schema types it.

    Errors: Invalid.
    """
    try:
        whole: object = json.loads(as_json) if as_json else {}
    except ValueError:
        whole = None
    if not isinstance(whole, dict):
        raise Invalid("--json is no JSON object", hint="""write --json '{"key": "value"}'""")
    members: Mapping[str, Mapping[str, Any]] = schema.get("properties", {})
    typed = {key: _typed(text, members.get(key, {})) for key, text in given.items()}
    return {**cast("dict[str, Any]", whole), **typed}


def _typed(text: str, member: Mapping[str, Any]) -> object:
    """A text stays one where the schema admits a text; everything else is JSON if it can be."""
    variants = [member, *member.get("anyOf", [])]
    if not member or any(variant.get("type") == "string" for variant in variants):
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text


def _meant(failed: "MCPError") -> PierheadError:
    """The platform's error as the class that it was, so that the exit code is right."""
    said: object = failed.error.data
    details: dict[str, Any] = cast("dict[str, Any]", said) if isinstance(said, dict) else {}
    code = str(details.get("code", ""))
    kind = _CODES.get(code) or _KINDS.get(failed.error.code, ToolFailed)
    return kind(failed.error.message, hint=str(details.get("hint", "")), code=code)


def _first(group: ExceptionGroup) -> Exception:
    """The failure inside a task group, in our words where it is the network's or the platform's."""
    import httpx2  # noqa: PLC0415
    from mcp.shared.exceptions import MCPError  # noqa: PLC0415

    inner = group.exceptions[0]
    match inner:
        case ExceptionGroup():
            return _first(inner)
        case MCPError():
            return _meant(inner)
        case httpx2.TransportError():
            return UpstreamUnreachable(f"the gateway does not answer: {inner}", hint="is pierhead up running?")
        case _:
            return inner
