"""Writing rows by REST: insert and upsert, change and delete by filter or by key.

The lane decides what may be written and does it in one transaction; here its requests are made from HTTP, and its
answers told. Not here: the lane (write_lane.py), bodies of many rows (uploads.py).
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, cast
from urllib.parse import quote

import orjson

from pierhead.sdk import Invalid, NotFound
from pierhead.sdk.governed.engine import Field
from pierhead.sdk.governed.filters import Filter, every
from pierhead.sdk.governed.grammar_native import RESERVED, parse_filter
from pierhead.sdk.governed.source import Source
from pierhead.sdk.routes import Done, Prepared, Reply
from pierhead.servers.sql.grammar_faucet import parse_filter_text
from pierhead.servers.sql.rest import encoding
from pierhead.servers.sql.rest.asked import Asked
from pierhead.servers.sql.rest.calling import carried
from pierhead.servers.sql.rest.keys import filter_by_ids, key_filter, key_of
from pierhead.servers.sql.rest.preferences import Preferences
from pierhead.servers.sql.rest.replies import VARY
from pierhead.servers.sql.rest.uploads import rows_of
from pierhead.servers.sql.write_lane import WriteLane
from pierhead.servers.sql.writes import (
    MOST_AFFECTED,
    DeleteRequest,
    InsertRequest,
    KeyedRequest,
    OnConflict,
    UpdateRequest,
    WriteOptions,
    Written,
)

_ON_CONFLICT: Final[Mapping[str, OnConflict]] = {"merge-duplicates": "merge", "ignore-duplicates": "ignore"}

Writing = Callable[[], Awaitable[Written]]


class WriteRoutes:
    """The routes that write. A source that is read only has none."""

    def __init__(self, source: Source, lane: WriteLane) -> None:
        self._source = source
        self._lane = lane

    async def insert(self, asked: Asked) -> Reply | None:
        """`POST /{table}`."""

        def prepare() -> Prepared:
            preferences = asked.preferences()
            columns = dict(asked.parameters(frozenset({"on_conflict"}))).get("on_conflict", "")
            keys = tuple(name.strip() for name in columns.split(",")) if columns else ()
            request = InsertRequest(
                asked.name(0),
                rows_of(asked),
                _ON_CONFLICT.get(preferences.get("resolution"), "error"),
                keys,
                "null" if preferences.get("missing") == "null" else "default",
                _options(asked, preferences),
            )
            arguments = _recorded(
                request.options, table=request.table, rows=request.rows, on_conflict=request.on_conflict
            )
            more: dict[str, Any] = {"conflict_columns": list(keys)} if keys else {}
            if request.missing == "null":
                more["missing"] = "null"

            async def write() -> Done:
                return told(asked, preferences, await self._lane.insert(asked.calls.caller, request))

            return Prepared({**arguments, **more}, asked.size, write)

        return await carried(asked, "insert_rows", prepare)

    async def update(self, asked: Asked) -> Reply | None:
        """`PATCH /{table}?filter`."""

        def prepare() -> Prepared:
            preferences = asked.preferences()
            changes = _object(asked)
            where, text = self._filter(asked)
            request = UpdateRequest(asked.name(0), changes, where, _options(asked, preferences))
            arguments = _recorded(
                request.options,
                table=request.table,
                set=changes,
                filter=text,
                max_affected=request.options.max_affected,
                if_match=request.options.if_match,
            )

            async def write() -> Done:
                return told(asked, preferences, await self._lane.update(asked.calls.caller, request))

            return Prepared(arguments, asked.size, write)

        return await carried(asked, "update_rows", prepare)

    async def delete(self, asked: Asked) -> Reply | None:
        """`DELETE /{table}?filter`."""
        return await self._delete(asked, lambda: self._filter(asked), is_one=False)

    async def update_one(self, asked: Asked) -> Reply | None:
        """`PATCH /{table}/{key}`."""
        return await self._keyed(asked, inserts=False)

    async def put_one(self, asked: Asked) -> Reply | None:
        """`PUT /{table}/{key}`: the row is there afterwards, whether it was or not."""
        return await self._keyed(asked, inserts=True)

    async def delete_one(self, asked: Asked) -> Reply | None:
        """`DELETE /{table}/{key}`."""

        def where() -> tuple[Filter, str]:
            asked.parameters(frozenset())
            return key_filter(self._source, asked), asked.parts[1].decode("ascii")

        return await self._delete(asked, where, is_one=True)

    def _filter(self, asked: Asked) -> tuple[Filter | None, str]:
        """The rows that are meant, in either grammar, and the words for them; the lane refuses none at all."""
        pairs = asked.parameters()
        known = RESERVED - {"filter"}
        unused = [name for name, _ in pairs if name in known]
        if unused:
            raise Invalid(f"{unused[0]} means nothing to a write", hint="leave it out", code="bad-parameter")
        texts = [parse_filter_text(value) for name, value in pairs if name == "filter"]
        where = every(parse_filter(pairs), *texts, filter_by_ids(self._source, asked))
        return where, asked.request.query.decode("ascii", "replace")

    async def _keyed(self, asked: Asked, *, inserts: bool) -> Reply | None:
        def prepare() -> Prepared:
            preferences = asked.preferences()
            asked.parameters(frozenset())
            row = _with_key(_object(asked), key_of(self._source, asked))
            request = KeyedRequest(asked.name(0), [row], inserts, _options(asked, preferences))
            arguments = _recorded(
                request.options,
                table=request.table,
                rows=[row],
                insert_missing=inserts,
                max_affected=request.options.max_affected,
                if_match=request.options.if_match,
            )

            async def write() -> Done:
                written = await self._lane.update_keyed(asked.calls.caller, request)
                return told(asked, preferences, written, is_one=True)

            return Prepared(arguments, asked.size, write)

        return await carried(asked, "update_rows", prepare)

    async def _delete(
        self, asked: Asked, where: Callable[[], tuple[Filter | None, str]], *, is_one: bool
    ) -> Reply | None:
        def prepare() -> Prepared:
            preferences = asked.preferences()
            found, text = where()
            request = DeleteRequest(asked.name(0), found, _options(asked, preferences))
            arguments = _recorded(
                request.options,
                table=request.table,
                filter=text,
                max_affected=request.options.max_affected,
                if_match=request.options.if_match,
            )

            async def write() -> Done:
                written = await self._lane.delete(asked.calls.caller, request)
                if is_one and written.affected == 0:
                    raise no_row()
                return told(asked, preferences, written, is_one=is_one)

            return Prepared(arguments, asked.size, write)

        return await carried(asked, "delete_rows", prepare)


def no_row() -> NotFound:
    """The same for a row that is hidden as for one that is not there."""
    return NotFound("there is no such row", hint="read the table to see which there are", code="no-such-row")


def _object(asked: Asked) -> dict[str, Any]:
    value = asked.json_value()
    if not isinstance(value, dict):
        raise Invalid("the body is no JSON object", hint="send the columns to write as one object", code="bad-body")
    return cast("dict[str, Any]", value)


def _with_key(row: dict[str, Any], key: Mapping[str, str]) -> dict[str, Any]:
    """The row with its key from the path. Errors: Invalid (`bad-body`), where the body names another."""
    for name, value in key.items():
        if name in row and str(row[name]) != value:
            raise Invalid(
                f"the path and the body name two values of {name}", hint="leave it out of the body", code="bad-body"
            )
    return {**row, **key}


def _options(asked: Asked, preferences: Preferences) -> WriteOptions:
    headers = asked.request.headers
    most = preferences.max_affected
    return WriteOptions(
        returning=preferences.get("return") == "representation",
        dry_run=preferences.get("tx") == "rollback",
        idempotency_key=headers.get(b"idempotency-key", b"").decode("latin-1"),
        max_affected=MOST_AFFECTED if most is None else most,
        if_match=headers.get(b"if-match", b"").decode("latin-1"),
    )


def _recorded(options: WriteOptions, **own: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """The arguments as the tool would have them: one call, one digest, whichever way it comes."""
    return {
        **own,
        "returning": options.returning,
        "idempotency_key": options.idempotency_key,
        "dry_run": options.dry_run,
    }


def told(asked: Asked, preferences: Preferences, written: Written, *, is_one: bool = False) -> Done:
    """A write as HTTP tells it: nothing more than its status, unless the caller prefers to see more."""
    headers = [(b"pierhead-affected", b"%d" % written.affected), VARY, *preferences.applied()]
    if written.etag:
        headers.append((b"etag", written.etag.encode()))
    if written.replayed:
        headers.append((b"idempotency-replayed", b"true"))
    status = 201 if written.created else 200
    if written.dry_run:
        return _done(200, headers, _summary(written))
    if preferences.get("return") == "representation" and written.rows is not None:
        return _done(status, headers, _rows(written, is_one=is_one))
    if preferences.get("return") == "headers-only":
        headers += _location(asked, written)
    if status == 201:  # noqa: PLR2004 - made
        return Done(Reply(status, headers, b""), 0)
    return Done(Reply(204, headers, b""), 0)


def _done(status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> Done:
    return Done(Reply(status, [(b"content-type", b"application/json"), *headers], body), len(body))


def _rows(written: Written, *, is_one: bool) -> bytes:
    fields = [Field(name, type_, type_ in ("json", "jsonb")) for name, type_ in written.columns]
    rows = written.rows or []
    return encoding.one_object(fields, rows[0]) if is_one and rows else encoding.objects(fields, rows)


def _summary(written: Written) -> bytes:
    """What a preview found. Nothing of it was kept."""
    keys = [dict(zip(written.key_columns, key, strict=True)) for key in written.keys]
    head = orjson.dumps({"dry_run": True, "affected": written.affected, "created": written.created, "keys": keys})
    return head[:-1] + b',"rows":' + _rows(written, is_one=False) + b"}"


def _location(asked: Asked, written: Written) -> list[tuple[bytes, bytes]]:
    """Where the one row is that was made."""
    if len(written.keys) != 1 or len(asked.parts) != 1:
        return []
    key = ",".join(quote(str(part), safe="") for part in written.keys[0])
    return [(b"location", asked.parts[0] + b"/" + key.encode())]
