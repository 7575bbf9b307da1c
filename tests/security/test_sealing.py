"""The seal, the secrets box and package signatures."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from app.domain.problem import ProblemError
from app.security import package_signing as signing
from app.security.keys import KeyringKeyProvider, MemoryKeyProvider
from app.security.sealing import generate_seal_pair, padded_size, seal, seal_pair, unseal
from app.security.secrets_box import EncryptedFileBox, KeyringBox, MemoryBox, open_box, seal_keys
from tests.security.test_keys import backend_class, ring


@pytest.mark.parametrize("size", [0, 1, 65_528, 65_529, 1_000_000, 5_000_001])
def test_only_the_holder_opens_and_lengths_tell_little(size: int) -> None:
    pair = generate_seal_pair()
    content = bytes([size % 251]) * size
    blob = seal(pair.public_key, content)
    assert unseal(pair.private_key, blob) == content
    assert len(blob) == 40 + padded_size(size + 8) + 16
    assert seal(pair.public_key, content) != blob


def test_results_with_and_without_findings_have_one_length() -> None:
    pair = generate_seal_pair()
    assert len(seal(pair.public_key, b"[]")) == len(seal(pair.public_key, b"[" + b"finding," * 5000 + b"]"))


def test_buckets_are_few_and_waste_little() -> None:
    sizes = [padded_size(n) for n in range(1, 1 << 22, 4001)]
    assert len(set(sizes)) < 20
    assert sizes == sorted(sizes)
    assert all(padded_size(n) >= n for n in (1, 65536, 65537, 1 << 20, (1 << 20) + 1, 123_456_789))
    assert padded_size(123_456_789) < 1.15 * 123_456_789


def test_a_changed_byte_another_key_and_garbage_are_refused() -> None:
    pair = generate_seal_pair()
    blob = seal(pair.public_key, b"nodule 7 mm")
    assert b"nodule" not in blob
    for where in (0, 10, 39, 40, 5000, len(blob) - 1):
        changed = bytearray(blob)
        changed[where] ^= 1
        with pytest.raises(ProblemError, match=r"seal\.damaged"):
            unseal(pair.private_key, bytes(changed))
    for forged in (b"", blob[:39], blob[:-1], b"EKSEAL1\n" + bytes(32) + bytes(100)):
        with pytest.raises(ProblemError, match=r"seal\.damaged"):
            unseal(pair.private_key, forged)
    with pytest.raises(ProblemError, match=r"seal\.damaged"):
        unseal(generate_seal_pair().private_key, blob)


def test_the_private_key_is_not_printed() -> None:
    pair = generate_seal_pair()
    assert repr(pair.private_key) not in repr(pair)
    assert pair.private_key.hex() not in repr(pair)
    assert seal_pair(pair.private_key) == pair


def boxes(tmp_path: Path):
    return [MemoryBox(), EncryptedFileBox(tmp_path, bytes(32)), KeyringBox(tmp_path, ring())]


@pytest.mark.parametrize("which", [0, 1, 2])
def test_boxes_keep_replace_and_forget(tmp_path: Path, which: int) -> None:
    box = boxes(tmp_path)[which]
    assert box.get("token") is None
    box.put("token", b"one")
    box.put("token", b"two\x00")
    assert box.get("token") == b"two\x00"
    box.remove("token")
    box.remove("token")
    assert box.get("token") is None


def test_file_box_is_encrypted_bound_and_checked(tmp_path: Path) -> None:
    box = EncryptedFileBox(tmp_path, bytes(32))
    box.put("one", b"very secret")
    box.put("two", b"other")
    path = tmp_path / "secrets" / "one.json"
    assert b"very secret" not in path.read_bytes()
    assert b"very secret".hex().encode() not in path.read_bytes()
    for content in (b"{}", b"x", (tmp_path / "secrets" / "two.json").read_bytes(), json.dumps({"nonce": "", "sealed": ""})):
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        with pytest.raises(ProblemError, match="secret_damaged"):
            box.get("one")
    with pytest.raises(ProblemError, match="secret_damaged"):
        EncryptedFileBox(tmp_path, bytes([1]) * 32).get("two")
    for name in ("../x", "", "a/b", "ә", "x" * 65):
        with pytest.raises(ValueError, match="name"):
            box.get(name)


def test_the_seal_s_keys_are_made_once_per_home(tmp_path: Path) -> None:
    keys = MemoryKeyProvider()
    pair = seal_keys(open_box(tmp_path, keys))
    assert seal_keys(open_box(tmp_path, keys)) == pair
    backend = ring()
    provider = KeyringKeyProvider(backend)
    provider.master_key(tmp_path / "ring", True)
    in_ring = seal_keys(open_box(tmp_path / "ring", provider))
    assert seal_keys(open_box(tmp_path / "ring", provider)) == in_ring
    assert not (tmp_path / "ring" / "secrets").exists()
    assert len(backend.held) == 2
    with pytest.raises(ProblemError, match="keyring_refused"):
        KeyringBox(tmp_path, backend_class("keyrings.alt.file", "PlaintextKeyring")())


def test_package_signatures() -> None:
    key = signing.generate_signing_key()
    public = signing.public_key_of(key)
    signature = signing.sign(key, b"manifest")
    assert len(signature) == signing.SIGNATURE_BYTES
    assert signing.sign(key, b"manifest") == signature
    assert signing.verify(public, b"manifest", signature)
    assert not signing.verify(public, b"manifest ", signature)
    assert not signing.verify(public, b"manifest", signature[:-1] + bytes([signature[-1] ^ 1]))
    assert not signing.verify(public, b"manifest", b"")
    assert not signing.verify(b"", b"manifest", signature)
    assert not signing.verify(signing.public_key_of(signing.generate_signing_key()), b"manifest", signature)


def test_the_signature_is_the_one_of_the_standard() -> None:
    """RFC 8032 7.1, test 2."""
    key = bytes.fromhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb")
    assert signing.public_key_of(key).hex() == "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"
    assert signing.sign(key, b"\x72").hex() == (
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
    )
