"""The form of a piece of Envoy's configuration: JSON, with the type of each extension by name."""

from typing import Any, Final, TypeAlias

# What Envoy's messages hold is Envoy's affair, and `envoy --mode validate` the judge of it.
Shape: TypeAlias = dict[str, Any]
_TYPES: Final = "type.googleapis.com/envoy.extensions."


def extension(kind: str, **members: object) -> Shape:
    """One extension by its type: `filters.http.rbac.v3.RBAC`. Its name is the one that Envoy's own examples give."""
    return {"name": "envoy." + kind.rsplit(".", 2)[0], "typed_config": typed(kind, **members)}


def typed(kind: str, **members: object) -> Shape:
    return {"@type": f"{_TYPES}{kind}", **members}
