"""Makes the key that signs packages: ``python -m app.ai.training.signing_key``.

The private key lies in the person's own configuration folder, never in the repository. With ``--trust FILE`` its public
half is added to a list of trusted keys (``resources/models/trust.json`` for packages that ship with the program).
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from app.ai.trust import TrustedKey, TrustList, read_trust, write_trust
from app.domain.resources import resource_path


def key_path() -> Path:
    """``EKINSHI_SIGNING_KEY``, else the platform's configuration folder."""
    configured = os.environ.get("EKINSHI_SIGNING_KEY")
    if configured:
        return Path(configured)
    if sys.platform == "win32":
        base = Path(os.environ.get("APPDATA", str(Path.home())))
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Application Support"
    else:
        base = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    return base / "ekinshi" / "package-signing.key"


def private_key(make: bool = False) -> bytes:
    """32 bytes. Raises ``FileNotFoundError`` when there is none and ``make`` is off, ``ValueError`` when it is damaged."""
    from app.security.package_signing import KEY_BYTES, generate_signing_key

    path = key_path()
    if make and not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(generate_signing_key().hex() + "\n")
    key = bytes.fromhex(path.read_text(encoding="ascii").strip())
    if len(key) != KEY_BYTES:
        raise ValueError(f"{path} does not hold a key")
    return key


def add_to_trust(path: Path, name: str, public_key: bytes) -> bool:
    """True when the list grew."""
    trust = read_trust(path)
    if any(key.public_key == public_key.hex() for key in trust.keys):
        return False
    write_trust(path, TrustList(1, (*trust.keys, TrustedKey(name, public_key.hex())), trust.revoked_packages))
    return True


def main() -> None:
    from app.security.package_signing import public_key_of

    parser = argparse.ArgumentParser(description="Make, or show, the key that signs second-reader packages.")
    parser.add_argument("--name", default="Ekinshi developers")
    parser.add_argument("--trust", type=Path, default=resource_path("models") / "trust.json")
    given = parser.parse_args()
    public = public_key_of(private_key(make=True))
    grew = add_to_trust(given.trust, given.name, public)
    print(f"private key: {key_path()}")
    print(f"public key:  {public.hex()}")
    print(f"{given.trust.name}: {'added' if grew else 'already there'}")


if __name__ == "__main__":
    main()
