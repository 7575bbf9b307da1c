"""Names found in any script."""

from __future__ import annotations

import pytest

from app.store.search_key import fold, query_words, search_key

SAME = [
    ("Әлия", "Алия", "Aliya", "Äliia", "ӘЛИЯ"),
    ("Қазыбек", "Казыбек", "Kazybek", "Qazybek", "Qazıbek"),
    ("Ғалымжан", "Галымжан", "Galymzhan", "Ğalymjan"),
    ("Жұмабаев", "Жумабаев", "Zhumabayev", "Jumabaev", "Dzhumabaev"),
    ("Ахметов", "Akhmetov", "Ahmetov", "Axmetov".replace("x", "kh")),
    ("Өтеген", "Отеген", "Otegen", "Ötegen"),
    ("Шәріпов", "Шарипов", "Sharipov", "Şäripov"),
    ("Юрий", "Yuri", "Yuriy", "Yury", "Iurii"),
    ("Семёнов", "Semyonov", "Семенов", "Semenov"),
    ("Ермек", "Yermek", "Ermek"),
    ("Саттаров", "Сатаров", "Sattarov"),
    ("Үміт", "Умит", "Umit", "Ümit"),
    ("Щербакова", "Shcherbakova", "Scherbakova"),
    ("Müller", "MULLER"),
    ("Серікбаева", "Серикбаева", "Serikbaeva", "Serikbayeva", "Serıkbaeva"),
    ("Қожахметұлы", "Кожахметулы", "Qojahmetūly", "Kozhakhmetuly"),
    ("Шыңғысхан", "Şyñğyshan", "Shyngyskhan"),
    ("Өмірғали", "Омиргали", "Ömırğali", "Omirgali"),
    ("Нұрсұлтан", "Нурсултан", "Nūrsūltan", "Nursultan"),
    ("Еңлік", "Енлик", "Eñlık", "Yenlik"),
    ("Айгүл", "Айгуль", "Aigül", "Aygul"),
    ("Жақсыбекова", "Жаксыбекова", "Jaqsybekova", "Zhaksybekova"),
    ("Ілияс", "Илияс", "Ilıas", "Ilyas"),
    ("Һамит", "Хамит", "Hamit", "Khamit"),
    ("Әуез", "Ауез", "Äuez", "Auez"),
    ("ﾔﾏﾀﾞ", "ヤマダ", "やまだ"),
    ("Һәкім", "Хаким", "Khakim", "Hakim"),
]


@pytest.mark.parametrize("names", SAME, ids=lambda n: n[0])
def test_spellings_of_one_name_fold_to_one(names: tuple[str, ...]) -> None:
    assert len({fold(name) for name in names}) == 1, [fold(n) for n in names]


def test_different_names_stay_apart() -> None:
    names = ["Ахметов", "Омаров", "Алия", "Алма", "Асель", "Аслан", "Ержан", "Нұрлан", "Серік", "Сара"]
    assert len({fold(name) for name in names}) == len(names)


def test_numbers_and_other_scripts_stay() -> None:
    assert query_words("870412400123 77-00") == ("870412400123", "77", "00")
    assert fold("山田^太郎") == "山田 太郎"
    assert search_key("Ахметова^Әлия", "870") == " ahmetova alia 870"
    assert query_words("  ") == ()


def test_marks_of_like_cannot_be_smuggled_in() -> None:
    assert query_words("%_'\"\\") == ()
