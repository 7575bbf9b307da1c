"""Signs a packet: the document, the objects beside it, the manifest over all of them, in one transaction with the queue."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.domain.finding import ReaderIdentity
from app.domain.ports import Progress
from app.domain.report import Report, StoredObject
from app.report.pdf import SignatureBlock, VerdictRow, render_pdf
from app.report.signature import build_manifest, sign_manifest, sign_report
from app.security.certificates import SigningIdentity
from app.session.report_packet import (
    PRIORITY,
    PacketInput,
    ai_objects,
    look_objects,
    own_masks,
    report_objects,
    verdict_object,
)
from app.store.database import Tx
from app.store.library import Library


@dataclass(frozen=True)
class Ready:
    """A packet with everything that does not need the main thread any more."""

    packet: PacketInput
    identity: SigningIdentity
    verdict_rows: tuple[VerdictRow, ...]
    readers: tuple[ReaderIdentity, ...]


def sign_packet(library: Library, targets: Sequence[str], ready: Ready, progress: Progress) -> Report:
    """On a task thread: objects, signature, then one transaction that keeps all of it and queues it for ``targets``."""
    packet, identity, report = ready.packet, ready.identity, ready.packet.report
    uid, person = packet.study.study_instance_uid, packet.person.person_id
    progress.report(0.1, "sign.stage.document")
    block = SignatureBlock(identity.common_name, identity.issuer, identity.sha256, packet.signed_at, identity.demonstration)
    unsigned = render_pdf(
        report,
        verdicts=ready.verdict_rows,
        readers=ready.readers,
        signature=block,
        institution=packet.study.institution,
    )
    document = sign_report(unsigned, identity)
    progress.report(0.4, "sign.stage.objects")
    ai = ai_objects(packet)
    written = [
        *report_objects(packet, document.pdf),
        verdict_object(packet, ai),
        *ai,
        *own_masks(packet),
        *look_objects(packet),
    ]
    progress.report(0.7, "sign.stage.storing")
    known = {o.sop_instance_uid: o for o in library.reports.objects_of_study(uid)}
    stored: list[StoredObject] = []
    for item in written:
        # An addendum names the second readers' objects that the first report has sent; they are not written again.
        if item.sop_instance_uid in known:
            stored.append(known[item.sop_instance_uid])
            continue
        kept = library.objects.put(item.content)
        stored.append(
            StoredObject(
                item.sop_instance_uid,
                item.sop_class_uid,
                item.series_instance_uid,
                uid,
                item.kind,
                kept.sha256,
                kept.size_bytes,
                kept.name,
            )
        )
    manifest = build_manifest(
        report_id=report.report_id,
        version=report.version,
        study_instance_uid=uid,
        objects=stored,
        signer=identity,
        signed_at=packet.signed_at,
        replaces=report.replaces,
        demonstration=packet.demonstration,
    )
    signature = sign_manifest(manifest, identity)
    progress.report(0.9, "sign.stage.queueing")

    def work(tx: Tx) -> None:
        library.reports.sign(
            tx,
            report,
            stored,
            person_id=person,
            manifest=manifest,
            signature=signature,
            certificate_sha256=identity.sha256,
            details={"level": document.level, "signer": identity.common_name},
        )
        for target in targets:
            for item in stored:
                library.outbox.enqueue(
                    tx,
                    target,
                    item,
                    report_id=report.report_id,
                    priority=PRIORITY[item.kind],
                    person=person,
                )

    library.write(work)
    return report
