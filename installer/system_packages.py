"""System libraries that wheels expect: found, installed where that is allowed, else named. Standard library only."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from ctypes.util import find_library
from pathlib import Path

from environment import Needs

# library (as ldconfig knows it) -> Debian package; verified in a minimal Debian 12.
WINDOWLESS = {
    "GL": "libgl1",
    "EGL": "libegl1",
    "glib-2.0": "libglib2.0-0",
    "fontconfig": "libfontconfig1",
    "xkbcommon": "libxkbcommon0",
    "dbus-1": "libdbus-1-3",
}
WINDOW = {
    "xcb-cursor": "libxcb-cursor0",
    "xcb-icccm": "libxcb-icccm4",
    "xcb-keysyms": "libxcb-keysyms1",
    "xcb-shape": "libxcb-shape0",
    "xcb-xkb": "libxcb-xkb1",
    "xkbcommon-x11": "libxkbcommon-x11-0",
}
# program -> Debian package: servers and judges that only tests use.
TEST_PROGRAMS = {
    "Orthanc": "orthanc",
    "dciodvfy": "dicom3tools",
    "dcmdump": "dcmtk",
    "pdftoppm": "poppler-utils",
}
ORTHANC_DICOMWEB = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")


def missing_packages(needs: Needs) -> list[str]:
    packages = [package for library, package in WINDOWLESS.items() if not find_library(library)]
    if needs.window:
        packages += [package for library, package in WINDOW.items() if not find_library(library)]
    if needs.venv:
        packages.append(f"python{sys.version_info.major}.{sys.version_info.minor}-venv")
    if needs.tests:
        path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
        packages += [p for program, p in TEST_PROGRAMS.items() if not shutil.which(program, path=path)]
        if not ORTHANC_DICOMWEB.exists():
            packages.append("orthanc-dicomweb")
    return packages


def ensure_system_packages(needs: Needs, say: Callable[[str], None]) -> None:
    """Installs what is missing on Debian and Ubuntu as root or by sudo without a question; else says what to type.

    Never fails by itself: a program may still run without an optional library, and tests name what they skip.
    """
    if platform.system() != "Linux":
        return
    packages = missing_packages(needs)
    if not packages:
        return
    line = "apt-get install --no-install-recommends " + " ".join(packages)
    prefix = _root_prefix()
    if not shutil.which("apt-get") or prefix is None:
        say("these system packages are missing; an administrator can install them with:")
        print(f"    sudo {line}", flush=True)
        return
    say("installing system packages: " + " ".join(packages))
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "apt.log"
        with log.open("wb") as output, NoServices(prefix):
            environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
            for command in (
                ["apt-get", "update", "-qq"],
                ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages],
            ):
                code = subprocess.call([*prefix, *command], stdout=output, stderr=output, env=environment)
        if code != 0:
            print(log.read_text(errors="replace")[-1500:], file=sys.stderr)
            say("the system packages could not be installed; type it yourself when you can:")
            print(f"    sudo {line}", flush=True)


def _root_prefix() -> list[str] | None:
    if os.geteuid() == 0:
        return []
    if shutil.which("sudo") and subprocess.call(["sudo", "-n", "true"], stderr=subprocess.DEVNULL) == 0:
        return ["sudo", "-n"]
    return None


class NoServices:
    """While a package is being installed, no service of it may start on this person's PC (Debian's policy-rc.d)."""

    POLICY = Path("/usr/sbin/policy-rc.d")

    def __init__(self, prefix: list[str]) -> None:
        self._prefix = prefix
        self._made = False

    def __enter__(self) -> None:
        if not self.POLICY.exists():
            script = "printf '#!/bin/sh\\nexit 101\\n' > /usr/sbin/policy-rc.d && chmod 755 /usr/sbin/policy-rc.d"
            self._made = subprocess.call([*self._prefix, "sh", "-c", script]) == 0

    def __exit__(self, *_: object) -> None:
        if self._made:
            subprocess.call([*self._prefix, "rm", "-f", str(self.POLICY)])
