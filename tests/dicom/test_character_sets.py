"""Every Specific Character Set of PS3.3 C.12.1.1.2, with and without code extensions, and what is mended."""

from __future__ import annotations

import pytest

from app.dicom.text import decode, person_name
from app.domain.study import PersonName

SINGLE = {
    "100": ("latin_1", "Buc^Jérôme", b"-A"),
    "101": ("iso8859_2", "Dvořák^Antonín", b"-B"),
    "109": ("iso8859_3", "Ġorġ^Ħal", b"-C"),
    "110": ("iso8859_4", "Bērziņš^Jānis", b"-D"),
    "144": ("iso8859_5", "Люкceмбypг^Юрий", b"-L"),
    "127": ("iso8859_6", "قباني^لنزار", b"-G"),
    "126": ("iso8859_7", "Διονυσιος^Γ", b"-F"),
    "138": ("iso8859_8", "שרון^דבורה", b"-H"),
    "148": ("iso8859_9", "Çavuşoğlu^İrem", b"-M"),
    "203": ("iso8859_15", "Œuvré^Š", b"-b"),
    "166": ("tis-620", "นามสกุล^ชื่อ", b"-T"),
}
"""ISO-IR number: (codec, name, designation of G1)."""


@pytest.mark.parametrize("number", SINGLE)
def test_one_byte_sets_alone(number: str) -> None:
    codec, name, _ = SINGLE[number]
    assert decode(name.encode(codec), (f"ISO_IR {number}",), name=True) == (name, "")


@pytest.mark.parametrize("number", SINGLE)
def test_one_byte_sets_as_the_first_value_of_several(number: str) -> None:
    codec, name, _ = SINGLE[number]
    assert decode(name.encode(codec), (f"ISO 2022 IR {number}", "ISO 2022 IR 87"), name=True) == (name, "")


@pytest.mark.parametrize("number", SINGLE)
def test_one_byte_sets_by_escape(number: str) -> None:
    codec, name, designation = SINGLE[number]
    family, given = (part.encode(codec) for part in name.split("^"))
    raw = b"\x1b" + designation + family + b"^\x1b" + designation + given
    first = "100" if number != "100" else "144"
    assert decode(raw, (f"ISO 2022 IR {first}", f"ISO 2022 IR {number}"), name=True) == (name, "")


def test_japanese_of_the_standard() -> None:
    raw = b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B=\x1b$B$d$^$@\x1b(B^\x1b$B$?$m$&\x1b(B"  # PS3.5 H.3.1
    name, repaired = person_name(raw, ("", "ISO 2022 IR 87"))
    assert (name, repaired) == (PersonName("Yamada^Tarou", "山田^太郎", "やまだ^たろう"), "")
    half = b"\xd4\xcf\xc0\xde^\xc0\xdb\xb3=\x1b$B;3ED\x1b(J^\x1b$BB@O:\x1b(J=\x1b$B$d$^$@\x1b(J^\x1b$B$?$m$&\x1b(J"  # H.3.2
    name, repaired = person_name(half, ("ISO 2022 IR 13", "ISO 2022 IR 87"))
    assert (name, repaired) == (PersonName("ﾔﾏﾀﾞ^ﾀﾛｳ", "山田^太郎", "やまだ^たろう"), "")
    assert decode(b"\xd4\xcf\xc0\xde", ("ISO_IR 13",)).text == "ﾔﾏﾀﾞ"
    supplementary = b"\x1b$(D" + "丂".encode("iso2022_jp_2")[4:6] + b"\x1b(B"
    assert decode(supplementary, ("", "ISO 2022 IR 159"), name=True) == ("丂", "")


def test_korean_of_the_standard() -> None:
    raw = b"Hong^Gildong=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce\xd4\xd7=\x1b$)C\xc8\xab^\x1b$)C\xb1\xe6\xb5\xbf"  # PS3.5 I.2
    name, repaired = person_name(raw, ("", "ISO 2022 IR 149"))
    assert (name, repaired) == (PersonName("Hong^Gildong", "洪^吉洞", "홍^길동"), "")


def test_chinese_of_the_standard() -> None:
    expected = PersonName("Wang^XiaoDong", "王^小东")
    text = "Wang^XiaoDong=王^小东="
    assert person_name(text.encode(), ("ISO_IR 192",)) == (expected, "")  # PS3.5 J.1
    assert person_name(text.encode("gb18030"), ("GB18030",)) == (expected, "")  # J.2
    assert person_name(text.encode("gbk"), ("GBK",)) == (expected, "")
    raw = b"Zhang^XiaoDong=\x1b$)A" + "张".encode("gb2312") + b"^\x1b$)A" + "小东".encode("gb2312") + b"="  # K.2
    assert person_name(raw, ("", "ISO 2022 IR 58")) == (PersonName("Zhang^XiaoDong", "张^小东"), "")


def test_kazakh_in_utf_8() -> None:
    name = "Қожахметұлы^Әнуар^Өмірғалиұлы=ideo=Һәкім"
    assert person_name(name.encode(), ("ISO_IR 192",))[0] == PersonName(*name.split("="))


@pytest.mark.parametrize(
    ("raw", "terms", "text", "codec"),
    [
        ("Серікбаева".encode(), (), "Серікбаева", "utf-8"),  # no character set at all
        ("Серікбаева".encode(), ("ISO_IR 6",), "Серікбаева", "utf-8"),
        ("Иванов".encode("cp1251"), (), "Иванов", "cp1251"),
        ("Иванов".encode("cp1251"), ("ISO_IR 192",), "Иванов", "cp1251"),  # says UTF-8 and is not
        ("Müller".encode("latin_1"), ("ISO_IR 192",), "Müller", "latin-1"),
        ("Müller".encode("latin_1"), ("NO SUCH SET",), "Müller", "latin-1"),
        ("Иванов".encode("iso8859_5"), ("ISO-IR 144",), "Иванов", ""),  # a name of the set written loosely
        ("Иванов".encode("iso8859_5"), ("ISO2022IR144",), "Иванов", ""),
    ],
)
def test_wrong_and_missing_sets_are_mended_by_name(raw: bytes, terms: tuple[str, ...], text: str, codec: str) -> None:
    assert decode(raw, terms) == (text, codec)


RUSSIAN = ("Иванов^Пётр", "Серикбаева^Айгуль", "Ким^Юрий", "Петров-Водкин^Кузьма", "ИВАНОВ^ПЕТР", "Шрейбер^Ж. Ж.")
KAZAKH = ("Қожахметұлы^Әнуар", "Өмірғалиұлы^Һәкім", "Жаңабаева^Гүлнұр", "ӘУЕЗОВ^МҰХТАР", "Әлия", "Жаңа")
LATIN_1 = (
    *("Buc^Jérôme", "Müller^Jörg", "MÜLLER^JÖRG", "Größe", "Çelik^Özgür", "Señor Núñez^Ángel", "Åse^Øyvind", "Þórður^Æsa"),
    *("Lefèvre^Zoë", "L'Hôpital^Noël", "François^Gaëtan", "AÏDA^FRANÇOIS", "Ñandú", "São João^Inês", "fracture à droite"),
    *("été", "N° 5", "«Vérité»", "3 µm²", "Test^ÆØÅ", "Test^ÅÄÖ", "Test^ÄÖÜ", "üçü", "RENÉ\xa0D", "Citroën", "Éàs"),
)
OTHERS = {
    "101": ("PÓŁTORAK^ŁUCJA", "Dvořák^Antonín", "ŠŤASTNÝ^ŽOFIE", "Król^Żółć", "KOŚCIÓŁ"),
    "109": ("Ġorġ^Ħal",),
    "110": ("Bērziņš^Jānis", "ŽĪGURE"),
    "126": ("Διονυσιος^Γ", "ΆΝΝΑ", "Ελένη^Ό"),
    "127": ("قباني^لنزار",),
    "138": ("שרון^דבורה",),
    "144": (*RUSSIAN, "ТА", "ШИ^ЮН", "Больница № 5", "Лукић^Јово", "Шевченко^Єва", "КТ Thorax"),
    "148": ("Çavuşoğlu^İrem", "ışığı", "İŞÇİ", "Şığ", "Öğüt^Ümit", "GÜÇLÜ^ŞÜKRÜ"),
    "166": ("นามสกุล^ชื่อ", "รถ", "รกรถ"),
    "203": ("Œuvré^Š", "MŒLLER^ÉŽ"),
}


@pytest.mark.parametrize("terms", [("ISO_IR 100",), ("ISO_IR 100", "ISO 2022 IR 144")])
@pytest.mark.parametrize("name", LATIN_1)
def test_right_names_of_western_europe_stay(name: str, terms: tuple[str, ...]) -> None:
    assert decode(name.encode("latin_1"), terms, name=True) == (name, "")


@pytest.mark.parametrize(("number", "name"), [(n, name) for n, names in OTHERS.items() for name in names])
def test_right_names_of_other_sets_stay(number: str, name: str) -> None:
    codec = "tis-620" if number == "166" else SINGLE[number][0]
    assert decode(name.encode(codec), (f"ISO_IR {number}",), name=True) == (name, "")


@pytest.mark.parametrize("number", SINGLE)
@pytest.mark.parametrize("name", [*RUSSIAN, *KAZAKH, "Müller^Jörg", "Król^Łucja", "Júlia", "王^小东", "สมยศ"])
def test_utf_8_under_another_declared_set_is_read_and_told(name: str, number: str) -> None:
    assert decode(name.encode(), (f"ISO_IR {number}",), name=True) == (name, "utf-8")


@pytest.mark.parametrize("terms", [("ISO_IR 100",), (), ("ISO_IR 192",), ("ISO 2022 IR 100", "ISO 2022 IR 144")])
@pytest.mark.parametrize(
    ("name", "codec"), [*((n, "cp1251") for n in RUSSIAN), *((n, "kz1048") for n in KAZAKH), ("Ахметов MD", "cp1251")]
)
def test_8_bit_cyrillic_under_latin_is_read_and_told(name: str, codec: str, terms: tuple[str, ...]) -> None:
    assert decode(name.encode(codec), terms, name=True) == (name, codec)


@pytest.mark.parametrize("codec", ["cp1251", "iso8859_5", "cp866", "koi8_r"])
@pytest.mark.parametrize("name", ["Иванов^Олег", "Ахметов^Руслан", "Тян^Вера", "Шарипова^Зоя"])
def test_every_8_bit_cyrillic_is_known_without_a_set(name: str, codec: str) -> None:
    assert decode(name.encode(codec), (), name=True) == (name, codec)


@pytest.mark.parametrize(
    ("raw", "terms", "text", "codec"),
    [
        ("Иванов".encode("cp866"), ("ISO_IR 144",), "Иванов", "cp866"),  # controls
        ("Петров^Пётр".encode("cp1251"), ("ISO_IR 144",), "Петров^Пётр", "cp1251"),  # Ях№ют
        ("O’Brien^Zoë".encode("cp1252"), ("ISO_IR 100",), "O’Brien^Zoë", "cp1252"),
        ("Ž. Novak".encode("cp1252"), ("ISO_IR 100",), "Ž. Novak", "cp1252"),
        ("fracture à droite".encode("latin_1"), (), "fracture à droite", "latin-1"),
        ("Garðar".encode("latin_1"), (), "Garðar", "latin-1"),
        ("МакДональд".encode("cp1251"), (), "МакДональд", "cp1251"),  # a capital inside, and no better reading
    ],
)
def test_controls_and_signs_tell_a_wrong_set(raw: bytes, terms: tuple[str, ...], text: str, codec: str) -> None:
    assert decode(raw, terms) == (text, codec)


def test_control_characters_never_come_through() -> None:
    assert decode(b"A\x1b[31mB\x07C\x00", ()).text == "A[31mBC"
