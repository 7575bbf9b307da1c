"""The card of the lung reader: what it is for, what it was trained on, and where it fails, in three languages."""

from __future__ import annotations

from app.ai.training.reader_card import ReaderCard
from app.domain.model_card import SelectionRules

VERSION = "0.4.0"
TITLES = {
    "en": "Lung nodules on chest CT",
    "ru": "Очаги в лёгких на КТ грудной клетки",
    "kk": "Кеуде қуысының КТ-сындағы өкпе түйіндері",
}
INTENDED_USE = {
    "en": (
        "A second look at thin-slice chest CT of adults after the radiologist's own reading: it marks places that may be "
        "lung nodules, outlines and measures them. Research use only; it decides nothing and names no diagnosis."
    ),
    "ru": (
        "Второй взгляд на КТ грудной клетки взрослых с тонкими срезами после собственного чтения врача: отмечает места, "
        "похожие на очаги в лёгких, очерчивает и измеряет их. Только для исследований; ничего не решает, диагноза "
        "не ставит."
    ),
    "kk": (
        "Дәрігер өзі оқып болғаннан кейін ересектердің жұқа кесінділі кеуде КТ-сына екінші көзқарас: өкпе түйініне ұқсас "
        "жерлерді белгілейді, шекарасын сызып, өлшейді. Тек зерттеуге арналған; шешім қабылдамайды, диагноз қоймайды."
    ),
}
LIMITS = {
    "en": (
        "Detection was trained on generated chests with real nodules blended in and on one real scan; how it does on the "
        "scans of your hospital is not known.",
        "Nodules below 4 mm, faint ground glass below 8 mm, nodules at the hilum and in consolidated lung are often missed.",
        "Slices thicker than 3.5 mm, children, masses that fill a lobe, strong motion and metal lie outside what was tried.",
        "The suspicion estimate follows readers' ratings, not biopsies, and was measured on nodules that readers had found "
        "and rated; it excludes no cancer.",
        "The lobe is judged by height and depth in the lung; the fissures are not seen.",
    ),
    "ru": (
        "Поиск обучен на сгенерированных исследованиях с вклеенными настоящими очагами и на одном реальном исследовании; "
        "как он работает на исследованиях вашей больницы, неизвестно.",
        "Часто пропускаются очаги меньше 4 мм, слабое «матовое стекло» меньше 8 мм, очаги у корня и в уплотнённом лёгком.",
        "Не испытано: срезы толще 3,5 мм, дети, образования размером с долю, сильное движение, металл.",
        "Оценка подозрительности повторяет мнение врачей, а не гистологию, и измерена на очагах, уже найденных и оценённых "
        "врачами; рака она не исключает.",
        "Доля определяется по высоте и глубине в лёгком; междолевые щели не распознаются.",
    ),
    "kk": (
        "Іздеу нағыз түйіндер қосылған жасанды зерттеулерде және бір нағыз зерттеуде үйретілген; сіздің ауруханаңыздың "
        "зерттеулерінде қалай жұмыс істейтіні белгісіз.",
        "4 мм-ден кіші түйіндер, 8 мм-ден кіші әлсіз «күңгірт әйнек», түбірдегі және тығыздалған өкпедегі түйіндер жиі "
        "қалып қояды.",
        "Тексерілмеген: 3,5 мм-ден қалың кесінділер, балалар, бөлікті толтыратын түзілістер, қатты қозғалыс, металл.",
        "Күдік бағасы гистологияға емес, дәрігерлердің бағасына сүйенеді және дәрігерлер тауып, бағалаған түйіндерде "
        "өлшенген; ол қатерлі ісікті жоққа шығармайды.",
        "Бөлік өкпедегі биіктік пен тереңдік бойынша анықталады; бөлікаралық саңылаулар танылмайды.",
    ),
}
TRAINING_DATA = (
    "LIDC-IDRI nodule volumes (646 of the train and validation patients): outlines, malignancy, nodules blended into scans",
    "Generated chest CT with generated and blended nodules (app/samples/chest_ct.py, app/ai/training/lung_scans.py)",
    "One NLST low-dose chest CT: places without nodule, its boxed lesion left out",
)
ATTRIBUTIONS = (
    "LIDC-IDRI, The Cancer Imaging Archive, CC BY 3.0 (Armato et al., Medical Physics 2011); nodule cuts by the Computer "
    "Vision Center, UAB",
    "NLST, The Cancer Imaging Archive, CC BY 4.0 (National Lung Screening Trial Research Team)",
)
RULES = SelectionRules(
    modality=("CT",),
    body_parts=("CHEST",),
    min_slices=40,
    max_slice_spacing_mm=3.5,
    min_age_years=18,
    exclude_contrast=False,
    extra={"kind": "volume", "min_coverage_mm": "80"},
)
CARD = ReaderCard("lung_ct", VERSION, TITLES, INTENDED_USE, LIMITS, RULES, TRAINING_DATA, ATTRIBUTIONS)
