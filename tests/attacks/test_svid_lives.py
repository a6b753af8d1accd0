"""Certificates of workloads that live too long, or not yet, or for ever: whoever signed them, and whichever way."""

import hashlib
import ssl
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from tests.rigs.mesh import CHAT, DOMAIN, TRIAGE, bundle

from pierhead.adapters.spiffe import Certificates, Lives, Workloads
from pierhead.core.errors import Unauthenticated
from pierhead.core.identity import Workload
from pierhead.core.workload import Proven, Registration
from pierhead.usecases.memory import MemoryClock

NOW = 1_700_000_000
HOUR = 3600
FOR_EVER = 253_402_300_799  # 9999-12-31T23:59:59Z, "no well-defined expiration date" (RFC 5280, 4.1.2.5)
Way = Callable[[Workloads, bytes], Proven]


def certificate(since: int, until: int, uri: str = CHAT) -> bytes:
    """An SVID (DER) that is good from then to then."""
    key = ec.generate_private_key(ec.SECP256R1())
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([]))
        .issuer_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "an authority")]))
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime.fromtimestamp(since, UTC))
        .not_valid_after(datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=until))
        .add_extension(x509.SubjectAlternativeName([x509.UniformResourceIdentifier(uri)]), critical=True)
        .sign(key, hashes.SHA256())
    ).public_bytes(Encoding.DER)


def workloads(clock: MemoryClock | None = None, life_s: int = HOUR) -> Workloads:
    places = dict.fromkeys((CHAT, TRIAGE), Registration("chat", "production"))
    return Workloads(DOMAIN, places, bundle, clock or MemoryClock(NOW), Lives(life_s, 300))


def shown(known: Workloads, der: bytes) -> Proven:
    """To our own TLS."""
    return known.from_certificate(der)


def told(known: Workloads, der: bytes, uri: str = CHAT, digest: str = "") -> Proven:
    """By a sidecar that passes the certificate on."""
    pem = quote(ssl.DER_cert_to_PEM_cert(der), safe="")
    digest = digest or hashlib.sha256(der).hexdigest()
    return known.from_sidecar(f'By=spiffe://{DOMAIN}/gateway;Hash={digest};Cert="{pem}";URI={uri}'.encode())


def refusal(way: Way, der: bytes, known: Workloads | None = None) -> str:
    with pytest.raises(Unauthenticated) as refused:
        way(known or workloads(), der)
    return refused.value.code


@pytest.mark.parametrize("way", [shown, told])
def test_a_certificate_of_a_bounded_life_is_its_workload_until_it_ends(way: Way) -> None:
    proven = way(workloads(), certificate(NOW - 60, NOW + HOUR))
    assert (proven.workload, proven.until) == (Workload(CHAT), NOW + HOUR)


@pytest.mark.parametrize("way", [shown, told])
@pytest.mark.parametrize(
    ("since", "until", "code"),
    [
        (NOW - 60, NOW + HOUR + 1, "svid-too-long"),
        (NOW - 86_400, NOW + 60, "svid-too-long"),
        (NOW, FOR_EVER, "svid-too-long"),
        (0, FOR_EVER, "svid-too-long"),
        (NOW + 61, NOW + 600, "svid-not-yet"),
        (NOW - 600, NOW, "svid-expired"),
    ],
)
def test_a_life_that_is_too_long_over_or_not_begun_is_refused(way: Way, since: int, until: int, code: str) -> None:
    assert refusal(way, certificate(since, until)) == code


def test_a_certificate_is_judged_by_the_clock_each_time_and_a_clock_set_back_makes_none_good() -> None:
    clock, der = MemoryClock(NOW), certificate(NOW, NOW + HOUR)
    known = workloads(clock)
    assert shown(known, der).until == NOW + HOUR
    for moved, code in (
        (HOUR, "svid-expired"),
        (-61, "svid-not-yet"),
        (-NOW, "svid-not-yet"),
        (10**10, "svid-expired"),
    ):
        clock.seconds = NOW + moved
        assert refusal(shown, der, known) == code
    clock.seconds = NOW - 60
    assert shown(known, der).workload == Workload(CHAT)


def test_the_operator_says_how_long_is_too_long() -> None:
    day = certificate(NOW, NOW + 86_400)
    assert shown(workloads(life_s=86_400), day).until == NOW + 86_400
    assert refusal(shown, day, workloads(life_s=86_339)) == "svid-too-long"


def test_what_a_sidecar_passes_on_is_the_certificate_that_it_names() -> None:
    der = certificate(NOW, NOW + HOUR)

    def of_another(known: Workloads, der: bytes) -> Proven:
        return told(known, der, uri=TRIAGE)

    def of_another_digest(known: Workloads, der: bytes) -> Proven:
        return told(known, der, digest="0" * 64)

    assert refusal(of_another, der) == "bad-svid"
    assert refusal(of_another_digest, der) == "bad-forwarded-certificate"
    assert refusal(told, b"no certificate") == "bad-svid"


def test_certificates_are_kept_for_so_many_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pierhead.adapters.spiffe._MOST_KNOWN", 2)
    known = Certificates(HOUR)
    made = [certificate(NOW, NOW + HOUR + each) for each in range(4)]
    assert [known.named(der, NOW) for der in [*made, *made]] == [(CHAT, NOW + HOUR + each) for each in range(4)] * 2
    assert len(replace(known)._known) <= 2
