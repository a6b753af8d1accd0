"""An entry from a form: plain fields of a remote server, or the members as YAML; and whose field a fault is.

Not here: what an entry may hold (`Declarations`), who may register one (`usecases/register_server`), how it looks.
"""

import re
from collections.abc import Mapping
from itertools import accumulate
from pathlib import Path
from typing import Final, cast

from pierhead.bootstrap.document import parse_document
from pierhead.core.catalog import Effect
from pierhead.core.errors import Misconfigured
from pierhead.core.json import Json

PLAIN: Final = ("title", "url", "owner", "support", "description", "access", "data_class")
_YAML: Final = "entry"
_PLACE: Final = re.compile(r"(?:unknown member )?([a-z_]+)[a-z_.\d]*(?: is missing|: |$)")
_LONGEST: Final = 32_768
_DEEPEST: Final = 50
"""Brackets within brackets: reading them costs the square of their number, before any fault is found."""
_SERVER: Final = re.compile(r"server [a-z0-9-]+: ")
_TOOL: Final = re.compile(r"(\S+)\s+(\S+)\s+(\d+(?:\.\d+)?)\s+(\S.*)")


def entry_of(form: Mapping[str, str]) -> tuple[dict[str, Json], dict[str, str]]:
    """The entry that the form holds, and what is wrong with which field; an entry with faults is not whole."""
    if form.get("as") == "yaml":
        return _from_yaml(form.get("document", ""))
    return _from_fields(form)


def _from_yaml(text: str) -> tuple[dict[str, Json], dict[str, str]]:
    if len(text) > _LONGEST:
        return {}, {"document": f"It is longer than {_LONGEST:,} characters."}
    if _bracket_depth(text) > _DEEPEST:
        return {}, {"document": "It is nested too deeply."}
    try:
        values = parse_document(Path(_YAML), text).values
    except Misconfigured as broken:
        said = broken.message.removeprefix(f"{_YAML}, ").replace("the file", "the entry")
        return {}, {"document": f"{said[:1].upper()}{said[1:]}."}
    except RecursionError:
        return {}, {"document": "It is nested too deeply."}
    return cast("dict[str, Json]", dict(values)), {}


def _bracket_depth(text: str) -> int:
    """How many brackets are open at most, quoted ones counted as well."""
    steps = (1 if letter in "[{" else -1 for letter in text if letter in "[{]}")
    return max(accumulate(steps), default=0)


def _from_fields(form: Mapping[str, str]) -> tuple[dict[str, Json], dict[str, str]]:
    entry: dict[str, Json] = {"kind": "http"}
    for member in PLAIN:
        if said := form.get(member, "").strip():
            entry[member] = said
    for member in ("personal_data", "untrusted_results"):
        if form.get(member) == "yes":
            entry[member] = True
    if egress := form.get("egress", "").split():
        entry["egress"] = egress
    tools, fault = _tools(form.get("tools", ""))
    return {**entry, "tools": tools}, {"tools": fault} if fault else {}


def _tools(text: str) -> tuple[dict[str, Json], str]:
    """One tool a line: its name, effect, minutes saved, and who may use it."""
    tools: dict[str, Json] = {}
    for number, line in enumerate(text.splitlines(), 1):
        found = _TOOL.fullmatch(line.strip())
        if found is None and line.strip():
            return {}, f"Line {number} is not a name, an effect, minutes and who may use it."
        if found and found[2] not in set(Effect):
            return {}, f"Line {number}: {found[2][:20]} is no effect; write {', '.join(Effect)}."
        if found:
            tools[found[1]] = {"effect": found[2], "minutes_saved": float(found[3]), "policy": found[4]}
    return tools, "" if tools else "Name at least one tool."


def blame(message: str, fields: frozenset[str], otherwise: str) -> dict[str, str]:
    """A refusal of an entry by the fields it is about; what fits no field goes to `otherwise`."""
    faults: dict[str, list[str]] = {}
    field = otherwise
    for part in _SERVER.sub("", message, count=1).split("; "):
        found = _PLACE.match(part)
        if found:
            field = found[1] if found[1] in fields else otherwise
        faults.setdefault(field, []).append(part)
    return {name: f"{'; '.join(parts)}." for name, parts in faults.items()}
