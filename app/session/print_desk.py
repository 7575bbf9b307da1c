"""Pages of pictures for paper and film: what can be printed, each picture as it will stand there, the words beside it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from functools import partial

import numpy as np
import numpy.typing as npt

from app.domain.problem import ProblemError, fail
from app.session.clock import dicom_date, dicom_date_time
from app.session.images import Images
from app.session.key_images import Place, layer_of
from app.session.nameless import instance_may_hold_names, may_hold_names, nameless
from app.session.open_study import OpenStudy
from app.session.paint import painted, text_width
from app.session.panes import PaneState
from app.session.people import banner_line
from app.session.picture import PictureRequest
from app.session.print_layout import INCH_MM, Box, Sheet, page_count, sheet
from app.session.reading_room import ReadingRoom
from app.session.views import Words
from app.viewer.compositor import SampleCache, geometry_of
from app.viewer.decorations import Style
from app.viewer.layers import ImageLayer
from app.viewer.view_state import Plane, ViewState, resolve, true_size
from app.viewer.words import say

DPI = 200
FILM_DPI = 150
TEXT_MM = 2.3
"""Height of the words inside a picture."""
_TEXT_PX = 12.0


class Source(StrEnum):
    ACTIVE = "active"
    PANES = "panes"
    KEY_IMAGES = "key_images"


@dataclass(frozen=True)
class PrintWish:
    """What a person chose."""

    source: Source = Source.PANES
    per_page: int = 4
    paper: str = "A4"
    landscape: bool = False
    true_size: bool = False
    identified: bool = True


@dataclass(frozen=True, eq=False)
class PrintPicture:
    """One place on a page."""

    box: Box
    rgb: npt.NDArray[np.uint8]
    """(h, w, 3), the whole box."""
    caption: tuple[Words, ...]
    """Institution, series, scale."""
    true_size: bool


@dataclass(frozen=True, eq=False)
class PrintPage:
    sheet: Sheet
    number: int
    pages: int
    pictures: tuple[PrintPicture, ...]
    head: tuple[str, Words, str]
    """Name, further identity, study; empty without identity."""
    demonstration: bool
    printed: str
    identified: bool


@dataclass(frozen=True)
class _Item:
    """A picture to come: the request, made for a size in pixels at a number of pixels a millimetre."""

    make: Callable[[tuple[int, int], float], PictureRequest]
    may_hold_names: bool
    institution: str
    what: str


@dataclass(frozen=True)
class _Frozen:
    """A picture with all that it needs; drawn on any thread."""

    box: Box
    request: PictureRequest
    caption: tuple[Words, ...]
    true_size: bool

    def drawn(self) -> PrintPicture:
        done = self.request()
        if done.pixels is None:
            raise fail("capture.no_picture") if done.problem is None else ProblemError(done.problem)
        return PrintPicture(self.box, painted(done), self.caption, self.true_size)


class PrintDesk:
    """Main thread only, but for the pages that it prepares. ``stars``: SOP Instance UID and frame of the key images."""

    def __init__(
        self, room: ReadingRoom, images: Images, stars: Callable[[], frozenset[tuple[str, int]]], is_demo: bool
    ) -> None:
        self._is_demo = is_demo
        self._room = room
        self._images = images
        self._stars = stars

    def count(self, source: Source) -> int:
        return len(self._items(source))

    def page_count(self, wish: PrintWish) -> int:
        return page_count(self.count(wish.source), wish.per_page)

    def page(self, wish: PrintWish, number: int) -> PrintPage:
        """Page ``number`` from 0, made here and now. Raises as ``prepare`` and what it returns."""
        return self.prepare(wish, number)()

    def prepare(self, wish: PrintWish, number: int, dpi: float = 0.0) -> Callable[[], PrintPage]:
        """Everything that page ``number`` needs, frozen; the page is made by calling the result, on any thread.

        ``dpi``: of a preview; 0: for paper or film. Raises ``print.nothing``, ``capture.burned_in``, and
        ``print.not_calibrated`` when none of its pictures can be in true size; the call ``capture.no_picture``.
        """
        items = self._items(wish.source)
        if not items:
            raise fail("print.nothing")
        form = sheet(wish.paper, wish.per_page, wish.landscape)
        dpi = dpi or (FILM_DPI if "x" in wish.paper or wish.paper == "A3" else DPI)
        chosen = items[number * wish.per_page : (number + 1) * wish.per_page]
        frozen = tuple(self._frozen(i, b, dpi, wish) for i, b in zip(chosen, form.pictures, strict=False))
        if wish.true_size and not any(f.true_size for f in frozen):
            raise fail("print.not_calibrated")
        current, _ = self._room.studies()
        study = current.study
        head = ("", Words(""), "")
        if wish.identified:
            name = " · ".join(p for p in (study.patient.name.display(), study.patient.patient_id) if p)
            line = (dicom_date_time(study.study_datetime), study.description, study.institution)
            head = (
                name,
                banner_line(study.patient, study.study_datetime, study.patient_age),
                " · ".join(p for p in line if p),
            )
        page = PrintPage(
            form,
            number,
            page_count(len(items), wish.per_page),
            (),
            head,
            self._is_demo,
            datetime.now().strftime("%d.%m.%Y %H:%M"),
            wish.identified,
        )
        return lambda: replace(page, pictures=tuple(f.drawn() for f in frozen))

    def _frozen(self, item: _Item, box: Box, dpi: float, wish: PrintWish) -> _Frozen:
        if not wish.identified and item.may_hold_names:
            raise fail("capture.burned_in")
        per_mm = dpi / INCH_MM
        size = (max(16, round(box.width * per_mm)), max(16, round(box.height * per_mm)))
        scale = max(1.0, TEXT_MM * per_mm / _TEXT_PX)
        request = item.make(size, scale)
        room, exact = self._room, False
        if not wish.identified:
            request = nameless(request, say(room.texts, "viewer.deidentified"))
        # The picture fills its box to a rounded pixel; the millimetre is measured on the box.
        view = _in_true_size(request, size[0] / box.width) if wish.true_size else None
        if view is not None:
            request, exact = replace(request, view=view), True
        style = Style(scale, text_width, True)
        request = replace(request, style=style, band=None, lens=None, probe=None, handles=(), finest=True)
        size_words = Words("print.not_to_scale")
        if exact:
            size_words = Words("print.true_size_cut" if _is_cut(request) else "print.true_size")
        words = [Words("print.free", {"text": t}) for t in (item.institution, item.what) if t and wish.identified]
        return _Frozen(box, request, (*words, size_words), exact)

    # -- what can be printed

    def _items(self, source: Source) -> list[_Item]:
        room = self._room
        if source is Source.KEY_IMAGES:
            return [i for i in (self._starred(uid, frame) for uid, frame in sorted(self._stars())) if i is not None]
        panes = [room.pane(room.active)] if source is Source.ACTIVE else list(room.panes())
        return [self._shown(p) for p in panes if p.display_set_id and room.display_set(p) is not None]

    def _shown(self, pane: PaneState) -> _Item:
        room = self._room

        def make(size: tuple[int, int], scale: float) -> PictureRequest:
            before = room.pane_size(pane.pane_id)
            request = room.picture_request(pane.pane_id, size, scale, False)
            if before is not None:
                room.set_pane_size(pane.pane_id, before)
            return request

        return _Item(make, may_hold_names(room, pane.pane_id), self._institution(pane), self._what(pane))

    def _starred(self, sop_instance_uid: str, frame: int) -> _Item | None:
        """A key image as acquired, in the window of the pane whose series it belongs to."""
        room = self._room
        for pane in room.panes():
            chosen = room.display_set(pane)
            instance = room.instance(sop_instance_uid)
            if chosen is None or pane.prior:
                continue
            wanted = ((sop_instance_uid, frame), (sop_instance_uid, 0))
            index = next((n for n, f in enumerate(chosen.frames) if (f.sop_instance_uid, f.frame) in wanted), None)
            if index is None:
                continue
            shown = replace(pane, view=ViewState(chosen.display_set_id, Plane.STACK, frame_index=index))
            ref = chosen.frames[index]

            if instance is None:
                return None
            make = partial(self._frame_request, Place(shown, chosen, ref, instance))
            names = instance_may_hold_names(instance, chosen.modality)
            return _Item(make, names, self._institution(pane), self._what(pane))
        return None

    def _frame_request(self, place: Place, size: tuple[int, int], scale: float) -> PictureRequest:
        room, shown = self._room, place.pane
        layer = layer_of(room, self._images, place)
        if layer is None:
            raise fail("capture.no_picture")
        return PictureRequest(
            pane_id="print",
            view=shown.view,
            layers=(layer,),
            size=size,
            info=room.info(shown, layer, room.plain_overlay()),
            texts=room.texts,
            style=Style(scale, text_width, True),
            cache=SampleCache(),
        )

    def _study_of(self, pane: PaneState) -> OpenStudy | None:
        current, priors = self._room.studies()
        return next(
            (o for o in (current, *priors) if any(d.display_set_id == pane.display_set_id for d in o.display_sets)), None
        )

    def _institution(self, pane: PaneState) -> str:
        opened = self._study_of(pane)
        return opened.study.institution if opened is not None else ""

    def _what(self, pane: PaneState) -> str:
        """Day and series."""
        opened, chosen = self._study_of(pane), self._room.display_set(pane)
        day = dicom_date(opened.study.study_datetime) if opened is not None else ""
        return " · ".join(p for p in (day, chosen.label if chosen is not None else "") if p)


def _is_cut(request: PictureRequest) -> bool:
    """Some of the image lies outside its place on the paper."""
    layer = next((x for x in request.layers if isinstance(x, ImageLayer)), None)
    if layer is None or request.view.plane is not Plane.STACK:
        return False
    geometry = geometry_of(layer, request.view)
    resolved = resolve(request.view, request.size, geometry)
    width, height = geometry.columns, geometry.rows
    corners = [resolved.px_to_pane(x - 0.5, y - 0.5) for x in (0, width) for y in (0, height)]
    return any(not (-1 <= x <= request.size[0] + 1 and -1 <= y <= request.size[1] + 1) for x, y in corners)


def _in_true_size(request: PictureRequest, px_per_mm: float) -> ViewState | None:
    """The view in which a millimetre of the patient is one of the paper; None where there are no such millimetres."""
    layer = next((x for x in request.layers if isinstance(x, ImageLayer)), None)
    if layer is None or request.view.plane is Plane.RENDERED:
        return None
    wanted = true_size(request.view, request.size, geometry_of(layer, request.view), 1.0 / px_per_mm)
    return replace(wanted, pan=request.view.pan) if wanted is not None else None
