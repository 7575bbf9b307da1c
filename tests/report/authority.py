"""A test authority and a doctor's certificate of it, without the demonstration mark."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import NameOID

from app.security.certificates import SigningIdentity, load_pkcs12


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def certificate_of(name: str) -> tuple[SigningIdentity, bytes]:
    """(identity, DER of the authority)."""
    now = datetime.now(UTC).replace(microsecond=0)
    authority_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())

    def builder(subject: str, issuer: str, public_key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
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
    return load_pkcs12(bundle, "1234"), authority.public_bytes(serialization.Encoding.DER)
