"""What tokens cost is said with its currency, or not at all."""

import pytest
from pydantic import ValidationError

from pierhead.bootstrap.value_settings import ValueSettings, check_value
from pierhead.core.cost import Price
from pierhead.core.errors import Misconfigured


def test_a_price_comes_with_its_currency() -> None:
    nothing, whole = ValueSettings(price_per_million_tokens=0.0, currency="", teams=()), Price(3.0, "EUR")
    assert nothing.price is None
    assert ValueSettings(price_per_million_tokens=3.0, currency="EUR", teams=()).price == whole
    check_value(nothing)


@pytest.mark.parametrize(("price", "currency"), [(3.0, ""), (0.0, "EUR")])
def test_half_a_price_does_not_start(price: float, currency: str) -> None:
    with pytest.raises(Misconfigured):
        check_value(ValueSettings(price_per_million_tokens=price, currency=currency, teams=()))


@pytest.mark.parametrize(("price", "currency"), [(-1.0, "EUR"), (3.0, "euro"), (float("inf"), "EUR")])
def test_what_is_no_price_is_refused(price: float, currency: str) -> None:
    with pytest.raises(ValidationError):
        ValueSettings(price_per_million_tokens=price, currency=currency, teams=())


def test_teams_are_a_list_or_from_the_environment_a_line_each() -> None:
    as_text = ValueSettings.model_validate({"teams": "data-eng\n ads \n\n"})
    assert as_text.teams == ValueSettings.model_validate({"teams": ["data-eng", "ads"]}).teams == ("data-eng", "ads")
