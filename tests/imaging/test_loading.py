from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path

from app.imaging.loading import map_file, map_quietly

ROOT = Path(__file__).resolve().parents[2]


def test_a_mapped_library_is_the_one_that_is_imported_afterwards() -> None:
    code = (
        "from app.imaging.loading import map_quietly\n"
        "print(map_quietly('SimpleITK'), map_quietly('vtkmodules', ('vtkCommonCore', 'vtkCommonMath')))\n"
        "import SimpleITK, vtkmodules.vtkCommonMath\n"
        "print(SimpleITK.GetArrayFromImage(SimpleITK.Image(2, 3, SimpleITK.sitkInt16)).shape)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split("\n")[:2] == ["1 2", "(3, 2)"]


def test_what_is_not_there_is_passed_over() -> None:
    assert map_quietly("no_such_package") == 0
    assert map_quietly("vtkmodules", ("noSuchKit",)) == 0
    assert not map_file("libno-such-library.so.0")


def test_pyside_reads_no_sources() -> None:
    importlib.import_module("app.ui.responsive")
    features = importlib.import_module("shibokensupport.feature")
    assert features._mod_uses_pyside(sys) is False
    assert features._mod_uses_pyside.__module__ == "app.ui.responsive"
