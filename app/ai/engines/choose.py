"""Which engine runs a package here: the fastest that gives torch's answer, found once per package and machine, then kept.

The record lies in a cache folder with the exported graphs. Without a cache nothing is timed: the first engine of a fixed
order that reproduces torch is taken, so that two runs of the command line choose alike.
"""

from __future__ import annotations

import hashlib
import os
import platform
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

from app.ai.engines.networks import Engine, FloatBatch
from app.ai.networks.registry import Builder
from app.ai.package import NetworkSpec, Package
from app.ai.plain import PlainError, canonical_json, from_plain, strict_json, to_plain
from app.domain.problem import ProblemError, fail

TOLERANCE = 1e-3
"""Largest difference from torch's output, relative to the larger of 1 and the output's greatest value."""
BF16_TOLERANCE = 2e-2
"""Largest difference of probabilities (logistic of the output) for an engine that computes in bfloat16."""
_FACTOR = {"torch": 4.0, "torch channels_last": 8.0}
"""torch on the CPU is not timed when the reference run already took so many times the best engine's time."""


@dataclass(frozen=True)
class Choice:
    """One network's engine on this machine."""

    engine: str
    channels_last: bool = False
    max_difference: float = 0.0
    """From torch, on the self-test input."""
    seconds: float = 0.0
    """One sample of the declared shape; 0 where nothing was timed."""
    graph_sha256: str = ""
    rejected: Mapping[str, str] | None = None
    """Engines that were not taken, with the reason in a word."""


@dataclass(frozen=True)
class Record:
    machine: str
    choices: Mapping[str, Choice]


@dataclass(frozen=True)
class Options:
    threads: int
    cache: Path | None = None
    engine: str = "auto"
    """auto, torch, onnx or openvino."""
    allow_bf16: bool = False
    more: Callable[[], Mapping[str, Builder]] | None = None
    """Gives further architectures (tests); called only when torch is needed."""
    step: Callable[[], None] = lambda: None


def engines_for(package: Package, options: Options) -> tuple[dict[str, Engine], dict[str, Choice]]:
    """Engines of every network, golden cases passed. Raises ``ai.package.golden_mismatch`` or ``ai.package.*``."""
    known = _read_record(package, options)
    engines: dict[str, Engine] = {}
    choices: dict[str, Choice] = {}
    for name in sorted(package.networks):
        options.step()
        engine = _from_record(package, name, known.get(name), options)
        if engine is not None:
            engines[name], choices[name] = engine, known[name]
        else:
            engines[name], choices[name] = _choose(package, name, options)
    for case_name, case in package.golden.items():
        options.step()
        answer = engines[case.network].run(case.input.astype(np.float32))
        tolerance = BF16_TOLERANCE if engines[case.network].name.endswith("bf16") else case.tolerance
        if not difference(answer, case.output.astype(np.float32)) <= tolerance:
            raise fail("ai.package.golden_mismatch", case=case_name)
    if choices != known:
        _write_record(package, choices, options)
    return engines, choices


def difference(answer: FloatBatch, reference: FloatBatch) -> float:
    """Largest difference over the larger of 1 and the reference's greatest absolute value; infinity when not comparable."""
    if answer.shape != reference.shape or not np.isfinite(answer).all():
        return float("inf")
    scale = max(1.0, float(np.abs(reference).max(initial=0.0)))
    return float(np.abs(answer - reference).max(initial=0.0)) / scale


def _choose(package: Package, name: str, options: Options) -> tuple[Engine, Choice]:
    from app.ai.engines.onnx_export import export_onnx
    from app.ai.engines.torch_engine import TorchEngine, load_module, prepare_torch

    prepare_torch(options.threads)
    spec = package.networks[name]
    module = load_module(spec, package.weights[name], options.more() if options.more else None)
    given = np.random.default_rng(0).standard_normal((1, *spec.input_shape)).astype(np.float32)
    start = time.perf_counter()
    reference = TorchEngine(module).run(given)
    reference_s = time.perf_counter() - start
    rejected: dict[str, str] = {}
    graph = b""
    if options.engine != "torch":
        try:
            graph = export_onnx(module, spec)
        except Exception as error:  # whatever the exporter says, torch itself still runs the network
            rejected["onnx"] = rejected["openvino"] = f"export {type(error).__name__}"
    timed = options.cache is not None
    found: list[tuple[float, int, Engine, Choice]] = []
    for rank, (key, make) in enumerate(_candidates(module, graph, options).items()):
        options.step()
        if key in _FACTOR and found and reference_s > _FACTOR[key] * min(found, key=lambda item: item[0])[0]:
            rejected[key] = "slower"
            continue
        try:
            engine = make()
            answer = engine.run(given)
            off = _bf16_difference(answer, reference) if key.endswith("bf16") else difference(answer, reference)
            seconds = _time(engine, given) if timed else 0.0
        except Exception as error:  # an engine that cannot run here is not chosen; the reason is kept
            rejected[key] = type(error).__name__
            continue
        if not off <= (BF16_TOLERANCE if key.endswith("bf16") else TOLERANCE):
            rejected[key] = "differs"
            continue
        sha = hashlib.sha256(graph).hexdigest() if engine.name in ("onnx", "openvino") else ""
        choice = Choice(engine.name, key.endswith("channels_last"), round(off, 9), round(seconds, 4), sha)
        found.append((seconds, rank, engine, choice))
        if not timed:
            break
    if not found:
        raise fail("ai.engine.none", network=name)
    seconds, _, engine, choice = min(found, key=lambda item: item[:2])
    for other in found:
        if other[3] is not choice:
            rejected[other[3].engine + (" channels_last" if other[3].channels_last else "")] = "slower"
    if graph and options.cache is not None:
        _write_file(_folder(package, options) / f"{name}.onnx", graph)
    return engine, Choice(**{**choice.__dict__, "rejected": rejected or None})


def _candidates(module: object, graph: bytes, options: Options) -> dict[str, Callable[[], Engine]]:
    import copy

    import torch

    from app.ai.engines.onnx_engine import OnnxEngine
    from app.ai.engines.openvino_engine import OpenvinoEngine
    from app.ai.engines.torch_engine import TorchEngine

    def copied() -> torch.nn.Module:
        assert isinstance(module, torch.nn.Module)
        return copy.deepcopy(module)

    every: dict[str, Callable[[], Engine]] = {}
    if options.engine in ("auto", "torch") and torch.cuda.is_available():
        if options.allow_bf16:
            every["torch-cuda-bf16"] = lambda: TorchEngine(copied(), "cuda", channels_last=True, bf16=True)
        every["torch-cuda"] = lambda: TorchEngine(copied(), "cuda")
    if graph:
        every["openvino"] = lambda: OpenvinoEngine(graph, options.threads)
        every["onnx"] = lambda: OnnxEngine(graph, options.threads)
    every["torch"] = lambda: TorchEngine(copied())
    every["torch channels_last"] = lambda: TorchEngine(copied(), channels_last=True)
    if options.engine == "auto":
        return every
    return {key: make for key, make in every.items() if key.split(" ")[0].split("-")[0] == options.engine}


def _bf16_difference(answer: FloatBatch, reference: FloatBatch) -> float:
    if answer.shape != reference.shape or not np.isfinite(answer).all():
        return float("inf")

    def logistic(values: FloatBatch) -> FloatBatch:
        return np.asarray(1.0 / (1.0 + np.exp(-np.clip(values, -60, 60))), np.float32)

    return float(np.abs(logistic(answer) - logistic(reference)).max(initial=0.0))


def _time(engine: Engine, given: FloatBatch) -> float:
    """Shortest of up to three calls or one second; the caller has warmed the engine up."""
    best, spent = float("inf"), 0.0
    for _ in range(3):
        start = time.perf_counter()
        engine.run(given)
        one = time.perf_counter() - start
        best, spent = min(best, one), spent + one
        if spent > 1.0:
            break
    return best


def machine(options: Options) -> str:
    """What a record is valid for: libraries, processor, threads and the options."""

    def of(name: str) -> str:
        try:
            return version(name)
        except PackageNotFoundError:
            return "-"

    libraries = [f"{name} {of(name)}" for name in ("torch", "onnxruntime", "openvino", "numpy")]
    place = [platform.system(), platform.machine(), platform.processor(), str(os.cpu_count()), str(options.threads)]
    return "; ".join([*libraries, *place, options.engine, str(options.allow_bf16)])


def _folder(package: Package, options: Options) -> Path:
    assert options.cache is not None
    return options.cache / package.digest[:32]


def _read_record(package: Package, options: Options) -> Mapping[str, Choice]:
    if options.cache is None:
        return {}
    path = _folder(package, options) / "engines.json"
    try:
        record = from_plain(Record, strict_json(path.read_bytes()))
    except (OSError, PlainError):
        return {}  # no record, or a damaged one: the choice is made again
    return record.choices if record.machine == machine(options) else {}


def _write_record(package: Package, choices: Mapping[str, Choice], options: Options) -> None:
    if options.cache is not None:
        record = Record(machine(options), choices)
        _write_file(_folder(package, options) / "engines.json", canonical_json(to_plain(record)))


def _write_file(path: Path, data: bytes) -> None:
    """Whole or not at all; a cache that cannot be written is no reason not to read a study."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        half = path.with_name(f"{path.name}.{os.getpid()}.part")
        half.write_bytes(data)
        half.replace(path)
    except OSError:
        return


def _from_record(package: Package, name: str, choice: Choice | None, options: Options) -> Engine | None:
    """The engine of an earlier choice without importing torch where it is not needed; None when it must be chosen anew."""
    if choice is None:
        return None
    spec: NetworkSpec = package.networks[name]
    try:
        if choice.engine in ("onnx", "openvino"):
            graph = (_folder(package, options) / f"{name}.onnx").read_bytes()
            if hashlib.sha256(graph).hexdigest() != choice.graph_sha256:
                return None
            from app.ai.engines.onnx_engine import OnnxEngine
            from app.ai.engines.openvino_engine import OpenvinoEngine

            kind = OnnxEngine if choice.engine == "onnx" else OpenvinoEngine
            return kind(graph, options.threads)
        from app.ai.engines.torch_engine import TorchEngine, load_module, prepare_torch

        prepare_torch(options.threads)
        module = load_module(spec, package.weights[name], options.more() if options.more else None)
        device = "cuda" if choice.engine.startswith("torch-cuda") else "cpu"
        return TorchEngine(module, device, choice.channels_last, choice.engine.endswith("bf16"))
    except ProblemError:
        raise
    except Exception:  # the engine of the record no longer loads here: choose again
        return None
