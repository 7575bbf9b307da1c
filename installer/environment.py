"""What this machine is, as far as set-up has to know. Standard library only."""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

# PyTorch's own public index of builds without CUDA; decisions.md, "Network packages".
TORCH_CPU_INDEX = "https://download.pytorch.org/whl/cpu"


@dataclass(frozen=True)
class Needs:
    """What the coming step asks of the system."""

    window: bool = False
    tests: bool = False
    venv: bool = False


def has_display() -> bool:
    if os.environ.get("QT_QPA_PLATFORM") == "offscreen":
        return False
    if platform.system() != "Linux":
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def has_nvidia_gpu() -> bool:
    return (
        shutil.which("nvidia-smi") is not None
        and Path("/proc/driver/nvidia").exists()
        or (platform.system() == "Windows" and shutil.which("nvidia-smi") is not None)
    )


def fingerprint(root: Path, extras: str) -> str:
    """One line that changes when the dependencies, the extras or the interpreter change."""
    digest = hashlib.sha256()
    for name in ("pyproject.toml", "constraints.txt"):
        digest.update((root / name).read_bytes())
    digest.update(f"{sys.version_info[:3]}{platform.machine()}{extras}".encode())
    return digest.hexdigest()


def pip_arguments(root: Path, extras: str, python: Path) -> list[str]:
    """``pip install`` of the project in place, pinned; the CPU build of torch unless there is an NVIDIA GPU."""
    target = f"{root}[{extras}]" if extras else str(root)
    arguments = ["install", "--disable-pip-version-check", "--no-input", "-c", str(root / "constraints.txt"), "-e", target]
    if platform.system() == "Linux" and not has_nvidia_gpu() and not _index_is_configured(python):
        arguments += ["--extra-index-url", TORCH_CPU_INDEX]
    return arguments


def _index_is_configured(python: Path) -> bool:
    """True when the machine's pip already knows where to look (a clinic's mirror, a disc of wheels)."""
    if any(name in os.environ for name in ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "PIP_NO_INDEX")):
        return True
    listed = subprocess.run([str(python), "-m", "pip", "config", "list"], capture_output=True, text=True, check=False).stdout
    return any(word in listed for word in ("index-url", "find-links", "no-index"))
