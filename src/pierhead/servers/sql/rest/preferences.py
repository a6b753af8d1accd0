"""What a request's headers ask for: the format of the answer, and preferences (RFC 7240).

Read once per distinct header, since clients send the same few. What contradicts itself is refused, never guessed.
Not here: what a preference does (the routes).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Final

from pierhead.sdk import Invalid


class Format(StrEnum):
    """Media types of answers with rows."""

    JSON = "application/json"
    PAGE = "application/vnd.pierhead.page+json"
    CSV = "text/csv"
    NDJSON = "application/x-ndjson"
    ARROW = "application/vnd.apache.arrow.stream"

    @property
    def streams(self) -> bool:
        """Whether rows go out as they come, so that there may be many."""
        return self not in (Format.JSON, Format.PAGE)


@dataclass(frozen=True, slots=True)
class Wanted:
    """The chosen format. The last two are parameters of `text/csv`."""

    format: Format
    quotes_formulas: bool = False
    names_columns: bool = True


_RANGES: Final[Mapping[str, Format]] = {
    **{each.value: each for each in Format},
    "*/*": Format.JSON,
    "application/*": Format.JSON,
    "text/*": Format.CSV,
}
_CSV_PARAMETERS: Final = {"header": ("present", "absent"), "formulas": ("kept", "quoted"), "charset": ("utf-8",)}

_VALUES: Final[Mapping[str, tuple[str, ...]]] = {
    "count": ("exact", "estimated"),
    "handling": ("strict", "lenient"),
    "missing": ("default", "null"),
    "resolution": ("merge-duplicates", "ignore-duplicates"),
    "return": ("minimal", "headers-only", "representation"),
    "tx": ("rollback", "commit"),
}
_OF_READS: Final = frozenset({"count", "handling"})


@dataclass(frozen=True, slots=True)
class Preferences:
    """The preferences that were understood, by name; `max-affected` is a number as text."""

    chosen: Mapping[str, str]

    def get(self, name: str) -> str:
        """The value of a preference, or nothing."""
        return self.chosen.get(name, "")

    @property
    def max_affected(self) -> int | None:
        number = self.chosen.get("max-affected")
        return None if number is None else int(number)

    def applied(self) -> tuple[tuple[bytes, bytes], ...]:
        """`Preference-Applied`, for everything chosen."""
        if not self.chosen:
            return ()
        text = ", ".join(f"{name}={value}" for name, value in self.chosen.items())
        return ((b"preference-applied", text.encode("ascii")),)


@lru_cache(maxsize=256)
def wanted(accept: bytes) -> Wanted:
    """The format an `Accept` header asks for; JSON, if it asks for nothing.

    Errors: Invalid (`not-acceptable`), naming the formats there are.
    """
    if not accept:
        return Wanted(Format.JSON)
    offers = sorted(_offers(accept.decode("latin-1").lower()), key=lambda offer: -offer[0])
    for weight, range_, parameters in offers:
        chosen = _RANGES.get(range_)
        if chosen is not None and weight > 0:
            return _with_parameters(chosen, parameters)
    raise Invalid(
        "no format of the Accept header is served here",
        hint="accept one of: " + ", ".join(each.value for each in Format),
        code="not-acceptable",
    )


def _offers(accept: str) -> Iterator[tuple[float, str, dict[str, str]]]:
    for offer in accept.split(","):
        range_, *written = (part.strip() for part in offer.split(";"))
        parameters = {name.strip(): value.strip(' "') for name, _, value in (each.partition("=") for each in written)}
        try:
            weight = float(parameters.pop("q", "1"))
        except ValueError:
            raise Invalid("the Accept header has a weight that is no number", code="bad-headers") from None
        yield weight, range_, parameters


def _with_parameters(chosen: Format, parameters: Mapping[str, str]) -> Wanted:
    if chosen is not Format.CSV:
        return Wanted(chosen)
    for name, value in parameters.items():
        if value not in _CSV_PARAMETERS.get(name, ()):
            raise Invalid(
                f"text/csv takes no parameter {name[:32]}={value[:32]}",
                hint="parameters are header=present|absent and formulas=kept|quoted",
                code="not-acceptable",
            )
    return Wanted(chosen, parameters.get("formulas") == "quoted", parameters.get("header") != "absent")


@lru_cache(maxsize=256)
def preferences(prefer: bytes, *, writes: bool) -> Preferences:
    """What a `Prefer` header asks for. What is not known is left out, unless `handling=strict` stands there.

    Errors: Invalid (`bad-preference`) for two values of one preference, and for the unknown under `handling=strict`.
    """
    chosen: dict[str, str] = {}
    unknown: list[str] = []
    for part in prefer.decode("latin-1").replace(";", ",").split(","):
        name, _, value = (word.strip().strip('"').lower() for word in part.partition("="))
        if not name:
            continue
        if not _is_known(name, value, writes=writes):
            unknown.append(f"{name[:32]}={value[:32]}" if value else name[:32])
        elif chosen.setdefault(name, value) != value:
            raise Invalid(f"two values of the preference {name}", hint="send one", code="bad-preference")
    if unknown and chosen.get("handling") == "strict":
        raise Invalid(
            f"these preferences are not known here: {', '.join(unknown)}",
            hint="leave them out, or drop handling=strict",
            code="bad-preference",
        )
    return Preferences(chosen)


def _is_known(name: str, value: str, *, writes: bool) -> bool:
    if not writes and name not in _OF_READS:
        return False
    if name == "max-affected":
        return value.isascii() and value.isdigit() and len(value) <= 9  # noqa: PLR2004 - no number beyond means more
    return value in _VALUES.get(name, ())
