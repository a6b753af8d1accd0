"""About how many tokens a tool's definition takes in a model's context: an estimate, the same wherever it is shown.

Bytes of the definition as compact JSON, divided by four and rounded up: near enough for English and JSON with the
tokenizers in use, and too low for other scripts. Not here: what a call's result weighs.
"""

import json
from collections.abc import Mapping
from typing import Final

METHOD: Final = "bytes of name, description and schemas as JSON, divided by four"
_BYTES_PER_TOKEN: Final = 4


def token_weight(name: str, description: str, schemas: tuple[Mapping[str, object], Mapping[str, object]]) -> int:
    """About how many tokens the tool takes in `tools/list`; `schemas` are those of its input and output."""
    shown = {"name": name, "description": description, "input_schema": schemas[0], "output_schema": schemas[1]}
    text = json.dumps(shown, ensure_ascii=False, separators=(",", ":"), default=str)
    return -(-len(text.encode("utf-8", "surrogatepass")) // _BYTES_PER_TOKEN)
