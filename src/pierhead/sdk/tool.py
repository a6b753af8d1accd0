"""One declared function: strict arguments in, one encoded answer out.

Built on the schema machinery of the `mcp` package, stricter in two points: unknown arguments are refused and
nothing is coerced, so that what was judged and recorded is what runs. Above: `server` registers it, `host` calls it.
"""

import functools
import inspect
import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from keyword import iskeyword
from typing import Annotated, Any, Final, cast, get_args, get_origin

import anyio.to_thread
import orjson
from mcp.server.mcpserver.exceptions import ToolError
from mcp.server.mcpserver.tools.base import Tool as McpTool
from mcp.server.mcpserver.utilities.func_metadata import ArgModelBase, FuncMetadata
from mcp.shared.exceptions import MCPError
from mcp_types import CallToolResult, InputRequiredResult, TextContent, ToolAnnotations
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from pierhead.core.approval import Approval
from pierhead.core.catalog import Effect, Tool
from pierhead.core.condition import unread
from pierhead.core.errors import Invalid, Misconfigured, PierheadError, ToolFailed
from pierhead.core.identity import Caller
from pierhead.core.json import Json
from pierhead.sdk.authorize import Declaration
from pierhead.sdk.examples import hold_examples
from pierhead.sdk.redacting import also_secret
from pierhead.sdk.result import Answer, Encoded, failure, too_large, untitled, widened

#: Who is calling, inside a tool's body. Set by the host around each call, and nowhere else.
CALLER: Final[ContextVar[Caller]] = ContextVar("pierhead_caller")

Body = Callable[..., Awaitable[object]]

_LOG: Final = logging.getLogger(__name__)
_MOST_OF_AN_ERROR: Final = 10_000
"""In characters. What we say ourselves is far shorter (`result`); an author's own words may be longer."""


@dataclass(frozen=True, slots=True)
class Arguments:
    """Validated arguments: `values` are passed to the function, `plain` is what is recorded and digested."""

    values: Mapping[str, object]
    plain: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class BoundTool:
    """A declared function with its schemas, ready to be called."""

    name: str
    declaration: Declaration
    registered: McpTool
    body: Body
    model: type[ArgModelBase]
    output: "TypeAdapter[object] | None"
    is_plain: bool
    """No access to the protocol (progress, questions): answered and encoded here, by `answer`."""
    mirrors_headers: bool
    """Some argument must equal a request header: the full protocol stack compares them."""

    def parse(self, raw: bytes) -> Arguments:
        """Read arguments, strictly.

        Errors: Invalid (`bad-arguments`), naming each member and what is wrong with it, never its value.
        """
        try:
            model = self.model.model_validate_json(raw)
        except ValidationError as invalid:
            raise _bad_arguments(self.name, invalid) from None
        plain = cast("Mapping[str, Json]", model.model_dump(mode="json", by_alias=True))
        return Arguments(model.model_dump_one_level(), plain)

    async def answer(self, values: Mapping[str, object]) -> Answer:
        """Run the function and encode what it returns; what it raises becomes a failed answer.

        Errors: MCPError, which is the author's way to answer with a protocol error.
        """
        try:
            return self._held(self._encode(await self.body(**values)))
        except MCPError as own:
            raise _short(own) from None
        except Exception as raised:  # noqa: BLE001 - a tool may raise anything, and none of it may end the server
            return failure(taught(self.name, raised))

    def _encode(self, result: object) -> Answer:
        if isinstance(result, Encoded):
            return Answer(result.json, is_error=False)
        if self.output is None:  # pragma: no cover - only plain tools are answered here, and they have a schema
            raise Misconfigured(f"{self.name} has no output schema", code="bad-declaration")
        if self.registered.fn_metadata.wrap_output:
            result = {"result": result}
        if not isinstance(result, BaseModel):
            result = self.output.validate_python(result)
        text = result.model_dump_json(by_alias=True) if isinstance(result, BaseModel) else None
        encoded = text.encode() if text is not None else self.output.dump_json(result, by_alias=True)
        return Answer(encoded, is_error=False)

    def _held(self, answer: Answer) -> Answer:
        """Errors: ToolFailed (`result-too-large`)."""
        most = self.declaration.most_characters
        if len(answer.encoded) > most and (size := len(answer.encoded.decode())) > most:
            raise too_large(self.name, size, most)
        return answer

    def declared(self) -> Tool:
        """The tool as the registry and the rules know it."""
        return Tool(
            name=self.name,
            description=self.registered.description,
            policy=self.declaration.policy,
            effect=self.declaration.effect,
            approval=self.declaration.approval,
            minutes=self.declaration.minutes,
            input_schema=self.registered.parameters,
            output_schema=self.registered.output_schema or {},
            timeout_s=self.declaration.timeout_s,
            idempotent=self.declaration.idempotent,
            title=self.registered.title or "",
            bounds=self.declaration.bounds,
            examples=self.declaration.examples,
            drafts=self.declaration.drafts,
        )


class _StrictMetadata(FuncMetadata):
    """The schemas of `mcp`, with answers within bounds and without coercions: text is no list, `"1"` is not 1."""

    tool: str
    most_characters: int

    def validate_arguments(self, arguments_to_validate: dict[str, Any]) -> dict[str, Any]:
        return self.arg_model.model_validate_json(as_json(arguments_to_validate)).model_dump_one_level()

    def convert_result(self, result: object) -> CallToolResult | InputRequiredResult:
        told = result if isinstance(result, CallToolResult) else super().convert_result(result)
        if isinstance(told, InputRequiredResult):
            return told
        most = _MOST_OF_AN_ERROR if told.is_error else self.most_characters
        size = sum(len(block.text) for block in told.content if isinstance(block, TextContent))
        return told if size <= most else _whole(failure(too_large(self.tool, size, most)))


def bind(
    function: Callable[..., object],
    declaration: Declaration,
    name: str | None,
    title: str | None,
    description: str | None = None,
    secret_names: frozenset[str] = frozenset(),
) -> BoundTool:
    """Make a tool of `function`, described by its docstring unless `description` is given.

    Behind `secret_names` stand secrets in what it answers, besides the names that every server knows.
    Errors: Misconfigured (`bad-declaration`) for a function that nothing describes.
    """
    body, shown = without_caller(function)
    described = inspect.cleandoc(description or function.__doc__ or "").strip()
    if not described:
        message = f"tool {name or function.__name__} has no docstring"
        raise Misconfigured(message, hint="its docstring is what the model reads", code="bad-declaration")
    registered = McpTool.from_function(
        shown, name=name, title=title, description=described, annotations=_hints(declaration), meta=_meta(declaration)
    )
    metadata = registered.fn_metadata
    strict = _strict(metadata.arg_model)
    plain = registered.context_kwarg is None and not registered.resolved_params and metadata.output_schema is not None
    schema = metadata.output_schema and untitled(metadata.output_schema)
    if schema is not None and (declaration.approval is not Approval.NONE or declaration.asks is not None):
        schema = widened(schema)
    registered.parameters = _closed(untitled(strict.model_json_schema(by_alias=True)))
    registered.fn_metadata = _StrictMetadata(
        arg_model=strict,
        output_schema=schema,
        output_model=metadata.output_model,
        wrap_output=metadata.wrap_output,
        tool=registered.name,
        most_characters=declaration.most_characters,
    )
    output: TypeAdapter[object] | None = TypeAdapter(metadata.output_model) if plain else None
    mirrors = b'"x-mcp-header"' in orjson.dumps(registered.parameters)
    given = registered.parameters.get("properties", {}) | ({"plan": {}} if declaration.plan_tool else {})
    if missing := sorted(set(unread(declaration.bounds.when, given))):
        message = f"tool {registered.name} is bounded by what it is never given: {', '.join(missing)}"
        raise Misconfigured(message, hint="name its own arguments in `when`", code="bad-declaration")
    bound = BoundTool(
        registered.name, declaration, registered, _knowing(body, secret_names), strict, output, plain, mirrors
    )
    hold_examples(bound.name, declaration.examples, bound.parse)
    registered.fn = _through_answer(bound) if plain else _teaching(bound)
    registered.is_async = True
    return bound


def _knowing(body: Body, names: frozenset[str]) -> Body:
    """The body, while those words name secrets too: answers made in it keep them (`envelope`)."""
    if not names:
        return body

    async def run(**values: object) -> object:
        with also_secret(names):
            return await body(**values)

    return run


def _through_answer(bound: BoundTool) -> Body:
    """What the full protocol stack calls for a plain tool: the same body and encoding as the short way."""

    async def run(**values: object) -> CallToolResult:
        return _whole(await bound.answer(values))

    return run


def _teaching(bound: BoundTool) -> Body:
    """What the full protocol stack calls for any other tool: `mcp` encodes, but errors read as everywhere."""

    async def run(**values: object) -> object:
        try:
            return await bound.body(**values)
        except MCPError as own:
            raise _short(own) from None
        except Exception as raised:  # noqa: BLE001 - as in `BoundTool.answer`
            return _whole(failure(taught(bound.name, raised)))

    return run


def _whole(answer: Answer) -> CallToolResult:
    structured = None if answer.is_error else cast("dict[str, Any]", orjson.loads(answer.encoded))
    content = TextContent(type="text", text=answer.encoded.decode())
    return CallToolResult(content=[content], structured_content=structured, is_error=answer.is_error)


def _short(own: MCPError) -> MCPError:
    """An author's protocol error, its words within what clients show."""
    error = own.error
    return MCPError(error.code, error.message[:_MOST_OF_AN_ERROR], error.data)


def taught(tool: str, raised: Exception) -> PierheadError:
    """What a caller may read of an exception: what the author said on purpose; of a crash only that it was one."""
    if isinstance(raised, PierheadError):
        return raised
    if isinstance(raised, ToolError):
        return ToolFailed(str(raised))
    _LOG.error("tool %s raised an unexpected exception", tool, exc_info=raised)
    return ToolFailed(f"{tool} failed unexpectedly", hint="tell whoever supports this server")


def as_json(arguments: object) -> bytes:
    """Decoded arguments as JSON again, in the one form that every way in reads.

    Errors: Invalid (`bad-arguments`) for what no JSON text of ours can hold: lone surrogates, bottomless nesting.
    """
    try:
        return orjson.dumps(arguments)
    except TypeError:
        pass
    try:
        return orjson.dumps(orjson.loads(json.dumps(arguments)))
    except (TypeError, ValueError):
        message = "the arguments hold a lone surrogate, or are nested too deeply"
        raise Invalid(message, hint="send plain JSON", code="bad-arguments") from None


def without_caller(function: Callable[..., object]) -> tuple[Body, Callable[..., object]]:
    """The function as it is called (with its caller filled in), and as the protocol sees it (without).

    A parameter `with_` is the argument `with`: Python has no name for words of its own.
    """
    signature = inspect.signature(function, eval_str=True)
    names = [name for name, parameter in signature.parameters.items() if parameter.annotation is Caller]
    own_words = {name[:-1]: name for name in signature.parameters if name.endswith("_") and iskeyword(name[:-1])}

    def renamed(values: Mapping[str, object]) -> Mapping[str, object]:
        return {own_words.get(name, name): value for name, value in values.items()} if own_words else values

    if inspect.iscoroutinefunction(function):

        async def body(**values: object) -> object:
            return await function(**renamed(values), **dict.fromkeys(names, CALLER.get()))

    else:

        async def body(**values: object) -> object:
            whole = functools.partial(function, **renamed(values), **dict.fromkeys(names, CALLER.get()))
            return await anyio.to_thread.run_sync(whole)

    shown = functools.wraps(function)(body)
    kept = [_argument(parameter) for name, parameter in signature.parameters.items() if name not in names]
    returned = signature.return_annotation
    if get_origin(returned) is Encoded:
        (returned,) = get_args(returned)
    shown.__signature__ = signature.replace(parameters=kept, return_annotation=returned)  # pyright: ignore[reportAttributeAccessIssue]
    shown.__annotations__ = {parameter.name: parameter.annotation for parameter in kept}
    shown.__annotations__["return"] = returned
    del shown.__wrapped__  # or signature readers would find the caller again
    return body, shown


def _argument(parameter: inspect.Parameter) -> inspect.Parameter:
    """The parameter as an argument: its trailing underscore is Python's, where a word of Python's stands before it."""
    word = parameter.name.removesuffix("_")
    if word == parameter.name or not iskeyword(word):
        return parameter
    return parameter.replace(annotation=Annotated[parameter.annotation, Field(alias=word)])


def _strict(model: type[ArgModelBase]) -> type[ArgModelBase]:
    config = ConfigDict(extra="forbid", strict=True, arbitrary_types_allowed=True)
    return type(model.__name__, (model,), {"model_config": config, "__module__": __name__})


def _closed(schema: dict[str, Any]) -> dict[str, Any]:
    schema["additionalProperties"] = False
    return schema


def _hints(declaration: Declaration) -> ToolAnnotations:
    """Hints are output only: they tell clients what was declared; enforcement never reads them."""
    return ToolAnnotations(
        read_only_hint=declaration.effect is Effect.READ,
        destructive_hint=declaration.effect is Effect.DESTRUCTIVE,
        idempotent_hint=declaration.idempotent or declaration.effect is Effect.READ,
        open_world_hint=False,
    )


def _meta(declaration: Declaration) -> dict[str, Any]:
    return {
        "io.pierhead/tool": {
            "effect": str(declaration.effect),
            "approval": str(declaration.approval) if declaration.asks is None else "by arguments",
            "minutes_saved": declaration.minutes.mode,
        }
    }


def _bad_arguments(tool: str, invalid: ValidationError) -> Invalid:
    """Every fault at once, by place and kind; the value itself is the caller's and stays out."""
    faults = [
        f"{'.'.join(str(part) for part in fault['loc']) or 'arguments'}: {fault['msg']}" for fault in invalid.errors()
    ]
    return Invalid(
        f"{tool} cannot take these arguments: {'; '.join(faults)}", hint="see its input schema", code="bad-arguments"
    )
