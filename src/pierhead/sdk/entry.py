"""A server's entry of the fleet file, read into its settings: what an installed kind does first.

Above: the settings of each kind. Not here: what the platform reads of an entry, and tells no server (`bootstrap`).
"""

from collections.abc import Callable, Mapping
from typing import Final, TypeVar

from pydantic import BaseModel, ValidationError

from pierhead.core.errors import Misconfigured

Settings = TypeVar("Settings", bound=BaseModel)

_OF_THE_PLATFORM: Final = frozenset({"kind", "access", "tools"})
"""Read and enforced by the platform, before a call comes to a server."""


def read_entry(
    model: type[Settings],
    name: str,
    written: Mapping[str, object],
    *,
    code: str,
    fault: Callable[[Settings], str] = lambda _: "",
) -> Settings:
    """The settings of the server `name`; `fault` says what is wrong with them beyond their shape, or nothing.

    Errors: Misconfigured with that code, naming each fault and no value.
    """
    own = {key: value for key, value in written.items() if key not in _OF_THE_PLATFORM}
    try:
        settings = model.model_validate({**own, "name": name})
        faults = fault(settings)
    except ValidationError as invalid:
        faults = "; ".join(f"{'.'.join(map(str, error['loc']))}: {error['msg']}" for error in invalid.errors())
    else:
        if not faults:
            return settings
    raise Misconfigured(faults, hint="correct the server's entry in the fleet file", code=code)
