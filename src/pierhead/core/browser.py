"""A browser in which a person hears of approvals although no page is open (Web Push, RFC 8030 and 8291).

What a browser hands over comes from outside: its address must be https at a push service that the operator lets in,
its key a point of P-256. Pure. Above: `usecases/hear_in_browser`. Not here: what a message says
(`usecases/push_notice`), how it leaves (`adapters/foreign/web_push`).
"""

import re
from base64 import urlsafe_b64decode
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final

from pierhead.core.errors import Invalid

MOST_OF_PERSON: Final = 10
_LONGEST: Final = 1000
_HTTPS: Final = "443"
#: No user, no fragment, and nothing that two parsers could read differently.
_ADDRESS: Final = re.compile(r"https://(?P<host>[a-z0-9.-]+)(?::(?P<port>[1-9][0-9]{0,4}))?(?:/[!-\"$-\[\]-~]*)?")
_BASE64: Final = re.compile(r"[A-Za-z0-9_-]+")
_POINT: Final = 65
_UNCOMPRESSED: Final = 4
_SECRET: Final = 16
#: FIPS 186-5, curve P-256: y² = x³ - 3x + b modulo p.
_P: Final = 2**256 - 2**224 + 2**192 + 2**96 - 1
_B: Final = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B


@dataclass(frozen=True, slots=True)
class Browser:
    """One browser of one person. `key` and `secret` are what messages to it are sealed with, in base64url.

    `made_at` is in seconds since 1970-01-01 UTC; `label` says which browser it was, in our words.
    """

    id: str
    issuer: str
    person: str
    address: str = field(repr=False)
    key: str = field(repr=False)
    secret: str = field(repr=False)
    label: str
    made_at: float

    @property
    def service(self) -> str:
        """The host of its push service."""
        found = _ADDRESS.fullmatch(self.address)
        return found["host"] if found else ""


@dataclass(frozen=True, slots=True)
class BrowserAdded:
    """A person hears of approvals in one more browser. Part of the closed set in `audit`."""

    browser_id: str
    person: str
    service: str
    label: str
    kind: str = "browser-added"

    @classmethod
    def of(cls, made: Browser) -> "BrowserAdded":
        return cls(made.id, made.person, made.service, made.label)


@dataclass(frozen=True, slots=True)
class BrowserEnded:
    """Nothing is sent there any more; `by` is the person, or nobody where the push service said that it is gone."""

    browser_id: str
    person: str
    reason: str
    by: str
    kind: str = "browser-ended"


def browser_id(address: str) -> str:
    """The same for the same browser, whoever sits before it; tells nothing of the address."""
    return f"brw_{sha256(address.encode()).hexdigest()[:32]}"


def bytes_of(text: str) -> bytes:
    """What base64url without padding stands for. Errors: Invalid (`bad-browser`)."""
    if not _BASE64.fullmatch(text) or len(text) % 4 == 1:
        raise _bad("its keys are no base64url")
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def check_browser(browser: Browser, services: tuple[str, ...]) -> None:
    """Errors: Invalid (`bad-browser`), for an address that nothing may be sent to, or keys that seal nothing."""
    check_address(browser.address, services)
    if not _is_point(bytes_of(browser.key)):
        raise _bad("its key is no point of P-256")
    if len(bytes_of(browser.secret)) != _SECRET:
        raise _bad(f"its secret has not {_SECRET} bytes")


def check_address(address: str, services: tuple[str, ...]) -> None:
    """Errors: Invalid (`bad-browser`), for another place than a push service that is let in, over https."""
    found = _ADDRESS.fullmatch(address)
    if found is None or len(address) > _LONGEST:
        raise _bad("its address is no https address of a named host")
    host, port = found["host"], found["port"]
    place = host if port in {None, _HTTPS} else f"{host}:{port}"
    if not any(is_service(place, each) for each in services):
        raise _bad(f"{place[:100]} is no push service of notify.push_services")


def is_service(place: str, service: str) -> bool:
    """Whether `place` is that host, or below it where the service begins with a dot."""
    return place.endswith(service) if service.startswith(".") else place == service


def _is_point(key: bytes) -> bool:
    """Whether that is a point of the curve, written out (SEC 1, 2.3.3)."""
    if len(key) != _POINT or key[0] != _UNCOMPRESSED:
        return False
    x, y = int.from_bytes(key[1:33]), int.from_bytes(key[33:])
    return x < _P and y < _P and (y * y - (x**3 - 3 * x + _B)) % _P == 0


def _bad(why: str) -> Invalid:
    hint = "turn notifications on in a browser whose push service the operator lets in"
    return Invalid(f"this browser cannot be told: {why}", hint=hint, code="bad-browser")
