from __future__ import annotations

import base64
import json
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from app.dicom.encapsulated import ENCAPSULATED_PDF, encapsulate_pdf
from app.domain.problem import ProblemError
from app.domain.report import StoredObject
from app.report.pdf import render_pdf
from app.report.signature import build_manifest, canonical_json, sign_manifest, sign_report
from app.report.verification import Answer, receipt_document, verify_file, verify_manifest
from app.security.certificates import SigningIdentity, load_pkcs12, make_demo_certificate
from tests.dicom.objects_phantom import ct_study, header
from tests.report.authority import certificate_of, site_of
from tests.report.report_phantom import full_report, signature_block

AT = datetime(2026, 11, 17, 5, 34, 8, tzinfo=UTC)


@pytest.fixture(scope="module")
def demo() -> SigningIdentity:
    return load_pkcs12(make_demo_certificate("Жақсыбекова Айнұр", "1234"), "1234")


@pytest.fixture(scope="module")
def doctor() -> tuple[SigningIdentity, bytes]:
    return certificate_of("Ахметов Ержан")


@pytest.fixture(scope="module")
def pdf() -> bytes:
    return render_pdf(full_report("ru"), signature=signature_block())


def test_a_trusted_signature_is_valid(pdf: bytes, doctor: tuple[SigningIdentity, bytes]) -> None:
    identity, authority = doctor
    signed = sign_report(pdf, identity, reason="Заключение")
    assert signed.level == "B-B"
    assert signed.pdf.startswith(pdf[:8])
    result = verify_file(signed.pdf, trust=[authority])
    assert (result.answer, result.code, result.valid) == (Answer.VALID, "verify.valid", True)
    assert (result.signer, result.demonstration, result.time_stamped) == ("Ахметов Ержан", False, False)
    assert result.certificate_sha256 == identity.sha256


def test_an_unknown_authority_is_untrusted_not_valid(pdf: bytes, doctor: tuple[SigningIdentity, bytes]) -> None:
    result = verify_file(sign_report(pdf, doctor[0]).pdf)
    assert (result.answer, result.valid) == (Answer.UNTRUSTED, False)


def test_a_demonstration_signature_says_so(pdf: bytes, demo: SigningIdentity) -> None:
    result = verify_file(sign_report(pdf, demo).pdf)
    assert result.valid
    assert result.demonstration


def test_every_changed_byte_region_is_found(pdf: bytes, demo: SigningIdentity) -> None:
    signed = sign_report(pdf, demo).pdf
    for place in (len(pdf) // 3, len(pdf) // 2, len(pdf) - 30):
        changed = bytearray(signed)
        changed[place] = ord("0") if changed[place] != ord("0") else ord("1")
        assert verify_file(bytes(changed)).answer in (Answer.CHANGED, Answer.UNREADABLE)
    # the signature value is the end of the CMS, before the zeros that fill its room
    begin = signed.index(b"/Contents <") + len(b"/Contents <")
    end = begin + len(signed[begin : signed.index(b">", begin)].rstrip(b"0"))
    changed = bytearray(signed)
    changed[end - 40] = ord("0") if changed[end - 40] != ord("0") else ord("1")
    assert verify_file(bytes(changed)).answer is Answer.CHANGED


def test_something_added_after_signing_is_found(pdf: bytes, demo: SigningIdentity) -> None:
    import io

    from pyhanko.pdf_utils.generic import NameObject, pdf_string
    from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter

    writer = IncrementalPdfFileWriter(io.BytesIO(sign_report(pdf, demo).pdf))
    page, _ = writer.find_page_for_modification(0)
    page.get_object()[NameObject("/Contents")] = writer.add_object(
        __import__("pyhanko.pdf_utils.generic", fromlist=["StreamObject"]).StreamObject(stream_data=b"BT ET")
    )
    page.get_object()[NameObject("/Note")] = pdf_string("added")
    writer.update_container(page.get_object())
    buffer = io.BytesIO()
    writer.write(buffer)
    result = verify_file(buffer.getvalue())
    assert (result.answer, result.valid) == (Answer.CHANGED, False)


def test_the_pdf_inside_a_dicom_object_verifies(pdf: bytes, demo: SigningIdentity, tmp_path: Path) -> None:
    data = encapsulate_pdf(ct_study(), sign_report(pdf, demo).pdf, "Қорытынды", header("pdf"))
    file = tmp_path / "report.dcm"
    file.write_bytes(data)
    result = verify_file(file)
    assert (result.kind, result.valid, result.sop_instance_uid) == ("dicom", True, header("pdf").sop_instance_uid)
    changed = bytearray(data)
    changed[len(data) // 2] ^= 1
    assert not verify_file(bytes(changed)).valid


def test_no_signature_and_no_document(pdf: bytes) -> None:
    assert verify_file(pdf).answer is Answer.NOT_SIGNED
    for data in (b"", b"hello", b"%PDF-1.7 rubbish", b"[]", b'{"schema": "other"}', b"\0" * 128 + b"DICM" + b"x" * 50):
        assert verify_file(data).answer is Answer.UNREADABLE


def test_a_signature_outside_the_validity_is_refused(pdf: bytes, demo: SigningIdentity) -> None:
    with pytest.raises(ProblemError) as caught:
        sign_report(pdf, demo, now=demo.not_after + timedelta(days=1))
    assert caught.value.problem.code == "sign.certificate_expired"
    with pytest.raises(ProblemError) as caught:
        sign_manifest(b"{}", demo, now=demo.not_before - timedelta(days=1))
    assert caught.value.problem.code == "sign.certificate_not_yet_valid"


def test_what_is_no_pdf_is_not_signed(demo: SigningIdentity) -> None:
    with pytest.raises(ProblemError) as caught:
        sign_report(b"no pdf", demo)
    assert caught.value.problem.code == "report.not_signable"


OBJECTS = {"1.2.3": b"first object", "1.2.4": b"second object"}


def manifest_for(identity: SigningIdentity) -> bytes:
    import hashlib

    objects = [
        StoredObject(u, ENCAPSULATED_PDF, "1.2", "1.1", "report_pdf", hashlib.sha256(d).hexdigest(), len(d), "n")
        for u, d in reversed(OBJECTS.items())
    ]
    return build_manifest(
        report_id="2.25.9", version=1, study_instance_uid="1.1", objects=objects, signer=identity, signed_at=AT
    )


def test_the_manifest_is_canonical_and_signed_once(demo: SigningIdentity) -> None:
    manifest = manifest_for(demo)
    assert canonical_json(json.loads(manifest)) == manifest
    assert [o["sop_instance_uid"] for o in json.loads(manifest)["objects"]] == ["1.2.3", "1.2.4"]
    signature = sign_manifest(manifest, demo)
    assert verify_manifest(manifest, signature, objects=OBJECTS).valid
    assert verify_manifest(manifest.replace(b'"version":1', b'"version":2'), signature).answer is Answer.CHANGED
    changed = verify_manifest(manifest, signature, objects={**OBJECTS, "1.2.4": b"other"})
    assert (changed.valid, changed.code) == (False, "verify.object_differs")
    gone = verify_manifest(manifest, signature, objects={"1.2.3": OBJECTS["1.2.3"]})
    assert (gone.valid, gone.code) == (False, "verify.missing_object")


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
def test_openssl_agrees_about_the_manifest(doctor: tuple[SigningIdentity, bytes], tmp_path: Path) -> None:
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding

    identity, authority = doctor
    manifest = manifest_for(identity)
    (tmp_path / "m.json").write_bytes(manifest)
    (tmp_path / "m.p7s").write_bytes(sign_manifest(manifest, identity))
    (tmp_path / "ca.pem").write_bytes(x509.load_der_x509_certificate(authority).public_bytes(Encoding.PEM))
    command = ["openssl", "cms", "-verify", "-cades", "-inform", "DER", "-in", "m.p7s", "-content", "m.json"]
    command += ["-CAfile", "ca.pem", "-binary", "-purpose", "any", "-out", "out"]
    assert subprocess.run(command, cwd=tmp_path, capture_output=True, check=False, timeout=60).returncode == 0  # noqa: S603
    (tmp_path / "m.json").write_bytes(manifest + b" ")
    assert subprocess.run(command, cwd=tmp_path, capture_output=True, check=False, timeout=60).returncode != 0  # noqa: S603


@pytest.mark.parametrize("bad", [1.5, None, {"ключ": 1}, 2**60])
def test_what_has_no_canonical_form_is_refused(bad: object) -> None:
    with pytest.raises(TypeError):
        canonical_json({"x": bad} if not isinstance(bad, dict) else bad)


def receipt(identity: SigningIdentity, **changes: str) -> dict[str, object]:
    manifest = manifest_for(identity)
    rows = []
    for o in json.loads(manifest)["objects"]:
        row = {
            "sop_instance_uid": o["sop_instance_uid"],
            "target": "folder",
            "level": "verified",
            "sha256_sent": o["sha256"],
            "sha256_read_back": o["sha256"],
            "checked_at": "2026-11-17T05:40:00Z",
            "server": "",
        }
        rows.append({**row, **changes} if o["sop_instance_uid"] == "1.2.4" else row)
    signature = sign_manifest(manifest, identity)
    return receipt_document(report_id="2.25.9", manifest=manifest, signature=signature, receipts=rows, state="verified")


def test_a_receipt_is_proven_only_by_equal_bytes(demo: SigningIdentity) -> None:
    good = verify_file(json.dumps(receipt(demo)).encode())
    assert (good.kind, good.valid, good.code, good.report_id) == ("receipt", True, "verify.receipt_proven", "2.25.9")
    for changes in ({"sha256_read_back": "0" * 64}, {"level": "accepted"}, {"sha256_sent": "1", "sha256_read_back": "1"}):
        bad = verify_file(json.dumps(receipt(demo, **changes)).encode())
        assert (bad.valid, bad.code) == (False, "verify.receipt_not_proven")
    forged = receipt(demo)
    forged["manifest"] = base64.b64encode(base64.b64decode(str(forged["manifest"])).replace(b"1.2.3", b"1.2.9")).decode()
    assert not verify_file(json.dumps(forged).encode()).valid


def test_a_time_stamp_and_revocation_data_make_it_last(pdf: bytes) -> None:
    site = site_of("Ахметов Ержан")
    stamped = sign_report(pdf, site.identity, time_stamper=site.time_stamper)
    assert stamped.level == "B-T"
    result = verify_file(stamped.pdf, trust=[site.authority_der])
    assert (result.valid, result.time_stamped) == (True, True)
    lasting = sign_report(pdf, site.identity, time_stamper=site.time_stamper, crls=[site.crl_der])
    assert lasting.level == "B-LT"
    assert b"/DSS" in lasting.pdf
    result = verify_file(lasting.pdf, trust=[site.authority_der])
    assert (result.valid, result.time_stamped) == (True, True)
    manifest = manifest_for(site.identity)
    signature = sign_manifest(manifest, site.identity, time_stamper=site.time_stamper)
    assert verify_manifest(manifest, signature, trust=[site.authority_der]).time_stamped


def test_signed_after_the_certificate_ended(pdf: bytes) -> None:
    past = datetime.now(UTC) - timedelta(days=400)
    site = site_of("Ахметов Ержан", at=past)
    result = verify_file(sign_report(pdf, site.identity, now=past).pdf, trust=[site.authority_der])
    assert (result.answer, result.code) == (Answer.EXPIRED, "verify.expired")


def test_an_algorithm_that_we_cannot_compute_is_neither_valid_nor_invalid(doctor: tuple[SigningIdentity, bytes]) -> None:
    from asn1crypto import cms

    identity, authority = doctor
    manifest = manifest_for(identity)
    info = cms.ContentInfo.load(sign_manifest(manifest, identity))
    signer = info["content"]["signer_infos"][0]
    signer["signature_algorithm"] = cms.SignedDigestAlgorithm({"algorithm": "1.2.398.3.10.1.1.2.3.1"})  # GOST of Kazakhstan
    result = verify_manifest(manifest, info.dump(force=True), trust=[authority])
    assert (result.answer, result.code) == (Answer.NOT_VERIFIABLE, "verify.not_verifiable")
