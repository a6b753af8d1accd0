"""Sign-in for MCP clients, driven as a client and a browser would, and as an attacker would."""

import base64
import hashlib
import json
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx2
import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey
from starlette.applications import Starlette
from tests.pages import hidden, link
from tests.rigs.mesh import CHAT, DOMAIN, bundle, svid
from tests.web_site import NOW, PUBLIC_URL, TestSite, build, signing_key

from pierhead.adapters.spiffe import Lives, Workloads
from pierhead.adapters.token_signer import JoseSigner
from pierhead.apps.registry.oauth import MachineSide, Rate
from pierhead.core.errors import NotFound
from pierhead.core.workload import Registration
from pierhead.usecases.grant_to_programs import Program
from pierhead.usecases.memory_sign_in import KnownPeople

pytestmark = pytest.mark.anyio

REDIRECT = "http://127.0.0.1:33418/callback"
RESOURCE = f"{PUBLIC_URL}/mcp/warehouse"


@dataclass
class Browser:
    """A client program and a person's browser over one ASGI app."""

    world: TestSite
    http: httpx2.AsyncClient
    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(48))

    async def register(self, **changes: object) -> dict[str, object]:
        wanted = {"redirect_uris": [REDIRECT], "client_name": "Test client", "token_endpoint_auth_method": "none"}
        answer = await self.http.post("/oauth/register", json={**wanted, **changes})
        return {"status": answer.status_code, **answer.json()}

    async def sign_in(self, person: str, wanted: str = "/servers") -> httpx2.Response:
        page = await self.http.get("/sign-in", params={"next": wanted})
        form = {"token": hidden(page.text, "token"), "next": hidden(page.text, "next"), "person": person}
        return await self.http.post("/sign-in", data=form, headers={"origin": PUBLIC_URL})

    def question(self, client_id: object, **changes: str | None) -> str:
        challenge = base64.urlsafe_b64encode(hashlib.sha256(self.verifier.encode()).digest()).rstrip(b"=").decode()
        members: dict[str, str | None] = {
            "response_type": "code",
            "client_id": str(client_id),
            "redirect_uri": REDIRECT,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
            "resource": RESOURCE,
            "state": "st/ate&1",
        }
        sent = {key: value for key, value in {**members, **changes}.items() if value is not None}
        return f"/oauth/authorize?{urlencode(sent)}"

    async def code(self, client_id: object, **changes: str | None) -> str:
        page = await self.http.get(self.question(client_id, **changes))
        back = await self.http.get(link(page.text, "/oauth/continue"))
        assert back.status_code == 302, back.text
        return members(back)["code"]

    async def exchange(self, client_id: object, code: str, **changes: str | None) -> httpx2.Response:
        members: dict[str, str | None] = {
            "grant_type": "authorization_code",
            "client_id": str(client_id),
            "code": code,
            "code_verifier": self.verifier,
            "redirect_uri": REDIRECT,
            "resource": RESOURCE,
        }
        sent = {key: value for key, value in {**members, **changes}.items() if value is not None}
        return await self.http.post("/oauth/token", data=sent)

    async def refresh(self, client_id: object, token: str, **changes: str) -> httpx2.Response:
        form = {"grant_type": "refresh_token", "client_id": str(client_id), "refresh_token": token, **changes}
        return await self.http.post("/oauth/token", data=form)


def members(response: httpx2.Response) -> dict[str, str]:
    return {key: values[0] for key, values in parse_qs(urlsplit(response.headers["location"]).query).items()}


def claims(token: str) -> dict[str, object]:
    body = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    world = build()
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=world.app), base_url=PUBLIC_URL) as http:
        yield Browser(world, http)


@pytest.fixture
async def client(browser: Browser) -> object:
    """A registered client, with alice at the browser."""
    registered = await browser.register()
    await browser.sign_in("alice")
    return registered["client_id"]


async def test_a_client_gets_a_token_for_the_api_alone(browser: Browser, client: object) -> None:
    api = f"{PUBLIC_URL}/api/v1"
    found = (await browser.http.get("/.well-known/oauth-protected-resource/api/v1")).json()
    answer = await browser.exchange(client, await browser.code(client, resource=api), resource=api)
    headers = {"authorization": f"Bearer {answer.json()['access_token']}"}
    # Not by the session: another browser, with nothing but the token.
    browser.http.cookies.clear()

    assert (found["resource"], found["authorization_servers"]) == (api, [PUBLIC_URL])
    assert claims(answer.json()["access_token"])["aud"] == api
    assert (await browser.http.get("/api/v1/me", headers=headers)).json()["person"] == "alice"


async def test_a_client_gets_a_token_for_one_server_and_one_person(browser: Browser, client: object) -> None:
    answer = await browser.exchange(client, await browser.code(client))

    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    said = claims(answer.json()["access_token"])
    assert said["iss"] == PUBLIC_URL
    assert said["aud"] == RESOURCE
    assert said["sub"] == "alice"
    assert said["groups"] == ["data-eng"]
    assert said["client_id"] == client
    assert said["exp"] == NOW + 600
    header = json.loads(base64.urlsafe_b64decode(answer.json()["access_token"].split(".")[0] + "=="))
    keys = (await browser.http.get("/oauth/jwks")).json()["keys"]
    assert (header["typ"], header["alg"], header["kid"]) == ("at+jwt", "RS256", keys[0]["kid"])
    assert browser.world.facts() == ["sign-in-succeeded", "token-issued"]


async def test_the_published_keys_hold_no_private_part(browser: Browser) -> None:
    [key] = (await browser.http.get("/oauth/jwks")).json()["keys"]

    assert set(key) == {"kty", "n", "e", "kid", "alg", "use"}


async def test_a_person_who_is_not_signed_in_signs_in_first_and_comes_back(browser: Browser) -> None:
    registered = await browser.register()
    question = browser.question(registered["client_id"])

    sent = await browser.http.get(question)
    wanted = parse_qs(urlsplit(sent.headers["location"]).query)["next"][0]
    entered = await browser.sign_in("alice", wanted)

    assert sent.headers["location"].startswith("/sign-in?")
    assert entered.headers["location"] == wanted == question


async def test_the_way_back_carries_state_and_issuer_as_they_are(browser: Browser, client: object) -> None:
    page = await browser.http.get(browser.question(client))
    back = await browser.http.get(link(page.text, "/oauth/continue"))

    assert members(back)["state"] == "st/ate&1"
    assert members(back)["iss"] == PUBLIC_URL


async def test_declining_grants_nothing_and_tells_the_client(browser: Browser, client: object) -> None:
    page = await browser.http.get(browser.question(client))
    back = await browser.http.get(link(page.text, "/oauth/decline"))
    again = await browser.http.get(link(page.text, "/oauth/continue"))

    assert members(back) == {
        "error": "access_denied",
        "error_description": "the person declined",
        "state": "st/ate&1",
        "iss": PUBLIC_URL,
    }
    assert again.status_code == 404
    assert not browser.world.store.codes


@pytest.mark.parametrize(
    "changes",
    [
        {"code_challenge": None},
        {"code_challenge": "short"},
        {"code_challenge_method": None},
        {"code_challenge_method": "plain"},
    ],
)
async def test_pkce_is_s256_or_nothing(browser: Browser, client: object, changes: dict[str, str | None]) -> None:
    back = await browser.http.get(browser.question(client, **changes))

    assert members(back)["error"] == "invalid_request"
    assert members(back)["iss"] == PUBLIC_URL


@pytest.mark.parametrize(
    "resource",
    [
        None,
        "",
        "https://elsewhere.example/mcp/warehouse",
        f"{PUBLIC_URL}.evil.example/mcp/warehouse",
        f"{PUBLIC_URL}/mcp/warehouse/",
        f"{PUBLIC_URL}/mcp/../api/v1",
        f"{PUBLIC_URL}/internal/v1",
        f"{PUBLIC_URL}/mcp/Warehouse",
    ],
)
async def test_a_token_is_for_one_of_our_servers_only(browser: Browser, client: object, resource: str | None) -> None:
    back = await browser.http.get(browser.question(client, resource=resource))

    assert members(back)["error"] == "invalid_target"


async def test_a_server_nobody_runs_reads_like_any_other(browser: Browser, client: object) -> None:
    page = await browser.http.get(browser.question(client, resource=f"{PUBLIC_URL}/mcp/nothing-here"))

    assert page.status_code == 200


async def test_the_token_request_may_not_change_the_resource(browser: Browser, client: object) -> None:
    code = await browser.code(client)
    answer = await browser.exchange(client, code, resource=f"{PUBLIC_URL}/mcp/time")

    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_target")


async def test_only_the_code_flow_is_offered(browser: Browser, client: object) -> None:
    back = await browser.http.get(browser.question(client, response_type="token"))
    direct = await browser.http.post(
        "/oauth/token", data={"grant_type": "password", "client_id": str(client), "username": "alice"}
    )

    assert members(back)["error"] == "unsupported_response_type"
    assert direct.json()["error"] == "unsupported_grant_type"


@pytest.mark.parametrize(
    "redirect",
    [
        "http://127.0.0.1:33418/other",
        "http://localhost:33418/callback",
        "http://127.0.0.1:33418/callback?x=1",
        "http://127.0.0.1.evil.example/callback",
        "http://127.0.0.1@evil.example/callback",
        "http://127.0.0.1:33418/callback#f",
        "https://127.0.0.1:33418/callback",
        "https://evil.example/callback",
        "javascript:alert(1)",
        "",
    ],
)
async def test_a_redirect_that_was_not_registered_is_shown_and_never_followed(
    browser: Browser, client: object, redirect: str
) -> None:
    answer = await browser.http.get(browser.question(client, redirect_uri=redirect))

    assert answer.status_code == 400
    assert "location" not in answer.headers


async def test_a_loopback_client_may_come_back_on_any_port(browser: Browser, client: object) -> None:
    elsewhere = "http://127.0.0.1:5/callback"
    code = await browser.code(client, redirect_uri=elsewhere)

    refused = await browser.exchange(client, code)
    code = await browser.code(client, redirect_uri=elsewhere)
    granted = await browser.exchange(client, code, redirect_uri=elsewhere)

    assert refused.json()["error"] == "invalid_grant"
    assert granted.status_code == 200


@pytest.mark.parametrize(
    "redirect",
    [
        "https://evil.example/callback",
        "http://evil.example/callback",
        "http://127.0.0.1.evil.example/",
        "http://user@127.0.0.1/",
        "http://127.0.0.1:33418/#fragment",
        "javascript:alert(1)",
        "data:text/html,x",
        "http://127.0.0.1:33418/\u202ecallback",
        "http://127.0.0.1/" + "a" * 600,
    ],
)
async def test_a_client_cannot_register_to_send_people_elsewhere(browser: Browser, redirect: str) -> None:
    answer = await browser.register(redirect_uris=[redirect])

    assert (answer["status"], answer["error"]) == (400, "invalid_redirect_uri")


async def test_a_known_hosted_client_may_register(browser: Browser) -> None:
    answer = await browser.register(redirect_uris=["https://claude.ai/api/mcp/auth_callback", "vscode://x.y/cb"])

    assert answer["status"] == 201


async def test_registering_wants_redirects_the_code_flow_and_a_known_authentication(browser: Browser) -> None:
    answers = [
        await browser.register(redirect_uris=[]),
        await browser.register(redirect_uris="http://127.0.0.1/"),
        await browser.register(token_endpoint_auth_method="private_key_jwt"),
        await browser.register(grant_types=["implicit"]),
    ]

    assert [answer["error"] for answer in answers] == [
        "invalid_redirect_uri",
        "invalid_client_metadata",
        "invalid_client_metadata",
        "invalid_client_metadata",
    ]


@pytest.mark.parametrize(
    ("kind", "redirect", "status", "error"),
    [
        ("native", REDIRECT, 201, None),
        ("native", "https://vscode.dev/redirect", 201, None),
        ("native", "cursor://anysphere.cursor-mcp/oauth/callback", 201, None),
        ("web", "https://claude.ai/api/mcp/auth_callback", 201, None),
        ("web", REDIRECT, 400, "invalid_redirect_uri"),
        ("web", "cursor://anysphere.cursor-mcp/oauth/callback", 400, "invalid_redirect_uri"),
        ("desktop", REDIRECT, 400, "invalid_client_metadata"),
    ],
)
async def test_the_kind_of_application_says_where_people_may_be_sent_back(
    browser: Browser, kind: str, redirect: str, status: int, error: str | None
) -> None:
    answer = await browser.register(application_type=kind, redirect_uris=[redirect])
    assert (answer["status"], answer.get("error")) == (status, error)
    assert answer.get("application_type") == (kind if status == 201 else None)


async def test_registrations_are_limited_and_idle_clients_forgotten(browser: Browser) -> None:
    first = await browser.register()
    for _ in range(29):
        await browser.register()
    refused = await browser.register()
    browser.world.clock.seconds += 25 * 3600
    await browser.register()

    assert (refused["status"], refused["error"]) == (429, "slow_down")
    assert first["client_id"] not in browser.world.store.clients


async def test_a_code_is_spent_once_and_its_replay_ends_what_came_of_it(browser: Browser, client: object) -> None:
    code = await browser.code(client)
    first = await browser.exchange(client, code)
    replayed = await browser.exchange(client, code)
    refreshed = await browser.refresh(client, first.json()["refresh_token"])

    assert first.status_code == 200
    assert replayed.json()["error"] == "invalid_grant"
    assert refreshed.json()["error"] == "invalid_grant"
    assert browser.world.facts()[-3:] == ["token-revoked", "sign-in-failed", "sign-in-failed"]


async def test_a_wrong_verifier_spends_the_code(browser: Browser, client: object) -> None:
    code = await browser.code(client)
    wrong = await browser.exchange(client, code, code_verifier="w" * 43)
    right = await browser.exchange(client, code)

    assert (wrong.json()["error"], right.json()["error"]) == ("invalid_grant", "invalid_grant")


async def test_a_code_of_another_client_is_refused(browser: Browser, client: object) -> None:
    other = await browser.register()
    answer = await browser.exchange(other["client_id"], await browser.code(client))

    assert answer.json()["error"] == "invalid_grant"


async def test_a_code_lives_a_minute(browser: Browser, client: object) -> None:
    code = await browser.code(client)
    browser.world.clock.seconds += 61

    assert (await browser.exchange(client, code)).json()["error"] == "invalid_grant"


async def test_refresh_tokens_rotate_and_two_at_once_both_answer(browser: Browser, client: object) -> None:
    first = (await browser.exchange(client, await browser.code(client))).json()
    second = await browser.refresh(client, first["refresh_token"])
    browser.world.clock.seconds += 59
    parallel = await browser.refresh(client, first["refresh_token"])

    assert (second.status_code, parallel.status_code) == (200, 200)
    assert len({first["refresh_token"], second.json()["refresh_token"], parallel.json()["refresh_token"]}) == 3
    assert claims(second.json()["access_token"])["aud"] == RESOURCE


async def test_reuse_after_the_grace_ends_the_whole_family(browser: Browser, client: object) -> None:
    first = (await browser.exchange(client, await browser.code(client))).json()
    second = (await browser.refresh(client, first["refresh_token"])).json()
    browser.world.clock.seconds += 61
    stolen = await browser.refresh(client, first["refresh_token"])
    honest = await browser.refresh(client, second["refresh_token"])

    assert (stolen.json()["error"], honest.json()["error"]) == ("invalid_grant", "invalid_grant")
    assert browser.world.facts()[-3:] == ["token-revoked", "sign-in-failed", "sign-in-failed"]


async def test_a_family_ends_after_thirty_days(browser: Browser, client: object) -> None:
    token = (await browser.exchange(client, await browser.code(client))).json()["refresh_token"]
    browser.world.clock.seconds += 29 * 86_400
    token = (await browser.refresh(client, token)).json()["refresh_token"]
    browser.world.clock.seconds += 2 * 86_400

    assert (await browser.refresh(client, token)).json()["error"] == "invalid_grant"


async def test_a_refresh_token_is_worth_nothing_to_another_client_or_resource(browser: Browser, client: object) -> None:
    token = (await browser.exchange(client, await browser.code(client))).json()["refresh_token"]
    other = await browser.register()
    elsewhere = await browser.refresh(client, token, resource=f"{PUBLIC_URL}/mcp/time")

    assert (await browser.refresh(other["client_id"], token)).json()["error"] == "invalid_grant"
    assert elsewhere.json()["error"] == "invalid_target"


@pytest.mark.parametrize("which", ["access_token", "refresh_token"])
async def test_revoking_either_token_ends_the_family(browser: Browser, client: object, which: str) -> None:
    tokens = (await browser.exchange(client, await browser.code(client))).json()
    other = await browser.register()
    foreign = {"client_id": str(other["client_id"]), "token": tokens[which]}

    ignored = await browser.http.post("/oauth/revoke", data=foreign)
    assert "token-revoked" not in browser.world.facts()
    revoked = await browser.http.post("/oauth/revoke", data={"client_id": str(client), "token": tokens[which]})

    assert (ignored.status_code, revoked.status_code) == (200, 200)
    assert (await browser.refresh(client, tokens["refresh_token"])).json()["error"] == "invalid_grant"
    assert "token-revoked" in browser.world.facts()


async def test_a_confidential_client_must_show_its_secret_the_way_it_registered(browser: Browser) -> None:
    await browser.sign_in("alice")
    registered = await browser.register(token_endpoint_auth_method="client_secret_basic")
    identity, secret = str(registered["client_id"]), str(registered["client_secret"])
    code = await browser.code(identity)
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "code_verifier": browser.verifier,
        "redirect_uri": REDIRECT,
    }

    without = await browser.exchange(identity, code)
    wrong = await browser.http.post("/oauth/token", data=form, auth=(identity, "wrong"))
    right = await browser.http.post("/oauth/token", data=form, auth=(identity, secret))

    assert (without.status_code, without.json()["error"]) == (401, "invalid_client")
    assert (wrong.status_code, wrong.headers["www-authenticate"]) == (401, "Basic")
    assert right.status_code == 200
    assert secret not in repr(browser.world.store)


async def test_a_member_given_twice_is_refused(browser: Browser, client: object) -> None:
    question = browser.question(client) + "&resource=" + RESOURCE
    twice = await browser.http.get(question)
    form = f"grant_type=refresh_token&client_id={client}&client_id={client}&refresh_token=x"
    posted = await browser.http.post(
        "/oauth/token", content=form, headers={"content-type": "application/x-www-form-urlencoded"}
    )

    assert twice.status_code == 400
    assert posted.json()["error"] == "invalid_request"


async def test_a_consent_link_works_once_and_only_in_its_own_browser(browser: Browser, client: object) -> None:
    page = await browser.http.get(browser.question(client))
    path = link(page.text, "/oauth/continue")
    transport = httpx2.ASGITransport(app=browser.world.app)
    async with httpx2.AsyncClient(transport=transport, base_url=PUBLIC_URL) as other:
        thief = Browser(browser.world, other)
        anonymous = await other.get(path)
        await thief.sign_in("bob")
        stolen = await other.get(path)

    assert (anonymous.status_code, stolen.status_code) == (401, 404)
    assert (await browser.http.get(path)).status_code == 302
    assert (await browser.http.get(path)).status_code == 404


async def test_the_consent_page_names_the_client_in_its_own_words_and_escapes_them(browser: Browser) -> None:
    await browser.sign_in("alice")
    registered = await browser.register(client_name="<script>alert(1)</script>\u202e\n Claude")
    page = await browser.http.get(browser.question(registered["client_id"]))

    assert "<script" not in page.text
    assert "&lt;script&gt;alert(1)&lt;/script&gt; Claude" in page.text


async def test_the_consent_page_says_what_the_scopes_let_a_client_do(browser: Browser, client: object) -> None:
    registry = f"{PUBLIC_URL}/r/me"
    least = await browser.http.get(browser.question(client, resource=registry))
    assert "read the registry as you see it" in least.text
    assert "publish servers" not in least.text
    more = await browser.http.get(browser.question(client, resource=registry, scope="registry:write"))
    assert "publish servers" in more.text
    code = await browser.code(client, resource=registry, scope="registry:write")
    granted = await browser.exchange(client, code, resource=registry)
    assert granted.json()["scope"] == "registry:read registry:write"
    family = {"grant_type": "refresh_token", "client_id": str(client), "refresh_token": granted.json()["refresh_token"]}
    less = await browser.http.post("/oauth/token", data={**family, "scope": "registry:read"})
    assert less.json()["scope"] == "registry:read"


@pytest.mark.parametrize(
    "wanted", ["https://evil.example/", "//evil.example/", "/\\evil.example", "javascript:alert(1)", "/a\nb", ""]
)
async def test_signing_in_never_leads_away(browser: Browser, wanted: str) -> None:
    answer = await browser.sign_in("alice", wanted)

    assert (answer.status_code, answer.headers["location"]) == (303, "/servers")


async def test_nobody_signs_in_under_a_name_that_is_not_there(browser: Browser) -> None:
    answer = await browser.sign_in("mallory")

    assert answer.status_code == 403
    assert browser.world.facts() == ["sign-in-failed"]


@pytest.mark.parametrize("origin", [None, "null", "https://evil.example", "http://127.0.0.1:9999"])
async def test_a_form_from_elsewhere_is_refused(browser: Browser, origin: str | None) -> None:
    page = await browser.http.get("/sign-in")
    form = {"token": hidden(page.text, "token"), "next": "/servers", "person": "alice"}
    headers = {"origin": origin} if origin else {}
    answer = await browser.http.post("/sign-in", data=form, headers=headers)

    assert answer.status_code == 403
    assert browser.world.facts() == []


async def test_a_form_without_this_sessions_token_is_refused(browser: Browser) -> None:
    await browser.http.get("/sign-in")
    form = {"token": "x", "next": "/servers", "person": "alice"}
    answer = await browser.http.post("/sign-in", data=form, headers={"origin": PUBLIC_URL})

    assert answer.status_code == 403


@pytest.mark.parametrize("place", ["/", "/sign-in", "/oauth/authorize"])
async def test_pages_answer_under_their_own_host_name_alone(browser: Browser, place: str) -> None:
    answer = await browser.http.get(place, headers={"host": "rebound.example:8420"})

    assert answer.status_code == 421


async def test_this_machine_under_another_name_is_led_to_the_public_one(browser: Browser) -> None:
    answer = await browser.http.get("/servers?search=a", headers={"host": "localhost:8420"})
    posted = await browser.http.post("/sign-in", data={}, headers={"host": "localhost:8420"})

    assert (answer.status_code, answer.headers["location"]) == (307, f"{PUBLIC_URL}/servers?search=a")
    assert posted.status_code == 421


@pytest.mark.parametrize(
    "path",
    [
        "/.well-known/oauth-authorization-server",
        "/.well-known/oauth-authorization-server/mcp/warehouse",
        "/.well-known/openid-configuration",
        "/mcp/warehouse/.well-known/oauth-authorization-server",
        "/mcp/warehouse/.well-known/openid-configuration",
    ],
)
async def test_metadata_is_alike_at_every_place_clients_look(browser: Browser, path: str) -> None:
    said = (await browser.http.get(path)).json()

    assert said["issuer"] == PUBLIC_URL
    assert said["code_challenge_methods_supported"] == ["S256"]
    assert said["authorization_response_iss_parameter_supported"] is True
    assert all(said[name].startswith(f"{PUBLIC_URL}/oauth/") for name in said if name.endswith("_endpoint"))


async def test_resource_metadata_is_alike_for_servers_that_exist_and_those_that_do_not(browser: Browser) -> None:
    known = (await browser.http.get("/.well-known/oauth-protected-resource/mcp/warehouse")).json()
    unknown = (await browser.http.get("/.well-known/oauth-protected-resource/mcp/nothing-here")).json()
    malformed = await browser.http.get("/.well-known/oauth-protected-resource/mcp/No%20name")

    assert known["resource"] == RESOURCE
    assert known["authorization_servers"] == [PUBLIC_URL]
    own = {"resource": 0, "resource_name": 0, "scopes_supported": 0}
    assert {**unknown, **own} == {**known, **own}
    assert known["scopes_supported"] == ["warehouse.read", "warehouse.write"]
    assert unknown["scopes_supported"] == ["nothing-here.read", "nothing-here.write"]
    assert malformed.status_code == 404


async def test_without_a_record_there_is_no_token(browser: Browser, client: object) -> None:
    code = await browser.code(client)
    browser.world.audit.full = True
    answer = await browser.exchange(client, code)

    assert (answer.status_code, answer.json()["error"]) == (503, "temporarily_unavailable")
    assert not browser.world.store.tokens


async def test_a_huge_body_is_refused(browser: Browser, client: object) -> None:
    answer = await browser.refresh(client, "x" * 70_000)

    assert answer.json()["error"] == "invalid_request"


async def test_a_code_that_never_was_is_refused(browser: Browser, client: object) -> None:
    assert (await browser.exchange(client, "never-was")).json()["error"] == "invalid_grant"
    assert browser.world.facts()[-1] == "sign-in-failed"


@pytest.mark.parametrize("verifier", ["short", "ä" * 50])
async def test_a_verifier_that_is_none_proves_nothing(browser: Browser, client: object, verifier: str) -> None:
    answer = await browser.exchange(client, await browser.code(client), code_verifier=verifier)

    assert answer.json()["error"] == "invalid_grant"


async def test_a_replay_of_a_replay_is_recorded_as_one_revocation(browser: Browser, client: object) -> None:
    code = await browser.code(client)
    for _ in range(3):
        await browser.exchange(client, code)

    assert browser.world.facts().count("token-revoked") == 1


async def test_a_person_who_left_gets_no_further_token(browser: Browser, client: object) -> None:
    token = (await browser.exchange(client, await browser.code(client))).json()["refresh_token"]
    site = replace(browser.world.site.tokens, people=KnownPeople({}))
    routes = MachineSide(site, Rate(30, browser.world.clock)).routes()
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=Starlette(routes=routes))) as http:
        form = {"grant_type": "refresh_token", "client_id": str(client), "refresh_token": token}
        answer = await http.post(f"{PUBLIC_URL}/oauth/token", data=form)

    assert answer.json()["error"] == "invalid_grant"


async def test_a_token_for_the_api_names_no_server(browser: Browser, client: object) -> None:
    page = await browser.http.get(browser.question(client, resource=f"{PUBLIC_URL}/api/v1"))

    assert page.status_code == 200
    assert "use Pierhead as alice?" in page.text


async def test_revoking_what_is_unknown_is_no_fault(browser: Browser, client: object) -> None:
    answer = await browser.http.post("/oauth/revoke", data={"client_id": str(client), "token": "x.y.z"})
    nothing = await browser.http.post("/oauth/revoke", data={"client_id": str(client)})

    assert (answer.status_code, nothing.status_code) == (200, 400)


async def test_a_client_authenticates_in_one_way_at_a_time(browser: Browser) -> None:
    registered = await browser.register(token_endpoint_auth_method="client_secret_post")
    identity, secret = str(registered["client_id"]), str(registered["client_secret"])
    form = {"client_id": identity, "client_secret": secret, "token": "x"}
    post = await browser.http.post("/oauth/revoke", data=form)
    both = await browser.http.post("/oauth/revoke", data=form, auth=(identity, secret))
    broken = await browser.http.post("/oauth/revoke", data=form, headers={"authorization": "Basic ~"})
    unknown = await browser.http.post("/oauth/revoke", data={**form, "client_id": "nobody"})

    assert [answer.status_code for answer in (post, both, broken, unknown)] == [200, 401, 401, 401]


async def test_what_is_no_form_is_refused(browser: Browser) -> None:
    as_json = await browser.http.post("/oauth/token", json={"grant_type": "refresh_token"})
    no_text = await browser.http.post(
        "/oauth/token", content=b"a=%ff", headers={"content-type": "application/x-www-form-urlencoded"}
    )

    assert (as_json.json()["error"], no_text.json()["error"]) == ("invalid_request", "invalid_request")


async def test_a_question_nobody_answers_is_forgotten(browser: Browser, client: object) -> None:
    page = await browser.http.get(browser.question(client))
    browser.world.clock.seconds += 601

    assert (await browser.http.get(link(page.text, "/oauth/continue"))).status_code == 404


async def test_many_open_questions_push_out_the_oldest(browser: Browser, client: object) -> None:
    first = await browser.http.get(browser.question(client))
    asked = browser.world.site.tickets.take(link(first.text, "/oauth/continue").partition("=")[2], session_id(browser))
    oldest = browser.world.site.tickets.keep(asked, "s")
    for _ in range(1000):
        newest = browser.world.site.tickets.keep(asked, "s")

    assert browser.world.site.tickets.take(newest, "s") == asked
    with pytest.raises(NotFound):
        browser.world.site.tickets.take(oldest, "s")


def session_id(browser: Browser) -> str:
    return browser.http.cookies["pierhead_session"].partition(".")[0]


async def test_a_key_without_its_private_part_signs_nothing() -> None:
    public = RSAKey.import_key(json.loads(signing_key())).as_dict(private=False)

    with pytest.raises(ValueError, match="private"):
        JoseSigner(json.dumps(public))


async def test_the_signer_reads_its_own_access_tokens_and_nothing_else() -> None:
    signer = JoseSigner(signing_key())
    key = RSAKey.import_key(json.loads(signing_key()))
    other = jwt.encode({"alg": "RS256", "typ": "JWT"}, {"sub": "alice"}, key)

    assert signer.read(signer.sign({"sub": "alice"})) == {"sub": "alice"}
    assert signer.read(other) is None
    assert signer.read("rubbish") is None


@pytest.fixture
async def programs(browser: Browser) -> AsyncIterator[httpx2.AsyncClient]:
    """The token endpoint of a registry that knows one program."""
    known = {"nightly": Program("spiffe://corp.example/job/nightly", hashlib.sha256(b"s3cret").hexdigest())}
    routes = MachineSide(browser.world.site.tokens, Rate(30, browser.world.clock), known).routes()
    way = httpx2.ASGITransport(app=Starlette(routes=routes))
    async with httpx2.AsyncClient(transport=way, base_url=PUBLIC_URL) as http:
        yield http


CHAT_SVID = {
    "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
    "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
    "resource": RESOURCE,
    "scope": "warehouse.read warehouse.write",
}


@pytest.fixture
async def workloads(browser: Browser) -> AsyncIterator[httpx2.AsyncClient]:
    """The token endpoint of a registry that knows one workload, which may only read."""
    clock = browser.world.clock
    place = Registration("chat", "production", scopes=frozenset({"warehouse.read"}))
    svids = Workloads(DOMAIN, {CHAT: place}, bundle, clock, Lives(3600, 300))
    routes = MachineSide(browser.world.site.tokens, Rate(30, clock), svids=svids).routes()
    way = httpx2.ASGITransport(app=Starlette(routes=routes))
    async with httpx2.AsyncClient(transport=way, base_url=PUBLIC_URL) as http:
        yield http


async def test_a_workload_exchanges_its_svid_for_a_token_that_is_good_for_no_more(
    browser: Browser, workloads: httpx2.AsyncClient
) -> None:
    token = svid(CHAT, [f"{PUBLIC_URL}/oauth/token"], now=browser.world.clock.now())
    answer = await workloads.post("/oauth/token", data={**CHAT_SVID, "subject_token": token})
    said = answer.json()
    assert (answer.status_code, said["scope"], "refresh_token" in said) == (200, "warehouse.read", False)
    assert said["issued_token_type"] == "urn:ietf:params:oauth:token-type:access_token"
    assert said["expires_in"] <= 300
    told = claims(said["access_token"])
    assert (told["wl"], told["aud"], "groups" in told) == (CHAT, RESOURCE, False)
    assert not told["sub"].startswith("spiffe:"), "it would be taken for an SVID"
    offered = (await workloads.get("/.well-known/oauth-authorization-server")).json()["grant_types_supported"]
    assert CHAT_SVID["grant_type"] in offered


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"subject_token": "rubbish"}, "invalid_request"),
        ({"subject_token": ""}, "invalid_request"),
        ({"subject_token_type": "urn:ietf:params:oauth:token-type:saml2"}, "invalid_request"),
        ({"requested_token_type": "urn:ietf:params:oauth:token-type:refresh_token"}, "invalid_request"),
        ({"actor_token": "x"}, "invalid_request"),
        ({"resource": f"{PUBLIC_URL}/api/v1"}, "invalid_target"),
        ({"scope": "warehouse.write"}, "invalid_scope"),
    ],
)
async def test_a_workload_gets_nothing_but_what_its_proofs_are_good_for(
    browser: Browser, workloads: httpx2.AsyncClient, changes: dict[str, str], error: str
) -> None:
    token = svid(CHAT, [f"{PUBLIC_URL}/oauth/token"], now=browser.world.clock.now())
    answer = await workloads.post("/oauth/token", data={**CHAT_SVID, "subject_token": token, **changes})
    assert (answer.status_code, answer.json()["error"]) == (400, error)


async def test_an_svid_that_a_server_was_shown_is_exchanged_for_nothing_and_is_on_record(
    browser: Browser, workloads: httpx2.AsyncClient
) -> None:
    token = svid(CHAT, [RESOURCE], now=browser.world.clock.now())
    answer = await workloads.post("/oauth/token", data={**CHAT_SVID, "subject_token": token})
    assert answer.json()["error"] == "invalid_request"
    assert "another audience" in answer.json()["error_description"]
    assert browser.world.facts()[-1] == "sign-in-failed"


async def test_where_no_trust_domain_is_named_no_svid_is_exchanged(browser: Browser) -> None:
    answer = await browser.http.post("/oauth/token", data={**CHAT_SVID, "subject_token": "x", "client_id": "x"})
    assert answer.json()["error"] in {"invalid_client", "unsupported_grant_type"}


HEADLESS = {"grant_type": "client_credentials", "resource": RESOURCE, "scope": "warehouse.read"}


async def test_a_program_proves_itself_by_its_secret_in_either_place(programs: httpx2.AsyncClient) -> None:
    posted = {**HEADLESS, "client_id": "nightly", "client_secret": "s3cret"}
    for answer in (
        await programs.post("/oauth/token", data=posted),
        await programs.post("/oauth/token", data=HEADLESS, auth=("nightly", "s3cret")),
    ):
        said = answer.json()
        assert (answer.status_code, said["scope"], "refresh_token" in said) == (200, "warehouse.read", False)
        assert claims(said["access_token"])["wl"] == "spiffe://corp.example/job/nightly"
    offered = (await programs.get("/.well-known/oauth-authorization-server")).json()["grant_types_supported"]
    assert "client_credentials" in offered


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"client_secret": "wrong"}, "invalid_client"),
        ({"client_secret": ""}, "invalid_client"),
        ({}, "invalid_client"),
        ({"client_id": "weekly", "client_secret": "s3cret"}, "invalid_client"),
        ({"client_secret": "s3cret", "scope": "x" * 3000}, "invalid_scope"),
        ({"client_secret": "s3cret", "resource": f"{PUBLIC_URL}/api/v1"}, "invalid_target"),
    ],
)
async def test_a_program_gets_nothing_but_what_it_may_ask_for(
    programs: httpx2.AsyncClient, changes: dict[str, str], error: str
) -> None:
    answer = await programs.post("/oauth/token", data={**HEADLESS, "client_id": "nightly", **changes})
    assert answer.json()["error"] == error


async def test_no_client_that_registered_itself_is_a_program(browser: Browser) -> None:
    made = await browser.register(token_endpoint_auth_method="client_secret_post")
    form = {**HEADLESS, "client_id": str(made["client_id"]), "client_secret": str(made["client_secret"])}
    answer = await browser.http.post("/oauth/token", data=form)
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
    offered = (await browser.http.get("/.well-known/oauth-authorization-server")).json()["grant_types_supported"]
    assert "client_credentials" not in offered


async def test_the_consent_page_says_what_the_scopes_of_a_server_let_a_client_do(
    browser: Browser, client: object
) -> None:
    reads = await browser.http.get(browser.question(client, scope="warehouse.read payroll.write"))
    assert "use the tools of warehouse that only read" in reads.text
    assert "change or delete" not in reads.text
    assert "payroll" not in reads.text
    writes = await browser.http.get(browser.question(client, scope="warehouse.write"))
    assert "use the tools of warehouse that change or delete things" in writes.text
    everything = await browser.http.get(browser.question(client))
    assert "It can then call what you may call" in everything.text
    desk = await browser.http.get(browser.question(client, resource=f"{PUBLIC_URL}/mcp", scope="mcp.read"))
    assert "use the tools of every server that only read" in desk.text


async def test_the_token_request_cannot_widen_what_a_person_agreed_to(browser: Browser, client: object) -> None:
    code = await browser.code(client, scope="warehouse.read")
    answer = await browser.exchange(client, code, scope="warehouse.read warehouse.write mcp")
    assert answer.json()["scope"] == claims(answer.json()["access_token"])["scope"] == "warehouse.read"
    wider = await browser.refresh(client, answer.json()["refresh_token"], scope="warehouse.write")
    assert wider.json()["error"] == "invalid_scope"


async def test_a_scope_that_is_given_twice_is_refused(browser: Browser, client: object) -> None:
    page = await browser.http.get(browser.question(client, scope="warehouse.read") + "&scope=mcp")
    assert page.status_code == 400
