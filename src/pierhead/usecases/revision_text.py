"""The text of the revision in force, put together of its servers' texts: whole, or what changed since an earlier one.

A follower says which whole revision it holds, by digest; what it gets is measured against that one, so nothing depends
on the answers in between. Pure. Above: `serve_policy`. The other end: `follow_policy`. Not here: time and signature.
"""

import json
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final

from pierhead.core.snapshot import PolicyText
from pierhead.usecases.wire_forms import policies_to_form

_KEPT: Final = 500
_WHOLE_FROM: Final = 8
"""A change of more than the eighth part of all servers is sent whole: then the next ones are small again."""


@dataclass(frozen=True, slots=True)
class Piece:
    """One server's share of a revision: the texts of its form and of its rows, and the digest of both."""

    server: str
    rows: str
    digest: str


Pieces = Mapping[str, Piece]
"""By server, in the order of their names."""


def policies_text(texts: Sequence[PolicyText]) -> str:
    """Company policies as they stand in a whole revision."""
    return json.dumps(policies_to_form(texts), ensure_ascii=False, separators=(",", ":"))


NO_POLICIES_TEXT: Final = "[]"


def digest_of(pieces: Pieces, policies: str = NO_POLICIES_TEXT) -> str:
    """The digest of a revision's content: what has another digest is never told as a change of it."""
    return sha256("".join([*(piece.digest for piece in pieces.values()), policies]).encode()).hexdigest()


def whole_text(number: int, pieces: Pieces, policies: str = NO_POLICIES_TEXT) -> str:
    """The snapshot's form (`wire_forms.snapshot_to_form`) as text."""
    return f'{{"revision":{number},{_listed(pieces.values())},"policies":{policies}}}'


def change_text(number: int, base: str, names: AbstractSet[str], pieces: Pieces) -> str:
    """The same of these servers alone, some of which may be gone; `base` is the digest of what it is measured against.

    `wire_forms.change_from_form` reads it, but for `base`.
    """
    here = [pieces[name] for name in sorted(names) if name in pieces]
    gone = json.dumps(sorted(names - pieces.keys()))
    return f'{{"base":{json.dumps(base)},"revision":{number},{_listed(here)},"gone":{gone}}}'


def changed_names(before: Pieces, after: Pieces) -> frozenset[str]:
    """The servers whose text is another."""
    return frozenset(name for name in before.keys() | after.keys() if _differs(before.get(name), after.get(name)))


def _differs(old: Piece | None, new: Piece | None) -> bool:
    return old is not new and old != new  # most are the very same value


def _listed(pieces: Iterable[Piece]) -> str:
    kept = tuple(pieces)
    servers = ",".join(piece.server for piece in kept)
    rows = ",".join(piece.rows for piece in kept if piece.rows)
    return f'"servers":[{servers}],"rows":[{rows}]'


@dataclass(slots=True)
class RevisionText:
    """The last revision of this process, and what the ones before it changed."""

    number: int = 0
    digest: str = ""
    _whole: str = ""
    """Empty until somebody asks for it: most revisions are told as changes alone."""
    _pieces: Pieces = field(default_factory=dict[str, Piece])
    _policies: str = NO_POLICIES_TEXT
    _log: deque[tuple[str, frozenset[str]]] = field(default_factory=lambda: deque(maxlen=_KEPT))
    """Each revision's digest with the servers that it changed, oldest first."""

    def put(self, number: int, digest: str, pieces: Pieces, policies: str = NO_POLICIES_TEXT) -> None:
        """Go on to that revision. Where company policies are others than before, it can only be told whole."""
        if policies != self._policies:
            self._log.clear()
            self._policies = policies
        self._log.append((digest, changed_names(self._pieces, pieces)))
        self.number, self.digest, self._pieces, self._whole = number, digest, pieces, ""

    def put_whole(self, number: int, digest: str, whole: str) -> None:
        """Go on to a revision whose pieces are not at hand: it can only be told whole."""
        self._log.clear()
        self.number, self.digest, self._pieces, self._whole = number, digest, {}, whole

    def since(self, base: str) -> str:
        """What to tell whoever holds the whole revision of that digest; of one that is not known here, all."""
        names = self._changed_since(base)
        if names is None or len(names) * _WHOLE_FROM > len(self._pieces):
            self._whole = self._whole or whole_text(self.number, self._pieces, self._policies)
            return self._whole
        return change_text(self.number, base, names, self._pieces)

    def of(self, server: str) -> tuple[str, str]:
        """The digest and the text of the revision as that server sees it: its own share, and company policies."""
        pieces = {server: self._pieces[server]} if server in self._pieces else {}
        return digest_of(pieces, self._policies), whole_text(self.number, pieces, self._policies)

    def _changed_since(self, base: str) -> AbstractSet[str] | None:
        names: set[str] = set()
        for digest, changed in reversed(self._log):
            if base and digest == base:
                return names
            names |= changed
        return None
