"""What a text must not hold if a model will read it: hidden characters, orders to the model, markup that acts.

Every string of a definition is read alike: descriptions, parameter names, enums, defaults. Pure. Above:
`usecases/check_definitions`. Not here: names that look like others (`look_alike`), the size and shape of schemas.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from pierhead.core.disguise import readings
from pierhead.core.finding import Severity, quoted
from pierhead.core.orders import orders


@dataclass(frozen=True, slots=True)
class TextFault:
    """One thing in one text."""

    severity: Severity
    rule: str
    message: str
    hint: str


#: Blank letters: drawn as nothing, yet no format characters to Unicode.
_BLANK_LETTERS: Final = frozenset("\u115f\u1160\u3164\uffa0\u2800\u17b4\u17b5\u034f\u180b\u180c\u180d\u180f")
_SPACES: Final = frozenset("\t\n\r ")
_SELECTORS: Final = (range(0xFE00, 0xFE10), range(0xE0100, 0xE01F0))
_TAGS: Final = range(0xE0000, 0xE0080)
#: A selector behind a sign asks for its coloured form: one of it can carry nothing.
_DRAWN: Final = re.compile(
    "(?<=[\u203c\u2049\u2100-\u2bff\u3030\u303d\u3297\u3299\U0001f000-\U0001faff])\ufe0f(?!\ufe0f)"
)
_BIDI: Final = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")

#: What is shorter holds no order, however it is written.
_SHORTEST: Final = 12
_NO_ORDERS: Final = "say what the tool does, and nothing to the model"
_PRESSURE: Final = re.compile(
    r"\b(you must|must always|always (call|use|invoke)|never ask|do not ask|highest priority|takes precedence"
    r"|instead of (any|all|the) other tools?|(notes?|instructions?) (to|for) (the )?(llm|ai|assistant|model|agent))\b"
)
_MARKUP: Final[tuple[tuple[str, re.Pattern[str]], ...]] = tuple(
    (name, re.compile(pattern))
    for name, pattern in (
        ("a markdown image, which clients fetch and so send its address", r"!\[[^\]]*\]\s*[\[(]"),
        (
            "HTML that loads or runs something",
            (
                r"<\s*/?\s*(img|script|iframe|object|embed|svg|link|meta|style|form|video|audio|base|picture|source|frame"
                r"|applet)\b(?!>[`'\"]? (tags?|elements?|blocks?)\b)"
            ),
        ),
        ("an HTML comment, which people do not see", r"<!--"),
        ("an address that runs or carries its content", r"\b(javascript|vbscript)\s*:|\bdata:[a-z]+/[a-z]"),
    )
)
_EVENTS: Final = re.compile(r"<[a-z][^>]{0,200}\bon[a-z]{3,20}\s*=")
_LEAKING_URL: Final = re.compile(r"https?://\S{1,300}[?&#/=](\{|\$\{|%7b|<)")
_URL: Final = re.compile(r"\b[a-z][a-z0-9+.-]{1,20}://\S{1,2000}", re.IGNORECASE)
#: Letters, digits and signs of an encoding, 40 or more. Which of them are words is judged apart: one pattern for both
#: takes for ever on a path of many words that ends in a number.
_RUN: Final = re.compile(r"[A-Za-z0-9+/_-]{40,}")
_HEX: Final = re.compile(r"(?:[0-9a-fA-F]{2}){20,}|(?:\\x[0-9a-fA-F]{2}){8,}")
_JOINT: Final = re.compile(r"[/_-]")
#: A piece of a name: words in camel case or in capitals, a number, a version.
_PIECE: Final = re.compile(r"(?:[A-Z][a-z]+|[a-z]+)(?:[A-Z][a-z]+)*|[A-Z]{1,15}|v?[0-9]{1,4}|[a-z]{2,12}[0-9]{1,2}")
#: So many letters and digits that are no pieces of names may stand in one run: a short digest, an id.
_ODD: Final = 24
_WORD: Final = re.compile(r"\w+")


def text_faults(text: str) -> Iterator[TextFault]:
    """Everything that `text` should not hold, at most one of a kind."""
    yield from _character_faults(text)
    plain = plainly(text)
    yield from _orders(text, plain)
    yield from _markup(plain)
    if _is_encoded(_URL.sub(" ", text)):
        yield _warn(
            "encoded-text",
            "a long piece of encoded text, which nobody can review",
            "write it in plain words, or leave it out",
        )
    mixed = mixed_word(text)
    if mixed:
        message = f"the word {quoted(mixed)} mixes letters of several scripts"
        yield _warn("mixed-scripts", message, "write each word in one script")


def plainly(text: str) -> str:
    """As a model reads it: compatibility forms folded, nothing hidden, lower case, one line."""
    folded = unicodedata.normalize("NFKC", text)
    seen = "".join(character for character in folded if not is_hidden(character))
    return " ".join(seen.lower().split())


def is_hidden(character: str) -> bool:
    """Whether it takes part in the text and not in the picture of it."""
    if " " <= character <= "~" or character in _SPACES:
        return False
    code = ord(character)
    if character in _BLANK_LETTERS or code in _TAGS or any(code in some for some in _SELECTORS):
        return True
    return unicodedata.category(character) in {"Cc", "Cf", "Co", "Cs", "Cn", "Zl", "Zp"}


def _is_encoded(text: str) -> bool:
    """Whether a long run of it is an encoding, and not a path or a name of many words."""
    if _HEX.search(text):
        return True
    for run in _RUN.findall(text):
        odd = [piece for piece in _JOINT.split(run) if piece and not _PIECE.fullmatch(piece)]
        if sum(map(len, odd)) >= _ODD:
            return True
    return False


def mixed_word(text: str) -> str:
    """The first word that is written in letters of Latin and of a script that looks like it, or nothing."""
    for found in _WORD.finditer(text):
        scripts = {script for character in found[0] if (script := _script(character))}
        if len(scripts) > 1:
            return found[0]
    return ""


def _character_faults(text: str) -> Iterator[TextFault]:
    hidden = sorted({character for character in _DRAWN.sub("", text) if is_hidden(character)})
    if not hidden:
        return
    named = ", ".join(f"U+{ord(character):04X}" for character in hidden[:5])
    if any(character in _BIDI for character in hidden):
        yield _refuse("text-direction", f"characters that turn the direction of text ({named})", "remove them")
    elif any(unicodedata.category(character) == "Cc" for character in hidden):
        yield _refuse("control-character", f"control characters ({named})", "keep to text, tabs and line breaks")
    else:
        yield _refuse("invisible-character", f"characters that nobody sees ({named})", "remove them")


def _orders(text: str, plain: str) -> Iterator[TextFault]:
    """The first order in the text as it stands; else the first behind a disguise; else words that press."""
    for name, piece in orders(plain):
        yield _refuse("orders-to-the-model", f"{name}: {quoted(piece)}", _NO_ORDERS)
        return
    for reading in _others(text, plain):
        for name, piece in orders(reading):
            yield _refuse("orders-to-the-model", f"{name}, in disguise: {quoted(piece)}", _NO_ORDERS)
            return
    if found := _PRESSURE.search(plain):
        message = f"it presses the model: {quoted(found[0])}"
        yield _warn("pressing-words", message, "say what the tool does; let the model choose")


def _others(text: str, plain: str) -> Iterator[str]:
    """What it says behind a disguise, each reading once."""
    seen = {plain}
    for reading in readings(text) if len(text) >= _SHORTEST else ():
        if (told := plainly(reading)) not in seen:
            seen.add(told)
            yield told


def _markup(plain: str) -> Iterator[TextFault]:
    for name, pattern in _MARKUP:
        found = pattern.search(plain)
        if found:
            yield _refuse("active-markup", f"{name}: {quoted(found[0])}", "describe it in plain text")
            return
    if found := _EVENTS.search(plain):
        yield _refuse("active-markup", f"HTML with an event: {quoted(found[0])}", "describe it in plain text")
    elif found := _LEAKING_URL.search(plain):
        message = f"an address with a place for values: {quoted(found[0])}"
        yield _warn("address-with-values", message, "name the address without a place to fill in")


def _script(character: str) -> str:
    """Latin, Greek, Cyrillic, Armenian, Cherokee: those that hold the look of Latin letters. Others mix honestly."""
    if not character.isalpha():
        return ""
    first = unicodedata.name(character, "").split(" ")[0]
    return first if first in {"LATIN", "GREEK", "CYRILLIC", "ARMENIAN", "CHEROKEE"} else ""


def _refuse(rule: str, message: str, hint: str) -> TextFault:
    return TextFault(Severity.REFUSE, rule, message, hint)


def _warn(rule: str, message: str, hint: str) -> TextFault:
    return TextFault(Severity.WARN, rule, message, hint)
