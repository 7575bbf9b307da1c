"""``ekinshi verify FILE``: is this signed document, DICOM report, manifest or receipt what its signer signed?

There is one answer, the bottom line; that the signed bytes are intact is never shown as a result of its own, because a
changed document can have intact signed bytes.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from app.domain.problem import ProblemError
from app.report.signature import MANIFEST_SCHEMA, run_async
from app.security.certificates import DEMO_MARK

log = logging.getLogger("ekinshi.report")

RECEIPT_SCHEMA = "ekinshi.receipt/1"


class Answer(StrEnum):
    VALID = "valid"
    CHANGED = "changed"
    UNTRUSTED = "untrusted"
    EXPIRED = "expired"
    NOT_SIGNED = "not_signed"
    NOT_VERIFIABLE = "not_verifiable"
    UNREADABLE = "unreadable"


@dataclass(frozen=True)
class VerificationResult:
    answer: Answer
    code: str
    """Message id of the sentence (``verify.valid``...), with ``params``."""
    kind: str
    """pdf, dicom, manifest or receipt; empty when unreadable."""
    params: Mapping[str, str | int | float] = field(default_factory=dict)
    demonstration: bool = False
    """Signed with a demonstration certificate: no legal force, whatever the answer."""
    signer: str = ""
    issuer: str = ""
    certificate_sha256: str = ""
    signed_at: str = ""
    """ISO 8601; the signer's own clock unless ``time_stamped``."""
    time_stamped: bool = False
    report_id: str = ""
    sop_instance_uid: str = ""

    @property
    def valid(self) -> bool:
        """The bottom line."""
        return self.answer is Answer.VALID


def verify_file(
    source: Path | bytes, *, trust: Sequence[bytes] = (), objects: Mapping[str, bytes] | None = None
) -> VerificationResult:
    """Verifies a signed PDF, a DICOM Encapsulated PDF, or a receipt JSON.

    ``trust``: DER or PEM certificates of the authorities trusted here. ``objects``: SOP Instance UID to bytes, compared
    with a receipt's manifest where given. Never raises for what a file contains; ``OSError`` when it cannot be opened.
    """
    data = source if isinstance(source, bytes) else source.read_bytes()
    if data.startswith(b"%PDF-"):
        return verify_pdf(data, trust=trust)
    if data[128:132] == b"DICM":
        from app.dicom.encapsulated import extract_pdf

        try:
            inner = extract_pdf(data)
        except ProblemError:
            return VerificationResult(Answer.UNREADABLE, "verify.unreadable", "")
        return _named(verify_pdf(inner.pdf, trust=trust), kind="dicom", sop_instance_uid=inner.sop_instance_uid)
    try:
        content = json.loads(data.decode("utf-8"))
    except ValueError:
        return VerificationResult(Answer.UNREADABLE, "verify.unreadable", "")
    if isinstance(content, dict) and content.get("schema") == RECEIPT_SCHEMA:
        return _verify_receipt(content, trust, objects)
    if isinstance(content, dict) and content.get("schema") == MANIFEST_SCHEMA:
        return VerificationResult(Answer.NOT_SIGNED, "verify.not_signed", "manifest")
    return VerificationResult(Answer.UNREADABLE, "verify.unreadable", "")


def verify_pdf(pdf: bytes, *, trust: Sequence[bytes] = ()) -> VerificationResult:
    """The signature inside a PDF; several signatures must all hold."""
    from pyhanko.pdf_utils.reader import PdfFileReader
    from pyhanko.sign.validation import async_validate_pdf_signature

    try:
        signatures = PdfFileReader(io.BytesIO(pdf), strict=False).embedded_regular_signatures
    except Exception:  # any bytes may stand behind "%PDF-"
        return VerificationResult(Answer.UNREADABLE, "verify.unreadable", "")
    if not signatures:
        return VerificationResult(Answer.NOT_SIGNED, "verify.not_signed", "pdf")
    result: VerificationResult | None = None
    for number in range(len(signatures)):

        async def judge(roots: Sequence[Any], moment: Any, number: int = number) -> Any:
            # read anew each time: the library keeps what it learnt of a signature
            signature = PdfFileReader(io.BytesIO(pdf), strict=False).embedded_regular_signatures[number]
            return await async_validate_pdf_signature(
                signature,
                _context(roots, signature.other_embedded_certs, moment),
                key_usage_settings=_key_usage(),
            )

        found = signatures[number]
        one = _judged(judge, found.signed_data, found, found.self_reported_timestamp, trust, "pdf")
        if result is None or not one.valid:
            result = one
    return result or VerificationResult(Answer.NOT_SIGNED, "verify.not_signed", "pdf")


def verify_manifest(
    manifest: bytes, signature: bytes, *, trust: Sequence[bytes] = (), objects: Mapping[str, bytes] | None = None
) -> VerificationResult:
    """A detached CAdES over a manifest; ``objects`` given by SOP Instance UID must have the SHA-256 named in it."""
    from asn1crypto import cms  # type: ignore[import-untyped]
    from pyhanko.sign.general import extract_certificate_info
    from pyhanko.sign.validation import async_validate_detached_cms

    try:
        info = cms.ContentInfo.load(signature)
        signed_data = info["content"]
        certificates = extract_certificate_info(signed_data)
        claimed = _claimed_time(signed_data)
        content = json.loads(manifest.decode("utf-8"))
        named = {str(o["sop_instance_uid"]): str(o["sha256"]) for o in content["objects"]}
    except Exception:  # bytes from outside
        return VerificationResult(Answer.UNREADABLE, "verify.unreadable", "")

    async def judge(roots: Sequence[Any], moment: Any) -> Any:
        return await async_validate_detached_cms(
            manifest,
            cms.ContentInfo.load(signature)["content"],
            _context(roots, certificates.other_certs, moment),
            key_usage_settings=_key_usage(),
        )

    result = _judged(judge, signed_data, certificates, claimed, trust, "manifest")
    result = _named(result, report_id=str(content.get("report_id", "")))
    for uid, data in (objects or {}).items():
        if uid in named and hashlib.sha256(data).hexdigest() != named[uid]:
            return _named(result, answer=Answer.CHANGED, code="verify.object_differs", params={"sop_instance_uid": uid})
    if objects is not None:
        for uid in named:
            if uid not in objects:
                return _named(result, answer=Answer.CHANGED, code="verify.missing_object", params={"sop_instance_uid": uid})
    return result


def _verify_receipt(
    content: Mapping[str, Any], trust: Sequence[bytes], objects: Mapping[str, bytes] | None
) -> VerificationResult:
    try:
        manifest = base64.b64decode(content["manifest"], validate=True)
        signature = base64.b64decode(content["signature"], validate=True)
        named = {str(o["sop_instance_uid"]): str(o["sha256"]) for o in json.loads(manifest)["objects"]}
        receipts = list(content["receipts"])
        proven = {
            str(r["sop_instance_uid"])
            for r in receipts
            if r["level"] == "verified" and r["sha256_sent"] == r["sha256_read_back"] == named.get(r["sop_instance_uid"])
        }
        claims = content["state"] == "verified"
    except (KeyError, TypeError, ValueError):
        return VerificationResult(Answer.UNREADABLE, "verify.unreadable", "")
    result = _named(verify_manifest(manifest, signature, trust=trust, objects=objects), kind="receipt")
    if not result.valid:
        return result
    if not claims or set(named) - proven:
        return _named(result, answer=Answer.CHANGED, code="verify.receipt_not_proven")
    return _named(result, code="verify.receipt_proven")


def _named(result: VerificationResult, **changes: Any) -> VerificationResult:
    from dataclasses import replace

    return replace(result, **changes)


def _key_usage() -> Any:
    from pyhanko.sign.validation.settings import KeyUsageConstraints

    return KeyUsageConstraints(key_usage={"digital_signature", "non_repudiation"}, match_all_key_usages=False)


def _context(roots: Sequence[Any], others: Sequence[Any], moment: Any) -> Any:
    from pyhanko_certvalidator import ValidationContext

    return ValidationContext(
        trust_roots=list(roots),
        other_certs=list(others),
        moment=moment,
        allow_fetching=False,
        revocation_mode="soft-fail",
    )


def _claimed_time(signed_data: Any) -> Any:
    for attribute in signed_data["signer_infos"][0]["signed_attrs"]:
        if attribute["type"].native == "signing_time":
            return attribute["values"][0].native
    return None


def _load(certificate: bytes) -> Any:
    from asn1crypto import pem, x509

    if pem.detect(certificate):
        _, _, certificate = pem.unarmor(certificate)
    return x509.Certificate.load(certificate)


def _computable(signed_data: Any) -> bool:
    """False for algorithms that no library here knows, such as GOST 34.10-2015 under its Kazakh identifiers."""
    signer = signed_data["signer_infos"][0]
    names = (str(signer["signature_algorithm"]["algorithm"].native), str(signer["digest_algorithm"]["algorithm"].native))
    return not any(name[:1].isdigit() for name in names)  # an unknown one has no name, only its number


def _judged(
    judge: Any, signed_data: Any, certificates: Any, claimed: Any, trust: Sequence[bytes], kind: str
) -> VerificationResult:
    """Runs the validation against the trusted authorities, then, to tell why it fails, against the signature's own.

    The moment is the one that the signer claims: without a time stamp there is no better one, and the result says so.
    """
    certificate = certificates.signer_cert
    others: Any = getattr(certificates, "other_embedded_certs", None) or getattr(certificates, "other_certs", ())
    subject = certificate.subject.native
    demonstration = DEMO_MARK in str(subject.get("organizational_unit_name", ""))
    own = [c for c in (*others, certificate) if c.self_issued]
    trusted = [_load(der) for der in trust]
    about: dict[str, Any] = {
        "kind": kind,
        "demonstration": demonstration,
        "signer": str(subject.get("common_name", "")),
        "issuer": str(certificate.issuer.native.get("common_name", "")),
        "certificate_sha256": certificate.sha256.hex(),
        "signed_at": claimed.isoformat() if claimed is not None else "",
    }
    # A demonstration certificate is checked against its own test authority, and always labelled.
    if not _computable(signed_data):
        return VerificationResult(Answer.NOT_VERIFIABLE, "verify.not_verifiable", **about)
    status = _try(judge, [*trusted, *(own if demonstration else [])], claimed)
    if status is not None and status.timestamp_validity is not None and status.timestamp_validity.valid:
        about["time_stamped"] = True
    if status is not None and status.bottom_line:
        return VerificationResult(Answer.VALID, "verify.valid", **about)
    if claimed is not None and not (certificate.not_valid_before <= claimed <= certificate.not_valid_after):
        answer, code = Answer.EXPIRED, "verify.expired"
    else:
        answer, code = Answer.UNTRUSTED, "verify.untrusted"
    with_own = _try(judge, [*trusted, *own, certificate], certificate.not_valid_before)
    if with_own is None or not with_own.bottom_line:
        answer, code = Answer.CHANGED, "verify.changed"
    return VerificationResult(answer, code, **about)


def _try(judge: Any, roots: Sequence[Any], moment: Any) -> Any:
    """The library's status, or None: whatever fails about a signature from outside, it is not valid."""
    try:
        return run_async(lambda: judge(roots, moment))
    except Exception as error:
        log.info("a signature could not be judged: %s", type(error).__name__)
        return None


def receipt_document(
    *,
    report_id: str,
    manifest: bytes,
    signature: bytes,
    receipts: Sequence[Mapping[str, Any]],
    state: str,
) -> dict[str, Any]:
    """JSON-able proof of one report: what was signed and what the target said. ``state``: accepted or verified.

    ``receipts``: rows with sop_instance_uid, target, level, sha256_sent, sha256_read_back, checked_at, server.
    """
    return {
        "schema": RECEIPT_SCHEMA,
        "state": state,
        "report_id": report_id,
        "manifest": base64.b64encode(manifest).decode(),
        "signature": base64.b64encode(signature).decode(),
        "receipts": [dict(row) for row in receipts],
    }
