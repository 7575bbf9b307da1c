"""The card of the head reader: what it is for, what it was trained on, and where it fails, in three languages."""

from __future__ import annotations

from app.ai.training.reader_card import ReaderCard
from app.domain.model_card import SelectionRules

VERSION = "0.2.1"
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
        "Expect false marks: on the 12 test scans 10 of 16 marks shown were false and 3 of the 7 scans without bleeding got "
        "at least one (outlines too faint or small to be shown lay in all 7); 24 sound generated heads got 3 marks.",
        "The kind of bleeding and ischaemia are not judged. Whether a mark lies along the skull, where subdural "
        "and epidural "
        "blood is found, is a hint from its shape: right for 6 of 7 true marks on the test scans, 31 of 34 on the others in "
        "cross-validation. It cannot tell subdural from epidural.",
        "The shift of the midline is an estimate that was tried on generated heads; a pressed ventricle can hide "
        "part of it.",
        "Contrast agent, metal, operated heads, small children and slices over 8 mm lie outside what was tried.",
        "Real scans in Hounsfield units with known bleeding were not at hand: there it was shown on generated heads only.",
    ),
    "ru": (
        "Обучен на 47 исследованиях одной больницы (21 с кровоизлиянием), 8-битные срезы 5 мм; на вашем аппарате "
        "не испытан.",
        "Часто пропускаются старые, изоденсные и очень малые кровоизлияния, тонкий слой субарахноидальной крови, кровь у "
        "основания черепа.",
        "Внутрижелудочковых кровоизлияний в тестовых исследованиях не было; насколько они находятся, неизвестно.",
        "Ожидайте ложных отметок: в 12 тестовых исследованиях ложными были 10 из 16 показанных отметок, хотя бы "
        "одну получили "
        "3 из 7 исследований без кровоизлияния (слишком слабые или малые для показа контуры были во всех "
        "7); 24 сгенерированные головы без кровоизлияния получили 3 отметки.",
        "Вид кровоизлияния и ишемия не оцениваются. Лежит ли отметка вдоль костей черепа, где бывает субдуральная и "
        "эпидуральная кровь, — подсказка по форме: верна для 6 из 7 истинных отметок в тестовых исследованиях и "
        "для 31 из 34 "
        "в остальных при перекрёстной проверке. Субдуральную от эпидуральной она не отличает.",
        "Смещение срединных структур — оценка, испытанная на сгенерированных головах; сдавленный желудочек может скрыть его "
        "часть.",
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
        "Жалған белгілерді күтіңіз: 12 тест зерттеуінде көрсетілген 16 белгінің 10-ы жалған болды, қан құйылуы "
        "жоқ 7 зерттеудің "
        "3-уі кемінде бір белгі алды (көрсетуге тым әлсіз не кіші контурлар 7-еуінде де болды); қан құйылуы жоқ "
        "24 жасанды бас 3 белгі алды.",
        "Қан құйылу түрі мен ишемия бағаланбайды. Белгінің субдуралды және эпидуралды қан болатын бас сүйекті "
        "бойлай жатқаны — "
        "пішіні бойынша нұсқау: тест зерттеулеріндегі 7 шын белгінің 6-ында, қалғандарында айқаспалы тексеруде "
        "34-тің 31-інде "
        "дұрыс болды. Субдуралды қанды эпидуралдыдан ажыратпайды.",
        "Орталық құрылымдардың ығысуы — жасанды бастарда сыналған бағам; қысылған қарынша оның бір бөлігін жасыра алады.",
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
