"""A workload's proof to who it is and where it stands: a JWT-SVID, or the certificate that the sidecar saw.

The sidecar's word is `x-forwarded-client-cert` in the shape that Envoy's SANITIZE_SET gives it and no other: one
element, one URI. Who may bring that header is the listener's affair (`apps/authenticate`), never this module's.
Not here: TLS, and what a workload may do.
"""

import hashlib
import ssl
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final, TypeGuard
from urllib.parse import unquote_to_bytes

from cryptography import x509
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, Key, RSAKey

from pierhead.core.errors import Invalid, Unauthenticated
from pierhead.core.identity import Workload
from pierhead.core.peer import PeerIds
from pierhead.core.token_parts import header_and_claims, strict_object
from pierhead.core.workload import Proven, Registration, trust_domain_of
from pierhead.usecases.ports import Clock

_LONGEST_TOKEN: Final = 16 * 1024
_LONGEST_HEADER: Final = 16 * 1024
_SKEW_S: Final = 60
"""How far the clocks of who issues and of who verifies may differ; also how far a certificate may be dated back."""

_READ_EVERY_S: Final = 5.0
_SMALLEST_RSA: Final = 2048
_MOST_KNOWN: Final = 1000
_DIGEST_LENGTH: Final = 64
_HEX: Final = frozenset("0123456789abcdef")
_TYPES: Final = frozenset({"JWT", "JOSE"})
_HEADER_MEMBERS: Final = frozenset({"alg", "kid", "typ"})
_KEY_OF: Final[Mapping[str, type[Key]]] = {"RS256": RSAKey, "ES256": ECKey, "ES384": ECKey}
_CURVE_OF: Final = {"ES256": "P-256", "ES384": "P-384"}
_QUOTED: Final = frozenset({"Cert", "Chain", "Subject"})
_PLAIN: Final = frozenset({"By", "Hash", "URI", "DNS"})
_HINT: Final = "send a JWT-SVID of this trust domain, or come through the sidecar"


@dataclass(frozen=True, slots=True)
class Lives:
    """For how many seconds an SVID may be good from its issue to its end: what was stolen ends, whoever issued it."""

    certificate_s: float
    token_s: float


@dataclass(frozen=True, slots=True)
class Certificates:
    """Reads X.509-SVIDs. Each is parsed once, and judged by the clock each time: connections outlive certificates."""

    longest_s: float
    _known: dict[bytes, "_Svid"] = field(default_factory=dict[bytes, "_Svid"], repr=False)

    def named(self, certificate: bytes, now: float) -> tuple[str, float]:
        """The SPIFFE ID that a certificate (DER) names, and when it ends.

        Errors: Unauthenticated (`bad-svid`, `svid-expired`, `svid-too-long`, `svid-not-yet`).
        """
        svid = self._known.get(certificate)
        if svid is None:
            svid = _svid(certificate)
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            self._known[certificate] = svid
        if now >= svid.until:
            raise Unauthenticated(
                "the X.509-SVID has expired", hint="connect again with a new one", code="svid-expired"
            )
        if now < svid.since - _SKEW_S:
            raise Unauthenticated("the X.509-SVID is not valid yet", hint="set the clocks", code="svid-not-yet")
        if svid.until - svid.since > self.longest_s + _SKEW_S:
            raise _too_long("X.509-SVID", self.longest_s)
        return svid.spiffe_id, svid.until


@dataclass(slots=True)
class Workloads:
    """Verifies workloads of one trust domain, of which only the registered ones are anybody.

    `read_bundle` gives the trust bundle (a JWKS document) as it is now; it is asked every few seconds at most.
    """

    trust_domain: str
    registered: Mapping[str, Registration]
    read_bundle: Callable[[], bytes]
    clock: Clock
    lives: Lives
    _certificates: Certificates = field(init=False)
    _keys: Mapping[str, Key] = field(default_factory=dict[str, Key])
    _read_at: float = float("-inf")

    def __post_init__(self) -> None:
        self._certificates = Certificates(self.lives.certificate_s)

    def is_token(self, token: bytes) -> bool:
        """Whether `token` says that it is a workload's: which verifier it goes to, and no proof of anything."""
        with suppress(Invalid):
            subject = header_and_claims(token)[1].get("sub") if len(token) <= _LONGEST_TOKEN else None
            return isinstance(subject, str) and subject.startswith("spiffe:")
        return False

    def from_sidecar(self, header: bytes) -> Proven:
        """The workload whose certificate the sidecar saw. Errors: Unauthenticated.

        Where the sidecar passes the certificate on (`Cert`), its life is judged here too.
        """
        uri, certificate = certificate_of(header)
        if certificate is None:
            return self._known(uri, self.clock.now() + self.lives.certificate_s)
        named, until = self._certificates.named(certificate, self.clock.now())
        if named != uri:
            raise Unauthenticated("the certificate names another workload", hint=_HINT, code="bad-svid")
        return self._known(uri, until)

    def from_certificate(self, certificate: bytes) -> Proven:
        """The workload of an X.509-SVID (DER) that our own TLS found good for this connection. Errors: Unauthenticated.

        Judged again at each request: a connection may outlive the certificate that it began with.
        """
        return self._known(*self._certificates.named(certificate, self.clock.now()))

    def from_token(self, token: bytes, audience: str) -> Proven:
        """The workload that a JWT-SVID names, which must have been issued for `audience`. Errors: Unauthenticated."""
        if len(token) > _LONGEST_TOKEN:
            raise Unauthenticated("the JWT-SVID is too long", hint=_HINT, code="bad-svid")
        try:
            header, claims = header_and_claims(token)
        except Invalid:
            raise Unauthenticated("the JWT-SVID cannot be read", hint=_HINT, code="bad-svid") from None
        self._check_signature(token, header)
        until = _checked_times(claims, self.clock.now(), self.lives.token_s)
        if audience not in _audiences(claims.get("aud")):
            raise Unauthenticated("the JWT-SVID is for another audience", hint=_HINT, code="svid-wrong-audience")
        subject = claims.get("sub")
        return self._known(subject if isinstance(subject, str) else "", until)

    def _known(self, spiffe_id: str, until: float) -> Proven:
        try:
            domain = trust_domain_of(spiffe_id)
        except Invalid as invalid:
            raise Unauthenticated(invalid.message, hint=_HINT, code="bad-svid") from None
        if domain != self.trust_domain:
            raise Unauthenticated("the workload is of a foreign trust domain", hint=_HINT, code="foreign-workload")
        registration = self.registered.get(spiffe_id)
        if registration is None:
            hint = "ask the operator to register it in mesh.workloads"
            raise Unauthenticated("nobody registered this workload", hint=hint, code="unknown-workload")
        return Proven(Workload(spiffe_id), registration, until)

    def _check_signature(self, token: bytes, header: Mapping[str, object]) -> None:
        algorithm, key_id = header.get("alg"), header.get("kid")
        if not isinstance(algorithm, str) or algorithm not in _KEY_OF or not isinstance(key_id, str):
            raise Unauthenticated("the JWT-SVID is signed in a way not taken here", hint=_HINT, code="bad-svid")
        if not header.keys() <= _HEADER_MEMBERS or header.get("typ", "JWT") not in _TYPES:
            raise Unauthenticated("the JWT-SVID has a header not taken here", hint=_HINT, code="bad-svid")
        key = self._key(key_id)
        if key is None:
            raise Unauthenticated("no key of the trust bundle signed this", hint=_HINT, code="svid-unknown-key")
        if not _fits(key, algorithm):
            raise Unauthenticated("the JWT-SVID's key is of another kind", hint=_HINT, code="bad-svid")
        try:
            jws.deserialize_compact(token, key, algorithms=[algorithm])
        except (JoseError, ValueError):
            raise Unauthenticated("the JWT-SVID's signature is wrong", hint=_HINT, code="bad-svid") from None

    def _key(self, key_id: str) -> Key | None:
        """The key of that id in the bundle as it was a few seconds ago. One that cannot be read holds no keys."""
        now = self.clock.monotonic()
        if now - self._read_at >= _READ_EVERY_S:
            self._read_at, self._keys = now, {}
            with suppress(OSError, Invalid):
                self._keys = _read_keys(self.read_bundle())
        return self._keys.get(key_id)


@dataclass(frozen=True, slots=True)
class Peers:
    """Which of the platform's own programs a certificate names, that our TLS found good for its connection."""

    ids: PeerIds
    certificates: Certificates
    clock: Clock

    def role(self, certificate: bytes) -> str:
        """Its role. A connection may outlive the certificate that it began with: each request is judged.

        Errors: Unauthenticated (those of `Certificates.named`, and `not-a-peer`).
        """
        spiffe_id, _ = self.certificates.named(certificate, self.clock.now())
        role = self.ids.role_of(spiffe_id)
        if not role:
            hint = "see mesh.gateway_id, peers.registry_id and peers.server_id"
            raise Unauthenticated(f"{spiffe_id[:128]} is no program of this platform", hint=hint, code="not-a-peer")
        return role

    def is_role(self, certificate: bytes, role: str) -> bool:
        """Whether whoever showed it is the one program of that role."""
        try:
            return self.role(certificate) == role
        except Unauthenticated:
            return False


@dataclass(frozen=True, slots=True)
class _Svid:
    """What a certificate says: whom it names, and from when to when, in seconds since 1970-01-01 UTC."""

    spiffe_id: str
    since: float
    until: float


def _svid(certificate: bytes) -> _Svid:
    """What a leaf certificate says. Errors: Unauthenticated."""
    try:
        read = x509.load_der_x509_certificate(certificate)
        names = read.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        uris = names.get_values_for_type(x509.UniformResourceIdentifier)
        is_authority = _is_authority(read)
    except (ValueError, x509.ExtensionNotFound, x509.DuplicateExtension):
        raise Unauthenticated("the certificate is no X.509-SVID", hint=_HINT, code="bad-svid") from None
    if len(uris) != 1 or is_authority:
        raise Unauthenticated("the certificate names no one workload", hint=_HINT, code="bad-svid")
    return _Svid(uris[0], read.not_valid_before_utc.timestamp(), read.not_valid_after_utc.timestamp())


def _too_long(kind: str, longest_s: float) -> Unauthenticated:
    message = f"the {kind} lives longer than the {longest_s:g} seconds that are taken here"
    return Unauthenticated(message, hint="issue shorter ones; see mesh.svid_life_s", code="svid-too-long")


def _is_authority(certificate: x509.Certificate) -> bool:
    """Whether it may sign others: such a one is nobody's SVID (X.509-SVID, section 4.1)."""
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def certificate_of(header: bytes) -> tuple[str, bytes | None]:
    """The one URI of the one element of an `x-forwarded-client-cert`, and the certificate (DER) where it is there.

    Errors: Unauthenticated (`bad-forwarded-certificate`) for every other shape: two elements, two URIs, a member
    that is repeated, unknown, or quoted where Envoy does not quote it.
    """
    try:
        members = _members(header.decode("ascii"))
        certificate = _forwarded(members["Cert"], members["Hash"]) if "Cert" in members else None
    except ValueError as odd:
        message = f"the forwarded certificate is not what a sidecar sends: {odd}"
        hint = "set forward_client_cert_details to SANITIZE_SET; see: pierhead mesh render"
        raise Unauthenticated(message, hint=hint, code="bad-forwarded-certificate") from None
    return members["URI"], certificate


def _forwarded(quoted: str, digest: str) -> bytes:
    """The certificate (DER) of a member `Cert`, which is that of the digest. Errors: ValueError."""
    certificate = ssl.PEM_cert_to_DER_cert(unquote_to_bytes(quoted).decode("ascii"))
    if hashlib.sha256(certificate).hexdigest() != digest.lower():
        raise ValueError("a certificate of another digest")
    return certificate


def _members(text: str) -> dict[str, str]:
    """Errors: ValueError."""
    if len(text) > _LONGEST_HEADER:
        raise ValueError("too long")
    members: dict[str, str] = {}
    rest = text
    while True:
        name, value, separator, rest = _next_member(rest)
        if name in members and name != "DNS":
            raise ValueError("a member twice")
        members[name] = value
        if separator == ",":
            raise ValueError("more than one certificate")
        if not separator:
            break
    if "URI" not in members or len(members.get("Hash", "")) != _DIGEST_LENGTH or not _HEX.issuperset(members["Hash"]):
        raise ValueError("no URI or no digest")
    return members


def _next_member(text: str) -> tuple[str, str, str, str]:
    """Name, value, what separates it from the next, and the rest. Errors: ValueError."""
    name, equals, rest = text.partition("=")
    if not equals or name not in _QUOTED | _PLAIN:
        raise ValueError("an unknown member")
    if name in _QUOTED:
        value, rest = _quoted(rest)
    else:
        end = next((place for place, letter in enumerate(rest) if letter in ',;"\\ '), len(rest))
        value, rest = rest[:end], rest[end:]
    if rest and rest[0] not in ",;":
        raise ValueError("a member with an odd end")
    return name, value, rest[:1], rest[1:]


def _quoted(text: str) -> tuple[str, str]:
    """What stands between quotation marks, escapes undone, and what follows. Errors: ValueError."""
    if not text.startswith('"'):
        raise ValueError("a member without its quotation marks")
    value: list[str] = []
    letters = iter(range(1, len(text)))
    for place in letters:
        if text[place] == '"':
            return "".join(value), text[place + 1 :]
        if text[place] == "\\":
            place = next(letters, len(text) - 1)  # noqa: PLW2901 - the letter after a backslash stands for itself
        value.append(text[place])
    raise ValueError("a quotation without end")


def _checked_times(claims: Mapping[str, object], now: float, longest_s: float) -> float:
    """When the token ends. One that does not say when it was issued counts from now. Errors: Unauthenticated."""
    expires, issued, since = claims.get("exp"), claims.get("iat", int(now)), claims.get("nbf", 0)
    if not _is_time(expires) or not _is_time(issued) or not _is_time(since):
        raise Unauthenticated("the JWT-SVID's times are no times", hint=_HINT, code="bad-svid")
    if now >= expires:
        raise Unauthenticated("the JWT-SVID has expired", hint="fetch a new one", code="svid-expired")
    if max(issued, since) > now + _SKEW_S:
        raise Unauthenticated("the JWT-SVID is not valid yet", hint="set the clocks", code="svid-not-yet")
    if expires - min(issued, now) > longest_s + _SKEW_S:
        raise _too_long("JWT-SVID", longest_s)
    return float(expires)


def _audiences(audience: object) -> frozenset[str]:
    if isinstance(audience, str):
        return frozenset({audience})
    return frozenset(name for name in audience if isinstance(name, str)) if _is_list(audience) else frozenset()


def _fits(key: Key, algorithm: str) -> bool:
    """Whether key and algorithm belong together: the header does not choose what a key is used for."""
    if isinstance(key, ECKey):
        return key.curve_name == _CURVE_OF.get(algorithm)
    return isinstance(key, _KEY_OF[algorithm])


def _read_keys(document: bytes) -> dict[str, Key]:
    """The keys for JWT-SVIDs in a SPIFFE bundle. Errors: Invalid."""
    entries, keys = strict_object(document).get("keys"), dict[str, Key]()
    for entry in entries if _is_list(entries) else []:
        if not _is_object(entry) or entry.get("use", "jwt-svid") not in {"jwt-svid", "sig"}:
            continue
        key_id, kind = entry.get("kid"), entry.get("kty")
        texts: dict[str, str | list[str]] = {
            name: value for name, value in entry.items() if isinstance(value, str) and name != "use"
        }
        if not isinstance(key_id, str) or kind not in {"RSA", "EC"}:
            continue
        with suppress(JoseError, ValueError):
            key = RSAKey.import_key(texts) if kind == "RSA" else ECKey.import_key(texts)
            if not isinstance(key, RSAKey) or key.public_key.key_size >= _SMALLEST_RSA:
                keys[key_id] = key
    return keys


def _is_object(value: object) -> TypeGuard[dict[str, object]]:
    return isinstance(value, dict)


def _is_list(value: object) -> TypeGuard[list[object]]:
    return isinstance(value, list)


def _is_time(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**53
