from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_reading_room_is_made_ready_without_anything_heavy() -> None:
    code = (
        "import sys\n"
        "from app.ui import prewarm\n"
        "thread = prewarm.begin()\n"
        "thread.join(60)\n"
        "from app.viewer.hanging_protocols import shipped_protocols\n"
        "assert shipped_protocols.cache_info().currsize == 1\n"
        "assert 'app.ui.reading.screen' in sys.modules\n"
        "heavy = {'vtkmodules', 'torch', 'highdicom', 'SimpleITK', 'onnxruntime', 'openvino', 'reportlab'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"
