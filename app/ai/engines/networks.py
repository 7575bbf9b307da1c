"""The networks of one package as readers see them: chunked, cancellable, guarded against NaN and short memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

import numpy as np
import numpy.typing as npt

from app.domain.problem import fail

FloatBatch = npt.NDArray[np.float32]

_CHUNK_ELEMENTS = 1 << 20
"""Input numbers per engine call (32 patches of 32 x 32 x 32): short enough to cancel, and a fixed rule, so that a repeated
run cuts the batch in the same places and gives the same bytes."""


class Engine(Protocol):
    name: str

    def run(self, batch: FloatBatch) -> FloatBatch: ...


class PackageNetworks:
    """Implements ``reader_api.Networks``. ``step`` is called before every engine call and may raise ``Cancelled``."""

    def __init__(self, engines: Mapping[str, Engine], step: Callable[[], None]) -> None:
        self._engines = engines
        self._step = step

    def run(self, name: str, batch: FloatBatch) -> FloatBatch:
        engine = self._engines.get(name)
        if engine is None:
            raise fail("ai.package.unknown_network", network=name)
        if batch.dtype != np.float32 or batch.ndim < 3 or batch.shape[0] < 1:
            raise ValueError("a float32 batch (n, channels, ...) is needed")
        if not np.isfinite(batch).all():
            raise fail("ai.run.input_not_finite", network=name)
        chunk = max(1, _CHUNK_ELEMENTS // max(1, batch[0].size))
        parts = [self._run_chunk(engine, batch[n : n + chunk]) for n in range(0, batch.shape[0], chunk)]
        answer = parts[0] if len(parts) == 1 else np.concatenate(parts)
        if answer.shape[0] != batch.shape[0] or not np.isfinite(answer).all():
            raise fail("ai.run.output_not_finite", network=name)
        return answer

    def _run_chunk(self, engine: Engine, batch: FloatBatch) -> FloatBatch:
        """One engine call; on short memory the chunk is halved down to single samples, then ``MemoryError`` goes up."""
        self._step()
        try:
            return engine.run(batch)
        except MemoryError:
            if batch.shape[0] == 1:
                raise
        half = batch.shape[0] // 2
        return np.concatenate([self._run_chunk(engine, batch[:half]), self._run_chunk(engine, batch[half:])])
