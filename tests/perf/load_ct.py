"""A CT series from a plain folder to an int16 HU volume, per transfer syntax, against SimpleITK and GDCM.

All sides start from the folder's name: find the files, order the slices, decode, rescale. Beside that, *known* is the same
with the headers read before (the library's index, SimpleITK's list of names). Buffers: *pooled* (pre-faulted, used again)
and *new* shared memory. *raw* reads the same bytes into the same kind of buffer. Volumes of all sides are compared first.

*library* is the encrypted library on the same files, whose index knows every pixel offset, against SimpleITK on plain files.

Bars: uncompressed, pooled, at least 10 times SimpleITK and at most twice the raw read; into new shared memory at least 4.5
times; from the encrypted library at least 4 times; JPEG-LS, JPEG Lossless, RLE and HTJ2K at least twice the better of
SimpleITK and GDCM; JPEG 2000 not slower.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path
from typing import Any

import numpy as np

from app.dicom.byte_source import FileByteSource
from app.dicom.codecs.fast_htj2k import htj2k_processes
from app.dicom.display_sets import display_sets
from app.dicom.scanner import scan
from app.dicom.volume_builder import build_volume
from app.dicom.volume_pool import VolumePool
from app.domain.ports import SilentProgress
from app.domain.study import DisplaySet, Study
from app.session.clock import SystemClock
from app.session.importing import import_paths
from app.store.library import Library
from tests.perf._bench import alternating, arguments, bars, emit, say, table
from tests.perf.ct_series import SIZE, series
from tests.store.conftest import FixedKey

BARS = {"explicit": 10.0, "rle": 2.0, "jpeg_lossless": 2.0, "jpeg_ls": 2.0, "jpeg_2000": 1.0, "htj2k": 2.0}
NEW_MEMORY_BAR = 4.5
RAW_BAR = 2.0
LIBRARY_BAR = 4.0


def indexed(folder: Path) -> tuple[Study, DisplaySet]:
    study = scan([folder]).studies[0]
    return study, display_sets(study)[0]


def load(folder: Path, pool: VolumePool, out: np.ndarray | None = None) -> np.ndarray:
    study, stack = indexed(folder)
    return build_volume(study, stack, FileByteSource(), out=out, pool=pool).voxels


def simpleitk(folder: Path, names: tuple[str, ...] | None = None) -> np.ndarray:
    import SimpleITK as sitk  # noqa: N813

    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(names if names is not None else sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder)))
    image = reader.Execute()
    return sitk.GetArrayFromImage(image)


def gdcm_series(paths: list[Path]) -> np.ndarray:
    """GDCM's Python reader, slice by slice, in two threads; HU by numpy."""
    import gdcm

    out = np.empty((len(paths), SIZE, SIZE), np.int16)

    def one(k: int) -> None:
        reader = gdcm.ImageReader()
        reader.SetFileName(str(paths[k]))
        if not reader.Read():
            raise ValueError("gdcm cannot read it")
        image = reader.GetImage()
        raw = image.GetBuffer().encode("utf-8", errors="surrogateescape")
        stored = np.frombuffer(raw, np.uint16).reshape(SIZE, SIZE)
        np.add(stored.view(np.int16), np.int16(image.GetIntercept()), out=out[k])

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(one, range(len(paths))))
    return out


def raw_read(folder: Path, buffer: np.ndarray) -> None:
    """All bytes of the files into a buffer, two threads: what the disk cache gives."""
    names = [e.path for e in os.scandir(folder)]
    length = SIZE * SIZE * 2

    def part(start: int) -> None:
        for n in range(start, len(names), 2):
            handle = os.open(names[n], os.O_RDONLY)
            os.preadv(handle, [memoryview(buffer[n]).cast("B")], max(os.fstat(handle).st_size - length, 0))
            os.close(handle)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(part, range(2)))


def into_new_shared_memory(folder: Path, slices: int) -> int:
    block = SharedMemory(create=True, size=slices * SIZE * SIZE * 2)
    try:
        out: np.ndarray | None = np.ndarray((slices, SIZE, SIZE), np.int16, block.buf)
        found: Any = load(folder, VolumePool(0), out)
        if found is not out:
            raise AssertionError("the volume was not built in the given memory")
        checksum = int(found[::50, ::50, ::50].sum())
        del found, out
        return checksum
    finally:
        block.close()
        block.unlink()


@contextmanager
def in_library(folder: Path) -> Iterator[tuple[Library, Study, DisplaySet]]:
    """The series in an encrypted library of its own, opened anew after the import."""
    with tempfile.TemporaryDirectory(prefix="ekinshi-load-") as name:
        home = Path(name) / "home"
        with Library.open(home, FixedKey(), SystemClock()) as library:
            import_paths(library, [folder], SilentProgress())
        with Library.open(home, FixedKey(), SystemClock()) as library:
            (row,) = library.studies.search(limit=2)
            study = library.studies.load(row.study_instance_uid)
            yield library, study, display_sets(study)[0]


def uncompressed(slices: int, rounds: int) -> tuple[dict[str, float], dict[str, Any]]:
    folder = series("explicit", slices)
    names = tuple(str(p) for p in sorted(folder.iterdir()))
    pool = VolumePool()
    reference = simpleitk(folder)
    mine = load(folder, pool)
    if mine.dtype != np.int16 or not np.array_equal(mine, reference.astype(np.int16)):
        sys.exit("the volumes differ")
    del reference, mine
    study, stack = indexed(folder)
    buffer = pool.empty((slices, SIZE, SIZE), np.int16)
    calls: dict[str, Callable[[], object]] = {
        "ekinshi pooled": lambda: load(folder, pool),
        "simpleitk": lambda: simpleitk(folder),
        "ekinshi new shared memory": lambda: into_new_shared_memory(folder, slices),
        "raw read": lambda: raw_read(folder, buffer),
        "ekinshi known": lambda: build_volume(study, stack, FileByteSource(), pool=pool),
        "simpleitk known": lambda: simpleitk(folder, names),
    }
    with in_library(folder) as (library, known, chosen):
        found = build_volume(known, chosen, library.objects, pool=pool).voxels
        if not np.array_equal(found, load(folder, pool)):
            sys.exit("the library's volume differs")
        del found
        calls["ekinshi library"] = lambda: build_volume(known, chosen, library.objects, pool=pool)
        seconds = alternating(calls, rounds)
        cpu = {name: cpu_seconds(call) for name, call in calls.items()}
    return seconds, {
        "library_x": seconds["simpleitk"] / seconds["ekinshi library"],
        "cpu_s": {name: round(s, 3) for name, s in cpu.items()},
        "pooled_x": seconds["simpleitk"] / seconds["ekinshi pooled"],
        "new_shared_memory_x": seconds["simpleitk"] / seconds["ekinshi new shared memory"],
        "known_x": seconds["simpleitk known"] / seconds["ekinshi known"],
        "folder_against_simpleitk_known_x": seconds["simpleitk known"] / seconds["ekinshi pooled"],
        "times_raw_read": seconds["ekinshi pooled"] / seconds["raw read"],
        "known_times_raw_read": seconds["ekinshi known"] / seconds["raw read"],
    }


def compressed(kind: str, slices: int, rounds: int) -> tuple[dict[str, float], str, float]:
    """Medians of all sides and the better peer's name; SimpleITK and GDCM do not open HTJ2K: OpenJPEG by pylibjpeg does."""
    folder = series(kind, slices)
    paths = sorted(folder.iterdir())
    pool = VolumePool()
    mine = load(folder, pool)
    calls: dict[str, Callable[[], object]] = {"ekinshi": lambda: load(folder, pool)}
    peers: dict[str, Callable[[], np.ndarray]] = {
        "simpleitk": lambda: simpleitk(folder),
        "gdcm": lambda: gdcm_series(paths),
    }
    if kind == "htj2k":
        htj2k_processes.wait_until_up()  # as they are from the second HTJ2K series of a session on
        peers = {"pylibjpeg": lambda: pylibjpeg_series(paths)}
    for name, call in peers.items():
        if not np.array_equal(mine, call().astype(np.int16)):
            sys.exit(f"{kind}: {name} and Ekinshi differ")
        calls[name] = call
    del mine
    seconds = alternating(calls, rounds, warm=0)
    best = min(peers, key=lambda n: seconds[n])
    return seconds, best, cpu_seconds(calls[best]) / cpu_seconds(calls["ekinshi"])


def cpu_seconds(call: Callable[[], object]) -> float:
    """Processor time of one call, all threads and decoder processes: tells on a busy machine what the clock cannot."""
    start = time.process_time() + _children_s()
    call()
    return max(time.process_time() + _children_s() - start, 1e-6)


def _children_s() -> float:
    """Processor time of the living children; 0 where the system does not tell."""
    total = 0.0
    for child in multiprocessing.active_children():
        try:
            fields = Path(f"/proc/{child.pid}/stat").read_text(encoding="ascii").rsplit(") ", 1)[1].split()
        except OSError:
            continue
        total += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return total


def pylibjpeg_series(paths: list[Path]) -> np.ndarray:
    import pydicom

    out = np.empty((len(paths), SIZE, SIZE), np.int16)
    for k, path in enumerate(paths):
        dataset = pydicom.dcmread(path)
        dataset.pixel_array_options(decoding_plugin="pylibjpeg")
        np.add(dataset.pixel_array.view(np.int16), np.int16(dataset.RescaleIntercept), out=out[k])
    return out


def main(argv: list[str] | None = None) -> int:
    chosen = arguments(__doc__ or "", argv, plain="uncompressed alone")
    slices, few, rounds = (300, 40, 5) if chosen.quick else (600, 150, 5)
    seconds, figures = uncompressed(slices, 5)
    megabytes = slices * SIZE * SIZE * 2 / 1e6
    say(f"{slices} x {SIZE} x {SIZE}, explicit little endian, {megabytes:.0f} MB of pixels, medians of 5, alternating")
    table([(n, s * 1e3, megabytes / s) for n, s in seconds.items()], ("from the folder to the volume", "ms", "MB/s"))
    judged: list[tuple[str, float, str, float, str]] = [
        ("plain folder, pooled, against SimpleITK", figures["pooled_x"], ">=", BARS["explicit"], "times"),
        ("the same with headers known, against reading the bytes", figures["known_times_raw_read"], "<=", RAW_BAR, "times"),
        ("into new shared memory, against SimpleITK", figures["new_shared_memory_x"], ">=", NEW_MEMORY_BAR, "times"),
        ("encrypted library, against SimpleITK", figures["library_x"], ">=", LIBRARY_BAR, "times"),
    ]
    rows = []
    by_kind: dict[str, float] = {}
    cpu: dict[str, float] = {}
    for kind in () if chosen.plain else ("jpeg_ls", "jpeg_lossless", "rle", "htj2k", "jpeg_2000"):
        count = few if kind != "jpeg_2000" else max(few // 4, 10)
        found, peer, cpu[kind] = compressed(kind, count, rounds)
        by_kind[kind] = found[peer] / found["ekinshi"]
        judged.append((f"{kind}, against the best peer", by_kind[kind], ">=", BARS[kind], "times"))
        rate = count * SIZE * SIZE * 2 / 1e6
        others = ", ".join(f"{n} {s * 1e3:.0f}" for n, s in found.items() if n != "ekinshi")
        rows.append((kind, count, found["ekinshi"] * 1e3, rate / found["ekinshi"], others, by_kind[kind]))
    if rows:
        say()
        table(rows, ("compressed", "slices", "ms", "MB/s", "peers, ms", "times the best"))
    passed = bars(judged)
    details = {
        **{k: round(v, 2) if isinstance(v, float) else v for k, v in figures.items()},
        **{k: round(v, 2) for k, v in by_kind.items()},
    }
    details["less_cpu_than_the_best_peer_x"] = {k: round(v, 2) for k, v in cpu.items()}
    details["seconds"] = {k: round(v, 4) for k, v in seconds.items()}
    return emit(
        "load_ct",
        seconds["ekinshi pooled"],
        "s",
        "SimpleITK",
        seconds["simpleitk"],
        figures["pooled_x"],
        passed,
        details,
    )


if __name__ == "__main__":
    sys.exit(main())
