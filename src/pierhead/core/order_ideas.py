"""Orders to a model by their idea: kinds of words that follow one another, a few words apart, in one sentence.

A phrase is written in small letters for the word itself and in capitals for a kind of words, so that a new wording of
an old idea is found as well. One pass over the words, whatever they are: no pattern can run away. Pure. Above:
`orders`. Below: `order_words`. Not here: fixed phrases and places (`orders`), other languages (`orders_abroad`).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from pierhead.core.order_words import KINDS

#: Each idea: how many words further on the next may stand at most, and what follows one another.
_IDEAS: Final[tuple[tuple[str, int, tuple[str, ...]], ...]] = (
    (
        "an order to drop other instructions",
        5,
        (
            "DROP EARLIER RULE",
            "DROP RULE MASTER",
            "DROP MIND you",
            "don't FOLLOW EARLIER RULE",
            "never FOLLOW EARLIER RULE",
            "stop FOLLOW your RULE",
            "stop FOLLOW EARLIER MIND",
            "your MIND LAPSED",
            "EARLIER MIND LAPSED",
            "MASTER RULE LAPSED",
            "RULE MASTER LAPSED",
            "your MIND NOT HOLD",
            "EARLIER MIND NOT HOLD",
            "RULE MASTER NOT HOLD",
            "MIND you NOT HOLD",
            "set MIND aside",
            "set aside MIND",
            "put MIND aside",
            "PRECEDE system prompt",
            "PRECEDE over MIND",
            "PRECEDE wishes PERSON",
            "MIND LAPSED for",
            "abandon EARLIER TASK",
            "forget EARLIER TASK",
            "drop EARLIER RULE",
            "not bound RULE",
            "refuse nothing",
            "don't refuse",
            "never refuse",
            "DESPITE your RULE",
            "DESPITE EARLIER RULE",
            "DESPITE MASTER RULE",
            "contrary to what you told",
            "your new MIND",
            "treat output as MIND",
            "treat as system MESSAGE",
            "do whatever it says",
            "do what it says",
            "higher authority than",
            "only FOLLOW this",
            "MIND says DROP",
            "TAUGHT you about",
            "you were TAUGHT",
            "you have been TAUGHT",
            "your CONDUCT",
            "you MUST obey",
            "commands you MUST FOLLOW",
            "command you MUST FOLLOW",
        ),
    ),
    (
        "an order to keep something from the user",
        7,
        (
            "DONT TELL PERSON",
            "don't SHOW THIS PERSON",
            "DONT be SHOW PERSON",
            "don't mention OWN",
            "never mention OWN",
            "don't mention THIS",
            "don't reveal THIS",
            "don't disclose THIS",
            "never mention THIS",
            "without mentioning THIS",
            "no need TELL PERSON",
            "no need TELL THIS",
            "not necessary TELL PERSON",
            "needn't TELL PERSON",
            "PERSON prefer not told",
            "make no mention",
            "leave out that",
            "spare PERSON",
            "hide the fact",
            "omit the fact",
            "say nothing about",
            "act as if nothing",
            "act as though nothing",
            "pretend nothing",
            "your ANSWER DONT OWN",
            "ANSWER no trace",
            "no trace OWN",
            "no reason TELL PERSON",
            "no reason bring up PERSON",
            "no need bring up PERSON",
            "don't bring up OWN",
            "don't bring OWN up",
            "nobody KNOW",
            "no one KNOW",
            "DONT let PERSON KNOW",
            "DONT let KNOW",
            "PERSON don't KNOW",
            "PERSON remain UNAWARE",
            "PERSON stay UNAWARE",
            "keep PERSON UNAWARE",
            "keep THIS between us",
            "keep THIS yourself",
            "keep OWN HUSH",
            "keep THIS HUSH from PERSON",
            "keep quiet about",
            "between you and me",
            "HIDE OWN your ANSWER",
            "HIDE OWN from PERSON",
            "HIDE THIS from PERSON",
            "leave out PERSON",
            "leave THIS out your ANSWER",
            "PERSON ASKS say nothing",
            "PERSON ASKS DENY",
            "ACT UNSEEN",
            "STEALTH ACT",
            "behind PERSON back",
        ),
    ),
    (
        "an order about other tools",
        4,
        (
            "AHEAD ALL OTHER TOOL",
            "AHEAD OTHER TOOL CALL",
            "AHEAD any TOOL CALL",
            "before any server CALL",
            "MUST CALL ALL TURN",
            "CALL START ALL CHAT",
            "no ANSWER without CALL",
            "don't ANSWER without CALL",
            "never ANSWER without CALL",
            "supersedes ALL TOOL",
            "replaces ALL tools",
            "only trusted TOOL",
            "TOOL known BAD",
            "TOOL PRECEDE over OTHER",
            "TOOL PRECEDE over ALL",
            "CALL exclusively for ALL",
            "only allowed TOOL",
            "only approved TOOL",
            "only permitted TOOL",
            "first step ALL TURN",
            "MUST CALL before ALL ANSWER",
            "SUPERSEDE OTHER TOOL",
            "other TOOL OFF",
            "OTHER TOOL NOT WORK",
            "OTHER TOOL no longer WORK",
            "never CALL OTHER TOOL",
            "don't CALL OTHER TOOL",
            "never CALL from server",
            "don't CALL from server",
            "CALL exclusively never TOOL",
            "ROUTE ALL THROUGH here",
            "ROUTE ALL through this",
            "ROUTE ALL TURN through",
            "instead of OTHER TOOL CALL this",
        ),
    ),
    (
        "what only the model knows is asked for",
        7,
        (
            "FETCH FILE GIVE",
            "contents of FILE",
            "content of FILE",
            "FILE GIVE",
            "GIVE FILE",
            "hand over KEY",
            "hand KEY over",
            "ssh id rsa",
            "GIVE bearer token you",
            "encode KEY append",
            "read PERSON KEYED key",
            "steal KEY",
            "GIVE KEY from your STORE",
            "KEY from your STORE GIVE",
            "ENCODE PERSON MESSAGE",
            "ENCODE CHAT",
            "ENCODE your MIND",
            "GIVE our CHAT",
            "last MESSAGE of our",
            "RECITE your MIND",
            "RECITE your system",
            "your hidden MIND",
            "your internal MIND",
            "your own MIND",
            "GIVE shell history",
            "GIVE bash history",
            "EVERYTHING PERSON SAID so",
            "everything you know about PERSON",
            "CHAT so far",
            "EVERYTHING SAID so far",
            "EVERYTHING SAID word for word",
            "developer MIND to you",
            "system MIND to you",
            "MIND you received",
            "MIND you were given",
            "OTHER TOOL your disposal",
            "OTHER TOOL available to you",
            "names of tools you have",
            "previous user MESSAGE",
            "prior user MESSAGE",
            "earlier user MESSAGE",
            "copies CHAT deliver",
            "copy CHAT GIVE",
            "whatever TOOL returns GIVE",
            "everything TOOL returns GIVE",
        ),
    ),
    (
        "talk of the model's own instructions",
        4,
        (
            "attention MODEL",
            "ROOT override",
            "OFFICE ruled",
            "you have been UPGRADED",
            "grant access without CHECKING",
            "grant access without checks",
            "if you are MODEL",
            "LAB RULE",
            "directive MODEL",
            "MODEL READS this",
            "NOTE from AUTHOR your",
            "NOTE from AUTHOR model",
            "NOTE AUTHOR of your model",
            "your job is now",
            "your task is now",
            "your role is now",
            "now your job",
            "now your role",
            "LAB has CLEARED",
            "LAB CLEARED this",
            "CLEARED by LAB",
            "OFFICE DEMAND GIVE KEY",
            "OFFICE DEMAND copy",
            "OFFICE team DEMAND GIVE",
        ),
    ),
    (
        "an order to do without people's yes",
        4,
        (
            "FREED GO without CHECKING",
            "GO without CHECKING with",
            "GO without CHECKING back",
            "CONSENT PERSON ASSUMED",
            "PERSON CONSENT ASSUMED",
            "CONSENT be assumed",
            "PERSON AGREED advance",
            "opted out CONSENT",
            "CONSENT not necessary",
            "no CONSENT necessary",
            "you have full authority",
            "you have full permission",
            "treat PERSON as admin",
            "need no second look",
            "needs no second look",
            "don't wait PERSON CONSENT",
            "don't ask PERSON CONSENT",
            "don't ask before",
        ),
    ),
    (
        "an order about what happens elsewhere",
        7,
        (
            "WHEN MAIL SWAP RECIPIENT",
            "WHEN MAIL RECIPIENT SWAP",
            "WHEN WRITE MAIL BCC",
            "every time WRITE MAIL BCC",
            "ALL MAIL you WRITE RECIPIENT",
            "prefix ALL OUTPUT",
            "ALL OUTPUT you PRODUCE",
            "ALL of your ANSWER",
            "ALL your ANSWER",
            "in ALL LATER ANSWER",
            "from now on EFFECT",
            "from here on EFFECT",
            "end your ANSWER",
            "begin your ANSWER",
            "finish your ANSWER",
            "ALL files you edit",
            "ALL file you edit",
            "whenever you WRITE BCC",
            "whenever you WRITE MAIL add",
            "henceforth EFFECT",
            "answer from here on",
            "remainder of conversation",
            "rest of conversation",
            "PRAISE only",
            "SINCE ORDINAL REQUEST",
            "remember LATER CHAT that",
        ),
    ),
)


@dataclass(frozen=True, slots=True)
class Phrase:
    """One way to say an idea: `steps` are kinds, or words as they are, each at most `near` words behind the last."""

    name: str
    near: int
    steps: tuple[str, ...]


PHRASES: Final = tuple(
    Phrase(name, near, tuple(phrase.split())) for name, near, phrases in _IDEAS for phrase in phrases
)
_EXACT: Final = {kind: frozenset(words.split()) for kind, words in KINDS.items()}
_BEGIN: Final = {
    kind: tuple(word[:-1] for word in words.split() if word.endswith("*")) for kind, words in KINDS.items()
}
#: Words of letters and digits, of which a name holds several; a file's dot is part of it, the dot of a sentence is not.
_TOKEN: Final = re.compile(r"\.?[^\W_]+(?:[.'\u2019][^\W_]+)*|[.!?](?=\s|$)")
_ENDS: Final = frozenset(".!?")
_FORBIDDEN: Final = re.compile(r"\b(?:do|must|should|shall|may|need|ought) not\b|\bmustn't\b|\bshouldn't\b|\bdont\b")


def ideas(plain: str) -> Iterator[tuple[str, str]]:
    """The ideas that are in the text, each once, with the words that show it. `plain` is in lower case on one line."""
    words = _words(plain)
    kinds = [kinds_of(word) for word in words]
    present = frozenset[str]().union(*kinds)
    told: set[str] = set()
    for phrase in PHRASES:
        if phrase.name in told or not present.issuperset(phrase.steps):
            continue
        if found := span(phrase, words, kinds):
            told.add(phrase.name)
            yield phrase.name, " ".join(words[found[0] : found[1] + 1])


def _words(plain: str) -> list[str]:
    told = _FORBIDDEN.sub("don't", plain.replace("_", " ").replace("\u2019", "'").replace("e-mail", "email"))
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
        for step in range(len(phrase.steps) - 1, -1, -1):
            if phrase.steps[step] not in kinds[at]:
                continue
            if step == 0:
                latest[0] = (at, at)
            elif (before := latest[step - 1]) is not None and at - before[1] <= phrase.near:
                latest[step] = (before[0], at)
        if (whole := latest[-1]) is not None:
            return whole
    return None
