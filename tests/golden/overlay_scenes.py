"""One scene for each kind of thing that can lie over an image; small panes at half scale keep the pictures small."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import numpy as np

from app.domain.finding import Heatmap, SegmentMask
from app.domain.geometry import VolumeGeometry
from app.domain.label_grid import LabelGrid
from app.domain.measurement import Annotation, MarkShape, Measurement, Placement, Quantity
from app.domain.pixels import FramePixels, VoiFunction, VoiWindow
from app.domain.presentation import (
    CompoundGraphic,
    GraphicLayer,
    ImageScope,
    PresentationKind,
    PresentationState,
    SavedAnnotation,
    SavedGraphic,
    SavedText,
    Shutter,
    Tick,
    Units,
)
from app.domain.saved_overlay import (
    Contour,
    Fraction,
    OverlayKind,
    OverlayPart,
    PlacedShape,
    SavedOverlay,
    ShapeKind,
    ValueMap,
)
from app.domain.teeth import NumberedTooth
from app.domain.volume import Volume
from app.session.curved_desk import CurvedDesk, reformatted
from app.session.panes import PaneState
from app.session.quadrant_walk import QuadrantWalk
from app.session.saved_drawing import legend, map_legend, saved_label, shutter_layer
from app.session.saved_objects import _layers, _structures
from app.session.tooth_numbers import ToothNumbers
from app.viewer.breast_walk import fields_of
from app.viewer.compositor import Picture, render
from app.viewer.crop_box import box_primitives
from app.viewer.decorations import Style, decorate
from app.viewer.dose_levels import isodoses
from app.viewer.gesture_marks import gesture_primitives, with_lens
from app.viewer.isodose import isodose_legend
from app.viewer.labels import table_of
from app.viewer.layers import FilmLayer, FractionLayer, FusionLayer, HeatmapLayer, ImageLayer, LabelLayer, Layer, OverMode
from app.viewer.marks import MarkLook, probe_primitives
from app.viewer.marks import annotation_primitives as own_primitives
from app.viewer.model_view import ModelLook, axes_primitives
from app.viewer.orientation_cube import cube_primitives
from app.viewer.over_legend import over_legend
from app.viewer.pane_info import PaneInfo
from app.viewer.presentation import annotation_primitives
from app.viewer.primitives import Primitive
from app.viewer.report_shapes import shape_primitives
from app.viewer.time_chart import chart_primitives
from app.viewer.time_curve import TimeCurve, curve_primitives
from app.viewer.triad import Fellow, triad_primitives
from app.viewer.view_state import Appearance, ImageGeometry, Plane, ResolvedView, SlabMode, ViewState, resolve
from tests import phantoms

Scene = tuple[Picture, tuple[Primitive, ...]]
TEXTS = {
    "viewer.no_name": "?",
    "viewer.no_id": "?",
    "viewer.zoom": "{value}x",
    "viewer.interpolated": "interpolated",
    "viewer.cm": "{value} cm",
    "viewer.mm": "{value} mm",
    "viewer.window": "W {w} L {l}",
    "viewer.image_of": "{n} / {count}",
}
"""Short words: how a long line is broken is another test's."""
INFO = PaneInfo("Phantom Aliya", "620314")
SMALL = Style(0.5)
GRID = phantoms.geometry()
CENTRE = GRID.to_patient((6.0, 18.0, 26.0))
BALLS = phantoms.spheres_volume(
    [phantoms.Sphere(CENTRE, 7.0, 60.0), phantoms.Sphere(GRID.to_patient((6.0, 30.0, 10.0)), 4.0, 700.0)]
)
LOOK = Appearance(VoiWindow(-300, 1400))
BASE = ImageLayer(LOOK, volume=BALLS)
AXIAL = ViewState(plane=Plane.AXIAL, point_mm=CENTRE)
COARSE = VolumeGeometry.axial((12, 14, 15), (3.1, 2.7, 2.3), GRID.origin_mm, GRID.frame_of_reference_uid)
TURN = np.radians(14.0)
TURNED = replace(
    COARSE,
    j_step_mm=(-2.7 * float(np.sin(TURN)), 2.7 * float(np.cos(TURN)), 0.0),
    i_step_mm=(2.3 * float(np.cos(TURN)), 2.3 * float(np.sin(TURN)), 0.0),
)


def _bump(grid: VolumeGeometry, height: float = 8.0, width_mm: float = 7.0) -> Volume:
    d = np.linalg.norm(phantoms.positions_mm(grid) - np.asarray(CENTRE), axis=-1)
    return Volume((height * np.exp(-((d / width_mm) ** 2))).astype(np.float32), grid, "GML")


def _scene(
    layers: Sequence[Layer],
    extra: Callable[[ResolvedView], Sequence[Primitive]],
    view: ViewState = AXIAL,
    size: tuple[int, int] = (240, 200),
) -> Scene:
    picture = render(view, layers, size)
    return picture, decorate(picture.resolved, INFO, TEXTS, tuple(extra(picture.resolved)), SMALL)


def fusion_with_its_scale() -> Scene:
    """Uptake over anatomy on a turned grid of its own, found by registration."""
    look = Appearance(VoiWindow(3.0, 6.0, VoiFunction.LINEAR_EXACT), "hot_iron", 0.6)
    upper = FusionLayer(_bump(TURNED), TURNED, look, registered=True)
    return _scene([BASE, upper], lambda r: over_legend("hot_iron", 0.0, 6.0, "SUVbw", r, TEXTS, SMALL))


def difference_to_another_volume() -> Scene:
    moved = phantoms.spheres_volume([phantoms.Sphere(tuple(c + 2.5 for c in CENTRE), 7.0, 60.0)])  # type: ignore[arg-type]
    upper = FusionLayer(moved, moved.geometry, Appearance(), OverMode.DIFFERENCE)
    return _scene([BASE, upper], lambda r: ())


def film_in_the_place_of_another() -> Scene:
    """A film of half the pixels, turned a little, where it lies on the pane's own."""
    y, x = np.mgrid[0:70, 0:90]
    other = FramePixels((1500 + 400 * np.sin(x / 6.0) + 300 * np.cos(y / 8.0)).astype(np.uint16))
    to_second = np.array([[0.5, 0.06, 2.0], [-0.06, 0.5, 8.0]])
    return _scene([_film(), FilmLayer(other, to_second, True)], lambda r: (), ViewState())


def second_alone_for_flicker() -> Scene:
    upper = FusionLayer(_bump(COARSE, 900.0), COARSE, Appearance(), OverMode.SECOND)
    return _scene([BASE, upper], lambda r: ())


def dose_with_isodoses() -> Scene:
    dose = replace(_bump(COARSE, 50.0, 14.0), unit="GY")
    lines = isodoses(50.0)
    look = Appearance(VoiWindow(25.0, 50.0, VoiFunction.LINEAR_EXACT), "inferno", 0.3)
    upper = FusionLayer(dose, COARSE, look, isodoses=lines)
    return _scene([BASE, upper], lambda r: isodose_legend(lines, "GY", r, TEXTS, SMALL), size=(200, 184))


@dataclass(frozen=True, eq=False)
class Numbers:
    """A label grid that is there."""

    voxels: np.ndarray
    geometry: VolumeGeometry
    below: LabelGrid | None = None
    complete: bool = True

    def plane(self, k: int) -> np.ndarray:
        return self.voxels[k]

    def whole(self) -> np.ndarray:
        return self.voxels

    def under(self) -> LabelGrid | None:
        return self.below


def label_map_with_one_below() -> Scene:
    numbers = np.zeros(GRID.shape, np.uint8)
    numbers[:, 6:20, 8:26], numbers[:, 20:34, 14:40], numbers[:, 10:16, 30:42] = 1, 2, 3
    below = np.zeros_like(numbers)
    below[:, 14:26, 18:34] = 4
    rgb = np.zeros((256, 3), np.uint8)
    rgb[1:5] = ((230, 120, 80), (90, 190, 230), (120, 220, 110), (240, 220, 90))
    layer = LabelLayer(Numbers(numbers, GRID, Numbers(below, GRID)), rgb, table_of(rgb, 0.35))
    return _scene([BASE, layer], lambda r: ())


def fractional_segment() -> Scene:
    share = (_bump(COARSE, 1.0, 9.0).voxels).astype(np.float16)
    return _scene([BASE, FractionLayer(Fraction(share, COARSE), (120, 200, 255))], lambda r: (), size=(220, 180))


def parametric_map_with_its_scale() -> Scene:
    values = _bump(COARSE, 1800.0, 10.0).voxels
    found = ValueMap(values, COARSE, "", 0.0, 1800.0, "um2/s", "ADC")
    (heat,) = _layers(SavedOverlay("2.25.7", OverlayKind.MAP, "ADC", value_map=found))
    assert isinstance(heat, HeatmapLayer)
    return _scene([BASE, heat], lambda r: map_legend(found, r, SMALL), size=(190, 170))


def structures_with_legend() -> Scene:
    ring = np.array([[np.cos(t), np.sin(t), 0.0] for t in np.linspace(0, 2 * np.pi, 40, endpoint=False)])
    flat = Contour(np.asarray(CENTRE) + ring * 9.0)
    steep = Contour(np.asarray(CENTRE) + np.stack([ring[:, 0] * 12, np.full(40, -6.0), ring[:, 1] * 12], axis=1))
    parts = (
        OverlayPart(1, "Heart", "Heart", (230, 120, 80), contours=(flat,)),
        OverlayPart(2, "Beam", "Beam", (90, 190, 230), contours=(steep,)),
    )
    overlay = SavedOverlay("2.25.8", OverlayKind.STRUCTURES, "RT", parts, frame_of_reference_uid=GRID.frame_of_reference_uid)
    draw = _structures(overlay, 2.0)
    return _scene([BASE], lambda r: [*draw(r, SMALL), *legend(parts, r, SMALL)])


def time_curve_of_a_region() -> Scene:
    curve = TimeCurve((100.0, 180.0, 260.0, 230.0, 190.0), (0.0, 20.0, 40.0, 80.0, 120.0), 2)
    return _scene([BASE], lambda r: curve_primitives(curve, r.size, TEXTS, SMALL))


def time_curve_without_room() -> Scene:
    """What is said where the chart does not fit."""
    curve = TimeCurve((100.0, 180.0, 260.0))
    return _scene([BASE], lambda r: curve_primitives(curve, r.size, TEXTS, replace(SMALL, scale=0.9)))


def _blank(size: tuple[int, int], view: ViewState, geometry: ImageGeometry) -> Picture:
    resolved = resolve(view, size, geometry)
    return Picture(np.zeros((size[1], size[0]), np.uint8), resolved, None, False)


def large_time_chart() -> Scene:
    """Three regions in per cent of their first value; the second has a gap."""
    times = (0.0, 15.0, 30.0, 60.0, 120.0, 180.0)
    curves = [
        TimeCurve((100.0, 140.0, 260.0, 230.0, 190.0, 160.0), times, 2, "[hnsf'U]"),
        TimeCurve((90.0, 95.0, None, 150.0, 165.0, 170.0), times, 2, "[hnsf'U]"),
        TimeCurve((110.0, 111.0, 112.0, 113.0, 111.0, 112.0), times, 2, "[hnsf'U]"),
    ]
    picture = _blank((420, 260), ViewState(), ImageGeometry(420, 260))
    return picture, tuple(chart_primitives(curves, (420, 260), TEXTS, SMALL, relative=True))


def cube_and_crop_box() -> Scene:
    """What is drawn over a 3D view; the rendering itself is another test's."""
    c, s = float(np.cos(0.5)), float(np.sin(0.5))
    row, column = (c, s, 0.0), (0.3 * s, -0.3 * c, -float(np.sqrt(1 - 0.09)))
    view = ViewState(plane=Plane.OBLIQUE, point_mm=CENTRE, oblique_row=row, oblique_column=column, zoom=0.6)
    picture = render(view, [BASE], (240, 240))
    crop = (0.1, 0.9, 0.0, 0.8, 0.2, 1.0)
    drawn = [*cube_primitives(picture.resolved, SMALL), *box_primitives(picture.resolved, GRID, crop, SMALL)]
    return picture, tuple(drawn)


def axes_of_a_model() -> Scene:
    look = ModelLook(right=(0.8, 0.6, 0.0), down=(0.0, 0.0, -1.0))
    picture = _blank((120, 120), ViewState(), ImageGeometry(120, 120))
    return picture, tuple(axes_primitives(look, (120, 120), SMALL))


def _film() -> ImageLayer:
    y, x = np.mgrid[0:120, 0:160]
    values = (2000 + 1200 * np.sin(x / 17.0) * np.cos(y / 21.0)).astype(np.uint16)
    geometry = ImageGeometry(160, 120, 0.5, 0.5, True, patient_orientation=("L", "F"))
    return ImageLayer(Appearance(VoiWindow(2000, 5200)), FramePixels(values), geometry, sop_instance_uid="1.9")


def tooth_numbers_over_a_film() -> Scene:
    teeth = (
        NumberedTooth(11, (60.0, 20.0, 74.0, 58.0), 0.9, True, "1.9"),
        NumberedTooth(21, (78.0, 20.0, 92.0, 58.0), 0.3, True, "1.9"),
        NumberedTooth(31, (78.0, 62.0, 90.0, 100.0), 0.9, True, "1.9"),
        NumberedTooth(41, (62.0, 62.0, 74.0, 100.0), 0.9, False, "1.9"),
    )
    desk: Any = SimpleNamespace(
        available=True,
        numbers_shown=True,
        selected=31,
        numbers=lambda: teeth,
        chart=lambda: (SimpleNamespace(fdi=11, gone=True),),
        corrected=lambda: frozenset({11}),
    )
    (draw,) = ToothNumbers(desk).drawers("1.9")
    return _scene([_film()], lambda r: draw(r, SMALL), ViewState(zoom=0.9))


def lens_over_a_film() -> Scene:
    layer = _film()
    picture = with_lens(render(ViewState(), [layer], (240, 200)), [layer], (110.0, 90.0), SMALL.scale)
    drawn = gesture_primitives(((20.0, 120.0), (80.0, 180.0)), (110.0, 90.0), True, (240, 200), SMALL)
    probe = probe_primitives((200.0, 40.0), (Measurement(Quantity.VALUE, 40.0, "[hnsf'U]"),), TEXTS, picture.resolved, SMALL)
    return picture, (*drawn, *probe)


DRAWN: dict[MarkShape, tuple[tuple[float, float], ...]] = {
    MarkShape.TEXT: ((12.0, 30.0),),
    MarkShape.SPINE: ((150.0, 30.0),),
    MarkShape.TOOTH: ((150.0, 50.0),),
    MarkShape.COBB: ((20.0, 50.0), (50.0, 44.0), (22.0, 70.0), (52.0, 80.0)),
    MarkShape.CARDIOTHORACIC: ((70.0, 26.0), (100.0, 26.0), (60.0, 40.0), (116.0, 42.0)),
    MarkShape.LEG_LENGTH: ((64.0, 60.0), (66.0, 90.0), (76.0, 60.0), (74.0, 92.0)),
    MarkShape.CURVE: ((90.0, 100.0), (110.0, 80.0), (130.0, 84.0), (150.0, 104.0)),
    MarkShape.POLYGON: ((100.0, 50.0), (126.0, 54.0), (118.0, 72.0)),
    MarkShape.FREEHAND: ((20.0, 92.0), (34.0, 88.0), (46.0, 96.0), (40.0, 110.0), (24.0, 106.0)),
    MarkShape.POINT: ((56.0, 104.0),),
}


def further_drawings_of_the_reader() -> Scene:
    """Those that the films at the edge do not show; words in place of values."""
    layer = _film()

    def drawn(resolved: ResolvedView) -> list[Primitive]:
        out: list[Primitive] = []
        for n, (shape, points) in enumerate(DRAWN.items()):
            annotation = Annotation(f"2.25.{n}", shape, Placement("1.9", 0, points), text="L4")
            out += own_primitives(annotation, layer, resolved, TEXTS, MarkLook(pending=n % 2 == 1), SMALL)
        return out

    return _scene([layer], drawn, ViewState())


def shutter_of_the_reader() -> Scene:
    return _scene([_film()], lambda r: (), ViewState(shutter=(30.0, 20.0, 130.0, 95.0)))


def _state(**fields: Any) -> PresentationState:
    scope = ImageScope((("1.9", ()),))
    return PresentationState(
        "2.25.9", PresentationKind.GREYSCALE, "620314", "Phantom", "1.2", "LOOK", "look", "Dr A", "20260102", scope, **fields
    )


def saved_look_with_shutter_and_graphics() -> Scene:
    layer = _film()
    everywhere, pixel, display = ImageScope(), Units.PIXEL, Units.DISPLAY
    graphics = (
        SavedGraphic("POLYLINE", ((20.0, 20.0), (60.0, 30.0), (40.0, 60.0), (20.0, 20.0)), pixel, True),
        SavedGraphic("CIRCLE", ((110.0, 60.0), (128.0, 60.0)), pixel),
        SavedGraphic("ELLIPSE", ((60.0, 90.0), (100.0, 90.0), (80.0, 80.0), (80.0, 100.0)), pixel, rgb=(255, 200, 80)),
        SavedGraphic("INTERPOLATED", ((0.1, 0.9), (0.3, 0.7), (0.5, 0.9), (0.7, 0.7)), display),
        SavedGraphic("POINT", ((140.0, 20.0),), pixel),
    )
    texts = (SavedText("Fracture\nline", pixel, (64.0, 8.0, 110.0, 30.0), (110.0, 60.0), pixel, True),)
    state = _state(
        annotations=(SavedAnnotation("L", everywhere, graphics, texts),),
        layers=(GraphicLayer("L", 1, "", (120, 220, 255)),),
        shutter=Shutter(circle=(80.0, 60.0, 72.0), grey=40),
    )
    covered = shutter_layer(state, layer)
    assert covered is not None
    return _scene(
        [layer, covered],
        lambda r: [*annotation_primitives(state, "1.9", 0, r, SMALL), *saved_label("Dr A, 02.01.2026", r, SMALL)],
        ViewState(),
    )


def compound_graphics_of_a_saved_look() -> Scene:
    pixel = Units.PIXEL
    compounds = (
        CompoundGraphic("MULTILINE", ((10.0, 10.0), (40.0, 10.0), (10.0, 20.0), (40.0, 20.0)), pixel),
        CompoundGraphic("INFINITELINE", ((60.0, 0.0), (64.0, 10.0)), pixel, dashed=True),
        CompoundGraphic("CUTLINE", ((20.0, 60.0), (60.0, 50.0)), pixel, gap=0.1),
        CompoundGraphic("RANGELINE", ((90.0, 20.0), (140.0, 30.0)), pixel),
        CompoundGraphic(
            "RULER", ((20.0, 100.0), (90.0, 100.0)), pixel, ticks=(Tick(0.0, "0"), Tick(0.5, "5"), Tick(1.0, "10"))
        ),
        CompoundGraphic("AXIS", ((20.0, 80.0), (60.0, 80.0)), pixel, ticks=(Tick(0.25), Tick(0.75))),
        CompoundGraphic("CROSSHAIR", ((110.0, 90.0),), pixel, gap=0.06, diameter=0.3, rotation_point=(110.0, 90.0)),
        CompoundGraphic("ARROW", ((150.0, 110.0), (130.0, 70.0)), pixel, rgb=(255, 200, 80)),
        CompoundGraphic("RECTANGLE", ((100.0, 40.0), (125.0, 55.0)), pixel, rotation_deg=20.0),
        CompoundGraphic("ELLIPSE", ((70.0, 60.0), (95.0, 75.0)), pixel, True),
    )
    state = _state(annotations=(SavedAnnotation("L", ImageScope(), compounds=compounds),))
    return _scene([_film()], lambda r: annotation_primitives(state, "1.9", 0, r, SMALL), ViewState())


def marks_of_a_report() -> Scene:
    """What a CAD report places on an image: points, lines, outlines, circles and ellipses with its words."""
    layer = _film()
    shapes = (
        PlacedShape(ShapeKind.POINTS, ("Calcification",), ((30.0, 20.0), (36.0, 24.0)), "1.9"),
        PlacedShape(ShapeKind.LINE, ("Diameter", "9 mm"), ((60.0, 20.0), (90.0, 34.0)), "1.9"),
        PlacedShape(ShapeKind.OUTLINE, ("Mass",), ((20.0, 50.0), (50.0, 46.0), (56.0, 70.0), (28.0, 76.0)), "1.9"),
        PlacedShape(ShapeKind.CIRCLE, (), ((110.0, 60.0), (124.0, 60.0)), "1.9"),
        PlacedShape(ShapeKind.ELLIPSE, ("R",), ((70.0, 95.0), (110.0, 95.0), (90.0, 86.0), (90.0, 104.0)), "1.9"),
        PlacedShape(ShapeKind.IMAGE, ("Key",), sop_instance_uid="1.9"),
        PlacedShape(ShapeKind.OUTLINE, ("Elsewhere",), ((1.0, 1.0), (9.0, 9.0), (1.0, 9.0)), "1.8"),
    )
    return _scene([layer], lambda r: [p for s in shapes for p in shape_primitives(s, layer, r, SMALL, 1.0)], ViewState())


def overlay_plane_of_the_image() -> Scene:
    from app.session.saved_drawing import overlays_of

    layer = _film()
    assert layer.frame is not None
    bits = np.zeros((120, 160), np.bool_)
    bits[30:34, 20:140], bits[20:100, 80:83] = True, True
    layer = replace(layer, frame=replace(layer.frame, overlays=(bits,), overlay_groups=(0x6000,)))
    return _scene([layer, *overlays_of(layer, None)], lambda r: (), ViewState())


def quadrants_of_a_breast() -> Scene:
    walk = QuadrantWalk.__new__(QuadrantWalk)
    fields = fields_of(2, 2)
    pane = PaneState("pane-0", "d")
    walk._at, walk._stands = fields[1], {"pane-0": pane.view}
    walk._seen = {"1.9": {fields[0]}}
    side = SimpleNamespace(frame_ref=lambda p: SimpleNamespace(sop_instance_uid="1.9"), instance=lambda uid: None)
    walk._room = side  # type: ignore[assignment]
    (draw,) = walk.drawers(pane)
    return _scene([_film()], lambda r: draw(r, SMALL), ViewState())


def planes_that_cut_each_other() -> Scene:
    """The lines of two fellows, one of them thick and turned, with their handles."""
    c, t = float(np.cos(0.4)), float(np.sin(0.4))
    fellows = (
        Fellow("a", ViewState(plane=Plane.CORONAL, point_mm=CENTRE)),
        Fellow(
            "b",
            ViewState(
                plane=Plane.OBLIQUE, point_mm=CENTRE, oblique_row=(t, c, 0.0), oblique_column=(0, 0, -1.0), slab_mm=8.0
            ),
        ),
    )
    return _scene([BASE], lambda r: triad_primitives(r, GRID, fellows, SMALL, TEXTS, True))


def _curve() -> tuple[CurvedDesk, tuple[PaneState, ...]]:
    """A bow through the balls with a row of cross-sections three millimetres apart."""
    points = tuple(
        GRID.to_patient((6.0, row, column)) for row, column in ((30.0, 6.0), (12.0, 18.0), (10.0, 30.0), (28.0, 42.0))
    )
    mark = SimpleNamespace(shape=MarkShape.CURVE, placement=SimpleNamespace(points_mm=points))
    images = SimpleNamespace(volume=lambda display_set_id: BALLS)
    desk = CurvedDesk(images, lambda mark_id: mark, lambda changes: None, lambda notice: None)  # type: ignore[arg-type,return-value]
    along = PaneState("pane-0", "d", ViewState("d", Plane.CURVED), curve="2.25.5")
    row = tuple(
        PaneState(f"pane-{n}", "d", ViewState("d", Plane.OBLIQUE), curve="2.25.5", section_mm=6.0 * n, section_every_mm=6.0)
        for n in range(1, 5)
    )
    return desk, (along, *row)


def cross_sections_on_their_reformat() -> Scene:
    desk, panes = _curve()
    made = reformatted(BALLS, desk.points_of("2.25.5"), 0.0, SlabMode.MEAN)
    desk._made["2.25.5"] = made
    (draw,) = desk.drawers(panes[0], panes, "pane-2")
    rows, columns = made.frame.values.shape
    step = made.image.curve.step_mm
    flat = ImageLayer(LOOK, frame=made.frame, geometry=ImageGeometry(columns, rows, step, step, True))
    return _scene([flat], lambda r: draw(r, SMALL), ViewState(), (260, 120))


def cross_sections_from_above() -> Scene:
    desk, panes = _curve()
    drawn = PaneState("pane-9", "d", AXIAL)
    (draw,) = desk.drawers(drawn, (*panes, drawn), "pane-2")
    return _scene([BASE], lambda r: draw(r, SMALL))


def mask_hidden_below_a_heatmap() -> Scene:
    """Layers in their drawing order: a mask below, a map above."""
    from app.viewer.layers import MaskLayer

    d = np.linalg.norm(phantoms.positions_mm(COARSE) - np.asarray(CENTRE), axis=-1)
    heat = Heatmap(_code(), np.exp(-((d / 5.0) ** 2)).astype(np.float16), COARSE)
    mask = MaskLayer(SegmentMask("2.25.1", BALLS.voxels == 60, GRID), (255, 180, 84), Appearance(opacity=0.35), 1)
    return _scene([BASE, mask, HeatmapLayer(heat, Appearance(lut="inferno", opacity=0.6, threshold=0.3))], lambda r: ())


def _code() -> Any:
    from app.domain.measurement import Code

    return Code("27925004", "SCT", "Nodule")


OVERLAY_SCENES: tuple[Callable[[], Scene], ...] = (
    fusion_with_its_scale,
    difference_to_another_volume,
    second_alone_for_flicker,
    film_in_the_place_of_another,
    dose_with_isodoses,
    label_map_with_one_below,
    fractional_segment,
    parametric_map_with_its_scale,
    structures_with_legend,
    time_curve_of_a_region,
    time_curve_without_room,
    large_time_chart,
    cube_and_crop_box,
    axes_of_a_model,
    tooth_numbers_over_a_film,
    lens_over_a_film,
    further_drawings_of_the_reader,
    shutter_of_the_reader,
    saved_look_with_shutter_and_graphics,
    compound_graphics_of_a_saved_look,
    marks_of_a_report,
    overlay_plane_of_the_image,
    quadrants_of_a_breast,
    planes_that_cut_each_other,
    cross_sections_on_their_reformat,
    cross_sections_from_above,
    mask_hidden_below_a_heatmap,
)
