"""PKCS#12 files: the right PIN, and every reason to refuse."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import pkcs12

from app.domain.problem import ProblemError
from app.security.certificates import DEMO_MARK, load_pkcs12, make_demo_certificate

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
DEMO = make_demo_certificate("Асанова Әлия", "1234", now=NOW)


def code_of(content: bytes, pin: str = "1234", now: datetime = NOW) -> str:
    with pytest.raises(ProblemError) as caught:
        load_pkcs12(content, pin, now=now)
    assert caught.value.problem.kept_safe == "safe.draft"
    assert caught.value.problem.next_step
    assert not pin or pin not in str(caught.value)
    return caught.value.problem.code


def bundle(key, usage: x509.KeyUsage | None = None, other_key=None) -> bytes:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "X")])
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(NOW - timedelta(days=1))
        .not_valid_after(NOW + timedelta(days=1))
    )
    if usage is not None:
        builder = builder.add_extension(usage, critical=True)
    algorithm = None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    certificate = builder.sign(key, algorithm)
    return pkcs12.serialize_key_and_certificates(
        b"x", other_key or key, certificate, None, serialization.BestAvailableEncryption(b"1234")
    )


def test_the_demonstration_certificate_says_what_it_is() -> None:
    identity = load_pkcs12(DEMO, "1234", now=NOW)
    assert identity.demonstration
    assert DEMO_MARK in identity.subject
    assert DEMO_MARK in identity.issuer
    assert identity.common_name == "Асанова Әлия"
    assert len(identity.chain_der) == 1
    assert identity.not_before < NOW < identity.not_after


def test_what_the_key_signs_the_certificate_proves() -> None:
    identity = load_pkcs12(DEMO, "1234", now=NOW)
    key = serialization.load_der_private_key(identity.private_key_der, None)
    certificate = x509.load_der_x509_certificate(identity.certificate_der)
    authority = x509.load_der_x509_certificate(identity.chain_der[0])
    assert isinstance(key, rsa.RSAPrivateKey)
    public = certificate.public_key()
    assert isinstance(public, rsa.RSAPublicKey)
    public.verify(key.sign(b"report", padding.PKCS1v15(), hashes.SHA256()), b"report", padding.PKCS1v15(), hashes.SHA256())
    certificate.verify_directly_issued_by(authority)
    authority.verify_directly_issued_by(authority)
    assert identity.sha256 == certificate.fingerprint(hashes.SHA256()).hex()
    assert identity.private_key_der.hex() not in repr(identity)
    assert repr(identity.private_key_der) not in repr(identity)


def test_every_reason_to_refuse() -> None:
    assert code_of(DEMO, "4321") == "sign.wrong_pin"
    assert code_of(DEMO, "") == "sign.wrong_pin"
    assert code_of(DEMO, now=NOW + timedelta(days=400)) == "sign.certificate_expired"
    assert code_of(DEMO, now=NOW - timedelta(days=1)) == "sign.certificate_not_yet_valid"
    for content in (
        b"",
        b"hello",
        DEMO[: len(DEMO) // 2],
        b"\x30" + bytes(50),
        load_pkcs12(DEMO, "1234", now=NOW).certificate_der,
    ):
        assert code_of(content) == "sign.not_pkcs12"
    assert code_of(b"\x30" * (2 << 20)) == "sign.not_pkcs12"
    certificate_only = pkcs12.serialize_key_and_certificates(
        b"x",
        None,
        x509.load_der_x509_certificate(load_pkcs12(DEMO, "1234", now=NOW).certificate_der),
        None,
        serialization.BestAvailableEncryption(b"1234"),
    )
    assert code_of(certificate_only) == "sign.no_key"
    assert code_of(bundle(ed25519.Ed25519PrivateKey.generate())) == "sign.algorithm_unsupported"


def test_keys_and_purposes_must_fit() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    assert load_pkcs12(bundle(key), "1234", now=NOW).common_name == "X"
    assert not load_pkcs12(bundle(key), "1234", now=NOW).demonstration
    only_encryption = x509.KeyUsage(False, False, True, False, False, False, False, False, False)
    assert code_of(bundle(key, only_encryption)) == "sign.certificate_not_for_signing"
    signing = x509.KeyUsage(True, True, False, False, False, False, False, False, False)
    assert load_pkcs12(bundle(key, signing), "1234", now=NOW).serial_number == "7"


def test_two_demonstrations_share_nothing() -> None:
    other = load_pkcs12(make_demo_certificate("Асанова Әлия", "1234", now=NOW), "1234", now=NOW)
    first = load_pkcs12(DEMO, "1234", now=NOW)
    assert other.sha256 != first.sha256
    assert other.issuer != first.issuer
