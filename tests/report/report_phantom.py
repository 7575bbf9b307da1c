"""A report with everything in it, in any language."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import datetime, timedelta, timezone

import numpy as np

from app.domain.report import KeyImage, Origin, Report
from app.domain.verdict import Decision, FirstOpinion, ImageQuality, Overall, RejectReason, Verdict
from app.report.compose import ReportFinding, compose
from app.report.pdf import SignatureBlock, VerdictRow
from tests.dicom.objects_phantom import ai_finding, ct_study, own_mark


def png(seed: int, size: tuple[int, int] = (224, 148)) -> bytes:
    from PIL import Image

    y, x = np.mgrid[0 : size[1], 0 : size[0]]
    grey = 30 + 60 * np.exp(-((x - 112) ** 2 + (y - 74) ** 2) / (900 + 200 * seed))
    buffer = io.BytesIO()
    Image.fromarray((grey * 2).clip(0, 255).astype(np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def key_image(number: int, finding_id: str) -> KeyImage:
    return KeyImage(number, "S1+2", "1.2.3", 0, finding_id, png(number))


def opinion(overall: Overall = Overall.FINDINGS) -> FirstOpinion:
    study = ct_study()
    return FirstOpinion(study.study_instance_uid, "doctor-7", "hlc", overall, ImageQuality.DIAGNOSTIC, (own_mark(),))


def full_report(language: str, demonstration: bool = False) -> Report:
    accepted, mine = ai_finding(), own_mark()
    return compose(
        ct_study(),
        language=language,
        findings=(ReportFinding(accepted, Origin.AI_ACCEPTED), ReportFinding(mine, Origin.BOTH)),
        opinion=opinion(),
        key_images=(key_image(1, accepted.finding_id), key_image(2, mine.finding_id)),
        comparison="20250909",
        demonstration=demonstration,
    )


def verdict_rows() -> tuple[VerdictRow, ...]:
    first, second, third = ai_finding(1), ai_finding(2, 2), ai_finding(3, 4)
    changed = replace(own_mark(), finding_id=third.finding_id)
    return (
        VerdictRow("A1", first, Verdict("v1", first.finding_id, Decision.ACCEPTED, "d", "h")),
        VerdictRow(
            "A2", second, Verdict("v2", second.finding_id, Decision.REJECTED, "d", "h", RejectReason.ARTEFACT, "тамыр")
        ),
        VerdictRow("A3", third, Verdict("v3", third.finding_id, Decision.MODIFIED, "d", "h", modified=changed)),
    )


def signature_block(test_certificate: bool = True) -> SignatureBlock:
    at = datetime(2026, 11, 17, 10, 34, 8, tzinfo=timezone(timedelta(hours=5)))
    return SignatureBlock("Жақсыбекова Айнұр Ерланқызы", "CN=Test CA", "ab" * 32, at, test_certificate)
