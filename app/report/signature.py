"""Signing a report once: PAdES in the PDF, and a detached CAdES over a manifest of all objects that go out with it.

The manifest is canonical JSON (RFC 8785 for the strings and integers it holds): SOP Instance UIDs with SHA-256. It is
the primary evidence, because an archive may coerce a header but cannot coerce a hash. Verification is in
``verification``.
"""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar

from app.domain.problem import ProblemError, fail
from app.domain.report import StoredObject
from app.security.certificates import SigningIdentity

MANIFEST_SCHEMA = "ekinshi.manifest/1"
T = TypeVar("T")


@dataclass(frozen=True)
class SignedDocument:
    """A PDF with its signature inside."""

    pdf: bytes = field(repr=False)
    level: str
    """PAdES level: B-B, B-T (time-stamped) or B-LT (with revocation data)."""
    certificate_sha256: str
    demonstration: bool


def sign_report(
    pdf: bytes,
    identity: SigningIdentity,
    *,
    reason: str = "",
    place: str = "",
    time_stamper: Any = None,
    crls: Sequence[bytes] = (),
    now: datetime | None = None,
) -> SignedDocument:
    """Puts a PAdES signature into ``pdf``; no change is allowed after it (DocMDP 1).

    ``time_stamper``: a pyHanko ``TimeStamper`` or None (then B-B; the time is this computer's own). ``crls``: DER
    revocation lists of the chain; with them and a time stamp the level is B-LT. ``now`` is for the validity check only.
    Raises ``report.not_signable``, ``report.signing_failed``, ``sign.certificate_expired``.
    """
    from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
    from pyhanko.pdf_utils.misc import PdfError
    from pyhanko.sign import fields, signers

    _require_valid_now(identity, now)
    try:
        writer = IncrementalPdfFileWriter(io.BytesIO(pdf))
    except (PdfError, ValueError) as error:
        raise fail("report.not_signable", kept_safe="safe.draft") from error
    long_term = bool(crls) and time_stamper is not None
    settings = signers.PdfSignatureMetadata(
        field_name="Ekinshi",
        md_algorithm="sha256",
        name=identity.common_name,
        reason=reason or None,
        location=place or None,
        subfilter=fields.SigSeedSubFilter.PADES,
        certify=True,
        docmdp_permissions=fields.MDPPerm.NO_CHANGES,
        embed_validation_info=long_term,
        validation_context=_own_context(identity, crls) if long_term else None,
    )
    signer = signers.PdfSigner(settings, signer=_signer(identity), timestamper=time_stamper)

    async def sign() -> bytes:
        out = await signer.async_sign_pdf(writer)
        return bytes(out.getvalue())

    signed = _signing(sign)
    level = "B-LT" if long_term else ("B-T" if time_stamper is not None else "B-B")
    return SignedDocument(signed, level, identity.sha256, identity.demonstration)


def build_manifest(
    *,
    report_id: str,
    version: int,
    study_instance_uid: str,
    objects: Sequence[StoredObject],
    signer: SigningIdentity,
    signed_at: datetime,
    replaces: str = "",
    demonstration: bool = False,
) -> bytes:
    """Canonical bytes naming every object of a report by UID and SHA-256. No patient data in it."""
    content = {
        "schema": MANIFEST_SCHEMA,
        "report_id": report_id,
        "version": version,
        "replaces": replaces,
        "study_instance_uid": study_instance_uid,
        "signed_at": signed_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "certificate_sha256": signer.sha256,
        "demonstration": demonstration or signer.demonstration,
        "objects": [
            {
                "sop_instance_uid": o.sop_instance_uid,
                "sop_class_uid": o.sop_class_uid,
                "kind": o.kind,
                "sha256": o.sha256,
                "size_bytes": o.size_bytes,
            }
            for o in sorted(objects, key=lambda o: o.sop_instance_uid)
        ],
    }
    return canonical_json(content)


def canonical_json(value: Any) -> bytes:
    """RFC 8785 for objects with ASCII keys whose leaves are texts, integers and booleans. Raises ``TypeError`` else."""
    _require_plain(value)
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode("utf-8")


def _require_plain(value: Any) -> None:
    if isinstance(value, dict):
        for key, inner in value.items():
            if not (isinstance(key, str) and key.isascii()):
                raise TypeError("keys of canonical JSON must be ASCII texts")
            _require_plain(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            _require_plain(inner)
    elif not isinstance(value, str | bool) and not (isinstance(value, int) and abs(value) < 2**53):
        raise TypeError(f"{type(value).__name__} has no canonical form here")


def sign_manifest(
    manifest: bytes, identity: SigningIdentity, *, time_stamper: Any = None, now: datetime | None = None
) -> bytes:
    """Detached CAdES (DER) over ``manifest``. Raises ``report.signing_failed``, ``sign.certificate_expired``."""
    _require_valid_now(identity, now)
    signer = _signer(identity)

    async def sign() -> bytes:
        info = await signer.async_sign_general_data(
            manifest, "sha256", detached=True, use_cades=True, timestamper=time_stamper
        )
        return bytes(info.dump())

    return _signing(sign)


def _require_valid_now(identity: SigningIdentity, now: datetime | None) -> None:
    moment = now or datetime.now(UTC)
    if moment > identity.not_after:
        until = identity.not_after.date().isoformat()
        raise fail("sign.certificate_expired", kept_safe="safe.draft", next_step="next.renew_certificate", until=until)
    if moment < identity.not_before:
        since = identity.not_before.date().isoformat()
        raise fail("sign.certificate_not_yet_valid", kept_safe="safe.draft", next_step="next.check_clock", since=since)


def _signer(identity: SigningIdentity) -> Any:
    from asn1crypto import keys, x509  # type: ignore[import-untyped]
    from pyhanko.sign import signers
    from pyhanko_certvalidator.registry import SimpleCertificateStore

    store = SimpleCertificateStore()
    store.register_multiple([x509.Certificate.load(der) for der in identity.chain_der])
    return signers.SimpleSigner(
        signing_cert=x509.Certificate.load(identity.certificate_der),
        signing_key=keys.PrivateKeyInfo.load(identity.private_key_der),
        cert_registry=store,
    )


def _own_context(identity: SigningIdentity, crls: Sequence[bytes]) -> Any:
    from asn1crypto import x509
    from pyhanko_certvalidator import ValidationContext

    roots = [x509.Certificate.load(der) for der in identity.chain_der[-1:]]
    return ValidationContext(trust_roots=roots, crls=list(crls), allow_fetching=False, revocation_mode="hard-fail")


def _signing(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    try:
        return run_async(work)
    except ProblemError:
        raise
    except Exception as error:  # the signing library has no common base class for what can go wrong
        raise fail("report.signing_failed", kept_safe="safe.draft", error=type(error).__name__) from error


def run_async(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Runs a coroutine to its end, also when the calling thread has an event loop of its own."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work())
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(lambda: asyncio.run(work())).result()
