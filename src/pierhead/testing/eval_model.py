"""A model of a provider, asked turn by turn through pydantic-ai: what `pierhead eval --model` speaks with.

Imported only when a model is asked: the extra `eval` brings it. Not here: what is done with what it says (`eval_run`).
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from pydantic_ai.direct import model_request
from pydantic_ai.exceptions import AgentRunError, ModelHTTPError, UserError
from pydantic_ai.messages import ModelMessage, ModelRequest, ToolCallPart, ToolReturnPart
from pydantic_ai.models import Model, ModelRequestParameters, infer_model
from pydantic_ai.tools import ToolDefinition

from pierhead.core.errors import Misconfigured, UpstreamUnreachable
from pierhead.testing.eval_cassette import ToolAsked, Turn

_KEY_REFUSED: Final = (401, 403)


def find_model(name: str) -> Model:
    """The model `provider:name`; its key is where the provider's package looks for it, in the environment.

    Errors: Misconfigured (`no-such-model`), for a name, a package or a key that is not there.
    """
    try:
        return infer_model(name)
    except (ImportError, UserError) as missing:
        why = str(missing)
    except Exception as refused:  # noqa: BLE001 - a provider's package, which raises what it likes, and may quote a key
        why = f"its package refuses ({type(refused).__name__})"
    hint = "write provider:name, install pydantic-ai-slim[PROVIDER], and set the provider's key"
    raise Misconfigured(f"cannot ask {name!r}: {why}", hint=hint, code="no-such-model")


class Asked:
    """One conversation: the prompt and the definitions first, then answers of tools."""

    def __init__(self, model: Model, prompt: str, tools: Sequence[Mapping[str, Any]]) -> None:
        self.model = model
        self.messages: list[ModelMessage] = [ModelRequest.user_text_prompt(prompt)]
        shown = [
            ToolDefinition(
                name=tool["name"], description=tool.get("description"), parameters_json_schema=dict(tool["inputSchema"])
            )
            for tool in tools
        ]
        self.parameters = ModelRequestParameters(function_tools=shown)
        self.spent = (0, 0)
        """Tokens in and out, as the provider counted them."""
        self._calls: list[ToolCallPart] = []

    async def say(self, answers: Sequence[str]) -> Turn:
        """Its next turn, after `answers` to the calls of the last one, in their order.

        Errors: UpstreamUnreachable (`model-unreachable`), telling nothing of what the provider said.
        """
        if answers:
            parts = zip(self._calls, answers, strict=True)
            told = [ToolReturnPart(call.tool_name, answer, call.tool_call_id) for call, answer in parts]
            self.messages.append(ModelRequest(parts=told))
        try:
            response = await model_request(self.model, self.messages, model_request_parameters=self.parameters)
        except (AgentRunError, UserError) as failed:
            raise _unreachable(self.model.model_name, failed) from None
        self.messages.append(response)
        self.spent = (self.spent[0] + response.usage.input_tokens, self.spent[1] + response.usage.output_tokens)
        self._calls = [part for part in response.parts if isinstance(part, ToolCallPart)]
        return Turn(calls=tuple(ToolAsked(tool=part.tool_name, arguments=part.args_as_dict()) for part in self._calls))


def _unreachable(name: str, failed: Exception) -> UpstreamUnreachable:
    status = failed.status_code if isinstance(failed, ModelHTTPError) else 0
    told = f" (HTTP {status})" if status else ""
    hint = "look at the provider's key" if status in _KEY_REFUSED else "try again later"
    return UpstreamUnreachable(
        f"{name} did not answer: {type(failed).__name__}{told}", hint=hint, code="model-unreachable"
    )
