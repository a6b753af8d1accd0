"""Who is which of the platform's own programs."""

import pytest

from pierhead.core.peer import GATEWAY, REGISTRY, PeerIds, role_of_server, server_in

IDS = PeerIds(
    "spiffe://corp.example/ph/registry",
    "spiffe://corp.example/ph/gateway",
    "spiffe://corp.example/ph/server-{server}/x",
)


@pytest.mark.parametrize("role", [REGISTRY, GATEWAY, role_of_server("warehouse"), role_of_server("a_b-9")])
def test_a_role_and_its_id_lead_to_each_other(role: str) -> None:
    assert IDS.role_of(IDS.id_of(role)) == role


@pytest.mark.parametrize(
    "spiffe_id",
    [
        "",
        "spiffe://corp.example/ph/server-/x",
        "spiffe://corp.example/ph/server-warehouse",
        "spiffe://corp.example/ph/server-warehouse/x/x",
        "spiffe://corp.example/ph/server-warehouse/y/x",
        "spiffe://corp.example/ph/server-Warehouse/x",
        "spiffe://evil.example/ph/server-warehouse/x",
        "warehouse",
        "warehouse/x",
        "spiffe://corp.example/ph/gateway/",
    ],
)
def test_no_other_id_has_a_role(spiffe_id: str) -> None:
    assert not IDS.role_of(spiffe_id)


def test_only_the_role_of_a_server_names_one() -> None:
    assert [server_in(role) for role in (REGISTRY, GATEWAY, role_of_server("warehouse"), "")] == [
        "",
        "",
        "warehouse",
        "",
    ]
