"""Mutation fuzzing of the whole parser path, in a child process that may die.

``python -m tests.fuzz.campaign --cases 2000000 --seconds 7200 --seed 1 [--robustness DIR] [--log FILE] [--keep DIR]``

A case fails when anything but a named refusal is raised, when it takes more than 5 s, when it asks for more than 1 GB
beside what the process holds (a limit on the address space), or when the process dies. Guided by novelty: a case with a new
outcome (readers' answers, repairs, nesting) joins the corpus in memory. Failing inputs lie in ``--keep``. The last line of
standard output is one JSON object with the totals; the exit code is 1 when anything failed.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import mmap
import os
import random
import resource
import struct
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
SLOWEST_S = 5.0
MEMORY_BYTES = 1 << 30
_SLOT = 4 << 20
_HEAD = struct.Struct("<QQI16s")
"""Cases done, begin of the running case in ns of the monotonic clock, length and kind of its data."""
_MOST_KEPT = 3000
_LARGEST_KEPT = 48 << 10


def _limit_memory() -> None:
    used = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY_BYTES, resource.RLIM_INFINITY))


def _signature(error: BaseException) -> str:
    """Type and place: cases that fail alike are kept once."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [f for f in frames if "/app/" in f.filename] or list(frames)
    last = ours[-1]
    return f"{type(error).__name__} {Path(last.filename).name}:{last.lineno}"


def child(options: argparse.Namespace) -> int:
    import logging
    import warnings

    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    from app.dicom.codecs import fast_htj2k, isolated

    # The second decoder lives in a process of its own; spawning it for every odd stream would measure the spawning.
    isolated.IsolatedDecoder.decode = lambda *_: None  # type: ignore[method-assign]
    fast_htj2k.Htj2kProcesses.decode = lambda *_: None  # type: ignore[method-assign]
    from tests.fuzz.mutate import mutated, stream_start
    from tests.fuzz.seeds import Seed, seeds
    from tests.fuzz.targets import exercise, trained_templates

    rng = random.Random(options.seed)
    with tempfile.TemporaryDirectory(prefix="ekinshi-fuzz-") as name, open(options.slot, "r+b") as slot_file:
        slot = mmap.mmap(slot_file.fileno(), _SLOT)
        folder = Path(name)
        robustness = Path(options.robustness) if options.robustness else None
        start = seeds(folder, robustness)
        if options.streams:
            start = [s for s in start if s.kind == "image" and stream_start(s.data)]
        corpus: list[tuple[Seed, Any]] = []
        seen: set[tuple[str, str, int]] = set()
        for seed in start:
            templates = trained_templates(seed.data) if seed.kind == "image" else None
            corpus.append((seed, templates))
            outcome = exercise(seed.kind, seed.data, folder, templates)
            seen.add((seed.kind, outcome.key, outcome.depth))
        _limit_memory()
        counts: Counter[str] = Counter()
        failures: dict[str, int] = {}
        slowest, added = 0.0, 0
        begin, cpu_begin = time.monotonic(), time.process_time()
        n = 0
        while n < options.cases and time.monotonic() - begin < options.seconds:
            # Half of the cases start from the seeds, half from what was new; late finds are looked at more often.
            if len(corpus) == len(start) or rng.random() < 0.5:
                seed, templates = corpus[rng.randrange(len(start))]
            else:
                fresh = len(corpus) - len(start)
                seed, templates = corpus[len(start) + int(fresh * rng.random() ** 0.7)]
            other = corpus[rng.randrange(len(corpus))][0].data
            if options.streams:
                cut = stream_start(seed.data)
                data = seed.data[:cut] + mutated(seed.data[cut:], rng)
            else:
                data = mutated(seed.data, rng, other)
            if len(data) + _HEAD.size <= _SLOT:
                slot[_HEAD.size : _HEAD.size + len(data)] = data
            at, cpu = time.monotonic(), time.process_time()
            slot[: _HEAD.size] = _HEAD.pack(n, int(at * 1e9), len(data), seed.kind.encode())
            try:
                if options.plant and n == 7:
                    _planted(options.plant)
                outcome = exercise(seed.kind, data, folder, templates, explore=n % 8 == 0)
            except Exception as error:
                signature = _signature(error)
                failures[signature] = failures.get(signature, 0) + 1
                if failures[signature] == 1:
                    _keep(options.keep, seed.kind, data, signature, traceback.format_exc())
            else:
                counts[f"{seed.kind} {outcome.first}"] += 1
                key = (seed.kind, outcome.key, outcome.depth)
                if key not in seen:
                    seen.add(key)
                    if len(data) <= _LARGEST_KEPT and len(corpus) < len(start) + _MOST_KEPT:
                        corpus.append((Seed(seed.kind, data), templates if len(data) == len(seed.data) else None))
                        added += 1
            took = time.process_time() - cpu  # a case that waits for the processor is not slow; one that sleeps is a hang
            slowest = max(slowest, took)
            if took > SLOWEST_S:
                failures["slow"] = failures.get("slow", 0) + 1
                _keep(options.keep, seed.kind, data, "slow", f"{took:.1f} s")
            n += 1
        slot[: _HEAD.size] = _HEAD.pack(n, 0, 0, b"")
        print(
            json.dumps(
                {
                    "cases": n,
                    "cpu_s": round(time.process_time() - cpu_begin, 1),
                    "wall_s": round(time.monotonic() - begin, 1),
                    "slowest_s": round(slowest, 3),
                    "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10,
                    "outcomes": len(seen),
                    "added": added,
                    "first_words": dict(counts.most_common()),
                    "failures": failures,
                }
            ),
            flush=True,
        )
        slot.close()
    return 0


def _planted(fault: str) -> None:
    """A fault on purpose: the campaign's own test sees that each kind is found."""
    if fault == "die":
        os.kill(os.getpid(), 11)
    if fault == "hang":
        while True:
            pass
    if fault == "memory":
        bytearray(MEMORY_BYTES + (64 << 20))
    raise KeyError(fault)


def _keep(folder: str, kind: str, data: bytes, signature: str, told: str) -> None:
    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    name = f"{kind}-{hashlib.sha256(data).hexdigest()[:12]}"
    (place / f"{name}.bin").write_bytes(data)
    (place / f"{name}.txt").write_text(f"{signature}\n{told}\n", encoding="utf-8")


def _cpu_s(pid: int) -> float:
    try:
        parts = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(") ", 1)[1].split()
    except OSError:
        return 0.0
    return (int(parts[11]) + int(parts[12])) / os.sysconf("SC_CLK_TCK")


def _sleeps(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(") ", 1)[1][0] in "SD"
    except OSError:
        return False


def _watched(command: list[str], slot: mmap.mmap, keep: str) -> tuple[str, str, int]:
    """Runs a child to its end: its output, what went wrong with the process ("" when nothing), and its cases."""
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    running, since_cpu = -1, 0.0
    while True:
        try:
            out, error = process.communicate(timeout=0.5)
        except subprocess.TimeoutExpired:
            n, began, _, _ = _HEAD.unpack(slot[: _HEAD.size])
            if n != running:
                running, since_cpu = n, _cpu_s(process.pid)
                continue
            took = time.monotonic() - began / 1e9 if began else 0.0
            # On a busy machine the wall clock alone would accuse the innocent: it must have computed, or be asleep.
            if took > SLOWEST_S and (_cpu_s(process.pid) - since_cpu > SLOWEST_S or (took > 60 and _sleeps(process.pid))):
                process.kill()
                process.communicate()
                _keep_running(slot, keep, "hang")
                return "", "hang", n
            continue
        n = _HEAD.unpack(slot[: _HEAD.size])[0]
        if process.returncode != 0:
            told = f"died {process.returncode}"
            _keep_running(slot, keep, told + "\n" + error[-2000:])
            return "", told, n
        return out, "", n


def _keep_running(slot: mmap.mmap, keep: str, told: str) -> None:
    _, _, length, kind = _HEAD.unpack(slot[: _HEAD.size])
    _keep(keep, kind.rstrip(b"\0").decode() or "none", slot[_HEAD.size : _HEAD.size + length], told, "")


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=20_000)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--chunk", type=int, default=50_000, help="cases of one child process")
    parser.add_argument("--robustness", default="", help="folder of odd files to mutate too; nothing of it is written")
    parser.add_argument("--streams", action="store_true", help="only the streams of compressed pixels are changed")
    parser.add_argument("--keep", default=str(Path(tempfile.gettempdir()) / "ekinshi-fuzz-found"))
    parser.add_argument("--log", default="", help="a JSON line is added for every chunk")
    parser.add_argument("--slot", default="", help=argparse.SUPPRESS)
    parser.add_argument("--plant", default="", choices=["", "raise", "die", "hang", "memory"], help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    if options.slot:
        return child(options)
    totals: Counter[str] = Counter()
    failures: Counter[str] = Counter()
    slowest, peak, outcomes, empty = 0.0, 0, 0, 0
    begin, seed = time.monotonic(), options.seed
    with tempfile.NamedTemporaryFile(prefix="ekinshi-fuzz-slot-") as slot_file:
        slot_file.truncate(_SLOT)
        slot = mmap.mmap(slot_file.fileno(), _SLOT)
        while totals["cases"] < options.cases and (left := options.seconds - (time.monotonic() - begin)) > 0:
            slot[: _HEAD.size] = _HEAD.pack(0, 0, 0, b"")
            command = [
                sys.executable, "-m", "tests.fuzz.campaign", "--slot", slot_file.name, "--seed", str(seed),
                "--cases", str(min(options.chunk, options.cases - totals["cases"])), "--seconds", str(left),
                "--robustness", options.robustness, "--keep", options.keep, "--plant", options.plant,
            ]  # fmt: skip
            command += ["--streams"] if options.streams else []
            out, wrong, cases = _watched(command, slot, options.keep)
            line: dict[str, Any] = {"seed": seed, "cases": cases, "wrong": wrong}
            if wrong:
                failures[wrong] += 1
                totals["cases"] += cases
            else:
                line.update(json.loads(out.strip().splitlines()[-1]))
                totals["cases"] += line["cases"]
                totals["cpu_ms"] += round(line["cpu_s"] * 1000)
                failures.update(line["failures"])
                slowest, peak = max(slowest, line["slowest_s"]), max(peak, line["peak_mib"])
                outcomes = max(outcomes, line["outcomes"])
            if options.log:
                with open(options.log, "a", encoding="utf-8") as log:
                    log.write(json.dumps(line) + "\n")
            seed += 1
            empty = empty + 1 if cases == 0 else 0
            if empty == 3:
                break  # the child does not even start
        slot.close()
    result = {
        "name": "fuzz",
        "cases": totals["cases"],
        "cpu_s": totals["cpu_ms"] / 1000,
        "slowest_s": slowest,
        "peak_mib": peak,
        "distinct_outcomes_of_the_best_chunk": outcomes,
        "failures": dict(failures),
        "passed": not failures and totals["cases"] > 0,
    }
    print(json.dumps(result), flush=True)
    return 0 if result["passed"] else 1


if __name__ == "__main__":
    sys.exit(main())
