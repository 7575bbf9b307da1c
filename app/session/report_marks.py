"""Places that reports of any maker name on the images of a study: listed once read, drawn when a person asks for them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from app.dicom.sr_reader import read_sr
from app.dicom.sr_shapes import shapes_of
from app.domain.ports import ByteSource
from app.domain.problem import ProblemError
from app.domain.saved_overlay import PlacedShape
from app.domain.study import Instance
from app.session.images import Images
from app.session.open_study import OpenStudy
from app.session.picture import Drawer
from app.session.views import Changes, SavedObject, Words
from app.viewer.decorations import Style
from app.viewer.layers import ImageLayer
from app.viewer.primitives import Primitive
from app.viewer.report_shapes import shape_primitives
from app.viewer.view_state import ResolvedView

_REPORTS = "1.2.840.10008.5.1.4.1.1.88."
_LARGEST = 32 << 20


@dataclass
class _Report:
    instance: Instance
    study_instance_uid: str
    title: str = ""
    device: bool = False
    shapes: tuple[PlacedShape, ...] = ()
    on: bool = False


class ReportMarks:
    """Main thread only; reports are read beside it. Off until a person switches one on: nothing is anchored by it."""

    def __init__(
        self, studies: Sequence[OpenStudy], images: Images, source: ByteSource, announce: Callable[[Changes], None]
    ) -> None:
        self._images, self._source, self._announce = images, source, announce
        self._reports: dict[str, _Report] = {}
        for opened in studies:
            self.add(opened)

    def add(self, opened: OpenStudy) -> None:
        """The reports that lie with one more study."""
        for series in opened.study.series:
            for instance in series.instances:
                uid = instance.sop_class_uid
                if uid.startswith(_REPORTS) and instance.size_bytes <= _LARGEST:
                    report = _Report(instance, opened.study.study_instance_uid)
                    self._reports[instance.sop_instance_uid] = report
                    self._read(report, self._source)

    def _read(self, report: _Report, source: ByteSource) -> None:
        def work() -> tuple[str, bool, tuple[PlacedShape, ...]] | None:
            try:
                document = read_sr(source.read(report.instance.locator))
            except ProblemError:
                return None  # its document pane says why
            return document.title, document.observer_is_device, shapes_of(document)

        def came(found: tuple[str, bool, tuple[PlacedShape, ...]] | None) -> None:
            if found is not None and found[2]:
                report.title, report.device, report.shapes = found
                self._announce(Changes(layout=True))

        self._images.beside(work, came)

    def knows(self, sop_instance_uid: str) -> bool:
        return sop_instance_uid in self._reports

    def toggle(self, sop_instance_uid: str) -> None:
        report = self._reports[sop_instance_uid]
        report.on = not report.on
        self._announce(Changes(view=True, layout=True))

    def switched_on(self) -> tuple[str, ...]:
        return tuple(uid for uid, report in self._reports.items() if report.on)

    def switch_on(self, uids: frozenset[str]) -> None:
        """These and no others."""
        for uid, report in self._reports.items():
            report.on = uid in uids

    def listed(self) -> tuple[SavedObject, ...]:
        """Reports that place something."""
        return tuple(
            SavedObject(
                uid,
                "report",
                r.title,
                # How many marks a program made is part of its opinion: it is not told before it is asked for.
                Words("saved.marks_by_device") if r.device and not r.on else Words("saved.marks", {"n": len(r.shapes)}),
                r.on,
                None,
                r.study_instance_uid,
            )
            for uid, r in self._reports.items()
            if r.shapes
        )

    def first_place(self, sop_instance_uid: str) -> PlacedShape | None:
        """Where to look, when a report was switched on."""
        report = self._reports.get(sop_instance_uid)
        return report.shapes[0] if report is not None and report.on and report.shapes else None

    def drawers(self, layer: ImageLayer, half_mm: float) -> tuple[Drawer, ...]:
        shapes = tuple(s for r in self._reports.values() if r.on for s in r.shapes)
        if not shapes:
            return ()

        def draw(resolved: ResolvedView, style: Style) -> list[Primitive]:
            return [p for s in shapes for p in shape_primitives(s, layer, resolved, style, half_mm)]

        return (draw,)
