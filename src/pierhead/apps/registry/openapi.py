"""The OpenAPI document of the REST API: kept by hand in `openapi.yaml`, served with this platform's address.

`make check` holds it to the routes, in both directions, and tests hold real answers to its schemas. So it is no
dream of an API, and no framework is needed to write it (docs/decisions/0010). Above: `api/routes`, `web/page_docs`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import yaml

FILE: Final = Path(__file__).with_name("openapi.yaml")
_METHODS: Final = ("get", "put", "post", "delete", "patch")

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Operation:
    """One method on one path, and the document's words on it."""

    method: str
    path: str
    content: Document


def document(public_url: str) -> Document:
    """The document, for a platform at that address."""
    return {**_read(), "servers": [{"url": public_url}]}


def operations(of: Document) -> Iterator[Operation]:
    """Every operation, in the document's order."""
    for path, item in of["paths"].items():
        for method in _METHODS:
            if method in item:
                yield Operation(method.upper(), path, item[method])


@cache
def _read() -> Document:
    """Read once, when somebody first asks for it."""
    return yaml.safe_load(FILE.read_text(encoding="utf-8"))
