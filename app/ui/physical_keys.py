"""Which key of the keyboard was pressed, whatever letters are on it: named by what stands there on a US keyboard.

Windows gives scan codes of set 1, X11 and Wayland those of evdev plus 8, macOS virtual key codes; other platforms and made
events give none. Only the row of figures and the signs are asked for: letters are found by their names.
"""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtGui import QGuiApplication, QKeyEvent

_ROWS = ("1234567890-=", "[]", ";'", "\\", ",./")


def _codes(*starts: int) -> Mapping[int, str]:
    return {start + n: sign for row, start in zip(_ROWS, starts, strict=True) for n, sign in enumerate(row)}


_WINDOWS = _codes(0x02, 0x1A, 0x27, 0x2B, 0x33)
_XKB = {code + 8: sign for code, sign in _WINDOWS.items()}
_MAC = {
    0x12: "1", 0x13: "2", 0x14: "3", 0x15: "4", 0x17: "5", 0x16: "6", 0x1A: "7", 0x1C: "8", 0x19: "9", 0x1D: "0",
    0x1B: "-", 0x18: "=", 0x21: "[", 0x1E: "]", 0x29: ";", 0x27: "'", 0x2A: "\\", 0x2B: ",", 0x2F: ".", 0x2C: "/",
}  # fmt: skip
SHIFTED = dict(zip("1234567890-=[];'\\,./", '!@#$%^&*()_+{}:"|<>?', strict=True))
"""What Shift makes of a key of a US keyboard."""


def sign_on(platform: str, scan_code: int, virtual_key: int) -> str:
    """Of a key by its native codes; empty where they say nothing."""
    if platform == "windows":
        return _WINDOWS.get(scan_code, "")
    if platform in ("xcb", "wayland", "wayland-egl"):
        return _XKB.get(scan_code, "")
    return _MAC.get(virtual_key, "") if platform == "cocoa" else ""


def physical_sign(event: QKeyEvent) -> str:
    """Figure or sign of a US keyboard on the key that was pressed; empty for letters, and where nobody knows."""
    return sign_on(QGuiApplication.platformName(), event.nativeScanCode(), event.nativeVirtualKey())
