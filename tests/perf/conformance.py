"""Opens every file below a folder and says: exact, repaired (why), refused (why) or wrong.

``python -m tests.perf.conformance DIR [DIR...] [--quick]``. Every picture is compared with independent decoders and with its
uncompressed twin (same SOP Instance UID). Wrong means: no judge that opens the file agrees with our stored values, or
we open a JPEG whose codes do not add up to its picture (``jpeg_walk``); judges fill such streams up and have no say on them.
A refusal of what a judge opens is listed and fails the run.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing as mp
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from tests.perf._bench import emit, say, table, warn

_TAILS = " .1 .1.98 .1.99 .2 .5 .8.1 .4.57 .4.70 .4.80 .4.90 .4.92 .4.110 .4.201 .4.202"
LOSSLESS = frozenset("1.2.840.10008.1.2" + tail for tail in _TAILS.split(" "))
LOSSY_MAX = 2.0
"""Largest difference of a grey lossy pixel, in parts of 255 of the full range; IDCT and wavelet rounding differ by codec."""
LOSSY_MEAN = 0.5
COLOUR_MEAN = 1.5
"""Mean difference of a colour lossy picture: codecs may interpolate subsampled chroma differently."""
COLOUR_BLOCK = 4.0
"""Largest difference of the means of 8 x 8 pixels: chroma is interpolated around its mean, a local fault is not."""
COLOUR_MOST = 16.0
"""Of all but one pixel in a thousand."""
HANG_S = 120


@dataclass
class Verdict:
    path: str
    state: str
    reason: str = ""
    sentence: str = ""
    syntax: str = ""
    uid: str = ""
    agree: list[str] = field(default_factory=list)
    differ: list[str] = field(default_factory=list)
    opened_by: list[str] = field(default_factory=list)
    digest: str = ""
    seconds: float = 0.0


def _alike(ours: Any, theirs: Any, lossless: bool) -> bool:
    """Same stored values: bit by bit where the syntax is lossless, within the codec's tolerance where it is lossy."""
    if theirs.ndim == ours.ndim - 1:
        theirs = theirs[np.newaxis]
    if theirs.shape != ours.shape:
        return False
    if lossless or ours.dtype.kind == "f":
        return bool(np.array_equal(ours, theirs, equal_nan=ours.dtype.kind == "f"))
    gap = np.abs(ours.astype(np.float64) - theirs.astype(np.float64))
    unit = max(float(ours.max()) - float(ours.min()), 1.0) / 255.0
    unit = max(unit, 1.0)
    if ours.ndim == 4:
        frames, rows, columns, samples = (n // 8 * 8 if axis in (1, 2) else n for axis, n in enumerate(ours.shape))
        change = ours[:, :rows, :columns].astype(np.float64) - theirs[:, :rows, :columns]
        blocks = np.abs(change.reshape(frames, rows // 8, 8, columns // 8, 8, samples).mean(axis=(2, 4)))
        return (
            float(gap.mean()) <= COLOUR_MEAN * unit
            and float(blocks.max(initial=0.0)) <= COLOUR_BLOCK * unit
            and float(np.percentile(gap, 99.9)) <= COLOUR_MOST * unit
        )
    return float(gap.max()) <= LOSSY_MAX * unit and float(gap.mean()) <= LOSSY_MEAN * unit


def _masked(values: Any, bits_stored: int) -> Any:
    """Judges that leave overlays in unused bits are read as the standard says."""
    width = values.dtype.itemsize * 8
    if values.dtype.kind == "u" and bits_stored < width:
        return values & values.dtype.type((1 << bits_stored) - 1)
    if values.dtype.kind == "i" and bits_stored < width:
        up = width - bits_stored
        return (values << up) >> up
    return values


def judge(path: Path, skip: frozenset[str], at: Callable[[str], None]) -> list[Verdict]:
    """All that one file holds: usually one verdict. ``at`` is told which judge is about to run: some of them crash."""
    from app.dicom.byte_source import FileByteSource
    from app.dicom.frame_decoder import stored_pixels
    from app.dicom.info import inspect
    from app.dicom.scanner import scan
    from tests.perf.judges import judges_for, quiet, streams_are_whole

    quiet()
    at("")
    start = time.perf_counter()
    report = inspect([path], pixels=True)
    took = time.perf_counter() - start
    found = []
    for entry in [f for f in report["files"] if f["path"] == str(path)] or report["files"][:1]:
        verdict = Verdict(entry["path"], entry["state"], entry.get("reason", ""), entry.get("sentence", ""))
        verdict.syntax, verdict.uid, verdict.seconds = entry["transfer_syntax_uid"], entry["sop_instance_uid"], took
        found.append(verdict)
        pixels = entry.get("pixels")
        if pixels is None and verdict.state != "refused":
            continue
        whole = streams_are_whole(path, verdict.syntax)
        if whole is False:
            # Its end is missing or something is left over: whoever opens it has made a part up, and so have we.
            if pixels is not None:
                verdict.state, verdict.reason = "wrong", "opened, though its data and its picture do not end together"
            continue
        ours, bits = None, 0
        if pixels is not None:
            verdict.digest = pixels["sha256"]
            instance = scan([path]).files[0].instance
            bits = instance.pixel_format.bits_stored if instance.pixel_format else 0
            ours = stored_pixels(instance, FileByteSource())
        for name, call in judges_for(path, verdict.syntax).items():
            if name in skip:
                continue
            at(name)
            try:
                theirs = call()
            except Exception:  # noqa: S112 - a judge that refuses has no say, and they refuse in many ways
                continue
            if not theirs.size or not theirs.any():
                continue
            verdict.opened_by.append(name)
            if ours is None:
                continue
            lossless = verdict.syntax in LOSSLESS
            same = _alike(ours, theirs, lossless) or _alike(ours, _masked(theirs, bits), lossless)
            (verdict.agree if same else verdict.differ).append(name)
        at("")
        if ours is not None and verdict.differ and not verdict.agree:
            verdict.state, verdict.reason = "wrong", "no judge agrees"
    return found


def _worker(pipe: Connection) -> None:
    while True:
        asked = pipe.recv()
        if asked is None:
            return
        path, skip = asked
        try:
            found = judge(Path(path), frozenset(skip), lambda name: pipe.send(("at", name)))
            pipe.send(("done", [v.__dict__ for v in found]))
        except Exception as error:  # an exception of ours is a crash in this table
            reason = f"raised {type(error).__name__}: {error}"[:200]
            pipe.send(("done", [Verdict(str(path), "wrong", reason).__dict__]))


class _Keeper:
    """One worker process; a crash or a hang costs one file."""

    def __init__(self) -> None:
        self._context = mp.get_context("spawn")
        self.judges_lost: list[str] = []
        self._start()

    def _start(self) -> None:
        self._pipe, theirs = self._context.Pipe()
        self._process = self._context.Process(target=_worker, args=(theirs,))
        self._process.start()
        theirs.close()

    def ask(self, path: Path) -> list[Verdict]:
        """A judge that crashes or hangs loses its say on this file; when it is ours that does, the file is wrong."""
        skip: set[str] = set()
        while True:
            self._pipe.send((str(path), sorted(skip)))
            running = ""
            try:
                while self._pipe.poll(HANG_S):
                    kind, body = self._pipe.recv()
                    if kind == "done":
                        return [Verdict(**v) for v in body]
                    running = body
                why = "hang"
                self._process.kill()
            except (EOFError, OSError):
                why = "crash"
            self._process.join()
            why += f", exit code {self._process.exitcode}"
            self._start()
            if not running:
                return [Verdict(str(path), "wrong", why)]
            self.judges_lost.append(f"{running}: {path.name}")
            skip.add(running)

    def close(self) -> None:
        self._pipe.send(None)
        self._process.join(10)


def twins(verdicts: list[Verdict]) -> int:
    """Lossless siblings of one SOP Instance UID must have one digest; the odd one out is wrong. Returns pairs compared."""
    groups: dict[str, list[Verdict]] = {}
    for v in verdicts:
        if v.digest and v.uid and v.syntax in LOSSLESS:
            groups.setdefault(v.uid, []).append(v)
    compared = 0
    for group in groups.values():
        native = [v for v in group if v.syntax in ("1.2.840.10008.1.2", "1.2.840.10008.1.2.1")]
        if not native or len({v.syntax for v in group}) < 2:
            continue
        for v in group:
            compared += 1
            # Other pixels under one UID are common in test sets: only an unconfirmed difference counts as ours.
            if v.digest != native[0].digest and not v.agree:
                v.state, v.reason = "wrong", "differs from its uncompressed twin"
    return compared


def run(folders: list[Path], quick: bool = False) -> tuple[list[Verdict], int]:
    paths = sorted(p for f in folders for p in ([f] if f.is_file() else f.rglob("*")) if p.is_file())
    if quick:
        paths = [p for n, p in enumerate(paths) if n % 4 == 0 or p.stat().st_size < 200_000][:250]
    keeper = _Keeper()
    verdicts: list[Verdict] = []
    for path in paths:
        verdicts.extend(keeper.ask(path))
    keeper.close()
    for lost in keeper.judges_lost:
        warn(f"judge crashed: {lost}")
    return verdicts, twins(verdicts)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--quick", action="store_true", help="small files first, at most 250")
    parser.add_argument("--json", type=Path, help="all verdicts into this file")
    chosen = parser.parse_args(argv)
    for folder in chosen.folders:
        if not folder.exists():
            sys.exit(f"no such folder: {folder}")
    verdicts, compared = run(chosen.folders, chosen.quick)
    counts = Counter(v.state for v in verdicts)
    rows = []
    for v in verdicts:
        if v.state != "exact" or v.differ:
            who = ",".join(v.agree) or "-"
            rows.append(
                (v.path[-60:], v.state, v.reason, v.syntax.replace("1.2.840.10008.1.2", "~"), who, ",".join(v.differ) or "-")
            )
    table(rows, ("file", "state", "reason", "syntax", "agree", "differ"))
    judged = [v for v in verdicts if v.agree]
    unjudged = [v for v in verdicts if v.digest and not v.agree and v.state != "wrong"]
    denied = [v for v in verdicts if v.state == "refused" and v.opened_by]
    say()
    say(f"{len(verdicts)} files: {dict(counts)}; {len(judged)} pictures confirmed by a judge, {compared} by a twin")
    for v in unjudged:
        say(f"no judge opens: {v.path[-70:]} ({v.state})")
    for v in denied:
        say(f"refused, opened by {','.join(v.opened_by)}: {v.path[-70:]} ({v.reason})")
    if chosen.json:
        chosen.json.write_text(json.dumps([v.__dict__ for v in verdicts], indent=1))
    wrong = counts.get("wrong", 0)
    share = 1.0 - wrong / max(len(verdicts), 1)
    details = {
        **{k: counts.get(k, 0) for k in ("exact", "repaired", "refused", "wrong")},
        "confirmed_by_a_judge": len(judged),
        "no_judge_opens": len(unjudged),
        "refused_but_opened_by_a_judge": [{"file": Path(v.path).name, "by": v.opened_by, "why": v.reason} for v in denied],
        "crashes": sum(v.reason.startswith(("crash", "raised", "hang")) for v in verdicts),
        "slowest_s": round(max((v.seconds for v in verdicts), default=0.0), 2),
    }
    return emit("conformance", wrong, "files wrong", "", 0, share, wrong == 0 and not denied, details)


if __name__ == "__main__":
    sys.exit(main())
