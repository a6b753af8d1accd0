"""The REST API's documentation: one page, made from the OpenAPI document alone, so that it cannot say otherwise.

For anyone, signed in or not; its twin is `/openapi.json`. Not here: the document (`apps/registry/openapi`).
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import htpy as h

from pierhead.apps.registry.openapi import Document, Operation, operations
from pierhead.apps.registry.web.frame import heading
from pierhead.apps.registry.web.parts import Column, exact, exact_json, folded, table, titled, to
from pierhead.apps.registry.web.site import Shown

_SCHEMAS: Final = "#/components/schemas/"


def docs(document: Document) -> Shown:
    """The page."""
    return Shown("API", document, lambda: _docs(document))


def _docs(document: Document) -> h.Node:
    info, components = document["info"], document["components"]
    listed = list(operations(document))
    return [
        heading(
            "API",
            h.p(class_="read")[_prose(info["description"])],
            h.p(class_="read quiet")["The same for programs, as OpenAPI: ", to("/openapi.json", "openapi.json")],
        ),
        titled("Who asks", [_scheme(each) for each in components["securitySchemes"].values()]),
        titled("Try it", exact(_example(document), "Asking whether a call would be permitted")),
        [
            _group(tag, [each for each in listed if tag["name"] in each.content["tags"]], document)
            for tag in _tags(document)
        ],
        titled("Shapes", [_shape(name, schema) for name, schema in components["schemas"].items()]),
    ]


def _tags(document: Document) -> list[Mapping[str, str]]:
    return document["tags"]


def _scheme(scheme: Mapping[str, str]) -> h.Node:
    return h.p(class_="read")[_prose(scheme["description"])]


def _example(document: Document) -> str:
    address = document["servers"][0]["url"]
    question = '{"server": "warehouse", "tool": "run_query"}'
    return (
        f"curl -H \"Authorization: Bearer $(pierhead token --as alice)\" -H 'Content-Type: application/json' \\\n"
        f"  -d '{question}' {address}/api/v1/authorize"
    )


def _group(tag: Mapping[str, str], members: Iterable[Operation], document: Document) -> h.Node:
    return titled(
        tag["name"],
        h.p(class_="read quiet")[tag["description"]],
        [_operation(each, document) for each in members],
    )


def _operation(operation: Operation, document: Document) -> h.Node:
    content = operation.content
    parameters = [_resolved(each, document) for each in content.get("parameters", ())]
    body = content.get("requestBody")
    return h.section(class_="tool stack", id=content["operationId"])[
        h.h3[h.code[f"{operation.method} {operation.path}"]],
        h.p(class_="read")[content["summary"]],
        h.p(class_="read quiet")[_prose(content["description"])] if "description" in content else None,
        _parameters(content["operationId"], parameters) if parameters else None,
        h.p["Send: ", _shape_of(body)] if body else None,
        _responses(content["operationId"], content["responses"], document),
    ]


def _parameters(name: str, parameters: Iterable[Document]) -> h.Node:
    columns = [Column("Member"), Column("In"), Column("Means")]
    rows = [[h.code[each["name"]], each["in"], _prose(each["description"])] for each in parameters]
    return table(f"Members of {name}", columns, rows)


def _responses(name: str, responses: Mapping[str, Document], document: Document) -> h.Node:
    columns = [Column("Status"), Column("Means"), Column("Shape")]
    found = [(status, _resolved(each, document)) for status, each in responses.items()]
    rows = [[h.code[status], _prose(each["description"]), _shape_of(each)] for status, each in found]
    return table(f"Answers of {name}", columns, rows)


def _prose(text: str) -> h.Node:
    """The document's words, with what stands in backticks as code."""
    return [h.code[part] if place % 2 else part for place, part in enumerate(text.split("`"))]


def _shape_of(content: Document) -> h.Node:
    """A link to the shape of a body: of several forms, the one that has a name."""
    body = next((each for each in content["content"].values() if "$ref" in each["schema"]), None)
    if body is None:
        return "a file, as it is"
    name = str(body["schema"]["$ref"]).removeprefix(_SCHEMAS)
    return h.a(href=f"#shape-{name}")[h.code[name]]


def _shape(name: str, schema: Document) -> h.Node:
    return h.section(class_="stack", id=f"shape-{name}")[
        h.h3[h.code[name]], folded("JSON Schema", exact_json(schema, f"JSON Schema of {name}"))
    ]


def _resolved(content: Document, document: Document) -> Document:
    """What a reference leads to; anything else is itself."""
    place: Any = document
    for part in str(content.get("$ref", "")).split("/")[1:]:
        place = place[part]
    return place if "$ref" in content else content
