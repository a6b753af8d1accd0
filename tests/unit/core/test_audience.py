"""Whom a list is for."""

from ipaddress import ip_network

import pytest

from pierhead.core.audience import EVERYONE, Audience
from pierhead.core.reach import EVERY, Row
from pierhead.core.rule import NOBODY, Who

ADS = Audience(frozenset({"ads"}), EVERY, EVERY)


def row(who: Who) -> Row:
    return Row("presto", who, frozenset({"ide"}), frozenset({"local"}), EVERY)


@pytest.mark.parametrize(
    ("audience", "who", "granted"),
    [
        (EVERYONE, Who(any_person=True), True),
        (EVERYONE, Who(groups=frozenset({"ads"}), users=frozenset({"ann"})), False),
        (EVERYONE, NOBODY, False),
        (ADS, Who(groups=frozenset({"ads", "web"})), True),
        (ADS, Who(groups=frozenset({"web"})), False),
        (ADS, Who(users=frozenset({"ads"}), workloads=frozenset({"ads"})), False),
        (Audience(frozenset({"ads"}), frozenset({"time"}), EVERY), Who(any_person=True), False),
        (Audience(frozenset(), frozenset(), EVERY), Who(any_person=True), False),
    ],
)
def test_a_row_opens_its_server_to_an_audience_that_it_names(audience: Audience, who: Who, granted: bool) -> None:
    assert audience.is_granted(row(who), "ide", "local") is granted
    assert not audience.is_granted(row(who), "slack", "local")
    assert not audience.is_granted(row(who), "ide", "production")


@pytest.mark.parametrize(
    ("networks", "address", "admitted"),
    [
        (EVERY, "", True),
        ((), "10.0.0.1", False),
        ((ip_network("10.0.0.0/8"),), "10.255.0.1", True),
        ((ip_network("10.0.0.0/8"),), "11.0.0.1", False),
        ((ip_network("10.0.0.0/8"),), "", False),
        ((ip_network("10.0.0.0/8"),), "10.0.0.1, 11.0.0.1", False),
        ((ip_network("fd00::/8"), ip_network("10.0.0.0/8")), "fd00::1", True),
    ],
)
def test_an_audience_of_a_network_admits_who_comes_from_there(networks: object, address: str, admitted: bool) -> None:
    assert Audience(frozenset(), EVERY, networks).admits(address) is admitted  # type: ignore[arg-type]
