"""Answers of the REST API against what its document says of them."""

from typing import cast

from jsonschema import Draft202012Validator
from jsonschema.protocols import Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from pierhead.apps.registry import openapi


def validator(document: openapi.Document, route: str, status: int) -> Validator:
    """What checks the body that `route` (`GET /path`) answers with that status."""
    method, _, path = route.partition(" ")
    response = document["paths"][path][method.lower()]["responses"][str(status)]
    written = f"/paths/{path.replace('/', '~1')}/{method.lower()}/responses/{status}"
    place = str(response["$ref"]).removeprefix("#") if "$ref" in response else written
    whole = Resource.from_contents(dict(document), default_specification=DRAFT202012)
    registry = Registry().with_resource("urn:api", whole)
    schema = {"$ref": f"urn:api#{place}/content/application~1json/schema"}
    return cast("Validator", Draft202012Validator(schema, registry=registry))
