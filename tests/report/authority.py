"""A test authority and a doctor's certificate of it, without the demonstration mark."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from app.security.certificates import SigningIdentity, load_pkcs12


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


@dataclass(frozen=True)
class Site:
    """A doctor, the authority that vouches for her, its revocation list and its time stamps."""

    identity: SigningIdentity
    authority_der: bytes
    crl_der: bytes
    time_stamper: Any


def certificate_of(name: str) -> tuple[SigningIdentity, bytes]:
    """(identity, DER of the authority)."""
    site = site_of(name)
    return site.identity, site.authority_der


def site_of(name: str, *, at: datetime | None = None) -> Site:
    """``at``: when it was made (a certificate lives 301 days)."""
    now = (at or datetime.now(UTC)).replace(microsecond=0)
    authority_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())

    def builder(
        subject: str, issuer: str, public_key: ec.EllipticCurvePublicKey | rsa.RSAPublicKey
    ) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(_name(subject))
            .issuer_name(_name(issuer))
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=300))
        )

    usage = {
        "digital_signature": True,
        "content_commitment": True,
        "key_encipherment": False,
        "data_encipherment": False,
        "key_agreement": False,
        "key_cert_sign": False,
        "crl_sign": False,
        "encipher_only": False,
        "decipher_only": False,
    }
    ca_usage = {**usage, "digital_signature": False, "content_commitment": False, "key_cert_sign": True}
    authority_ski = x509.SubjectKeyIdentifier.from_public_key(authority_key.public_key())
    authority = (
        builder("Test Authority", "Test Authority", authority_key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.KeyUsage(**ca_usage), critical=True)
        .add_extension(authority_ski, critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    certificate = (
        builder(name, "Test Authority", key.public_key())
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.KeyUsage(**usage), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(authority_ski), critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    bundle = pkcs12.serialize_key_and_certificates(
        b"doctor", key, certificate, [authority], serialization.BestAvailableEncryption(b"1234")
    )
    identity = load_pkcs12(bundle, "1234", now=now)
    stamp_key = rsa.generate_private_key(65537, 2048)
    stamper = (
        builder("Test Time", "Test Authority", stamp_key.public_key())
        .add_extension(x509.KeyUsage(**usage), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING]), critical=True)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(authority_ski), critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    crl = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(_name("Test Authority"))
        .last_update(now - timedelta(hours=1))
        .next_update(now + timedelta(days=30))
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(authority_ski), critical=False)
        .add_extension(x509.CRLNumber(1), critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    return Site(
        identity,
        authority.public_bytes(serialization.Encoding.DER),
        crl.public_bytes(serialization.Encoding.DER),
        _time_stamper(stamper, stamp_key, authority),
    )


def _time_stamper(certificate: x509.Certificate, key: rsa.RSAPrivateKey, authority: x509.Certificate) -> Any:
    from asn1crypto import keys
    from asn1crypto import x509 as asn1_x509
    from pyhanko.sign.timestamps.dummy_client import DummyTimeStamper
    from pyhanko_certvalidator.registry import SimpleCertificateStore

    der = serialization.Encoding.DER
    store = SimpleCertificateStore()
    store.register(asn1_x509.Certificate.load(authority.public_bytes(der)))
    private = key.private_bytes(der, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return DummyTimeStamper(
        tsa_cert=asn1_x509.Certificate.load(certificate.public_bytes(der)),
        tsa_key=keys.PrivateKeyInfo.load(private),
        certs_to_embed=store,
    )
