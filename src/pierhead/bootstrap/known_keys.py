"""Which keys an entry may have, at each depth: so that one that nobody knows is told with the nearest that is known.

Above: `fleet`, whose faults have lines, and `entries`, whose faults have places. Not here: what a key means
(`declared`).
"""

import difflib
from collections.abc import Iterable, Mapping
from typing import Final

from pydantic import BaseModel

from pierhead.bootstrap.declared import Access, DeclaredGuestTool, DeclaredMinutes, GuestModel, Narrowing, PluginModel
from pierhead.bootstrap.declared_approvals import DeclaredApproval

_CLOSE: Final = 0.75


def known_keys(model: type[BaseModel], inside: Iterable[str | int]) -> list[str]:
    """The keys of an entry of that kind, `inside` a member of it or, with nothing named, of the entry itself."""
    parts = [str(part) for part in inside]
    if not parts:
        return list(model.model_fields)
    if "minutes_saved" in parts:
        return list(DeclaredMinutes.model_fields)
    tools = DeclaredGuestTool if issubclass(model, GuestModel) else Narrowing
    inner: Mapping[str, type[BaseModel]] = {"access": Access, "approvals": DeclaredApproval, "tools": tools}
    return list(inner[parts[0]].model_fields) if parts[0] in inner else []


def misspelt_keys(entry: Mapping[str, object]) -> dict[str, str]:
    """Of a kind that has keys of its own: those that are nearly a common one, which would silently be nothing."""
    common = list(PluginModel.model_fields)
    near = {
        key: difflib.get_close_matches(key, common, n=1, cutoff=_CLOSE) for key in sorted(entry.keys() - set(common))
    }
    return {key: found[0] for key, found in near.items() if found}
