"""The card of the intra-oral reader: shown on generated films, and on nothing else."""

from __future__ import annotations

from app.ai.training.reader_card import ReaderCard
from app.domain.model_card import SelectionRules

VERSION = "0.1.0"
TITLES = {
    "en": "Intra-oral films: caries, apex, bone level",
    "ru": "Прицельные снимки: кариес, верхушка, уровень кости",
    "kk": "Нысаналы түсірілімдер: тісжегі, ұшы, сүйек деңгейі",
}
INTENDED_USE = {
    "en": (
        "A second look at periapical and bitewing films after the dentist's own reading: places that may be caries or a "
        "lesion at the apex, and the bone level along the roots. Shown on phantoms, not on real films. Research use only; "
        "it decides nothing."
    ),
    "ru": (
        "Второй взгляд на периапикальные и интерпроксимальные снимки после собственного чтения стоматолога: места "
        "возможного кариеса и очагов у верхушки, уровень кости вдоль корней. Показано на фантомах, не на реальных снимках. "
        "Только для исследований; ничего не решает."
    ),
    "kk": (
        "Стоматолог өзі оқып болғаннан кейін периапикалды және интерпроксималды түсірілімдерге екінші көзқарас: тісжегі не "
        "ұшындағы ошақ болуы мүмкін жерлер, түбір бойындағы сүйек деңгейі. Фантомдарда көрсетілген, нақты түсірілімдерде "
        "емес. Тек зерттеуге арналған; шешім қабылдамайды."
    ),
}
LIMITS = {
    "en": (
        "Shown on phantoms, not on real films: no labelled intra-oral film was at hand, and every figure below is from "
        "generated films. Expect it to be worse on real ones.",
        "Teeth are not numbered on intra-oral films. Millimetres are given only where the film states its pixel size.",
        "Overlapping contacts, root caries, furcations, children's teeth, crowns, posts and implants were not generated.",
        "A film turned by a quarter is recognised; one turned upside down or mirrored is not.",
        "On 40 generated films without any lesion it marked caries 35 times and the apex 5 times: expect about one false "
        "mark on a sound film.",
    ),
    "ru": (
        "Показано на фантомах, не на реальных снимках: размеченных прицельных снимков не было, все показатели ниже получены "
        "на сгенерированных. На реальных ожидайте худшего.",
        "Зубы на прицельных снимках не нумеруются. Миллиметры даются, только если в снимке указан размер пикселя.",
        "Не генерировались: перекрытие контактов, кариес корня, фуркации, молочные зубы, коронки, штифты, имплантаты.",
        "Поворот снимка на четверть распознаётся; переворот вверх дном и зеркальность — нет.",
        "На 40 сгенерированных снимках без единого очага кариес отмечен 35 раз, верхушка — 5: ожидайте примерно одну ложную "
        "метку на здоровом снимке.",
    ),
    "kk": (
        "Фантомдарда көрсетілген, нақты түсірілімдерде емес: белгіленген нысаналы түсірілім болған жоқ, төмендегі барлық "
        "көрсеткіш генерацияланған түсірілімдерден. Нақтыларында нашар болады деп күтіңіз.",
        "Нысаналы түсірілімде тістер нөмірленбейді. Миллиметр тек түсірілімде пиксел өлшемі көрсетілсе беріледі.",
        "Генерацияланбаған: түйісудің қабаттасуы, түбір тісжегісі, фуркация, сүт тістер, қаптама, штифт, имплантат.",
        "Ширек бұрылған түсірілім танылады; төңкерілгені не айна көшірмесі танылмайды.",
        "Бірде-бір ошағы жоқ 40 генерацияланған түсірілімде тісжегі 35 рет, ұшы 5 рет белгіленді: сау түсірілімде шамамен "
        "бір жалған белгі күтіңіз.",
    ),
}
TRAINING_DATA = (
    "360 generated intra-oral films (app/samples/intraoral.py): periapical and bitewing, known bone levels and lesions",
    "Thresholds and calibration: 40 generated films of other seeds; figures: 80 generated films of others again",
)
RULES = SelectionRules(
    modality=("IO",),
    body_parts=("JAW",),
    min_slices=1,
    extra={"kind": "films"},
)
OPERATING_POINT = "one false mark in two generated films for each kind"
CARD = ReaderCard("dental_intraoral", VERSION, TITLES, INTENDED_USE, LIMITS, RULES, TRAINING_DATA)
