"""How long the window's event loop is held over a reader's gestures on a real or generated stack.

    .venv/bin/python -m tests.perf.event_loop FOLDER

Two figures a gesture: the longest gap between two beats (a busy machine lengthens it), and the longest computing of the main
thread itself within one gap, which is what blocks on any machine.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")


def main(folder: Path) -> int:
    from app.demo import Demo
    from app.domain.verdict import Overall
    from app.session.views import WorklistQuery
    from app.session.wiring import EphemeralHome, Options, open_workstation
    from app.ui.app_window import AppWindow, application
    from app.ui.main_loop import QtMainLoop
    from app.ui.watchdog import Watchdog
    from app.viewer.tool_api import PointerEvent

    application()
    with EphemeralHome() as home:
        workstation = open_workstation(Options(home.path, home.keys, demo=True, second_readers=False), QtMainLoop())
        try:
            window = AppWindow(workstation)
            window.resize(1920, 1080)
            window.show()
            demo = Demo(window, workstation, home.path, True)
            workstation.import_paths([folder])
            demo.until(lambda: not workstation.tasks(), 300, "import")
            window.open_study(workstation.worklist(WorklistQuery()).rows[0].study_instance_uid)
            demo.settle(120)
            reading = workstation.reading
            assert reading is not None
            dog = Watchdog()

            def stroke(tool: str, pane: str = "pane-0", steps: int = 25) -> None:
                reading.set_tool(tool)
                reading.pointer(pane, "press", PointerEvent(200.0, 220.0))
                for n in range(steps):
                    reading.pointer(pane, "drag", PointerEvent(200.0 + 5 * n, 220.0 + 2 * n))
                    demo.pump(0.01)
                reading.pointer(pane, "release", PointerEvent(200.0 + 5 * steps, 220.0 + 2 * steps))

            def scroll() -> None:
                for _ in range(30):
                    reading.command("next_image")
                    demo.pump(0.01)

            def stages() -> None:
                reading.next_stage()
                demo.pump(0.1)
                reading.previous_stage()

            gestures: tuple[tuple[str, Callable[[], object]], ...] = (
                ("scroll", scroll),
                ("window", lambda: stroke("window")),
                ("zoom", lambda: stroke("zoom")),
                ("length", lambda: stroke("length")),
                ("ellipse", lambda: stroke("ellipse")),
                ("brush", lambda: stroke("brush")),
                ("stages", stages),
                ("volume view", lambda: reading.command("volume_view")),
                ("turn", lambda: stroke("turn", reading.room.active)),
                ("keep arrangement", lambda: reading.command("save_arrangement")),
                ("commit", lambda: reading.commit(Overall.CANNOT_JUDGE)),
            )
            for name, gesture in gestures:
                dog.start()
                gesture()
                demo.settle(300)
                dog.stop()
                print(f"{name:18} longest gap {dog.longest_ms:7.1f} ms   own computing {dog.longest_own_ms:6.1f} ms")
            window.close()
        finally:
            workstation.shutdown()
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
