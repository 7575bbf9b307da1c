"""One suite for all targets, then what only one of them can meet."""

from __future__ import annotations

import os
from collections.abc import Callable
from email.utils import formatdate
from pathlib import Path

import pytest

from app.domain.problem import ProblemError
from app.sync import multipart
from app.sync.discovery import find_kinds, make_target
from app.sync.target import Differs, NotThere, Refused, Retryable, StorageTarget, SyncError, Unauthorised
from app.sync.targets.dicomweb import DicomWebSettings, DicomWebTarget
from app.sync.targets.folder import FolderTarget
from tests.servers import ScriptedServer, Step, free_port
from tests.store.conftest import HandClock
from tests.sync.objects import TARGET, item_of, pdf_object

DATA = pdf_object()
ITEM = item_of(DATA)
OTHER = pdf_object("one", b"other words")


@pytest.fixture(params=["folder", "dicomweb"])
def target(request: pytest.FixtureRequest, tmp_path: Path, server: ScriptedServer, clock: HandClock) -> StorageTarget:
    if request.param == "folder":
        return FolderTarget(TARGET, tmp_path / "archive", clock)
    return DicomWebTarget(DicomWebSettings(TARGET, server.url, "ws", "secret"), clock)


def test_sending_is_not_proof_and_proof_is_equal_bytes(target: StorageTarget) -> None:
    assert target.check().up
    with pytest.raises(NotThere):
        target.prove(ITEM, DATA)
    receipt = target.send(ITEM, DATA)
    assert (receipt.level, receipt.sha256_read_back) == ("accepted", "")
    proof = target.prove(ITEM, DATA)
    assert (proof.level, proof.sha256_read_back, proof.sha256_sent) == ("verified", ITEM.sha256, ITEM.sha256)
    assert proof.checked_at.startswith("2027-01-15T")
    target.finish()


def test_the_same_object_again_changes_nothing(target: StorageTarget) -> None:
    target.send(ITEM, DATA)
    target.send(ITEM, DATA)
    assert target.prove(ITEM, DATA).level == "verified"


def test_other_bytes_under_our_uid_are_a_conflict(target: StorageTarget) -> None:
    target.send(item_of(OTHER), OTHER)

    def deliver() -> None:
        target.send(ITEM, DATA)  # a folder sees it at once, a server that keeps the old bytes says nothing...
        target.prove(ITEM, DATA)  # ...and is found out here

    with pytest.raises(Differs) as caught:
        deliver()
    assert caught.value.problem.code == "sync.other_bytes_there"
    assert target.prove(item_of(OTHER), OTHER).level == "verified"


@pytest.fixture
def web(server: ScriptedServer, clock: HandClock) -> DicomWebTarget:
    return DicomWebTarget(DicomWebSettings(TARGET, server.url, "ws", "secret", read_timeout_s=5.0), clock)


SENDING = [
    (Step("drop_mid_body"), Retryable, "sync.line_down"),
    (Step("store_then_drop"), Retryable, "sync.line_down"),
    (Step("status", 401), Unauthorised, "sync.not_authorised"),
    (Step("status", 403), Unauthorised, "sync.not_authorised"),
    (Step("status", 409), Refused, "sync.conflict_there"),
    (Step("fail", 409, reason=272), Refused, "sync.refused_there"),
    (Step("fail", 200, reason=0xA700), Retryable, "sync.server_full"),
    (Step("fail", 200, reason=0x0124), Unauthorised, "sync.not_authorised"),
    (Step("status", 413), Refused, "sync.too_large_there"),
    (Step("status", 415), Refused, "sync.wrong_address"),
    (Step("status", 404), Refused, "sync.wrong_address"),
    (Step("status", 400), Refused, "sync.refused_status"),
    (Step("status", 429), Retryable, "sync.server_busy"),
    (Step("status", 500), Retryable, "sync.server_busy"),
    (Step("status", 503), Retryable, "sync.server_busy"),
    (Step("portal"), Retryable, "sync.not_a_dicom_server"),
    (Step("empty"), Retryable, "sync.nothing_stored"),
    (Step("status", 200), Retryable, "sync.nothing_stored"),
    (Step("redirect", 302, {"Location": "http://127.0.0.1:9/x"}), Refused, "sync.redirected"),
    (Step("redirect", 307, {"Location": "https://elsewhere.example/x"}), Refused, "sync.redirected"),
]


@pytest.mark.parametrize(("step", "error", "code"), SENDING, ids=[f"{s.kind}-{s.status}-{s.reason}" for s, *_ in SENDING])
def test_what_a_server_says_while_sending(
    web: DicomWebTarget, server: ScriptedServer, step: Step, error: type[SyncError], code: str
) -> None:
    server.posts = [step]
    with pytest.raises(error) as caught:
        web.send(ITEM, DATA)
    assert type(caught.value) is error
    assert caught.value.problem.code == code
    assert caught.value.problem.kept_safe == "safe.in_outbox"
    assert len(server.seen) == 1  # no redirect was followed, nothing was tried twice behind our back


READING = [
    (Step("status", 404), NotThere, "sync.not_there"),
    (Step("status", 401), Unauthorised, "sync.not_authorised"),
    (Step("status", 503, {"Retry-After": "7"}), Retryable, "sync.server_busy"),
    (Step("portal"), Retryable, "sync.not_a_dicom_server"),
    (Step("drop_mid_body"), Retryable, "sync.line_down"),
    (Step("redirect", 301, {"Location": "http://127.0.0.1:9/x"}), Refused, "sync.redirected"),
]


@pytest.mark.parametrize(("step", "error", "code"), READING, ids=[f"{s.kind}-{s.status}" for s, *_ in READING])
def test_what_a_server_says_while_reading_back(
    web: DicomWebTarget, server: ScriptedServer, step: Step, error: type[SyncError], code: str
) -> None:
    web.send(ITEM, DATA)
    server.gets = [step]
    with pytest.raises(error) as caught:
        web.prove(ITEM, DATA)
    assert caught.value.problem.code == code
    assert web.prove(ITEM, DATA).level == "verified"


def test_retry_after_in_both_forms(web: DicomWebTarget, server: ScriptedServer, clock: HandClock) -> None:
    for value, seconds in (
        ("120", 120.0),
        (formatdate(clock.wall + 90, usegmt=True), 90.0),
        ("soon", None),
        (formatdate(clock.wall - 90, usegmt=True), 0.0),
    ):
        server.posts = [Step("status", 503, {"Retry-After": value})]
        with pytest.raises(Retryable) as caught:
            web.send(ITEM, DATA)
        assert caught.value.retry_after_s == seconds


def test_a_duplicate_is_decided_by_reading_back(web: DicomWebTarget, server: ScriptedServer) -> None:
    web.send(ITEM, DATA)
    server.posts = [Step("fail", 409, reason=0x0111)]
    assert web.send(ITEM, DATA).level == "accepted"
    assert web.prove(ITEM, DATA).level == "verified"


def test_an_answer_that_never_comes(server: ScriptedServer, clock: HandClock) -> None:
    server.posts = [Step("wait", seconds=1.0)]
    slow = DicomWebTarget(DicomWebSettings(TARGET, server.url, read_timeout_s=0.2), clock)
    with pytest.raises(Retryable) as caught:
        slow.send(ITEM, DATA)
    assert caught.value.problem.code == "sync.no_answer_in_time"


def test_nobody_listens(clock: HandClock) -> None:
    web = DicomWebTarget(DicomWebSettings(TARGET, f"http://127.0.0.1:{free_port()}/dicom-web"), clock)
    with pytest.raises(Retryable, match="sync.line_down"):
        web.send(ITEM, DATA)
    health = web.check()
    assert not health.up
    assert health.problem is not None
    assert health.problem.code == "sync.line_down"


def test_health_tells_a_portal_and_a_wrong_password(web: DicomWebTarget, server: ScriptedServer) -> None:
    for step, code in ((Step("portal"), "sync.not_a_dicom_server"), (Step("status", 401), "sync.not_authorised")):
        server.gets = [step]
        health = web.check()
        assert health.problem is not None
        assert (health.up, health.problem.code) == (False, code)


def test_the_environment_changes_nothing(
    server: ScriptedServer, clock: HandClock, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login evil password evil\n")
    os.chmod(tmp_path / ".netrc", 0o600)
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "absent.pem"))
    web = DicomWebTarget(DicomWebSettings(TARGET, server.url), clock)
    assert web.send(ITEM, DATA).level == "accepted"
    assert "authorization" not in server.seen[0].headers


def test_one_object_travels_whole(web: DicomWebTarget, server: ScriptedServer) -> None:
    web.send(ITEM, DATA)
    (seen,) = server.seen
    assert seen.path.endswith(f"/studies/{ITEM.study_instance_uid}")
    assert [content for _, content in multipart.decode(seen.body, seen.headers["content-type"])] == [DATA]


@pytest.mark.parametrize("url", ["http://pacs.example/dicom-web", "ftp://x/", "https://me:pw@pacs.example/", "pacs"])
def test_an_unsafe_address_is_refused(url: str, clock: HandClock) -> None:
    with pytest.raises(ValueError, match="url"):
        DicomWebSettings(TARGET, url)
    with pytest.raises(ProblemError, match="sync.bad_settings"):
        make_target(TARGET, "dicomweb", {"url": url}, clock)


def test_secrets_are_not_printed() -> None:
    assert "secret" not in repr(DicomWebSettings(TARGET, "https://x/", "ws", "secret", "secret"))


def test_a_missing_authority_file_sends_nothing(server: ScriptedServer, clock: HandClock) -> None:
    web = DicomWebTarget(DicomWebSettings(TARGET, "https://127.0.0.1:1/x", ca_file="/nowhere/ca.pem"), clock)
    with pytest.raises(Retryable) as caught:
        web.send(ITEM, DATA)
    assert caught.value.problem.code in ("sync.ca_file_missing", "sync.tls_not_trusted")


def test_every_target_file_is_found_and_a_broken_one_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import app.sync.targets as package

    assert set(find_kinds().makers) == {"folder", "dicomweb"}
    assert find_kinds().problems == ()
    (tmp_path / "ruined.py").write_text("KIND = 'ruined'\nraise RuntimeError\n")
    monkeypatch.setattr(package, "__path__", [*package.__path__, str(tmp_path)])
    kinds = find_kinds()
    assert set(kinds.makers) == {"folder", "dicomweb"}
    assert [p.params["file"] for p in kinds.problems] == ["ruined.py"]


def test_an_unknown_kind(clock: HandClock) -> None:
    with pytest.raises(ProblemError, match="sync.unknown_kind"):
        make_target(TARGET, "carrier_pigeon", {}, clock)
    with pytest.raises(ProblemError, match="sync.bad_settings"):
        make_target(TARGET, "folder", {}, clock)


def test_a_full_disk_waits(tmp_path: Path, clock: HandClock, monkeypatch: pytest.MonkeyPatch) -> None:
    from app.dicom import media_writer

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    folder = FolderTarget(TARGET, tmp_path / "archive", clock)
    with monkeypatch.context() as patch:
        patch.setattr(media_writer.os, "fsync", full)
        with pytest.raises(Retryable, match="sync.folder_full"):
            folder.send(ITEM, DATA)
    assert folder.send(ITEM, DATA).level == "accepted"
    assert folder.prove(ITEM, DATA).level == "verified"


def test_a_stick_that_was_pulled_out(tmp_path: Path, clock: HandClock) -> None:
    root = tmp_path / "stick"
    folder = FolderTarget(TARGET, root, clock)
    folder.send(ITEM, DATA)
    root.rename(tmp_path / "elsewhere")
    with pytest.raises(Retryable, match="sync.folder_away"):
        folder.prove(ITEM, DATA)


def test_a_flipped_bit_on_disk_is_not_proof(tmp_path: Path, clock: HandClock) -> None:
    folder = FolderTarget(TARGET, tmp_path / "archive", clock)
    folder.send(ITEM, DATA)
    (file,) = [p for p in (tmp_path / "archive" / "DICOM").rglob("*") if p.is_file()]
    changed = bytearray(DATA)
    changed[-3] ^= 1
    file.write_bytes(changed)
    with pytest.raises(Differs):
        folder.prove(ITEM, DATA)


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"", "multipart/related; boundary=x"),
        (b"--x\r\n\r\nabc", "multipart/related; boundary=x"),
        (b"--x\r\n\r\nabc\r\n--x", "text/html"),
        (b"--x--", "multipart/related"),
    ],
)
def test_what_is_not_multipart_is_said(body: bytes, content_type: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        multipart.decode(body, content_type)


def test_multipart_keeps_every_byte() -> None:
    make: Callable[[int], bytes] = lambda n: bytes(range(256)) * n + b"\r\n--"  # noqa: E731
    parts = [make(1), b"", b"\r\n", make(3)]
    body = multipart.encode(parts, "bnd", "application/dicom")
    assert [content for _, content in multipart.decode(body, 'multipart/related; boundary="bnd"')] == parts
    with pytest.raises(ValueError, match="boundary"):
        multipart.encode([b"--bnd"], "bnd", "x")
