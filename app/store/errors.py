"""Two families of error: the environment (told to the reader, try again) and a bug (ours; evidence without patient data)."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from sqlcipher3 import dbapi2 as sqlite

from app.domain.problem import ProblemError, fail

DatabaseError: type[Exception] = sqlite.DatabaseError

_FULL = {errno.ENOSPC, errno.EDQUOT} if hasattr(errno, "EDQUOT") else {errno.ENOSPC}
_DENIED = {errno.EACCES, errno.EPERM, errno.EROFS}


class StoreBug(RuntimeError):
    """An error of ours. Its text names the kind of failure only; values never reach it."""


def environment(error: BaseException) -> ProblemError | None:
    """The problem to tell a person, or None when the error is not the environment's."""
    if isinstance(error, OSError):
        if error.errno in _FULL:
            return fail("store.disk_full", kept_safe="safe.saved_before", next_step="next.free_disk")
        if error.errno in _DENIED:
            return fail("store.no_permission", kept_safe="safe.saved_before", next_step="next.check_folder_rights")
        return fail(
            "store.io_error",
            kept_safe="safe.saved_before",
            next_step="next.check_disk",
            reason=errno.errorcode.get(error.errno or 0, "?"),
        )
    if not isinstance(error, DatabaseError):
        return None
    text = str(error).lower()
    if "disk is full" in text:
        return fail("store.disk_full", kept_safe="safe.saved_before", next_step="next.free_disk")
    if "locked" in text or "busy" in text:
        return fail("store.busy", kept_safe="safe.saved_before", next_step="next.try_again")
    if "not a database" in text:
        return fail("store.wrong_key", kept_safe="safe.untouched", next_step="next.check_key")
    if "malformed" in text:
        return fail("store.damaged", kept_safe="safe.objects_readable", next_step="next.restore_backup")
    if "readonly" in text or "read-only" in text or "unable to open" in text:
        return fail("store.no_permission", kept_safe="safe.saved_before", next_step="next.check_folder_rights")
    if "disk i/o" in text:
        return fail("store.io_error", kept_safe="safe.saved_before", next_step="next.check_disk", reason="EIO")
    return None


@contextmanager
def told() -> Iterator[None]:
    """Turns low-level errors into the two families."""
    try:
        yield
    except ProblemError:
        raise
    except (OSError, DatabaseError) as error:
        problem = environment(error)
        if problem is not None:
            raise problem from error
        raise StoreBug(f"{type(error).__name__} in the store") from error
