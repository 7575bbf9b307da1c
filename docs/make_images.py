"""Makes the pictures in docs/images: the whole path played through the real window, once in each language.

    .venv/bin/python docs/make_images.py [--language en --language ru --language kk] [--files-only] [--keep DIR]

Needs no screen. Studies, verdicts and the certificate are the demonstration's; nothing is painted or retouched here, the
pictures are only packed tighter, every pixel as it was (a palette would band the colour bar of the second reader).
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
IMAGES = ROOT / "docs" / "images"
LANGUAGES = ("en", "ru", "kk")
KEPT = {
    "1-first-run": "first-run",
    "2-worklist": "worklist",
    "3-reading-sealed": "reading-sealed",
    "4-reading-revealed": "reading-revealed",
    "6-report": "report",
    "7-tray": "tray",
    "9-chairside": "chairside",
}
"""Picture of the demonstration -> name in docs/images; those that the documents show."""
SCENES = ("explorer", "saved-look", "documents")
"""Pictures of ``scenes.py``."""
FILES = ("import", "export")
"""Pictures of ``file_scenes.py``."""


def perform(language: str, out: Path) -> None:
    """Plays the demonstration in a process of its own: one language, one window, one throw-away library."""
    code = "import sys; from pathlib import Path; from app.demo import perform; perform(Path(sys.argv[1]), sys.argv[2])"
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen"}
    subprocess.run([sys.executable, "-c", code, str(out), language], cwd=ROOT, env=environment, check=True)


def play(module: str, language: str, out: Path) -> None:
    """The scenes of ``scenes.py`` or ``file_scenes.py``, in a process of their own too."""
    code = (
        "import sys; from pathlib import Path; from importlib import import_module; sys.path.insert(0, 'docs'); "
        "import_module(sys.argv[3]).perform(Path(sys.argv[1]), sys.argv[2])"
    )
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen"}
    subprocess.run([sys.executable, "-c", code, str(out), language, module], cwd=ROOT, env=environment, check=True)


def shrink(source: Path, target: Path) -> int:
    """Writes ``source`` as small as PNG allows without loss; returns its size in bytes."""
    from PIL import Image

    target.parent.mkdir(parents=True, exist_ok=True)
    with Image.open(source) as picture:
        picture.convert("RGB").save(target, optimize=True)
    return target.stat().st_size


def make(language: str, keep: Path | None, scenes_only: bool = False, files_only: bool = False) -> int:
    """All pictures of one language; returns their size in bytes."""
    with tempfile.TemporaryDirectory() as folder:
        out = keep / language if keep else Path(folder)
        names = {}
        if not scenes_only and not files_only:
            perform(language, out)
            names.update(KEPT)
        if not files_only:
            play("scenes", language, out)
            names.update({name: name for name in SCENES})
        if not scenes_only:
            play("file_scenes", language, out)
            names.update({name: name for name in FILES})
        return sum(shrink(out / "screens" / f"{name}.png", IMAGES / language / f"{kept}.png") for name, kept in names.items())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--language", action="append", choices=LANGUAGES, help="only this one; may be repeated")
    parser.add_argument("--files-only", action="store_true", help="only import and export")
    parser.add_argument("--keep", type=Path, help="leave everything that the demonstration writes in this folder")
    parser.add_argument("--scenes-only", action="store_true", help="only the scenes of scenes.py")
    options = parser.parse_args()
    chosen = options.language or LANGUAGES
    total = sum(make(language, options.keep, options.scenes_only, options.files_only) for language in chosen)
    print(f"{total / 2**20:.1f} MiB in {IMAGES.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
