"""Orders to a model by what comes together in one sentence, in whatever order: who, what is done, to what, and when.

A scene is a few kinds of terms (`scene_words`) within some words of each other. `!KIND` is such a term as an order:
a bare verb where a clause begins, or behind "must" and its like; "sends" describes, "do not send" forbids. `LATER` is
no first sentence, which says what a tool does; `-KIND` must not be there. One pass over the words, and one over what
they are; no pattern can run away. Pure. Above: `orders`. Below: `scenes`, `scene_words`. Not here: words that must
follow one another (`order_ideas`), fixed phrases (`orders`).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from pierhead.core.scene_words import BEFORE_TO, HEADS, TERMS
from pierhead.core.scenes import SCENES


@dataclass(frozen=True, slots=True)
class Scene:
    """What comes together: `needs` within `near` words of each other, and nothing of `bars` in the sentence."""

    name: str
    near: int
    needs: frozenset[str]
    bars: frozenset[str]
    is_later: bool


@dataclass(frozen=True, slots=True)
class _Term:
    """The words after the first one of a term, and the kind that it stands for."""

    rest: tuple[str, ...]
    kind: str


def _scene(name: str, near: int, words: list[str]) -> Scene:
    bars = frozenset(word[1:] for word in words if word.startswith("-"))
    needs = frozenset(word for word in words if not word.startswith("-") and word != "LATER")
    return Scene(name, near, needs, bars, "LATER" in words)


ALL_SCENES: Final = tuple(
    _scene(name, near, scene.split()) for name, near, scenes in SCENES for scene in scenes.split(";")
)
_ORDERED: Final = frozenset(kind[1:] for scene in ALL_SCENES for kind in scene.needs if kind.startswith("!"))
_TOKEN: Final = re.compile(r"\.?\w+(?:[.'-]\w+)*'?|[.!?](?=\s|$)|[,;:(]")
#: Where something is sent or paid to: an address, an account, a card, a wallet.
_PLACE: Final = re.compile(
    r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,5}|https?://[^\s)]{1,300}"
    r"|\b[a-z]{2}\d{2}(?: ?\d{4}){3,6}(?: ?\d{1,4})?\b|\b[a-z]{2}\d{2}[a-z]{0,4}\d{10,28}\b"
    r"|\bbc1[a-z0-9]{20,60}\b|\b0x[0-9a-f]{40}\b|\b(?:\d{4}[ -]){3}\d{4}\b|\b\d{8,12}\b"
)
_EXAMPLE: Final = re.compile(r"example\.(com|org|net)|localhost|127\.0\.0\.1")
_NAMED: Final = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)+")
_FILE: Final = re.compile(r"[\w-]*(?:\.[\w-]+)*\.(?:json|ya?ml|env|pem|key|conf|ini|toml|cfg|netrc|npmrc)")
_ENDS: Final = frozenset(".!?")
_STOPS: Final = frozenset(",;:(")
#: What a verb that orders may stand behind.
_HEADS: Final = _STOPS | frozenset(HEADS.split())
_BEFORE_TO: Final = frozenset(BEFORE_TO.split())


def scenes(plain: str) -> Iterator[tuple[str, str]]:
    """The scenes that are in the text, each name once, with the words that show it. `plain` is on one line."""
    told: set[str] = set()
    for at, words in enumerate(_sentences(plain)):
        found = _kinds(words)
        present = frozenset(kind for _, kind in found)
        for scene in ALL_SCENES:
            if scene.name in told or not scene.needs <= present or (scene.is_later and at == 0):
                continue
            if scene.bars & present or not (span := _together(scene, found)):
                continue
            told.add(scene.name)
            yield scene.name, " ".join(words[span[0] : span[1] + 1])


def _sentences(plain: str) -> Iterator[list[str]]:
    text = plain.replace("\u2019", "'")
    if " " not in text:
        text = text.replace("_", " ")
    text = _PLACE.sub(lambda found: "EXAMPLE" if _EXAMPLE.search(found[0]) else "LITERAL", text)
    words: list[str] = []
    for word in _TOKEN.findall(text):
        if word in _ENDS:
            yield words
            words = []
        else:
            words.append(word)
    yield words


def _kinds(words: list[str]) -> list[tuple[int, str]]:
    """Where which kind stands, in the order of the words."""
    found: list[tuple[int, str]] = []
    for at, word in enumerate(words):
        for term in _terms(word):
            if not _goes_on(term.rest, words, at + 1):
                continue
            found.append((at, term.kind))
            if term.kind in _ORDERED and _is_ordered(words, at):
                found.append((at, f"!{term.kind}"))
    return found


@lru_cache(maxsize=8_192)
def _terms(word: str) -> tuple[_Term, ...]:
    """The terms that may begin with this word."""
    found = [*_FIRST.get(word, ())]
    for size in range(3, len(word) + 1):
        found += _BEGINNING.get(word[:size], ())
    if _NAMED.fullmatch(word):
        found.append(_Term((), "NAMED"))
    if _FILE.fullmatch(word):
        found.append(_Term((), "FILE"))
    return tuple(found)


def _goes_on(rest: tuple[str, ...], words: list[str], at: int) -> bool:
    return len(words) >= at + len(rest) and all(
        word.startswith(part[:-1]) if part.endswith("*") else word == part
        for part, word in zip(rest, words[at:], strict=False)
    )


def _is_ordered(words: list[str], at: int) -> bool:
    if at == 0:
        return True
    before = words[at - 1]
    return before in _HEADS or (before == "to" and at > 1 and words[at - 2] in _BEFORE_TO)


def _together(scene: Scene, found: list[tuple[int, str]]) -> tuple[int, int] | None:
    """The first and last word of the nearest place where everything of the scene stands, each at a word of its own."""
    latest: dict[str, int] = {}
    for at, kind in found:
        if kind not in scene.needs:
            continue
        latest[kind] = at
        if len(latest) < len(scene.needs) or len(set(latest.values())) < len(latest):
            continue
        first = min(latest.values())
        if at - first <= scene.near:
            return first, at
    return None


def _index() -> tuple[dict[str, list[_Term]], dict[str, list[_Term]]]:
    whole: dict[str, list[_Term]] = {}
    beginning: dict[str, list[_Term]] = {}
    for kind, terms in TERMS.items():
        for term in terms.split():
            first, *rest = term.split("_")
            into, key = (beginning, first[:-1]) if first.endswith("*") else (whole, first)
            into.setdefault(key, []).append(_Term(tuple(rest), kind))
    return whole, beginning


_FIRST, _BEGINNING = _index()
