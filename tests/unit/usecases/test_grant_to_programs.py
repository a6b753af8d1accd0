"""Tokens of programs without a person: for whom, for what, on record, and never a person's."""

import json
from dataclasses import replace

import pytest
from tests.unit.usecases.test_grant_tokens import ISSUER, World, world

from pierhead.core.audit_sign_in import SignInFailed, TokenIssued
from pierhead.usecases.grant_to_programs import Program, ProgramAsks, token_for_program
from pierhead.usecases.register_client import NotGranted, fingerprint

__all__ = ["world"]
pytestmark = pytest.mark.anyio

ROBOT = "spiffe://corp.example/job/nightly"
PROGRAMS = {"nightly": Program(ROBOT, fingerprint("right"))}
ASKED = ProgramAsks("nightly", "right", f"{ISSUER}/mcp/warehouse", "warehouse.read")


async def test_a_program_gets_a_token_that_names_its_workload_and_no_person(world: World) -> None:
    tokens = await token_for_program(ASKED, PROGRAMS, world.desk)
    claims = json.loads(tokens.access)
    assert (claims["sub"], claims["client_id"], claims["wl"]) == ("nightly", "nightly", ROBOT)
    assert (claims["aud"], claims["scope"], claims["exp"] - claims["iat"]) == (ASKED.resource, "warehouse.read", 600)
    assert not {"groups", "sub_iss", "claims"} & claims.keys()
    assert (tokens.refresh, tokens.scope) == ("", "warehouse.read")
    assert world.audit.facts == [TokenIssued(claims["jti"], ROBOT, "nightly", ASKED.resource, "warehouse.read")]


@pytest.mark.parametrize("wrong", [{"secret": "wrong"}, {"secret": ""}, {"client_id": "weekly"}, {"client_id": ""}])
async def test_a_wrong_secret_and_an_unknown_program_read_alike_and_are_on_record(
    world: World, wrong: dict[str, str]
) -> None:
    with pytest.raises(NotGranted) as refused:
        await token_for_program(replace(ASKED, **wrong), PROGRAMS, world.desk)
    assert refused.value.code == "invalid_client"
    fact = world.audit.facts[0]
    assert isinstance(fact, SignInFailed)
    assert (fact.reason, fact.server) == ("program-unknown", "warehouse")


@pytest.mark.parametrize("resource", ["", f"{ISSUER}/api/v1", f"{ISSUER}/r/me", "https://elsewhere.example/mcp/a"])
async def test_a_program_gets_no_token_for_anything_but_servers(world: World, resource: str) -> None:
    with pytest.raises(NotGranted) as refused:
        await token_for_program(replace(ASKED, resource=resource), PROGRAMS, world.desk)
    assert (refused.value.code, world.audit.facts) == ("invalid_target", [])


async def test_the_issue_is_recorded_or_nothing_is_issued_to_a_program(world: World) -> None:
    world.audit.full = True
    with pytest.raises(Exception, match="journal is full"):
        await token_for_program(ASKED, PROGRAMS, world.desk)
