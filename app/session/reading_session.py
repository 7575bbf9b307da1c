"""The open study: one owner of what is shown, found, said and reported about it. The window talks to this."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from app.domain.finding import Finding
from app.domain.geometry import Point3
from app.domain.measurement import MarkShape
from app.domain.problem import Problem, ProblemError
from app.domain.study import Study
from app.domain.verdict import FirstOpinion, ImageQuality, Overall, RejectReason
from app.session.calibration_desk import CalibrationDesk
from app.session.clock import dicom_date
from app.session.crops import finding_crop
from app.session.finding_edits import modified
from app.session.finding_words import FINDING_KINDS, kinds_of, regions_of, side_of
from app.session.findings_desk import FindingsDesk
from app.session.going_to import common_place, show_finding
from app.session.guideline_desk import GuidelineDesk
from app.session.hanging_said import HangingSaid, hanging_said
from app.session.hanging_words import series_cards
from app.session.images import Images
from app.session.jaw_suggestion import JawSuggestion
from app.session.layout_recovery import state_of
from app.session.mount_desk import MountDesk
from app.session.on_prior import cannot_add, painted_here_only
from app.session.open_study import OpenStudy, place_words
from app.session.own_hangings import HangingVerbs
from app.session.own_masks import OwnMasks
from app.session.paint import role_rgb
from app.session.panes import LayoutView
from app.session.patient_view import patient_request
from app.session.people import banner_line
from app.session.picture import PictureRequest
from app.session.print_desk import PrintDesk
from app.session.prior_verbs import PriorVerbs
from app.session.prior_words import order_of
from app.session.quadrant_walk import QuadrantWalk
from app.session.reading_room import ReadingRoom
from app.session.recheck_desk import Rechecks
from app.session.recheck_stored import recheck_kept
from app.session.reformats import Reformats
from app.session.report_desk import ReportDesk
from app.session.room_tools import Asked
from app.session.saved_desk import SavedDesk
from app.session.teeth_desk import TeethDesk
from app.session.time_curves import TimeCurves
from app.session.tracking_words import then_words
from app.session.undo_aspects import out_of_sight, teeth_aspect, undoing_of
from app.session.video_out import VideoOut
from app.session.views import (
    Changes,
    FindingCard,
    HistoryEntry,
    Notice,
    ReportView,
    SecondReadView,
    SeriesCard,
    Words,
)
from app.viewer.layouts import layout_names
from app.viewer.primitives import Role
from app.viewer.tool_api import PointerEvent
from app.viewer.view_state import Plane

__all__ = ["FINDING_KINDS", "ReadingSession", "ToolView", "place_words"]


_STEPS = frozenset({"next_image", "previous_image", "next_page", "previous_page", "first_image", "last_image"})
"""Too many to keep each for a restart; the next other verb keeps where they led."""


@dataclass(frozen=True)
class ToolView:
    name: str
    title: Words
    icon: str
    group: str
    active: bool


class ReadingSession:
    """Main thread only. Every call returns at once; long work announces itself by ``Changes``."""

    def __init__(
        self,
        current: OpenStudy,
        room: ReadingRoom,
        desk: FindingsDesk,
        reports: ReportDesk,
        images: Images,
        history: Callable[[], tuple[HistoryEntry, ...]],
        announce: Callable[[Changes], None],
        notice: Callable[[Notice], None],
        retry: Callable[[], None],
    ) -> None:
        self._current = current
        self._room = room
        self._desk = desk
        self._reports = reports
        self._images = images
        self._history = history
        self._announce = announce
        self._notice = notice
        self._retry = retry
        self.undoing = undoing_of(room, desk, reports, lambda: self.on_layout())
        self._crops: dict[tuple[str, str], npt.NDArray[np.uint8]] = {}
        self.earlier: PriorVerbs | None = None
        """Marks of earlier studies: carried over, followed over time."""
        self.hangings: HangingVerbs | None = None
        """The reader's own arrangements."""
        self.guidelines: GuidelineDesk | None = None
        """Rules for what was accepted; set where the study is one that they speak of."""
        self.calibration: CalibrationDesk | None = None
        """Millimetres by hand; set by whoever opens the study."""
        self.videos: VideoOut | None = None
        self.prints: PrintDesk | None = None
        """Pages for paper and film."""
        self._teeth: TeethDesk | None = None
        self.saved: SavedDesk | None = None
        """Looks, overlays and documents; set by whoever opens the study."""
        self.mount: MountDesk | None = None
        """Films changing places; set by whoever opens the study."""
        self.quadrants = QuadrantWalk(room, announce)
        self.jaw = JawSuggestion(room, images, desk.put_annotation, announce, notice)
        self.reformats = Reformats(room, images, notice)
        self.time_curves = TimeCurves(room, lambda: desk.marks, desk.selected_id)
        rechecks = Rechecks(images, desk.doubt)
        self._masks = OwnMasks(
            images, desk.mark, desk.keep, desk.select, desk.selected_id, desk.doubt, announce, notice, role_rgb(Role.MINE)
        )
        recheck_kept(images, room, desk, reports, rechecks, announce)
        desk.mask_layers = self._masks.layers
        room.extras.painted = painted_here_only(current.study.study_instance_uid, self._masks.paint, notice)
        room.extras.given_up = self._masks.give_up
        room.extras.drawn = rechecks.check
        room.extras.probed = partial(rechecks.probe, doubt=room.doubt_probe)
        self.on_layout: Callable[[], None] = lambda: None
        """Called when the panes are about to change: the layout is kept for a restart."""

    def state_to_keep(self) -> dict[str, object]:
        """For a restart: see ``layout_recovery``."""
        return {**state_of(self.study.study_instance_uid, self._room, self._desk), "journal": self.undoing.state()}

    @property
    def teeth(self) -> TeethDesk | None:
        """Numbers and chart of a dental film."""
        return self._teeth

    @teeth.setter
    def teeth(self, desk: TeethDesk) -> None:
        self._teeth = desk
        self.undoing.add("teeth", teeth_aspect(desk))
        desk.before_numbers = lambda: self.undoing.note("teeth")

    # -- who and what ----------------------------------------------------------------------------------------------

    @property
    def study(self) -> Study:
        return self._current.study

    @property
    def room(self) -> ReadingRoom:
        return self._room

    @property
    def desk(self) -> FindingsDesk:
        return self._desk

    @property
    def reports(self) -> ReportDesk:
        return self._reports

    def banner(self) -> tuple[str, Words]:
        study = self._current.study
        return study.patient.name.display(), banner_line(study.patient, study.study_datetime, study.patient_age)

    def series_cards(self) -> tuple[SeriesCard, ...]:
        cards = self._series_cards()
        return self.saved.with_looks(cards) if self.saved is not None else cards

    def _series_cards(self) -> tuple[SeriesCard, ...]:
        return series_cards(self._current, self._room.shown_sets())

    def prior_cards(self) -> tuple[SeriesCard, ...]:
        shown, order = self._room.shown_sets(), order_of(self._room.hanging)
        priors = sorted(self._room.studies()[1], key=lambda p: order.get(p.study.study_instance_uid, len(order)))
        return tuple(c for p in priors for c in series_cards(p, shown, dicom_date(p.study.study_datetime)))

    def history(self) -> tuple[HistoryEntry, ...]:
        return self._history()

    # -- layout ----------------------------------------------------------------------------------------------------

    def hanging_title(self) -> Words:
        name = self._room.hanging.protocol
        considered = self._room.hanging.considered
        if considered and considered[0].title:
            return Words("hanging.own", {"title": considered[0].title})
        return Words(f"hanging.{name}" if name else "hanging.nothing")

    def hanging_stage(self) -> tuple[int, int]:
        return (self._room.stage + 1, max(1, len(self._room.stages)))

    def next_stage(self) -> None:
        self._room.go_to_stage(self._room.stage + 1)

    def previous_stage(self) -> None:
        self._room.go_to_stage(self._room.stage - 1)

    def hanging_explanation(self) -> HangingSaid:
        """Why the stage hangs as it does."""
        return hanging_said(self._room)

    def layout(self) -> LayoutView:
        return self._room.layout()

    def layouts(self) -> tuple[str, ...]:
        return layout_names()

    def set_layout(self, name: str) -> None:
        self._room.set_layout(name)

    def activate(self, pane_id: str) -> None:
        self._room.activate(pane_id)

    def put_in_pane(self, pane_id: str, display_set_id: str) -> None:
        self._room.put_in_pane(pane_id, display_set_id)

    # -- pictures and gestures -------------------------------------------------------------------------------------

    def picture_request(
        self, pane_id: str, width_px: int, height_px: int, scale: float = 1.0, draft: bool = False
    ) -> PictureRequest:
        return self._room.picture_request(pane_id, (max(1, width_px), max(1, height_px)), scale, draft)

    def patient_request(self, pane_id: str, width_px: int, height_px: int, scale: float = 1.0) -> PictureRequest:
        """The same pane for the window that the patient sees."""
        return patient_request(self._room, pane_id, (max(1, width_px), max(1, height_px)), scale)

    def tools(self) -> tuple[ToolView, ...]:
        active = self._room.tool_name
        return tuple(
            ToolView(spec.name, Words(f"tool.{spec.name}"), spec.icon, spec.group, spec.name == active)
            for spec in self._room.tool_specs()
        )

    @property
    def active_tool(self) -> str:
        return self._room.tool_name

    def set_tool(self, name: str) -> None:
        self._room.set_tool(name)

    def pointer(self, pane_id: str, kind: str, event: PointerEvent, tool: str = "") -> None:
        self._room.pointer(pane_id, kind, event, tool)
        if kind == "release":
            self.on_layout()

    def window_presets(self) -> tuple[tuple[str, Words, str], ...]:
        return tuple((p.name, Words(f"preset.{p.name}"), p.key) for p in self._room.presets())

    def command(self, name: str, /, **arguments: object) -> None:
        """A verb by its shortcut's name; unknown names raise ``KeyError`` (a bug of the caller)."""
        room, view = self._room, self._room.pane(self._room.active).view
        verbs: dict[str, Callable[[], object]] = {
            "window_preset": lambda: room.preset(str(arguments["name"])),
            "invert": lambda: room.change_view(invert=not view.invert),
            "rotate_left": lambda: room.change_view(rotation_deg=(view.rotation_deg - 90) % 360),
            "rotate_right": lambda: room.change_view(rotation_deg=(view.rotation_deg + 90) % 360),
            "flip_h": lambda: room.change_view(flip_h=not view.flip_h),
            "flip_v": lambda: room.change_view(flip_v=not view.flip_v),
            "fit": lambda: room.change_view(zoom=1.0, pan=(0.0, 0.0)),
            "one_to_one": room.one_to_one,
            "true_size": self._true_size,
            "toggle_key_image": self._toggle_key_image,
            "link_by_hand": room.link_by_hand,
            "change_view": self._next_change,
            "carry_over": lambda: self.earlier.carry() if self.earlier is not None else None,
            "save_arrangement": lambda: self.hangings.save() if self.hangings is not None else None,
            **room.fusion.verbs(),
            "reset": room.reset,
            "undo": lambda: self._say_if(out_of_sight(self.undo(), "reading")),
            "redo": lambda: self._say_if(out_of_sight(self.redo(), "reading")),
            "next_image": lambda: room.scroll(1),
            "previous_image": lambda: room.scroll(-1),
            "next_page": lambda: room.scroll(10),
            "previous_page": lambda: room.scroll(-10),
            "first_image": lambda: room.scroll(-100_000),
            "last_image": lambda: room.scroll(100_000),
            "cine_play": room.cine.toggle,
            "subtract": room.toggle_subtraction,
            "next_moment": lambda: room.step_moment(1),
            "previous_moment": lambda: room.step_moment(-1),
            "next_value_map": self._next_value_map,
            "cine_faster": room.cine.faster,
            "cine_slower": room.cine.slower,
            "cine_stated_rate": room.cine.as_stated,
            "cine_sweep": room.cine.toggle_sweep,
            "next_finding": self.next_unanswered,
            "toggle_overlay_text": lambda: room.toggle("corner_texts"),
            "toggle_linking": lambda: room.toggle("linked"),
            "toggle_crosshair": lambda: room.toggle("crosshair"),
            "toggle_ai": lambda: self._desk.set_heatmap(visible=not self._desk.ai_visible),
            "cancel_gesture": room.cancel_gesture,
            "next_stage": self.next_stage,
            "suggest_curve": self.jaw.suggest,
            **self.reformats.verbs(),
            "next_quadrant": self.quadrants.next,
            "previous_quadrant": self.quadrants.previous,
            "previous_stage": self.previous_stage,
        }
        verbs[name]()
        if name not in _STEPS:
            self.on_layout()

    def _true_size(self) -> None:
        problem = self._room.true_size()
        if problem is not None:
            self._notice(Notice(problem))

    def then(self, finding_id: str) -> Words | None:
        """How large a finding was in the newest earlier study that has it; None when none does."""
        finding = self._desk.finding(finding_id)
        found = self.earlier.desk.then(finding) if finding is not None and self.earlier is not None else None
        return then_words(found) if found is not None else None

    def _say_if(self, problem: Problem | None) -> None:
        if problem is not None:
            self._notice(Notice(problem))

    def _next_value_map(self) -> None:
        room = self._room
        layer = room.frame_layer(room.pane(room.active))
        room.on_remember()
        if room.saved is None or not room.saved.value_maps.next(layer):
            self._notice(Notice(Problem("viewer.value_map.one")))
        self._announce(Changes(view=True, layout=True))

    def _next_change(self) -> None:
        problem = self._room.next_change()
        if problem is not None:
            self._notice(Notice(problem))

    def _toggle_key_image(self) -> None:
        """The star of the image in the active pane."""
        pane = self._room.pane(self._room.active)
        ref = self._room.frame_ref(pane)
        if ref is not None and pane.view.plane is Plane.STACK and not pane.prior:
            self._desk.toggle_star(ref.sop_instance_uid, ref.frame)
            self._announce(Changes(view=True))

    @property
    def awaited_words(self) -> Asked | None:
        """The written mark that waits for its words."""
        return self._room.extras.asked

    def answer(self, words: str) -> None:
        """The words of the mark that was asked for. Raises ``tools.*`` for what it may not say; nothing said: no mark."""
        asked = self._room.extras.asked
        if asked is None:
            return
        if not words.strip():
            self._room.extras.asked = None
            self._desk.drop_provisional()
        elif asked.annotation.shape is MarkShape.LENGTH:
            if self.calibration is not None:
                with self.undoing.together("calibration"):
                    self.calibration.by_line(asked.annotation, words)
            self._room.extras.asked = None
            self._desk.drop_provisional()
        else:
            self._desk.put_annotation(self._room.extras.answered(words), False)
        self._announce(Changes(view=True, findings=True))

    def undo(self) -> str:
        """Takes the last change back; returns what it was of (``undo_aspects``), "" when there was none."""
        return self._followed(self.undoing.undo())

    def redo(self) -> str:
        """Does again what the last undo took back; returns as ``undo``."""
        return self._followed(self.undoing.redo())

    def _followed(self, turned: bool) -> str:
        if turned and self.undoing.turned != "report":
            self._reports.findings_changed()
        return self.undoing.turned if turned else ""

    # -- the second read -------------------------------------------------------------------------------------------

    def second_read(self) -> SecondReadView:
        return self._desk.view()

    def place_words(self, finding: Finding) -> Words:
        """Series, image number and z of a finding, as far as they are known."""
        return place_words(self._current, finding)

    def finding_kinds(self) -> tuple[tuple[str, Words], ...]:
        return tuple((kind, Words(f"finding.{kind}")) for kind in self._kinds())

    def _kinds(self) -> tuple[str, ...]:
        return kinds_of(self._modality(), self._room.hanging.protocol)

    def _modality(self) -> str:
        chosen = self._room.display_set(self._room.pane(self._room.active))
        return chosen.modality if chosen is not None else ""

    def regions(self) -> tuple[tuple[str, Words], ...]:
        return regions_of(self._room.hanging.protocol, self._modality())

    def _side(self, point_mm: Point3 | None) -> str:
        """R or L of the patient by the middle of the shown image; empty without a position."""
        return side_of(self._room.image_layer(self._room.pane(self._room.active)), point_mm)

    def add_mark(self) -> str | None:
        """The selected drawing becomes a finding; without one a point is put at the active pane's common point."""
        kind = self._kinds()[0]
        selected = self._desk.mark(self._desk.selected_id())
        if selected is not None:
            return self._desk.name_selected(kind, self._side(selected.location.centre_lps_mm))
        pane_id = self._room.active
        refused = cannot_add(self._room.pane(pane_id))
        self._say_if(refused)
        found = common_place(self._room, pane_id) if refused is None else None
        return self._desk.add_point(found[0], kind, self._side(found[1])) if found is not None else None

    def edit_mark(
        self,
        finding_id: str,
        *,
        code: str | None = None,
        region: str | None = None,
        composition: str | None = None,
        confidence: int | None = None,
        comment: str | None = None,
    ) -> None:
        self._desk.edit(
            finding_id, code=code, region=region, composition=composition, confidence=confidence, comment=comment
        )

    def remove_mark(self, finding_id: str) -> None:
        self._desk.remove(finding_id)

    def commit(self, overall: Overall, quality: ImageQuality = ImageQuality.DIAGNOSTIC) -> None:
        """Raises ``ProblemError`` when the opinion contradicts the marks or was given already."""
        self._desk.commit(overall, quality)
        self._say_if(self.quadrants.unseen())
        if self.hangings is not None:
            self.hangings.notice_habit()
        self._reports.findings_changed()

    def show_ai(self) -> None:
        """Logged as a commit without an opinion."""
        self.commit(Overall.NOT_GIVEN)

    def retry_read(self) -> None:
        self._retry()

    def first_opinion(self) -> FirstOpinion | None:
        return self._desk.opinion

    @property
    def selected_finding(self) -> str:
        return self._desk.selected_id()

    def select_finding(self, finding_id: str) -> None:
        self._desk.select(finding_id)

    def jump_to(self, finding_id: str) -> None:
        """Selects a finding and brings every pane that can show it to it."""
        finding = self._desk.finding(finding_id)
        if finding is None:
            return
        self._desk.select(finding_id)
        shown = self._desk.verdict(finding_id)
        if shown is not None and shown.modified is not None:
            finding = shown.modified
        show_finding(self._room, finding)
        self._announce(Changes(view=True, findings=True))

    def next_unanswered(self) -> None:
        finding = self._desk.next_unanswered()
        if finding is not None:
            self.jump_to(finding.finding_id)

    def accept(self, finding_id: str) -> None:
        if self.teeth is None or not self.teeth.accept(finding_id):
            self._desk.accept(finding_id)
        self._reports.findings_changed()

    def accept_agreed(self) -> None:
        """One press for the findings that the reader had marked too."""
        with self.undoing.together("verdicts"):
            for card in self._desk.view().agreed:
                if card.verdict is None:
                    self.accept(card.finding.finding_id)
        self._reports.findings_changed()

    def reject(self, finding_id: str, reason: RejectReason, comment: str = "") -> None:
        self._desk.reject(finding_id, reason, comment)
        self._reports.findings_changed()

    def reject_reasons(self) -> tuple[tuple[RejectReason, Words], ...]:
        return tuple((reason, Words(f"reject.{reason.value}")) for reason in RejectReason)

    def modify(
        self,
        finding_id: str,
        *,
        region: str | None = None,
        composition: str | None = None,
        long_axis_mm: float | None = None,
        short_axis_mm: float | None = None,
        like_mark: str = "",
        comment: str = "",
    ) -> None:
        """Accepts a finding with the reader's own geometry, sizes or kind.

        ``like_mark``: an own drawing whose place and measurements replace the second reader's. The drawing then belongs to
        the verdict and leaves the list of own marks. Raises ``findings.nothing_modified`` when nothing is different.
        """
        finding = self._desk.finding(finding_id)
        if finding is None:
            return
        mark = self._desk.mark(like_mark) if like_mark else None
        changed = modified(finding, mark, region, composition, long_axis_mm, short_axis_mm)
        if changed == finding:
            raise ProblemError(Problem("findings.nothing_modified", next_step="next.change_or_accept"))
        self._desk.modify(finding_id, changed, comment)
        if like_mark:
            self._desk.remove(like_mark)
        self._crops = {key: crop for key, crop in self._crops.items() if key[0] != finding_id}
        self._reports.findings_changed()

    def set_heatmap(self, visible: bool | None = None, opacity: float | None = None, threshold: float | None = None) -> None:
        self._desk.set_heatmap(visible, opacity, threshold)

    def finding_card(self, finding_id: str) -> FindingCard | None:
        return self._desk.card(finding_id)

    def finding_thumbnail(self, finding_id: str, plane: str = "axial") -> npt.NDArray[np.uint8] | None:
        """(96, 96, 3) RGB crop around a finding, with its outline left to the caller; None while images are loading."""
        key = (finding_id, plane)
        if key not in self._crops:
            finding = self._desk.finding(finding_id)
            crop = finding_crop(self._room, self._images, finding, Plane(plane)) if finding is not None else None
            if crop is None:
                return None
            self._crops[key] = crop
        return self._crops[key]

    # -- report ----------------------------------------------------------------------------------------------------

    def report(self) -> ReportView:
        return self._reports.view()

    def set_report_language(self, language: str) -> None:
        self._reports.set_language(language)

    def set_template(self, template_id: str) -> None:
        self._reports.set_template(template_id)

    def edit_line(self, section_id: str, index: int, text: str) -> None:
        self._reports.edit_line(section_id, index, text)

    def add_line(self, section_id: str, text: str, index: int | None = None) -> None:
        self._reports.add_line(section_id, text, index)

    def remove_line(self, section_id: str, index: int) -> None:
        self._reports.remove_line(section_id, index)

    def phrases(self, section_id: str) -> tuple[str, ...]:
        return self._reports.phrases(section_id)

    def report_pdf(self) -> bytes:
        return self._reports.pdf()

    def report_pdf_to(self, file: Path, done: Callable[[], None]) -> None:
        """The draft's pages into a file, in the background; then ``done``."""
        self._reports.pdf_to(file, done)

    def choose_certificate(self, content: bytes, name: str) -> None:
        self._reports.choose_certificate(content, name)

    def sign(self, pin: str) -> None:
        """Signs and queues in one transaction. Raises ``ProblemError`` with what blocks it, or for a wrong PIN."""
        self._reports.sign(pin)
