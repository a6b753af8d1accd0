"""Entries of the catalogue, read by the very models of the fleet file: one form, whoever declares a server.

Fills the port `Declarations`. Faults carry the place of the member, since a registration has no lines. Not here: who
may register (`usecases/rights`).
"""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from pydantic import BaseModel, ValidationError

from pierhead.bootstrap.declared import MODELS, FleetServer, PluginModel, frozen
from pierhead.bootstrap.known_keys import known_keys, misspelt_keys
from pierhead.bootstrap.plugins import server_kinds
from pierhead.core.errors import Invalid
from pierhead.core.json import Json

_HINT: Final = "see docs/how-to/write-a-fleet-file.md"


@dataclass(frozen=True, slots=True)
class EntryDeclarations:
    """Reads what stands under one server's name. `kinds` are those that are installed: looking is slow, so once."""

    kinds: frozenset[str] = field(default_factory=lambda: frozenset({*MODELS, *server_kinds()}))

    def read(self, name: str, document: Mapping[str, Json]) -> FleetServer:
        """Errors: Invalid (`bad-entry`), every fault with its member."""
        kind = document.get("kind")
        if kind not in self.kinds:
            raise _bad(name, [f"kind {kind!r} is none of {', '.join(sorted(self.kinds))}"], _HINT)
        model = MODELS.get(str(kind), PluginModel)
        try:
            read = model.model_validate(dict(document))
        except ValidationError as invalid:
            faults = [_fault(error) for error in invalid.errors()]
            raise _bad(name, faults, _near(invalid, model)) from None
        if model is PluginModel and (misspelt := misspelt_keys(document)):
            raise _bad(
                name, [f"unknown member {key}" for key in misspelt], f"did you mean {next(iter(misspelt.values()))}?"
            )
        return frozen(name, read, dict(document), None)


def _fault(error: Any) -> str:  # noqa: ANN401 - pydantic's own mapping
    place = ".".join(str(part) for part in error["loc"] if not str(part).startswith(("function-", "_", "[key]")))
    if error["type"] == "extra_forbidden":
        return f"unknown member {place}"
    if error["type"] == "missing":
        return f"{place} is missing"
    return f"{place}: {str(error['msg']).removeprefix('Value error, ')}"


def _near(invalid: ValidationError, model: type[BaseModel]) -> str:
    for error in invalid.errors():
        if error["type"] == "extra_forbidden":
            known = known_keys(model, error["loc"][:-1])
            near = difflib.get_close_matches(str(error["loc"][-1]), known, n=1)
            return f"did you mean {near[0]}?" if near else f"allowed there: {', '.join(sorted(known))}"
    return _HINT


def _bad(name: str, faults: list[str], hint: str) -> Invalid:
    return Invalid(f"server {name}: {'; '.join(faults)}", hint=hint, code="bad-entry")
