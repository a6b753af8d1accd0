"""Every row of `company_tokens.yaml`, put to the verifier of gateway and registry, with real keys of both issuers."""

import hmac
import json
from base64 import urlsafe_b64encode
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from joserfc.jwk import RSAKey

from pierhead.adapters.oidc import Issuer, Tokens
from pierhead.core.errors import Unauthenticated, UpstreamUnreachable
from pierhead.core.federation import ClaimMapping
from pierhead.core.identity import User
from pierhead.core.snapshot import EMPTY
from pierhead.usecases.memory import MemoryClock, MemorySnapshots

pytestmark = pytest.mark.anyio

US, COMPANY = "https://mcp.example", "https://login.example"
AUDIENCE: Final = f"{US}/mcp/warehouse"
NOW: Final = 1_795_000_000
ROWS: Final[list[dict[str, Any]]] = yaml.safe_load((Path(__file__).parent / "company_tokens.yaml").read_text("utf-8"))


@cache
def key(name: str) -> RSAKey:
    return RSAKey.generate_key(2048, {"kid": f"{name}-1", "use": "sig"}, private=True)


class Rig:
    """The verifier with both issuers, each with its own keys."""

    def __init__(self, **company: Any) -> None:
        self.asked = 0
        self.away = False
        self.keys = [key("corp")]
        self.clock = MemoryClock(NOW)
        rs256 = frozenset({"RS256"})
        own = Issuer(US, rs256, self.own_keys, people=COMPANY)
        mapping = ClaimMapping("sub", "groups", {})
        theirs = Issuer(COMPANY, rs256, self.company_keys, mapping=mapping, **company)
        self.tokens = Tokens(own, self.clock, MemorySnapshots(EMPTY), theirs)

    async def own_keys(self) -> bytes:
        return published(key("ours"))

    async def company_keys(self) -> bytes:
        self.asked += 1
        if self.away:
            raise UpstreamUnreachable("away")
        return published(*self.keys)

    async def refusal(self, token: bytes, audience: str = AUDIENCE) -> str:
        with pytest.raises(Unauthenticated) as caught:
            await self.tokens.verify(token, audience)
        return caught.value.code


def published(*keys: RSAKey) -> bytes:
    return json.dumps({"keys": [each.as_dict(private=False) for each in keys]}).encode()


def token(row: dict[str, Any], signer: RSAKey | None = None) -> bytes:
    """A good token with the changes of one row."""
    who = row.get("key", "company")
    signing = signer or key({"company": "corp", "ours": "ours"}.get(who, "attacker"))
    kid = "ours-1" if who == "ours" else (signing.kid if who == "company" else "corp-1")
    header = changed({"alg": "RS256", "kid": kid, "typ": "at+jwt"}, row.get("header", {}))
    claims = {"iss": COMPANY, "aud": AUDIENCE, "sub": "u-1", "client_id": "ide", "groups": ["data-eng"]}
    times = {"iat": NOW, "exp": NOW + 600}
    text = json.dumps(changed({**claims, **times}, row.get("claims", {})), separators=(",", ":"))
    if "raw" in row:
        text = text.replace(*row["raw"], 1)
    signed = f"{encoded(json.dumps(header).encode())}.{encoded(text.encode())}"
    return f"{signed}.{encoded(signature(who, signed.encode(), signing))}".encode()


def signature(who: str, signed: bytes, signing: RSAKey) -> bytes:
    if who == "nobody":
        return b""
    if who == "public":
        return hmac.digest(key("corp").as_pem(private=False), signed, sha256)
    from joserfc.jwa import JWSRegistry  # noqa: PLC0415 - signs whatever the header says, as an attacker would

    return JWSRegistry.algorithms["RS256"].sign(signed, signing)


def changed(members: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """A number with a sign is that much after now."""
    late = {name: NOW + value for name, value in changes.items() if name in {"iat", "nbf"} and isinstance(value, int)}
    return {name: value for name, value in {**members, **changes, **late}.items() if value is not None}


def encoded(part: bytes) -> str:
    return urlsafe_b64encode(part).rstrip(b"=").decode()


@pytest.mark.parametrize("row", ROWS, ids=[row["name"] for row in ROWS])
async def test_a_token_of_the_company_is_taken_whole_or_not_at_all(row: dict[str, Any]) -> None:
    rig = Rig()
    if "person" in row:
        identity = await rig.tokens.verify(token(row), AUDIENCE)
        assert identity.user == User(COMPANY, row["person"], frozenset({"data-eng"}))
    else:
        assert await rig.refusal(token(row)) == row["reason"]


async def test_a_person_is_the_same_by_either_issuer() -> None:
    rig = Rig()
    plain = await rig.tokens.verify(token({}), AUDIENCE)
    ours = await rig.tokens.verify(token({"key": "ours", "claims": {"iss": US, "sub_iss": COMPANY}}), AUDIENCE)
    assert plain.user == ours.user


async def test_a_huge_token_is_refused_unread() -> None:
    rig = Rig()
    assert await rig.refusal(token({"claims": {"padding": "x" * 16_384}})) == "token-too-long"
    assert rig.asked == 0


async def test_a_good_token_of_another_time_is_not_remembered_for_another_audience() -> None:
    rig = Rig()
    await rig.tokens.verify(token({}), AUDIENCE)
    assert await rig.refusal(token({}), f"{US}/mcp/presto") == "wrong-audience"


async def test_an_audience_for_all_opens_every_resource_and_only_where_it_is_configured() -> None:
    everywhere = token({"claims": {"aud": "api://pierhead"}})
    rig = Rig(audience="api://pierhead")
    for resource in (AUDIENCE, f"{US}/api/v1"):
        assert (await rig.tokens.verify(everywhere, resource)).user.subject == "u-1"
    assert await Rig().refusal(everywhere) == "wrong-audience"
    assert await rig.refusal(token({"claims": {"aud": "api://pierhead/"}})) == "wrong-audience"
    ours = token({"key": "ours", "claims": {"iss": US, "sub_iss": COMPANY, "aud": "api://pierhead"}})
    assert await rig.refusal(ours) == "wrong-audience"


async def test_new_keys_are_found_with_one_question_and_old_ones_end() -> None:
    rig = Rig()
    await rig.tokens.verify(token({}), AUDIENCE)
    rig.keys = [key("next")]
    rig.clock.seconds += 3
    renewed = token({"header": {"kid": "next-1"}}, key("next"))
    assert (await rig.tokens.verify(renewed, AUDIENCE)).user.subject == "u-1"
    assert rig.asked == 2
    assert await rig.refusal(token({"claims": {"jti": "unseen"}})) == "unknown-key"
    assert rig.asked == 2


async def test_the_last_good_keys_serve_while_the_provider_is_away_and_not_for_ever() -> None:
    rig = Rig()
    await rig.tokens.verify(token({}), AUDIENCE)
    rig.away = True
    for hours in (1, 22):
        rig.clock.seconds += hours * 3600
        late = token({"claims": {"exp": NOW + 90_000, "jti": str(hours)}})
        assert await rig.tokens.verify(late, AUDIENCE)
    rig.clock.seconds += 3600
    with pytest.raises(UpstreamUnreachable):
        await rig.tokens.verify(token({"claims": {"exp": NOW + 90_001}}), AUDIENCE)


@pytest.mark.parametrize("lie", [b"", b"[]", b'{"keys": 7}', b'{"keys": []}', b"\xff", b"[" * 100_000])
async def test_a_provider_that_lies_about_its_keys_takes_none_away(lie: bytes) -> None:
    rig = Rig()
    await rig.tokens.verify(token({}), AUDIENCE)

    async def lying() -> bytes:
        return lie

    rig.tokens._issuers[COMPANY][1].fetch = lying
    rig.clock.seconds += 3700
    assert await rig.tokens.verify(token({"claims": {"exp": NOW + 9000}}), AUDIENCE)
