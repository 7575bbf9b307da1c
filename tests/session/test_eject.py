"""Which medium can be ejected, and with which of the system's own commands."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from app.domain.problem import ProblemError
from app.session import eject as module
from app.session.eject import Ejector, Medium, eject, linux_medium, medium_of
from app.session.loop import QueueLoop
from app.session.tasks import TaskRunner

MOUNTS = """\
22 1 8:2 / / rw,relatime shared:1 - ext4 /dev/sda2 rw
40 22 0:21 / /proc rw,nosuid - proc proc rw
90 22 8:17 / /media/a\\040b/KING\\040STON rw,nosuid shared:9 - vfat /dev/sdb1 rw
91 22 11:0 / /media/disc ro,nosuid shared:9 - iso9660 /dev/sr0 ro
92 22 8:33 / /data rw - ext4 /dev/sdc1 rw
93 22 0:50 / /mnt/share rw - cifs //server/share rw
"""
STICK = Path("/media/a b/KING STON/DICOM/IM1")


@pytest.fixture
def blocks(tmp_path: Path) -> Path:
    """Block devices as the kernel shows them: links to the disk's folder, partitions inside it."""
    shown = tmp_path / "block"
    shown.mkdir()
    for disk, bus, removable in (("sda", "pci0/ata1", "0"), ("sdb", "pci0/usb2", "0"), ("sdc", "pci0/ata2", "0")):
        folder = tmp_path / "devices" / bus / "block" / disk
        (folder / f"{disk}1").mkdir(parents=True)
        (folder / "removable").write_text(removable + "\n")
        (folder / f"{disk}1" / "partition").write_text("1")
        (shown / disk).symlink_to(folder)
        (shown / f"{disk}1").symlink_to(folder / f"{disk}1")
    folder = tmp_path / "devices" / "pci0/ata3" / "block" / "sr0"
    folder.mkdir(parents=True)
    (folder / "removable").write_text("1")
    (shown / "sr0").symlink_to(folder)
    return shown


def has(*names: str) -> object:
    return lambda name: f"/usr/bin/{name}" if name in names else None


@pytest.mark.skipif(os.name == "nt", reason="links of the kernel")
def test_a_stick_is_unmounted_and_powered_off(blocks: Path) -> None:
    found = linux_medium(STICK, MOUNTS, blocks, has("udisksctl", "eject"))
    assert found is not None
    assert (found.name, found.root) == ("KING STON", Path("/media/a b/KING STON"))
    assert [step[1:] for step in found.steps] == [
        ("unmount", "--no-user-interaction", "-b", "/dev/sdb1"),
        ("power-off", "--no-user-interaction", "-b", "/dev/sdb"),
    ]
    only_eject = linux_medium(STICK, MOUNTS, blocks, has("eject"))
    assert only_eject is not None
    assert only_eject.steps == (("/usr/bin/eject", "/dev/sdb1"),)


@pytest.mark.skipif(os.name == "nt", reason="links of the kernel")
def test_a_disc_is_ejected(blocks: Path) -> None:
    found = linux_medium(Path("/media/disc"), MOUNTS, blocks, has("udisksctl", "eject"))
    assert found is not None
    assert found.steps == (("/usr/bin/eject", "/dev/sr0"),)


@pytest.mark.skipif(os.name == "nt", reason="links of the kernel")
@pytest.mark.parametrize(
    ("path", "tools"),
    [("/home/x", ("eject",)), ("/data/x", ("eject", "udisksctl")), ("/mnt/share/x", ("eject",)), (str(STICK), ())],
    ids=["the system's own disk", "a built-in disk", "a share of a server", "no command"],
)
def test_what_cannot_be_ejected_offers_nothing(path: str, tools: Sequence[str], blocks: Path) -> None:
    assert linux_medium(Path(path), MOUNTS, blocks, has(*tools)) is None


def test_never_the_medium_that_the_library_lies_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path.resolve()
    found: list[Medium | None] = [Medium("STICK", root, (("eject",),))]
    for name in ("_linux", "_mac", "_windows"):
        monkeypatch.setattr(module, name, lambda path: found[0])
    monkeypatch.setattr(sys, "platform", "linux")
    assert medium_of([root / "dicom"], tmp_path.parent / "home") == found[0]
    assert medium_of([root / "dicom"], root / "home") is None
    assert medium_of([], root) is None
    monkeypatch.setattr(sys, "platform", "aix")
    assert medium_of([root / "dicom"], tmp_path.parent / "home") is None


def test_a_step_that_fails_is_told_and_can_be_repeated() -> None:
    ran: list[Sequence[str]] = []

    def run(step: Sequence[str]) -> bool:
        ran.append(step)
        return False

    with pytest.raises(ProblemError, match="busy"):
        eject(Medium("S", Path("/m"), (("unmount", "x"), ("off", "x"))), run)
    assert ran == [("unmount", "x")], "a medium that is still mounted is not powered off"
    eject(Medium("S", Path("/m"), (("unmount", "x"),)), lambda step: True)


def test_the_ejector_offers_it_again_when_the_system_did_not_let_go() -> None:
    loop, told = QueueLoop(), []
    tasks = TaskRunner(loop, lambda: None)
    ejector = Ejector(tasks, lambda: told.append(1))
    ejector.start()
    assert told == []
    ejector.offer(Medium("S", Path("/m"), ((sys.executable, "-c", "raise SystemExit(1)"),)))
    ejector.start()
    assert ejector.medium is None, "not twice at once"
    assert loop.run_until(lambda: ejector.problem is not None, 20)
    assert ejector.medium is not None
    assert not ejector.gone
    ejector.offer(Medium("S", Path("/m"), ((sys.executable, "-c", ""),)))
    ejector.start()
    assert loop.run_until(lambda: ejector.gone, 20)
    assert (ejector.medium, ejector.problem) == (None, None)
    tasks.close()
