"""Which prior hangs: never another part of the body, never the other side, the newest that goes with the study first."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from app.domain.study import DisplaySet, Study
from app.viewer.anatomy import Match
from app.viewer.hanging import Hanging, hang
from app.viewer.hanging_protocols import protocol_from
from app.viewer.hanging_rules import Candidate, candidates, set_attributes, study_attributes
from app.viewer.priors import aged, matching
from app.viewer.series_kind import likeness
from tests.viewer.test_hanging import MAMMO, study_of
from tests.viewer.test_hanging_anatomy import pictures, stack

Sets = list[dict[str, Any]]
Old = tuple[str, Sets, str]
KNEE = [stack("MR", "sagittal", "pd_fs_sag"), stack("MR", "coronal", "pd_fs_cor"), stack("MR", "axial", "pd_fs_tra")]
BRAIN = [stack("MR", "sagittal", "t1_sag"), stack("MR", "axial", "t2_flair_tra")]
SPINE = [stack("MR", "sagittal", "t2_tse_sag"), stack("MR", "sagittal", "t1_tse_sag"), stack("MR", "sagittal", "stir"),
         stack("MR", "axial", "t2_tse_tra")]  # fmt: skip
FILM = pictures("DX", 1, view_position="AP")
PET = [stack("PT", "axial", "PET WB", 200), stack("CT", "axial", "CT WB 3.0", 200)]
RUN = [{"modality": "XA", "kind": "cine", "frames": 40}]


def of(description: str, sets: Sets, day: str, uid: str) -> tuple[Study, tuple[DisplaySet, ...]]:
    study, display_sets = study_of({"study_description": description, "display_set": sets}, uid)
    return replace(study, study_datetime=day), display_sets


def hung(description: str, sets: Sets, *old: Old) -> Hanging:
    study, display_sets = of(description, sets, "20260101", "1.2")
    return hang(study, display_sets, [of(*o, f"1.{n}") for n, o in enumerate(old, 3)])


def priors(hanging: Hanging) -> set[str]:
    """Studies of which something hangs."""
    return {p.study_instance_uid for s in hanging.stages for p in s.panes if p.prior}


ALIKE: dict[str, tuple[str, Sets, Old]] = {
    "knee": ("MR left knee", KNEE, ("MR knee", KNEE, "20250101")),
    "Russian knee": ("МРТ коленного сустава", KNEE, ("MR Knie links", KNEE, "20250101")),
    "brain": ("MR brain", BRAIN, ("МРТ головного мозга", BRAIN, "20250101")),
    "spine": ("MR lumbar spine", SPINE, ("MR spine", SPINE, "20250101")),
    "hand": ("X-ray right hand", FILM, ("X-ray hand", FILM, "20250101")),
    "wrist beside hand": ("X-ray right hand", FILM, ("X-ray right wrist", FILM, "20250101")),
    "PET": ("PET/CT FDG", PET, ("PET/CT FDG", PET, "20250101")),
    "coronaries": ("Coronary angiography", RUN, ("Coronary angiography", RUN, "20250101")),
    "breasts": ("Screening", MAMMO["display_set"], ("Other words", MAMMO["display_set"], "20250101")),
    "unnamed alike": ("Angio 7", RUN, ("Angio 7", RUN, "20250101")),
}
APART: dict[str, tuple[str, Sets, Old, Match]] = {
    "a brain beside a knee": ("MR left knee", KNEE, ("MR brain", [*BRAIN, *KNEE], "20250101"), Match.DIFFERENT),
    "the right knee": ("MR left knee", KNEE, ("MR right knee", KNEE, "20250101"), Match.OTHER_SIDE),
    "a knee film beside a hand": ("X-ray right hand", FILM, ("X-ray left knee", FILM, "20250101"), Match.DIFFERENT),
    "a neck beside a lumbar spine": ("MR lumbar spine", SPINE, ("МРТ шейного отдела", SPINE, "20250101"), Match.DIFFERENT),
    "a prostate beside a brain": ("MR brain", BRAIN, ("MR prostate", BRAIN, "20250101"), Match.DIFFERENT),
    "a head CT beside PET/CT": ("PET/CT FDG", PET, ("CT head", [stack("CT", "axial", "5", 40)], "2025"), Match.DIFFERENT),
    "legs beside coronaries": ("Coronary angiography", RUN, ("Angiography of the legs", RUN, "20250101"), Match.DIFFERENT),
    "nothing known": ("MR left knee", KNEE, ("", [stack("MR", "sagittal", "localised")], "20250101"), Match.UNKNOWN),
    "unnamed, other names": ("Angio 7", RUN, ("Angio 8", RUN, "20250101"), Match.UNKNOWN),
}  # fmt: skip


@pytest.mark.parametrize("case", ALIKE)
def test_a_prior_of_the_same_part_hangs(case: str) -> None:
    description, sets, old = ALIKE[case]
    assert priors(hung(description, sets, old)) == {"1.3"}


@pytest.mark.parametrize("case", APART)
def test_a_prior_of_another_part_or_side_never_hangs_by_itself(case: str) -> None:
    description, sets, old, found = APART[case]
    hanging = hung(description, sets, old)
    assert priors(hanging) == set()
    assert [j.match for j in hanging.priors] == [found], "and the reason can be told"


def test_the_newest_goes_before_the_finer_and_the_finer_within_one_study() -> None:
    thin, thick = stack("CT", "axial", "Lung 1.0", 200, thickness=1.0), stack("CT", "axial", "Chest 5.0", 60, thickness=5.0)
    hanging = hung("CT chest", [thin], ("CT chest", [thin], "20200101"), ("CT chest", [thick], "20250101"))
    assert priors(hanging) == {"1.4"}
    (compare,) = [s for s in hung("CT chest", [thin], ("CT chest", [thick, thin], "20250101")).stages if s.name == "compare"]
    assert [p.display_set_id for p in compare.panes] == ["1.2.0", "1.3.1"]


def test_the_ct_of_a_prior_pet_lies_under_its_own_pet() -> None:
    chest = ("CT chest", [stack("CT", "axial", "Lung", 200)], "20250601")
    hanging = hung("PET/CT FDG", PET, chest, ("PET/CT FDG", PET, "20250101"))
    (compare,) = [s for s in hanging.stages if s.name == "compare"]
    assert [(p.display_set_id, p.over) for p in compare.panes] == [
        ("1.2.1", "1.2.0"), ("1.4.1", "1.4.0"), ("1.2.0", ""), ("1.4.0", ""),
    ]  # fmt: skip


def test_of_two_hands_the_same_one_hangs_and_of_two_views_the_same() -> None:
    both = [*pictures("DX", 1, view_position="LL", laterality="R"), *pictures("DX", 1, view_position="AP", laterality="L"),
            *pictures("DX", 1, view_position="AP", laterality="R")]  # fmt: skip
    now = pictures("DX", 1, view_position="AP", laterality="R")
    (compare,) = [s for s in hung("X-ray hand", now, ("X-ray hands", both, "20250101")).stages if s.name == "compare"]
    assert [p.display_set_id for p in compare.panes] == ["1.2.0", "1.3.2"]


def test_a_magnified_view_is_no_main_view() -> None:
    plain = MAMMO["display_set"]
    magnified = {**plain[1], "description": "R CC MAG"}
    hanging = hung("Mammography", [magnified, *plain])
    assert [p.display_set_id for p in next(s for s in hanging.stages if s.name == "views").panes] == [
        "1.2.2", "1.2.4", "1.2.3", "1.2.1",
    ]  # fmt: skip
    alone = hung("Mammography", [magnified])
    assert [p.display_set_id for p in alone.stages[0].panes] == ["1.2.0"], "where there is nothing else it still hangs"
    study, sets = of("Mammography", [magnified], "20260101", "1.2")
    coded = replace(study.series[0].instances[0], extra={"view_modifiers": "spot compression"})
    (one,) = candidates(replace(study, series=(replace(study.series[0], instances=(coded,), description=""),)), sets, False)
    assert set_attributes(one)["ViewModifier"] == ("spot compression",)


def _pool(*old: Old) -> tuple[Study, list[Candidate], list[Candidate]]:
    study, sets = of("CT chest", [stack("CT", "axial", "Lung", 100)], "20260101", "1.2")
    current = candidates(study, sets, prior=False)
    older = [c for n, o in enumerate(old, 3) for c in candidates(*of(*o, f"1.{n}"), prior=True)]
    return study, current, aged(study, older)


def test_rules_may_ask_about_priors() -> None:
    chest, head = [stack("CT", "axial", "Lung", 100)], [stack("CT", "axial", "Head", 40)]
    study, current, older = _pool(
        ("CT chest", chest, "20251222"), ("CT chest", chest, "20240101"), ("CT head", head, "20251231")
    )
    told = study_attributes(study, current, matching(study, current, older))
    assert (told["PriorCount"], told["PriorAgeDays"]) == (2.0, 10.0), "a head is no prior of a chest"
    assert (told["PriorModality"], told["PriorBodyRegion"], told["BodyRegion"]) == (("CT",), ("chest",), ("chest",))
    assert set_attributes(older[0])["AgeDays"] == 10.0
    recent = protocol_from(
        {
            "name": "recent",
            "rank": 50.0,
            "match": [{"attribute": "PriorAgeDays", "at_most": 30, "required": True}],
            "set": [{"name": "all", "rule": [{"attribute": "Modality", "equals": "CT", "required": True}]}],
            "stage": [{"name": "all", "layout": "1x1", "pane": [{"set": "all"}]}],
        }
    )
    now = of("CT chest", chest, "20260101", "1.2")
    assert hang(*now, [of("CT chest", chest, "20251222", "1.3")], (recent,)).protocol == "recent"
    assert hang(*now, [of("CT chest", chest, "20201222", "1.3")], (recent,)).protocol == ""
    assert hang(*now, [], (recent,)).protocol == ""


def _one(description: str, study: str = "MR brain", plane: str = "axial", modality: str = "MR", **more: Any) -> Candidate:
    made, sets = of(study, [stack(modality, plane, description, **more)], "20260101", "1.2")
    return candidates(made, sets, prior=False)[0]


def test_only_like_images_are_laid_on_each_other() -> None:
    t1 = _one("t1_tse_tra")
    assert likeness(t1, _one("t1_fl2d_tra")) is not None
    for other in (_one("ep2d_diff_b1000"), _one("t2_tse_tra"), _one("t2_flair_tra"), _one("t1_tse_tra Gd"),
                  _one("t1_tse_sag", plane="sagittal"), _one("t1_tra", "MR knee"), _one("unnamed")):  # fmt: skip
        assert likeness(t1, other) is None
    assert likeness(t1, _one("t1_tra", "")) is None
    assert likeness(t1, _one("t1_tra", ""), by_hand=True) is not None, "a person hung it: nothing speaks against it"
    lung, soft = (
        _one("Lung", "CT chest", modality="CT", kernel="B70f"),
        _one("Soft", "CT chest", modality="CT", kernel="B30f"),
    )
    now = _one("Lung", "CT chest", modality="CT", kernel="B70f")
    assert likeness(now, lung) > likeness(now, soft)


def test_a_kept_comparison_finds_the_like_prior_again() -> None:
    kept = protocol_from(
        {
            "name": "kept",
            "rank": 50.0,
            "match": [{"attribute": "Modality", "equals": "CT", "required": True}],
            "set": [
                {"name": "now", "rule": [{"attribute": "Prior", "equals": False, "required": True}]},
                {"name": "then", "rule": [{"attribute": "Prior", "equals": True, "required": True}]},
            ],
            "stage": [{"name": "own", "layout": "1x1", "pane": [{"set": "now", "over": "then", "over_mode": "difference"}]}],
        }
    )
    axial, coronal = stack("CT", "axial", "Lung", 100), stack("CT", "coronal", "Lung cor", 80)
    now = of("CT chest", [axial], "20260101", "1.2")
    older = [
        of("CT chest", [coronal, axial], "20250101", "1.3"),
        of("CT head", [stack("CT", "axial", "5.0", 100)], "20251201", "1.4"),
    ]
    (pane,) = hang(*now, older, (kept,)).stages[0].panes
    assert (pane.display_set_id, pane.over) == ("1.2.0", "1.3.1")
    (pane,) = hang(*now, older[1:], (kept,)).stages[0].panes
    assert pane.over == ""
