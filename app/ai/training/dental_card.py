"""The card of the panoramic reader: what it is for, what it was trained on, and where it fails, in three languages."""

from __future__ import annotations

from app.ai.training.reader_card import ReaderCard
from app.domain.model_card import SelectionRules

VERSION = "0.2.0"
TITLES = {
    "en": "Teeth on panoramic films",
    "ru": "Зубы на панорамных снимках",
    "kk": "Панорамалық түсірілімдегі тістер",
}
INTENDED_USE = {
    "en": (
        "A second look at panoramic dental films after the dentist's own reading: it boxes teeth with fillings, "
        "root-filled "
        "crowned teeth, impacted teeth and teeth with gross loss of the crown. Research use only; it decides nothing."
    ),
    "ru": (
        "Второй взгляд на панорамные снимки зубов после собственного чтения стоматолога: отмечает зубы с пломбами, "
        "депульпированные зубы под коронкой, ретинированные зубы и зубы с грубой потерей коронки. Только для исследований; "
        "ничего не решает."
    ),
    "kk": (
        "Стоматолог өзі оқып болғаннан кейін тістердің панорамалық түсіріліміне екінші көзқарас: пломбалы тістерді, түбірі "
        "толтырылып қапталған тістерді, ретенцияланған тістерді және сауыты қатты бұзылған тістерді белгілейді. "
        "Тек зерттеуге "
        "арналған; шешім қабылдамайды."
    ),
}
LIMITS = {
    "en": (
        "Small caries, caries between teeth, periapical lesions and bone loss are not looked for: no labels were at hand.",
        "The labels of gross crown loss are uneven: some carious or broken teeth have none, and few films hold most of "
        "them. Its figures are the least sure.",
        "The class of root-filled crowned teeth holds the few true implants of the training films as well.",
        "Teeth are not numbered, and left and right are not judged: many training films are mirrored copies.",
        "The training films come from an uploader who does not say who took them; most are masked to a circle and "
        "stretched to "
        "a square. Films with another look were hardly tried.",
        "Children, toothless jaws, films of single teeth and cone-beam slices lie outside what was tried.",
        "Of the teeth that are missing on generated films about one in five is not told; on real films this was not "
        "measured: check every one.",
    ),
    "ru": (
        "Мелкий и контактный кариес, периапикальные очаги и убыль кости не ищутся: размеченных снимков не было.",
        "Разметка грубой потери коронки неровна: у части кариозных и разрушенных зубов её нет, а большинство рамок "
        "приходится на немногие снимки. Эти показатели наименее надёжны.",
        "В класс депульпированных зубов под коронкой входят и немногие настоящие имплантаты обучающих снимков.",
        "Зубы не нумеруются, стороны не определяются: многие обучающие снимки — зеркальные копии.",
        "Кто сделал обучающие снимки, загрузивший не указал; большинство обрезаны по кругу и растянуты до квадрата. Снимки "
        "иного вида почти не испытаны.",
        "Не испытано: дети, беззубые челюсти, прицельные снимки, срезы конусно-лучевой томографии.",
        "Из зубов, которых нет на сгенерированных снимках, примерно каждый пятый не назван отсутствующим; на реальных "
        "снимках это не измерено: проверяйте каждый.",
    ),
    "kk": (
        "Ұсақ және түйіспелі тісжегі, периапикалды ошақтар мен сүйек кемуі ізделмейді: белгіленген түсірілімдер болған жоқ.",
        "Сауыттың қатты бұзылуының белгіленуі біркелкі емес: кейбір тісжегілі не сынған тіс белгіленбеген, ал белгілердің "
        "көбі аз түсірілімде. Бұл көрсеткіштер ең сенімсізі.",
        "Түбірі толтырылып қапталған тістер класына үйрету түсірілімдеріндегі аздаған нағыз имплантаттар да кіреді.",
        "Тістер нөмірленбейді, оң-сол жағы анықталмайды: үйрету түсірілімдерінің көбі — айна көшірмелер.",
        "Үйрету түсірілімдерін кім жасағанын жүктеуші айтпаған; көбі дөңгелектеп кесіліп, шаршыға созылған. Басқа түрдегі "
        "түсірілімдерде дерлік сыналмаған.",
        "Сыналмаған: балалар, тіссіз жақ, бір тістің түсірілімі, конустық-сәулелі томография кесінділері.",
        "Генерацияланған түсірілімдерде жоқ тістердің шамамен бестен бірі жоқ деп айтылмайды; нақты түсірілімдерде бұл "
        "өлшенбеген: әрқайсысын тексеріңіз.",
    ),
}
TRAINING_DATA = (
    "Panoramic films of a Roboflow user (405 images of the training films; boxes of fillings, implants, impacted teeth and "
    "cavities by the set's names), mirrored, turned, re-exposed, their halves mixed, teeth with crown loss set into "
    "other films",
    "Thresholds and calibration: 72 validation images of the same set; figures: 131 test images of other films",
)
ATTRIBUTIONS = (
    "Panoramic dental X-rays, universe.roboflow.com/dental-uispo/-bhjcu, CC BY 4.0 by the uploader's word (the set "
    "does not say "
    "who took the images); by way of AayushKarna/dental-detection-backend",
)
RULES = SelectionRules(
    modality=("PX", "DX", "CR"),
    body_parts=("JAW",),
    min_slices=1,
    min_age_years=None,
    extra={"kind": "films"},
)
CARD = ReaderCard("dental_panoramic", VERSION, TITLES, INTENDED_USE, LIMITS, RULES, TRAINING_DATA, ATTRIBUTIONS)
