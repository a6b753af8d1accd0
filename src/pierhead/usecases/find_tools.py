"""Find the right tool in the whole fleet: by name, description and past use, within what the caller may use.

Ranked as BM25 ranks texts, names before descriptions, and what was used before what never was. The words of a revision
are indexed once; whether a tool may be used is decided for each caller, each time, by the rules that decide calls. Not
here: the protocol (`apps/gateway/desk`).
"""

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, cast

from pierhead.core.catalog import Server, Tool
from pierhead.core.identity import Caller
from pierhead.core.policy import refuse
from pierhead.core.snapshot import Snapshot
from pierhead.usecases.list_tools import is_usable, reachable_server
from pierhead.usecases.match_rules import REACH
from pierhead.usecases.ports import Rules, Snapshots
from pierhead.usecases.resolve import no_such_tool, refuse_expired

_WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+|[^\W\d_a-zA-Z]+")
_SATURATION: Final = 1.2
_LENGTH: Final = 0.75
_NAME, _SERVER, _TEXT, _MEMBER = 4.0, 2.0, 1.0, 0.5
_LONGEST_TEXT: Final = 4000
_MOST_WORDS: Final = 24
_USE: Final = 0.15
_MOST_USE: Final = 1.0
_COMMON: Final = 4
"""A word is common that more than one in so many tools has."""


def words(text: str) -> list[str]:
    """The words of a text or a name, small, in the singular: `listTables` holds `list` and `table`."""
    return [_plain(word) for word in _WORD.findall(text[:_LONGEST_TEXT])]


@lru_cache(maxsize=50_000)
def _plain(sign: str) -> str:
    """The same word for one and for many, large and small, as far as an ending tells."""
    word = sign.casefold()
    if len(word) > len("ties") and word.endswith("ies"):
        return f"{word[:-3]}y"
    return word[:-1] if len(word) > len("ids") and word.endswith("s") and not word.endswith("ss") else word


Entry = tuple[Server, Tool]


@dataclass(frozen=True, slots=True)
class ServerWords:
    """The words of one server's tools, each with what the places where it stands are worth."""

    server: Server
    tools: tuple[tuple[Tool, Mapping[str, float]], ...]

    @staticmethod
    def of(server: Server) -> "ServerWords":
        shared = ((server.name, _SERVER), (server.title, _SERVER), (server.description, _TEXT))
        begun = _worth({}, shared)
        listed = [tool for tool in server.tools.values() if not tool.withheld]
        return ServerWords(server, tuple((tool, _worth(begun, _parts(tool))) for tool in listed))


def _parts(tool: Tool) -> tuple[tuple[str, float], ...]:
    members: object = tool.input_schema.get("properties")
    named = " ".join(cast("Mapping[str, object]", members)) if isinstance(members, dict) else ""
    return (tool.name, _NAME), (tool.description, _TEXT), (named, _MEMBER)


def _worth(begun: Mapping[str, float], parts: Iterable[tuple[str, float]]) -> dict[str, float]:
    counted = dict(begun)
    for text, worth in parts:
        for word in words(text):
            counted[word] = counted.get(word, 0.0) + worth
    return counted


@dataclass(frozen=True, slots=True)
class ToolIndex:
    """The words of every live tool of one revision: word to the tools that have it, and how much that says."""

    entries: tuple[Entry, ...]
    weights: Mapping[str, tuple[tuple[int, float], ...]] = field(hash=False)
    parts: Mapping[str, ServerWords] = field(hash=False)

    @staticmethod
    def of(snapshot: Snapshot, before: "ToolIndex | None" = None) -> "ToolIndex":
        """Of `before`, what did not change is used again."""
        kept: Mapping[str, ServerWords] = before.parts if before else {}
        live = [server for _, server in sorted(snapshot.servers.items()) if server.is_callable]
        parts = {server.name: _same_or_new(kept.get(server.name), server) for server in live}
        entries = tuple((each.server, tool) for each in parts.values() for tool, _ in each.tools)
        counted = [count for each in parts.values() for _, count in each.tools]
        sizes = [sum(each.values()) for each in counted]
        usual = sum(sizes) / len(sizes) if sizes else 1.0
        found: dict[str, list[tuple[int, float]]] = {}
        for place, (each, size) in enumerate(zip(counted, sizes, strict=True)):
            norm = _SATURATION * (1 - _LENGTH + _LENGTH * size / usual)
            for word, worth in each.items():
                found.setdefault(word, []).append((place, worth * (_SATURATION + 1) / (worth + norm)))
        return ToolIndex(entries, {word: _rarer(listed, len(entries)) for word, listed in found.items()}, parts)

    def scores(self, query: Iterable[str]) -> dict[int, float]:
        """The tools that have a word of the query, by place, with what they score.

        Words that most tools have say nothing where the query has others.
        """
        asked = [self.weights[word] for word in dict.fromkeys(query) if word in self.weights]
        telling = [listed for listed in asked if len(listed) * _COMMON <= len(self.entries)]
        scores: dict[int, float] = {}
        for listed in telling or asked:
            for place, weight in listed:
                scores[place] = scores.get(place, 0.0) + weight
        return scores


def _same_or_new(kept: ServerWords | None, server: Server) -> ServerWords:
    return kept if kept is not None and kept.server == server else ServerWords.of(server)


def _rarer(listed: list[tuple[int, float]], number: int) -> tuple[tuple[int, float], ...]:
    """The weights of one word: the rarer it is, the more it says."""
    says = math.log(1 + (number - len(listed) + 0.5) / (len(listed) + 0.5))
    return tuple((place, weight * says) for place, weight in listed)


@dataclass(slots=True)
class PastUse:
    """How often each tool answered well since this process began. Says nothing of who used it."""

    counts: dict[tuple[str, str], int] = field(default_factory=dict[tuple[str, str], int])

    def note(self, server: str, tool: str) -> None:
        self.counts[server, tool] = self.counts.get((server, tool), 0) + 1

    def factor(self, entry: Entry) -> float:
        """From 1, for a tool that was never used, to 2: past use decides between tools that fit alike."""
        server, tool = entry
        return 1 + min(_MOST_USE, _USE * math.log2(1 + self.counts.get((server.name, tool.name), 0)))


@dataclass(slots=True)
class ToolFinder:
    """Finds tools for callers. `rules` answer both questions: reach, then use."""

    snapshots: Snapshots
    rules: Rules
    past_use: PastUse
    _for: Snapshot | None = None
    index: ToolIndex = field(default_factory=lambda: ToolIndex((), {}, {}))

    @property
    def is_current(self) -> bool:
        """Whether the index is that of the revision in force."""
        return self._for is self.snapshots.current()

    def take(self, snapshot: Snapshot, index: ToolIndex) -> None:
        """Use the index that was made of that revision, from now on."""
        self._for, self.index = snapshot, index

    def find(self, query: str, limit: int, caller: Caller) -> tuple[list[Entry], bool]:
        """The best `limit` tools that this caller may use, and whether there are more; without words, the most used.

        Errors: PolicyExpired.
        """
        refuse_expired(self.snapshots.age())
        ranked = self._ranked(query)
        found: list[Entry] = []
        for entry in self._usable((self.index.entries[place] for place in ranked), caller):
            if len(found) == limit:
                return found, True
            found.append(entry)
        return found, False

    def _ranked(self, query: str) -> list[int]:
        """The places of the tools that fit, the best first."""
        entries, asked = self.index.entries, words(query)[:_MOST_WORDS]
        scores = self.index.scores(asked) if asked else dict.fromkeys(range(len(entries)), 1.0)
        if self.past_use.counts:
            scores = {place: score * self.past_use.factor(entries[place]) for place, score in scores.items()}
        return sorted(scores, key=scores.__getitem__, reverse=True)

    def _usable(self, entries: Iterable[Entry], caller: Caller) -> Iterator[Entry]:
        """Those that the caller may use, by the policy of this moment, whatever was indexed."""
        snapshot = self.snapshots.current()
        reached: dict[str, Server | None] = {}
        for indexed, tool in entries:
            if indexed.name not in reached:
                reached[indexed.name] = self._reached(indexed.name, snapshot, caller)
            server = reached[indexed.name]
            now = server.tools.get(tool.name) if server is not None else None
            if server is None or now is None or now.withheld:
                continue
            if is_usable(server, now, caller, snapshot.revision, self.rules):
                yield server, now

    def _reached(self, name: str, snapshot: Snapshot, caller: Caller) -> Server | None:
        server = snapshot.servers.get(name)
        if server is None or not server.is_callable:
            return None
        refusal = refuse(caller, tuple(self.rules.reach(caller, name)), REACH, server.whom_to_ask)
        return server if refusal is None else None

    def describe(self, server: str, tool: str, caller: Caller) -> Entry:
        """One tool. Errors: NotFound, alike for what is absent and what is hidden; Forbidden; PolicyExpired."""
        found = reachable_server(server, caller, self.snapshots, self.rules)
        declared = found.tools.get(tool)
        revision = self.snapshots.current().revision
        if declared is None or declared.withheld or not is_usable(found, declared, caller, revision, self.rules):
            raise no_such_tool(tool)
        return found, declared
