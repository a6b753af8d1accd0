"""The change feed: which servers a policy revision changed, by waiting for the answer or as a stream of events.

For programs that keep something of the catalogue. Names alone: what changed is read where each caller is shown what
is theirs. A server that was never callable is named to auditors only. Not here: the log itself (`tell_changes`).
"""

from collections.abc import AsyncIterator, Mapping
from typing import Final

import orjson
from starlette.responses import StreamingResponse

from pierhead.apps.registry.api.answers import HEADERS, Asked
from pierhead.core.errors import Invalid

_LONGEST_WAIT_S: Final = 30.0
"""Below the gateway's own patience with the registry."""
_BEAT_S: Final = 15.0
_BEATS: Final = 40
"""Ten minutes, the life of a token: whoever lost the right to listen is then asked again who they are."""
_LARGEST: Final = 2**53


async def changes(asked: Asked) -> object:
    """What changed past `after`; at once if something did, else after at most `wait_s`.

    `servers` is null where `after` is too long ago: then everything is to be read again.
    """
    query = asked.query("after", "wait_s")
    after = _number(query, "after", _LARGEST)
    wait_s = _number(query, "wait_s", int(_LONGEST_WAIT_S))
    if after <= asked.site.feed.current().revision:  # nobody waits for what this registry is far from
        await asked.site.feed.after(after, wait_s)
    return _changes(asked, after)


async def stream(asked: Asked) -> object:
    """The same as server-sent events, for at most ten minutes; `Last-Event-ID` goes on where the last one ended."""
    query = asked.query("after")
    seen = asked.request.headers.get("last-event-id", "")
    after = _number({"after": seen} if seen else query, "after", _LARGEST)
    now = asked.site.feed.current().revision
    return StreamingResponse(_events(asked, min(after, now) if after else now), 200, _STREAM)


_STREAM: Final = {**HEADERS, "content-type": "text/event-stream"}


async def _events(asked: Asked, after: int) -> AsyncIterator[bytes]:
    yield b"retry: 2000\n\n"
    feed = asked.site.feed
    for _ in range(_BEATS):
        await feed.after(after, _BEAT_S)
        if feed.is_ending:
            return
        if feed.current().revision <= after:
            yield b": still here\n\n"
            continue
        found = _changes(asked, after)
        after = feed.current().revision
        yield b"id: %d\nevent: change\ndata: %b\n\n" % (after, orjson.dumps(found))


def _changes(asked: Asked, after: int) -> Mapping[str, object]:
    feed = asked.site.feed
    found = feed.changed_since(after)
    names = None if found is None else sorted(name for name, live in found.items() if live or asked.sees_all)
    return {"revision": feed.current().revision, "servers": names}


def _number(query: Mapping[str, str], name: str, largest: int) -> int:
    text = query.get(name, "0")
    number = int(text) if text.isascii() and text.isdigit() and len(text) <= len(str(largest)) else -1
    if not 0 <= number <= largest:
        raise Invalid(f"{name} is no whole number from 0 to {largest}", hint="send the revision of the answer before")
    return number
