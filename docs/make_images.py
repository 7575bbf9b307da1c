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
}
"""Picture of the demonstration -> name in docs/images; those that the documents show."""
SCENES = ("explorer", "saved-look", "documents")
"""Pictures of ``scenes.py``."""


def perform(language: str, out: Path) -> None:
    """Plays the demonstration in a process of its own: one language, one window, one throw-away library."""
    code = "import sys; from pathlib import Path; from app.demo import perform; perform(Path(sys.argv[1]), sys.argv[2])"
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen"}
    subprocess.run([sys.executable, "-c", code, str(out), language], cwd=ROOT, env=environment, check=True)


def play(language: str, out: Path) -> None:
    """The scenes of ``scenes.py``, in a process of their own too."""
    code = "import sys; from pathlib import Path; sys.path.insert(0, 'docs'); import scenes; scenes.perform(Path(sys.argv[1]), sys.argv[2])"
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen"}
    subprocess.run([sys.executable, "-c", code, str(out), language], cwd=ROOT, env=environment, check=True)


DISC = """
import shutil, sys, time
from pathlib import Path
from PySide6.QtCore import QCoreApplication
from app.samples.catalogue import write_samples
from app.session.homes import cache_folder
from app.session.wiring import EphemeralHome, Options, open_workstation
from app.domain.ports import SilentProgress
from app.ui.app_window import AppWindow, application
from app.ui.main_loop import QtMainLoop

out, language = Path(sys.argv[1]), sys.argv[2]
qt = application()
samples = write_samples(cache_folder() / "samples", SilentProgress())
disc = out / "USB-8GB"
for n, sample in enumerate(samples):
    shutil.copytree(sample.folder, disc / "DICOM" / f"S{n}")
(disc / "VIEWER").mkdir()
for name in ("viewer.exe", "codec.dll", "help.html"):
    (disc / "VIEWER" / name).write_text("not run", encoding="ascii")
first = sorted((disc / "DICOM" / "S0").rglob("*.dcm"))[0]
(disc / "OLD").mkdir()
(disc / "OLD" / "IM000213.dcm").write_bytes(first.read_bytes()[:-2000])
first.unlink()
film = next(p for s in samples for p in sorted(s.folder.rglob("*.dcm")) if "film" in s.folder.name or "chest_film" in str(p))

def until(done, seconds=180):
    end = time.monotonic() + seconds
    while not done():
        if time.monotonic() > end:
            raise SystemExit("it did not come")
        QCoreApplication.processEvents()
        time.sleep(0.005)
    end = time.monotonic() + 1.5
    while time.monotonic() < end:
        QCoreApplication.processEvents()
        time.sleep(0.005)

def plain_film(target):
    import pydicom
    from PIL import Image
    ds = pydicom.dcmread(film)
    values = ds.pixel_array.astype("float64")
    values = 255.0 * (values - values.min()) / max(1.0, values.max() - values.min())
    if ds.PhotometricInterpretation == "MONOCHROME1":
        values = 255.0 - values
    Image.fromarray(values.astype("uint8")).save(target, quality=90)

(disc / "FILMS").mkdir()
plain_film(disc / "FILMS" / "film_2019.jpg")
with EphemeralHome() as home:
    station = open_workstation(
        Options(home.path, home.keys, demo=True, language=language, second_readers=False), QtMainLoop()
    )
    window = AppWindow(station)
    window.resize(1920, 1080)
    window.show()
    station.import_paths([disc / "DICOM" / "S1"])
    until(lambda: not station.tasks())
    window.offer_import([disc])
    until(lambda: station.imports.phase.value == "choosing" and not station.imports.view().comparing)
    window.grab().save(str(out / "import.png"))
    window.imports.dialog.leave()
    window.exports.offer(station.library.studies.search()[0].study_instance_uid)
    window.exports.sheet._identity.chosen.emit(True)
    until(lambda: True)
    window.grab().save(str(out / "export.png"))
    station.shutdown()
"""
"""A made-up disc: the sample studies, a disc viewer's files, one file that is cut short, one film without a patient."""


def disc(language: str, out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen"}
    subprocess.run([sys.executable, "-c", DISC, str(out), language], cwd=ROOT, env=environment, check=True)


def shrink(source: Path, target: Path) -> int:
    """Writes ``source`` as small as PNG allows without loss; returns its size in bytes."""
    from PIL import Image

    target.parent.mkdir(parents=True, exist_ok=True)
    with Image.open(source) as picture:
        picture.convert("RGB").save(target, optimize=True)
    return target.stat().st_size


def make(language: str, keep: Path | None, scenes_only: bool = False) -> int:
    """All pictures of one language; returns their size in bytes."""
    with tempfile.TemporaryDirectory() as folder:
        out = keep / language if keep else Path(folder)
        names = {}
        if not scenes_only:
            perform(language, out)
            names.update(KEPT)
        play(language, out)
        names.update({name: name for name in SCENES})
        return sum(shrink(out / "screens" / f"{name}.png", IMAGES / language / f"{kept}.png") for name, kept in names.items())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--language", action="append", choices=LANGUAGES, help="only this one; may be repeated")
    parser.add_argument("--files-only", action="store_true", help="only import and export")
    parser.add_argument("--keep", type=Path, help="leave everything that the demonstration writes in this folder")
    parser.add_argument("--scenes-only", action="store_true", help="only the scenes of scenes.py")
    options = parser.parse_args()
    total = sum(make(language, options.keep, options.scenes_only) for language in options.language or LANGUAGES)
    print(f"{total / 2**20:.1f} MiB in {IMAGES.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
