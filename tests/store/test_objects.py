"""Object files: what goes in comes out, nothing half-written stays, a damaged byte is noticed."""

from __future__ import annotations

import hashlib
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from app.domain.problem import ProblemError
from app.store.objects import CHUNK_BYTES, ObjectStore

KEY = bytes(range(32))
SIZES = [0, 1, 1000, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 2 * CHUNK_BYTES + 12345]


@pytest.fixture
def objects(tmp_path: Path):
    store = ObjectStore(tmp_path / "objects", KEY)
    yield store
    store.close()


def made(size: int) -> bytes:
    return random.Random(size).randbytes(size)


def all_files(folder: Path) -> list[Path]:
    return [f for f in folder.rglob("*") if f.is_file() and f.name not in ("lock", "journal")]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("from_file", [False, True])
def test_what_goes_in_comes_out(objects: ObjectStore, tmp_path: Path, size: int, from_file: bool) -> None:
    content = made(size)
    (tmp_path / "source").write_bytes(content)
    stored = objects.put(tmp_path / "source" if from_file else content)
    assert (stored.size_bytes, stored.sha256) == (size, hashlib.sha256(content).hexdigest())
    assert objects.read(stored.locator) == content
    assert objects.plain_path(stored.locator) is None
    objects.verify(stored.name)


def test_a_large_file_is_streamed(objects: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.store.objects._HELD_IN_MEMORY_BYTES", 10)
    content = made(CHUNK_BYTES + 77)
    (tmp_path / "source").write_bytes(content)
    assert objects.read(objects.put(tmp_path / "source").locator) == content


def test_any_range_equals_the_slice(objects: ObjectStore) -> None:
    content = made(3 * CHUNK_BYTES + 500)
    locator = objects.put(content).locator
    ranges = [(0, 0), (0, 1), (CHUNK_BYTES - 1, 2), (CHUNK_BYTES, CHUNK_BYTES), (len(content) - 3, 100), (len(content), 5)]
    chance = random.Random(4)
    ranges += [(chance.randrange(len(content)), chance.randrange(2 * CHUNK_BYTES)) for _ in range(40)]
    for offset, length in ranges:
        assert objects.read_range(locator, offset, length) == content[offset : offset + length]


def test_the_same_content_is_kept_once_and_originals_stay(objects: ObjectStore, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(made(5000))
    before = source.stat()
    first = objects.put(source)
    written = (objects.folder / first.name[:2] / first.name[2:]).stat().st_mtime_ns
    assert objects.put(source) == first
    assert (objects.folder / first.name[:2] / first.name[2:]).stat().st_mtime_ns == written
    assert list(objects.names()) == [first.name]
    assert (source.read_bytes(), source.stat().st_mtime_ns) == (made(5000), before.st_mtime_ns)


def test_nothing_of_the_content_lies_plain_on_the_disk(objects: ObjectStore) -> None:
    content = b"DICM" + "Ахметова^Әлия 870412400123".encode() * 2000
    stored = objects.put(content)
    for file in all_files(objects.folder):
        raw = file.read_bytes()
        assert b"870412400123" not in raw
        assert b"DICM" not in raw
        assert stored.sha256 not in str(file)
        assert bytes.fromhex(stored.sha256) not in raw


def test_readable_with_the_key_alone_and_with_no_other(objects: ObjectStore, tmp_path: Path) -> None:
    stored = objects.put(made(4321))
    again = ObjectStore(objects.folder, KEY)
    assert again.info(stored.name) == stored
    assert again.read(stored.locator) == made(4321)
    again.close()
    stranger = ObjectStore(objects.folder, bytes(32))
    with pytest.raises(ProblemError) as caught:
        stranger.read(stored.locator)
    assert caught.value.problem.code == "store.object_damaged"
    stranger.close()


@pytest.mark.parametrize("where", [0, 9, 40, 100, 160, 2000, CHUNK_BYTES + 500, -1])
def test_one_damaged_byte_is_noticed(objects: ObjectStore, where: int) -> None:
    stored = objects.put(made(CHUNK_BYTES + 9000))
    path = objects.folder / stored.name[:2] / stored.name[2:]
    raw = bytearray(path.read_bytes())
    raw[where] ^= 1
    path.write_bytes(raw)
    for act in (lambda: objects.read(stored.locator), lambda: objects.verify(stored.name)):
        with pytest.raises(ProblemError) as caught:
            act()
        assert caught.value.problem.code == "store.object_damaged"
    # The advice that goes with the problem is true: importing the same content again mends the file.
    for broken in (bytes(raw), bytes(raw[: len(raw) // 2]), b""):
        path.write_bytes(broken)
        assert objects.put(made(CHUNK_BYTES + 9000)) == stored
        assert objects.read(stored.locator) == made(CHUNK_BYTES + 9000)


def test_chunks_cannot_be_swapped_cut_or_moved(objects: ObjectStore) -> None:
    stored = objects.put(made(3 * CHUNK_BYTES))
    path = objects.folder / stored.name[:2] / stored.name[2:]
    raw = path.read_bytes()
    header, sealed = raw[: -3 * (CHUNK_BYTES + 16)], CHUNK_BYTES + 16
    chunks = [raw[len(header) + i * sealed : len(header) + (i + 1) * sealed] for i in range(3)]
    for forged in ([chunks[1], chunks[0], chunks[2]], chunks[:2], [chunks[0], chunks[1], chunks[1]]):
        path.write_bytes(header + b"".join(forged))
        with pytest.raises(ProblemError, match="object_damaged"):
            objects.read(stored.locator)
    other = objects.put(made(10))
    path.write_bytes((objects.folder / other.name[:2] / other.name[2:]).read_bytes())
    for act in (lambda: objects.read(stored.locator), lambda: objects.info(stored.name)):
        with pytest.raises(ProblemError, match="object_damaged"):
            act()


def test_many_at_once_keep_their_order_and_stop_at_an_error(objects: ObjectStore, tmp_path: Path) -> None:
    contents = [made(n * 1000) for n in range(30)] * 2
    stored = list(objects.put_many(contents))
    assert [objects.read(s.locator) for s in stored] == contents
    assert len(list(objects.names())) == 30
    with pytest.raises(ProblemError, match=r"import\.source_unreadable"):
        list(objects.put_many([b"one", tmp_path / "absent"]))
    assert objects.exists(objects.put(b"one").name)


def test_a_missing_object_and_a_wrong_locator_are_named(objects: ObjectStore) -> None:
    with pytest.raises(ProblemError, match="object_missing"):
        objects.read("object:" + "ab" * 32)
    for locator in ("file:/etc/passwd", "object:../../etc/passwd", "object:short", "object:" + "G" * 64):
        with pytest.raises(ProblemError, match="not_an_object"):
            objects.read(locator)


@pytest.mark.parametrize("after_bytes", [0, 10, CHUNK_BYTES + 100])
def test_a_full_disk_leaves_nothing_half_written(
    objects: ObjectStore, monkeypatch: pytest.MonkeyPatch, after_bytes: int
) -> None:
    kept = objects.put(b"before")
    real_write = ObjectStore._write

    class Full:
        def __init__(self, file) -> None:
            self.file, self.left = file, after_bytes

        def write(self, data) -> int:
            if len(data) > self.left:
                self.file.write(data[: self.left])
                raise OSError(28, "No space left on device")
            self.left -= len(data)
            return self.file.write(data)

    monkeypatch.setattr(ObjectStore, "_write", lambda self, file, *rest: real_write(self, Full(file), *rest))
    with pytest.raises(ProblemError) as caught:
        objects.put(made(2 * CHUNK_BYTES))
    assert caught.value.problem.code == "store.disk_full"
    assert caught.value.problem.kept_safe
    assert caught.value.problem.next_step
    assert [f.name for f in all_files(objects.folder)] == [kept.name[2:]]


def test_a_source_that_changes_while_it_is_copied_is_refused(
    objects: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.store.objects._HELD_IN_MEMORY_BYTES", 10)
    source = tmp_path / "source"
    source.write_bytes(made(5000))
    real_write = ObjectStore._write

    def changing(self, *rest) -> None:
        source.write_bytes(made(5001))
        real_write(self, *rest)

    monkeypatch.setattr(ObjectStore, "_write", changing)
    with pytest.raises(ProblemError, match=r"import\.source_changed"):
        objects.put(source)
    assert all_files(objects.folder) == []


def test_what_a_dead_process_left_is_swept_and_the_living_are_spared(tmp_path: Path) -> None:
    folder = tmp_path / "objects"
    script = (
        "import sys, time; from pathlib import Path; from app.store.objects import ObjectStore\n"
        f"s = ObjectStore(Path({str(folder)!r}), bytes(32)); (s._slot.folder / 'half').write_bytes(b'x' * 99)\n"
        "print(s.owner, flush=True); time.sleep(60)\n"
    )
    other = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, cwd=os.getcwd())
    assert other.stdout is not None
    owner = other.stdout.readline().strip()
    first = ObjectStore(folder, bytes(32))
    assert first.owner_lives(owner)
    assert (first.sweep(), len(all_files(folder))) == (0, 1)
    first.close()
    other.kill()
    other.wait()
    other.stdout.close()
    second = ObjectStore(folder, bytes(32))
    assert not second.owner_lives(owner)
    assert second.sweep() == 1
    assert all_files(folder) == []
    second.close()


def test_any_range_is_put_to_its_place(objects: ObjectStore) -> None:
    content = made(2 * CHUNK_BYTES + 1000)
    locator = objects.put(content).locator
    for offset in (0, 1, 5, CHUNK_BYTES - 3, CHUNK_BYTES, CHUNK_BYTES + 7, 2 * CHUNK_BYTES + 900, 10**8):
        for length in (0, 1, 100, CHUNK_BYTES, 2 * CHUNK_BYTES + 11):
            target = bytearray(b"\xaa" * (length + 4))
            wanted = content[offset : offset + length]
            assert objects.read_into(locator, offset, memoryview(target)[:length]) == len(wanted)
            assert target[: len(wanted)] == wanted
            assert target[length:] == b"\xaa" * 4


def test_a_damaged_chunk_is_put_nowhere_in_silence(objects: ObjectStore) -> None:
    stored = objects.put(made(3000))
    path = objects.folder / stored.name[:2] / stored.name[2:]
    raw = bytearray(path.read_bytes())
    raw[-40] ^= 1
    path.write_bytes(raw)
    with pytest.raises(ProblemError, match="object_damaged"):
        objects.read_into(stored.locator, 10, memoryview(bytearray(100)))
