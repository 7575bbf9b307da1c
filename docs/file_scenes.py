"""Import and export as pictures: a made-up disc with the sample studies, a viewer's files, a cut file and a film.

``perform(folder, language)`` leaves ``<folder>/screens/<name>.png``; ``docs/make_images.py`` calls it in a process of its own.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
NAMES = ("import", "export")


def perform(out: Path, language: str) -> None:
    sys.path.insert(0, str(ROOT))
    from app.demo import Demo
    from app.samples.catalogue import write_samples
    from app.session.homes import cache_folder
    from app.session.wiring import open_workstation
    from app.ui.app_window import AppWindow, application
    from app.ui.main_loop import QtMainLoop
    from tests.flows.stage import options

    application(["ekinshi-images"])
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        disc = folder / "USB-8GB"
        make_disc(disc, write_samples(cache_folder() / "samples"))
        workstation = open_workstation(options(folder / "home", None, language=language), QtMainLoop())
        window = AppWindow(workstation)
        window.resize(1920, 1080)
        window.show()
        demo = Demo(window, workstation, out, quiet=True)

        def keep(picture: str) -> None:
            demo.pump(1.5)
            target = out / "screens" / f"{picture}.png"
            target.parent.mkdir(parents=True, exist_ok=True)
            window.grab().save(str(target))

        workstation.import_paths([disc / "DICOM" / "S1"])
        demo.until(lambda: workstation.last_import_summary() is not None, 120.0, "the import")
        window.offer_import([disc])
        desk = workstation.imports
        demo.until(lambda: desk.phase.value == "choosing" and not desk.view().comparing, 120.0, "the disc")
        keep("import")
        window.imports.dialog.leave()
        window.exports.offer(workstation.library.studies.search()[0].study_instance_uid)
        window.exports.sheet._identity.chosen.emit(True)
        keep("export")
        window.close()
        workstation.shutdown()


def make_disc(disc: Path, samples: list[Any]) -> None:
    for number, sample in enumerate(samples):
        shutil.copytree(sample.folder, disc / "DICOM" / f"S{number}")
    for folder in ("VIEWER", "OLD", "FILMS"):
        (disc / folder).mkdir()
    for name in ("viewer.exe", "codec.dll", "help.html"):
        (disc / "VIEWER" / name).write_text("not run", encoding="ascii")
    whole = min((disc / "DICOM").rglob("*.dcm"), key=lambda p: p.stat().st_size)
    (disc / "OLD" / "IM000213.dcm").write_bytes(whole.read_bytes()[:-2000])
    whole.unlink()
    film = next(s for s in samples if s.modality == "DX")
    plain_film(sorted(film.folder.rglob("*.dcm"))[0], disc / "FILMS" / "film_2019.jpg")


def plain_film(source: Path, target: Path) -> None:
    """A sample film as somebody's archive has it: a JPEG without a header."""
    import pydicom
    from PIL import Image

    ds = pydicom.dcmread(source)
    values = ds.pixel_array.astype("float64")
    values = 255.0 * (values - values.min()) / max(1.0, values.max() - values.min())
    if ds.PhotometricInterpretation == "MONOCHROME1":
        values = 255.0 - values
    Image.fromarray(values.astype("uint8")).save(target, quality=90)
