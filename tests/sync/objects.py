"""Objects to send, and items about them."""

from __future__ import annotations

import hashlib

from app.dicom.encapsulated import ENCAPSULATED_PDF, encapsulate_pdf
from app.domain.outbox import OutboxItem, OutboxState
from app.domain.report import StoredObject
from app.store.library import Library
from tests.dicom.objects_phantom import ct_study, header
from tests.store.conftest import HandClock

TARGET = "archive"


def pdf_object(name: str = "one", content: bytes = b"") -> bytes:
    return encapsulate_pdf(ct_study(), b"%PDF-1.4 " + (content or name.encode()), "Қорытынды", header(name))


def stored_object(library: Library, name: str, data: bytes) -> StoredObject:
    put = library.objects.put(data)
    about = header(name)
    return StoredObject(
        about.sop_instance_uid,
        ENCAPSULATED_PDF,
        about.series_instance_uid,
        ct_study().study_instance_uid,
        "report_pdf",
        put.sha256,
        put.size_bytes,
        put.name,
    )


def queue(library: Library, *names: str, target: str = TARGET) -> list[OutboxItem]:
    items = []
    for n, name in enumerate(names):
        stored = stored_object(library, name, pdf_object(name))
        items.append(library.write(lambda tx, s=stored, n=n: library.outbox.enqueue(tx, target, s, priority=n)))  # type: ignore[misc]
    return items


def item_of(data: bytes, name: str = "one", attempts: int = 1) -> OutboxItem:
    about = header(name)
    return OutboxItem(
        "item-1",
        TARGET,
        ct_study().study_instance_uid,
        "report-1",
        about.sop_instance_uid,
        ENCAPSULATED_PDF,
        "object-name",
        hashlib.sha256(data).hexdigest(),
        len(data),
        "report_pdf",
        1,
        OutboxState.SENDING,
        attempts,
    )


__all__ = ["TARGET", "HandClock", "item_of", "pdf_object", "queue", "stored_object"]
