"""The OpenAPI document against the routes, in both directions; and against the specification of OpenAPI itself.

Not here: whether real answers fit its schemas (tests/unit/apps/registry/test_api.py).
"""

from collections.abc import Iterable
from typing import Final

from openapi_spec_validator import OpenAPIV31SpecValidator

from pierhead.apps.registry import openapi
from pierhead.apps.registry.api.routes import ROUTES
from tools.findings import ROOT, Finding

_PAGE: Final = str(openapi.FILE.relative_to(ROOT))


def check_openapi() -> list[Finding]:
    """What is wrong with the document, and where it and the routes differ."""
    document = openapi.document("http://127.0.0.1:8420")
    faults = [fault.message for fault in OpenAPIV31SpecValidator(dict(document)).iter_errors()]
    documented = {f"{each.method} {each.path}" for each in openapi.operations(document)}
    return [Finding(_PAGE, 0, message) for message in faults] + compare(documented, ROUTES)


def compare(documented: Iterable[str], served: Iterable[str]) -> list[Finding]:
    """What is served and not documented, and what is documented and not served."""
    missing = sorted(set(served) - set(documented))
    gone = sorted(set(documented) - set(served))
    return [Finding(_PAGE, 0, f"route `{name}` is not documented") for name in missing] + [
        Finding(_PAGE, 0, f"route `{name}` is not in the code") for name in gone
    ]
