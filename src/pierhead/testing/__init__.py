"""For an author's own tests: the platform in memory, people who answer, clients as they are, arguments from schemas.

Most of it comes as pytest fixtures, with nothing to import (`plugin`). The names load on first use: pytest imports this
package wherever it is installed, and must not import the platform for projects that do not use it.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pierhead.sdk.testing import Running, platform
    from pierhead.sdk.testing_people import approve_with
    from pierhead.testing.bench import Bench, Identity
    from pierhead.testing.profiles import PROFILES, Profile
    from pierhead.testing.strategies import from_tool

__all__ = ["PROFILES", "Bench", "Identity", "Profile", "Running", "approve_with", "from_tool", "platform"]


def __getattr__(name: str) -> object:
    match name:
        case "Running" | "platform":
            from pierhead.sdk import testing as found  # noqa: PLC0415 - see the module's docstring
        case "approve_with":
            from pierhead.sdk import testing_people as found  # noqa: PLC0415
        case "Bench" | "Identity":
            from pierhead.testing import bench as found  # noqa: PLC0415
        case "PROFILES" | "Profile":
            from pierhead.testing import profiles as found  # noqa: PLC0415
        case "from_tool":
            from pierhead.testing import strategies as found  # noqa: PLC0415
        case _:
            raise AttributeError(f"module 'pierhead.testing' has no attribute {name!r}")
    return getattr(found, name)
