"""Reference pictures of one pane each, from generated phantoms: within one grey level, a difference picture on failure.

``EKINSHI_GOLDEN=write python -m pytest tests/golden`` writes them anew; look at every picture before committing it.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from app.domain.finding import Finding, Heatmap, Location, ReaderIdentity, SegmentMask, Source
from app.domain.geometry import VolumeGeometry
from app.domain.measurement import Annotation, Code, MarkShape, Measurement, Placement, Quantity
from app.domain.pixels import FramePixels, VoiWindow
from app.domain.problem import Problem
from app.viewer.compositor import Picture, render
from app.viewer.decorations import Style, decorate
from app.viewer.layers import HeatmapLayer, ImageLayer, MaskLayer
from app.viewer.marks import MarkLook, annotation_primitives, finding_primitives
from app.viewer.pane_info import PaneInfo
from app.viewer.primitives import Primitive
from app.viewer.view_state import Appearance, ImageGeometry, Plane, SlabMode, ViewState
from tests import phantoms
from tests.golden.drawing import paint
from tests.golden.overlay_scenes import OVERLAY_SCENES, TEXTS

HERE = Path(__file__).parent
INFO = PaneInfo(
    "Phantom Aliya", "620314", position=5, count=12, window=VoiWindow(-300, 1400), laterality="L", view_position="MLO"
)
GRID = phantoms.geometry()
CENTRE = GRID.to_patient((6.0, 18.0, 26.0))
BALLS = phantoms.spheres_volume(
    [phantoms.Sphere(CENTRE, 7.0, 60.0), phantoms.Sphere(GRID.to_patient((6.0, 30.0, 10.0)), 4.0, 700.0)]
)
LOOK = Appearance(VoiWindow(-300, 1400))
NODULE = Code("27925004", "SCT", "Nodule")
AI = Finding(
    "2.25.1",
    Source.AI,
    NODULE,
    Location(CENTRE, (tuple(c - 7.0 for c in CENTRE), tuple(c + 7.0 for c in CENTRE)), GRID.frame_of_reference_uid),
    (Measurement(Quantity.LONG_AXIS, 14.0, "mm"),),
    reader=ReaderIdentity("lung_ct", "1", "0" * 64),
)
Scene = tuple[Picture, tuple[Primitive, ...]]


def _heat() -> HeatmapLayer:
    coarse = VolumeGeometry.axial((16, 20, 20), (2.0, 1.6, 1.5), GRID.origin_mm, GRID.frame_of_reference_uid)
    d = np.linalg.norm(phantoms.positions_mm(coarse) - np.asarray(CENTRE), axis=-1)
    heatmap = Heatmap(NODULE, np.exp(-((d / 7.0) ** 2)).astype(np.float16), coarse)
    return HeatmapLayer(heatmap, Appearance(lut="inferno", opacity=0.6, threshold=0.3))


def axial_with_heatmap() -> Scene:
    layer = ImageLayer(LOOK, volume=BALLS)
    picture = render(ViewState(plane=Plane.AXIAL, point_mm=CENTRE), [layer, _heat()], (240, 460))
    info = replace(INFO, ai_shown=True)
    marks = finding_primitives(AI, layer, picture.resolved, TEXTS, MarkLook("A1", pending=True))
    return picture, decorate(picture.resolved, info, TEXTS, marks, heatmap=("inferno", 0.3), point_mm=CENTRE)


def coronal_slab_with_cross_reference() -> Scene:
    layer = ImageLayer(LOOK, volume=BALLS)
    view = ViewState(plane=Plane.CORONAL, point_mm=CENTRE, slab_mm=12.0, slab_mode=SlabMode.MAXIMUM)
    picture = render(view, [layer], (260, 220))
    info = replace(INFO, plane="viewer.plane.coronal", slab_mm=12.0, slab_mode="max")
    return picture, decorate(picture.resolved, info, TEXTS, cross_references=[GRID.plane(6)])


def oblique_turned() -> Scene:
    volume = phantoms.ramp_volume(phantoms.oblique_geometry(), (8.0, -6.0, 9.0), -300.0)
    view = ViewState(
        plane=Plane.OBLIQUE, oblique_row=(0.8, 0.6, 0.0), oblique_column=(0.0, 0.0, -1.0), rotation_deg=20, flip_h=True
    )
    picture = render(view, [ImageLayer(LOOK, volume=volume)], (220, 240))
    return picture, decorate(picture.resolved, INFO, TEXTS)


def _film(calibrated: bool) -> ImageLayer:
    y, x = np.mgrid[0:160, 0:120]
    values = (2000 + 1500 * np.sin(x / 9.0) * np.cos(y / 13.0)).astype(np.uint16)
    geometry = ImageGeometry(120, 160, 0.5, 0.5, calibrated, patient_orientation=("A", "F"), detector_mm=not calibrated)
    return ImageLayer(Appearance(VoiWindow(2000, 3600)), FramePixels(values), geometry, sop_instance_uid="1.9")


def film_at_the_edge_with_marks() -> Scene:
    layer = _film(True)
    picture = render(ViewState(anchor=(0.0, 0.5), zoom=0.9, rotation_deg=0.0), [layer], (240, 240))
    marks: list[Primitive] = []
    drawn = {
        MarkShape.LENGTH: ((20.0, 20.0), (60.0, 40.0)),
        MarkShape.ELLIPSE: ((30.0, 60.0), (80.0, 90.0)),
        MarkShape.RECTANGLE: ((70.0, 100.0), (110.0, 120.0)),
        MarkShape.ANGLE: ((20.0, 110.0), (40.0, 140.0), (70.0, 140.0)),
        MarkShape.ARROW: ((90.0, 30.0), (110.0, 50.0)),
        MarkShape.BIDIRECTIONAL: ((80.0, 60.0), (110.0, 80.0), (90.0, 80.0), (100.0, 60.0)),
    }
    for n, (shape, points) in enumerate(drawn.items()):
        annotation = Annotation(f"2.25.{n}", shape, Placement("1.9", 0, points), (Measurement(Quantity.LENGTH, 12.0, "mm"),))
        look = MarkLook(str(n + 1), selected=n == 1)
        marks.extend(annotation_primitives(annotation, layer, picture.resolved, TEXTS, look))
    return picture, decorate(picture.resolved, INFO, TEXTS, marks, grey=picture.pixels)


def film_uncalibrated_inverted() -> Scene:
    picture = render(ViewState(invert=True, rotation_deg=90), [_film(False)], (240, 160))
    info = replace(INFO, remarks=(Problem("viewer.spacing.unknown"),), prior=True)
    return picture, decorate(picture.resolved, info, TEXTS, style=Style(scale=1.0))


def mask_with_outline() -> Scene:
    mask = SegmentMask("2.25.1", BALLS.voxels == 60, GRID)
    layers = [ImageLayer(LOOK, volume=BALLS), MaskLayer(mask, (255, 180, 84), Appearance(opacity=0.35), 1)]
    picture = render(ViewState(plane=Plane.SAGITTAL, point_mm=CENTRE, zoom=1.4), layers, (220, 200))
    return picture, decorate(picture.resolved, INFO, TEXTS, style=Style(corner_texts=False))


SCENES: tuple[Callable[[], Scene], ...] = (
    axial_with_heatmap,
    coronal_slab_with_cross_reference,
    oblique_turned,
    film_at_the_edge_with_marks,
    film_uncalibrated_inverted,
    mask_with_outline,
    *OVERLAY_SCENES,
)


@pytest.mark.parametrize("scene", SCENES, ids=lambda s: s.__name__)
def test_pane_equals_its_reference(scene: Callable[[], Scene]) -> None:
    picture, primitives = scene()
    got = paint(picture.rgba(), primitives)
    file = HERE / f"{scene.__name__}.png"
    if os.environ.get("EKINSHI_GOLDEN") == "write":
        cv2.imwrite(str(file), got[..., ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 9])
    stored = cv2.imread(str(file))
    assert stored is not None, f"{file.name} is missing"
    reference = stored[..., ::-1].astype(int)
    assert reference.shape == got.shape
    difference = np.abs(got.astype(int) - reference)
    if difference.max() > 1:
        folder = Path(tempfile.mkdtemp(prefix="ekinshi-golden-"))
        both = np.concatenate([reference, got, np.minimum(difference * 8, 255)], axis=1).astype(np.uint8)
        cv2.imwrite(str(folder / file.name), both[..., ::-1])
        pytest.fail(
            f"{(difference.max(axis=2) > 1).sum()} pixels differ, up to {difference.max()} levels: {folder / file.name}"
        )


@pytest.mark.parametrize("scene", SCENES, ids=lambda s: s.__name__)
def test_a_moved_overlay_would_be_noticed(scene: Callable[[], Scene]) -> None:
    """The comparison itself can fail: the same picture a pixel to the right is another one."""
    picture, primitives = scene()
    got = paint(picture.rgba(), primitives).astype(int)
    assert (np.abs(np.roll(got, 1, axis=1) - got).max(axis=2) > 1).sum() > 100
