"""Puts ``resources/`` into the wheel as ``app/_resources``; everything else stands in ``pyproject.toml``."""

from __future__ import annotations

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py


class WithResources(build_py):
    """``resources`` lies beside ``app`` in a checkout, and inside the package in an installation."""

    def run(self) -> None:
        super().run()
        if not self.editable_mode:
            source = Path(__file__).resolve().parent / "resources"
            shutil.copytree(source, Path(self.build_lib) / "app" / "_resources", dirs_exist_ok=True)


setup(cmdclass={"build_py": WithResources})
