"""Gives a disc or a stick back to the person: what the medium is, and the system's own way to let it go.

Linux: udisksctl (power off of a stick) or eject (a disc). macOS: diskutil. Windows: the documented sequence of control
codes on the volume (lock, dismount, allow removal, eject). Where a system has none of them there is nothing to offer.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from app.domain.problem import Problem, fail
from app.session.tasks import TaskRunner
from app.session.views import Words

_MOUNTS = Path("/proc/self/mountinfo")
_BLOCKS = Path("/sys/class/block")
_DISC_SYSTEMS = frozenset({"iso9660", "udf"})
_SECONDS = 60
Run = Callable[[Sequence[str]], bool]


@dataclass(frozen=True)
class Medium:
    """A medium that can be taken out. ``steps`` are run one after the other; empty where a call of the system does it."""

    name: str
    root: Path
    """Where it is mounted."""
    steps: tuple[tuple[str, ...], ...] = ()
    volume: str = ""
    """Windows: the root of the drive."""


def medium_of(paths: Sequence[Path], home: Path) -> Medium | None:
    """The removable medium that all of ``paths`` lie on, if this system can let it go; None otherwise, and for a medium
    that the library itself (``home``) lies on."""
    find = {"linux": _linux, "darwin": _mac, "win32": _windows}.get(sys.platform)
    if find is None or not paths:
        return None
    try:
        found = {find(Path(os.path.realpath(p))) for p in paths}
    except (OSError, ValueError):
        return None
    medium = found.pop() if len(found) == 1 else None
    return medium if medium is None or medium.root not in Path(os.path.realpath(home)).parents else None


def eject(medium: Medium, run: Run | None = None) -> None:
    """Lets the medium go; raises ``eject.busy`` when the system does not (a file of it is open). Nothing is lost then."""
    run = run if run is not None else _run
    done = all(run(step) for step in medium.steps) if medium.steps else _windows_eject(medium.volume)
    if not done:
        raise fail("eject.busy", kept_safe="safe.imported", next_step="next.eject_by_hand")


class Ejector:
    """Lets one medium go, as a task. ``medium``: what a person may eject now."""

    def __init__(self, tasks: TaskRunner, changed: Callable[[], None]) -> None:
        self._tasks, self._changed = tasks, changed
        self.medium: Medium | None = None
        self.gone = False
        self.problem: Problem | None = None

    def offer(self, medium: Medium | None) -> None:
        self.medium, self.gone, self.problem = medium, False, None

    def start(self) -> None:
        medium, self.medium, self.problem = self.medium, None, None
        if medium is None:
            return

        def gone(_: None) -> None:
            self.gone = True
            self._changed()

        def stays(problem: Problem) -> None:
            self.medium, self.problem = medium, problem
            self._changed()

        self._tasks.start(Words("task.eject", {"what": medium.name}), lambda _: eject(medium), gone, stays)
        self._changed()


def _run(step: Sequence[str]) -> bool:
    try:
        done = subprocess.run(list(step), capture_output=True, timeout=_SECONDS, check=False, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


# -- Linux ---------------------------------------------------------------------------------------------------------


def _linux(path: Path) -> Medium | None:
    return linux_medium(path, _MOUNTS.read_text("utf-8"), _BLOCKS, shutil.which)


def linux_medium(path: Path, mounts: str, blocks: Path, which: Callable[[str], str | None]) -> Medium | None:
    """``mounts``: text of mountinfo (proc(5)); ``blocks``: the folder of block devices; ``which`` finds a command."""
    mount = None
    for line in mounts.splitlines():
        fields = line.split(" ")
        if "-" not in fields or len(fields) < 10:
            continue
        at = fields.index("-")
        where = Path(_unescaped(fields[4]))
        if (
            where != Path("/")
            and (path == where or where in path.parents)
            and (mount is None or len(str(where)) >= mount[0])
        ):
            mount = (len(str(where)), where, fields[at + 1], _unescaped(fields[at + 2]))
    if mount is None or not mount[3].startswith("/dev/"):
        return None
    _, where, system, device = mount
    disk = _disk_of(Path(device).name, blocks)
    disc = system in _DISC_SYSTEMS
    if not disc and not _is_removable(disk, blocks):
        return None
    udisks, plain = which("udisksctl"), which("eject")
    if disc and plain:
        return Medium(where.name, where, ((plain, device),))
    if udisks:
        unmount = (udisks, "unmount", "--no-user-interaction", "-b", device)
        power = (udisks, "power-off", "--no-user-interaction", "-b", f"/dev/{disk}")
        return Medium(where.name, where, (unmount,) if disc else (unmount, power))
    return Medium(where.name, where, ((plain, device),)) if plain else None


def _unescaped(text: str) -> str:
    """mountinfo writes blanks and the like as three octal digits."""
    for code in ("040", "011", "012", "134"):
        text = text.replace(f"\\{code}", chr(int(code, 8)))
    return text


def _disk_of(name: str, blocks: Path) -> str:
    """``sdb`` of ``sdb1``: the partition's folder lies in its disk's."""
    folder = blocks / name
    return folder.resolve().parent.name if (folder / "partition").exists() else name


def _is_removable(disk: str, blocks: Path) -> bool:
    try:
        if (blocks / disk / "removable").read_text("ascii").strip() == "1":
            return True
        return "/usb" in str((blocks / disk).resolve())
    except OSError:
        return False


# -- macOS ---------------------------------------------------------------------------------------------------------


def _mac(path: Path) -> Medium | None:
    tool = shutil.which("diskutil")
    if tool is None or len(path.parts) < 3 or path.parts[1] != "Volumes":
        return None
    volume = Path(*path.parts[:3])
    import plistlib

    done = subprocess.run(
        [tool, "info", "-plist", str(volume)], capture_output=True, timeout=_SECONDS, check=False, stdin=subprocess.DEVNULL
    )
    try:
        told = plistlib.loads(done.stdout)
    except (plistlib.InvalidFileException, ValueError):
        return None
    if not (told.get("Ejectable") or told.get("RemovableMedia") or told.get("RemovableMediaOrExternalDevice")):
        return None
    return Medium(volume.name, volume, ((tool, "eject", str(volume)),))


# -- Windows -------------------------------------------------------------------------------------------------------

_REMOVABLE_DRIVE, _CDROM_DRIVE = 2, 5
_LOCK, _DISMOUNT, _ALLOW_REMOVAL, _EJECT = 0x00090018, 0x00090020, 0x002D4804, 0x002D4808
"""FSCTL_LOCK_VOLUME, FSCTL_DISMOUNT_VOLUME, IOCTL_STORAGE_MEDIA_REMOVAL, IOCTL_STORAGE_EJECT_MEDIA."""


def _windows(path: Path) -> Medium | None:
    import ctypes

    kernel = getattr(ctypes, "windll").kernel32  # noqa: B009 (absent on the other systems)
    if not path.drive.endswith(":"):
        return None
    kind = kernel.GetDriveTypeW(f"{path.drive}\\")
    return Medium(path.drive, Path(path.drive), volume=path.drive) if kind in (_REMOVABLE_DRIVE, _CDROM_DRIVE) else None


def _windows_eject(drive: str) -> bool:
    """CreateFile on the volume, then the four control codes in their documented order; closed in any case."""
    import ctypes

    kernel = getattr(ctypes, "windll").kernel32  # noqa: B009
    kernel.CreateFileW.restype = ctypes.c_void_p
    read_write, shared, open_existing = 0xC0000000, 3, 3
    handle = kernel.CreateFileW(f"\\\\.\\{drive}", read_write, shared, None, open_existing, 0, None)
    if handle in (None, ctypes.c_void_p(-1).value):
        return False
    handle = ctypes.c_void_p(handle)
    count = ctypes.c_ulong(0)
    allow = ctypes.c_ubyte(0)  # PREVENT_MEDIA_REMOVAL.PreventMediaRemoval = FALSE
    try:
        return all(
            kernel.DeviceIoControl(handle, code, data, size, None, 0, ctypes.byref(count), None)
            for code, data, size in (
                (_LOCK, None, 0),
                (_DISMOUNT, None, 0),
                (_ALLOW_REMOVAL, ctypes.byref(allow), 1),
                (_EJECT, None, 0),
            )
        )
    finally:
        kernel.CloseHandle(handle)
