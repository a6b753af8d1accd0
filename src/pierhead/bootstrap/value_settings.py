"""The section `value`: what the operator says that tokens cost, and who is told whom they cost.

Not here: reading settings (`settings`), what is reckoned with it (`core.cost`).
"""

from pydantic import BaseModel, ConfigDict, Field

from pierhead.bootstrap.listed import Listed
from pierhead.core.cost import Price
from pierhead.core.errors import Misconfigured


class ValueSettings(BaseModel):
    """The price of what a model reads, without which nothing is in money; and the groups that are teams."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    price_per_million_tokens: float = Field(
        0.0, ge=0, allow_inf_nan=False, description="what a million tokens cost that a model reads; 0: no money is told"
    )
    currency: str = Field("", pattern=r"^([A-Z]{3})?$", description="in which currency, as USD or EUR")
    teams: Listed = Field(
        (), description="groups that are teams, for showback; who is in several counts for the first of them"
    )

    @property
    def price(self) -> Price | None:
        return Price(self.price_per_million_tokens, self.currency) if self.currency else None


def check_value(value: ValueSettings) -> None:
    """Errors: Misconfigured (`bad-setting`), for a price without a currency, and the other way about."""
    if bool(value.price_per_million_tokens) is not bool(value.currency):
        message = "of value.price_per_million_tokens and value.currency one is set"
        raise Misconfigured(message, hint="set both, or neither", code="bad-setting")
