"""What the worker may not do: reach a network, leave a core file, be looked into, starve the window. Best effort."""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
from typing import Any

_CLONE_NEWUSER = 0x10000000
_CLONE_NEWNET = 0x40000000
_PR_SET_DUMPABLE = 4
_NETWORK_EVENTS = frozenset(
    {
        "socket.connect",
        "socket.bind",
        "socket.sendto",
        "socket.sendmsg",
        "socket.getaddrinfo",
        "socket.gethostbyname",
        "urllib.Request",
        "ftplib.connect",
        "smtplib.connect",
    }
)


def close_in(low_priority: bool = True) -> bool:
    """Call before any thread starts. True when the operating system itself closed the network."""
    closed = False
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        closed = any(libc.unshare(flags) == 0 for flags in (_CLONE_NEWUSER | _CLONE_NEWNET, _CLONE_NEWNET))
        libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    if sys.platform != "win32":
        import resource

        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if low_priority:
            with contextlib.suppress(OSError):
                os.nice(10)
    sys.addaudithook(_refuse_network)
    return closed


def _refuse_network(event: str, _arguments: tuple[Any, ...]) -> None:
    if event in _NETWORK_EVENTS:
        raise PermissionError("the second reader has no network")
