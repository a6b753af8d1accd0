"""What the official registry API promises of its answers, as JSON Schema: written by hand from its public contract.

Only what a server may answer. Stricter than the contract in one place: `metadata` and `_meta` are always there, for
clients that fail without. Facts: the registry API of modelcontextprotocol.io, 2025-12-01, and server.json, 2025-12-11.
"""

from typing import Any

from jsonschema import Draft202012Validator

_MOMENT = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$"}
_SHORT = {"type": "string", "minLength": 1, "maxLength": 100}
_OFFICIAL = {
    "type": "object",
    "required": ["status", "statusChangedAt", "publishedAt", "updatedAt", "isLatest"],
    "additionalProperties": False,
    "properties": {
        "status": {"enum": ["active", "deprecated", "deleted"]},
        "statusMessage": {"type": "string", "minLength": 1, "maxLength": 500},
        "statusChangedAt": _MOMENT,
        "publishedAt": _MOMENT,
        "updatedAt": _MOMENT,
        "isLatest": {"type": "boolean"},
    },
}
_REMOTE = {
    "type": "object",
    "required": ["type", "url"],
    "properties": {
        "type": {"enum": ["streamable-http", "sse"]},
        "url": {"type": "string", "pattern": r"^(https?://[^\s]+|\{[a-zA-Z_]\w*\}[^\s]*)$"},
    },
}
_SERVER = {
    "type": "object",
    "required": ["name", "description", "version"],
    "properties": {
        "$schema": {"const": "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json"},
        "name": {
            "type": "string",
            "minLength": 3,
            "maxLength": 200,
            "pattern": "^[a-zA-Z0-9.-]+/[a-zA-Z0-9._-]+$",
        },
        "description": _SHORT,
        "title": _SHORT,
        "version": {"type": "string", "minLength": 1, "maxLength": 255, "not": {"const": "latest"}},
        "remotes": {"type": "array", "items": _REMOTE},
    },
}
RESPONSE = {
    "type": "object",
    "required": ["server", "_meta"],
    "additionalProperties": False,
    "properties": {
        "server": _SERVER,
        "_meta": {
            "type": "object",
            "required": ["io.modelcontextprotocol.registry/official"],
            "properties": {"io.modelcontextprotocol.registry/official": _OFFICIAL},
        },
    },
}
LIST = {
    "type": "object",
    "required": ["servers", "metadata"],
    "additionalProperties": False,
    "properties": {
        "servers": {"type": "array", "items": RESPONSE},
        "metadata": {
            "type": "object",
            "required": ["count"],
            "additionalProperties": False,
            "properties": {
                "nextCursor": {"type": "string", "pattern": "^[A-Za-z0-9._~/-]+$"},
                "count": {"type": "integer", "minimum": 0},
            },
        },
    },
}
ALL_VERSIONS = {
    "type": "object",
    "required": ["updatedCount", "servers"],
    "additionalProperties": False,
    "properties": {"updatedCount": {"type": "integer"}, "servers": {"type": "array", "items": RESPONSE}},
}
ERROR = {
    "type": "object",
    "required": ["error"],
    "additionalProperties": False,
    "properties": {"error": {"type": "string", "minLength": 1}},
}


def check(schema: dict[str, Any], answer: Any) -> None:
    """Raise if the answer has another shape."""
    Draft202012Validator(schema).validate(answer)
