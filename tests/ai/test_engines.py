"""Engines: each gives torch's answer; the choice is kept and repeated; unknown shapes and unsafe graphs are refused."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from app.ai.engines.choose import Options, difference, engines_for  # noqa: E402
from app.ai.engines.networks import PackageNetworks  # noqa: E402
from app.ai.engines.onnx_export import check_graph, export_onnx  # noqa: E402
from app.ai.engines.torch_engine import TorchEngine, golden_cases, load_module, module_arrays  # noqa: E402
from app.ai.networks.registry import architectures, build  # noqa: E402
from app.ai.package import Package, build_package, open_package  # noqa: E402
from app.domain.ports import Cancelled  # noqa: E402
from app.domain.problem import ProblemError  # noqa: E402
from tests.ai import tiny_package  # noqa: E402
from tests.ai.code.networks import ARCHITECTURES, Tiny3d  # noqa: E402


def _more() -> dict[str, object]:
    return dict(ARCHITECTURES)


@pytest.fixture(scope="module")
def package() -> Package:
    return open_package(build_package(tiny_package.parts(), tiny_package.PRIVATE_KEY), tiny_package.trust())


def _batch(n: int = 3) -> np.ndarray:
    return np.random.default_rng(9).standard_normal((n, 1, 9, 11, 13)).astype(np.float32)


def test_torch_agrees_with_the_network_written_in_numpy(package: Package) -> None:
    module = load_module(package.networks["finder"], package.weights["finder"], ARCHITECTURES)
    reference = tiny_package.reference(dict(package.weights["finder"]), _batch())
    for channels_last in (False, True):
        assert difference(TorchEngine(module, channels_last=channels_last).run(_batch()), reference) < 1e-5


def test_a_run_leaves_gradients_to_whoever_trains_in_the_same_process(package: Package) -> None:
    engines, _ = engines_for(package, Options(1, engine="torch", more=_more))
    engines["finder"].run(_batch())
    assert torch.is_grad_enabled()
    assert not torch.is_inference_mode_enabled()


@pytest.mark.parametrize("name", ["torch", "onnx", "openvino"])
def test_every_engine_gives_torchs_answer(package: Package, name: str) -> None:
    engines, choices = engines_for(package, Options(1, engine=name, more=_more))
    assert choices["finder"].engine == name
    assert choices["finder"].max_difference <= 1e-3
    reference = tiny_package.reference(dict(package.weights["finder"]), _batch())
    assert difference(engines["finder"].run(_batch()), reference) < 1e-4


def test_a_choice_is_kept_and_a_damaged_cache_is_made_again(package: Package, tmp_path: Path) -> None:
    options = Options(1, tmp_path, more=_more)
    _, first = engines_for(package, options)
    assert first["finder"].seconds >= 0
    folder = tmp_path / package.digest[:32]
    before = (folder / "engines.json").read_bytes()

    def forbidden() -> dict[str, object]:
        raise AssertionError("the choice should have been read back")

    kept = replace(options, more=forbidden)
    if first["finder"].engine != "torch":
        engines, again = engines_for(package, kept)
        assert again == first
        assert (
            difference(engines["finder"].run(_batch()), tiny_package.reference(dict(package.weights["finder"]), _batch()))
            < 1e-4
        )
        graph = folder / "finder.onnx"
        graph.write_bytes(graph.read_bytes()[:100])
        engines, _ = engines_for(package, options)
        assert engines["finder"].run(_batch()).shape == _batch().shape
        assert len(graph.read_bytes()) > 100
    (folder / "engines.json").write_bytes(before[: len(before) // 2])
    engines_for(package, options)
    assert (folder / "engines.json").read_bytes()[-1:] == b"}"


def test_a_cached_choice_needs_no_torch(package: Package, tmp_path: Path) -> None:
    engines_for(package, Options(1, tmp_path, "onnx", more=_more))
    (tmp_path / "p.ekmodel").write_bytes(build_package(tiny_package.parts(), tiny_package.PRIVATE_KEY))
    script = (
        "import sys\n"
        "from pathlib import Path\n"
        "from app.ai.engines.choose import Options, engines_for\n"
        "from app.ai.package import open_package\n"
        "from tests.ai import tiny_package\n"
        f"folder = Path({str(tmp_path)!r})\n"
        "package = open_package(folder / 'p.ekmodel', tiny_package.trust())\n"
        "engines_for(package, Options(1, folder, 'onnx'))\n"
        "sys.exit('torch is loaded' if 'torch' in sys.modules else 0)\n"
    )
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run([sys.executable, "-c", script], cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]


def test_an_engine_that_differs_is_not_chosen(package: Package, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from app.ai.engines import onnx_engine, openvino_engine

    for kind in (onnx_engine.OnnxEngine, openvino_engine.OpenvinoEngine):
        right = kind.run
        monkeypatch.setattr(kind, "run", lambda self, batch, right=right: right(self, batch) + np.float32(0.01))
    _, choices = engines_for(package, Options(1, tmp_path, more=_more))
    assert choices["finder"].engine == "torch"
    assert choices["finder"].rejected is not None
    assert choices["finder"].rejected["onnx"] == choices["finder"].rejected["openvino"] == "differs"


def test_golden_cases_made_by_torch_are_accepted(package: Package) -> None:
    module = Tiny3d(5).eval()
    networks = {"finder": replace(package.networks["finder"], params={"width": 5})}
    weights = {"finder": module_arrays(module)}
    golden = golden_cases(networks, weights, more=ARCHITECTURES)
    parts = replace(tiny_package.parts(), networks=networks, weights=weights, golden=golden)
    made = open_package(build_package(parts, tiny_package.PRIVATE_KEY), tiny_package.trust())
    engines_for(made, Options(1, more=_more))
    assert {a.dtype for a in made.weights["finder"].values()} == {np.dtype(np.float16)}


def test_unknown_architectures_and_weights_that_do_not_fit_are_refused(package: Package) -> None:
    with pytest.raises(ProblemError, match="unknown_architecture"):
        build("os.system", {})
    with pytest.raises(ProblemError, match="bad_architecture"):
        build("tiny_3d", {"depth": 3}, ARCHITECTURES)
    short = {k: v for k, v in package.weights["finder"].items() if k != "first.bias"}
    for weights in (short, {**package.weights["finder"], "more": np.ones(1, np.float32)}):
        with pytest.raises(ProblemError, match="weights_do_not_fit"):
            load_module(package.networks["finder"], weights, ARCHITECTURES)


def test_shipped_architectures_have_one_owner_each() -> None:
    assert all(callable(builder) for builder in architectures().values())


# -- what readers see --------------------------------------------------------------------------------------------


class _Small:
    """An engine with room for two samples."""

    name = "small"

    def __init__(self, room: int = 2) -> None:
        self.room = room
        self.sizes: list[int] = []

    def run(self, batch: np.ndarray) -> np.ndarray:
        self.sizes.append(batch.shape[0])
        if batch.shape[0] > self.room:
            raise MemoryError
        return batch * 2


def test_short_memory_halves_the_batch_and_then_says_so() -> None:
    engine = _Small()
    batch = _batch(7)
    assert np.array_equal(PackageNetworks({"a": engine}, lambda: None).run("a", batch), batch * 2)
    assert max(engine.sizes) == 7
    with pytest.raises(MemoryError):
        PackageNetworks({"a": _Small(0)}, lambda: None).run("a", batch)


def test_long_batches_are_cut_and_can_be_cancelled_between_the_pieces() -> None:
    calls = 0

    def step() -> None:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise Cancelled

    engine = _Small(10_000)
    batch = np.zeros((200, 1, 32, 32, 32), np.float32)
    with pytest.raises(Cancelled):
        PackageNetworks({"a": engine}, step).run("a", batch)
    assert engine.sizes == [32, 32]


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_no_number_that_is_not_finite_goes_in_or_out(bad: float) -> None:
    class Broken(_Small):
        def run(self, batch: np.ndarray) -> np.ndarray:
            answer = batch.copy()
            answer.flat[-1] = bad
            return answer

    with pytest.raises(ProblemError, match="output_not_finite"):
        PackageNetworks({"a": Broken()}, lambda: None).run("a", _batch())
    batch = _batch()
    batch[0, 0, 0, 0, 0] = bad
    with pytest.raises(ProblemError, match="input_not_finite"):
        PackageNetworks({"a": _Small(9)}, lambda: None).run("a", batch)
    with pytest.raises(ProblemError, match="unknown_network"):
        PackageNetworks({}, lambda: None).run("a", _batch())


# -- graphs ------------------------------------------------------------------------------------------------------


def test_unsafe_graphs_are_refused(package: Package) -> None:
    import onnx

    module = load_module(package.networks["finder"], package.weights["finder"], ARCHITECTURES)
    good = export_onnx(module, package.networks["finder"])
    check_graph(good)

    def changed(kind: str) -> bytes:
        model = onnx.ModelProto.FromString(good)
        if kind == "domain":
            model.graph.node[0].domain = "com.evil"
        elif kind == "imports":
            model.opset_import.add(domain="com.evil", version=1)
        elif kind == "external":
            tensor = model.graph.initializer[0]
            tensor.data_location = onnx.TensorProto.EXTERNAL
            tensor.external_data.add(key="location", value="../../secret")
        elif kind == "hidden external":
            tensor = onnx.TensorProto(data_type=1, data_location=onnx.TensorProto.EXTERNAL)
            tensor.external_data.add(key="location", value="../../secret")
            model.graph.node.append(onnx.helper.make_node("Constant", [], ["z"], value=tensor))
        elif kind == "functions":
            model.functions.add(name="f", domain="x")
        elif kind == "nodes":
            for _ in range(20_001):
                model.graph.node.add(op_type="Identity")
        elif kind == "depth":
            inner = onnx.GraphProto(name="g")
            inner.node.add(op_type="Identity")
            for _ in range(6):
                outer = onnx.GraphProto(name="g")
                outer.node.append(onnx.helper.make_node("Loop", [], [], body=inner))
                inner = outer
            model.graph.node.extend(inner.node)
        return bytes(model.SerializeToString())

    for kind in ("domain", "imports", "external", "hidden external", "functions", "nodes", "depth"):
        with pytest.raises(ProblemError, match=r"ai\.graph"):
            check_graph(changed(kind))
    for data in (b"", b"\x80\x04junk", good[:50]):
        with pytest.raises(ProblemError, match=r"ai\.graph"):
            check_graph(data)


def test_openvino_is_imported_without_its_usage_reports(tmp_path: Path) -> None:
    script = (
        "import sys\n"
        "from app.ai.telemetry_off import silence\n"
        "silence()\n"
        "import openvino\n"
        "assert sys.modules['openvino_telemetry'] is None\n"
    )
    import os

    root = Path(__file__).resolve().parents[2]
    environment = {**os.environ, "HOME": str(tmp_path), "USERPROFILE": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=root, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert not list(tmp_path.iterdir())
