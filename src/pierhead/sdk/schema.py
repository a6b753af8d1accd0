"""Arguments held against a JSON schema that nobody here made a type of: a guest's tools, and Pierhead's own three.

Not here: the tools of an author, whose functions have types (`tool`).
"""

from collections.abc import Mapping
from typing import cast

import jsonschema
import orjson

from pierhead.core.errors import Invalid
from pierhead.core.json import Json
from pierhead.sdk.tool import Arguments


def held_against(name: str, checker: jsonschema.Draft202012Validator, raw: bytes) -> Arguments:
    """Arguments of the tool of that name, held against its schema. Errors: Invalid (`bad-arguments`)."""
    values: Json = orjson.loads(raw)
    faults = [f"{fault.json_path}: {fault.validator} is not met" for fault in checker.iter_errors(values)]  # pyright: ignore[reportUnknownMemberType]
    if faults or not isinstance(values, dict):
        message = f"{name} cannot take these arguments: {'; '.join(faults) or 'not an object'}"
        raise Invalid(message, hint="see its input schema", code="bad-arguments")
    plain = cast("Mapping[str, Json]", values)
    return Arguments(plain, plain)


def schema_fault(schema: Mapping[str, object]) -> str:
    """Where a schema is none of JSON Schema 2020-12; empty if it is one."""
    try:
        jsonschema.Draft202012Validator.check_schema(schema)
    except jsonschema.SchemaError as broken:
        return broken.json_path
    return ""


def value_fault(schema: Mapping[str, object], value: object) -> str:
    """Where a value is not as the schema says; empty if it is."""
    faults = jsonschema.Draft202012Validator(schema).iter_errors(cast("Json", value))  # pyright: ignore[reportUnknownMemberType]
    return next((fault.json_path for fault in faults), "")
