"""OpenVINO on the CPU in float32, from the same ONNX bytes; its usage reports are off before it is imported."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from app.ai.telemetry_off import silence

FloatBatch = npt.NDArray[np.float32]


class OpenvinoEngine:
    name = "openvino"

    def __init__(self, graph: bytes, threads: int) -> None:
        silence()
        import openvino

        core = openvino.Core()
        model = core.read_model(graph, b"")
        self._compiled = core.compile_model(
            model,
            "CPU",
            {"INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1, "INFERENCE_PRECISION_HINT": "f32"},
        )
        self._request = self._compiled.create_infer_request()

    def run(self, batch: FloatBatch) -> FloatBatch:
        try:
            answer = self._request.infer([np.ascontiguousarray(batch)])
        except RuntimeError as error:
            if "alloc" in str(error).lower():
                raise MemoryError from error
            raise
        return np.array(answer[0], np.float32)
