"""The card of the chest film reader, in three languages: a demonstration that abstains."""

from __future__ import annotations

from app.ai.training.reader_card import ReaderCard
from app.domain.model_card import SelectionRules

VERSION = "0.4.1"
TITLES = {
    "en": "Nodules on chest films (demonstration)",
    "ru": "Очаги на рентгенограммах грудной клетки (демонстрация)",
    "kk": "Кеуде рентгенограммасындағы түйіндер (көрсетілім)",
}
INTENDED_USE = {
    "en": (
        "A demonstration for frontal chest films of adults after the radiologist's own reading: at most one mark at a place "
        "that looks like a nodule, and two weak scores of the film. Research use only; on most films it marks nothing, and "
        "that says nothing about the film."
    ),
    "ru": (
        "Демонстрация на прямых рентгенограммах грудной клетки взрослых после собственного чтения врача: не больше одной "
        "отметки на месте, похожем на очаг, и две слабые оценки снимка. Только для исследований; на большинстве снимков "
        "модуль ничего не отмечает, и это ничего не говорит о снимке."
    ),
    "kk": (
        "Дәрігер өзі оқып болғаннан кейін ересектердің тікелей кеуде рентгенограммасына арналған көрсетілім: түйінге ұқсас "
        "жерде бір белгіден артық емес және түсірілімнің екі әлсіз бағасы. Тек зерттеуге арналған; көп түсірілімде модуль "
        "ештеңе белгілемейді, бұл түсірілім туралы ештеңе білдірмейді."
    ),
}
LIMITS = {
    "en": (
        "Its figures are far below those of networks trained on a hundred thousand films; never rule anything out by it.",
        "Places were learned from nodules put into real films by calculation; only two real boxes of a nodule or a "
        "mass exist in the data, so where it marks was hardly measured.",
        "The chance beside a mark is counted on inserted nodules, one on every second film, not on patients.",
        "Lateral films, children and pictures without two lung fields are refused or remarked; films taken lying down"
        " (AP) are marked as less reliable.",
        "The score for a mass is of the whole film; half of it comes from a network that looks at the lungs and what lies"
        " between them. It tells a mass better from films without any finding than from films with other findings and does"
        " not say where. On AP films, often taken lying down, it told nothing: there is no score for a mass there.",
        "Places with hard edges (ports, electrodes, clips, letters) get no mark, and what lies behind them is not judged; "
        "soft or small ones are still taken for nodules.",
        "Labels were mined from reports by the makers of the data and are partly wrong.",
        "Side markers: single letters L, R, Л, П outside the lungs. Of 128 real films that were not trained on, "
        "nearly all with a marker, it read 61 and doubted none wrongly, of 103 test films one; of the 128 mirrored it "
        "noticed 62 and took none for right. Silence says nothing about the sides.",
        "What it says of an earlier film was measured on generated pairs and on real films with calculated nodules, "
        "not on patients followed over time; a shadow that was there before may still be what is looked for.",
    ),
    "ru": (
        "Показатели намного ниже, чем у сетей, обученных на ста тысячах снимков; ничего нельзя исключать на его основании.",
        "Места изучены по очагам, расчётным путём добавленным в реальные снимки; в данных только две настоящие рамки "
        "очага или образования, поэтому точность места почти не измерена.",
        "Вероятность рядом с отметкой посчитана на добавленных очагах (на каждом втором снимке), а не на пациентах.",
        "Боковые снимки, дети и снимки без двух лёгочных полей отклоняются или помечаются; снимки лёжа (AP) "
        "помечаются как менее надёжные.",
        "Оценка образования относится ко всему снимку; половину её даёт сеть, которая смотрит на лёгкие и то, что между "
        "ними. Снимки с образованием отличаются ею от снимков без находок лучше, чем от снимков с другими находками; места "
        "она не указывает. На снимках AP, часто лёжа, она ничего не показала: там оценки образования нет.",
        "Места с резкими краями (порты, электроды, зажимы, буквы) не отмечаются, и что за ними, не оценивается; нерезкие и"
        " мелкие всё ещё принимаются за очаги.",
        "Метки извлечены создателями данных из описаний и частью неверны.",
        "Метки сторон: отдельные буквы L, R, Л, П вне лёгких. Из 128 реальных снимков, не бывших в обучении (почти на"
        " всех есть метка), прочитана метка на 61, ложных сомнений нет (на 103 тестовых — одно); на тех же 128, "
        "отражённых зеркально, замечено 62, за верный не принят ни один. Молчание ничего не говорит о сторонах.",
        "Сравнение с прежним снимком измерено на сгенерированных парах и на реальных снимках с расчётными очагами, а "
        "не на пациентах в динамике; тень, которая была и раньше, всё равно может быть искомой.",
    ),
    "kk": (
        "Көрсеткіштері жүз мың түсірілімде үйретілген желілерден әлдеқайда төмен; оған сүйеніп ештеңені жоққа шығаруға "
        "болмайды.",
        "Орындар нағыз түсірілімге есептеу арқылы қосылған түйіндерден үйретілген; деректерде түйіннің не түзілістің "
        "екі-ақ нағыз жақтауы бар, сондықтан орын дәлдігі дерлік өлшенбеген.",
        "Белгі жанындағы ықтималдық пациенттерде емес, қосылған түйіндерде (әр екінші түсірілімде) есептелген.",
        "Бүйірлік түсірілім, балалар, екі өкпе алаңы жоқ суреттер қабылданбайды не ескертіледі; жатқан күйдегі (AP) "
        "түсірілімдер сенімділігі төмен деп белгіленеді.",
        "Түзіліс бағасы бүкіл түсірілімге қатысты; жартысын өкпе мен оның аралығына қарайтын желі береді. Ол түзілісі бар "
        "түсірілімді басқа табылымы бар түсірілімнен гөрі табылымсыз түсірілімнен жақсырақ ажыратады, орнын көрсетпейді, "
        "ал көбіне жатқан күйдегі AP түсірілімдерінде ештеңе айта алмады: онда түзіліс бағасы берілмейді.",
        "Қыры өткір жерлер (порт, электрод, қысқыш, әріп) белгіленбейді, олардың артында не бары бағаланбайды; қыры жұмсақ"
        " не ұсақ заттар әлі де түйін деп қабылданады.",
        "Белгілерді деректерді жасаушылар сипаттамалардан алған, бір бөлігі қате.",
        "Жақ белгілері: өкпеден тыс жеке L, R, Л, П әріптері. Оқытуға кірмеген 128 нағыз түсірілімнің (дерлік бәрінде"
        " белгі бар) 61-інде белгі оқылды, жалған күмән болған жоқ (103 тест түсірілімінде біреу); сол 128-дің айнадағы "
        "көрінісінде 62-сі байқалды, бірде-бірі дұрыс деп қабылданбады. Үнсіздік жақтар туралы ештеңе білдірмейді.",
        "Бұрынғы түсіріліммен салыстыру жасанды жұптарда және есептелген түйіні бар нағыз түсірілімдерде өлшенген, "
        "пациенттерді бақылауда емес; бұрын да болған көлеңке бәрібір ізделіп отырған өзгеріс болуы мүмкін.",
    ),
}
TRAINING_DATA = (
    "NIH ChestX-ray14, train and validation films of the set at hand (368 films, one a patient), report-mined labels",
    "Nodules put into these films by calculated path lengths (app/ai/training/film_nodules.py)",
    "Masses of 12 to 75 mm put into these films the same way, and all findings of the reports (score of a mass)",
    "Letters and other marks drawn onto three in four of the training films (app/ai/training/chest_letters.py)",
)
ATTRIBUTIONS = (
    "NIH Clinical Center, ChestX-ray14 (Wang et al., CVPR 2017), usage unrestricted with attribution; "
    "https://nihcc.app.box.com/v/ChestXray-NIHCC",
)
RULES = SelectionRules(
    modality=("DX", "CR"),
    body_parts=("CHEST",),
    extra={"kind": "films", "views": "PA,AP", "earlier": "1", "max_width_over_height": "1.5"},
)
OPERATING_POINT = "a mark on about one of five films without a nodule or mass; at most one mark a film"
CARD = ReaderCard("chest_xray", VERSION, TITLES, INTENDED_USE, LIMITS, RULES, TRAINING_DATA, ATTRIBUTIONS)
