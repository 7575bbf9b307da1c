"""ONNX Runtime on the CPU, from bytes only (no path: external data cannot be reached)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from app.ai.telemetry_off import silence, silence_onnxruntime

FloatBatch = npt.NDArray[np.float32]


class OnnxEngine:
    name = "onnx"

    def __init__(self, graph: bytes, threads: int) -> None:
        silence()
        import onnxruntime

        silence_onnxruntime()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.use_deterministic_compute = True
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])

    def run(self, batch: FloatBatch) -> FloatBatch:
        import onnxruntime

        try:
            (answer,) = self._session.run(["y"], {"x": np.ascontiguousarray(batch)})
        except onnxruntime.capi.onnxruntime_pybind11_state.RuntimeException as error:
            if "alloc" in str(error).lower():
                raise MemoryError from error
            raise
        return np.asarray(answer, np.float32)
