"""The company's provider as its client: what exactly is asked, what is believed, and until when. Over real HTTP."""

import base64
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from tests.rigs.company import METADATA, NOW, TOKEN, USERINFO, Place, company, refusal, unreachable

from pierhead.core.federation import ClaimMapping
from pierhead.usecases.ports_sign_in import Attempt

pytestmark = pytest.mark.anyio

LOGOUT = "http://schemas.openid.net/event/backchannel-logout"
ATTEMPT = Attempt("state-1", "nonce-1", "v" * 43, "https://mcp.example/sign-in/callback")


# What is asked.


async def test_the_question_is_the_code_flow_with_pkce_and_all_that_binds_its_answer() -> None:
    async with company() as world:
        asked = await world.provider.question(ATTEMPT)
        assert asked.startswith(f"{world.place.url}/authorize?response_type=code&")
        assert {name: values[0] for name, values in parse_qs(urlsplit(asked).query).items()} == {
            "response_type": "code",
            "client_id": "pierhead",
            "redirect_uri": "https://mcp.example/sign-in/callback",
            "scope": "openid groups",
            "state": "state-1",
            "nonce": "nonce-1",
            "code_challenge": ATTEMPT.challenge,
            "code_challenge_method": "S256",
        }
        assert not await world.provider.states_issuer()
        assert world.provider.issuer == world.place.url


async def test_whoever_must_prove_themselves_anew_is_asked_anew_at_an_endpoint_with_a_query_of_its_own_too() -> None:
    async with company() as world:
        world.place.metadata = {
            "authorization_endpoint": f"{world.place.url}/authorize?tenant=corp",
            "authorization_response_iss_parameter_supported": True,
        }
        anew = Attempt(
            *[getattr(ATTEMPT, name) for name in ("state", "nonce", "verifier", "redirect_uri")], is_fresh=True
        )
        asked = await world.provider.question(anew)
        query = {name: values[0] for name, values in parse_qs(urlsplit(asked).query).items()}
        assert asked.startswith(f"{world.place.url}/authorize?tenant=corp&response_type=code&")
        assert (query["prompt"], query["max_age"], query["tenant"]) == ("login", "0", "corp")
        assert await world.provider.states_issuer()
        assert len(world.place.of(METADATA)) == 1, "its metadata are read once"


async def test_a_code_is_spent_with_the_secret_in_the_header_and_with_what_proves_the_browser() -> None:
    async with company() as world:
        person = await world.provider.person("code-1", ATTEMPT)
        (asked,) = world.place.of(TOKEN)
        basic = base64.b64encode(b"pierhead:secret").decode()
        assert (asked.method, asked.headers["authorization"]) == ("POST", f"Basic {basic}")
        assert asked.headers["accept"] == "application/json"
        assert asked.headers["accept-encoding"] == "identity"
        assert asked.form == {
            "grant_type": "authorization_code",
            "code": "code-1",
            "redirect_uri": "https://mcp.example/sign-in/callback",
            "code_verifier": "v" * 43,
        }
        assert (person.stated.subject, person.stated.groups) == ("sub-1", frozenset({"data-eng"}))
        assert (person.subject, person.grant, person.proved_at) == ("sub-1", "again", 0.0)
        assert (person.token, person.token_until) == ("made", NOW + 120)


async def test_a_provider_without_basic_logins_is_told_the_secret_in_the_form() -> None:
    async with company() as world:
        world.place.metadata = {"token_endpoint_auth_methods_supported": ["client_secret_post"]}
        await world.provider.again("grant-1", "sub-1")
        (asked,) = world.place.of(TOKEN)
        assert "authorization" not in asked.headers
        assert asked.form == {
            "grant_type": "refresh_token",
            "refresh_token": "grant-1",
            "client_id": "pierhead",
            "client_secret": "secret",
        }


@pytest.mark.parametrize("ways", [["client_secret_basic", "client_secret_post"], ...])
async def test_a_provider_that_takes_basic_logins_or_does_not_say_gets_them(ways: Any) -> None:
    async with company() as world:
        world.place.metadata = {"token_endpoint_auth_methods_supported": ways}
        await world.provider.again("grant-1", "sub-1")
        (asked,) = world.place.of(TOKEN)
        assert asked.headers["authorization"].startswith("Basic ")
        assert asked.form.keys() == {"grant_type", "refresh_token"}


@pytest.mark.parametrize(
    ("exchanges", "kind"),
    [("access_token", "access_token"), ("id_token", "id_token"), ("jwt", "jwt")],
)
async def test_an_exchange_names_what_it_gives_and_for_whom(exchanges: str, kind: str) -> None:
    async with company(exchanges=exchanges) as world:
        made = await world.provider.exchanged("subject", "https://orders.corp.example")
        (asked,) = world.place.of(TOKEN)
        assert asked.form == {
            "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
            "subject_token": "subject",
            "subject_token_type": f"urn:ietf:params:oauth:token-type:{kind}",
            "requested_token_type": "urn:ietf:params:oauth:token-type:access_token",
            "audience": "https://orders.corp.example",
        }
        assert (made.authorization, made.expires_at) == ("Bearer made", NOW + 120)


# What is believed.


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"nonce": "nonce-2"}, "wrong-nonce"),
        ({"nonce": ...}, "wrong-nonce"),
        ({"iss": "https://evil.example"}, "wrong-issuer"),
        ({"iss": ...}, "wrong-issuer"),
        ({"aud": "another"}, "wrong-audience"),
        ({"aud": ["another"], "azp": "pierhead"}, "wrong-audience"),
        ({"aud": ["pierhead", "another"]}, "wrong-audience"),
        ({"aud": ["pierhead", "another"], "azp": "another"}, "wrong-audience"),
        ({"azp": "another"}, "wrong-audience"),
        ({"exp": NOW}, "expired"),
        ({"iat": NOW + 61}, "not-yet-valid"),
    ],
)
async def test_an_id_token_that_is_not_our_answer_signs_nobody_in(changes: dict[str, Any], code: str) -> None:
    async with company() as world:
        world.place.claims = changes
        assert await refusal(world.provider.person("code-1", ATTEMPT)) == code


@pytest.mark.parametrize("changes", [{"aud": ["pierhead"]}, {"aud": ["pierhead", "another"], "azp": "pierhead"}])
async def test_an_id_token_for_several_is_ours_where_it_says_so(changes: dict[str, Any]) -> None:
    async with company() as world:
        world.place.claims = changes
        assert (await world.provider.person("code-1", ATTEMPT)).subject == "sub-1"


@pytest.mark.parametrize(
    ("header", "code"),
    [
        ({"typ": "at+jwt"}, "wrong-type"),
        ({"typ": "logout+jwt"}, "wrong-type"),
        ({"kid": "rig-2"}, "unknown-key"),
        ({"jku": "https://evil.example"}, "unknown-header"),
    ],
)
async def test_an_id_token_with_a_header_of_another_kind_is_refused(header: dict[str, Any], code: str) -> None:
    async with company() as world:
        world.place.header = header
        assert await refusal(world.provider.person("code-1", ATTEMPT)) == code


async def test_a_header_may_leave_its_type_out_and_name_a_certificate() -> None:
    async with company() as world:
        world.place.header = {"typ": ..., "x5t": "a", "x5t#S256": "b"}
        assert (await world.provider.person("code-1", ATTEMPT)).subject == "sub-1"


@pytest.mark.parametrize("without", [{"id_token": ...}, {"id_token": 7}, {"id_token": None}])
async def test_without_an_id_token_nobody_is_signed_in(without: dict[str, Any]) -> None:
    async with company() as world:
        world.place.granted = without
        assert await refusal(world.provider.person("code-1", ATTEMPT)) == "no-id-token"


async def test_a_code_that_is_good_no_more_signs_nobody_in_and_a_grant_neither() -> None:
    async with company() as world:
        world.place.answers[TOKEN] = 400, b'{"error": "invalid_grant"}'
        assert await refusal(world.provider.person("code-1", ATTEMPT)) == "no-id-token"
        assert await refusal(world.provider.again("grant-1", "sub-1")) == "provider-withdrew"
        assert await refusal(world.provider.exchanged("subject", "https://orders")) == "exchange-refused"


@pytest.mark.parametrize("answer", [(400, b'{"error": "invalid_client"}'), (401, b'{"error": "invalid_grant"}')])
async def test_only_a_grant_that_is_said_to_be_over_is_over(answer: tuple[int, bytes]) -> None:
    async with company() as world:
        world.place.answers[TOKEN] = answer
        assert f"it answers {answer[0]}" in await unreachable(world.provider.again("grant-1", "sub-1"))


async def test_a_token_is_at_most_16_kib_long() -> None:
    async with company() as world:
        assert await refusal(world.provider.logged_out("A" * (16 * 1024 + 1))) == "token-too-long"
        assert await refusal(world.provider.logged_out("A" * 16 * 1024)) == "malformed"


# Asked again.


async def test_asked_again_it_tells_groups_of_now_and_the_grant_of_next_time() -> None:
    async with company() as world:
        world.place.claims = {"groups": ["fewer"], "nonce": ...}
        again = await world.provider.again("grant-1", "sub-1")
        assert (again.stated.groups, again.grant) == (frozenset({"fewer"}), "again")


async def test_a_provider_that_gives_no_new_grant_leaves_the_old_one_good() -> None:
    async with company() as world:
        world.place.granted = {"refresh_token": ...}
        assert (await world.provider.again("grant-1", "sub-1")).grant == "grant-1"
        assert (await world.provider.person("code-1", ATTEMPT)).grant == ""


async def test_asked_again_it_speaks_of_the_same_person_or_not_at_all() -> None:
    async with company() as world:
        world.place.claims = {"sub": "mallory"}
        assert await refusal(world.provider.again("grant-1", "sub-1")) == "no-subject"


async def test_without_an_id_token_the_groups_are_what_it_says_besides() -> None:
    async with company() as world:
        world.place.metadata = {"userinfo_endpoint": f"{world.place.url}{USERINFO}"}
        world.place.granted = {"id_token": ...}
        again = await world.provider.again("grant-1", "sub-1")
        assert (again.subject, again.stated.groups) == ("sub-1", frozenset({"told"}))
        (asked,) = world.place.of(USERINFO)
        assert (asked.method, asked.headers["authorization"]) == ("GET", "Bearer made")
        world.place.told = {"sub": "mallory"}
        assert await refusal(world.provider.again("grant-1", "sub-1")) == "no-subject"


async def test_what_it_says_besides_is_asked_only_where_groups_are_left_out_and_overrules_nothing_signed() -> None:
    async with company() as world:
        world.place.metadata = {"userinfo_endpoint": f"{world.place.url}{USERINFO}"}
        assert (await world.provider.person("code-1", ATTEMPT)).stated.groups == frozenset({"data-eng"})
        assert world.place.of(USERINFO) == []
        world.place.claims = {"groups": ..., "auth_time": NOW - 9}
        world.place.told = {"auth_time": NOW, "nonce": "another"}
        person = await world.provider.person("code-1", ATTEMPT)
        assert (person.stated.groups, person.proved_at) == (frozenset({"told"}), NOW - 9)


async def test_where_nothing_more_can_be_asked_groups_that_are_left_out_are_none() -> None:
    async with company() as world:
        world.place.claims = {"groups": ...}
        assert (await world.provider.person("code-1", ATTEMPT)).stated.groups == frozenset()
        world.place.metadata = {"userinfo_endpoint": f"{world.place.url}{USERINFO}"}
        world.clock.seconds += 60 * 60
        world.place.claims = {"groups": ..., "iat": world.clock.seconds, "exp": world.clock.seconds + 300}
        world.place.granted = {"access_token": 7}
        assert (await world.provider.person("code-1", ATTEMPT)).stated.groups == frozenset()
        assert world.place.of(USERINFO) == []


@pytest.mark.parametrize(
    ("said", "believed"), [(NOW - 9, NOW - 9), (float(NOW - 9), NOW - 9), (True, 0), ("1", 0), (None, 0), (..., 0)]
)
async def test_when_they_proved_themselves_is_a_time_or_unknown(said: Any, believed: int) -> None:
    async with company() as world:
        world.place.claims = {"auth_time": said}
        assert (await world.provider.person("code-1", ATTEMPT)).proved_at == believed


# Until when.


@pytest.mark.parametrize(
    ("said", "life_s"),
    [
        (120, 120),
        (0, 0),
        (1, 1),
        (3600, 3600),
        (3601, 3600),
        (10**30, 3600),
        (-1, 60),
        (True, 60),
        ("9", 60),
        (..., 60),
    ],
)
async def test_what_was_exchanged_counts_for_a_time_that_one_can_believe(said: Any, life_s: int) -> None:
    async with company() as world:
        world.place.granted = {"expires_in": said}
        assert (await world.provider.exchanged("subject", "https://orders")).expires_at == NOW + life_s
        assert (await world.provider.person("code-1", ATTEMPT)).token_until == NOW + life_s


async def test_where_id_tokens_are_exchanged_the_id_token_is_kept_until_its_own_end() -> None:
    async with company(exchanges="id_token") as world:
        person = await world.provider.person("code-1", ATTEMPT)
        assert (person.token.count("."), person.token_until) == (2, NOW + 300)
        world.place.granted = {"id_token": ...}
        again = await world.provider.again("grant-1", "sub-1")
        assert (again.token, again.token_until) == ("", 0.0)


@pytest.mark.parametrize(
    "granted",
    [
        {"token_type": "DPoP"},
        {"token_type": ...},
        {"access_token": 7},
        {"access_token": ""},
        {"access_token": "a b"},
        {"access_token": "a\r\nb"},
        {"access_token": "x" * 16_385},
    ],
)
async def test_what_is_no_bearer_token_is_no_credential(granted: dict[str, Any]) -> None:
    async with company() as world:
        world.place.granted = granted
        assert await refusal(world.provider.exchanged("subject", "https://orders")) == "exchange-refused"


@pytest.mark.parametrize("granted", [{"token_type": "bearer"}, {"access_token": "x" * 16_384}, {"access_token": "a=="}])
async def test_what_fits_into_a_header_is_a_credential(granted: dict[str, Any]) -> None:
    async with company() as world:
        world.place.granted = granted
        made = await world.provider.exchanged("subject", "https://orders")
        assert made.authorization == f"Bearer {granted.get('access_token', 'made')}"


# Logging out.


def logout(place: Place, **changes: Any) -> str:
    return place.token(**{"events": {LOGOUT: {}}, "nonce": ..., "groups": ..., **changes})


@pytest.mark.parametrize("kind", ["logout+jwt", "JWT", ...])
async def test_a_logout_names_its_person(kind: Any) -> None:
    async with company() as world:
        world.place.header = {"typ": kind}
        assert await world.provider.logged_out(logout(world.place)) == "sub-1"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"events": ...}, "wrong-type"),
        ({"events": []}, "wrong-type"),
        ({"events": {}}, "wrong-type"),
        ({"events": {LOGOUT: []}}, "wrong-type"),
        ({"events": {"http://other": {}}}, "wrong-type"),
        ({"nonce": "nonce-1"}, "wrong-type"),
        ({"sub": ...}, "no-subject"),
        ({"sub": ""}, "no-subject"),
        ({"sub": 7}, "no-subject"),
        ({"aud": "another"}, "wrong-audience"),
        ({"exp": NOW}, "expired"),
    ],
)
async def test_what_is_no_logout_ends_nobodys_session(changes: dict[str, Any], code: str) -> None:
    async with company() as world:
        assert await refusal(world.provider.logged_out(logout(world.place, **changes))) == code


async def test_a_person_is_found_by_their_subject_only_where_that_is_their_name() -> None:
    async with company() as world:
        assert world.provider.name_of("sub-1") == "sub-1"
    async with company(ClaimMapping("email", "groups", {})) as world:
        assert world.provider.name_of("sub-1") == ""
