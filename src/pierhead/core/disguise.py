"""What a text says behind a disguise: decoded, spelt with digits, spaced out, backwards, or in look-alike letters.

A model reads through all of these, a reviewer does not. `readings` gives each other reading that differs from the
text as it stands. Pure, and bounded by the length of its text. Above: `hostile_text`. Not here: what is hostile.
"""

import base64
import binascii
import codecs
import html
import re
import unicodedata
from collections.abc import Iterator
from typing import Final

from pierhead.core.look_alike import in_our_letters

_MOST: Final = 20_000
_DEEPEST: Final = 2
_BASE64: Final = re.compile(r"[A-Za-z0-9+/_-]{16,}={0,2}")
#: The same cut into pieces, with spaces or signs between them.
_PIECES: Final = re.compile(r"(?:[A-Za-z0-9+/]{8,80}={0,2}[ |,;+\"'.]{1,4}){1,20}[A-Za-z0-9+/]{4,80}={0,2}")
_HEX: Final = re.compile(r"(?:(?:\\x|0x|%|\b)?[0-9a-fA-F]{2}[ ,:]?){8,}")
_GLUE: Final = re.compile(r"[ |,;\"'.=]")
_ESCAPED: Final = re.compile(r"\\(?:u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|U[0-9a-fA-F]{8}|u\{[0-9a-fA-F]{1,6}\})")
_PERCENT: Final = re.compile(r"(?:%[0-9a-fA-F]{2})+")
_BINARY: Final = re.compile(r"(?:[01]{8}[ ,]?){6,}")
_CODES: Final = re.compile(r"(?:\b\d{2,3}\b[ ,]{1,2}){8,}\d{2,3}\b")
_SPACED: Final = re.compile(r"(?:(?<=\s)|(?<=^)|(?<=[\"'(]))\w(?:[ .\-_*|~/·]{1,2}\w){4,}(?!\w)")
_BETWEEN: Final = re.compile(r"[ .\-_*|~/·]")
_LEET: Final = str.maketrans("013457@$!|8", "oieastasilb")
_LEET_L: Final = str.maketrans("013457@$!|8", "oleastaslib")
_SQUARED: Final = {
    **{first + letter: ord("a") + letter for first in (0x1F150, 0x1F170, 0x1F1E6) for letter in range(26)},
}
_SMALL: Final = str.maketrans("ᴀʙᴄᴅᴇꜰɢʜɪᴊᴋʟᴍɴᴏᴘʀꜱᴛᴜᴠᴡʏᴢ", "abcdefghijklmnoprstuvwyz")
_STRUCK: Final = str.maketrans({"đ": "d", "Đ": "D", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "ß": "ss", "æ": "ae"})
_LETTERS: Final = 0.85


def readings(text: str) -> Iterator[str]:
    """Every other reading of `text` that may mean something, each once."""
    seen = {text}
    for reading in _readings(text[:_MOST], _DEEPEST):
        if reading not in seen:
            seen.add(reading)
            yield reading


def squeezed(text: str) -> str:
    """Its letters and digits alone: what is left when someone hides words by separating them otherwise."""
    return "".join(character for character in text if character.isalnum())


def bare(text: str) -> str:
    """In plain letters: accents, squares, small capitals and letters of other scripts that look like ours folded."""
    return in_our_letters(unaccented(text.translate(_SQUARED).translate(_SMALL)))


def unaccented(text: str) -> str:
    """Without the marks on its letters."""
    folded = unicodedata.normalize("NFKD", text.translate(_STRUCK))
    return "".join(character for character in folded if not unicodedata.combining(character))


def _readings(text: str, left: int) -> Iterator[str]:
    for decoded in _decoded(text):
        yield decoded
        if left > 1:
            yield from _readings(decoded, left - 1)
    yield unaccented(text)
    plain = in_our_letters(bare(text).lower())  # twice: what only a small letter looks like
    yield plain
    yield plain.translate(_LEET)
    yield plain.translate(_LEET_L)
    joined = _SPACED.sub(lambda found: _BETWEEN.sub("", found[0]), plain)
    yield joined
    yield plain[::-1]
    yield codecs.encode(plain, "rot13")


def _decoded(text: str) -> Iterator[str]:
    """What is written in an encoding, in plain; the text around it is left out."""
    yield from _unwrapped(text)
    for found in _HEX.finditer(text):
        digits = re.sub(r"\\x|0x|[^0-9a-fA-F]", "", found[0])
        yield from _as_text(bytes.fromhex(digits[: len(digits) // 2 * 2]))
    for found in _BINARY.finditer(text):
        bits = re.sub(r"[^01]", "", found[0])
        yield from _as_text(bytes(int(bits[at : at + 8], 2) for at in range(0, len(bits), 8)))
    for found in _CODES.finditer(text):
        codes = [int(each) for each in re.findall(r"\d+", found[0])]
        yield from _as_text(bytes(code for code in codes if code < 256))  # noqa: PLR2004 - a byte
    if _ESCAPED.search(text):
        yield _ESCAPED.sub(_character, text)
    percent = _PERCENT.sub(lambda found: bytes.fromhex(found[0].replace("%", "")).decode("utf-8", "replace"), text)
    for other in (html.unescape(text), percent):
        if other != text:
            yield other


def _unwrapped(text: str) -> Iterator[str]:
    """What is base64, whole or in pieces."""
    for found in _BASE64.finditer(text):
        yield from _as_text(_from_base64(found[0]))
    for found in _PIECES.finditer(text):
        yield from _as_text(_from_base64(_GLUE.sub("", found[0])))


def _from_base64(text: str) -> bytes:
    whole = text.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(whole + "=" * (-len(whole) % 4))
    except (binascii.Error, ValueError):
        return b""


def _as_text(raw: bytes) -> Iterator[str]:
    """The bytes as text, if they are one: words and spaces, and little else."""
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        return
    fitting = sum(character.isalnum() or character in " .,:;!?'\"/_-\n()<>" for character in text)
    if text and fitting >= _LETTERS * len(text):
        yield text


def _character(found: re.Match[str]) -> str:
    code = int(found[0].lstrip("\\uxU").strip("{}"), 16)
    return chr(code) if code < 0x110000 else ""  # noqa: PLR2004 - the last of Unicode
