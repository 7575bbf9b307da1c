"""The explorer's slow work: samples as tasks with a way out, and where reasons are to be seen in large files."""

from __future__ import annotations

import ast
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from app.dicom.byte_source import FileByteSource, file_locator
from app.dicom.examine import examine
from app.dicom.remedies import BY_ITSELF, REMEDIES, remedy_of
from app.dicom.rules import RULES
from app.dicom.sample_export import Sample, sample_of
from app.dicom.tag_tree import read_tree
from app.dicom.tag_values import matches, search
from app.domain.messages import load_catalogues
from app.domain.ports import Cancelled, SilentProgress
from app.domain.problem import Problem
from app.domain.resources import resource_path
from app.session import explorer as explorer_module
from app.session.explorer import Explorer
from app.session.loop import QueueLoop
from app.session.tasks import TaskRunner
from tests.dicom.builders import image, save
from tests.dicom.saved_phantom import item
from tests.source_trees import syntax_tree


class Room:
    def __init__(self) -> None:
        self.loop = QueueLoop()
        self.tasks = TaskRunner(self.loop, lambda: None)
        self.explorer = Explorer(FileByteSource(), self.loop, self.tasks)
        self.written: list[Sample] = []
        self.failed: list[Problem] = []

    def start(self, path: Path, target: Path) -> str:
        return self.explorer.start_sample(file_locator(path), target, True, self.written.append, self.failed.append)

    def until(self, done: object) -> None:
        assert self.loop.run_until(done, 20.0)  # type: ignore[arg-type]


@pytest.fixture
def room() -> Iterator[Room]:
    made = Room()
    yield made
    made.explorer.close()
    made.tasks.close()


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """Several pieces, so that there is something to wait for."""
    values = np.random.default_rng(1).integers(0, 255, (6, 1024, 1024), np.uint8)
    return save(image(values, PatientName="Secret^Name"), tmp_path / "large.dcm")


def test_a_sample_is_written_beside_the_main_thread(
    room: Room, large: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(explorer_module, "_PIECE", 1 << 20)
    threads = set()
    real = explorer_module.sample_of

    def told(data: bytearray, noise: bool, progress: object = None) -> Sample:
        threads.add(threading.current_thread() is threading.main_thread())
        assert isinstance(data, bytearray), "a large object is not held twice"
        return real(data, noise, progress)  # type: ignore[arg-type]

    monkeypatch.setattr(explorer_module, "sample_of", told)
    target = tmp_path / "sample.dcm"
    task = room.start(large, target)
    stages = set()
    room.until(lambda: stages.update(t.fraction for t in room.tasks.views() if t.task_id == task) or bool(room.written))
    assert threads == {False}
    assert any(0 < f < 1 for f in stages)
    data = target.read_bytes()
    assert len(data) == large.stat().st_size
    assert b"Secret" not in data
    assert data == bytes(sample_of(large.read_bytes(), True).data)
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []


@pytest.mark.parametrize("after", [0, 3, 6, 9, 12, 15])
def test_a_cancel_ends_it_at_any_step_and_leaves_nothing(
    after: int, room: Room, large: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(explorer_module, "_PIECE", 1 << 20)

    class Stop(SilentProgress):
        left = after

        def cancelled(self) -> bool:
            self.left -= 1
            return self.left < 0

    target = tmp_path / "sample.dcm"
    target.write_bytes(b"before")
    with pytest.raises(Cancelled):
        room.explorer.write_sample(file_locator(large), target, True, Stop())
    assert target.read_bytes() == b"before"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["large.dcm", "sample.dcm"]


def test_what_cannot_be_written_is_told(room: Room, large: Path, tmp_path: Path) -> None:
    room.start(large, tmp_path / "none" / "sample.dcm")
    room.until(lambda: bool(room.failed))
    assert [p.code for p in room.failed] == ["explorer.cannot_write"]


def test_the_search_lets_others_go_on_between_its_steps(tmp_path: Path) -> None:
    d = image(np.zeros((6, 8), np.uint16))
    d.PerFrameFunctionalGroupsSequence = [item(FrameContentSequence=[item(StackID=f"S{n}")]) for n in range(900)]
    data = save(d, tmp_path / "enhanced.dcm").read_bytes()
    tree = read_tree(lambda offset, length: data[offset : offset + length], len(data))
    steps = list(matches(tree, "s899"))
    assert steps.count(None) == sum(1 for _ in tree.walk()) // 256
    assert [e.keyword for e in steps if e is not None] == ["StackID"]
    assert [e.keyword for e in search(tree, "stackid", 7)] == ["StackID"] * 7
    assert search(tree, "  ") == []


def test_reasons_know_their_places_from_one_walk(tmp_path: Path) -> None:
    path = save(image(np.zeros((6, 8), np.uint16), BitsStored=40), tmp_path / "bits.dcm")
    data = bytearray(path.read_bytes())
    at = data.index(b"\x10\x00\x20\x00LO")
    data[at + 8 : at + 9] = b"\xff"
    path.write_bytes(bytes(data[:-10]))
    found = examine(file_locator(path), FileByteSource())
    assert found.reasons
    for reason in found.reasons:
        element = found.element(reason)
        if reason.breach is not None:
            assert element is not None
            assert element.offset <= reason.breach.offset
        elif reason.rule is not None and reason.rule.tag:
            assert element is not None
            assert element.tag == reason.rule.tag


def test_every_refusal_says_what_can_be_done() -> None:
    catalogue = load_catalogues(resource_path("i18n", "messages"))
    for code in RULES:
        for refuses in (True, False):
            remedy = remedy_of(code, refuses)
            assert all(remedy in catalogue[language] for language in ("en", "ru", "kk"))
    assert set(REMEDIES) >= {c for c in RULES if not c.startswith("dicom.repaired.")}, "no refusal without its own line"
    assert remedy_of("dicom.truncated", True) == "remedy.copy_again"
    assert remedy_of("dicom.repaired.charset", False) == BY_ITSELF
    assert set(REMEDIES.values()) | {BY_ITSELF, "remedy.not_needed_breach"} == {
        key for key in catalogue["en"] if key.startswith("remedy.")
    }


def read_by_examination() -> dict[str, ast.Module]:
    """Every module of the package that an examination or a scan reaches, parsed."""
    left, found = ["app.dicom.examine", "app.dicom.scanner"], {}
    while left:
        name = left.pop()
        path = Path(explorer_module.__file__).parents[2].joinpath(*name.split(".")).with_suffix(".py")
        if name in found or not name.startswith("app.dicom.") or not path.exists():
            continue
        found[name] = syntax_tree(path)
        for node in ast.walk(found[name]):
            if isinstance(node, ast.ImportFrom) and node.module:
                left += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return found


def test_no_refusal_of_the_reading_path_has_a_remedy_by_default() -> None:
    codes = {
        call.args[0].value
        for tree in read_by_examination().values()
        for call in ast.walk(tree)
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "fail" and call.args
        if isinstance(call.args[0], ast.Constant) and str(call.args[0].value).startswith("dicom.")
    }
    assert len(codes) > 30
    assert codes >= {"dicom.video_missing", "dicom.jpeg2000_part_2", "dicom.stream_cut"}
    assert codes - set(REMEDIES) == set()
    assert remedy_of("dicom.video_missing", True) == "remedy.install_video"
    assert remedy_of("dicom.jpeg2000_part_2", True) == "remedy.another_form"
    assert remedy_of("dicom.video_short", True) == "remedy.copy_again"


def test_what_is_wrong_with_an_archive_is_said_of_the_archive(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(b"PK\x03\x04garbage")
    found = examine(file_locator(tmp_path / "a.zip"), FileByteSource(), "a.zip", Problem("zip.broken"))
    assert [r.problem.code for r in found.reasons if r.problem] == ["zip.broken"]
    assert found.state == "refused"
