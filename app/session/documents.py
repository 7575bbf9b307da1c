"""Documents in panes: reports, PDF, curves and every other non-image object. Main thread; reading and drawing run beside."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from app.dicom.documents import read_document
from app.dicom.pdf_pages import pdf_pages
from app.domain.document import Document
from app.domain.ports import ByteSource
from app.domain.problem import Problem, ProblemError
from app.domain.study import DisplaySet, DisplaySetKind
from app.session.images import Images
from app.session.views import Changes

_LARGEST = 512 << 20
_PAGES_KEPT = 24
Page = npt.NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class ShownDocument:
    """What a pane shows instead of an image; both empty while it is being read."""

    display_set_id: str
    document: Document | None = None
    problem: Problem | None = None


class Documents:
    def __init__(self, images: Images, source: ByteSource, announce: Callable[[Changes], None]) -> None:
        self._images, self._source, self._announce = images, source, announce
        self._shown: dict[str, ShownDocument] = {}
        self._pages: OrderedDict[tuple[str, int, int], Page | None] = OrderedDict()

    def of(self, chosen: DisplaySet | None) -> ShownDocument | None:
        """None for images; asked for at the first call."""
        if chosen is None or chosen.kind is not DisplaySetKind.DOCUMENT or not chosen.frames:
            return None
        known = self._shown.get(chosen.display_set_id)
        if known is None:
            known = self._shown[chosen.display_set_id] = ShownDocument(chosen.display_set_id)
            self._read(chosen)
        return known

    def _read(self, chosen: DisplaySet) -> None:
        instance = self._images.instance(chosen.frames[0].sop_instance_uid)
        name = chosen.display_set_id
        if instance is None:
            return

        def work() -> ShownDocument:
            try:
                if instance.size_bytes > _LARGEST:
                    raise ProblemError(Problem("document.unreadable"))
                return ShownDocument(name, read_document(self._source.read(instance.locator)))
            except ProblemError as error:
                return ShownDocument(name, None, error.problem)

        def came(found: ShownDocument | None) -> None:
            self._shown[name] = found or ShownDocument(name, None, Problem("document.unreadable"))
            self._announce(Changes(view=True, images=True))

        self._images.beside(work, came)

    def page(self, shown: ShownDocument, number: int, width_px: int) -> Page | None:
        """(h, w, 3) RGB of a PDF's page if it is here; else it is being drawn and ``Changes(images=True)`` follows."""
        document = shown.document
        if document is None or not document.pdf:
            return None
        key = (shown.display_set_id, number, width_px)
        if key in self._pages:
            self._pages.move_to_end(key)
            return self._pages[key]
        self._pages[key] = None
        pdf = document.pdf

        def came(page: Page | None) -> None:
            self._pages[key] = page
            while len(self._pages) > _PAGES_KEPT:
                self._pages.popitem(last=False)
            self._announce(Changes(images=True))

        self._images.beside(lambda: pdf_pages.page(pdf, number, width_px), came)
        return None
