"""Versions end on their day while the registry runs.

Every registry of a platform may do it: of two that come at once one moves the version, the other finds it moved. Below:
`usecases/end_versions`.
"""

from typing import Final

from pierhead.bootstrap.repeating import for_ever
from pierhead.bootstrap.wire_registry import RegistryAdapters
from pierhead.usecases.end_versions import end_versions

_EVERY_S: Final = 1.0


async def end_for_ever(adapters: RegistryAdapters, every_s: float = _EVERY_S) -> None:
    """Until cancelled: retire what is over, wait."""
    await for_ever(lambda: end_versions(adapters.registry), every_s, "ends of versions")
