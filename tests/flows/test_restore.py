"""The window's process is killed in the middle of a reading; the next one has everything as it stood, the way back too."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from app.session.reading_session import ReadingSession
from tests.flows import stage
from tests.flows.conftest import OpenDesk

ROOT = Path(__file__).resolve().parents[2]
CHILD = """
import json, sys, time
from pathlib import Path
from app.demo import Demo
from app.session.wiring import open_workstation
from app.ui.app_window import AppWindow, application
from app.ui.main_loop import QtMainLoop
from app.viewer.tool_api import PointerEvent
from tests.flows import stage
from tests.flows.test_restore import facts
application()
folder = Path(sys.argv[1])
workstation = open_workstation(stage.options(folder / "home", None), QtMainLoop())
window = AppWindow(workstation)
window.resize(1600, 900)
window.show()
demo = Demo(window, workstation, folder, True)
window.import_paths([folder / "dicom"])
demo.until(lambda: not workstation.tasks(), 60, "import")
demo.pump(0.1)
window.open_study(sys.argv[2])
demo.settle()
reading = workstation.reading
reading.set_layout("2x1")
demo.settle()
def stroke(tool, y):
    reading.set_tool(tool)
    for kind, x in (("press", 300.0), ("drag", 380.0), ("release", 380.0)):
        reading.pointer("pane-0", kind, PointerEvent(x, y + (x - 300.0) / 4))
        demo.pump(0.02)
stroke("length", 200.0)
reading.add_mark()
stroke("window", 180.0)
reading.command("toggle_key_image")
stroke("ellipse", 240.0)
reading.command("undo")
demo.pump(0.3)
workstation.library.write(lambda tx: None)
(folder / "facts.json").write_text(json.dumps(facts(reading)))
print("ready", flush=True)
time.sleep(600)
"""


def facts(reading: ReadingSession) -> dict[str, object]:
    """What a reader would miss, as plain words."""
    room = reading.room
    return {
        "study": reading.study.study_instance_uid,
        "layout": room.layout().name,
        "panes": [[p.pane_id, p.display_set_id, p.view.plane.value, p.view.frame_index] for p in room.panes()],
        "windows": [
            [p.appearance.window.center, p.appearance.window.width] if p.appearance.window is not None else None
            for p in room.panes()
        ],
        "marks": [m.finding_id for m in reading.desk.marks],
        "findings": [m.finding_id for m in reading.desk.own_findings()],
        "stars": len(reading.desk.starred()),
    }


def test_a_killed_window_comes_back_as_it_stood(open_desk: OpenDesk, tmp_path: Path) -> None:
    uid = stage.write_study(tmp_path / "dicom")
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen"}
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(tmp_path), uid], cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True
    )
    try:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
    finally:
        child.send_signal(signal.SIGKILL) if os.name == "posix" else child.kill()
        child.wait(20)
    assert child.stdout is not None
    child.stdout.close()
    stood = json.loads((tmp_path / "facts.json").read_text())
    assert len(stood["marks"]) == 2, "a length named as a finding, and a key image"
    assert stood["windows"][0] is not None
    time.sleep(0.2)

    demo = open_desk(tmp_path / "home", None)
    demo.window.restore()
    reading = demo.workstation.reading
    assert demo.window.screen == "reading"
    assert reading is not None
    demo.settle()
    assert facts(reading) == stood
    # The way forth: the ellipse that had been taken back. The way back: key image, window, mark.
    reading.redo()
    assert len(reading.desk.marks) == 3
    reading.undo()
    assert facts(reading) == stood
    reading.undo()
    assert not reading.desk.starred()
    reading.undo()
    now = facts(reading)
    assert now["windows"] != stood["windows"]
    assert now["marks"] == stood["findings"]
    reading.undo()
    assert reading.desk.own_findings() == ()
    reading.undo()
    assert reading.desk.marks == ()
    reading.undo()
    assert reading.room.layout().name != stood["layout"]
    # A proper end leaves nothing to come back to.
    demo.window.go("worklist")
    demo.workstation.close_study()
    demo.workstation.library.write(lambda tx: None)
    assert demo.workstation.study_to_restore() == ""
