"""The fixture's tools and prompt that ask the client something: live in the older revisions, by retry in 2026-07-28."""

from typing import Any

from mcp.server.mcpserver import Context
from mcp.shared.exceptions import MCPError
from mcp_types import (
    MISSING_REQUIRED_CLIENT_CAPABILITY,
    CallToolResult,
    CreateMessageRequest,
    CreateMessageRequestParams,
    CreateMessageResult,
    ElicitRequest,
    ElicitRequestFormParams,
    ElicitResult,
    InputRequiredResult,
    ListRootsRequest,
    ListRootsResult,
    SamplingMessage,
    TextContent,
)

from pierhead import Server

EVERYONE: dict[str, Any] = {"policy": "everyone", "effect": "read", "minutes_saved": 0}
Answer = CallToolResult | InputRequiredResult
Ctx = Context[Any, Any]


def declare_questions(server: Server) -> None:
    _declare_live(server)
    _declare_forms(server)
    _declare_single_rounds(server)
    _declare_states(server)
    _declare_capabilities(server)
    _declare_prompt(server)


def said(words: str) -> CallToolResult:
    return CallToolResult(content=[TextContent(type="text", text=words)])


def form(message: str, properties: dict[str, Any], required: list[str] | None = None) -> ElicitRequest:
    schema = {"type": "object", "properties": properties, "required": required or list(properties)}
    return ElicitRequest(params=ElicitRequestFormParams(message=message, requested_schema=schema))


def sample(words: str, most: int = 100) -> CreateMessageRequest:
    return CreateMessageRequest(params=CreateMessageRequestParams(messages=[_user(words)], max_tokens=most))


def _user(words: str) -> SamplingMessage:
    return SamplingMessage(role="user", content=TextContent(type="text", text=words))


def answered(ctx: Ctx, key: str, field: str) -> str | None:
    """The text a client put into `field` of the form `key`, if it accepted and did."""
    given = (ctx.input_responses or {}).get(key)
    if not isinstance(given, ElicitResult) or given.action != "accept":
        return None
    value = (given.content or {}).get(field)
    return value if isinstance(value, str) else None


def _declare_live(server: Server) -> None:
    @server.tool(**EVERYONE)
    async def test_sampling(prompt: str, ctx: Ctx) -> CallToolResult:
        """Have the client's model answer."""
        result = await ctx.session.create_message([_user(prompt)], max_tokens=100, related_request_id=ctx.request_id)
        content = result.content
        return said(f"LLM response: {content.text if isinstance(content, TextContent) else content}")

    @server.tool(**EVERYONE)
    async def test_elicitation(message: str, ctx: Ctx) -> CallToolResult:
        """Ask the person for a name and an address."""
        return await elicited(ctx, message, USER_FORM, "User response")

    @server.tool(**EVERYONE)
    async def test_streaming_elicitation(ctx: Ctx) -> CallToolResult | InputRequiredResult:
        """Report progress, then ask by retry: a stream without requests of its own."""
        await ctx.report_progress(50, 100)
        if answered(ctx, "name", "name") is None:
            return InputRequiredResult(input_requests={"name": form("Who?", {"name": {"type": "string"}})})
        return said("done")


USER_FORM: dict[str, Any] = {
    "type": "object",
    "properties": {
        "username": {"type": "string", "description": "User's response"},
        "email": {"type": "string", "description": "User's email address"},
    },
    "required": ["username", "email"],
}

DEFAULTS_FORM: dict[str, Any] = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "default": "John Doe"},
        "age": {"type": "integer", "default": 30},
        "score": {"type": "number", "default": 95.5},
        "status": {"type": "string", "enum": ["active", "inactive", "pending"], "default": "active"},
        "verified": {"type": "boolean", "default": True},
    },
    "required": [],
}


def _titled(*names: str) -> list[dict[str, str]]:
    return [{"const": f"value{number}", "title": name} for number, name in enumerate(names, start=1)]


ENUMS_FORM: dict[str, Any] = {
    "type": "object",
    "properties": {
        "untitledSingle": {"type": "string", "enum": ["option1", "option2", "option3"]},
        "titledSingle": {"type": "string", "oneOf": _titled("First Option", "Second Option", "Third Option")},
        "legacyEnum": {
            "type": "string",
            "enum": ["opt1", "opt2", "opt3"],
            "enumNames": ["Option One", "Option Two", "Option Three"],
        },
        "untitledMulti": {"type": "array", "items": {"type": "string", "enum": ["option1", "option2", "option3"]}},
        "titledMulti": {
            "type": "array",
            "items": {"anyOf": _titled("First Choice", "Second Choice", "Third Choice")},
        },
    },
    "required": [],
}


async def elicited(ctx: Ctx, message: str, schema: dict[str, Any], lead: str) -> CallToolResult:
    result = await ctx.session.elicit(message, schema, related_request_id=ctx.request_id)
    return said(f"{lead}: action={result.action}, content={result.content or {}}")


def _declare_forms(server: Server) -> None:
    @server.tool(**EVERYONE)
    async def test_elicitation_sep1034_defaults(ctx: Ctx) -> CallToolResult:
        """Ask with a default for every kind of value."""
        return await elicited(ctx, "Check the defaults", DEFAULTS_FORM, "Elicitation completed")

    @server.tool(**EVERYONE)
    async def test_elicitation_sep1330_enums(ctx: Ctx) -> CallToolResult:
        """Ask with every kind of choice."""
        return await elicited(ctx, "Choose", ENUMS_FORM, "Elicitation completed")


NAME_FORM = form("What is your name?", {"name": {"type": "string"}})


def _declare_single_rounds(server: Server) -> None:
    @server.tool(**EVERYONE)
    async def test_input_required_result_elicitation(ctx: Ctx) -> Answer:
        """Ask for a name."""
        name = answered(ctx, "user_name", "name")
        return InputRequiredResult(input_requests={"user_name": NAME_FORM}) if name is None else said(f"Hello, {name}!")

    @server.tool(**EVERYONE)
    async def test_input_required_result_sampling(ctx: Ctx) -> Answer:
        """Ask the client's model for a capital."""
        given = (ctx.input_responses or {}).get("capital_question")
        if not isinstance(given, CreateMessageResult):
            question = sample("What is the capital of France?")
            return InputRequiredResult(input_requests={"capital_question": question})
        return said(given.content.text if isinstance(given.content, TextContent) else "no text")

    @server.tool(**EVERYONE)
    async def test_input_required_result_list_roots(ctx: Ctx) -> Answer:
        """Ask for the client's roots."""
        given = (ctx.input_responses or {}).get("client_roots")
        if not isinstance(given, ListRootsResult):
            return InputRequiredResult(input_requests={"client_roots": ListRootsRequest()})
        return said(", ".join(f"{root.name} {root.uri}" for root in given.roots))


def _declare_states(server: Server) -> None:
    @server.tool(**EVERYONE)
    async def test_input_required_result_request_state(ctx: Ctx) -> Answer:
        """Ask, and know the state again."""
        if ctx.request_state != "asked" or "confirm" not in (ctx.input_responses or {}):
            ask = form("Please confirm", {"ok": {"type": "boolean"}})
            return InputRequiredResult(input_requests={"confirm": ask}, request_state="asked")
        return said("state-ok")

    @server.tool(**EVERYONE)
    async def test_input_required_result_multiple_inputs(ctx: Ctx) -> Answer:
        """Ask three things at once."""
        asks = {
            "user_name": NAME_FORM,
            "greeting": sample("Generate a greeting", 50),
            "client_roots": ListRootsRequest(),
        }
        if not asks.keys() <= (ctx.input_responses or {}).keys():
            return InputRequiredResult(input_requests=asks, request_state="three")
        return said(f"all {len(asks)} answered")

    @server.tool(**EVERYONE)
    async def test_input_required_result_multi_round(ctx: Ctx) -> Answer:
        """Ask twice, one after the other."""
        color = {"step2": form("Step 2: What is your favorite color?", {"color": {"type": "string"}})}
        if ctx.request_state == "step-2" and answered(ctx, "step2", "color") is not None:
            return said("both answered")
        if ctx.request_state == "step-1" and answered(ctx, "step1", "name") is not None:
            return InputRequiredResult(input_requests=color, request_state="step-2")
        name = {"step1": form("Step 1: What is your name?", {"name": {"type": "string"}})}
        return InputRequiredResult(input_requests=name, request_state="step-1")

    @server.tool(**EVERYONE)
    async def test_input_required_result_tampered_state(ctx: Ctx) -> Answer:
        """Ask with a state that must come back unchanged."""
        if ctx.request_state is None:
            ask = form("Please confirm", {"ok": {"type": "boolean"}})
            return InputRequiredResult(input_requests={"confirm": ask}, request_state="sealed")
        return said("unchanged")


def _declare_capabilities(server: Server) -> None:
    @server.tool(**EVERYONE)
    async def test_input_required_result_capabilities(ctx: Ctx) -> Answer:
        """Ask only what the client said it can answer."""
        can = ctx.client_capabilities
        if ctx.input_responses:
            return said("answered")
        asks: dict[str, Any] = {}
        if can is not None and can.sampling is not None:
            asks["thought"] = sample("Say something")
        if can is not None and can.elicitation is not None:
            asks["user_name"] = NAME_FORM
        return InputRequiredResult(input_requests=asks) if asks else said("nothing to ask with")

    @server.tool(**EVERYONE)
    async def test_missing_capability(ctx: Ctx) -> CallToolResult:
        """Need a client that can sample."""
        can = ctx.client_capabilities
        if can is None or can.sampling is None:
            needed = {"requiredCapabilities": {"sampling": {}}}
            raise MCPError(MISSING_REQUIRED_CLIENT_CAPABILITY, "this tool needs a client that can sample", needed)
        return said("it can")


def _declare_prompt(server: Server) -> None:
    @server.mcp.prompt(description="Asks for its context first")
    async def test_input_required_result_prompt(ctx: Ctx) -> str | InputRequiredResult:
        context = answered(ctx, "user_context", "context")
        if context is None:
            ask = form("What context should the prompt use?", {"context": {"type": "string"}})
            return InputRequiredResult(input_requests={"user_context": ask})
        return f"Use this context: {context}"
