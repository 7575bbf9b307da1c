"""The ``.ekmodel`` package: card, rules, parameters and weights of one second reader, signed. No code, no pickle.

``open_head`` reads what the window needs (manifest, card, rules); ``open_package`` reads and checks all of it, in the
worker; ``build_package`` makes one. The package's digest is the SHA-256 of its manifest, which names the SHA-256 of every
other member. Layout and limits: ``docs/decisions/0003-model-package.md``.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from app.ai.card_codec import card_from_files, card_to_files
from app.ai.package_zip import PackageZip, read_file_limited, write_zip
from app.ai.plain import PlainError, canonical_json, from_plain, strict_json, to_plain
from app.ai.trust import TrustedKey, TrustList, check_signature, sign_manifest
from app.ai.weights_file import Arrays, read_tensors, write_tensors
from app.domain.model_card import ModelCard
from app.domain.problem import fail

SCHEMA = 1
NAME = re.compile(r"[a-z][a-z0-9_]{0,40}")
_VERSION = re.compile(r"\d{1,5}\.\d{1,5}\.\d{1,5}")
_ID = re.compile(r"[a-z0-9]+([.-][a-z0-9_]+){1,8}")
_NEEDED = ("card.json", "select.json", "pipeline.json")


@dataclass(frozen=True)
class FileEntry:
    sha256: str
    bytes: int


@dataclass(frozen=True)
class Limits:
    """What a run needs at most on the declared input; the worker answers *out of memory* where less is free."""

    ram_mb: int = 2048


@dataclass(frozen=True)
class Manifest:
    schema: int
    id: str
    version: str
    reader: str
    """Module name in ``app/ai/readers``."""
    files: Mapping[str, FileEntry]
    limits: Limits = Limits()
    publisher: str = ""
    licence: str = ""


@dataclass(frozen=True)
class NetworkSpec:
    """One network: an architecture name of ``app/ai/networks`` and its parameters."""

    architecture: str
    params: Mapping[str, Any]
    input_shape: tuple[int, ...]
    """(channels, ...) of one sample, used to export and to compare engines."""
    dynamic: bool = False
    """True when other spatial sizes than ``input_shape`` are run as well."""


@dataclass(frozen=True, eq=False)
class GoldenCase:
    """A tiny input of one network and the raw output that the reference gave for it."""

    network: str
    input: npt.NDArray[np.generic]
    """(n, channels, ...)."""
    output: npt.NDArray[np.generic]
    tolerance: float = 1e-3


@dataclass(frozen=True, eq=False)
class PackageParts:
    """Everything a training script puts into a package; ``weights[net][parameter]`` are arrays (float16 halves the size)."""

    id: str
    card: ModelCard
    pipeline: Mapping[str, Any]
    networks: Mapping[str, NetworkSpec] = field(default_factory=dict)
    weights: Mapping[str, Mapping[str, npt.NDArray[np.generic]]] = field(default_factory=dict)
    calibration: Mapping[str, Any] | None = None
    golden: Mapping[str, GoldenCase] = field(default_factory=dict)
    limits: Limits = Limits()
    publisher: str = ""


@dataclass(frozen=True)
class PackageHead:
    """What can be known without touching the weights."""

    manifest: Manifest
    digest: str
    card: ModelCard
    signed_by: TrustedKey


@dataclass(frozen=True, eq=False)
class Package:
    head: PackageHead
    pipeline: Mapping[str, Any]
    calibration: Mapping[str, Any] | None
    networks: Mapping[str, NetworkSpec]
    weights: Mapping[str, Arrays]
    golden: Mapping[str, GoldenCase]

    @property
    def digest(self) -> str:
        return self.head.digest

    @property
    def card(self) -> ModelCard:
        return self.head.card

    def parameters(self) -> dict[str, Any]:
        """What a reader gets: ``pipeline.json``, ``calibration`` (``calibration.json``) and ``threshold`` (of the card)."""
        extra: dict[str, Any] = {"threshold": self.card.threshold}
        if self.calibration is not None:
            extra["calibration"] = dict(self.calibration)
        return {**extra, **self.pipeline}


def build_package(parts: PackageParts | Path, private_key: bytes, reader: str = "") -> bytes:
    """The bytes of a signed package; the same parts and key always give the same bytes.

    ``parts`` may be a folder with the members already written (manifest and signature are made anew; ``manifest.json``
    there gives id, limits and publisher). ``reader`` defaults to the card's ``reader_name``. Raises ``ValueError`` or
    ``ProblemError`` when the parts would not be accepted by ``open_package``.
    """
    if isinstance(parts, Path):
        old = strict_json((parts / "manifest.json").read_bytes())
        skip = {"manifest.json", "SIGNATURE"}
        names = [p.relative_to(parts).as_posix() for p in sorted(parts.rglob("*")) if p.is_file()]
        files = {n: (parts / n).read_bytes() for n in names if n not in skip}
        card = card_from_files(files["card.json"], files["select.json"])
        limits = from_plain(Limits, old.get("limits", {}))
        manifest = Manifest(
            SCHEMA, old["id"], card.version, reader or card.reader_name, {}, limits, old.get("publisher", "")
        )
    else:
        card = parts.card
        files = _member_files(parts)
        manifest = Manifest(SCHEMA, parts.id, card.version, reader or card.reader_name, {}, parts.limits, parts.publisher)
    entries = {n: FileEntry(hashlib.sha256(b).hexdigest(), len(b)) for n, b in files.items()}
    manifest = replace(manifest, files=entries, licence=card.licence)
    manifest_bytes = canonical_json(to_plain(manifest))
    _read_manifest(manifest_bytes)
    data = write_zip({**files, "manifest.json": manifest_bytes, "SIGNATURE": sign_manifest(manifest_bytes, private_key)})
    _open_body(PackageZip(data), PackageHead(manifest, "", card, TrustedKey("", "00" * 32)))
    return data


def _member_files(parts: PackageParts) -> dict[str, bytes]:
    card_json, select_json = card_to_files(parts.card)
    files = {"card.json": card_json, "select.json": select_json, "pipeline.json": canonical_json(to_plain(parts.pipeline))}
    if parts.calibration is not None:
        files["calibration.json"] = canonical_json(to_plain(parts.calibration))
    if parts.networks:
        files["arch.json"] = canonical_json(to_plain(dict(parts.networks)))
        flat = {f"{net}/{name}": array for net, arrays in parts.weights.items() for name, array in arrays.items()}
        files["weights.safetensors"] = write_tensors(flat)
    for name, case in parts.golden.items():
        files[f"golden/{name}.json"] = canonical_json({"network": case.network, "tolerance": case.tolerance})
        files[f"golden/{name}.safetensors"] = write_tensors({"input": case.input, "output": case.output})
    return files


def open_head(source: Path | bytes, trust: TrustList, today: str = "") -> PackageHead:
    """Manifest, signature, card and rules, checked; the weights are not read. Raises ``ProblemError`` ``ai.package.*``."""
    return _open_head(PackageZip(_bytes(source)), trust, today)


def open_package(source: Path | bytes, trust: TrustList, expected_digest: str = "", today: str = "") -> Package:
    """The whole package, every member's hash checked. Raises ``ProblemError`` ``ai.package.*``.

    ``expected_digest`` refuses a file that was exchanged after it was chosen.
    """
    archive = PackageZip(_bytes(source))
    head = _open_head(archive, trust, today)
    if expected_digest and head.digest != expected_digest:
        raise fail("ai.package.exchanged")
    return _open_body(archive, head)


def _bytes(source: Path | bytes) -> bytes:
    return source if isinstance(source, bytes) else read_file_limited(source)


def _open_head(archive: PackageZip, trust: TrustList, today: str) -> PackageHead:
    manifest_bytes = archive.read("manifest.json")
    signed_by = check_signature(manifest_bytes, archive.read("SIGNATURE"), trust, today)
    manifest = _read_manifest(manifest_bytes)
    if archive.names != {*manifest.files, "manifest.json", "SIGNATURE"}:
        raise fail("ai.package.unlisted_member")
    try:
        card = card_from_files(_checked(archive, manifest, "card.json"), _checked(archive, manifest, "select.json"))
    except PlainError as error:
        raise fail("ai.package.bad_card", detail=str(error)[:160]) from error
    if card.version != manifest.version or card.reader_name != manifest.reader:
        raise fail("ai.package.bad_card", detail="name or version differs from the manifest")
    return PackageHead(manifest, hashlib.sha256(manifest_bytes).hexdigest(), card, signed_by)


def _read_manifest(data: bytes) -> Manifest:
    try:
        manifest = from_plain(Manifest, strict_json(data))
        if canonical_json(to_plain(manifest)) != data:
            raise PlainError("not in canonical form")
    except PlainError as error:
        raise fail("ai.package.bad_manifest") from error
    if manifest.schema != SCHEMA:
        raise fail("ai.package.other_schema", schema=manifest.schema)
    words = NAME.fullmatch(manifest.reader) and _VERSION.fullmatch(manifest.version) and _ID.fullmatch(manifest.id)
    sane = 0 < manifest.limits.ram_mb <= 1 << 20
    if not words or not sane or any(name not in manifest.files for name in _NEEDED):
        raise fail("ai.package.bad_manifest")
    return manifest


def _checked(archive: PackageZip, manifest: Manifest, name: str) -> bytes:
    entry = manifest.files[name]
    if archive.size(name) != entry.bytes:
        raise fail("ai.package.hash_mismatch", member=name)
    data = archive.read(name)
    if hashlib.sha256(data).hexdigest() != entry.sha256:
        raise fail("ai.package.hash_mismatch", member=name)
    return data


def _open_body(archive: PackageZip, head: PackageHead) -> Package:
    files = {name: _checked(archive, head.manifest, name) for name in head.manifest.files}
    try:
        pipeline = _table(files["pipeline.json"])
        calibration = _table(files["calibration.json"]) if "calibration.json" in files else None
        arch = _table(files["arch.json"]) if "arch.json" in files else {}
        networks = {name: from_plain(NetworkSpec, value) for name, value in arch.items()}
    except PlainError as error:
        raise fail("ai.package.bad_parameters", detail=str(error)[:160]) from error
    tensors = read_tensors(files["weights.safetensors"]) if "weights.safetensors" in files else {}
    weights: dict[str, Arrays] = {name: {} for name in networks}
    for key, array in tensors.items():
        net, _, parameter = key.partition("/")
        if net not in weights or not parameter:
            raise fail("ai.package.bad_weights")
        weights[net][parameter] = array
    for name, spec in networks.items():
        shape_ok = 2 <= len(spec.input_shape) <= 4 and all(0 < n <= 4096 for n in spec.input_shape)
        if not NAME.fullmatch(name) or not NAME.fullmatch(spec.architecture) or not shape_ok or not weights[name]:
            raise fail("ai.package.bad_parameters", detail="networks")
    return Package(head, pipeline, calibration, networks, weights, _golden(files, networks))


def _table(data: bytes) -> dict[str, Any]:
    value = strict_json(data)
    if not isinstance(value, dict):
        raise PlainError("a table is needed")
    return value


def _golden(files: Mapping[str, bytes], networks: Mapping[str, NetworkSpec]) -> dict[str, GoldenCase]:
    found: dict[str, GoldenCase] = {}
    for name in sorted(files):
        if not name.startswith("golden/"):
            continue
        stem = name.removeprefix("golden/").rpartition(".")[0]
        if f"golden/{stem}.json" not in files or f"golden/{stem}.safetensors" not in files:
            raise fail("ai.package.bad_golden")
        if stem in found:
            continue
        arrays = read_tensors(files[f"golden/{stem}.safetensors"])
        try:
            table = _table(files[f"golden/{stem}.json"])
        except PlainError as error:
            raise fail("ai.package.bad_golden") from error
        tolerance = table.get("tolerance")
        fits = set(table) == {"network", "tolerance"} and table["network"] in networks and set(arrays) == {"input", "output"}
        if not fits or not isinstance(tolerance, float) or not 0 < tolerance <= 0.1:
            raise fail("ai.package.bad_golden")
        found[stem] = GoldenCase(table["network"], arrays["input"], arrays["output"], tolerance)
    if networks and {case.network for case in found.values()} != set(networks):
        raise fail("ai.package.bad_golden")
    return found
