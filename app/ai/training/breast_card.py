"""The card of the mammography reader, in three languages."""

from __future__ import annotations

from app.ai.training.reader_card import ReaderCard
from app.domain.model_card import SelectionRules

VERSION = "0.5.0"
TITLES = {
    "en": "Places to look at again on mammograms",
    "ru": "Места для повторного взгляда на маммограммах",
    "kk": "Маммограммада қайта қарайтын жерлер",
}
INTENDED_USE = {
    "en": (
        "A second look at mammograms of adults after the radiologist's own reading: up to two marks on a view where the "
        "tissue stands out in itself or against the other breast, up to two clusters of bright points that may be "
        "calcifications, and the dense area in per cent. Research use only; it gives no assessment category and decides "
        "nothing."
    ),
    "ru": (
        "Второй взгляд на маммограммы взрослых после собственного чтения врача: до двух отметок на проекции там, где ткань "
        "выделяется сама по себе или в сравнении с другой железой, до двух скоплений ярких точек, которые могут быть "
        "кальцинатами, и доля плотной ткани в процентах. Только для исследований; категорию заключения не даёт и ничего не "
        "решает."
    ),
    "kk": (
        "Дәрігер өзі оқып болғаннан кейін ересектердің маммограммасына екінші көзқарас: тіні өздігінен немесе екінші безбен "
        "салыстырғанда ерекшеленетін жерге бір проекцияда екі белгіге дейін, кальцинат болуы мүмкін жарық нүктелердің екі "
        "шоғырына дейін және тығыз тіннің үлесі пайызбен. Тек зерттеуге арналған; қорытынды санатын бермейді, ештеңе "
        "шешпейді."
    ),
}
LIMITS = {
    "en": (
        "Trained on 242 digitised films of one British set from the 1990s at 0.4 mm; how it does on digital mammograms of "
        "your clinic is not known.",
        "Most marks are wrong: the chance printed beside a mark is what was measured on films with and without lesions. On "
        "sound generated views it set two false marks on every view, the most it may.",
        "Clusters of calcifications were shown on generated views, not on patients: the chance beside a cluster was counted "
        "there. Faint ones, of two to four times the noise, are mostly missed; calcified vessels may be marked.",
        "Clusters are sought only where pixels are at most 0.125 mm: at the 0.4 mm of the labelled films the search found "
        "next to nothing. It does not replace a search for calcifications.",
        "Trained on oblique views only; marks on CC views rest on what carries over.",
        "Implants, breasts after surgery, spot and magnification views, men and pregnancy were not tried.",
        "Dense area is measured on the picture and was not compared with a reader's density.",
        "What it says of an earlier view was measured on generated pairs and on real pictures changed by calculation, with "
        "drawn masses: 0.83 right on 41 test views, 5 of 13 new masses wrongly told as there before.",
    ),
    "ru": (
        "Обучен на 242 оцифрованных плёнках одного британского набора 1990-х годов при 0,4 мм; как он работает на цифровых "
        "маммограммах вашей клиники, неизвестно.",
        "Большинство отметок неверны: вероятность рядом с отметкой измерена на снимках с изменениями и без них. На "
        "синтетических снимках без изменений он ставил по две ложные отметки на каждой проекции — больше ему не разрешено.",
        "Поиск скоплений кальцинатов проверен на синтетических снимках, а не на пациентах: там посчитана и "
        "вероятность рядом "
        "со скоплением. Слабые, в два-четыре раза выше шума, он чаще пропускает; обызвествлённые сосуды может отметить.",
        "Скопления ищутся только при пикселе не крупнее 0,125 мм: при 0,4 мм размеченных плёнок поиск почти "
        "ничего не нашёл. "
        "Поиск кальцинатов врачом модуль не заменяет.",
        "Обучен только на косых проекциях; отметки на CC-проекциях держатся на переносе.",
        "Не испытано: импланты, железа после операции, прицельные снимки и снимки с увеличением, мужчины, беременность.",
        "Плотная площадь измерена по снимку и не сравнивалась с оценкой врача.",
        "Сравнение с прежней проекцией проверено на сгенерированных парах и на реальных снимках, изменённых расчётом, с "
        "нарисованными образованиями: верно 0,83 на 41 тестовой проекции; 5 из 13 новых ошибочно названы прежними.",
    ),
    "kk": (
        "1990-жылдардағы бір британдық жинақтың 0,4 мм-лік 242 цифрланған пленкасында үйретілген; сіздің клиниканың цифрлық "
        "маммограммаларында қалай жұмыс істейтіні белгісіз.",
        "Белгілердің көбі қате: белгі жанындағы ықтималдық өзгерісі бар және жоқ түсірілімдерде өлшенген. "
        "Өзгеріссіз жасанды "
        "түсірілімдердің әр проекциясына екі жалған белгі қойды — одан көп қоюға болмайды.",
        "Кальцинаттар шоғырын іздеу пациенттерде емес, жасанды түсірілімдерде тексерілген: шоғыр жанындағы ықтималдық та "
        "сонда есептелген. Шудан екі-төрт есе ғана жарық әлсіздерін көбіне өткізіп алады; әктенген "
        "тамырларды белгілеуі мүмкін.",
        "Шоғырлар пиксель 0,125 мм-ден аспағанда ғана ізделеді: белгіленген пленкалардың 0,4 мм-лік пикселінде іздеу дерлік "
        "ештеңе таппады. Дәрігердің кальцинат іздеуін модуль алмастырмайды.",
        "Тек қиғаш проекцияларда үйретілген; CC проекциясындағы белгілер көшірілген білімге сүйенеді.",
        "Тексерілмеген: имплант, операциядан кейінгі без, нысаналы және үлкейтілген түсірілім, ерлер, жүктілік.",
        "Тығыз аудан суреттен өлшенген, дәрігер бағасымен салыстырылмаған.",
        "Бұрынғы проекциямен салыстыру генерацияланған жұптарда және есеппен өзгертілген нақты түсірілімдерде, салынған "
        "түзілімдермен тексерілді: 41 тест проекциясында 0,83-і дұрыс; 13 жаңа түзілімнің 5-еуі бұрынғы деп қате айтылды.",
    ),
}
TRAINING_DATA = (
    "mini-MIAS, train and validation patients: 242 mediolateral oblique films of 121 women, pixels of 0.4 mm, circles",
    "Clusters: 120 generated views (half with drawn clusters) in the repository's own generator, another "
    "100 for the figures",
    "The bundled agreement of the mini-MIAS copy allows research purposes only; the owners released MIAS v1.21 under CC BY",
)
ATTRIBUTIONS = (
    "Mammographic Image Analysis Society (MIAS) database v1.21, University of Cambridge Apollo repository, CC BY 2.0 UK "
    "(Suckling et al. 1994); the mini-MIAS copy carries an older agreement: research purposes only",
)
RULES = SelectionRules(
    modality=("MG",),
    body_parts=("BREAST",),
    extra={"kind": "films", "intent": "presentation", "earlier": "1"},
)
OPERATING_POINT = (
    "about one false mark on a normal view (mammo-mias, five folds), at most two marks a view; clusters: one false mark on "
    "ten generated views without one, at most two a view"
)
CARD = ReaderCard("breast", VERSION, TITLES, INTENDED_USE, LIMITS, RULES, TRAINING_DATA, ATTRIBUTIONS)
