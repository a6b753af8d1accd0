"""The fixture server of the conformance suite: every feature of the protocol once, declared with our own SDK.

Written from the descriptions of the suite's scenarios. It is no example: a real server has few tools and keeps them
coherent. Questions to the client stand in `everything_asks`. Not here: hosting (`serving`), the suite (`suite`).
"""

import base64
import struct
import zlib
from typing import Annotated, Any

import anyio
from mcp.server.context import ServerRequestContext
from mcp.server.mcpserver import Context, UserMessage
from mcp_types import (
    AudioContent,
    CallToolResult,
    Completion,
    ContentBlock,
    EmbeddedResource,
    EmptyResult,
    ImageContent,
    SetLevelRequestParams,
    SubscribeRequestParams,
    TextContent,
    TextResourceContents,
    UnsubscribeRequestParams,
)
from pydantic import BaseModel, Field
from tests.conformance.everything_asks import declare_questions

from pierhead import Caller, Server, ToolFailed

EVERYONE: dict[str, Any] = {"policy": "everyone", "effect": "read", "minutes_saved": 0}
HIDDEN: dict[str, Any] = {"policy": "nobody", "effect": "read", "minutes_saved": 0}


def build() -> Server:
    """The whole fixture."""
    server = Server("everything", owner="conformance", support="#conformance", version="1.0.0")
    _declare_contents(server)
    _declare_plain(server)
    _declare_progress(server)
    _declare_changes(server)
    _declare_schemas(server)
    declare_questions(server)
    _declare_resources(server)
    _declare_prompts(server)
    _declare_handlers(server)
    return server


def said(*blocks: ContentBlock) -> CallToolResult:
    return CallToolResult(content=list(blocks))


def text(words: str) -> TextContent:
    return TextContent(type="text", text=words)


def _png() -> str:
    """One red pixel."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
    pixel = zlib.compress(b"\x00\xff\x00\x00")
    whole = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixel) + chunk(b"IEND", b"")
    return base64.b64encode(whole).decode()


def _wav() -> str:
    """Eight samples of silence."""
    samples = bytes([128]) * 8
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, 8000, 8000, 1, 8)
    body = b"WAVE" + form + struct.pack("<4sI", b"data", len(samples)) + samples
    return base64.b64encode(struct.pack("<4sI", b"RIFF", len(body)) + body).decode()


IMAGE = ImageContent(type="image", data=_png(), mime_type="image/png")


def resource(uri: str, kind: str, words: str) -> EmbeddedResource:
    return EmbeddedResource(type="resource", resource=TextResourceContents(uri=uri, mime_type=kind, text=words))


def _declare_contents(server: Server) -> None:
    @server.tool(**EVERYONE)
    async def test_simple_text() -> CallToolResult:
        """Answer with a text."""
        return said(text("This is a simple text response for testing."))

    @server.tool(**EVERYONE)
    async def test_image_content() -> CallToolResult:
        """Answer with an image."""
        return said(IMAGE)

    @server.tool(**EVERYONE)
    async def test_audio_content() -> CallToolResult:
        """Answer with a sound."""
        return said(AudioContent(type="audio", data=_wav(), mime_type="audio/wav"))

    @server.tool(**EVERYONE)
    async def test_embedded_resource() -> CallToolResult:
        """Answer with a resource."""
        return said(resource("test://embedded-resource", "text/plain", "This is an embedded resource content."))

    @server.tool(**EVERYONE)
    async def test_multiple_content_types() -> CallToolResult:
        """Answer with a text, an image and a resource."""
        mixed = resource("test://mixed-content-resource", "application/json", '{"test":"data","value":123}')
        return said(text("Multiple content types test:"), IMAGE, mixed)

    @server.tool(**EVERYONE)
    async def test_error_handling() -> CallToolResult:
        """Fail on purpose."""
        raise ToolFailed("This tool intentionally returns an error for testing", hint="nothing to do")


class Greeting(BaseModel):
    words: str
    times: int


def _declare_plain(server: Server) -> None:
    @server.tool(policy="group:data-eng", effect="read", minutes_saved=2)
    async def greet(name: str, times: int = 1, *, caller: Caller) -> Greeting:
        """Greet somebody on the caller's behalf: as plain as most tools are."""
        return Greeting(words=f"Hello {name}, says {caller.name}", times=times)

    @server.tool(policy="group:ads", effect="read", minutes_saved=2)
    async def greet_for_others(name: str) -> Greeting:
        """Greet somebody; not for those who ask here."""
        return Greeting(words=name, times=1)


def _declare_progress(server: Server) -> None:
    @server.tool(**EVERYONE)
    async def test_tool_with_logging(ctx: Context[Any, Any]) -> CallToolResult:
        """Log three messages."""
        for words in ("Tool execution started", "Tool processing data", "Tool execution completed"):
            await log(ctx, words)
            await anyio.sleep(0.05)
        return said(text("logged"))

    @server.tool(**EVERYONE)
    async def test_logging_tool(ctx: Context[Any, Any]) -> CallToolResult:
        """Log one message, if the request asked for messages."""
        await log(ctx, "one message")
        return said(text("logged"))

    @server.tool(**EVERYONE)
    async def test_tool_with_progress(ctx: Context[Any, Any]) -> CallToolResult:
        """Report progress three times."""
        for done in (0, 50, 100):
            await ctx.report_progress(done, 100)
            await anyio.sleep(0.05)
        return said(text("done"))

    @server.tool(**EVERYONE)
    async def test_reconnection(ctx: Context[Any, Any]) -> CallToolResult:
        """Close the stream before answering, where the transport can."""
        await ctx.close_sse_stream()
        await anyio.sleep(0.1)
        return said(text("answered after the stream was closed"))


async def log(ctx: Context[Any, Any], words: str) -> None:
    await ctx.request_context.session.send_log_message(level="info", data=words, related_request_id=ctx.request_id)


def _declare_changes(server: Server) -> None:
    @server.tool(**EVERYONE)
    async def test_trigger_tool_change(ctx: Context[Any, Any]) -> CallToolResult:
        """Say that the list of tools has changed."""
        await ctx.notify_tools_changed()
        return said(text("said so"))

    @server.tool(**EVERYONE)
    async def test_trigger_prompt_change(ctx: Context[Any, Any]) -> CallToolResult:
        """Say that the list of prompts has changed."""
        await ctx.notify_prompts_changed()
        return said(text("said so"))


#: Keywords that a server must show as they are; the function itself takes what pydantic can say of them.
WIDE_SCHEMA: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "$defs": {
        "address": {
            "$anchor": "addressDef",
            "type": "object",
            "properties": {"street": {"type": "string"}, "city": {"type": "string"}},
        }
    },
    "properties": {
        "name": {"type": "string"},
        "address": {"$ref": "#/$defs/address"},
        "contactMethod": {"type": "string", "enum": ["phone", "email"]},
        "phone": {"type": "string"},
        "email": {"type": "string"},
    },
    "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
    "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
    "then": {"required": ["phone"]},
    "else": {"required": ["email"]},
    "additionalProperties": False,
}


def _declare_schemas(server: Server) -> None:
    @server.tool(**EVERYONE)
    async def json_schema_2020_12_tool(name: str = "", phone: str = "", email: str = "") -> CallToolResult:
        """Tool with JSON Schema 2020-12 features."""
        return said(text(f"{name} {phone} {email}"))

    server.tools["json_schema_2020_12_tool"].registered.parameters = WIDE_SCHEMA

    @server.tool(**EVERYONE)
    async def test_x_mcp_header(
        region: Annotated[str, Field(json_schema_extra={"x-mcp-header": "Region"})], query: str = ""
    ) -> str:
        """Take an argument that is mirrored into a header."""
        return f"{region} {query}"

    @server.tool(**HIDDEN)
    async def hidden_x_mcp_header(
        region: Annotated[str, Field(json_schema_extra={"x-mcp-header": "Region"})],
    ) -> str:
        """Nobody may see this one, so that it must read as absent."""
        return region


def _declare_resources(server: Server) -> None:
    @server.mcp.resource("test://static-text", mime_type="text/plain", description="A text")
    def static_text() -> str:
        return "This is the content of the static text resource."

    @server.mcp.resource("test://static-binary", mime_type="image/png", description="An image")
    def static_binary() -> bytes:
        return base64.b64decode(_png())

    @server.mcp.resource("test://template/{id}/data", mime_type="application/json", description="A template")
    def template(id: str) -> str:  # noqa: A002 - the suite names the variable
        return f'{{"id":"{id}","templateTest":true,"data":"Data for ID: {id}"}}'

    @server.mcp.resource("test://watched-resource", mime_type="text/plain", description="A resource to subscribe to")
    def watched() -> str:
        return "watched"


def _declare_prompts(server: Server) -> None:
    @server.mcp.prompt(description="A text")
    def test_simple_prompt() -> str:
        return "This is a simple prompt for testing."

    @server.mcp.prompt(description="A text with two arguments")
    def test_prompt_with_arguments(arg1: str, arg2: str) -> str:
        return f"Prompt with arguments: arg1='{arg1}', arg2='{arg2}'"

    @server.mcp.prompt(description="A resource and a text")
    def test_prompt_with_embedded_resource(resourceUri: str) -> list[UserMessage]:  # noqa: N803 - the suite's name
        embedded = resource(resourceUri, "text/plain", "Embedded resource content for testing.")
        return [UserMessage(embedded), UserMessage("Please process the embedded resource above.")]

    @server.mcp.prompt(description="An image and a text")
    def test_prompt_with_image() -> list[UserMessage]:
        return [UserMessage(IMAGE), UserMessage("Please analyze the image above.")]


def _declare_handlers(server: Server) -> None:
    """What `MCPServer` has no decorator for."""
    watched: set[str] = set()

    @server.mcp.completion()
    async def complete(ref: object, argument: Any, context: object) -> Completion:
        return Completion(values=[word for word in ("paris", "park", "party") if word.startswith(argument.value)])

    async def set_level(ctx: ServerRequestContext[Any], params: SetLevelRequestParams) -> EmptyResult:
        return EmptyResult()

    async def subscribe(ctx: ServerRequestContext[Any], params: SubscribeRequestParams) -> EmptyResult:
        watched.add(str(params.uri))
        return EmptyResult()

    async def unsubscribe(ctx: ServerRequestContext[Any], params: UnsubscribeRequestParams) -> EmptyResult:
        watched.discard(str(params.uri))
        return EmptyResult()

    server.low_level.add_request_handler("logging/setLevel", SetLevelRequestParams, set_level)
    server.low_level.add_request_handler("resources/subscribe", SubscribeRequestParams, subscribe)
    server.low_level.add_request_handler("resources/unsubscribe", UnsubscribeRequestParams, unsubscribe)
