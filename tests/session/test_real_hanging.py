"""Real studies hang as a radiologist or a dentist expects: protocol, panes, windows, sides."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from app.dicom.display_sets import display_sets
from app.dicom.scanner import scan
from app.session.moments import once
from app.viewer.hanging import Hanging, hang
from app.viewer.layouts import layout_cells

SHARED = Path(os.environ.get("EKINSHI_SHARED_DATA", Path(__file__).parents[2].parent / "shared" / "data")) / "dicom"
pytestmark = pytest.mark.skipif(not SHARED.is_dir(), reason="shared test data are not here")

EXPECTED = (
    ("ct-chest-nlst", "chest_ct", "1+3", ("lung", "lung", "lung", "mediastinum")),
    ("ct-head-ge-tilt", "head_ct", "2x2", ("brain", "bone", "subdural", "stroke")),
    ("mr-prostatex", "mr_prostate", "1x3", ("", "", "")),
    ("mg-mammogram", "mammography", "1x1", ("",)),
    ("dental-panoramic", "panoramic", "1x1", ("",)),
    ("us-cine", "ultrasound", "1x1", ("",)),
)


def hung(folder: Path) -> Hanging:
    (study,) = scan([folder]).studies
    return hang(study, once(display_sets(study)))


@pytest.mark.parametrize(("folder", "protocol", "layout", "presets"), EXPECTED, ids=[e[0] for e in EXPECTED])
def test_a_real_study_hangs_whole(folder: str, protocol: str, layout: str, presets: tuple[str, ...]) -> None:
    hanging = hung(SHARED / folder)
    first = hanging.stages[0]
    assert (hanging.protocol, first.layout) == (protocol, layout)
    assert tuple(p.preset for p in first.panes) == presets
    for stage in hanging.stages:
        assert all(p.display_set_id for p in stage.panes), stage.name
        assert len(stage.panes) == len(layout_cells(stage.layout))


def test_the_panes_of_a_real_prostate_show_three_different_things() -> None:
    hanging = hung(SHARED / "mr-prostatex")
    shown = [[p.selector for p in s.panes] for s in hanging.stages]
    assert shown[0] == ["t2_ax", "adc", "dce"]
    assert len({p.display_set_id for p in hanging.stages[0].panes}) == 3


def test_a_real_breast_hangs_by_its_chest_wall_and_a_real_jaw_by_its_exposed_field() -> None:
    (breast,) = hung(SHARED / "mg-mammogram").stages[0].panes
    assert breast.view.anchor == (1.0, 0.5)
    (jaw,) = hung(SHARED / "dental-panoramic").stages[0].panes
    assert jaw.fit_exposed


def test_the_words_of_a_real_ultrasound_have_a_margin() -> None:
    (pane,) = hung(SHARED / "us-cine").stages[0].panes
    assert pane.view.zoom < 0.9


def test_a_real_slice_that_was_stored_upside_down_stands_upright() -> None:
    found = scan([SHARED / "decode-pydicom-data"]).studies
    study = next(s for s in found if s.patient.patient_id == "PANCREAS_0001")
    (pane,) = hang(study, display_sets(study)).stages[0].panes
    assert (pane.view.rotation_deg, pane.view.flip_h) == (180.0, True)


def test_a_real_study_of_reports_alone_opens_on_them() -> None:
    found = scan([SHARED / "robustness-fo-dicom"]).studies
    study = next(s for s in found if {x.modality for x in s.series} == {"SR"})
    hanging = hang(study, display_sets(study))
    assert hanging.protocol == "documents"
    assert hanging.stages[0].panes[0].display_set_id


def test_real_counts_are_dark_on_white() -> None:
    found = scan([SHARED / "decode-pydicom-data"]).studies
    study = next(s for s in found if {x.modality for x in s.series} == {"NM"})
    (pane,) = hang(study, display_sets(study)).stages[0].panes
    assert pane.view.invert


def studies(folder: str) -> list[Hanging]:
    return [hang(s, once(display_sets(s))) for s in scan([SHARED / folder]).studies]


def test_a_real_enhanced_field_map_hangs_beside_its_magnitude_and_scrolls_with_it() -> None:
    pair = next(h for h in studies("mr-enhanced-multiframe") if len(h.stages[0].panes) == 2)
    assert (pair.protocol, pair.stages[0].layout) == ("mr", "1x2")
    first, second = pair.stages[0].panes
    assert first.display_set_id != second.display_set_id
    assert {first.link, second.link} == {"grid"}
    assert {p.view.frame_index for p in (first, second)} == {15}  # the middle of 32 slices
    assert {(p.view.rotation_deg, p.view.flip_h) for p in (first, second)} == {(0.0, False)}


def test_a_real_enhanced_function_series_hangs_once_with_its_moments() -> None:
    one = next(h for h in studies("mr-enhanced-multiframe") if len(h.stages[0].panes) == 1)
    assert (one.protocol, one.stages[0].layout) == ("mr", "1x1")
    (pane,) = one.stages[0].panes
    assert pane.view.frame_index == 2
    study = next(
        s for s in scan([SHARED / "mr-enhanced-multiframe"]).studies if s.study_instance_uid == pane.study_instance_uid
    )
    (shown,) = once(display_sets(study))
    assert shown.moment is not None
    assert shown.moment.count == 2


def test_a_real_pet_slice_is_dark_on_white_in_the_window_of_pet() -> None:
    (pet,) = (h for h in studies("robustness-fo-dicom") if h.protocol == "pet")
    (pane,) = pet.stages[0].panes
    assert pane.view.invert
    assert pane.preset == "pet"


def test_all_real_films_of_a_spine_hang_at_one_scale() -> None:
    (films,) = (h for h in studies("media-dicomdir") if h.protocol == "spine_film")
    panes = films.stages[0].panes
    assert films.stages[0].layout == "2x2"
    assert len({p.display_set_id for p in panes if p.display_set_id}) == 3


def test_a_real_thin_old_head_hangs_in_its_windows() -> None:
    (head,) = (h for h in studies("media-dicomdir") if h.protocol == "head_ct")
    assert [p.preset for p in head.stages[0].panes] == ["brain", "bone", "subdural", "stroke"]
    assert [s.name for s in head.stages] == ["brain", "planes", "bone"]
