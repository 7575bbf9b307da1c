"""What sites write into their studies: names of series as GE, Siemens, Philips, Canon and Russian, Kazakh and German sites
give them, and what has to hang of them in which pane.
"""

from __future__ import annotations

from typing import Any

import pytest

from app.viewer.hanging import Hanging, hang
from app.viewer.word_match import expanded, says, word_lists
from tests.viewer.test_hanging import study_of

Series = tuple[str, str, dict[str, Any]]


def ct(description: str, thickness: float | None = None, kernel: str = "", plane: str = "axial", frames: int = 0) -> Series:
    count = frames or (40 if thickness is None or thickness > 2 else 200)
    return ("CT", description, {"thickness": thickness, "kernel": kernel, "plane": plane, "kind": "stack", "frames": count})


def mr(plane: str, *descriptions: str) -> list[Series]:
    planes = {"a": "axial", "s": "sagittal", "c": "coronal"}
    return [("MR", d, {"plane": planes[p], "kind": "stack", "frames": 24}) for p, d in zip(plane, descriptions, strict=True)]


def film(*views: str, modality: str = "DX") -> list[Series]:
    return [(modality, "", {"kind": "images", "frames": 1, "view_position": v}) for v in views]


def hung(description: str, series: list[Series], priors: bool = False) -> Hanging:
    sets = [{"modality": m, "description": d, **more} for m, d, more in series]
    study, display_sets = study_of({"study_description": description, "display_set": sets})
    older = [study_of({"study_description": description, "display_set": sets}, "1.3")] if priors else []
    return hang(study, display_sets, older)


def shown(hanging: Hanging, stage: int = 0) -> str:
    """Numbers of the series in the panes of a stage; "-" for an empty one."""
    return "".join(p.display_set_id.rsplit(".", 1)[1] if p.display_set_id else "-" for p in hanging.stages[stage].panes)


SPINE_MR = {
    "GE": (
        "MR LUMBAR SPINE W/O",
        mr("cssas", "3-pl T2* FGRE S", "Sag T2 FSE", "Sag T1 FSE", "Ax T2 FSE", "Sag STIR"),
        "1243",
    ),
    "GE fs": ("MRI C-SPINE", mr("sssa", "Sag T1 FSE", "Sag T2 frFSE", "Sag T2 FSE FS", "Ax MERGE"), "1023"),
    "GE contrast": (
        "MRI T SPINE W WO",
        mr("ssssa", "Sag T1 FS +C", "Sag T1 FSE", "Sag T2 FSE", "Sag STIR FSE", "Ax T2 FSE"),
        "2134",
    ),
    "Siemens": ("MRT LWS", mr("csssa", "localizer", "t2_tse_sag", "t1_tse_sag", "t2_tirm_sag_fs", "t2_tse_tra"), "1234"),
    "Siemens dixon": (
        "Spine^L-Spine",
        mr("ssssa", "t2_tse_dixon_sag_F", "t2_tse_dixon_sag_W", "t2_tse_sag", "t1_tse_sag", "t2_tse_tra_msma"),
        "2314",
    ),
    "Philips": ("LSpine", mr("ssssa", "Survey", "T2W_TSE", "T1W_TSE", "STIR_longTE", "T2W_TSE_ax"), "1234"),
    "Philips s": ("Cervical", mr("sssa", "sSTIR_TSE", "sT2W_TSE", "sT1W_TSE", "T2W_FFE"), "1203"),
    "Canon": ("C-SPINE", mr("sssa", "FSE T2 SAG", "SE T1 SAG", "FASE STIR SAG", "FE T2* AX"), "0123"),
    "Canon run together": ("L-SPINE", mr("sssa", "SAGT1", "SAGT2", "SAGSTIR STIR", "AXT2"), "1023"),
    "ru": ("МРТ поясничного отдела позвоночника", mr("sssa", "Т1 саг", "STIR саг", "Т2 саг", "Т2 акс"), "2013"),
    "ru short": ("МРТ ШОП", mr("sssa", "T2_TSE_SAG", "T1_TSE_SAG", "STIR_SAG", "T2_TSE_TRA"), "0123"),
    "kk": ("Бел омыртқасының МРТ-сы", mr("sssa", "T2 sag", "T1 sag", "STIR sag", "T2 tra"), "0123"),
}
BRAIN_MR = {
    "Siemens": (
        "Neuro^Head",
        mr(
            "saasaaa",
            "t1_space_sag_p2_iso",
            "ep2d_diff_b1000_p2_ADC",
            "ep2d_diff_b1000_p2_TRACEW",
            "t2_space_dark-fluid_sag_p2_iso",
            "t2_swi3d_tra_p2_Pha",
            "t2_swi3d_tra_p2_SWI",
            "t2_tse_tra_512",
        ),
        "213650",
    ),
    "GE": (
        "MRI BRAIN W/WO CONTRAST",
        mr(
            "asaaaaa",
            "Ax T2 PROPELLER",
            "Sag T1 FLAIR",
            "Ax T2 FLAIR",
            "Ax SWAN",
            "Ax T1 FSE +C",
            "Ax DWI 1000b",
            "Apparent Diffusion Coefficient (mm2/s)",
        ),
        "562034",
    ),
    "Philips": (
        "MRI Brain",
        mr("caaaaaa", "Survey_SHC", "dADC", "isoDWI", "T2W_TSE", "FLAIR_longTR", "SWIp", "T1W_SE"),
        "214356",
    ),
    "Philips exponential": (
        "Brain",
        mr("aaaaaa", "eADC", "dADC", "DWI_3b", "FLAIR", "T2W_TSE", "T1W_TSE"),
        "213455",
    ),
    "Canon": ("BRAIN", mr("aaaaaa", "DWI b=1000", "ADC", "FLAIR", "T2", "FSBB", "T1"), "012345"),
    "ru": (
        "МРТ головного мозга с контрастным усилением",
        mr("aaaaaa", "T1 tra + КУ", "T1 tra", "T2 FLAIR tra", "T2 tra", "ДВИ b1000", "ИКД"),
        "452310",
    ),
    "ru short": ("МРТ ГМ", mr("aaaaa", "T2 TSE", "FLAIR", "DWI", "ADC", "SWI"), "23104-"),
    "kk": ("Бас миының МРТ-сы", mr("aaaaa", "T2", "FLAIR", "DWI", "ADC", "T1"), "231044"),
    "de": (
        "MRT Schädel nativ und KM",
        mr(
            "aaaaaa",
            "ep2d_diff_ADC",
            "ep2d_diff_TRACEW",
            "t2_tirm_tra_dark-fluid",
            "t2_tse_tra",
            "t1_se_tra",
            "t1_se_tra_KM",
        ),
        "102345",
    ),
    "not without": (
        "MR Brain",
        mr("aaaaa", "T1 without contrast", "T1 post contrast", "FLAIR", "T2", "DWI"),
        "4-2301",
    ),
}
JOINT_AND_PROSTATE_MR = {
    "knee Siemens": (
        "MR Knie rechts",
        mr("csac", "t1_tse_cor", "pd_tse_fs_sag", "pd_tse_fs_tra", "pd_tse_fs_cor"),
        "mr_knee",
        "1320",
    ),
    "knee GE": (
        "MRI KNEE LT WO",
        mr("sasc", "Sag T2 FSE FS", "Ax PD FatSat", "Sag PD FSE", "Cor PD FatSat"),
        "mr_knee",
        "2310",
    ),
    "knee Philips": (
        "Knee R",
        mr("scas", "PDW_SPAIR_SAG", "PDW_SPAIR_COR", "PDW_SPAIR_TRA", "T1W_TSE_SAG"),
        "mr_knee",
        "0123",
    ),
    "knee ru": (
        "МРТ левого коленного сустава",
        mr("sacs", "Т1 саг", "PD FS акс", "PD FS кор", "PD FS саг"),
        "mr_knee",
        "3210",
    ),
    "knee kk": ("Сол жақ тізе буынының МРТ-сы", mr("sca", "PD FS sag", "PD FS cor", "PD FS tra"), "mr_knee", "012-"),
    "prostate GE": (
        "MRI PROSTATE MP",
        mr("asacaa", "Ax T2 PROP", "Sag T2 FSE", "Ax DWI b1400", "Cor T2 FSE", "ADC (10^-6 mm2/s)", "Ax DISCO"),
        "mr_prostate",
        "042135",
    ),
    "prostate ru": (
        "мпМРТ предстательной железы",
        mr("asaca", "T2 TSE tra", "T2 TSE sag", "DWI b1500", "T2 TSE cor", "ADC"),
        "mr_prostate",
        "04213-",
    ),
    "no prostate": ("MRA head", mr("aa", "3D PCA", "TOF 3D"), "mr", "01"),
    "femoral head": ("MR hip, avascular necrosis of the femoral head", mr("ca", "T1 cor", "T2 tra"), "mr", "01"),
    "головка": ("МРТ тазобедренных суставов, некроз головки бедра", mr("ca", "T1 cor", "T2 tra"), "mr", "01"),
    "cervical cancer": ("MR pelvis, cervical cancer staging", mr("sa", "T2 sag", "T2 tra"), "mr", "01"),
    "bone marrow": ("МРТ костного мозга", mr("ca", "T1", "STIR"), "mr", "01"),
}
HEAD_SETS = [
    ct("Head 0.625", 0.625, "STND"),
    ct("Bone 0.625", 0.625, "BONEPLUS"),
    ct("Head 5.0", 5.0, "STND"),
    ct("Head 3.0 cor", 3.0, "STND", "coronal", 60),
]
CT_CASES = {
    "head GE": ("CT HEAD W/O", HEAD_SETS, "head_ct", "2122"),
    "head Siemens": (
        "Kopf^Routine",
        [
            ct("Topogram 0.6", None, "", "sagittal", 1),
            ct("Head 1.0 J30s", 1.0, "J30s"),
            ct("Head 1.0 H60s", 1.0, "H60s"),
            ct("Head 5.0 J30s", 5.0, "J30s"),
        ],
        "head_ct",
        "3233",
    ),
    "head Philips": (
        "CT BRAIN",
        [ct("Axial 0.9", 0.9, "UB"), ct("Axial bone 0.9", 0.9, "YD"), ct("Axial 5.0", 5.0, "UB")],
        "head_ct",
        "2122",
    ),
    "head Canon": (
        "Head",
        [ct("0.5", 0.5, "FC26"), ct("0.5", 0.5, "FC30"), ct("5.0", 5.0, "FC26")],
        "head_ct",
        "2122",
    ),
    "head ru": (
        "КТ головного мозга",
        [ct("Голова 1.0", 1.0), ct("Кость 1.0", 1.0), ct("Голова 5.0", 5.0)],
        "head_ct",
        "2122",
    ),
    "head ru, light injury": ("КТ головы, ЧМТ легкой степени", [ct("5.0", 5.0)], "head_ct", "0000"),
    "head kk": ("Бас миының КТ-сы", [ct("Ми 5.0", 5.0), ct("Сүйек 1.0", 1.0)], "head_ct", "0100"),
    "head de": ("CCT nativ", [ct("Schädel 5.0", 5.0, "Hr38")], "head_ct", "0000"),
    "sinuses GE": (
        "CT SINUS W/O",
        [ct("STD 2.5", 2.5, "STANDARD"), ct("BONE 0.625", 0.625, "BONE")],
        "ct_face",
        "1110",
    ),
    "sinuses ru": ("КТ придаточных пазух носа", [ct("Soft 3.0", 3.0), ct("Bone 1.0", 1.0)], "ct_face", "1110"),
    "sinuses ru short": ("КТ ППН", [ct("1.0", 1.0, "H60s")], "ct_face", "0000"),
    "sinuses de": ("CT NNH", [ct("NNH 1.0 Hr64", 1.0, "Hr64")], "ct_face", "0000"),
    "sinuses kk": ("Мұрын қойнауларының КТ-сы", [ct("1.0", 1.0)], "ct_face", "0000"),
    "temporal bones": ("КТ височных костей", [ct("0.6", 0.6, "U70u")], "ct_face", "0000"),
    "facial bones": ("CT Maxillofacial", [ct("Bone 1.0", 1.0, "BONE"), ct("Soft 1.0", 1.0)], "ct_face", "0001"),
    "sinus of veins": ("CT head, sinus thrombosis", [ct("Head 5.0", 5.0)], "head_ct", "0000"),
    "neck with metastases": ("КТ шеи, метастазы", [ct("Neck 2.0", 2.0), ct("Bone 1.0", 1.0, "B60f")], "ct_neck", "0001"),
    "neck": ("CT SOFT TISSUE NECK W", [ct("Neck 2.5", 2.5, "STANDARD")], "ct_neck", None),
    "neck de": ("CT Hals mit KM", [ct("Hals 3.0 Br40", 3.0, "Br40"), ct("Hals 1.0 Br60", 1.0, "Br60")], "ct_neck", "0001"),
    "neck kk": ("Мойынның КТ-сы", [ct("2.0", 2.0), ct("Bone", 1.0, "B60f")], "ct_neck", "0001"),
    "thoracic spine": (
        "CT T-SPINE W/O",
        [ct("Soft 2.5", 2.5, "STANDARD"), ct("Bone 1.25", 1.25, "BONE")],
        "ct_spine",
        "111",
    ),
    "thoracic spine ru": (
        "КТ грудного отдела позвоночника",
        [ct("Soft 3.0", 3.0, "B30s"), ct("Bone 1.0", 1.0, "B60s")],
        "ct_spine",
        "111",
    ),
    "thoracolumbar ru": ("КТ грудо-поясничного отдела", [ct("Bone 1.0", 1.0, "B60s")], "ct_spine", "000"),
    "lumbar ru short": ("КТ ПОП", [ct("1.0", 1.0)], "ct_spine", "000"),
    "spine kk": ("Кеуде омыртқасының КТ-сы", [ct("1.0", 1.0)], "ct_spine", "000"),
    "spine de": ("CT BWS", [ct("BWS 1.0", 1.0, "Br60")], "ct_spine", "000"),
    "chest GE": ("CT CHEST W/O", [ct("STANDARD 2.5", 2.5, "STANDARD"), ct("LUNG 1.25", 1.25, "LUNG")], "chest_ct", "1110"),
    "chest Siemens": (
        "Thorax^Routine",
        [ct("Thorax 3.0 Br36 S3", 3.0, "Br36"), ct("Thorax 1.5 Br59 S3", 1.5, "Br59")],
        "chest_ct",
        "1110",
    ),
    "chest Philips": ("CHEST", [ct("Body 3.0", 3.0, "B"), ct("Lung 1.0", 1.0, "L")], "chest_ct", "1110"),
    "chest Canon": ("Chest", [ct("Body 5.0", 5.0, "FC07"), ct("Lung 1.0", 1.0, "FC52")], "chest_ct", "1110"),
    "chest ru short": ("КТ ОГК", [ct("Body 3.0 B31f", 3.0, "B31f"), ct("Lung 1.0 B70f", 1.0, "B70f")], "chest_ct", "1110"),
    "chest ru": ("КТ органов грудной клетки", [ct("Лёгкие 1.0", 1.0), ct("Средостение 3.0", 3.0)], "chest_ct", "0001"),
    "chest ru low dose": ("НДКТ лёгких", [ct("1.0", 1.0)], "chest_ct", "0000"),
    "chest kk": ("Кеуде қуысының КТ-сы", [ct("Өкпе 1.0", 1.0), ct("Жұмсақ 3.0", 3.0)], "chest_ct", "0001"),
    "chest with spine series": (
        "CT Chest",
        [ct("Chest 1.0", 1.0), ct("T-Spine bone sag 2.0", 2.0, "BONE", "sagittal", 60)],
        "chest_ct",
        None,
    ),
    "abdomen GE": (
        "CT ABD/PELVIS W CONTRAST",
        [ct("NON CON 5.0", 5.0), ct("ART 1.25 arterial", 1.25), ct("PORTAL VENOUS 2.5", 2.5)],
        "ct_abdomen",
        "2221",
    ),
    "abdomen ru": (
        "КТ ОБП и ОМТ с КУ",
        [ct("Нативная 5.0", 5.0), ct("Артериальная 2.0", 2.0), ct("Венозная 2.0", 2.0)],
        "ct_abdomen",
        "2221",
    ),
    "pelvis ru": ("КТ малого таза", [ct("3.0", 3.0)], "ct_abdomen", "0000"),
    "abdomen kk": ("Құрсақ қуысы ағзаларының КТ-сы", [ct("3.0", 3.0)], "ct_abdomen", "0000"),
    "abdomen de": ("CT Abdomen pv", [ct("Abdomen 5.0", 5.0, "Br40")], "ct_abdomen", "0000"),
    "tumour of vessels": ("CT liver, hemangioma", [ct("Venous 3.0", 3.0)], "ct_abdomen", "0000"),
    "angiography": ("CTA HEAD AND NECK", [ct("Head 5.0", 5.0), ct("CTA 0.625", 0.625)], "ct_angiography", "1111"),
    "angiography ru": (
        "КТ-ангиография БЦА",
        [ct("Нативная 3.0", 3.0), ct("Артериальная 0.6", 0.6)],
        "ct_angiography",
        "1111",
    ),
    "emboli": ("CT Pulmonary embolism protocol", [ct("CTPA 1.0", 1.0)], "ct_angiography", "0000"),
    "emboli ru": ("КТ ТЭЛА", [ct("1.0", 1.0)], "ct_angiography", "0000"),
    "shoulder": ("CT LEFT SHOULDER", [ct("Soft 3.0", 3.0, "STANDARD"), ct("Bone 0.6", 0.6, "BONE")], "ct_bones", "111"),
    "knee ru": ("КТ коленного сустава", [ct("1.0", 1.0, "B60s")], "ct_bones", "000"),
    "jaws": ("CBCT mandible", [ct("0.2", 0.2)], "cbct", "0000"),
    "jaws ru": ("КЛКТ верхней челюсти", [ct("0.25", 0.25)], "cbct", "0000"),
    "jaws de": ("DVT Oberkiefer", [ct("0.2", 0.2)], "cbct", "0000"),
    "perfusion ru": (
        "КТ-перфузия головного мозга",
        [ct("Перфузия 5.0", 5.0, frames=320), ct("Нативная 5.0", 5.0), ct("КТА 0.6", 0.6), ct("Tmax", 5.0)],
        "stroke_ct",
        "1223",
    ),
}
FILMS = {
    "thoracic spine ru": ("Рентгенография грудного отдела позвоночника", film("LL", "AP"), "spine_film", "10"),
    "thoracic spine": ("XR T-SPINE 2 VIEWS", film("AP", "LL"), "spine_film", "01"),
    "chest ru": ("Обзорная рентгенография органов грудной клетки", film("PA"), "chest_film", "0"),
    "chest ru short": ("Р-графия ОГК", film("PA", modality="CR"), "chest_film", "0"),
    "chest": ("CHEST PA/LAT", film("PA", "LL"), "chest_film", "0"),
    "chest kk": ("Кеуде қуысының рентгенографиясы", film("PA"), "chest_film", "0"),
    "hand ru": ("Рентгенография кисти", film("LL", "PA"), "extremity_film", "10"),
    "cyst is no hand": ("Киста почки, обзорный снимок", film("AP"), "generic", "0"),
    "foot ru": ("Рентгенография левой стопы", film("AP", "LL"), "extremity_film", "01"),
    "left side kk": ("Сол жақ тізе рентгені", film("AP", "LL"), "extremity_film", "01"),
    "jaw with cyst": ("ОПТГ, киста челюсти", film("", modality="PX"), "panoramic", "0"),
    "shoulder": ("XR SHOULDER RT", film("AP", "LL"), "extremity_film", "01"),
    "hippocampus is no hip": ("Hippocampus, legacy handover", film(""), "generic", "0"),
}


REASONS = {
    "CT head, chest metastases": "head_ct",
    "КТ головного мозга, рак легкого": "head_ct",
    "CT Abdomen (liver mets from lung ca)": "ct_abdomen",
    "КТ ОГК, киста почки": "chest_ct",
    "CT kidney stones, low back pain": "ct_abdomen",
    "CT head and cervical spine": "head_ct",
    "CTA chest abdomen pelvis": "ct_angiography",
    "КТ-ангиография головы и шеи": "ct_angiography",
    "CT PE, leg DVT": "ct_angiography",
    "КТ-перфузия головы": "stroke_ct",
    "CT coronary calcium scoring": "generic",
    "КТ-миелография": "ct_spine",
}
"""What is examined, then why: the first part of the body that is named counts more."""


@pytest.mark.parametrize("description", REASONS)
def test_what_is_examined_counts_more_than_why(description: str) -> None:
    series = [ct("Soft 3.0", 3.0), ct("Thin 1.0", 1.0)]
    assert hung(description, series).protocol == REASONS[description]


def test_a_pet_and_a_plan_are_read_as_such_whatever_part_they_name() -> None:
    pet = ("PT", "PET WB", {"kind": "stack", "plane": "axial", "frames": 200})
    dose = ("RTDOSE", "Dose", {"kind": "stack", "plane": "axial", "frames": 80})
    for description in ("FDG PET/CT skull base to mid thigh", "ПЭТ/КТ грудной клетки", "PET/CT whole body", "CT chest"):
        assert hung(description, [ct("CT 3.0", 3.0), pet]).protocol == "pet_ct"
        assert hung(description, [ct("CT 3.0", 3.0), dose]).protocol == "rt_dose"


@pytest.mark.parametrize("case", SPINE_MR)
def test_a_spine_shows_t2_t1_fat_free_and_axial(case: str) -> None:
    description, series, panes = SPINE_MR[case]
    hanging = hung(description, series)
    assert (hanging.protocol, shown(hanging)) == ("mr_spine", panes)


@pytest.mark.parametrize("case", BRAIN_MR)
def test_a_brain_shows_every_contrast_in_its_pane(case: str) -> None:
    description, series, panes = BRAIN_MR[case]
    hanging = hung(description, series)
    assert (hanging.protocol, shown(hanging)) == ("mr_brain", panes)


OTHERS = {**JOINT_AND_PROSTATE_MR, **CT_CASES, **{f"film {k}": v for k, v in FILMS.items()}}


@pytest.mark.parametrize("case", OTHERS)
def test_a_study_hangs_by_what_its_words_mean(case: str) -> None:
    description, series, protocol, panes = OTHERS[case]
    hanging = hung(description, series)
    assert hanging.protocol == protocol
    if panes is not None:
        assert shown(hanging) == panes


def test_thick_slices_are_read_and_thin_ones_cut_whatever_was_stored_first() -> None:
    for order in ((0, 1, 2, 3), (3, 2, 1, 0), (2, 0, 3, 1)):
        hanging = hung("CT HEAD W/O", [HEAD_SETS[n] for n in order])
        stages = {s.name: n for n, s in enumerate(hanging.stages)}

        def at(stage: str) -> list[int]:
            return [order[int(n)] for n in shown(hanging, stages[stage])]  # noqa: B023

        assert at("brain") == [2, 1, 2, 2]
        assert at("planes") == [0, 0, 0]
        assert at("bone") == [1, 1, 1]
    alone = hung("CT HEAD W/O", [ct("Head 5.0", 5.0, "STND")])
    assert {shown(alone, n) for n in range(len(alone.stages))} == {"0000", "000"}
    with_prior = hung("CT HEAD W/O", HEAD_SETS, priors=True)
    assert with_prior.stages[0].panes[3].display_set_id == "1.3.2"


@pytest.mark.parametrize(
    ("patterns", "text", "found"),
    [
        (["fs"], "Sag T2 FSE", False),
        (["fs"], "t2_tse_fs_sag", True),
        (["таз"], "метастазы", False),
        (["таз"], "КТ малого таза, таз", True),
        (["ce"], "t1_space_sag", False),
        (["ce"], "T1 CE", True),
        (["t2"], "t2tse", True),
        (["t2"], "ct23", False),
        (["t2[*]"], "T2*W_FFE", True),
        (["t2[*]"], "T2W_TSE", False),
        (["+c"], "Ax T1+C", True),
        (["+c"], "Ax T1 +CUBE", False),
        (["flair"], "AxFLAIR", True),
        (["cone beam*"], "CONE-BEAM", True),
        (["*spine"], "LSPINE", True),
        (["лёгк*"], "ЛЕГКИЕ", True),
        (["шёя"], "шея", True),
        (["!femoral head", "head"], "femoral head", False),
        (["!femoral head", "head"], "femoral head and head", True),
        (["$chest"], "грудной отдел позвоночника", False),
        (["$chest"], "грудная клетка и грудной отдел позвоночника", True),
        (["$contrast"], "без контрастирования", False),
        (["$contrast"], "с контрастированием", True),
        (["straße*"], "STRASSE", False),
        (["fuß*"], "Fußwurzel", True),
    ],
)
def test_words(patterns: list[str], text: str, found: bool) -> None:
    assert says(tuple(patterns), text) is found


def test_lists_hold_patterns_only_and_unknown_ones_are_told() -> None:
    for name, words in word_lists().items():
        assert len(set(words)) == len(words), name
        assert says((f"${name}",), "zzz") is False
    for wrong in ("$nothing", "*", "!"):
        with pytest.raises(ValueError, match=r"."):
            says((wrong,), "text")
    assert expanded(("a", "$stir"))[:2] == ("a", "stir*")
