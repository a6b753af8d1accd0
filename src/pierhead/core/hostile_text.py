"""What a text must not hold if a model will read it: hidden characters, orders to the model, markup that acts.

Every string of a definition is read alike: descriptions, parameter names, enums, defaults. Pure. Above:
`usecases/check_definitions`. Not here: names that look like others (`look_alike`), the size and shape of schemas.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from pierhead.core.finding import Severity, quoted


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
_BIDI: Final = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")

#: Words in between are counted in characters, so that no pattern can run away on a long text.
_DROP: Final = r"\b(ignore|disregard|forget|override|bypass)\b.{0,30}"
_EARLIER: Final = r"\b(previous|prior|above|earlier|preceding|other|your|system|all)\b.{0,30}"
_RULES: Final = r"\b(instructions?|prompts?|rules|messages?|directions|guidelines|policies|context)\b"
_NOT: Final = r"\b(do not|don'?t|never|must not|without|avoid)\b.{0,12}"
_TELL: Final = r"\b(tell|inform|mention|notify|show|reveal|alert|ask)(ing)?\b.{0,40}"
_PEOPLE: Final = r"\b(user|human|person|anyone|them)\b"
_UNSEEN: Final = r"\b(silently|secretly|covertly|quietly)\b.{0,20}"
_ACT: Final = r"\b(call|send|read|add|include|copy|upload|forward|run|execute)\b"
_USING: Final = r"\b(before|after|instead of|when(ever)?) (using|calling|invoking|you (use|call|invoke)) "
_OTHERS: Final = (
    r"(this|any|all|other|another|the other)\b.{0,30}\btools?\b.{0,60}\b(must|read|call|send|first|always)\b"
)
_HOMES: Final = r"(~|\$home|/(root|home/[^/\s]+))/\.(ssh|aws|kube|gnupg|netrc|config/gcloud|docker/config)"
_SECRETS: Final = r"|\bid_(rsa|ed25519|ecdsa)\b|\.cursor/mcp\.json|/etc/(shadow|passwd)\b"
_ORDERS: Final[tuple[tuple[str, re.Pattern[str]], ...]] = (
    (
        "a tag that poses as instructions",
        re.compile(r"</?\s*(important|system|instructions?|secret|hidden|admin|assistant)\b[^>]{0,100}>"),
    ),
    ("an order to drop other instructions", re.compile(_DROP + _EARLIER + _RULES)),
    ("an order to keep something from the user", re.compile(_NOT + _TELL + _PEOPLE)),
    ("an order to hide what is done", re.compile(_UNSEEN + _ACT)),
    ("an order about other tools", re.compile(_USING + _OTHERS)),
    (
        "talk of the model's own instructions",
        re.compile(r"\b(system prompt|developer message|you are now|new instructions?:|jailbreak)"),
    ),
    ("a place where secrets lie", re.compile(_HOMES + _SECRETS)),
)
_PRESSURE: Final = re.compile(
    r"\b(you must|must always|always (call|use|invoke)|never ask|do not ask|highest priority|takes precedence"
    r"|instead of (any|all|the) other tools?)\b"
)
_MARKUP: Final[tuple[tuple[str, re.Pattern[str]], ...]] = tuple(
    (name, re.compile(pattern))
    for name, pattern in (
        ("a markdown image, which clients fetch and so send its address", r"!\[[^\]]*\]\s*[\[(]"),
        (
            "HTML that loads or runs something",
            r"<\s*/?\s*(img|script|iframe|object|embed|svg|link|meta|style|form|video|audio|base|picture|source|frame|applet)\b",
        ),
        ("an HTML comment, which people do not see", r"<!--"),
        ("an address that runs or carries its content", r"\b(javascript|vbscript)\s*:|\bdata:[a-z]+/[a-z]"),
    )
)
_EVENTS: Final = re.compile(r"<[a-z][^>]{0,200}\bon[a-z]{3,20}\s*=")
_LEAKING_URL: Final = re.compile(r"https?://\S{1,300}[?&#/=](\{|\$\{|%7b|<)")
_BLOB: Final = re.compile(r"[A-Za-z0-9+/_-]{60,}={0,2}|(?:[0-9a-fA-F]{2}){40,}|(?:\\x[0-9a-fA-F]{2}){8,}")
_WORD: Final = re.compile(r"\w+")


def text_faults(text: str) -> Iterator[TextFault]:
    """Everything that `text` should not hold, at most one of a kind."""
    yield from _character_faults(text)
    plain = plainly(text)
    yield from _orders(plain)
    yield from _markup(plain)
    if _BLOB.search(text):
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
    code = ord(character)
    if character in _SPACES:
        return False
    if character in _BLANK_LETTERS or code in _TAGS or any(code in some for some in _SELECTORS):
        return True
    return unicodedata.category(character) in {"Cc", "Cf", "Co", "Cs", "Cn", "Zl", "Zp"}


def mixed_word(text: str) -> str:
    """The first word that is written in letters of Latin and of a script that looks like it, or nothing."""
    for found in _WORD.finditer(text):
        scripts = {script for character in found[0] if (script := _script(character))}
        if len(scripts) > 1:
            return found[0]
    return ""


def _character_faults(text: str) -> Iterator[TextFault]:
    hidden = sorted({character for character in text if is_hidden(character)})
    if not hidden:
        return
    named = ", ".join(f"U+{ord(character):04X}" for character in hidden[:5])
    if any(character in _BIDI for character in hidden):
        yield _refuse("text-direction", f"characters that turn the direction of text ({named})", "remove them")
    elif any(unicodedata.category(character) == "Cc" for character in hidden):
        yield _refuse("control-character", f"control characters ({named})", "keep to text, tabs and line breaks")
    else:
        yield _refuse("invisible-character", f"characters that nobody sees ({named})", "remove them")


def _orders(plain: str) -> Iterator[TextFault]:
    for name, pattern in _ORDERS:
        found = pattern.search(plain)
        if found:
            message = f"{name}: {quoted(found[0])}"
            yield _refuse("orders-to-the-model", message, "say what the tool does, and nothing to the model")
            return
    found = _PRESSURE.search(plain)
    if found:
        message = f"it presses the model: {quoted(found[0])}"
        yield _warn("pressing-words", message, "say what the tool does; let the model choose")


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
