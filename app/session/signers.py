"""The signing certificate of this workstation: a PKCS#12 file, kept in the secrets box; its PIN is kept nowhere."""

from __future__ import annotations

import json

from app.security.certificates import make_demo_certificate
from app.security.secrets_box import SecretsBox

DEMO_PIN = "246810"
"""Of the test certificate that a demonstration store makes for itself; it protects nothing and is shown on the screen."""

_FILE = "signing-certificate"
_ABOUT = "signing-certificate-about"


class BoxSigner:
    """``Signer`` of the report desk."""

    def __init__(self, box: SecretsBox) -> None:
        self._box = box

    def _about(self) -> dict[str, object]:
        stored = self._box.get(_ABOUT)
        return dict(json.loads(stored)) if stored else {}

    def certificate_file(self) -> tuple[bytes, str] | None:
        content = self._box.get(_FILE)
        return (content, str(self._about().get("name", ""))) if content else None

    def choose(self, content: bytes, name: str) -> None:
        self._keep(content, name, test=False)

    def _keep(self, content: bytes, name: str, *, test: bool) -> None:
        self._box.put(_FILE, content)
        self._box.put(_ABOUT, json.dumps({"name": name, "test": test}).encode())

    def make_demo(self, name: str, pin: str) -> None:
        """A test certificate for a demonstration store; every document that it signs says so."""
        self._keep(make_demo_certificate(name, pin), name, test=True)

    @property
    def is_test(self) -> bool:
        return bool(self._about().get("test"))
