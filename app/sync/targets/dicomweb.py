"""A DICOMweb archive: STOW-RS, then WADO-RS read-back with a SHA-256 comparison (PS3.18 10.5, 10.4).

A 2xx is not proof of delivery: servers answer it to objects that they do not keep, and to other bytes under a UID that
they have. So ``send`` believes only a Referenced SOP Sequence that names our UID, and ``prove`` only equal bytes.
"""

from __future__ import annotations

import hashlib
import ipaddress
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import requests
import urllib3

from app.dicom.media_writer import object_uids
from app.domain.outbox import OutboxItem, Receipt
from app.domain.ports import Clock
from app.domain.problem import ProblemError
from app.sync import multipart
from app.sync.target import Differs, NotThere, Refused, Retryable, SyncError, TargetHealth, Unauthorised, problem

KIND = "dicomweb"
_REFERENCED, _FAILED = "00081199", "00081198"
_UID, _REASON = "00081155", "00081197"
_DUPLICATE = 0x0111
_NOT_AUTHORISED = 0x0124
_ANSWER_LIMIT = 4 << 20
_CHUNK = 1 << 16
_BUSY = {408, 425, 429, 500, 502, 503, 504, 507}
_WRONG_ADDRESS = {404, 405, 406, 410, 415}


@dataclass(frozen=True)
class DicomWebSettings:
    name: str
    url: str
    """Base, such as https://pacs.example/dicom-web."""
    username: str = ""
    password: str = field(default="", repr=False)
    token: str = field(default="", repr=False)
    """Bearer token; used when there is no user name."""
    ca_file: str = ""
    """PEM of the authorities trusted for this target alone; empty = those of the system."""
    proxy: str = ""
    connect_timeout_s: float = 10.0
    read_timeout_s: float = 60.0

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError('"url" must be http(s)://host...')
        if parts.username or parts.password:
            raise ValueError('"url" must not hold a user name or password')
        if parts.scheme == "http" and not is_loopback(parts.hostname):
            raise ValueError('"url" must be https unless the server is on this computer')

    @property
    def base(self) -> str:
        return self.url.rstrip("/")

    @property
    def host(self) -> str:
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.hostname}" + (f":{parts.port}" if parts.port else "")


def is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class DicomWebTarget:
    def __init__(self, settings: DicomWebSettings, clock: Clock) -> None:
        self.name = settings.name
        self._settings = settings
        self._clock = clock

    def _session(self) -> requests.Session:
        session = requests.Session()
        # The environment must not replace our authorities or add a proxy or credentials (.netrc) behind our back.
        session.trust_env = False
        if self._settings.ca_file:
            session.verify = self._settings.ca_file
        if self._settings.proxy:
            session.proxies = {"http": self._settings.proxy, "https": self._settings.proxy}
        if self._settings.username:
            session.auth = (self._settings.username.encode(), self._settings.password.encode())
        elif self._settings.token:
            session.headers["Authorization"] = f"Bearer {self._settings.token}"
        return session

    def check(self) -> TargetHealth:
        try:
            status, headers, _ = self._ask("GET", "/studies?limit=1", {"Accept": "application/dicom+json"})
            if status not in (200, 204):
                self._say_no(status, headers, b"")
            if status == 200 and "json" not in headers.get("content-type", ""):
                raise Retryable(problem("sync.not_a_dicom_server", next_step="next.check_line"))
        except SyncError as error:
            return TargetHealth(False, error.problem, self._settings.host)
        return TargetHealth(True, detail=self._settings.host)

    def send(self, item: OutboxItem, data: bytes) -> Receipt:
        boundary = f"ekinshi-{secrets.token_hex(16)}"
        started = time.monotonic()
        status, headers, answer = self._ask(
            "POST",
            f"/studies/{item.study_instance_uid}",
            {
                "Accept": "application/dicom+json",
                "Content-Type": f'multipart/related; type="application/dicom"; boundary={boundary}',
            },
            multipart.encode([data], boundary, "application/dicom"),
        )
        kept, failed = _stow_answer(answer)
        reason = failed.get(item.sop_instance_uid)
        if reason is not None:
            self._judge_failure(reason)
        elif item.sop_instance_uid not in kept:
            if status in (200, 202):
                self._nothing_stored(headers)
            self._say_no(status, headers, answer)
        details = {
            "status": str(status),
            "milliseconds": str(round(1000 * (time.monotonic() - started))),
            "answer_sha256": hashlib.sha256(answer).hexdigest(),
        }
        return self._receipt(item, "accepted", details)

    def prove(self, item: OutboxItem, data: bytes) -> Receipt:
        try:
            study, series, sop = object_uids(data)
        except ProblemError as error:
            raise Refused(problem("sync.not_an_object", next_step="next.tell_support")) from error
        status, headers, answer = self._ask(
            "GET",
            f"/studies/{study}/series/{series}/instances/{sop}",
            {"Accept": 'multipart/related; type="application/dicom"; transfer-syntax=*'},
            limit=2 * len(data) + _ANSWER_LIMIT,
        )
        if status in (404, 410):
            raise NotThere(problem("sync.not_there"))
        if status != 200:
            self._say_no(status, headers, answer)
        try:
            parts = multipart.decode(answer, headers.get("content-type", ""))
        except ValueError as error:
            raise Retryable(problem("sync.not_a_dicom_server", next_step="next.check_line")) from error
        digests = {hashlib.sha256(content).hexdigest() for _, content in parts}
        if item.sha256 not in digests:
            if not parts:
                raise NotThere(problem("sync.not_there"))
            raise Differs(problem("sync.other_bytes_there", next_step="next.compare_copies"))
        return self._receipt(item, "verified", {"status": str(status)}, item.sha256)

    def finish(self) -> None:
        """Nothing: the server keeps its own index."""

    def _receipt(self, item: OutboxItem, level: str, details: Mapping[str, str], read_back: str = "") -> Receipt:
        return Receipt(
            item_id=item.item_id,
            target=self.name,
            sop_instance_uid=item.sop_instance_uid,
            level=level,
            sha256_sent=item.sha256,
            sha256_read_back=read_back,
            checked_at=self._clock.now_iso(),
            server=self._settings.host,
            details=details,
        )

    def _ask(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes | None = None, limit: int = _ANSWER_LIMIT
    ) -> tuple[int, Mapping[str, str], bytes]:
        """(status, headers in lower case, body). Redirects are not followed: credentials and bodies stay here."""
        timeout = (self._settings.connect_timeout_s, self._settings.read_timeout_s)
        try:
            with (
                self._session() as session,
                session.request(
                    method,
                    self._settings.base + path,
                    headers=dict(headers),
                    data=body,
                    timeout=timeout,
                    allow_redirects=False,
                    stream=True,
                ) as response,
            ):
                content = bytearray()
                for chunk in response.iter_content(_CHUNK):
                    content += chunk
                    if len(content) > limit:
                        raise Retryable(problem("sync.answer_too_long"))
                found = {k.lower(): v for k, v in response.headers.items()}
                return int(response.status_code), found, bytes(content)
        except requests.exceptions.SSLError as error:
            raise Retryable(problem("sync.tls_not_trusted", next_step="next.check_certificate")) from error
        except requests.exceptions.Timeout as error:
            raise Retryable(problem("sync.no_answer_in_time")) from error
        except requests.exceptions.ConnectionError as error:
            raise Retryable(problem("sync.line_down")) from error
        except OSError as error:  # requests' own errors are OSErrors; also a CA file that is not there
            if not isinstance(error, requests.exceptions.RequestException):
                raise Retryable(problem("sync.ca_file_missing", next_step="next.check_certificate")) from error
            raise Retryable(problem("sync.line_down")) from error
        except urllib3.exceptions.HTTPError as error:
            raise Retryable(problem("sync.line_down")) from error

    def _judge_failure(self, reason: int) -> None:
        if reason == _DUPLICATE:
            return  # it is there already; the read-back tells whether with our bytes
        if reason == _NOT_AUTHORISED:
            raise Unauthorised(problem("sync.not_authorised", next_step="next.correct_access", status=200))
        if 0xA700 <= reason <= 0xA7FF:
            raise Retryable(problem("sync.server_full", next_step="next.tell_archive", reason=f"{reason:04X}"))
        raise Refused(problem("sync.refused_there", next_step="next.tell_archive", reason=f"{reason:04X}"))

    def _nothing_stored(self, headers: Mapping[str, str]) -> None:
        if "json" not in headers.get("content-type", "") and headers.get("content-length") != "0":
            # A captive portal or a proxy's login page answers 200 to everything.
            raise Retryable(problem("sync.not_a_dicom_server", next_step="next.check_line"))
        raise Retryable(problem("sync.nothing_stored", next_step="next.tell_archive"))

    def _say_no(self, status: int, headers: Mapping[str, str], answer: bytes) -> None:
        """Raises what an unexpected status means."""
        if status == 401 or status == 403:
            raise Unauthorised(problem("sync.not_authorised", next_step="next.correct_access", status=status))
        if status == 413:
            raise Refused(problem("sync.too_large_there", next_step="next.tell_archive"))
        if status in _BUSY:
            raise Retryable(problem("sync.server_busy", status=status), _retry_after(headers, self._clock))
        if 300 <= status < 400:
            raise Refused(problem("sync.redirected", next_step="next.correct_address", status=status))
        if status in _WRONG_ADDRESS:
            raise Refused(problem("sync.wrong_address", next_step="next.correct_address", status=status))
        if status == 409:
            raise Refused(problem("sync.conflict_there", next_step="next.tell_archive"))
        if status in (200, 202, 204):
            raise Retryable(problem("sync.not_a_dicom_server", next_step="next.check_line"))
        raise Refused(problem("sync.refused_status", next_step="next.tell_archive", status=status))


def _retry_after(headers: Mapping[str, str], clock: Clock) -> float | None:
    """Seconds, from either form of Retry-After (RFC 9110 10.2.3); None when absent or nonsense."""
    value = headers.get("retry-after", "").strip()
    if value.isdigit():
        return float(value)
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - clock.wall_s()) if value else None
    except (ValueError, TypeError):
        return None


def _stow_answer(answer: bytes) -> tuple[set[str], dict[str, int]]:
    """(UIDs kept, UID to failure reason) of a store response (PS3.18 I.2); empty for anything else."""
    import json

    try:
        content = json.loads(answer)
    except ValueError:
        return set(), {}
    if isinstance(content, list):
        content = content[0] if content else {}
    if not isinstance(content, dict):
        return set(), {}
    kept = {uid for item in _items(content, _REFERENCED) if (uid := _first(item, _UID))}
    failed = {}
    for item in _items(content, _FAILED):
        uid, reason = _first(item, _UID), _first(item, _REASON)
        if uid:
            failed[str(uid)] = reason if isinstance(reason, int) else 0x0110
    return {str(uid) for uid in kept}, failed


def _items(content: Mapping[str, Any], tag: str) -> list[Any]:
    element = content.get(tag)
    value = element.get("Value") if isinstance(element, dict) else None
    return value if isinstance(value, list) else []


def _first(item: Any, tag: str) -> Any:
    element = item.get(tag) if isinstance(item, dict) else None
    value = element.get("Value") if isinstance(element, dict) else None
    return value[0] if isinstance(value, list) and value else None


def make(name: str, settings: Mapping[str, str], clock: Clock) -> DicomWebTarget:
    """``settings``: ``url``, and optionally ``username``, ``password``, ``token``, ``ca_file``, ``proxy``."""
    return DicomWebTarget(
        DicomWebSettings(
            name,
            settings["url"],
            username=settings.get("username", ""),
            password=settings.get("password", ""),
            token=settings.get("token", ""),
            ca_file=settings.get("ca_file", ""),
            proxy=settings.get("proxy", ""),
        ),
        clock,
    )
