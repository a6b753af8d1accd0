"""How a tool presents itself beside its texts and schemas: addresses (S07), icons (S12), hints (S13), wording (S14).

Pure. Above: `check_listing`. Not here: texts that mislead (`check_definitions`), arguments (`check_arguments`).
"""

import re
from collections.abc import Iterator, Mapping
from typing import Final, cast

from pierhead.core.schema_bounds import parts
from pierhead.core.standard import Breach, Weight
from pierhead.core.standard_rules import breach
from pierhead.usecases.check_arguments import spoken

Wire = Mapping[str, object]

SHORTEST: Final = 40
LONGEST: Final = 1_000
_URL: Final = re.compile(r"\bhttps?://(?:[^\s/@?#]{0,200}@)?(\[[0-9a-fA-F:.]+\]|[\w.-]+)", re.IGNORECASE)
_EXAMPLE: Final = re.compile(
    r"(^|\.)(example(\.(com|org|net))?|localhost|test|invalid)$|^127\.0\.0\.1$|^json-schema\.org$"
)
_PICTURE: Final = re.compile(r"data:image/(png|jpeg|webp);base64,[A-Za-z0-9+/]{1,200000}={0,2}")
_PLACE: Final = re.compile(r"https://([a-z0-9.-]+)(:\d+)?/[^\s\\]{0,500}")
_KINDS: Final = frozenset({"image/png", "image/jpeg", "image/webp"})
_HINTS: Final = ("readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint")
_DESTROYS: Final = frozenset(
    {
        *(
            "delete",
            "drop",
            "remove",
            "destroy",
            "purge",
            "truncate",
            "erase",
            "wipe",
            "kill",
            "terminate",
            "uninstall",
        ),
        *("revoke", "overwrite", "clear", "reset", "shutdown", "format", "shred", "unlink", "rm"),
    }
)
_WRITES: Final = _DESTROYS | frozenset(
    {
        *(
            "write",
            "create",
            "update",
            "insert",
            "add",
            "set",
            "send",
            "post",
            "put",
            "patch",
            "edit",
            "move",
            "rename",
        ),
        *("upload", "publish", "deploy", "install", "execute", "exec", "run", "transfer", "pay", "approve", "merge"),
        *(
            "push",
            "commit",
            "append",
            "modify",
            "grant",
            "assign",
            "submit",
            "schedule",
            "cancel",
            "start",
            "stop",
            "restart",
        ),
        *(
            "trigger",
            "enable",
            "disable",
            "buy",
            "order",
            "refund",
            "reply",
            "invite",
            "import",
            "save",
            "store",
            "record",
        ),
    }
)
#: Verbs that also begin the names of what only reads: `run_query`, `order_by`.
_READS: Final = frozenset(
    {
        *("plan", "preview", "list", "get", "describe", "explain", "check", "validate", "estimate", "search", "find"),
        *("show", "count", "read", "query", "compare", "diagnose", "fetch", "lookup", "look", "is", "has", "can"),
    }
)
_MAY_READ: Final = frozenset(
    {"run", "execute", "exec", "order", "set", "format", "start", "stop", "record", "store", "put"}
)


def manner_breaches(where: str, wire: Wire, hosts: frozenset[str] | None) -> Iterator[Breach]:
    """What of its presentation breaks a rule. `hosts` are those that its entry names; None: there is no entry."""
    yield from _addresses(where, wire, hosts)
    yield from _icons(where, wire.get("icons"), hosts)
    yield from _annotations(where, wire)
    yield from _wording(where, wire)


def _addresses(where: str, wire: Wire, hosts: frozenset[str] | None) -> Iterator[Breach]:
    told = {key: value for key, value in wire.items() if key != "icons"}
    for part in parts(told):
        if not isinstance(part.value, str) or part.key in {"$schema", "$id", "$ref"}:
            continue
        for found in _URL.finditer(part.value):
            host = found[1].lower().rstrip(".")
            if not _EXAMPLE.search(host) and host not in (hosts or ()):
                yield breach("S07", f"{where}.{_shown(part.place)}", f"an address of {host[:60]!a}")


def _icons(where: str, icons: object, hosts: frozenset[str] | None) -> Iterator[Breach]:
    if icons is None:
        return
    listed = cast("list[object]", icons) if isinstance(icons, list) else [icons]
    for at, icon in enumerate(listed):
        place = f"{where}.icons[{at}]"
        members: Wire = cast("Wire", icon) if isinstance(icon, Mapping) else {}
        source, kind = members.get("src"), members.get("mimeType")
        found = _PLACE.fullmatch(source) if isinstance(source, str) else None
        if not isinstance(source, str) or not (found or _PICTURE.fullmatch(source)):
            yield breach("S12", place, "it is neither https nor a picture in the answer")
        elif found and (
            source.lower().split("?")[0].endswith((".svg", ".svgz", ".html", ".js", ".xml")) or "?" in source
        ):
            yield breach("S12", place, "its address is of no picture, or carries values")
        elif found and hosts is not None and found[1] not in hosts:
            yield breach("S12", place, f"it is of another origin: {found[1][:60]!a}")
        if kind is not None and (not isinstance(kind, str) or kind not in _KINDS):
            yield breach("S12", place, "its type is none of png, jpeg and webp")


def _annotations(where: str, wire: Wire) -> Iterator[Breach]:
    given = wire.get("annotations")
    place = f"{where}.annotations"
    hints: Wire = cast("Wire", given) if isinstance(given, Mapping) else {}
    if not {"readOnlyHint", "destructiveHint"} & hints.keys():
        yield breach("S13", place, "it says neither that it reads nor that it destroys")
        return
    wrong = [name for name in _HINTS if name in hints and not isinstance(hints[name], bool)]
    if wrong:
        yield breach("S13", place, f"{', '.join(wrong)} is neither true nor false")
        return
    verb = spoken(str(wire.get("name", ""))).split(" ")
    reads, destroys = hints.get("readOnlyHint") is True, hints.get("destructiveHint", True) is True
    if reads and hints.get("destructiveHint") is True:
        yield breach("S13", place, "it says that it only reads, and that it destroys")
    elif reads and (_is_first(verb, _WRITES - _MAY_READ)):
        yield breach("S13", place, f"it says that it only reads, and is named {' '.join(verb)[:60]!a}")
    elif not reads and not destroys and _is_first(verb, _DESTROYS - _MAY_READ):
        yield breach("S13", place, f"it says that it destroys nothing, and is named {' '.join(verb)[:60]!a}")


def _is_first(words: list[str], verbs: frozenset[str]) -> bool:
    """Whether the name begins with one of the verbs, or with a word of its server and then one."""
    return words[0] not in _READS and any(word in verbs for word in words[:2])


def _wording(where: str, wire: Wire) -> Iterator[Breach]:
    described = wire.get("description")
    size = len(described.strip()) if isinstance(described, str) else 0
    if size < SHORTEST:
        yield breach("S14", f"{where}.description", f"{size} characters; at least {SHORTEST} say what it does")
    elif size > LONGEST:
        yield breach("S14", f"{where}.description", f"{size} characters; at most {LONGEST} are read")
    if not wire.get("outputSchema"):
        yield breach("S14", f"{where}.outputSchema", "nothing says what it answers", weight=Weight.WARNS)


def _shown(place: str) -> str:
    return place if place.isascii() and place.isprintable() else place.encode("unicode_escape").decode("ascii")[:120]
