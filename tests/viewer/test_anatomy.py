"""Which part of the body, which side: by the words of four languages and by the codes of headers."""

from __future__ import annotations

import pytest

from app.domain.study import Instance, Patient, Series, Study
from app.viewer.anatomy import Anatomy, Match, anatomy, match, regions_in, side_in

SAID = (
    ("CT chest abdomen pelvis", {"chest", "abdomen", "pelvis"}, ""),
    ("MR left knee", {"knee"}, "L"),
    ("МРТ правого коленного сустава", {"knee"}, "R"),
    ("Оң тізе буыны МРТ", {"knee"}, "R"),
    ("Knie links", {"knee"}, "L"),
    ("XR Knee R", {"knee"}, "R"),
    ("Рентгенография кисти", {"hand"}, ""),
    ("киста почки", {"abdomen"}, ""),
    ("Сол жақ білезік", {"wrist"}, "L"),
    ("голеностопный сустав слева", {"ankle"}, "L"),
    ("Рентгенография обеих стоп", {"foot"}, "B"),
    ("МРТ головного мозга", {"head"}, ""),
    ("Бас миы МРТ", {"head"}, ""),
    ("t2_tse_tra_HEAD COIL", set(), ""),
    ("Feet first", set(), ""),
    ("Шейный отдел позвоночника", {"cervical_spine"}, ""),
    ("грудной отдел позвоночника", {"thoracic_spine"}, ""),
    ("MR spine", {"cervical_spine", "thoracic_spine", "lumbar_spine"}, ""),
    ("тазобедренных суставов", {"hip"}, ""),
    ("Pelvis AP", {"pelvis"}, ""),
    ("PET skull base to mid-thigh", {"neck", "chest", "abdomen", "pelvis"}, ""),
    ("Кеуде қуысы КТ", {"chest"}, ""),
    ("Coronary angiography", {"heart"}, ""),
    ("hippocampus protocol", set(), ""),
    ("ep2d_diff", set(), ""),
)


@pytest.mark.parametrize(("words", "regions", "side"), SAID, ids=[s[0] for s in SAID])
def test_words_name_a_part_and_a_side(words: str, regions: set[str], side: str) -> None:
    assert (regions_in(words), side_in(words)) == (regions, side)


def _of(study: str = "", series: str = "", body_part: str = "", modality: str = "CT", **more: str) -> Anatomy:
    instance = Instance("1", "", "", "", laterality=more.get("side", ""), extra={"anatomy": more.get("coded", "")})
    own = Series("1.1", modality, (instance,), 1, series, body_part)
    return anatomy(Study("1", Patient(), (own,), description=study), own, instance, modality)


def test_what_is_said_nearest_to_the_images_goes_first_and_a_farther_word_narrows_it() -> None:
    assert _of("CT chest abdomen", "Lung 1.0").regions == {"chest"}
    assert _of("CT abdomen", "Axial 3.0", "CHEST").regions == {"chest"}, "a coded part beats the words of the study"
    assert _of("MR lumbar spine", "t2 sag", "SPINE", "MR").regions == {"lumbar_spine"}
    assert _of(coded="Right knee region", modality="DX").regions == {"knee"}
    assert _of(modality="MG").regions == {"breast"}
    assert _of("CT", "abc").regions == frozenset()
    assert _of("Knee both", "Knee right").side == "R"
    assert _of("Knee both", "Knee right", side="L").side == "L", "what is stated of the image"


def test_a_match_is_never_another_part_nor_the_other_side() -> None:
    def of(words: str) -> Anatomy:
        return Anatomy(regions_in(words), side_in(words))

    assert match(of("left knee"), of("knee")) is Match.SAME, "an unknown side is no mismatch"
    assert match(of("left knee"), of("knees, both")) is Match.SAME
    assert match(of("left knee"), of("right knee")) is Match.OTHER_SIDE
    assert match(of("right hand"), of("left wrist")) is Match.OTHER_SIDE
    assert match(of("chest left lateral"), of("chest right decubitus")) is Match.SAME, "a chest has no other side"
    assert match(of("knee"), of("brain")) is Match.DIFFERENT
    assert match(of("hand"), of("wrist")) is Match.NEAR
    assert match(of("lumbar spine"), of("cervical spine")) is Match.DIFFERENT
    assert match(of("lumbar spine"), of("spine")) is Match.SAME
    assert match(of("knee"), of("")) is Match.UNKNOWN
    assert match(of("left"), of("right")) is Match.OTHER_SIDE
