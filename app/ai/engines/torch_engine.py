"""torch: the reference on every machine, and the only engine that uses an NVIDIA GPU."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from app.ai.networks.registry import Builder, build
from app.ai.package import GoldenCase, NetworkSpec
from app.ai.weights_file import Arrays
from app.domain.problem import fail

if TYPE_CHECKING:
    import torch

FloatBatch = npt.NDArray[np.float32]


def load_module(
    spec: NetworkSpec, weights: Mapping[str, npt.NDArray[np.generic]], more: Mapping[str, Builder] | None = None
) -> torch.nn.Module:
    """The network of a package in float32, evaluation mode. Every parameter must be there, with its shape, and no other."""
    import torch

    module = build(spec.architecture, spec.params, more)
    state = {}
    for name, array in weights.items():
        values = np.array(array)
        state[name] = torch.from_numpy(values.astype(np.float32) if values.dtype.kind == "f" else values)
    try:
        module.load_state_dict(state, strict=True)
    except RuntimeError as error:
        raise fail("ai.package.weights_do_not_fit", architecture=spec.architecture) from error
    return module.float().eval().requires_grad_(False)


def module_arrays(module: torch.nn.Module, half: bool = True) -> Arrays:
    """A trained module's parameters as numpy arrays for ``PackageParts.weights``; float16 unless ``half`` is off."""
    found: Arrays = {}
    for name, tensor in module.state_dict().items():
        values = tensor.detach().cpu().numpy()
        found[name] = values.astype(np.float16 if half else np.float32) if values.dtype.kind == "f" else values
    return found


def golden_cases(
    networks: Mapping[str, NetworkSpec],
    weights: Mapping[str, Mapping[str, npt.NDArray[np.generic]]],
    seed: int = 0,
    shapes: Mapping[str, tuple[int, ...]] | None = None,
    more: Mapping[str, Builder] | None = None,
) -> dict[str, GoldenCase]:
    """One tiny seeded input per network with the reference output, for ``PackageParts.golden``.

    ``shapes[net]`` (channels, ...) replaces ``input_shape`` where the network is dynamic and a smaller input will do.
    """
    rng = np.random.default_rng(seed)
    cases = {}
    for name in sorted(networks):
        shape = (shapes or {}).get(name, networks[name].input_shape)
        given = rng.standard_normal((1, *shape)).astype(np.float16)
        engine = TorchEngine(load_module(networks[name], weights[name], more))
        cases[name] = GoldenCase(name, given, engine.run(given.astype(np.float32)))
    return cases


class TorchEngine:
    """One network on one device. ``channels_last`` is faster for some networks, slower for others: ``choose`` measures."""

    def __init__(
        self, module: torch.nn.Module, device: str = "cpu", channels_last: bool = False, bf16: bool = False
    ) -> None:
        import torch

        self._torch = torch
        self._device = device
        self._bf16 = bf16
        self._module = module.to(device)
        self._channels_last = channels_last
        self.name = "torch" if device == "cpu" else f"torch-{device}" + ("-bf16" if bf16 else "")

    def run(self, batch: FloatBatch) -> FloatBatch:
        """(n, channels, ...) float32 to the raw output, float32. Out of memory is ``MemoryError`` on every device."""
        torch = self._torch
        formats = {4: torch.channels_last, 5: torch.channels_last_3d}
        try:
            with torch.inference_mode():
                given = torch.from_numpy(np.ascontiguousarray(batch)).to(self._device)
                if self._channels_last and batch.ndim in formats:
                    given = given.to(memory_format=formats[batch.ndim])
                    self._module.to(memory_format=formats[batch.ndim])  # type: ignore[call-overload]
                with torch.autocast(self._device, torch.bfloat16, enabled=self._bf16):
                    answer = self._module(given)
                return np.ascontiguousarray(answer.float().cpu().numpy())
        except torch.OutOfMemoryError as error:
            if self._device != "cpu":
                torch.cuda.empty_cache()
            raise MemoryError from error
        except RuntimeError as error:
            if "not enough memory" in str(error) or "can't allocate memory" in str(error):
                raise MemoryError from error
            raise


def prepare_torch(threads: int) -> None:
    """Once per process: threads, repeatable algorithms, no denormals. Gradients are each run's own matter."""
    import torch

    torch.set_num_threads(threads)
    torch.manual_seed(0)
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.allow_tf32 = False  # float32 means float32: the tolerance of the engines is 1e-3
    torch.set_flush_denormal(True)
