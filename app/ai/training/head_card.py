"""The card of the head reader: what it is for, what it was trained on, and where it fails, in three languages."""

from __future__ import annotations

from app.ai.training.reader_card import ReaderCard
from app.domain.model_card import SelectionRules

VERSION = "0.4.0"
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
        "Trained on 55 scans of one hospital (24 with bleeding) as 8-bit slices of 5 mm; on your scanner it was not tried.",
        "Old, isodense or very small bleeding, thin subarachnoid blood and bleeding at the skull base are often missed.",
        "Intraventricular bleeding was not in the test scans; how well it is found is not known.",
        "Expect misses and false marks: on the 12 test scans 5 of 9 marks shown were true, 3 of the 5 scans with "
        "bleeding got a true one (missed: two small ones), 1 of the 7 without got a false one. On 55 scans in four folds: "
        "21 of 27 marks true, a true one in 16 of 24 scans with bleeding, a false one in 1 of 31 without. 24 sound "
        "generated heads got 3 marks.",
        "The kind of bleeding and ischaemia are not judged. Whether a mark lies along the skull, where subdural "
        "and epidural "
        "blood is found, is a hint from its shape: right for 6 of 7 true marks on the test scans, 25 of 32 on the scans "
        "that the network learned from. It cannot tell subdural from epidural.",
        "The volume is an estimate: on 55 scans in four folds 0.89 of the true one was outlined (median); on generated "
        "heads it grew by 3 to 22 % when the voxels were smoothed.",
        "The shift of the midline is an estimate that was tried on generated heads; a pressed ventricle can hide "
        "part of it.",
        "Contrast agent, metal, operated heads, small children and slices over 8 mm lie outside what was tried.",
        "Real scans in Hounsfield units with known bleeding were not at hand: there it was shown on generated heads only.",
    ),
    "ru": (
        "Обучен на 55 исследованиях одной больницы (24 с кровоизлиянием), 8-битные срезы 5 мм; на вашем аппарате "
        "не испытан.",
        "Часто пропускаются старые, изоденсные и очень малые кровоизлияния, тонкий слой субарахноидальной крови, кровь у "
        "основания черепа.",
        "Внутрижелудочковых кровоизлияний в тестовых исследованиях не было; насколько они находятся, неизвестно.",
        "Ожидайте пропусков и ложных отметок: в 12 тестовых исследованиях верны 5 из 9 показанных отметок, верную "
        "получили 3 из 5 исследований с кровоизлиянием (пропущены два малых), ложную — 1 из 7 без него. В 55 "
        "исследованиях по четырём частям: верна 21 из 27 отметок, верная отметка в 16 из 24 исследований с "
        "кровоизлиянием, ложная в 1 из 31 без него. 24 сгенерированные головы без кровоизлияния получили 3 отметки.",
        "Вид кровоизлияния и ишемия не оцениваются. Лежит ли отметка вдоль костей черепа, где бывает субдуральная и "
        "эпидуральная кровь, — подсказка по форме: верна для 6 из 7 истинных отметок в тестовых исследованиях и "
        "для 25 из 32 в тех, на которых сеть училась. Субдуральную от эпидуральной она не отличает.",
        "Объём — оценка: в 55 исследованиях по четырём частям очерчено 0,89 истинного (медиана); на сгенерированных "
        "головах он вырастал на 3–22 %, когда воксели сглаживались.",
        "Смещение срединных структур — оценка, испытанная на сгенерированных головах; сдавленный желудочек может скрыть "
        "его часть.",
        "Не испытано: контраст, металл, состояние после операции, маленькие дети, срезы толще 8 мм.",
        "Реальных исследований в единицах Хаунсфилда с известным кровоизлиянием не было: там показан только на "
        "сгенерированных головах.",
    ),
    "kk": (
        "Бір аурухананың 55 зерттеуінде (24-інде қан құйылу бар), 5 мм-лік 8 биттік кесінділерде үйретілген; "
        "сіздің аппаратта "
        "сыналмаған.",
        "Ескі, изоденсті және өте кіші қан құйылулар, жұқа субарахноидалды қан, бас сүйек негізіндегі қан жиі қалып қояды.",
        "Тест зерттеулерінде қарынша ішіне қан құйылу болған жоқ; оның қаншалықты табылатыны белгісіз.",
        "Қалып қою мен жалған белгілерді күтіңіз: 12 тест зерттеуінде көрсетілген 9 белгінің 5-еуі шын болды, қан "
        "құйылуы бар 5 зерттеудің 3-уі шын белгі алды (екі кішісі қалып қойды), қан құйылуы жоқ 7-нің 1-уі жалған белгі "
        "алды. Төрт бөлікке бөлінген 55 зерттеуде: 27 белгінің 21-і шын, қан құйылуы бар 24-тің 16-сында шын белгі, қан "
        "құйылуы жоқ 31-дің 1-інде жалған белгі. Қан құйылуы жоқ 24 жасанды бас 3 белгі алды.",
        "Қан құйылу түрі мен ишемия бағаланбайды. Белгінің субдуралды және эпидуралды қан болатын бас сүйекті "
        "бойлай жатқаны — "
        "пішіні бойынша нұсқау: тест зерттеулеріндегі 7 шын белгінің 6-уында, желі үйренген зерттеулерде 32-нің 25-інде "
        "дұрыс болды. Субдуралды қанды эпидуралдыдан ажыратпайды.",
        "Көлем — бағам: төрт бөлікке бөлінген 55 зерттеуде шын көлемнің 0,89-ы сызылды (медиана); жасанды бастарда "
        "воксельдер тегістелгенде ол 3–22 % өсті.",
        "Орталық құрылымдардың ығысуы — жасанды бастарда сыналған бағам; қысылған қарынша оның бір бөлігін жасыра алады.",
        "Сыналмаған: контраст, металл, операциядан кейінгі бас, кішкентай балалар, 8 мм-ден қалың кесінділер.",
        "Хаунсфилд бірлігіндегі қан құйылуы белгілі нағыз зерттеулер болған жоқ: онда тек жасанды бастарда көрсетілген.",
    ),
}
TRAINING_DATA = (
    "CT-ICH (55 training and validation scans, slices of 8 bits in the brain window, 214 with a mask of bleeding)",
    "Bleeding of other heads of the set, and bleeding of random shape and density, put into its empty slices "
    "(app/ai/training/head_bleeds.py)",
    "Thresholds and calibration: the same scans in four folds, each new to its network; figures: 12 test scans",
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
