"""The card of the head reader: what it is for, what it was trained on, and where it fails, in three languages."""

from __future__ import annotations

from app.ai.training.reader_card import ReaderCard
from app.domain.model_card import SelectionRules

VERSION = "0.2.0"
TITLES = {
    "en": "Bleeding on head CT",
    "ru": "Кровоизлияние на КТ головы",
    "kk": "Бас КТ-сындағы қан құйылу",
}
INTENDED_USE = {
    "en": (
        "A second look at plain head CT after the radiologist's own reading: it marks places that may be fresh "
        "bleeding inside "
        "the skull, outlines them and gives their volume. Research use only; it rules nothing out and names no diagnosis."
    ),
    "ru": (
        "Второй взгляд на КТ головы без контраста после собственного чтения врача: отмечает места, похожие на свежее "
        "внутричерепное кровоизлияние, очерчивает их и даёт объём. Только для исследований; ничего не исключает, диагноза "
        "не ставит."
    ),
    "kk": (
        "Дәрігер өзі оқып болғаннан кейін контрастсыз бас КТ-сына екінші көзқарас: бас сүйек ішіндегі жаңа қан "
        "құйылуға ұқсас "
        "жерлерді белгілейді, шекарасын сызып, көлемін береді. Тек зерттеуге арналған; ештеңені жоққа шығармайды, диагноз "
        "қоймайды."
    ),
}
LIMITS = {
    "en": (
        "Trained on 47 scans of one hospital (21 with bleeding) as 8-bit slices of 5 mm; on your scanner it was not tried.",
        "Old, isodense or very small bleeding, thin subarachnoid blood and bleeding at the skull base are often missed.",
        "Intraventricular bleeding was not in the test scans; how well it is found is not known.",
        "The kind of bleeding (epidural, subdural and so on) and ischaemia are not judged. The shift of the midline is "
        "an estimate that was tried on generated heads; a pressed ventricle can hide part of it.",
        "Contrast agent, metal, operated heads, small children and slices over 8 mm lie outside what was tried.",
        "Real scans in Hounsfield units with known bleeding were not at hand: there it was shown on generated heads only.",
    ),
    "ru": (
        "Обучен на 47 исследованиях одной больницы (21 с кровоизлиянием), 8-битные срезы 5 мм; на вашем аппарате "
        "не испытан.",
        "Часто пропускаются старые, изоденсные и очень малые кровоизлияния, тонкий слой субарахноидальной крови, кровь у "
        "основания черепа.",
        "Внутрижелудочковых кровоизлияний в тестовых исследованиях не было; насколько они находятся, неизвестно.",
        "Вид кровоизлияния (эпидуральное, субдуральное и т. д.) и ишемия не оцениваются. Смещение срединных структур — "
        "оценка, испытанная на сгенерированных головах; сдавленный желудочек может скрыть его часть.",
        "Не испытано: контраст, металл, состояние после операции, маленькие дети, срезы толще 8 мм.",
        "Реальных исследований в единицах Хаунсфилда с известным кровоизлиянием не было: там показан только на "
        "сгенерированных головах.",
    ),
    "kk": (
        "Бір аурухананың 47 зерттеуінде (21-інде қан құйылу бар), 5 мм-лік 8 биттік кесінділерде үйретілген; "
        "сіздің аппаратта "
        "сыналмаған.",
        "Ескі, изоденсті және өте кіші қан құйылулар, жұқа субарахноидалды қан, бас сүйек негізіндегі қан жиі қалып қояды.",
        "Тест зерттеулерінде қарынша ішіне қан құйылу болған жоқ; оның қаншалықты табылатыны белгісіз.",
        "Қан құйылу түрі (эпидуралды, субдуралды т. б.) мен ишемия бағаланбайды. Орталық құрылымдардың ығысуы — жасанды "
        "бастарда сыналған бағам; қысылған қарынша оның бір бөлігін жасыра алады.",
        "Сыналмаған: контраст, металл, операциядан кейінгі бас, кішкентай балалар, 8 мм-ден қалың кесінділер.",
        "Хаунсфилд бірлігіндегі қан құйылуы белгілі нағыз зерттеулер болған жоқ: онда тек жасанды бастарда көрсетілген.",
    ),
}
TRAINING_DATA = (
    "CT-ICH (47 training scans, 1,298 slices of 8 bits in the brain window, 185 with a mask of bleeding)",
    "Bleeding of random shape and density drawn into its empty slices (app/ai/training/head_bleeds.py)",
    "Thresholds and calibration: 8 validation scans of the same set; figures: 12 test scans that were not looked at before",
)
ATTRIBUTIONS = (
    "CT-ICH, Hssayeni et al., Data 2020, 5(1):14, PhysioNet, CC BY 4.0; scans and subtypes joined by slice order",
)
RULES = SelectionRules(
    modality=("CT",),
    body_parts=("HEAD",),
    min_slices=12,
    max_slice_spacing_mm=8.0,
    min_age_years=None,
    exclude_contrast=True,
    extra={"kind": "volume", "min_coverage_mm": "60", "max_gantry_tilt_deg": "30"},
)
SHOWN_FROM = 0.25
"""The operating point: the calibrated probability from which on a mark is shown."""
CARD = ReaderCard("head_ct", VERSION, TITLES, INTENDED_USE, LIMITS, RULES, TRAINING_DATA, ATTRIBUTIONS)
