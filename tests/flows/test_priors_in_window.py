"""Earlier marks and films in the real window: carried over by a key, accepted by a button, the course beside them."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from app.samples.catalogue import write_samples
from app.ui.reading.earlier_list import CourseTable, EarlierLine, EarlierList, ProposalCard
from app.ui.reading.strip import SeriesTile
from app.ui.widgets.buttons import Button
from app.ui.widgets.text import Text
from tests.flows.conftest import OpenDesk
from tests.session.test_prior_desk import BALLS, DAYS, _uid, _write, nodule


def test_a_nodule_is_followed_in_the_window(open_desk: OpenDesk, tmp_path: Path) -> None:
    for key in ("then", "now"):
        _write(tmp_path, key)
    demo = open_desk(tmp_path / "home", None, priors_beside=True)
    demo.window.import_paths([tmp_path / "then", tmp_path / "now"])
    demo.until(lambda: not demo.workstation.tasks(), 60, "import")
    demo.window.open_study(_uid("then"))
    demo.until(lambda: demo.workstation.reading is not None, 30, "the earlier study")
    reading = demo.workstation.reading
    reading.desk.keep(nodule(reading, BALLS[0], 6.0))
    demo.pump(0.3)
    demo.window.open_study(_uid("now"))
    demo.until(lambda: demo.workstation.reading.study.study_instance_uid == _uid("now"), 30, "the present study")
    reading, window = demo.workstation.reading, demo.window
    demo.until(lambda: any(w.isVisible() for w in window.findChildren(EarlierLine)), 30, "the past joins by itself")
    told = {tile.card.display_set_id for tile in window.findChildren(SeriesTile)}
    assert {c.display_set_id for c in reading.prior_cards()} <= told
    assert reading.prior_cards()
    panel = next(w for w in window.findChildren(EarlierList) if w.isVisible())
    (line,) = panel.findChildren(EarlierLine)
    assert any("10.03.2024" in t.text() for t in line.findChildren(Text))
    QTest.keyClick(window, Qt.Key.Key_Y, Qt.KeyboardModifier.ShiftModifier)
    demo.until(lambda: bool(panel.findChildren(ProposalCard)), 10, "the proposal")
    assert reading.desk.marks == ()
    (card,) = panel.findChildren(ProposalCard)
    card.findChildren(Button)[0].click()
    demo.until(lambda: bool(panel.findChildren(CourseTable)), 10, "the course")
    (table,) = panel.findChildren(CourseTable)
    assert all(part in table.accessibleName() for part in ("10.03.2024", "01.01.2026", "6"))
    table.findChildren(Button)[0].click()
    demo.pump(0.2)
    lines = [x.text for s in reading.reports.report().sections for x in s.lines]
    assert sum("10.03.2024" in x for x in lines) == 1
    assert DAYS["then"] == reading.room.studies()[1][0].study.study_datetime[:8]


def test_films_flicker_with_their_prior_by_a_key(open_desk: OpenDesk, tmp_path: Path) -> None:
    samples = {s.key: s for s in write_samples(tmp_path / "samples", small=True)}
    now, prior = samples["mammogram"], samples["mammogram_prior"]
    demo = open_desk(tmp_path / "home", None, priors_beside=True)
    demo.window.import_paths([prior.folder, now.folder])
    demo.until(lambda: not demo.workstation.tasks(), 60, "import")
    demo.window.open_study(now.study_instance_uid)
    demo.until(lambda: demo.workstation.reading is not None, 30, "the study")
    room = demo.workstation.reading.room
    demo.until(lambda: any(p.prior for p in room.panes()) and not demo.workstation.images_busy(), 30, "the prior hangs")
    pane = next(p for p in room.panes() if p.display_set_id and not p.prior)
    room.activate(pane.pane_id)
    QTest.keyClick(demo.window, Qt.Key.Key_A, Qt.KeyboardModifier.ShiftModifier)
    demo.until(room.flickers, 5, "flicker")
    over = room.pane(pane.pane_id).over
    then = room.second.change.candidate(over.display_set_id, over.film, prior=True)
    mine = room.second.change.candidate(pane.display_set_id, pane.view.frame_index)
    assert (then.instance.laterality, then.instance.view_position) == (mine.instance.laterality, mine.instance.view_position)
    assert then.study.study_instance_uid == prior.study_instance_uid
    demo.until(
        lambda: room.second.film(room.pane(pane.pane_id), room.frame_layer(room.pane(pane.pane_id))) is not None, 20, "it"
    )
    QTest.keyClick(demo.window, Qt.Key.Key_A, Qt.KeyboardModifier.ShiftModifier)
    demo.until(lambda: not room.flickers(), 5, "the end")
