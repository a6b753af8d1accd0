"""Names that look like other names: what an eye, or a model in a hurry, takes for the same.

`skeleton` folds a name to its looks; two names with one skeleton are look-alikes. Pure. Above:
`usecases/check_definitions`. Not here: which names may be taken (the registry), characters nobody sees.
"""

import re
import unicodedata
from collections.abc import Iterable
from typing import Final

#: Letters of other scripts that look like one of ours, by the look of common fonts.
_FOREIGN: Final = str.maketrans(
    {
        **dict(zip("\u0430\u0435\u043e\u0440\u0441\u0443\u0445\u0456\u0458\u0455", "aeopcyxijs", strict=True)),
        **dict(zip("\u04bb\u0501\u051b\u051d\u0432\u043d\u043a\u043c\u0442\u0433", "hdqwbhkmtr", strict=True)),
        **dict(zip("\u03b1\u03bf\u03c1\u03c5\u03bd\u03ba\u03b9\u03c4\u03c7", "aopuvkitx", strict=True)),
        **dict(zip("\u0585\u057d\u0570\u0131\u0261\u0251\u1d0f", "ouhigao", strict=True)),
    }
)
_PAIRS: Final = (("rn", "m"), ("vv", "w"), ("cl", "d"), ("nn", "m"))
_DIGITS: Final = str.maketrans({"0": "o", "1": "l", "$": "s", "|": "l"})
_SEPARATORS: Final = re.compile(r"[-_. /]+")
#: Shorter names are near to many others by chance.
_NEAR_FROM: Final = 6


def skeleton(name: str) -> str:
    """How `name` looks: one script, no case, no digits that pass for letters, no separators."""
    folded = unicodedata.normalize("NFKD", name).casefold()
    bare = "".join(character for character in folded if not unicodedata.combining(character))
    seen = _SEPARATORS.sub("", bare.translate(_FOREIGN).translate(_DIGITS)).replace("i", "l")
    for pair, single in _PAIRS:
        seen = seen.replace(pair, single)
    return seen


def in_our_letters(text: str) -> str:
    """With each letter of another script that looks like one of ours written as that."""
    return text.translate(_FOREIGN)


def same_words(name: str, other: str) -> bool:
    """Whether they differ by case and separators alone: two ways to write one name."""
    return _SEPARATORS.sub("", name).casefold() == _SEPARATORS.sub("", other).casefold()


def look_alike(name: str, others: Iterable[str]) -> str:
    """The first other name that looks the same as `name` and is not, or nothing. No name is empty."""
    looks = skeleton(name)
    return next((other for other in others if other != name and skeleton(other) == looks), "")


def near_name(name: str, others: Iterable[str]) -> str:
    """The first other name that one slip of the finger makes of `name`, or nothing."""
    if len(name) < _NEAR_FROM:
        return ""
    return next((other for other in others if other != name and _is_one_slip(name, other)), "")


def _is_one_slip(one: str, other: str) -> bool:
    """One letter put in, left out, changed, or two neighbours swapped. A number at the end is no slip: `v1`, `v2`."""
    if one.rstrip("0123456789") == other.rstrip("0123456789") or abs(len(one) - len(other)) > 1:
        return False
    start = next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    head, tail = one[start:], other[start:]
    return (
        head[1:] == tail[1:]
        or head[1:] == tail
        or head == tail[1:]
        or (head[:2] == tail[:2][::-1] and head[2:] == tail[2:])
    )
