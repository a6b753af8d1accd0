"""A certificate authority for one machine: SVIDs for the gateway and for workloads, in files that are replaced whole.

For `pierhead up --mesh` and for tests; a company has SPIRE. X.509-SVIDs as the standard wants them: one URI, no
subject, no right to sign, one hour. Envoy's secrets are in its own form, so that it serves a new one without a restart.
Not here: who gets one (`bootstrap/local_mesh`).
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from pierhead.usecases.ports import Clock

LIFE_S: Final = 3600
_AUTHORITY_DAYS: Final = 30
_SKEW: Final = timedelta(minutes=1)
_SECRET: Final = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret"  # noqa: S105 - a type's name


@dataclass(frozen=True, slots=True)
class Svid:
    """A certificate and its key, as PEM."""

    certificate: str
    key: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Authority:
    """Signs for one trust domain. Its key stays in this process: a restart makes another, trusted anew."""

    clock: Clock
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey = field(repr=False)

    @classmethod
    def new(cls, trust_domain: str, clock: Clock) -> "Authority":
        key, now = ec.generate_private_key(ec.SECP256R1()), _now(clock)
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, f"Pierhead on this machine ({trust_domain})")])
        uri = x509.SubjectAlternativeName([x509.UniformResourceIdentifier(f"spiffe://{trust_domain}")])
        made = (
            _begun(name, name, key.public_key(), now, timedelta(days=_AUTHORITY_DAYS))
            .add_extension(uri, critical=False)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(signs_certificates=True), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        )
        return cls(clock, made.sign(key, hashes.SHA256()), key)

    @property
    def bundle(self) -> str:
        """What others trust it by, as PEM."""
        return _pem(self.certificate)

    def svid(self, spiffe_id: str, hosts: Sequence[str] = ()) -> Svid:
        """A new SVID; `hosts` are names and addresses that people reach it by, for their browsers."""
        key = ec.generate_private_key(ec.SECP256R1())
        names: list[x509.GeneralName] = [x509.UniformResourceIdentifier(spiffe_id), *map(_host, hosts)]
        purposes = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])
        issuer = self.certificate.subject
        made = (
            _begun(x509.Name([]), issuer, key.public_key(), _now(self.clock), timedelta(seconds=LIFE_S))
            .add_extension(x509.SubjectAlternativeName(names), critical=True)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs_certificates=False), critical=True)
            .add_extension(purposes, critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False)
        )
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return Svid(_pem(made.sign(self.key, hashes.SHA256())), private.decode("ascii"))


def write_secrets(folder: Path, own: Svid, bundle: str) -> None:
    """Envoy's `svid.json` and `trust.json`, each whole or not at all."""
    pair = {"certificate_chain": {"inline_string": own.certificate}, "private_key": {"inline_string": own.key}}
    trusted = {"trusted_ca": {"inline_string": bundle}}
    for name, member, value in (("svid", "tls_certificate", pair), ("trust", "validation_context", trusted)):
        secret = {"@type": _SECRET, "name": name, member: value}
        replace_file(folder / f"{name}.json", json.dumps({"resources": [secret]}))


def replace_file(path: Path, text: str) -> None:
    """Write a file for this account alone, and put it in place by rename."""
    unfinished = path.with_suffix(f"{path.suffix}.new")
    unfinished.unlink(missing_ok=True)
    unfinished.touch(mode=0o600)
    unfinished.write_text(text, "utf-8")
    unfinished.rename(path)


def _begun(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, now: datetime, life: timedelta
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SKEW)
        .not_valid_after(now + life)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _host(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _now(clock: Clock) -> datetime:
    return datetime.fromtimestamp(clock.now(), UTC)


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode("ascii")
