"""What calls cost in a model's context, at least: tokens by bytes, and money where the operator says what tokens cost.

Both figures are lower bounds: a result that stays in a conversation is read again with each of its turns, which nobody
tells the registry. What an upstream costs is no part of it. Source: docs/explanation/cost.md.
"""

from dataclasses import dataclass
from typing import Final

METHOD: Final = (
    "at least: bytes of results / 3.6, read by a model once; what definitions cost is told for 1,000 turns of a model, "
    "since nobody tells the registry of turns; without what systems behind a server cost"
)
TURNS: Final = 1_000
_TENTHS_OF_BYTES_PER_TOKEN: Final = 36
_MILLION: Final = 1_000_000


def tokens_of(size: int) -> int:
    """About how many tokens that many bytes of a result are. Source: docs/explanation/cost.md, formula 1."""
    return -(-10 * size // _TENTHS_OF_BYTES_PER_TOKEN)


@dataclass(frozen=True, slots=True)
class Price:
    """What the operator says that a million tokens cost that a model reads, and in which currency (ISO 4217)."""

    per_million_tokens: float
    currency: str

    def of(self, tokens: float) -> float:
        """That many tokens in its currency."""
        return tokens * self.per_million_tokens / _MILLION


@dataclass(frozen=True, slots=True)
class Cost:
    """What the calls of one server cost in a period, at least, and what its definitions weigh.

    Units: tokens; money in the currency of `price`, and None where nobody set one.
    """

    calls: int
    result_tokens: int
    definition_tokens: int
    price: Price | None

    @property
    def tokens_a_call(self) -> float | None:
        """None where nobody called."""
        return self.result_tokens / self.calls if self.calls else None

    @property
    def results(self) -> float | None:
        """What all results cost."""
        return self.price.of(self.result_tokens) if self.price else None

    @property
    def a_call(self) -> float | None:
        """What the result of one call costs, on average."""
        tokens = self.tokens_a_call
        return None if self.price is None or tokens is None else self.price.of(tokens)

    @property
    def thousand_turns(self) -> float | None:
        """What its definitions cost in 1,000 turns of a model that is sent all of them."""
        return self.price.of(self.definition_tokens * TURNS) if self.price else None
