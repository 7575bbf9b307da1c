"""Makes the tests' package: a tiny network, a card, a golden case, signed with a key made for the run."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np

from app.ai.package import GoldenCase, Limits, NetworkSpec, PackageParts, build_package
from app.ai.read_job import ReadJob
from app.ai.trust import TrustedKey, TrustList, write_trust
from app.domain.geometry import VolumeGeometry
from app.domain.model_card import ModelCard, SelectionRules
from app.domain.volume import Volume

CODE = Path(__file__).parent / "code"
PRIVATE_KEY = bytes(range(1, 33))
SHAPE = (1, 8, 10, 12)


@cache
def public_key() -> bytes:
    from app.security.package_signing import public_key_of

    return public_key_of(PRIVATE_KEY)


def trust() -> TrustList:
    return TrustList(1, (TrustedKey("test", public_key().hex()),))


def card(**changes: object) -> ModelCard:
    words = {language: f"words {language}" for language in ("en", "ru", "kk")}
    limits = {language: (f"limit {language}",) for language in ("en", "ru", "kk")}
    rules = SelectionRules(("CT",), ("CHEST",), 5, 3.0, extra={"kind": "volume"})
    base = ModelCard("tiny", "1.0.0", words, words, limits, rules, ("generated",), "Apache-2.0", ())
    return replace(base, **changes)


def arrays(seed: int = 3) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {
        "first.weight": rng.normal(0, 0.3, (4, 1, 3, 3, 3)).astype(np.float16),
        "first.bias": np.zeros(4, np.float16),
        "second.weight": np.abs(rng.normal(0, 0.3, (1, 4, 1, 1, 1))).astype(np.float16),
        "second.bias": np.full(1, -1.0, np.float16),
    }


def reference(weights: dict[str, np.ndarray], given: np.ndarray) -> np.ndarray:
    """The network again in numpy and scipy: the golden output needs no torch in this process."""
    from scipy.ndimage import correlate

    w = {name: values.astype(np.float64) for name, values in weights.items()}
    answers = []
    for sample in given.astype(np.float64)[:, 0]:
        hidden = [
            correlate(sample, k[0], mode="constant") + b for k, b in zip(w["first.weight"], w["first.bias"], strict=True)
        ]
        summed = sum(np.maximum(h, 0) * f for h, f in zip(hidden, w["second.weight"].ravel(), strict=True))
        answers.append(summed + w["second.bias"][0])
    return np.stack(answers)[:, None].astype(np.float32)


def parts(**pipeline: object) -> PackageParts:
    weights = arrays()
    given = np.random.default_rng(5).standard_normal((1, *SHAPE)).astype(np.float16)
    return PackageParts(
        "kz.ekinshi.tiny",
        card(),
        pipeline,
        {"finder": NetworkSpec("tiny_3d", {"width": 4}, SHAPE, dynamic=True)},
        {"finder": weights},
        {"bands": [[0.0, 0.5]]},
        {"case": GoldenCase("finder", given, reference(weights, given))},
        Limits(ram_mb=64),
    )


def no_network_parts(**pipeline: object) -> PackageParts:
    return replace(parts(**pipeline), networks={}, weights={}, golden={})


@dataclass(frozen=True)
class Installed:
    path: Path
    trust_path: Path
    digest: str


def install(folder: Path, made: PackageParts | None = None, name: str = "tiny") -> Installed:
    import hashlib
    import io
    import zipfile

    folder.mkdir(parents=True, exist_ok=True)
    data = build_package(made or parts(), PRIVATE_KEY)
    path = folder / f"{name}.ekmodel"
    path.write_bytes(data)
    write_trust(folder / "trust.json", trust())
    manifest = zipfile.ZipFile(io.BytesIO(data)).read("manifest.json")
    return Installed(path, folder / "trust.json", hashlib.sha256(manifest).hexdigest())


def volume() -> Volume:
    """Unequal spacing, origin far from zero; the bright blob lies at (5, 6, 7)."""
    geometry = VolumeGeometry.axial((9, 12, 14), (2.5, 0.7, 0.8), (-120.0, 85.0, -1310.5), "1.2.3.4")
    values = np.random.default_rng(1).normal(0, 5, geometry.shape)
    values[4:7, 5:8, 6:9] += 300
    return Volume(values.astype(np.int16), geometry, "HU", tuple(f"1.2.{n}" for n in range(9)))


def job(installed: Installed, public: bytes = b"", **changes: object) -> ReadJob:
    base = ReadJob(installed.path, installed.digest, "tiny", "1.0.0", "1.2.840.99", public, "set", volume())
    return replace(base, **changes)
