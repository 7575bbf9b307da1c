"""Servers that tests start on free loopback ports and stop again: a scripted DICOMweb peer, and a real Orthanc."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import requests

from app.dicom.media_writer import object_uids
from app.sync import multipart

ORTHANC_PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True)
class Step:
    """What the scripted server does with one request. Without a step it behaves as a good archive."""

    kind: str
    """drop_mid_body, store_then_drop, status, portal, empty, forget, fail, redirect, wait."""
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    reason: int = 0
    seconds: float = 0.0


@dataclass
class Seen:
    method: str
    path: str
    headers: dict[str, str]
    length: int
    body: bytes


class ScriptedServer:
    """A DICOMweb archive in memory that misbehaves as told: ``posts`` and ``gets`` are taken from the front."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls
        self.stored: dict[str, bytes] = {}
        self.times_stored: dict[str, int] = {}
        self.posts: list[Step] = []
        self.gets: list[Step] = []
        self.seen: list[Seen] = []
        self.keep_bodies = True
        self.sent_again: list[str] = []
        """UIDs that were sent although they were here already."""
        self.other_bytes: list[str] = []
        """UIDs that were sent with two different contents."""
        self.usually: Callable[[], Step] = lambda: Step("good")
        """What it does when no step is prescribed."""
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: Any) -> None:
                pass

            def handle(self) -> None:
                with contextlib.suppress(OSError):  # a client that does not trust us hangs up
                    super().handle()

            def finish(self) -> None:
                with contextlib.suppress(OSError):
                    super().finish()

            def do_POST(self) -> None:
                server._post(self)

            def do_GET(self) -> None:
                server._get(self)

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        if tls is not None:
            # The handshake belongs to the connection's own thread, else one bad client stops the listener.
            self._http.socket = tls.wrap_socket(self._http.socket, server_side=True, do_handshake_on_connect=False)
        self.port = int(self._http.server_address[1])
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}/dicom-web"

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join(5)

    def __enter__(self) -> ScriptedServer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _note(self, handler: BaseHTTPRequestHandler, body: bytes, length: int) -> None:
        headers = {k.lower(): v for k, v in handler.headers.items()}
        self.seen.append(Seen(handler.command, handler.path, headers, length, body if self.keep_bodies else b""))

    def _post(self, handler: BaseHTTPRequestHandler) -> None:
        length = int(handler.headers.get("Content-Length", 0))
        step = self.posts.pop(0) if self.posts else self.usually()
        if step.kind == "drop_mid_body":
            self._note(handler, handler.rfile.read(length // 2), length)
            _hang_up(handler)
            return
        body = handler.rfile.read(length)
        self._note(handler, body, length)
        parts = [content for _, content in multipart.decode(body, handler.headers["Content-Type"])]
        uids = [object_uids(part)[2] for part in parts]
        for uid, part in zip(uids, parts, strict=True):
            if uid in self.stored:
                (self.sent_again if self.stored[uid] == part else self.other_bytes).append(uid)
        if step.kind in ("good", "store_then_drop", "wait"):
            for uid, part in zip(uids, parts, strict=True):
                self.times_stored[uid] = self.times_stored.get(uid, 0) + 1
                self.stored.setdefault(uid, part)  # as Orthanc: the old bytes stay, and nobody says so
        if step.kind == "wait":
            time.sleep(step.seconds)
        if step.kind == "store_then_drop":
            _hang_up(handler)
        elif step.kind in ("status", "redirect"):
            _answer(handler, step.status, b"", step.headers)
        elif step.kind == "portal":
            _answer(handler, 200, b"<html>Log in to the network</html>", {"Content-Type": "text/html"})
        elif step.kind == "empty":
            _answer(handler, 200, b"{}", {"Content-Type": "application/dicom+json"})
        elif step.kind == "fail":
            _answer(handler, step.status or 409, _stow([], uids, step.reason), {"Content-Type": "application/dicom+json"})
        else:
            _answer(handler, 200, _stow(uids, [], 0), {"Content-Type": "application/dicom+json"})

    def _get(self, handler: BaseHTTPRequestHandler) -> None:
        self._note(handler, b"", 0)
        step = self.gets.pop(0) if self.gets else Step("good")
        if step.kind in ("status", "redirect"):
            _answer(handler, step.status, b"", step.headers)
            return
        if step.kind == "portal":
            _answer(handler, 200, b"<html></html>", {"Content-Type": "text/html"})
            return
        if "/instances/" not in handler.path:
            _answer(handler, 200, b"[]", {"Content-Type": "application/dicom+json"})
            return
        data = self.stored.get(handler.path.rpartition("/")[2])
        if data is None:
            _answer(handler, 404, b"", {})
            return
        body = multipart.encode([data], "b-o-u-n-d", "application/dicom")
        headers = {"Content-Type": 'multipart/related; type="application/dicom"; boundary="b-o-u-n-d"'}
        if step.kind == "drop_mid_body":
            handler.send_response(200)
            for key, value in {**headers, "Content-Length": str(len(body))}.items():
                handler.send_header(key, value)
            handler.end_headers()
            handler.wfile.write(body[: len(body) // 2])
            _hang_up(handler)
            return
        _answer(handler, 200, body, headers)


def _answer(handler: BaseHTTPRequestHandler, status: int, body: bytes, headers: dict[str, str]) -> None:
    handler.send_response(status)
    for key, value in {**headers, "Content-Length": str(len(body))}.items():
        handler.send_header(key, value)
    handler.end_headers()
    handler.wfile.write(body)


def _hang_up(handler: BaseHTTPRequestHandler) -> None:
    handler.close_connection = True
    with contextlib.suppress(OSError):
        handler.connection.shutdown(socket.SHUT_RDWR)


def _stow(kept: list[str], failed: list[str], reason: int) -> bytes:
    def item(uid: str, **more: Any) -> dict[str, Any]:
        return {"00081155": {"vr": "UI", "Value": [uid]}, **more}

    content = {
        "00081199": {"vr": "SQ", "Value": [item(u) for u in kept]},
        "00081198": {
            "vr": "SQ",
            "Value": [item(u, **{"00081197": {"vr": "US", "Value": [reason]}}) for u in failed],
        },
    }
    return json.dumps(content).encode()


def unavailable(what: str) -> None:
    """Skips with the reason, or fails where the servers are required (``REQUIRE_SERVERS=1``)."""
    if os.environ.get("REQUIRE_SERVERS") == "1":
        pytest.fail(f"{what} is required here (REQUIRE_SERVERS=1)")
    pytest.skip(f"{what} is not installed")


class Orthanc:
    """A real archive. ``stop`` and ``start`` play the line going down and coming back on the same port and data."""

    USER, PASSWORD = "ws", "ws-pass"

    def __init__(self, folder: Path, **options: Any) -> None:
        program = shutil.which("Orthanc")
        if program is None or not ORTHANC_PLUGIN.exists():
            unavailable("Orthanc with DICOMweb (Debian packages orthanc, orthanc-dicomweb)")
        self._program = str(program)
        self.folder = folder
        self.port = free_port()
        folder.mkdir(parents=True, exist_ok=True)
        config = {
            "Name": "TESTPACS",
            "DefaultEncoding": "Utf8",
            "StorageDirectory": "db",
            "IndexDirectory": "db",
            "Plugins": [str(ORTHANC_PLUGIN)],
            "RemoteAccessAllowed": False,
            "HttpPort": self.port,
            "SslEnabled": False,
            "AuthenticationEnabled": True,
            "RegisteredUsers": {self.USER: self.PASSWORD},
            "DicomServerEnabled": False,
            "OverwriteInstances": False,
            "DicomWeb": {"Enable": True, "Root": "/dicom-web/", "EnableWado": False, "StudiesMetadata": "Full"},
            **options,
        }
        (folder / "orthanc.json").write_text(json.dumps(config))
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/dicom-web"

    def start(self) -> None:
        log = (self.folder / "log").open("ab")
        self._process = subprocess.Popen(  # noqa: S603
            [self._program, "orthanc.json"], cwd=self.folder, stdout=log, stderr=log
        )
        log.close()
        end = time.monotonic() + 60
        while time.monotonic() < end:
            if self._process.poll() is not None:
                raise RuntimeError((self.folder / "log").read_text(errors="replace")[-2000:])
            try:
                answer = requests.get(f"{self.url}/studies?limit=1", auth=(self.USER, self.PASSWORD), timeout=2)
                if answer.status_code in (200, 204):
                    return
            except requests.RequestException:
                pass
            time.sleep(0.1)
        self.stop()
        raise RuntimeError("Orthanc did not answer within a minute")

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(30)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait(10)
            self._process = None

    def count(self) -> int:
        answer = requests.get(f"http://127.0.0.1:{self.port}/statistics", auth=(self.USER, self.PASSWORD), timeout=10)
        return int(answer.json()["CountInstances"])


@contextlib.contextmanager
def running_orthanc(folder: Path, **options: Any) -> Iterator[Orthanc]:
    server = Orthanc(folder, **options)
    try:
        yield server
    finally:
        server.stop()
