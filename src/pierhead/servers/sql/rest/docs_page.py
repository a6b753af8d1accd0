"""The documentation of one role as a page: made from its OpenAPI document alone, so that it cannot say otherwise.

One file, no script, nothing fetched from anywhere. Every text is escaped, since names and comments come from a
database. Not here: the document (openapi.py).
"""

import base64
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from html import escape
from typing import Any, Final

Document = Mapping[str, Any]

_METHODS: Final = ("get", "post", "put", "patch", "delete")
_STYLE: Final = """
:root { color-scheme: light dark; --ink: #1b1f24; --paper: #fff; --line: #d5dae0; --soft: #f4f6f8; --quiet: #57606a }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6edf3; --paper: #10151b; --line: #30363d; --soft: #182029; --quiet: #9aa6b2 }
}
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.5 system-ui, sans-serif }
main, header { max-width: 62rem; margin: 0 auto; padding: 1rem }
code { font: .9em ui-monospace, monospace; background: var(--soft); padding: .1em .3em; overflow-wrap: anywhere }
table { border-collapse: collapse; width: 100%; margin: .5rem 0 1rem }
caption { text-align: start; color: var(--quiet) }
th, td { text-align: start; vertical-align: top; border-bottom: 1px solid var(--line); padding: .3rem .5rem .3rem 0 }
h2 { border-bottom: 2px solid var(--line); margin-top: 2.5rem }
summary { cursor: pointer; padding: .25rem 0 }
nav ul { columns: 14rem; padding: 0; list-style: none }
a { color: inherit }
"""
_CSP_HASH: Final = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest())
HEADERS: Final = (
    (b"content-type", b"text/html; charset=utf-8"),
    (b"content-security-policy", b"default-src 'none'; style-src 'sha256-%b'; frame-ancestors 'none'" % _CSP_HASH),
)


def page(document: Document) -> bytes:
    """The page."""
    info = document["info"]
    title = escape(info["title"])
    body = "".join(
        [
            f"<header><h1>{title}</h1><p>{_prose(info['description'])}</p>",
            '<p>The same for programs: <a href="openapi.json">openapi.json</a></p></header><main>',
            _contents(document),
            *(_section(tag["name"], document) for tag in document["tags"]),
            _shared(document),
            "</main>",
        ]
    )
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{title} · API</title>'
    return (
        f'<!doctype html><html lang="en"><head>{head}<style>{_STYLE}</style></head><body>{body}</body></html>'.encode()
    )


def _contents(document: Document) -> str:
    names = [tag["name"] for tag in document["tags"]]
    links = "".join(f'<li><a href="#{_anchor(name)}">{escape(name)}</a></li>' for name in names)
    return f'<nav aria-label="Parts"><ul>{links}</ul></nav>'


def _section(tag: str, document: Document) -> str:
    operations = "".join(_operation(*found) for found in _operations(document) if tag in found[2]["tags"])
    columns = _columns(tag, document)
    return f'<section id="{_anchor(tag)}"><h2>{escape(tag)}</h2>{columns}{operations}</section>'


def _operations(document: Document) -> Iterator[tuple[str, str, Document]]:
    for path, item in document["paths"].items():
        for method in _METHODS:
            if method in item:
                yield method.upper(), path, item[method]


def _operation(method: str, path: str, content: Document) -> str:
    own = [each for each in content["parameters"] if "name" in each]
    shared = [each["$ref"].rpartition("/")[2] for each in content["parameters"] if "$ref" in each]
    takes = ", ".join(f'<a href="#parameter-{escape(name)}"><code>{escape(name)}</code></a>' for name in shared)
    rows = "".join(_parameter(each) for each in own)
    table = f"<table><caption>Own parameters</caption>{_heads('Name', 'In', 'Means')}{rows}</table>" if rows else ""
    return (
        f"<details><summary><code>{method} {escape(path)}</code> {_prose(content['summary'])}</summary>{table}"
        f"{f'<p>Takes {takes}.</p>' if takes else ''}{_body(content)}</details>"
    )


def _body(content: Document) -> str:
    formats = content.get("requestBody", {}).get("content", {})
    answers = content["responses"].get("200", {}).get("content", {})
    said = [("Send", formats), ("Answers", answers)]
    return "".join(
        f"<p>{word}: {', '.join(f'<code>{escape(each)}</code>' for each in found)}</p>" for word, found in said if found
    )


def _parameter(each: Document) -> str:
    return _row(f"<code>{escape(each['name'])}</code>", escape(each["in"]), _prose(each.get("description", "")))


def _columns(tag: str, document: Document) -> str:
    """The columns of the table that a section is about."""
    schema = document["components"]["schemas"].get(_component(tag, document), {})
    if "properties" not in schema:
        return ""
    rows = "".join(
        _row(f"<code>{escape(name)}</code>", escape(_type(cell)), _prose(cell.get("description", "")))
        for name, cell in schema["properties"].items()
    )
    said = f"<p>{_prose(schema['description'])}</p>" if "description" in schema else ""
    return f"{said}<table><caption>Columns</caption>{_heads('Column', 'JSON', 'Means')}{rows}</table>"


def _component(tag: str, document: Document) -> str:
    """The component that holds a section's rows; nothing for the sections that are no table."""
    for _, _, content in _operations(document):
        names = content.get("operationId", "").partition("_")
        if tag in content["tags"] and names[0] in ("read", "insert"):
            return names[2]
    return ""


def _type(cell: Document) -> str:
    known: str | list[str] = cell.get("type", "any")
    return known if isinstance(known, str) else " or ".join(known)


def _shared(document: Document) -> str:
    parameters: Mapping[str, Document] = document["components"]["parameters"]
    rows = "".join(
        f'<tr id="parameter-{escape(name)}"><td><code>{escape(name)}</code></td><td>{escape(each["in"])}</td>'
        f"<td>{_prose(each['description'])}</td></tr>"
        for name, each in parameters.items()
    )
    return f"<section><h2>Parameters</h2><table>{_heads('Name', 'In', 'Means')}{rows}</table></section>"


def _heads(*names: str) -> str:
    return "<thead><tr>" + "".join(f'<th scope="col">{name}</th>' for name in names) + "</tr></thead>"


def _row(*cells: str) -> str:
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"


def _prose(text: str) -> str:
    """Words, with what stands in backticks as code."""
    parts: Iterable[str] = text.split("`")
    return "".join(f"<code>{escape(part)}</code>" if place % 2 else escape(part) for place, part in enumerate(parts))


def _anchor(name: str) -> str:
    return "part-" + escape(name.replace(" ", "-"))
