"""Further steps of a sitting for :mod:`tests.perf.event_loop`: overlays, fusion, a curve, what leaves the window."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from shiboken6 import isValid

from tests.perf.journeys import Reader, Step

SLICES, SEGMENTS = 120, 12


def write_overlaid(folder: Path) -> Path:
    """A CT of 512 x 512 with a second series of the same place, a segmentation of its grid and a presentation state."""
    import pydicom

    from app.domain.volume import Volume
    from tests import phantoms
    from tests.dicom.saved_phantom import item, part10, presentation_state
    from tests.perf.seg_objects import label_volume, write_binary

    random = np.random.default_rng(4)
    grid = phantoms.geometry((SLICES, 512, 512), (1.25, 0.7, 0.7))
    labels = label_volume(grid.shape, SEGMENTS)
    voxels = (labels.astype(np.int16) * 40 - 900 + random.integers(-30, 30, grid.shape, dtype=np.int16)).astype(np.int16)
    files = phantoms.write_ct(folder / "first", Volume(voxels, grid, "HU"), key="overlaid")
    phantoms.write_ct(folder / "second", Volume(-voxels, grid, "HU"), key="overlaid", series_key="second", number=2)
    source = pydicom.dcmread(files[SLICES // 2], stop_before_pixels=True)
    study = (str(source.StudyInstanceUID), str(source.FrameOfReferenceUID))
    write_binary(folder / "seg.dcm", labels, SEGMENTS, grid, study, source)
    uids = [pydicom.dcmread(f, stop_before_pixels=True).SOPInstanceUID for f in files]
    references = [item(ReferencedSOPClassUID=source.SOPClassUID, ReferencedSOPInstanceUID=uid) for uid in uids]
    state = pydicom.dcmread(io.BytesIO(part10(presentation_state(GraphicAnnotationSequence=[]))))
    for element in source:
        if element.tag.group == 0x0010:
            state.add(element)
    state.SpecificCharacterSet = source.SpecificCharacterSet
    state.StudyInstanceUID, state.StudyDate, state.StudyTime = source.StudyInstanceUID, source.StudyDate, source.StudyTime
    state.ReferencedSeriesSequence = [item(SeriesInstanceUID=source.SeriesInstanceUID, ReferencedImageSequence=references)]
    (folder / "look.dcm").write_bytes(part10(state))
    return folder


def overlaying(reader: Reader) -> Iterator[Step]:
    """What is laid over the images, as far as the study has any of it."""
    reading, demo = reader.reading, reader.demo
    saved = reading.saved  # type: ignore[attr-defined]
    for line in saved.listed():
        yield f"{line.kind} on", lambda uid=line.sop_instance_uid: saved.toggle(uid)
        yield f"scroll with {line.kind}", lambda: reader.keys("Down", 20)
        yield f"{line.kind} off", lambda uid=line.sop_instance_uid: saved.toggle(uid)
    for card in reading.series_cards():  # type: ignore[attr-defined]
        for look in card.looks[:1]:
            yield "look", lambda c=card, k=look: saved.apply_look(c.display_set_id, k.sop_instance_uid)
            yield "scroll as saved", lambda: reader.keys("Up", 20)
            yield "look off", lambda c=card: saved.apply_look(c.display_set_id, "")
    if reading.room.fusion.possible():  # type: ignore[attr-defined]
        command = reading.command  # type: ignore[attr-defined]
        yield "fuse", lambda: (command("fuse_next"), demo.pump(0.5))
        yield "fade", lambda: [command(k) for k in ("fuse_more",) * 4 + ("fuse_less",) * 4]
        yield "colours of the fusion", lambda: [command("fuse_colours") for _ in range(4)]
        yield "window of the fusion", lambda: [command("fuse_window") for _ in range(3)]
        yield "scroll fused", lambda: reader.keys("Down", 20)
        yield "fusion off", lambda: command("fuse_off")
    yield "curve", lambda: curve(reader)
    yield "wheel along the curve", lambda: reader.keys("Down", 10)
    yield "curve off", lambda: reader.keys("Ctrl+Z", 2)
    yield "layout 1x1 again", lambda: reading.set_layout("1x1")  # type: ignore[attr-defined]


def curve(reader: Reader) -> None:
    """Five clicks and one on the last point, which ends it."""
    reader.reading.set_tool("curve")  # type: ignore[attr-defined]
    pane = reader.pane()
    w, h = pane.width(), pane.height()
    points = [
        QPoint(w // 2 + dx * w // 24, h // 2 + dy * h // 24) for dx, dy in ((-4, 0), (-2, -3), (0, -4), (2, -3), (4, 0))
    ]
    for at in (*points, points[-1]):
        QTest.mouseMove(pane, at)
        QTest.mouseClick(pane, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, at)
        reader.demo.pump(0.05)
    reader.demo.pump(0.5)


def leaving(reader: Reader) -> Iterator[Step]:
    """Prints, exports, videos, the patient's window."""
    from app.session.export_desk import ExportPhase, ExportWish
    from app.ui.reading.print_sheet import PrintSheet

    demo, window = reader.demo, reader.demo.window
    desk = demo.workstation.exports
    uid = reader.reading.study.study_instance_uid  # type: ignore[attr-defined]

    def pages() -> None:
        window.screen_widget("reading").show_print()  # type: ignore[attr-defined]
        demo.pump(0.3)
        sheet = window.findChildren(PrintSheet)[-1]
        demo.until(lambda: sheet.settled, 30, "preview")
        sheet.save(demo.out / "pages.pdf")
        # The sheet leaves by itself once the pages are written.
        demo.until(lambda: (demo.out / "pages.pdf").exists() and not isValid(sheet), 60, "pages")

    def export(name: str, deidentified: bool) -> None:
        desk.choose([uid])
        desk.start(demo.out / name, ExportWish(deidentified=deidentified))
        reader.keys("Down", 10)
        demo.until(lambda: desk.view().phase in (ExportPhase.DONE, ExportPhase.FAILED), 120, "export")

    def video() -> None:
        reading = reader.reading
        try:
            reading.videos.save(reading.room.active, (900, 700), True, demo.out / "video.mp4")  # type: ignore[attr-defined]
        except Exception as error:
            print(f"no video: {error}")
            return
        reader.keys("Up", 20)
        demo.until(lambda: not demo.workstation.tasks(), 120, "video")

    yield "patient window", lambda: (window.toggle_patient_window(), demo.pump(0.4))
    yield "scroll for the patient", lambda: reader.keys("Down", 20)
    yield "patient window off", lambda: window.toggle_patient_window()
    yield "print", pages
    yield "export", lambda: export("out", False)
    yield "export without identity", lambda: export("nameless", True)
    yield "video", video
    yield "undo of everything", lambda: reader.keys("Ctrl+Z", 12)
    yield "redo of everything", lambda: reader.keys("Ctrl+Y", 12)
