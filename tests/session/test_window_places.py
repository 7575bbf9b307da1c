"""Windows on monitors that come and go."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.session.comforts import FILE, Comforts
from app.session.window_places import Monitor, Rect, Standing, WindowPlaces, fitted, set_name

MAIN = Monitor("A", Rect(0, 0, 1920, 1040))
SIDE = Monitor("B", Rect(1920, -200, 2048, 2560))
LEFT = Monitor("C", Rect(-1280, 0, 1280, 1024))


def test_a_set_of_monitors_has_one_name_in_any_order() -> None:
    assert set_name((MAIN, SIDE)) == set_name((SIDE, MAIN))
    names = {set_name(s) for s in ((MAIN,), (SIDE,), (MAIN, SIDE), (MAIN, Monitor("B", Rect(0, 0, 2048, 2560))))}
    assert len(names) == 4


def test_each_set_remembers_its_own_places(tmp_path: Path) -> None:
    places = WindowPlaces(Comforts(tmp_path))
    both, one = (MAIN, SIDE), (MAIN,)
    assert places.kept("patient", both) is None
    there, here = Standing(Rect(1920, -200, 2048, 2560), 2), Standing(Rect(10, 20, 800, 600))
    places.keep("patient", there, both)
    places.keep("patient", here, one)
    again = WindowPlaces(Comforts(tmp_path))
    assert again.kept("patient", both) == there
    assert again.kept("patient", one) == here
    assert again.kept("main", both) is None


@pytest.mark.parametrize(
    ("area", "set_of", "wanted"),
    [
        (Rect(100, 50, 800, 600), (MAIN,), Rect(100, 50, 800, 600)),
        (Rect(-700, 100, 800, 600), (MAIN, LEFT), Rect(-700, 100, 800, 600)),
        (Rect(-700, 100, 800, 600), (MAIN,), Rect(-700, 100, 800, 600)),
        (Rect(-721, 100, 800, 600), (MAIN,), Rect(560, 220, 800, 600)),
        (Rect(1920, 0, 2048, 2560), (MAIN,), Rect(0, 0, 1920, 1040)),
        (Rect(100, -300, 800, 600), (MAIN,), Rect(560, 220, 800, 600)),
        (Rect(100, 1030, 800, 600), (MAIN,), Rect(560, 220, 800, 600)),
        (Rect(0, 0, 4000, 3000), (MAIN, SIDE), Rect(0, 0, 2048, 2560)),
    ],
)
def test_a_window_is_brought_to_where_it_can_be_seen(area: Rect, set_of: tuple[Monitor, ...], wanted: Rect) -> None:
    assert fitted(Standing(area, 0), set_of) == Standing(wanted, 0)


def test_a_damaged_file_and_old_sets_do_no_harm(tmp_path: Path) -> None:
    places, comforts = WindowPlaces(Comforts(tmp_path)), Comforts(tmp_path)
    for values in ([1, 2, 3], [1, 2, -3, 4, 0], [1, 2, 3, 4, 9], "x", [1, 2, 3, 4, True], [10**6, 0, 1, 1, 0]):
        comforts.keep(set_name((MAIN,)), {"main": values})
        assert places.kept("main", (MAIN,)) is None, values
    comforts.keep("interface", {"text_percent": 150})
    for number in range(20):
        places.keep("main", Standing(Rect(number, 0, 500, 400)), (Monitor("M", Rect(0, 0, 1000 + number, 900)),))
    assert places.kept("main", (Monitor("M", Rect(0, 0, 1019, 900)),)) is not None
    assert places.kept("main", (Monitor("M", Rect(0, 0, 1000, 900)),)) is None
    assert comforts.group("interface") == {"text_percent": 150}
    assert (tmp_path / FILE).read_text(encoding="utf-8").count("windows-") == 12
