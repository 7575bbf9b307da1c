"""Against a real archive: what it takes, keeps, loses and says."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from app.dicom.encapsulated import encapsulate_pdf
from app.dicom.key_objects import KEY_OBJECT_SELECTION, key_objects
from app.dicom.parametric_map import PARAMETRIC_MAP, heatmap_pm
from app.dicom.structured_report import COMPREHENSIVE_3D_SR, ai_findings_sr
from app.domain.finding import Heatmap
from app.domain.identity import uid_for
from app.domain.outbox import OutboxState
from app.domain.report import StoredObject
from app.domain.study import Patient
from app.store.library import Library
from app.sync.store_outbox import StoreOutbox
from app.sync.target import Differs
from app.sync.targets.dicomweb import DicomWebSettings, DicomWebTarget
from app.sync.worker import DrainReport, SyncWorker
from tests.dicom.objects_phantom import GEOMETRY, NODULE, READER, ai_finding, ai_result, ct_study, film_study, header
from tests.servers import Orthanc, running_orthanc
from tests.store.conftest import HandClock
from tests.sync.objects import TARGET, item_of, pdf_object, queue


@pytest.fixture(scope="module")
def orthanc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    with running_orthanc(tmp_path_factory.mktemp("orthanc")) as server:
        yield server


def target(server: Orthanc, clock: HandClock, password: str = Orthanc.PASSWORD) -> DicomWebTarget:
    return DicomWebTarget(DicomWebSettings(TARGET, server.url, Orthanc.USER, password), clock)


def test_every_kind_of_object_comes_back_byte_for_byte(orthanc: Orthanc, library: Library, clock: HandClock) -> None:
    image = uid_for("objects", "ct", "1")
    maps = Heatmap(NODULE, np.zeros(GEOMETRY.shape, np.float16), GEOMETRY)
    objects = {
        "all ai": (COMPREHENSIVE_3D_SR, ai_findings_sr(ct_study(), ai_result(ai_finding()), header("all ai"))),
        "all ko": (KEY_OBJECT_SELECTION, key_objects(ct_study(), (image,), header("all ko"))),
        "all pm": (PARAMETRIC_MAP, heatmap_pm(ct_study(), maps, READER, header("all pm"))),
    }
    items = queue(library, "all pdf")
    for name, (sop_class, data) in objects.items():
        put = library.objects.put(data)
        stored = StoredObject(
            header(name).sop_instance_uid,
            sop_class,
            header(name).series_instance_uid,
            ct_study().study_instance_uid,
            "object",
            put.sha256,
            put.size_bytes,
            put.name,
        )
        items.append(library.write(lambda tx, s=stored: library.outbox.enqueue(tx, TARGET, s)))  # type: ignore[misc]
    worker = SyncWorker(StoreOutbox(library), {TARGET: target(orthanc, clock)}, clock)
    assert worker.drain_once() == DrainReport(proven=4)
    for item in items:
        receipts = library.outbox.receipts(item.item_id)
        assert [r.level for r in receipts] == ["accepted", "verified"]
        assert receipts[-1].sha256_read_back == item.sha256


def test_the_line_goes_down_and_comes_back(orthanc: Orthanc, library: Library, clock: HandClock) -> None:
    worker = SyncWorker(StoreOutbox(library), {TARGET: target(orthanc, clock)}, clock, draw=lambda: 1.0)
    items = queue(library, "line one", "line two")
    orthanc.stop()
    try:
        worker.drain_once()
        assert library.outbox.counts()[OutboxState.WAITING] == 1
        assert library.outbox.counts()[OutboxState.VERIFIED] == 0
    finally:
        orthanc.start()
    before = orthanc.count()
    clock.wall += 3600
    assert worker.drain_once() == DrainReport(proven=2)
    assert orthanc.count() == before + len(items)


def test_it_keeps_old_bytes_and_says_success_and_we_notice(orthanc: Orthanc, clock: HandClock) -> None:
    web = target(orthanc, clock)
    old, new = pdf_object("old bytes", b"old"), pdf_object("old bytes", b"new")
    web.send(item_of(old, "old bytes"), old)
    assert web.send(item_of(new, "old bytes"), new).level == "accepted"  # this is what the archive says
    with pytest.raises(Differs):
        web.prove(item_of(new, "old bytes"), new)


def test_a_wrong_password_stops_the_queue(orthanc: Orthanc, library: Library, clock: HandClock) -> None:
    worker = SyncWorker(StoreOutbox(library), {TARGET: target(orthanc, clock, "wrong")}, clock)
    queue(library, "password")
    assert worker.drain_once() == DrainReport(needs_person=1)
    health = target(orthanc, clock, "wrong").check()
    assert health.problem is not None
    assert health.problem.code == "sync.not_authorised"
    assert target(orthanc, clock).check().up


def test_an_archive_that_throws_away_is_found_out(tmp_path: Path, library: Library, clock: HandClock) -> None:
    with running_orthanc(tmp_path / "small", MaximumStorageSize=1) as small:
        web = target(small, clock)
        worker = SyncWorker(StoreOutbox(library), {TARGET: web}, clock)
        items = queue(library, "thrown away")
        assert worker.drain_once() == DrainReport(proven=1)
        for n in range(5):  # further patients push the oldest one out
            study = replace(film_study(), patient=Patient(f"P{n}"), study_instance_uid=uid_for("filler", str(n)))
            filler = encapsulate_pdf(study, b"%PDF-1.4 " + bytes(300_000), "x", header(f"filler {n}"))
            web.send(replace(item_of(filler, f"filler {n}"), study_instance_uid=study.study_instance_uid), filler)
        assert small.count() < 6
        clock.wall += 25 * 3600
        worker.drain_once()
        found = library.outbox.item(items[0].item_id)
        assert found is not None
        assert (found.state, found.last_problem) == (OutboxState.QUEUED, "sync.not_there")
