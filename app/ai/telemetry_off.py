"""The one place where libraries that could report to somebody are told not to. Called before any engine is imported."""

from __future__ import annotations

import os
import sys
from types import ModuleType


def silence() -> None:
    """Before the import of openvino, onnxruntime or torch: nothing is counted, written or sent."""
    # OpenVINO imports this package when it is installed, writes a client id to the home folder and may report it.
    # None in sys.modules makes that import fail, which OpenVINO accepts.
    modules: dict[str, ModuleType | None] = sys.modules  # type: ignore[assignment]
    if "openvino_telemetry" not in modules:
        modules["openvino_telemetry"] = None
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ["HF_HUB_OFFLINE"] = "1"
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    os.environ["DO_NOT_TRACK"] = "1"


def silence_onnxruntime() -> None:
    """After the import of onnxruntime: its Windows build has a switch of its own."""
    import onnxruntime

    switch = getattr(onnxruntime, "disable_telemetry_events", None)
    if switch is not None:
        switch()
