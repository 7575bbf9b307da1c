"""Signing certificates: PKCS#12 files with a PIN, and the self-made one of a demonstration."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from app.domain.problem import ProblemError, fail

DEMO_MARK = "DEMONSTRATION TEST CERTIFICATE - NO LEGAL FORCE"
_LARGEST_FILE_BYTES = 1 << 20
_DEMO_DAYS = 366


@dataclass(frozen=True)
class SigningIdentity:
    """What signs: private key (PKCS#8 DER), certificate and its chain (DER, nearest issuer first)."""

    private_key_der: bytes = field(repr=False)
    certificate_der: bytes = field(repr=False)
    chain_der: tuple[bytes, ...] = field(repr=False)
    subject: str
    """RFC 4514 text of the subject."""
    common_name: str
    issuer: str
    serial_number: str
    """Hexadecimal."""
    not_before: datetime
    not_after: datetime
    """UTC."""
    sha256: str
    """Fingerprint of the certificate, hexadecimal."""
    demonstration: bool
    """Made by this programme for a demonstration; every document signed with it says so."""


def load_pkcs12(content: bytes, pin: str, *, now: datetime | None = None) -> SigningIdentity:
    """Opens a PKCS#12 file. ``now`` (UTC) is for tests.

    Raises ``ProblemError``: ``sign.wrong_pin``, ``sign.not_pkcs12``, ``sign.no_key``, ``sign.certificate_expired``,
    ``sign.certificate_not_yet_valid``, ``sign.certificate_other_key``, ``sign.certificate_not_for_signing``,
    ``sign.algorithm_unsupported`` (such as GOST, which this workstation cannot compute).
    """
    if not content.startswith(b"\x30") or len(content) > _LARGEST_FILE_BYTES:
        raise fail("sign.not_pkcs12", kept_safe="safe.draft", next_step="next.choose_certificate")
    try:
        bundle = pkcs12.load_pkcs12(content, pin.encode())
    except ValueError as error:
        # The library says "Invalid password or PKCS12 data" for both; a file that is not even ASN.1 names itself otherwise.
        if "password" in str(error).lower():
            raise fail("sign.wrong_pin", kept_safe="safe.draft", next_step="next.type_pin_again") from None
        if "unsupported" in str(error).lower() or "unknown" in str(error).lower():
            raise _unsupported("?") from error
        raise fail("sign.not_pkcs12", kept_safe="safe.draft", next_step="next.choose_certificate") from None
    except UnsupportedAlgorithm as error:
        raise _unsupported("?") from error
    if bundle.key is None or bundle.cert is None:
        raise fail("sign.no_key", kept_safe="safe.draft", next_step="next.choose_certificate")
    if not isinstance(bundle.key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        kind = type(bundle.key).__name__
        raise fail("sign.algorithm_unsupported", kept_safe="safe.draft", next_step="next.choose_certificate", algorithm=kind)
    certificate = bundle.cert.certificate
    _require_fitting_key(bundle.key, certificate)
    _require_valid(certificate, now or datetime.now(UTC))
    _require_for_signing(certificate)
    return _identity(bundle.key, certificate, [extra.certificate for extra in bundle.additional_certs])


def make_demo_certificate(name: str, pin: str, *, now: datetime | None = None) -> bytes:
    """A PKCS#12 file with a fresh RSA key, its certificate and its own test authority, each marked in its subject."""
    moment = (now or datetime.now(UTC)).replace(microsecond=0)
    authority_key = rsa.generate_private_key(65537, 2048)
    authority_name = _name(f"Ekinshi Test Authority {secrets.token_hex(4)}")
    authority = (
        _builder(authority_name, authority_name, authority_key.public_key(), moment)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(key_cert_sign=True, crl_sign=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(authority_key.public_key()), critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    key = rsa.generate_private_key(65537, 2048)
    certificate = (
        _builder(_name(name), authority_name, key.public_key(), moment)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(digital_signature=True, content_commitment=True), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()), critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    protection = serialization.BestAvailableEncryption(pin.encode())
    return pkcs12.serialize_key_and_certificates(DEMO_MARK.encode(), key, certificate, [authority], protection)


def _unsupported(algorithm: str) -> ProblemError:
    return fail(
        "sign.algorithm_unsupported", kept_safe="safe.draft", next_step="next.choose_certificate", algorithm=algorithm
    )


def _name(common_name: str) -> x509.Name:
    return x509.Name(
        [
            # X.520 ub-common-name: 64 characters at most.
            x509.NameAttribute(NameOID.COMMON_NAME, common_name[:64] or "?"),
            x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, DEMO_MARK),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Ekinshi DEMONSTRATION"),
        ]
    )


def _builder(
    subject: x509.Name, issuer: x509.Name, public_key: rsa.RSAPublicKey, moment: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(moment - timedelta(minutes=5))
        .not_valid_after(moment + timedelta(days=_DEMO_DAYS))
    )


def _usage(**wanted: bool) -> x509.KeyUsage:
    names = (
        "digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
        "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
    )  # fmt: skip
    return x509.KeyUsage(**{name: wanted.get(name, False) for name in names})


def _require_fitting_key(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, certificate: x509.Certificate) -> None:
    form = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    if key.public_key().public_bytes(*form) != certificate.public_key().public_bytes(*form):
        raise fail("sign.certificate_other_key", kept_safe="safe.draft", next_step="next.choose_certificate")


def _require_valid(certificate: x509.Certificate, now: datetime) -> None:
    if now > certificate.not_valid_after_utc:
        raise fail(
            "sign.certificate_expired",
            kept_safe="safe.draft",
            next_step="next.renew_certificate",
            until=certificate.not_valid_after_utc.date().isoformat(),
        )
    if now < certificate.not_valid_before_utc:
        raise fail(
            "sign.certificate_not_yet_valid",
            kept_safe="safe.draft",
            next_step="next.check_clock",
            since=certificate.not_valid_before_utc.date().isoformat(),
        )


def _require_for_signing(certificate: x509.Certificate) -> None:
    try:
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return
    if not (usage.digital_signature or usage.content_commitment):
        raise fail("sign.certificate_not_for_signing", kept_safe="safe.draft", next_step="next.choose_certificate")


def _identity(
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, certificate: x509.Certificate, others: list[x509.Certificate]
) -> SigningIdentity:
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    units = certificate.subject.get_attributes_for_oid(NameOID.ORGANIZATIONAL_UNIT_NAME)
    return SigningIdentity(
        private_key_der=key.private_bytes(
            serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ),
        certificate_der=certificate.public_bytes(serialization.Encoding.DER),
        chain_der=tuple(c.public_bytes(serialization.Encoding.DER) for c in _ordered(certificate, others)),
        subject=certificate.subject.rfc4514_string(),
        common_name=str(names[0].value) if names else "",
        issuer=certificate.issuer.rfc4514_string(),
        serial_number=f"{certificate.serial_number:x}",
        not_before=certificate.not_valid_before_utc,
        not_after=certificate.not_valid_after_utc,
        sha256=certificate.fingerprint(hashes.SHA256()).hex(),
        demonstration=any(DEMO_MARK in str(unit.value) for unit in units),
    )


def _ordered(certificate: x509.Certificate, others: list[x509.Certificate]) -> list[x509.Certificate]:
    """Issuers from the nearest up; certificates that are not of this chain are left out."""
    chain: list[x509.Certificate] = []
    current = certificate
    while current.issuer != current.subject:
        found = next((c for c in others if c.subject == current.issuer and c not in chain), None)
        if found is None:
            break
        chain.append(found)
        current = found
    return chain
