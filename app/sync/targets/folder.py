"""The embedded archive: a folder with a DICOMDIR, on this PC, a share or a stick. Read back from disk as proof."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from app.dicom.media_writer import MediaFolder
from app.domain.outbox import OutboxItem, Receipt
from app.domain.ports import Clock
from app.domain.problem import ProblemError
from app.sync.target import Differs, NotThere, Refused, Retryable, TargetHealth, problem

KIND = "folder"


class FolderTarget:
    def __init__(self, name: str, root: Path, clock: Clock) -> None:
        self.name = name
        self.root = root
        self._media = MediaFolder(root)
        self._clock = clock

    def check(self) -> TargetHealth:
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            probe = self.root / ".ekinshi-probe"
            probe.write_bytes(b"")
            probe.unlink()
            self._media.sweep()
        except OSError as error:
            return TargetHealth(False, _disk(error).problem, self.root.name)
        return TargetHealth(True, detail=self.root.name)

    def send(self, item: OutboxItem, data: bytes) -> Receipt:
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            written = self._media.add(data)
        except OSError as error:
            raise _disk(error) from error
        except ProblemError as error:
            if error.problem.code == "media.other_bytes":
                raise Differs(problem("sync.other_bytes_there", next_step="next.compare_copies")) from error
            raise Refused(problem("sync.not_an_object", next_step="next.tell_support")) from error
        if written.sop_instance_uid != item.sop_instance_uid:
            raise Refused(problem("sync.not_an_object", next_step="next.tell_support"))
        return self._receipt(item, "accepted", "/".join(written.file_id))

    def prove(self, item: OutboxItem, data: bytes) -> Receipt:
        try:
            if not self.root.is_dir():
                raise Retryable(problem("sync.folder_away", next_step="next.connect_folder"))
            stored = self._media.read(item.study_instance_uid, item.sop_instance_uid)
        except OSError as error:
            raise _disk(error) from error
        if stored is None:
            raise NotThere(problem("sync.not_there"))
        found = hashlib.sha256(stored).hexdigest()
        if found != item.sha256:
            raise Differs(problem("sync.other_bytes_there", next_step="next.compare_copies"))
        place = "/".join(self._media.file_id(item.study_instance_uid, item.sop_instance_uid))
        return self._receipt(item, "verified", place, found)

    def finish(self) -> None:
        try:
            if self.root.is_dir() and self._media.write_directory():
                self._media.sweep()
        except OSError as error:
            raise _disk(error) from error

    def _receipt(self, item: OutboxItem, level: str, place: str, read_back: str = "") -> Receipt:
        return Receipt(
            item_id=item.item_id,
            target=self.name,
            sop_instance_uid=item.sop_instance_uid,
            level=level,
            sha256_sent=item.sha256,
            sha256_read_back=read_back,
            checked_at=self._clock.now_iso(),
            server="folder",
            details={"file": place},
        )


def _disk(error: OSError) -> Retryable:
    import errno

    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return Retryable(problem("sync.folder_full", next_step="next.free_disk"))
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return Retryable(problem("sync.folder_not_writable", next_step="next.check_folder_rights"))
    return Retryable(problem("sync.folder_away", next_step="next.connect_folder"))


def make(name: str, settings: Mapping[str, str], clock: Clock) -> FolderTarget:
    """``settings``: ``path``."""
    return FolderTarget(name, Path(settings["path"]).expanduser(), clock)
