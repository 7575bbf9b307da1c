"""What ``tests.perf.memory`` measures, each in a process of its own: the program's own window on a library of its own."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any


def peak_mib() -> float:
    """Peak resident set of this process."""
    if sys.platform == "win32":
        raise SystemExit("the peak is not asked for on Windows yet")
    if sys.platform == "linux":
        # Not getrusage: its peak begins with that of the process that started this one.
        status = Path("/proc/self/status").read_text(encoding="ascii")
        return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) / 2**10
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10


def add_to_library(folder: Path, data: Path) -> int:
    from app.domain.ports import SilentProgress
    from app.session.clock import SystemClock
    from app.session.importing import import_paths
    from app.store.library import Library
    from tests.store.conftest import FixedKey

    with Library.open(folder / "home", FixedKey(), SystemClock()) as library:
        return import_paths(library, [data], SilentProgress()).added


# -- the data


def ct(folder: Path, slices: int) -> float:
    """Writes and imports a CT of slices of 512 x 512; returns MiB of pixels."""
    import numpy as np

    from app.domain.volume import Volume
    from tests import phantoms

    grid = phantoms.geometry((slices, 512, 512), (1.25, 0.7, 0.7))
    voxels = np.random.default_rng(4).integers(-1000, 400, grid.shape, dtype=np.int16)
    phantoms.write_ct(folder / "dicom", Volume(voxels, grid, "HU"))
    if add_to_library(folder, folder / "dicom") != slices:
        raise SystemExit("the CT was not imported")
    return voxels.nbytes / 2**20


def segmented_ct(folder: Path, slices: int, segments: int, label_map: bool) -> float:
    """A CT with a segmentation of its own grid; returns MiB of the segmentation's file."""
    import pydicom

    from tests import phantoms
    from tests.perf.seg_objects import label_volume, write_binary, write_label_map

    ct(folder, slices)
    first = pydicom.dcmread(sorted((folder / "dicom").rglob("*.dcm"))[0], stop_before_pixels=True)
    grid = phantoms.geometry((slices, 512, 512), (1.25, 0.7, 0.7))
    labels = label_volume(grid.shape, segments)
    path = folder / "seg" / "seg.dcm"
    path.parent.mkdir()
    study = (str(first.StudyInstanceUID), str(first.FrameOfReferenceUID))
    write = write_label_map if label_map else write_binary
    write(path, labels, segments, grid, study, first)
    if add_to_library(folder, path.parent) != 1:
        raise SystemExit("the segmentation was not imported")
    return path.stat().st_size / 2**20


def tomosynthesis(folder: Path, jpeg_ls: bool, frames: int) -> float:
    from tests.perf.tomosynthesis import write

    (folder / "dicom").mkdir()
    size = write(folder / "dicom" / "tomo.dcm", frames, jpeg_ls=jpeg_ls)
    if add_to_library(folder, folder / "dicom") != 1:
        raise SystemExit("the tomosynthesis was not imported")
    return size / 2**20


# -- the window


class Stage:
    """The window on ``home``, its first study opened."""

    def __init__(self, home: Path) -> None:
        from app.demo import Demo
        from app.session.memory import warm_a_volume
        from app.session.wiring import Options, open_workstation
        from app.ui import prewarm
        from app.ui.app_window import AppWindow, application
        from app.ui.main_loop import QtMainLoop
        from tests.store.conftest import FixedKey

        application()
        self.workstation = open_workstation(Options(home, FixedKey(), second_readers=False), QtMainLoop())
        self.window = AppWindow(self.workstation)
        self.window.resize(1920, 1080)
        self.window.show()
        prewarm.begin()  # as application.py does
        self.demo = Demo(self.window, self.workstation, home, quiet=True)
        self.demo.pump(0.3)
        warm_a_volume()  # as a window has done that was idle for some seconds

    def open(self) -> Any:
        self.window.open_study(self.window.worklist.table.list.current_key())
        self.demo.settle(300)
        return self.workstation.reading

    def pictures(self) -> list[Any]:
        from app.ui.reading.viewport import Viewport

        return [v.picture for v in self.window.findChildren(Viewport) if v.isVisible() and v.picture is not None]

    def seconds_until(self, done: Callable[[], bool], most_s: float = 120.0) -> float:
        from PySide6.QtCore import QCoreApplication

        start = time.perf_counter()
        while not done():
            QCoreApplication.processEvents()
            time.sleep(0.003)  # as an event loop waits: spinning would keep every other thread off the interpreter
            if time.perf_counter() - start > most_s:
                raise SystemExit("what was waited for did not come")
        return time.perf_counter() - start

    def close(self) -> None:
        from PySide6.QtCore import QCoreApplication

        self.window.close()
        self.workstation.shutdown()
        QCoreApplication.processEvents()


# -- the scenes


def nothing(folder: Path) -> dict[str, float]:
    import app.session.wiring  # noqa: F401

    return {}


def empty_library(folder: Path) -> dict[str, float]:
    stage = Stage(folder / "nobody")
    stage.close()
    return {}


def imported(folder: Path) -> dict[str, float]:
    from app.domain.ports import SilentProgress
    from app.session.clock import SystemClock
    from app.session.importing import import_paths
    from app.store.library import Library
    from tests.store.conftest import FixedKey

    with Library.open(folder / "fresh", FixedKey(), SystemClock()) as library:
        assert import_paths(library, [folder / "dicom"], SilentProgress()).added
    return {}


def open_ct(folder: Path) -> dict[str, float]:
    """Opened, scrolled through, and looked at in three reformats."""
    from app.viewer.view_state import Plane

    stage = Stage(folder / "home")
    reading = stage.open()
    frames = len(_longest(reading).frames)
    for _ in range(frames // 10 + 1):
        reading.command("next_page")
        stage.demo.pump(0.01)
    stage.demo.settle(120)
    for _ in range(min(frames, 200)):
        reading.command("previous_image")
        stage.demo.pump(0.0)
    stage.demo.settle(120)
    _reformat(stage, reading)
    shown = [p for p in stage.pictures() if p.pixels is not None and p.resolved is not None]
    out = {"reformats": float(sum(p.resolved.view.plane is not Plane.STACK for p in shown))}
    stage.close()
    return out


def _longest(reading: Any) -> Any:
    sets = [reading.room.content.set_by_id(card.display_set_id) for card in reading.series_cards()]
    return max(sets, key=lambda d: len(d.frames))


def _reformat(stage: Stage, reading: Any) -> None:
    """The three planes of the first stack, each moved a little."""
    from app.viewer.view_state import Plane

    reading.set_layout("2x2")
    stage.demo.settle(120)
    longest = _longest(reading)
    for box, plane in zip(reading.layout().panes, (Plane.AXIAL, Plane.CORONAL, Plane.SAGITTAL), strict=False):
        reading.put_in_pane(box.pane_id, longest.display_set_id)
        reading.activate(box.pane_id)
        reading.room.change_view(plane=plane, point_mm=None)
    stage.demo.settle(300)
    for box in reading.layout().panes[:3]:
        reading.activate(box.pane_id)
        for _ in range(20):
            reading.command("next_image")
            stage.demo.pump(0.01)
    stage.demo.settle(120)


def segments(folder: Path) -> dict[str, float]:
    """From the switch to the first pane that shows numbers, then the same as a reformat."""
    stage = Stage(folder / "home")
    reading = stage.open()
    (line,) = [o for o in reading.room.saved.listed() if o.kind == "segmentation"]
    before = peak_mib()

    def coloured() -> bool:
        shown = [p for p in stage.pictures() if p.pixels is not None and p.pixels.ndim == 3]
        return any(bool((p.pixels[..., 0] != p.pixels[..., 1]).any()) for p in shown)

    assert not coloured()
    cpu = time.process_time()
    reading.room.saved.toggle(line.sop_instance_uid)
    seconds = stage.seconds_until(coloured)
    cpu = time.process_time() - cpu
    stage.demo.settle(120)
    times = []
    for _ in range(20):
        start = time.perf_counter()
        reading.command("next_image")
        stage.demo.settle(30)
        times.append(time.perf_counter() - start)
    _reformat(stage, reading)
    out = {"on_screen_s": round(seconds, 3), "on_screen_cpu_s": round(cpu, 3), "before_mib": round(before, 1)}
    stage.close()
    return out


def scroll(folder: Path) -> dict[str, float]:
    """Every frame, one after another: from the wheel to the painted picture, also against the direction at the end."""
    stage = Stage(folder / "home")
    reading = stage.open()
    pane = reading.layout().active
    frames = len(reading.room.display_set(reading.room.pane(pane)).frames)
    reading.command("first_image")
    stage.demo.settle(120)
    times: list[float] = []
    cpu = time.process_time()
    for step, count in (("next_image", frames - 1), ("previous_image", frames // 2)):
        for _ in range(count):
            wanted = reading.room.pane(pane).view.frame_index + (1 if step == "next_image" else -1)
            start = time.perf_counter()
            reading.command(step)
            stage.seconds_until(lambda wanted=wanted: _shows(stage, wanted))  # type: ignore[misc]
            times.append(time.perf_counter() - start)
    cpu = (time.process_time() - cpu) / len(times)
    jumps: list[float] = []
    for n in (frames // 4, frames - 2, frames // 2, 1):
        start = time.perf_counter()
        reading.room.change_view(frame_index=n)
        stage.seconds_until(lambda n=n: _shows(stage, n))  # type: ignore[misc]
        jumps.append(time.perf_counter() - start)
    stage.close()
    times.sort()
    return {
        "frames": float(frames),
        "frame_ms": round(statistics.median(times) * 1e3, 1),
        "frame_cpu_ms": round(cpu * 1e3, 1),
        "p95_ms": round(times[int(len(times) * 0.95)] * 1e3, 1),
        "jump_ms": round(statistics.median(jumps) * 1e3, 1),
    }


def _shows(stage: Stage, frame: int) -> bool:
    return any(
        p.pixels is not None and p.resolved is not None and p.resolved.view.frame_index == frame for p in stage.pictures()
    )


SCENES: dict[str, Callable[[Path], dict[str, float]]] = {
    "nothing": nothing,
    "empty_library": empty_library,
    "open_ct": open_ct,
    "import": imported,
    "segments": segments,
    "scroll": scroll,
}
