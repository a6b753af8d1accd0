"""Orders to a model by their idea: kinds of words that follow one another, a few words apart, in one sentence.

A phrase is written in small letters for the word itself and in capitals for a kind of words, so that a new wording of
an old idea is found as well. One pass over the words, whatever they are: no pattern can run away. Pure. Above:
`orders`. Below: `order_phrases`, `order_words`. Not here: fixed phrases (`orders`), other languages (`orders_abroad`).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from pierhead.core.order_phrases import IDEAS
from pierhead.core.order_words import KINDS


@dataclass(frozen=True, slots=True)
class Phrase:
    """One way to say an idea: `steps` are kinds, or words as they are, each at most `near` words behind the last.

    `is_act`: a text that forbids it asks for care, and is none.
    """

    name: str
    near: int
    steps: tuple[str, ...]
    is_act: bool = False


PHRASES: Final = tuple(
    Phrase(name, near, tuple(phrase.strip(" -").split()), is_act=phrase.strip().startswith("-"))
    for name, near, phrases in IDEAS
    for phrase in phrases.split(";")
)
#: Which phrases begin with a step: most of them are never looked at.
_BEGUN_BY: Final = {
    step: tuple(at for at, phrase in enumerate(PHRASES) if phrase.steps[0] == step)
    for step in {phrase.steps[0] for phrase in PHRASES}
}
_EXACT: Final = {kind: frozenset(words.split()) for kind, words in KINDS.items()}
_BEGIN: Final = {
    kind: tuple(word[:-1] for word in words.split() if word.endswith("*")) for kind, words in KINDS.items()
}
#: Words of letters and digits, of which a name holds several; a file's dot is part of it, the dot of a sentence is not.
_TOKEN: Final = re.compile(r"\.?[^\W_]+(?:[.'\u2019][^\W_]+)*|[.!?](?=\s|$)")
_ENDS: Final = frozenset(".!?")
_FORBIDS: Final = 4
_FORBIDDEN: Final = re.compile(r"\b(?:do|must|should|shall|may|need|ought) not\b|\bmustn't\b|\bshouldn't\b|\bdont\b")


def ideas(plain: str) -> Iterator[tuple[str, str]]:
    """The ideas that are in the text, each once, with the words that show it. `plain` is in lower case on one line."""
    words = _words(plain)
    kinds = [kinds_of(word) for word in words]
    present = frozenset[str]().union(*kinds)
    told: set[str] = set()
    begun = sorted(at for kind in present for at in _BEGUN_BY.get(kind, ()))
    for phrase in (PHRASES[at] for at in begun):
        if phrase.name in told or not present.issuperset(phrase.steps):
            continue
        if found := span(phrase, words, kinds):
            told.add(phrase.name)
            yield phrase.name, " ".join(words[found[0] : found[1] + 1])


def _words(plain: str) -> list[str]:
    told = _FORBIDDEN.sub(
        "don't",
        plain.replace("_", " ")
        .replace("\u2019", "'")
        .replace("e-mail", "email")
        .replace("password protect", "protect"),
    )
    return [word.removesuffix("'s") for word in _TOKEN.findall(told)]


@lru_cache(maxsize=8_192)
def kinds_of(word: str) -> frozenset[str]:
    """What a word is: itself, and every kind that it belongs to."""
    return frozenset({word, *(kind for kind in KINDS if word in _EXACT[kind] or word.startswith(_BEGIN[kind]))})


def span(phrase: Phrase, words: list[str], kinds: list[frozenset[str]]) -> tuple[int, int] | None:
    """The first and last word of the phrase, or nothing: one pass that keeps the latest place of every step."""
    latest: list[tuple[int, int] | None] = [None] * len(phrase.steps)
    for at, word in enumerate(words):
        if word in _ENDS:
            latest = [None] * len(phrase.steps)
            continue
        _advance(phrase, kinds[at], at, latest)
        whole = latest[-1]
        if whole is not None and not (phrase.is_act and _is_forbidden(kinds, *whole)):
            return whole
    return None


def _advance(phrase: Phrase, kinds: frozenset[str], at: int, latest: list[tuple[int, int] | None]) -> None:
    for step in range(len(phrase.steps) - 1, -1, -1):
        if phrase.steps[step] not in kinds:
            continue
        if step == 0:
            latest[0] = (at, at)
        elif (before := latest[step - 1]) is not None and at - before[1] <= phrase.near:
            latest[step] = (before[0], at)


def _is_forbidden(kinds: list[frozenset[str]], first: int, last: int) -> bool:
    """Whether one of those words, or of the few before, says that this is not to be done."""
    return any("NOT" in each or "DONT" in each for each in kinds[max(0, first - _FORBIDS) : last])
