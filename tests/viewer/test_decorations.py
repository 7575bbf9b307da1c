"""What stands on a pane: identity always, millimetres only with calibration, marks where they lie."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from app.dicom.coding import FINDING_KINDS
from app.domain.finding import Finding, Location, ReaderIdentity, Source
from app.domain.geometry import PlaneGeometry
from app.domain.measurement import Code, Measurement, Quantity
from app.domain.messages import load_catalogues
from app.domain.pixels import VoiFunction, VoiWindow
from app.domain.problem import Problem
from app.domain.resources import resource_path
from app.domain.study import DisplaySet, DisplaySetKind, FrameRef, Instance, Patient, PersonName, Series, Study
from app.viewer.compositor import geometry_of
from app.viewer.decorations import Style, cross_reference, crosshair, decorate, scale_bar_mm, window_text
from app.viewer.layers import ImageLayer
from app.viewer.marks import MarkLook, finding_on_pane, finding_primitives
from app.viewer.pane_info import PaneInfo, pane_info
from app.viewer.primitives import ColourBar, Ellipse, Line, Role, Text
from app.viewer.view_state import ImageGeometry, Plane, ViewState, resolve
from tests import phantoms

EN = {k: v for k, v in load_catalogues(resource_path("i18n", "messages"))["en"].items() if isinstance(v, str)}
INFO = PaneInfo(
    "Серікбаева Әлия Маратқызы", "620314", "F", "19620314", "064Y", "20261117094200", "LDCT chest, screening",
    "Se 2 · Lung 2.0", "L", "MLO", 18, 143, 2.0, 1178.0, VoiWindow(-600, 1500), "Lung", 120.0, 40.0,
    remarks=(Problem("viewer.spacing.unknown"),),
)  # fmt: skip
MM = resolve(ViewState(), (888, 992), ImageGeometry(512, 512, 0.7, 0.7, True))


def texts(primitives: tuple) -> dict[str, Text]:
    return {p.key: p for p in primitives if isinstance(p, Text)}


def test_corners_of_a_large_pane() -> None:
    shown = texts(decorate(MM, INFO, EN))
    assert shown["identity"].text == "Серікбаева Әлия Маратқызы"
    assert shown["laterality"].text == "L MLO"
    assert shown["patient"].text == "F · 14.03.1962 · 64 y"
    assert shown["study_date"].text == "17.11.2026 09:42"
    assert shown["position"].text == "Im 18 / 143"
    assert shown["place"].text == "2.0 mm · 1178.0 mm"
    assert shown["window"].text == "W 1500 L −600 · Lung"
    assert shown["zoom"].text == "1.73× · interpolated"
    assert shown["exposure"].text == "120 kV · 40 mAs"
    assert "remark0" in shown


@pytest.mark.parametrize("size", [(1920, 1080), (448, 328), (220, 160), (120, 100), (60, 60)])
@pytest.mark.parametrize("corner_texts", [True, False])
def test_identity_and_laterality_always_stay(size: tuple[int, int], corner_texts: bool) -> None:
    info = replace(INFO, ai_shown=True, prior=True, demonstration=True, lossy=True, lossy_ratio="12.5")
    resolved = resolve(ViewState(), size, MM.geometry)
    shown = texts(decorate(resolved, info, EN, style=Style(corner_texts=corner_texts)))
    for key in (
        "identity",
        "patient_id",
        "laterality",
        "prior",
        "demonstration",
        "remark0",
        "ai",
        "ai_research",
        "lossy",
        "study_date",
    ):
        assert key in shown, key
        assert shown[key].text
    if size[0] >= 220:
        assert shown["lossy"].text == "lossy compression 12.5:1"
    if not corner_texts:
        assert "window" not in shown


def test_small_panes_let_the_least_important_go_first() -> None:
    large = set(texts(decorate(MM, INFO, EN)))
    small = set(texts(decorate(resolve(ViewState(), (448, 170), MM.geometry), INFO, EN)))
    assert small < large
    assert {"position", "window", "zoom", "study_date"} <= small
    assert "place" not in small


def test_nobody_is_anonymous_by_accident() -> None:
    shown = texts(decorate(MM, PaneInfo(), EN))
    assert (shown["identity"].text, shown["patient_id"].text) == ("Name unknown", "No patient ID")


def test_scale_bar_only_with_millimetres_and_right() -> None:
    lines = [p for p in decorate(MM, INFO, EN) if isinstance(p, Line) and p.key == "scale_bar"]
    bar_px = lines[0].x1 - lines[0].x0
    label = texts(decorate(MM, INFO, EN))["scale_label"].text
    assert label == "5 cm"
    assert bar_px * MM.mm_per_pane_px == pytest.approx(50.0)
    film = resolve(ViewState(), (888, 992), ImageGeometry(512, 512, 0.7, 0.7, False, detector_mm=True))
    assert not any(getattr(p, "key", "").startswith("scale") for p in decorate(film, INFO, EN))
    for mm_per_px in (0.01, 0.07, 0.5, 3.0):
        for width in (200, 900, 2560):
            assert 0.09 <= scale_bar_mm(mm_per_px, width) / (mm_per_px * width) <= 0.2501


def test_plates_lie_only_over_bright_pixels() -> None:
    grey = np.zeros((992, 888), np.uint8)
    grey[:496] = 220
    shown = texts(decorate(MM, INFO, EN, grey=grey))
    assert shown["identity"].plate
    assert not shown["window"].plate


def test_colour_bar_is_absolute() -> None:
    shown = decorate(MM, INFO, EN, heatmap=("inferno", 0.3))
    (bar,) = (p for p in shown if isinstance(p, ColourBar))
    assert (bar.lut, bar.threshold) == ("inferno", 0.3)
    values = {p.text: p.y for p in shown if isinstance(p, Text) and p.key.startswith("colour_bar")}
    assert values["1.00"] == pytest.approx(bar.y)
    assert values["0.00"] == pytest.approx(bar.y + bar.h)
    assert values["0.30"] == pytest.approx(bar.y + 0.7 * bar.h)


def test_pane_info_comes_from_the_study() -> None:
    patient = Patient("7", "", PersonName("Ли^Виктор"), "19551130", "M")
    instance = Instance("1.3", "", "", "", laterality="R", view_position="CC", lossy=True, lossy_ratio="9", kvp=28.0)
    series = Series("1.2", "MG", (instance,), 3, "R CC", laterality="L")
    display_set = DisplaySet("d", "1.2", "1.1", "MG", DisplaySetKind.IMAGES, (FrameRef("1.3"),), remarks=(Problem("x.y"),))
    info = pane_info(Study("1.1", patient, (series,), "20260102"), series, display_set, instance, 0)
    assert (info.patient_name, info.laterality, info.series_line, info.position, info.count) == (
        "Ли Виктор",
        "R",
        "Se 3 · R CC",
        1,
        1,
    )
    assert info.lossy
    assert info.remarks[0].code == "x.y"


def test_cross_reference_is_where_the_planes_meet() -> None:
    grid = phantoms.geometry()
    axial = resolve(ViewState(), (400, 300), ImageGeometry.of_plane(grid.plane(5)))
    volume = ImageLayer(volume=phantoms.index_volume())
    point = grid.to_patient((5.0, 13.0, 21.0))
    coronal = geometry_of(volume, ViewState(plane=Plane.CORONAL, point_mm=point)).plane
    (line,) = cross_reference(axial, coronal)
    y = axial.patient_to_pane(point)[1]
    assert (line.y0, line.y1) == (pytest.approx(y), pytest.approx(y))
    assert abs(line.x1 - line.x0) == pytest.approx(48 * axial.scale * 1.0, rel=0.35)
    assert cross_reference(axial, grid.plane(7)) == ()
    assert cross_reference(axial, replace(coronal, frame_of_reference_uid="9.9")) == ()
    cross = crosshair(axial, point)
    assert cross[0].y0 == pytest.approx(y)
    assert len(cross) == 4


AI = Finding(
    "2.25.1", Source.AI, Code("27925004", "SCT", "Nodule"),
    Location((-140.0, 50.0, -1200.0), ((-145.0, 46.0, -1206.0), (-135.0, 54.0, -1194.0)), phantoms.FRAME_UID),
    (Measurement(Quantity.LONG_AXIS, 11.6, "mm"), Measurement(Quantity.SHORT_AXIS, 10.8, "mm")),
    reader=ReaderIdentity("lung_ct", "1", "0" * 64),
)  # fmt: skip


@pytest.mark.parametrize("plane", [Plane.AXIAL, Plane.CORONAL, Plane.SAGITTAL])
def test_findings_show_on_every_plane_that_cuts_them(plane: Plane) -> None:
    layer = ImageLayer(volume=phantoms.index_volume())
    half = {Plane.AXIAL: (5.0, 4.0, 6.0), Plane.CORONAL: (5.0, 6.0, 4.0), Plane.SAGITTAL: (4.0, 6.0, 5.0)}[plane]
    view = ViewState(plane=plane, point_mm=AI.location.centre_lps_mm)
    resolved = resolve(view, (300, 300), geometry_of(layer, view))
    (x, y), rx, ry = finding_on_pane(AI, layer, resolved)
    assert (x, y) == pytest.approx(resolved.patient_to_pane(AI.location.centre_lps_mm)[:2])
    assert (rx * resolved.mm_per_pane_px, ry * resolved.mm_per_pane_px) == pytest.approx(half[:2])
    axis = {Plane.AXIAL: 2, Plane.CORONAL: 1, Plane.SAGITTAL: 0}[plane]
    away = list(AI.location.centre_lps_mm)
    away[axis] += half[2] + 3.0
    beside = replace(view, point_mm=tuple(away))
    assert finding_on_pane(AI, layer, resolve(beside, (300, 300), geometry_of(layer, beside))) is None


@pytest.mark.parametrize("plane", [Plane.AXIAL, Plane.CORONAL])
def test_pixels_of_no_image_never_place_a_finding_that_has_a_place_in_the_patient(plane: Plane) -> None:
    """A reader of resampled slices can name no image: its pixel numbers must not be taken for those of a slice."""
    layer = ImageLayer(volume=phantoms.index_volume())
    view = ViewState(plane=plane, point_mm=AI.location.centre_lps_mm)
    resolved = resolve(view, (300, 300), geometry_of(layer, view))
    corners = ((1.0, 1.0), (4.0, 1.0), (4.0, 4.0))
    odd = replace(AI, location=replace(AI.location, centre_px=(2.0, 2.0), box_px=(1.0, 1.0, 4.0, 4.0), contour_px=corners))
    assert finding_on_pane(odd, layer, resolved) == finding_on_pane(AI, layer, resolved)
    assert finding_primitives(odd, layer, resolved, EN) == finding_primitives(AI, layer, resolved, EN)


def test_blood_is_told_in_millilitres_as_on_its_card() -> None:
    layer = ImageLayer(volume=phantoms.index_volume())
    view = ViewState(plane=Plane.AXIAL, point_mm=AI.location.centre_lps_mm)
    resolved = resolve(view, (300, 300), geometry_of(layer, view))
    volume = (Measurement(Quantity.VOLUME, 26_480.0, "mm3"),)
    blood = replace(AI, code=FINDING_KINDS["intracranial_haemorrhage"], measurements=volume)
    words = [p.text for p in finding_primitives(blood, layer, resolved, EN) if isinstance(p, Text)]
    assert any("26.5\u202fml" in w for w in words), words
    nodule = replace(AI, measurements=volume)
    words = [p.text for p in finding_primitives(nodule, layer, resolved, EN) if isinstance(p, Text)]
    assert any("26480\u202fmm³" in w for w in words), words


def test_pending_findings_are_dashed_and_rejected_ones_struck() -> None:
    layer = ImageLayer(volume=phantoms.index_volume())
    view = ViewState(plane=Plane.AXIAL, point_mm=AI.location.centre_lps_mm)
    resolved = resolve(view, (300, 300), geometry_of(layer, view))
    pending = finding_primitives(AI, layer, resolved, EN, MarkLook("A1", pending=True))
    (outline,) = (p for p in pending if isinstance(p, Ellipse))
    assert (outline.role, outline.dashed) == (Role.AI, True)
    assert {p.text for p in pending if isinstance(p, Text)} == {"A1", "11.6 × 10.8\u202fmm"}
    rejected = finding_primitives(AI, layer, resolved, EN, MarkLook("A1", rejected=True))
    assert any(getattr(p, "key", "") == "struck" for p in rejected)
    film = Finding(
        "2.25.2",
        Source.MINE,
        AI.code,
        Location(centre_px=(10.0, 20.0), box_px=(5.0, 15.0, 15.0, 25.0), sop_instance_uid="1.9"),
    )
    other = ImageLayer(frame=_frame(), geometry=ImageGeometry(40, 40), sop_instance_uid="1.8")
    mine = replace(other, sop_instance_uid="1.9")
    pane = resolve(ViewState(), (80, 80), mine.geometry)
    assert finding_primitives(film, other, pane, EN) == ()
    (shown,) = (p for p in finding_primitives(film, mine, pane, EN) if isinstance(p, Ellipse))
    assert (shown.cx, shown.cy, shown.rx, shown.role) == (20.0, 40.0, 10.0, Role.MINE)


def _frame() -> object:
    from app.domain.pixels import FramePixels

    return FramePixels(np.zeros((40, 40), np.uint8))


def test_a_plane_without_a_frame_of_reference_is_never_linked() -> None:
    nowhere = PlaneGeometry((0, 0, 0), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), 1, 1, 10, 10)
    resolved = resolve(ViewState(), (50, 50), ImageGeometry.of_plane(nowhere))
    across = PlaneGeometry((0, 5, -5), (1.0, 0.0, 0.0), (0.0, 0.0, 1.0), 1, 1, 10, 10)
    assert cross_reference(resolved, across) == ()


def test_a_place_in_a_mount_says_who_and_what_must_be_known_in_few_words() -> None:
    narrow = resolve(ViewState(), (190, 350), ImageGeometry(400, 500, 0.1, 0.1, False, detector_mm=True))
    info = replace(INFO, prior=False, remarks=(), calibration_note="viewer.spacing.detector")
    shown = texts(decorate(narrow, info, EN, style=Style(terse=True)))
    assert shown["calibration"].text == "no mm"
    assert {"identity", "laterality"} <= set(shown)
    assert not {"study_date", "window", "zoom", "series"} & set(shown)
    assert texts(decorate(narrow, info, EN))["calibration"].text != "no mm"


def test_words_of_the_upper_corners_do_not_run_into_each_other_in_a_narrow_pane() -> None:
    info = replace(INFO, plane="viewer.plane.coronal", laterality="", view_position="", demonstration=True)
    for size in ((480, 440), (300, 260), (888, 992)):
        style = Style(2.0 if size[0] < 800 else 1.0)
        shown = texts(decorate(resolve(ViewState(), size, MM.geometry), info, EN, style=style))
        name, beside = shown["identity"], [shown[k] for k in ("plane", "study_date", "series") if k in shown]
        assert name.text.startswith("Серікбаева Әлия")
        assert beside, "and the other corner is there"
        for other in beside:
            left = other.x - style.text_width(other.text, other.size_px, other.bold)
            right = name.x + style.text_width(name.text, name.size_px, name.bold)
            assert left > right or other.y >= name.y + style.line * 0.7, (size, other.key)
    wide = texts(decorate(MM, info, EN))
    assert wide["study_date"].y == wide["identity"].y + Style().line, "a roomy pane is as it was: plane first, then the day"


@pytest.mark.parametrize("width", [128, 180, 262, 520])
def test_that_values_are_calculated_is_never_cut_off(width: int) -> None:
    resolved = resolve(ViewState(), (width, 340), MM.geometry)
    primitives = decorate(resolved, INFO, {**EN, "viewer.interpolated": "интерполяция"})
    lines = [p for p in primitives if isinstance(p, Text) and p.key == "zoom"]
    assert any(p.text.endswith("интерполяция") for p in lines)
    assert not any("…" in p.text for p in lines)
    # What stands at the bottom does not run into each other where the pane is narrow.
    bottom = [p for p in primitives if isinstance(p, Text) and p.key in ("window", "zoom", "place", "position")]
    if width < 200:
        assert len({round(p.y) for p in bottom}) == len(bottom)


def test_a_window_of_tiny_values_keeps_digits_that_say_something() -> None:
    windows = (VoiWindow(c, w, VoiFunction.LINEAR_EXACT) for c, w in ((0.000264, 0.000528), (2.5, 5.0), (40.0, 400.0)))
    said = [window_text(EN, PaneInfo(window=w)) for w in windows]
    assert said == ["W 0.00053 L 0.00026", "W 5.00 L 2.50", "W 400 L 40"]
