"""What a tool's schemas break: bounds and form (S09, S10), headers (S11), authority (S18), secrets (S19).

Pure. Above: `check_listing`. Not here: texts inside schemas, validity by the meta-schema (an adapter).
"""

import re
from collections.abc import Iterator, Mapping
from typing import Final, cast

from pierhead.core.schema_bounds import DEEPEST, parts
from pierhead.core.schema_shape import ENDLESS, Sub, subschemas, written_out
from pierhead.core.standard import Breach, Weight
from pierhead.core.standard_rules import breach

MOST_LEVELS: Final = 16
MOST_SUBSCHEMAS: Final = 200
_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}")
_WORDS: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_PRIMITIVE: Final = frozenset({"string", "integer", "boolean"})
_BOUNDED_BY: Final = frozenset({"enum", "const", "$ref", "anyOf", "oneOf", "allOf"})

_AUTHORITY: Final = frozenset(
    {
        *("approved", "is approved", "approval", "approver", "approved by", "approval token", "confirm", "confirmed"),
        *("confirmation", "is confirmed", "user confirmed", "user approved", "user consent", "consent"),
        *("pre approved",),
        *("is admin", "admin", "as admin", "admin mode", "sudo", "as root", "superuser", "is superuser", "is owner"),
        *(
            "role",
            "roles",
            "user role",
            "my role",
            "caller role",
            "act as",
            "acting as",
            "as user",
            "run as",
            "on behalf of",
        ),
        *("impersonate", "impersonate user", "current user", "caller", "caller id", "requester", "acting user"),
        *("tenant", "tenant id", "group", "groups", "user groups", "user", "skip approval", "skip confirmation"),
        *(
            "bypass approval",
            "bypass",
            "override approval",
            "auto approve",
            "authorized",
            "is authorized",
            "permissions",
        ),
        *("privilege", "privilege level", "access level", "trusted", "is trusted", "scope override"),
    }
)
_SECRETS: Final = re.compile(
    r"\b(pass(word|wd|phrase|code)|pwd|secrets?|api ?keys?|apikey|private key|access key( id)?|secret key"
    r"|(access|auth|bearer|refresh|id|session|api|github|gitlab|slack|oauth|personal access|security) ?token|^token|jwt"
    r"|dsn|client secret|connection (string|uri|url)|credentials?|otp|mfa code|totp|cvv|pin code|ssn|seed phrase"
    r"|mnemonic|recovery (phrase|codes?)"
    r"|cookies?|session id|session cookie|authorization|auth header|signing key|ssh key|id rsa|kubeconfig"
    r"|encryption key)$"
)
_NO_SECRETS: Final = re.compile(r"\b(max|min|num|count|next|page|continuation|sync|limit|cursor|budget|total|per) ?")
_ASKED: Final = re.compile(
    r"\b(your|the user'?s|user'?s|their|account|admin|database|login|master)\b.{0,20}\b(password|passphrase|api key"
    r"|private key|secret key|access token|bearer token|auth token|credit card|card number|cvv|social security"
    r"|seed phrase|2fa code|one-time (code|password)|session cookie)\b"
)
_SWITCHES: Final = frozenset({"dry run", "force", "really", "yes", "are you sure", "i am sure", "simulate"})
_INNER: Final = frozenset(
    {
        *("system prompt", "system message", "developer message", "user prompt", "original prompt", "chain of thought"),
        *("conversation", "conversation history", "conversation context", "chat history", "message history"),
        *("full conversation", "full context", "context window", "previous messages", "sidenote", "side note"),
        *("tool call history", "tools list", "available tools"),
    }
)
_OF_MODELS: Final = ("model", "llm")
_OF_PROGRAMS: Final = (
    *("env", "variable", "deploy", "contain", "function", "process", "command", "program", "binary", "script", "code"),
    *("run", "launch", "build", "service", "server", "app", "job", "workflow", "stack"),
)
#: What only the model knows, unless it is what the tool is about: it then has one of these words.
_INNER_UNLESS: Final[Mapping[str, tuple[str, ...]]] = {
    **dict.fromkeys(("model name", "llm name"), _OF_MODELS),
    **dict.fromkeys(("env vars", "environment variables"), _OF_PROGRAMS),
}


def argument_breaches(where: str, wire: Mapping[str, object], *, is_hosted: bool) -> Iterator[Breach]:
    """What of one tool's schemas breaks a rule; `where` is the tool's own place.

    `is_hosted`: Pierhead's host stands before it, which bounds every call as a whole, so that a missing bound warns.
    """
    raw = wire.get("inputSchema")
    given: Mapping[str, object] = cast("Mapping[str, object]", raw) if isinstance(raw, Mapping) else {}
    place = f"{where}.inputSchema"
    if given.get("type") != "object":
        yield breach("S10", place, "it is no schema of an object", "give it `type: object`")
    for member in ("inputSchema", "outputSchema"):
        schema = wire.get(member)
        if isinstance(schema, Mapping):
            yield from _shape(f"{where}.{member}", cast("Mapping[str, object]", schema))
    seen = list(subschemas(given, place))
    about = f"{wire.get('name')} {wire.get('title', '')} {wire.get('description', '')}".lower()
    yield from _headers(seen)
    for sub in seen:
        yield from _bounds(sub, Weight.WARNS if is_hosted else Weight.BLOCKS)
        yield from _name(sub, about)
        if not is_hosted and spoken(sub.name) in _SWITCHES:
            yield breach("L09", sub.place, "a switch that a model can turn", weight=Weight.WARNS)


def _shape(place: str, schema: Mapping[str, object]) -> Iterator[Breach]:
    if any(part.depth > DEEPEST for part in parts(schema)):
        return  # said already, and nothing to walk through
    seen = list(subschemas(schema, place))
    if any(sub.depth > MOST_LEVELS for sub in seen):
        yield breach("S09", place, f"subschemas stand more than {MOST_LEVELS} deep")
    if len(seen) > MOST_SUBSCHEMAS:
        yield breach("S09", place, f"{len(seen)} subschemas")
    elif written_out(schema) >= ENDLESS:
        yield breach("S09", place, "written out with its references it is endless, or more than 10,000 subschemas")


def _headers(seen: list[Sub]) -> Iterator[Breach]:
    named: set[str] = set()
    for sub in seen:
        if "x-mcp-header" not in sub.schema:
            continue
        header = sub.schema["x-mcp-header"]
        if not isinstance(header, str) or not _TOKEN.fullmatch(header):
            yield breach("S11", sub.place, "its header is no token")
            continue
        if header.lower() in named:
            yield breach("S11", sub.place, f"the header {header} is mirrored twice")
        named.add(header.lower())
        kinds = _kinds(sub.schema)
        if not kinds or not kinds <= _PRIMITIVE or not sub.name or sub.depth != 1:
            yield breach(
                "S11", sub.place, "only a text, integer or boolean of the arguments themselves can be a header"
            )
        if is_secret(sub.name) or is_secret(header):
            yield breach("S11", sub.place, "what is mirrored is a secret")


def _bounds(sub: Sub, weight: Weight) -> Iterator[Breach]:
    """One breach a subschema: what it lacks."""
    kinds, schema = _kinds(sub.schema), sub.schema
    if "properties" in schema and schema.get("additionalProperties") is not False and "$ref" not in schema:
        yield breach("S10", sub.place, "it takes members that it does not name", "`additionalProperties: false`")
    if _BOUNDED_BY & schema.keys():
        return
    lacking: list[str] = []
    if "string" in kinds and not {"maxLength", "pattern", "format"} & schema.keys():
        lacking.append("maxLength")
    if "array" in kinds and "maxItems" not in schema:
        lacking.append("maxItems")
    if {"integer", "number"} & kinds:
        low, high = {"minimum", "exclusiveMinimum"} & schema.keys(), {"maximum", "exclusiveMaximum"} & schema.keys()
        lacking += [name for name, has in (("minimum", low), ("maximum", high)) if not has]
    if lacking:
        yield breach(
            "S10", sub.place, f"it has no {' and no '.join(lacking)}", f"say {' and '.join(lacking)}", weight=weight
        )


def _kinds(schema: Mapping[str, object]) -> frozenset[str]:
    """The types that it names; `null` beside another is none of its own."""
    given = schema.get("type")
    named = cast("list[object]", given) if isinstance(given, list) else [given]
    return frozenset(each for each in named if isinstance(each, str)) - {"null"}


def _name(sub: Sub, about: str) -> Iterator[Breach]:
    """What the argument's own name says that it is; `about` is what its tool is called and said to do."""
    words = spoken(sub.name)
    described = sub.schema.get("description")
    if states_authority(sub.name):
        yield breach("S18", sub.place, "it states what its caller may do, or that somebody agreed")
    if words in _INNER or not any(word in about for word in _INNER_UNLESS.get(words, ("",))):
        what = "its name asks the model for what only the model knows"
        yield breach("S05", sub.place, what, "ask for what the tool needs")
    if is_secret(sub.name) or (isinstance(described, str) and _ASKED.search(described.lower())):
        yield breach("S19", sub.place, "it asks for a secret")
    if words in {"regex", "regexp", "regular expression", "regex pattern", "pattern regex"}:
        yield breach("L10", sub.place, "it takes a regular expression")


def spoken(name: str) -> str:
    """A name in words: `apiKey` and `API_KEY` are both `api key`."""
    return " ".join(word.lower() for word in _WORDS.findall(name))


def states_authority(name: str) -> bool:
    """Whether an argument of that name says what its caller may do, or that somebody agreed."""
    return spoken(name) in _AUTHORITY


def is_secret(name: str) -> bool:
    words = spoken(name)
    return bool(words) and _SECRETS.search(words) is not None and not _NO_SECRETS.search(words)
