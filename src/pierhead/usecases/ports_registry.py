"""What the registry keeps, and what gateways and servers ask of it.

Filled by `adapters/db` (inside the registry) and by `adapters/remote` (everywhere else).
Not here: what pages read (`ports_records`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from pierhead.core.audit import Fact
from pierhead.core.chain import Head, Record
from pierhead.core.server_key import ServerKey
from pierhead.usecases.wire_forms import Manifest


@dataclass(frozen=True, slots=True)
class Revision:
    """One published policy; `digest` is the SHA-256 of its content.

    `document` is its JSON text: the whole snapshot, or what changed since the revision whose digest is its `base`.
    """

    number: int
    digest: str
    document: str


class Policies(Protocol):
    """Every published revision."""

    async def latest(self) -> Revision | None: ...

    async def publish(self, revision: Revision, at: float, by: str, fact: Fact) -> None:
        """Keep a revision and its fact together, or neither.

        Errors: Conflict, if that number was taken meanwhile.
        """
        ...


class Manifests(Protocol):
    """The last manifest of each server."""

    async def all(self) -> Mapping[str, Manifest]: ...

    async def one(self, server: str) -> Manifest | None: ...

    async def keep(self, server: str, manifest: Manifest, at: float, fact: Fact) -> None:
        """Keep it in place of the one before, together with its fact."""
        ...


class ServerKeys(Protocol):
    """The key of each server whose process is not the platform's own; at most one a server."""

    async def keys(self) -> Mapping[str, ServerKey]:
        """All of them, by server."""
        ...

    async def key(self, server: str) -> ServerKey | None: ...

    async def keep_key(self, key: ServerKey, fact: Fact) -> None:
        """Keep it in place of the one before, together with its fact."""
        ...

    async def end_key(self, server: str, at: float, fact: Fact) -> None:
        """Keep none of that server, together with the fact."""
        ...


class ProcessStates(Protocol):
    """What the supervisor said last of each server's process."""

    async def keep_state(self, server: str, state: str, reason: str, at: float, fact: Fact) -> None: ...


class FactStore(Protocol):
    """The record of all writers, and the calls projected from it."""

    async def head(self, writer: str) -> Head | None:
        """Where this writer's chain ends here; None for a writer never seen."""
        ...

    async def keep(self, writer: str, after: Head | None, records: Sequence[Record]) -> None:
        """Keep records that were checked to follow `after`, and project them.

        Errors: Conflict, if the chain no longer ends at `after`.
        """
        ...


@dataclass(frozen=True, slots=True)
class FactLine:
    """One record as it is kept."""

    writer: str
    sequence: int
    line: bytes


class FactPages(Protocol):
    """Everything that is kept, to be copied elsewhere or checked."""

    async def lines(self, after: tuple[str, int], limit: int) -> Sequence[FactLine]:
        """At most `limit` lines past (writer, sequence), writer by writer, each in its order."""
        ...


class FactSink(Protocol):
    """The registry, as a writer's shipper sees it."""

    async def take(self, writer: str, lines: Sequence[bytes]) -> int:
        """Deliver lines; the last place that is now kept there. No lines: only ask.

        Errors: UpstreamUnreachable; Invalid, if the registry refuses the chain.
        """
        ...


class Spool(Protocol):
    """A writer's journal, as its shipper sees it."""

    @property
    def durable(self) -> int:
        """The place of the last record on disk."""
        ...

    async def after(self, sequence: int, limit: int) -> Sequence[bytes]: ...

    async def release(self, sequence: int) -> None: ...


@dataclass(frozen=True, slots=True)
class Envelope:
    """A snapshot as it travels: the exact text that was signed, and the signature (base64)."""

    payload: str
    signature: str


@dataclass(frozen=True, slots=True)
class Held:
    """What a follower holds already: the revision, the digest of the last whole one, the version of people."""

    revision: int
    base: str
    people: int


class SnapshotSource(Protocol):
    """The registry, as a follower sees it."""

    async def snapshot(self, held: Held, wait_s: float) -> Envelope:
        """The current revision, at once if something is later than what is held, else after at most `wait_s`.

        It may be told as what changed since `held.base`.
        Errors: UpstreamUnreachable.
        """
        ...


class SnapshotSignature(Protocol):
    """Checks that the registry said it."""

    def is_valid(self, envelope: Envelope) -> bool: ...


class SnapshotFile(Protocol):
    """The last-known snapshot on this disk. Everything is kept durably, and whole or not at all."""

    def load(self) -> Sequence[Envelope]:
        """The last whole revision and the last change that was kept since, in this order, as far as they are there."""
        ...

    def keep(self, envelope: Envelope) -> None:
        """A whole revision, in place of everything that was kept."""
        ...

    def keep_change(self, envelope: Envelope) -> None:
        """What changed since the whole revision, in place of an earlier change."""
        ...
