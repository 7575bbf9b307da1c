"""Labels of marks keep off the words in the corners and off each other."""

from __future__ import annotations

from dataclasses import replace

from app.viewer.label_room import slid_apart
from app.viewer.primitives import Anchor, Line, Plate, Text
from app.viewer.style import Style

STYLE = Style()


def label(x: float, y: float, w: float = 100.0, h: float = 30.0) -> list[Line | Plate | Text]:
    return [
        Line(x - 20, y, x, y + h / 2, key="leader"),
        Plate(x, y, w, h, "label_plate"),
        Text(x + 10, y + h / 2, "A1", Anchor.CENTRE, key="tag"),
        Text(x + 30, y + 6, "7 mm", key="label"),
    ]


def test_a_label_with_room_stays_where_it_is() -> None:
    marks = label(200.0, 100.0)
    assert slid_apart(marks, [(0.0, 0.0, 150.0, 60.0), (200.0, 300.0, 50.0, 20.0)], 400.0, STYLE) == marks


def test_a_label_moves_below_the_words_of_a_corner_with_all_its_parts() -> None:
    words = [(180.0, 0.0, 120.0, 40.0)]
    leader, plate, tag, line = slid_apart(label(200.0, 4.0), words, 400.0, STYLE)
    assert isinstance(plate, Plate)
    assert plate.y == 44.0, "the nearest try, in steps of half a line"
    assert (leader.x0, leader.y0) == (180.0, 4.0), "the line still begins at the mark"  # type: ignore[union-attr]
    assert leader.y1 == plate.y + 15.0  # type: ignore[union-attr]
    assert tag.y == plate.y + 15.0  # type: ignore[union-attr]
    assert line.y == plate.y + 6.0  # type: ignore[union-attr]


def test_labels_of_neighbours_do_not_cover_each_other() -> None:
    other = Text(0.0, 0.0, "scale", key="scale")
    moved = slid_apart([*label(200.0, 100.0), *label(220.0, 110.0), other], [], 400.0, STYLE)
    first, second = (p for p in moved if isinstance(p, Plate))
    assert (first.x, first.y) == (200.0, 100.0)
    assert second.y >= 130.0 or second.y + second.h <= 100.0
    assert moved[-1] is other, "what is no label stays"


def test_a_label_without_room_stays_at_its_mark() -> None:
    marks = label(20.0, 10.0)
    assert slid_apart(marks, [(0.0, 0.0, 400.0, 50.0)], 50.0, STYLE) == marks


def test_the_name_of_an_upright_line_slides_along_it() -> None:
    name = Text(100.0, 50.0, "Coronal", Anchor.LEFT, key="plane_label")
    (moved,) = slid_apart([name], [(0.0, 0.0, 150.0, 60.0)], 400.0, STYLE)
    assert moved == replace(name, y=moved.y)  # type: ignore[union-attr]
    assert moved.y - STYLE.line / 2 >= 60.0  # type: ignore[union-attr]
    flat = Text(100.0, 50.0, "Axial", Anchor.BOTTOM_RIGHT, key="plane_label")
    assert slid_apart([flat], [(0.0, 0.0, 150.0, 60.0)], 400.0, STYLE) == [flat], "beside a level line it would lose it"
