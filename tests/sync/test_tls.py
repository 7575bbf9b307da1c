"""Only a server whose certificate the target's own authority vouches for gets anything."""

from __future__ import annotations

import ipaddress
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from app.sync.target import Retryable
from app.sync.targets.dicomweb import DicomWebSettings, DicomWebTarget
from tests.servers import ScriptedServer
from tests.store.conftest import HandClock
from tests.sync.objects import TARGET, item_of, pdf_object

DATA = pdf_object()


@dataclass(frozen=True)
class Authority:
    file: Path
    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def make_authority(folder: Path, name: str) -> Authority:
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.now(UTC)
    usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(_name(name))
        .issuer_name(_name(name))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=30))
        .not_valid_after(now + timedelta(days=30))
        .add_extension(x509.BasicConstraints(True, None), True)
        .add_extension(usage, True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
        .sign(key, hashes.SHA256())
    )
    file = folder / f"{name}.pem"
    file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    return Authority(file, key, certificate)


def server_context(
    folder: Path, authority: Authority, host: str = "127.0.0.1", days_left: int = 10, newest: ssl.TLSVersion | None = None
) -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.now(UTC)
    alternative: x509.GeneralName = x509.DNSName(host)
    if host[0].isdigit():
        alternative = x509.IPAddress(ipaddress.ip_address(host))
    certificate = (
        x509.CertificateBuilder()
        .subject_name(_name("server"))
        .issuer_name(authority.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=20))
        .not_valid_after(now + timedelta(days=days_left))
        .add_extension(x509.SubjectAlternativeName([alternative]), False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key()), False)
        .sign(authority.key, hashes.SHA256())
    )
    file = folder / "server.pem"
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    file.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    if newest is not None:
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = newest
        context.set_ciphers("ALL:@SECLEVEL=0")
    return context


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return make_authority(tmp_path, "clinic")


def sent(server: ScriptedServer, ca_file: Path | None, clock: HandClock) -> bool:
    settings = DicomWebSettings(TARGET, server.url, "ws", "secret", ca_file=str(ca_file or ""), read_timeout_s=5.0)
    try:
        return DicomWebTarget(settings, clock).send(item_of(DATA), DATA).level == "accepted"
    except Retryable as error:
        if error.problem.code not in ("sync.tls_not_trusted", "sync.line_down"):
            raise
        return False


@pytest.fixture
def serve() -> Iterator[object]:
    running: list[ScriptedServer] = []

    def start(context: ssl.SSLContext) -> ScriptedServer:
        running.append(ScriptedServer(context))
        return running[-1]

    yield start
    for server in running:
        server.close()


def test_the_targets_own_authority_is_trusted_and_no_other(
    tmp_path: Path, authority: Authority, clock: HandClock, serve, monkeypatch: pytest.MonkeyPatch
) -> None:  # type: ignore[no-untyped-def]
    server = serve(server_context(tmp_path, authority))
    other = make_authority(tmp_path, "other")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority.file))  # must not make it trusted
    assert not sent(server, other.file, clock)
    assert not sent(server, None, clock)
    assert server.seen == []
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(other.file))  # must not make it untrusted
    assert sent(server, authority.file, clock)
    assert len(server.seen) == 1


@pytest.mark.parametrize(("host", "days_left"), [("pacs.example", 10), ("127.0.0.2", 10), ("127.0.0.1", -1)])
def test_another_host_or_an_expired_certificate_gets_nothing(
    tmp_path: Path, authority: Authority, clock: HandClock, serve, host: str, days_left: int
) -> None:  # type: ignore[no-untyped-def]
    server = serve(server_context(tmp_path, authority, host, days_left))
    assert not sent(server, authority.file, clock)
    assert server.seen == []


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_an_old_protocol_gets_nothing(tmp_path: Path, authority: Authority, clock: HandClock, serve) -> None:  # type: ignore[no-untyped-def]
    server = serve(server_context(tmp_path, authority, newest=ssl.TLSVersion.TLSv1_1))
    assert not sent(server, authority.file, clock)
    assert server.seen == []
