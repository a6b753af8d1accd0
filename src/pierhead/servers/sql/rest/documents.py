"""The documents of each role, kept while policy, schema and what the platform permits stay the same.

Not here: making them (openapi.py, docs_page.py).
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

import orjson

from pierhead.sdk.governed.queries import OfferedQuery
from pierhead.sdk.governed.source import Acting, Ground
from pierhead.servers.sql.rest import docs_page, openapi, schemas


@dataclass(frozen=True, slots=True)
class Documents:
    """OpenAPI as JSON, the page made from it, and the tag of both."""

    json: bytes
    page: bytes
    tag: bytes


@dataclass(slots=True)
class Library:
    """Keeps one set of documents for each role and set of tools."""

    source: str
    version: str
    queries: Mapping[str, OfferedQuery]
    _ground: Ground | None = None
    _kept: dict[tuple[str, frozenset[str]], Documents] = field(
        default_factory=dict[tuple[str, frozenset[str]], Documents]
    )

    def documents(self, ground: Ground, acting: Acting, tools: frozenset[str]) -> Documents:
        """Those of `acting`. A ground is swapped whole, so another one means that all must be made again."""
        if ground is not self._ground:
            self._ground, self._kept = ground, {}
        kept = self._kept.get((acting.name, tools))
        if kept is None:
            kept = self._kept[acting.name, tools] = self._make(ground, acting, tools)
        return kept

    def _make(self, ground: Ground, acting: Acting, tools: frozenset[str]) -> Documents:
        tables = schemas.shown_tables(ground, acting)
        functions = schemas.offered_functions(ground, acting)
        offer = openapi.Offer(self.source, self.version, acting.name, tables, tools, self.queries, functions)
        document = openapi.document(offer)
        encoded = orjson.dumps(document)
        tag = b'"%b"' % hashlib.blake2b(encoded, digest_size=12).hexdigest().encode()
        return Documents(encoded, docs_page.page(document), tag)
