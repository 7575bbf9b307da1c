"""A package's network written as an ONNX graph for the CPU engines, and the check of any graph before an engine sees it."""

from __future__ import annotations

import io
import warnings
from typing import TYPE_CHECKING, Any

from app.ai.package import NetworkSpec
from app.domain.problem import fail

if TYPE_CHECKING:
    import torch

OPSET = 17
_NODES_LIMIT = 20_000
_DEPTH_LIMIT = 4
_BYTES_LIMIT = 2**31 - 1


def export_onnx(module: torch.nn.Module, spec: NetworkSpec) -> bytes:
    """The graph: input ``x``, output ``y``, free batch size (free spatial size where the network is dynamic)."""
    import torch

    example = torch.zeros((1, *spec.input_shape))
    axes: dict[int, str] = {0: "n"}
    same_rank = False
    if spec.dynamic:
        with torch.no_grad():
            same_rank = module(example).ndim == example.ndim
        axes.update({axis: f"s{axis}" for axis in range(2, example.ndim)})
    buffer = io.BytesIO()
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # the classic exporter announces its successor, which needs another package
        torch.onnx.export(
            module.cpu(),
            (example,),
            buffer,  # type: ignore[arg-type]  # the classic exporter writes to files in memory too
            input_names=["x"],
            output_names=["y"],
            dynamic_axes={"x": axes, "y": axes if same_rank else {0: "n"}},
            opset_version=OPSET,
            dynamo=False,
        )
    data = buffer.getvalue()
    check_graph(data)
    return data


def check_graph(data: bytes) -> None:
    """Refuse (``ai.graph.*``) a graph with anything but plain ``ai.onnx`` nodes and weights inside itself."""
    import onnx

    if len(data) > _BYTES_LIMIT:
        raise fail("ai.graph.too_large")
    try:
        model = onnx.ModelProto.FromString(data)
    except Exception as error:  # protobuf's own error type depends on its back end
        raise fail("ai.graph.damaged") from error
    if model.functions or model.training_info:
        raise fail("ai.graph.not_plain", what="functions")
    if any(entry.domain not in ("", "ai.onnx") for entry in model.opset_import):
        raise fail("ai.graph.not_plain", what="domain")
    if not model.graph.node:
        raise fail("ai.graph.damaged")
    _check_part(model.graph, 0, [0])


def _check_part(graph: Any, depth: int, count: list[int]) -> None:
    import onnx

    if depth > _DEPTH_LIMIT:
        raise fail("ai.graph.not_plain", what="depth")
    for tensor in graph.initializer:
        _check_tensor(tensor)
    if graph.sparse_initializer:
        raise fail("ai.graph.not_plain", what="sparse")
    for node in graph.node:
        count[0] += 1
        if count[0] > _NODES_LIMIT:
            raise fail("ai.graph.too_large")
        if node.domain not in ("", "ai.onnx"):
            raise fail("ai.graph.not_plain", what="domain")
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.TENSOR:
                _check_tensor(attribute.t)
            for tensor in attribute.tensors:
                _check_tensor(tensor)
            for part in [*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs]:
                _check_part(part, depth + 1, count)


def _check_tensor(tensor: Any) -> None:
    import onnx

    if tensor.external_data or tensor.data_location == onnx.TensorProto.EXTERNAL:
        raise fail("ai.graph.not_plain", what="external data")
