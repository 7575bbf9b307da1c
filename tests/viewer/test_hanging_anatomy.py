"""What hangs where, anatomy by anatomy: generated studies with their series out of order, and some that must not win."""

from __future__ import annotations

from typing import Any

import pytest

from app.domain.messages import load_catalogues
from app.domain.resources import resource_path
from app.viewer.hanging import Hanging, hang
from app.viewer.hanging_protocols import shipped_protocols
from app.viewer.layouts import layout_cells
from app.viewer.view_state import Plane
from tests.viewer.test_hanging import MAMMO, study_of


def stack(modality: str, plane: str, description: str, frames: int = 24, **more: Any) -> dict[str, Any]:
    return {
        "modality": modality, "kind": "stack", "frames": frames, "plane": plane, "description": description, **more
    }  # fmt: skip


def pictures(modality: str, count: int, **more: Any) -> list[dict[str, Any]]:
    return [{"modality": modality, "kind": "images", "frames": 1, **more} for _ in range(count)]


def hung(description: str, sets: list[dict[str, Any]], prior: str = "") -> Hanging:
    study, display_sets = study_of({"study_description": description, "display_set": sets})
    older = study_of({"study_description": prior, "display_set": sets}, "1.3") if prior else None
    return hang(study, display_sets, [older] if older else [])


def first(hanging: Hanging) -> list[str]:
    """Numbers of the series in the panes of the first stage; "-" for an empty one, P before a prior's."""
    return [
        "-" if not p.display_set_id else ("P" if p.prior else "") + p.display_set_id.rsplit(".", 1)[1]
        for p in hanging.stages[0].panes
    ]


SCOUT = stack("CT", "coronal", "Topogram", 1)
CASES: dict[str, tuple[str, list[dict[str, Any]], str, str, list[str]]] = {
    "abdomen": (
        "CT abdomen",
        [SCOUT, stack("CT", "axial", "Arterial 3.0", 90), stack("CT", "axial", "Portal venous 3.0", 90)],
        "ct_abdomen", "1+3", ["2", "2", "2", "1"],
    ),
    "cta": (
        "CTA aorta",
        [stack("CT", "axial", "Native 5.0", 60, thickness=5.0), stack("CT", "axial", "CTA 1.0", 300, thickness=1.0)],
        "ct_angiography", "1+3", ["1", "1", "1", "1"],
    ),
    "stroke": (
        "CT stroke with perfusion",
        [
            stack("CT", "axial", "CT Perfusion 5.0", 320), stack("CT", "axial", "Tmax", 16), stack("CT", "axial", "CBF", 16),
            stack("CT", "axial", "CTA 0.6", 400, thickness=0.6), stack("CT", "axial", "NCCT head 5.0", 32, thickness=5.0),
        ],
        "stroke_ct", "2x2", ["4", "3", "3", "1"],
    ),
    "pet": (
        "PET/CT FDG",
        [
            stack("PT", "axial", "PET WB uncorrected", 200), stack("PT", "axial", "PET WB", 200),
            stack("CT", "axial", "CT WB 3.0", 200),
        ],
        "pet_ct", "2x3", ["2", "1", "2", "2", "1", "2"],
    ),
    "brain": (
        "MR brain with contrast",
        [
            stack("MR", "sagittal", "localizer", 3), stack("MR", "axial", "t1_se_tra"), stack("MR", "axial", "t1_se_tra Gd"),
            stack("MR", "axial", "t2_tse_tra"), stack("MR", "axial", "t2_flair_tra"), stack("MR", "axial", "ep2d_ADC"),
            stack("MR", "axial", "ep2d_diff trace"), stack("MR", "axial", "swi"),
        ],
        "mr_brain", "2x3", ["6", "5", "4", "3", "7", "2"],
    ),
    "spine": (
        "MR lumbar spine",
        [
            stack("MR", "axial", "t2_tse_tra"), stack("MR", "sagittal", "t2_stir_sag"),
            stack("MR", "sagittal", "t1_tse_sag"), stack("MR", "sagittal", "t2_tse_sag"),
        ],
        "mr_spine", "1x4", ["3", "2", "1", "0"],
    ),
    "prostate": (
        "MR PROSTATE",
        [
            stack("MR", "axial", "ep2d_diff_tra_ADC_BVAL"), stack("MR", "axial", "ep2d_diff_traCALC_BVAL"),
            stack("MR", "coronal", "t2_tse_cor"), stack("MR", "sagittal", "t2_tse_sag"), stack("MR", "axial", "t2_tse_tra"),
        ],
        "mr_prostate", "2x3", ["4", "0", "1", "3", "2", "-"],
    ),
    "knee": (
        "MR left knee",
        [
            stack("MR", "coronal", "t1_tse_cor"), stack("MR", "axial", "pd_fs_tra"), stack("MR", "coronal", "pd_fs_cor"),
            stack("MR", "sagittal", "pd_fs_sag"),
        ],
        "mr_knee", "2x2", ["3", "2", "1", "0"],
    ),
    "wrist": ("MR wrist", [stack("MR", "coronal", "t1"), stack("MR", "axial", "pd")], "mr", "1x2", ["0", "1"]),
    "hand": (
        "X-ray hand",
        pictures("DX", 1, view_position="LL") + pictures("DX", 1, view_position="AP"),
        "extremity_film", "1x2", ["1", "0"],
    ),
    "one film": ("Knee", pictures("CR", 1), "extremity_film", "1x1", ["0"]),
    "mount": ("FMX", pictures("IO", 18), "full_mouth", "mount18", [str(n) for n in range(18)]),
    "bitewings": ("Bitewings", pictures("IO", 2), "intraoral", "1x2", ["0", "1"]),
    "cbct": ("CBCT maxilla", [stack("CT", "axial", "0.2 mm", 300, thickness=0.2)], "cbct", "2x2", ["0"] * 4),
    "ultrasound": (
        "Abdomen", [{"modality": "US", "kind": "cine", "frames": 40}, *pictures("US", 2)], "ultrasound", "1x3",
        ["0", "1", "2"],
    ),
    "angiography": (
        "Coronary angiography",
        [*pictures("XA", 1), *({"modality": "XA", "kind": "cine", "frames": 40} for _ in range(3))],
        "angiography", "2x2", ["1", "2", "3", "0"],
    ),
    "one run": ("XA", [{"modality": "XA", "kind": "cine", "frames": 40}], "angiography", "1x1", ["0"]),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_the_anatomy_hangs_as_it_is_read(case: str) -> None:
    description, sets, protocol, layout, panes = CASES[case]
    hanging = hung(description, sets)
    assert (hanging.protocol, hanging.stages[0].layout) == (protocol, layout)
    assert first(hanging) == panes


def test_a_prior_gets_its_stage_or_its_pane() -> None:
    for case, expected in (("abdomen", "P"), ("prostate", "P")):
        description, sets, *_ = CASES[case]
        hanging = hung(description, sets, prior=description)
        assert [p for p in first(hanging) if p.startswith(expected)], case
    for case in ("cta", "brain", "spine", "knee", "hand", "cbct", "pet", "one run"):
        description, sets, *_ = CASES[case]
        hanging = hung(description, sets, prior=description)
        compare = [s for s in hanging.stages if s.name == "compare"]
        assert compare, case
        assert any(p.prior for p in compare[0].panes), case


def test_pet_lies_over_ct_in_its_own_window() -> None:
    description, sets, *_ = CASES["pet"]
    stage = hung(description, sets).stages[0]
    assert [p.over.rsplit(".", 1)[-1] if p.over else "" for p in stage.panes] == ["", "", "1", "", "", "1"]
    assert [p.view.invert for p in stage.panes] == [False, True, False, False, True, False]
    assert {p.view.plane for p in stage.panes} == {Plane.AXIAL, Plane.CORONAL}
    assert [p.preset for p in stage.panes][:3] == ["mediastinum", "pet", "mediastinum"]


def test_tomosynthesis_goes_before_mammography_and_hangs_back_to_back() -> None:
    tomo = [{**s, "kind": "stack", "frames": 40, "plane": "axial"} for s in MAMMO["display_set"]]
    hanging = hung("Screening tomosynthesis", [*tomo, *MAMMO["display_set"]])
    assert hanging.protocol == "tomosynthesis"
    assert first(hanging) == ["1", "3", "2", "0"]
    assert [p.view.anchor[0] for p in hanging.stages[0].panes] == [1.0, 0.0, 1.0, 0.0]
    assert {p.view.frame_index for p in hanging.stages[0].panes} == {19}
    both = next(s for s in hanging.stages if s.name == "with_flat")
    assert [p.display_set_id.rsplit(".", 1)[1] for p in both.panes[4:]] == ["5", "7", "6", "4"]
    assert hung("Screening", list(MAMMO["display_set"])).protocol == "mammography"


def test_the_mount_of_eighteen_is_seven_four_seven() -> None:
    cells = layout_cells("mount18")
    rows = {round(y, 3) for _, y, _, _ in cells}
    assert [sum(round(c[1], 3) == y for c in cells) for y in sorted(rows)] == [7, 4, 7]
    assert sum(w * h for _, _, w, h in cells) == pytest.approx(1.0)


def test_every_title_of_every_protocol_is_there_in_three_languages() -> None:
    catalogues = load_catalogues(resource_path("i18n", "messages"))
    wanted = set()
    for protocol in shipped_protocols().protocols:
        wanted.add(f"hanging.{protocol.name}")
        for stage in protocol.stages:
            wanted.add(f"hanging.stage.{stage.name}")
            wanted |= {p.label for p in stage.panes if p.label}
    for language, messages in catalogues.items():
        assert not wanted - set(messages), language
