"""The package: what is written is read back, and everything else is refused with its reason."""

from __future__ import annotations

import hashlib
import io
import json
import stat
import struct
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from app.ai.card_codec import card_from_files, card_to_files
from app.ai.package import Package, build_package, open_head, open_package
from app.ai.plain import PlainError, canonical_json, strict_json
from app.ai.trust import TrustedKey, TrustList, read_trust, sign_manifest, write_trust
from app.ai.weights_file import read_tensors, write_tensors
from app.domain.problem import ProblemError
from tests.ai import tiny_package

Files = dict[str, bytes]


@pytest.fixture(scope="module")
def good() -> bytes:
    return build_package(tiny_package.parts(mode=""), tiny_package.PRIVATE_KEY)


def _opened(data: bytes | Path, digest: str = "") -> Package:
    return open_package(data, tiny_package.trust(), digest)


def _code(data: bytes | Path, trust: TrustList | None = None, digest: str = "", today: str = "") -> str:
    with pytest.raises(ProblemError) as caught:
        open_package(data, trust or tiny_package.trust(), digest, today)
    return caught.value.problem.code


def test_what_is_built_is_read_back(good: bytes, tmp_path: Path) -> None:
    path = tmp_path / "tiny.ekmodel"
    path.write_bytes(good)
    package = _opened(path)
    made = tiny_package.parts(mode="")
    assert package.card == made.card
    assert package.networks == made.networks
    assert package.parameters() == {"threshold": 0.5, "calibration": {"bands": [[0.0, 0.5]]}, "mode": ""}
    for name, values in made.weights["finder"].items():
        assert np.array_equal(package.weights["finder"][name], values)
        assert package.weights["finder"][name].dtype == values.dtype
    assert np.array_equal(package.golden["case"].input, made.golden["case"].input)
    head = open_head(path, tiny_package.trust())
    assert head == package.head
    assert head.digest == hashlib.sha256(zipfile.ZipFile(path).read("manifest.json")).hexdigest()
    assert head.signed_by.name == "test"


def test_the_same_parts_give_the_same_bytes(good: bytes) -> None:
    assert build_package(tiny_package.parts(mode=""), tiny_package.PRIVATE_KEY) == good


def test_a_folder_can_be_built_too(good: bytes, tmp_path: Path) -> None:
    zipfile.ZipFile(io.BytesIO(good)).extractall(tmp_path)
    assert build_package(tmp_path, tiny_package.PRIVATE_KEY) == good


def test_tensors_are_a_safetensors_file() -> None:
    safetensors = pytest.importorskip("safetensors.numpy")
    arrays = {
        "b": np.arange(6, dtype=np.int64).reshape(2, 3),
        "a": np.float16([[1.5, -2.0]]),
        "s": np.array(3.0, np.float32),
    }
    ours = write_tensors(arrays)
    for name, values in safetensors.load(ours).items():
        assert np.array_equal(values, arrays[name])
        assert values.shape == arrays[name].shape
    theirs = read_tensors(safetensors.save(arrays))
    assert {n: (v.tolist(), v.dtype) for n, v in theirs.items()} == {n: (v.tolist(), v.dtype) for n, v in arrays.items()}


def test_a_card_needs_three_languages() -> None:
    with pytest.raises(PlainError, match="kk"):
        card_to_files(tiny_package.card(titles={"en": "a", "ru": "b"}))
    card, rules = card_to_files(tiny_package.card())
    assert card_from_files(card, rules) == tiny_package.card()


@pytest.mark.parametrize("text", [b'{"a":1,"a":2}', b'{"a":NaN}', b"[" * 100_000, b"\xff", b"", b'{"a":1}x'])
def test_json_is_strict(text: bytes) -> None:
    with pytest.raises(PlainError):
        strict_json(text)


# -- the corpus of bad packages ----------------------------------------------------------------------------------


def _files(data: bytes) -> Files:
    archive = zipfile.ZipFile(io.BytesIO(data))
    return {name: archive.read(name) for name in archive.namelist()}


def _zipped(files: Files, change: Callable[[zipfile.ZipInfo], None] | None = None, again: str = "") -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_DEFLATED
            if change is not None:
                change(info)
            archive.writestr(info, content)
        if again:
            with pytest.warns(UserWarning, match="Duplicate"):
                archive.writestr(again, files[again])
    return buffer.getvalue()


def _signed(files: Files, key: bytes = tiny_package.PRIVATE_KEY, **changes: object) -> bytes:
    """The manifest made to fit the files again, and signed: what a careless or hostile publisher could send."""
    manifest = json.loads(files["manifest.json"])
    others = {n: b for n, b in files.items() if n not in ("manifest.json", "SIGNATURE")}
    manifest["files"] = {n: {"sha256": hashlib.sha256(b).hexdigest(), "bytes": len(b)} for n, b in others.items()}
    manifest |= changes
    text = canonical_json(manifest)
    return _zipped({"manifest.json": text, "SIGNATURE": sign_manifest(text, key), **others})


def _with(good: bytes, **members: bytes | None) -> Files:
    files = _files(good)
    for name, content in members.items():
        member = name.replace("__", "/").replace("_DOT_", ".")
        if content is None:
            files.pop(member)
        else:
            files[member] = content
    return files


def _added(good: bytes, name: str, content: bytes = b"x") -> Files:
    return {**_files(good), name: content}


def _link(info: zipfile.ZipInfo) -> None:
    if info.filename == "pipeline.json":
        info.external_attr = (stat.S_IFLNK | 0o777) << 16


def _flags(data: bytes, flag: int) -> bytes:
    """Set a general purpose flag of the first member in both headers."""
    changed = bytearray(data)
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = changed.index(signature) + offset
        struct.pack_into("<H", changed, at, struct.unpack_from("<H", changed, at)[0] | flag)
    return bytes(changed)


def _json(good: bytes, member: str, **changes: object) -> Files:
    files = _files(good)
    files[member] = canonical_json({**json.loads(files[member]), **changes})
    return files


def _arch(good: bytes, **changes: object) -> Files:
    finder = json.loads(_files(good)["arch.json"])["finder"]
    return _json(good, "arch.json", finder={**finder, **changes})


def _tensor_file(header: dict[str, object], body: bytes) -> bytes:
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + body


def _bad_float(good: bytes, value: float) -> Files:
    tensors = {k: v.copy() for k, v in read_tensors(_files(good)["weights.safetensors"]).items()}
    tensors["finder/first.weight"].flat[3] = value
    return {**_files(good), "weights.safetensors": write_tensors(tensors)}


def _weights(good: bytes, content: bytes) -> bytes:
    return _signed({**_files(good), "weights.safetensors": content})


_PICKLE = (
    b"\x80\x04\x95\x1d\x00\x00\x00\x00\x00\x00\x00\x8c\x05posix\x94\x8c\x06system\x94\x93\x94\x8c\x02id\x94\x85\x94R\x94."
)
_OTHER = bytes(range(100, 132))

CORPUS: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "empty": (lambda g: b"", "not_a_package"),
    "not a zip": (lambda g: b"hello" * 100, "not_a_package"),
    "a zip behind a script": (lambda g: b"#!/bin/sh\n" + g, "not_a_package"),
    "cut in half": (lambda g: g[: len(g) // 2], "not_a_package"),
    "cut at the end": (lambda g: g[:-30], "not_a_package"),
    "climbs out": (lambda g: _signed(_added(g, "../evil.json")), "bad_member"),
    "absolute path": (lambda g: _signed(_added(g, "/etc/cron.d/evil")), "bad_member"),
    "drive letter": (lambda g: _signed(_added(g, "C:\\evil.json")), "bad_member"),
    "backslash": (lambda g: _signed(_added(g, "golden\\..\\evil.json")), "bad_member"),
    "hidden behind a zero": (
        lambda g: _zipped(_added(g, "golden/a.json")).replace(b"golden/a.json", b"golden/a\x00json"),
        "bad_member",
    ),
    "symlink": (lambda g: _zipped(_files(g), _link), "bad_member"),
    "folder": (lambda g: _signed(_added(g, "golden/")), "bad_member"),
    "twice": (lambda g: _zipped(_files(g), again="pipeline.json"), "bad_member"),
    "other case": (lambda g: _signed(_added(g, "Weights.safetensors")), "bad_member"),
    "encrypted": (lambda g: _flags(_zipped(_files(g)), 1), "bad_member"),
    "pickle": (lambda g: _signed(_added(g, "weights.pkl", _PICKLE)), "bad_member"),
    "torch file": (lambda g: _signed(_added(g, "model.pt", _PICKLE)), "bad_member"),
    "torchscript": (lambda g: _signed(_added(g, "model.ts", _PICKLE)), "bad_member"),
    "python": (lambda g: _signed(_added(g, "reader.py", b"import os")), "bad_member"),
    "foreign graph": (lambda g: _signed(_added(g, "model.onnx")), "bad_member"),
    "bundle config": (lambda g: _signed(_added(g, "configs/inference.json", b'{"_target_":"os.system"}')), "bad_member"),
    "bomb": (lambda g: _signed(_with(g, pipeline_DOT_json=b" " * 900_000)), "bomb"),
    "large json": (lambda g: _signed(_with(g, pipeline_DOT_json=_noise_json())), "bomb"),
    "many members": (lambda g: _signed({**_files(g), **{f"golden/a{n}.json": b"{}" for n in range(70)}}), "bomb"),
    "no manifest": (lambda g: _zipped({n: b for n, b in _files(g).items() if n != "manifest.json"}), "missing_member"),
    "no signature": (lambda g: _zipped({n: b for n, b in _files(g).items() if n != "SIGNATURE"}), "missing_member"),
    "no card": (lambda g: _signed(_with(g, card_DOT_json=None)), "bad_manifest"),
    "changed after signing": (lambda g: _zipped(_with(g, pipeline_DOT_json=b'{"mode":"kill"}')), "hash_mismatch"),
    "same size, other bytes": (lambda g: _zipped(_with(g, pipeline_DOT_json=b'{"mode":1 }')), "hash_mismatch"),
    "changed card": (lambda g: _zipped(_json(g, "card.json", licence="Any")), "hash_mismatch"),
    "changed manifest": (lambda g: _zipped(_json(g, "manifest.json", version="9.0.0")), "bad_signature"),
    "signature of nothing": (lambda g: _zipped({**_files(g), "SIGNATURE": b"{}"}), "bad_signature"),
    "wrong signer": (lambda g: _signed(_files(g), _OTHER), "untrusted"),
    "signer renamed": (lambda g: _signed_by_other_name(g), "bad_signature"),
    "unlisted member": (lambda g: _zipped(_added(g, "golden/more.json", b"{}")), "unlisted_member"),
    "listed but absent": (lambda g: _zipped({n: b for n, b in _files(g).items() if n != "arch.json"}), "unlisted_member"),
    "another schema": (lambda g: _signed(_files(g), schema=2), "other_schema"),
    "reader outside the folder": (lambda g: _signed(_files(g), reader="os.path"), "bad_manifest"),
    "unknown manifest key": (lambda g: _signed(_files(g), run="rm"), "bad_manifest"),
    "endless memory": (lambda g: _signed(_files(g), limits={"ram_mb": 10**12}), "bad_manifest"),
    "card of another reader": (lambda g: _signed(_json(g, "card.json", reader_name="lung_ct")), "bad_card"),
    "unknown rule": (lambda g: _signed(_json(g, "select.json", extra={"kind": "volume", "eval": "1"})), "bad_card"),
    "card without kazakh": (lambda g: _signed(_json(g, "card.json", titles={"en": "a", "ru": "b"})), "bad_card"),
    "pipeline no table": (lambda g: _signed(_with(g, pipeline_DOT_json=b"[1]")), "bad_parameters"),
    "pipeline not a number": (lambda g: _signed(_with(g, pipeline_DOT_json=b'{"a":Infinity}')), "bad_parameters"),
    "deep json": (lambda g: _signed(_with(g, pipeline_DOT_json=_deep())), "bad_parameters"),
    "architecture as path": (lambda g: _signed(_arch(g, architecture="os.system")), "bad_parameters"),
    "input of no size": (lambda g: _signed(_arch(g, input_shape=[1, 0, 3, 3])), "bad_parameters"),
    "unknown key of a network": (lambda g: _signed(_arch(g, _target_="os.system")), "bad_parameters"),
    "pickle as weights": (lambda g: _weights(g, _PICKLE), "bad_weights"),
    "zip as weights": (lambda g: _weights(g, g), "bad_weights"),
    "weights not finite": (lambda g: _signed(_bad_float(g, float("nan"))), "weights_not_finite"),
    "weights infinite": (lambda g: _signed(_bad_float(g, float("inf"))), "weights_not_finite"),
    "tensor beyond the end": (
        lambda g: _weights(g, _tensor_file({"finder/a": {"dtype": "F32", "shape": [9], "data_offsets": [0, 36]}}, b"1234")),
        "bad_weights",
    ),
    "tensors overlap": (
        lambda g: _weights(
            g,
            _tensor_file(
                {
                    "finder/a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]},
                    "finder/b": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]},
                },
                bytes(4),
            ),
        ),
        "bad_weights",
    ),
    "negative shape": (
        lambda g: _weights(g, _tensor_file({"finder/a": {"dtype": "F32", "shape": [-1], "data_offsets": [0, 0]}}, b"")),
        "bad_weights",
    ),
    "tensor of no network": (
        lambda g: _weights(g, write_tensors({"other/a": np.ones(1, np.float32)})),
        "bad_weights",
    ),
    "golden of no network": (lambda g: _signed(_json(g, "golden/case.json", network="other")), "bad_golden"),
    "golden with any tolerance": (lambda g: _signed(_json(g, "golden/case.json", tolerance=5.0)), "bad_golden"),
    "golden without numbers": (lambda g: _signed(_with(g, golden__case_DOT_safetensors=None)), "bad_golden"),
    "no golden case": (
        lambda g: _signed(_with(g, golden__case_DOT_safetensors=None, golden__case_DOT_json=None)),
        "bad_golden",
    ),
}


def _noise_json() -> bytes:
    noise = np.random.default_rng(0).integers(0, 10**9, 150_000)
    return canonical_json({"a": noise.tolist()})


def _deep() -> bytes:
    return b'{"a":' + b"".join(b'{"%x":' % n for n in range(20_000)) + b"1" + b"}" * 20_001


def _signed_by_other_name(good: bytes) -> bytes:
    files = _files(_signed(_files(good), _OTHER))
    signature = json.loads(files["SIGNATURE"])
    signature["signatures"][0]["key_id"] = tiny_package.trust().keys[0].key_id
    return _zipped({**files, "SIGNATURE": canonical_json(signature)})


@pytest.mark.parametrize("name", sorted(CORPUS))
def test_a_bad_package_is_refused_by_its_reason(name: str, good: bytes) -> None:
    make, reason = CORPUS[name]
    assert _code(make(good)) == f"ai.package.{reason}"


def test_the_corpus_is_large_enough_and_its_maker_is_right(good: bytes) -> None:
    assert len(CORPUS) >= 40
    assert _opened(_signed(_files(good))).card == tiny_package.card()


def test_a_file_exchanged_after_it_was_chosen_is_refused(good: bytes) -> None:
    digest = _opened(good).digest
    other = build_package(tiny_package.parts(mode="other"), tiny_package.PRIVATE_KEY)
    assert _opened(good, digest).digest == digest
    assert _code(other, digest=digest) == "ai.package.exchanged"


def test_expired_and_revoked_keys_and_packages_are_refused(good: bytes, tmp_path: Path) -> None:
    key = tiny_package.trust().keys[0]
    ends = TrustList(1, (replace(key, valid_until="2026-03-31"),))
    assert open_package(good, ends, today="2026-03-31").digest
    assert _code(good, ends, today="2026-04-01") == "ai.package.key_expired"
    shipped, site = tmp_path / "trust.json", tmp_path / "site.json"
    write_trust(shipped, tiny_package.trust())
    write_trust(site, TrustList(1, (replace(key, revoked=True),)))
    assert _code(good, read_trust(shipped, site)) == "ai.package.key_revoked"
    write_trust(site, TrustList(1, (), (_opened(good).digest,)))
    assert _code(good, read_trust(shipped, site)) == "ai.package.revoked"


def test_a_hospital_may_sign_too(good: bytes) -> None:
    from app.security.package_signing import public_key_of

    ours = json.loads(_files(good)["SIGNATURE"])["signatures"]
    theirs = json.loads(sign_manifest(_files(good)["manifest.json"], _OTHER))["signatures"]
    both = canonical_json({"schema": 1, "signatures": ours + theirs})
    data = _zipped({**_files(good), "SIGNATURE": both})
    hospital = TrustList(1, (TrustedKey("hospital", public_key_of(_OTHER).hex()),))
    assert open_package(data, hospital).head.signed_by.name == "hospital"


def test_a_broken_trust_list_is_a_problem_not_an_empty_list(tmp_path: Path) -> None:
    (tmp_path / "trust.json").write_text('{"schema": 1, "keys": [{"name": "x", "public_key": "zz"}]}')
    with pytest.raises(ProblemError) as caught:
        read_trust(tmp_path / "trust.json")
    assert caught.value.problem.code == "ai.trust.unreadable"
    assert read_trust(tmp_path / "absent.json") == TrustList()


def test_random_damage_is_always_a_problem_and_never_another_error(good: bytes) -> None:
    rng = np.random.default_rng(7)
    whole = _opened(good)
    refused = 0
    for _ in range(300):
        changed = bytearray(good)
        for at in rng.integers(0, len(good), int(rng.integers(1, 4))):
            changed[at] ^= int(rng.integers(1, 256))
        try:
            package = _opened(bytes(changed))
        except ProblemError:
            refused += 1
        else:
            # A byte that carries no content (a time stamp of the container): the content must be what was signed.
            assert package.digest == whole.digest
    assert refused > 200
