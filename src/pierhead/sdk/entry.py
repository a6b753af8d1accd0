"""A server's entry of the fleet file, read into its settings: what an installed kind does first.

Above: the settings of each kind. Not here: what the platform reads of an entry, and tells no server (`bootstrap`).
"""

from collections.abc import Mapping
from typing import Final, TypeVar

from pydantic import BaseModel, ValidationError

from pierhead.core.errors import Misconfigured

Settings = TypeVar("Settings", bound=BaseModel)

_OF_THE_PLATFORM: Final = frozenset({"kind", "access", "tools"})
"""Read and enforced by the platform, before a call comes to a server."""


def read_entry(model: type[Settings], name: str, written: Mapping[str, object], *, code: str) -> Settings:
    """The settings of the server `name`. Errors: Misconfigured with that code, naming each fault and no value."""
    own = {key: value for key, value in written.items() if key not in _OF_THE_PLATFORM}
    try:
        return model.model_validate({**own, "name": name})
    except ValidationError as invalid:
        faults = "; ".join(f"{'.'.join(map(str, error['loc']))}: {error['msg']}" for error in invalid.errors())
        raise bad_entry(faults, code=code) from None


def bad_entry(faults: str, *, code: str) -> Misconfigured:
    """What a kind finds wrong with an entry beyond its shape."""
    return Misconfigured(faults, hint="correct the server's entry in the fleet file", code=code)
