"""Writes THIRD_PARTY_LICENCES.md from what is installed at the pinned versions. Standard library only.

.venv/bin/python installer/licences.py            writes the file (needs the extras dev and training installed)
.venv/bin/python installer/licences.py --check    exit code 1 when the file is not what would be written
"""

# ruff: noqa: E501 - the rows of its tables are long

from __future__ import annotations

import argparse
import re
import sys
import tomllib
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OUTPUT = ROOT / "THIRD_PARTY_LICENCES.md"

SHIPPED, TRAINING, TEST = "runs with the product", "training", "development and tests"
OPTIONAL = "optional, installed by choice, and in the tests"
USES = (SHIPPED, OPTIONAL, TRAINING, TEST)

# Where a package's own metadata is silent, long-winded or gives a choice (read from the licence file beside it), and
# what is installed on some systems or Pythons only.
STATED = {
    "av": "BSD-3-Clause (binding), LGPL-3.0 (FFmpeg), GPL-2.0-or-later (x264, x265)",
    "backports-tarfile": "MIT",
    "colorama": "BSD-3-Clause",
    "contourpy": "BSD-3-Clause",
    "cycler": "BSD-3-Clause",
    "grimp": "BSD-2-Clause",
    "importlib-metadata": "Apache-2.0",
    "import-linter": "BSD-2-Clause",
    "jaraco-context": "MIT",
    "jeepney": "MIT",
    "jinja2": "BSD-3-Clause",
    "kiwisolver": "BSD-3-Clause",
    "matplotlib": "matplotlib licence (PSF-based)",
    "mpmath": "BSD-3-Clause",
    "openvino-telemetry": "Apache-2.0",
    "protobuf": "BSD-3-Clause",
    "pypdfium2": "Apache-2.0 OR BSD-3-Clause",
    "pyside6-essentials": "LGPL-3.0-only",
    "reportlab": "BSD-3-Clause",
    "scipy": "BSD-3-Clause",
    "secretstorage": "BSD-3-Clause",
    "shiboken6": "LGPL-3.0-only",
    "simpleitk": "Apache-2.0",
    "sqlcipher3": "Zlib (binding), BSD-3-Clause (SQLCipher)",
    "sympy": "BSD-3-Clause",
    "tzdata": "Apache-2.0",
    "vtk": "BSD-3-Clause",
    "zipp": "MIT",
}
REMARKS = {
    "av": "extra `video`: decodes video objects in a process of its own. Its wheel carries FFmpeg 8 (built as LGPL-3.0 by its own words) "
    "beside the encoders x264 and x265, which are under the GPL; the product never calls them, but whoever passes the wheel on owes "
    "what the GPL asks",
    "pyside6-essentials": "offered under LGPL-3.0 or GPL; used under LGPL-3.0, as separate, replaceable libraries",
    "shiboken6": "as PySide6",
    "opencv-python-headless": "its wheel carries FFmpeg under LGPL-2.1, as a separate library",
    "imagecodecs": "its wheel carries some forty codecs, each under its own licence",
    "pypdfium2": "with PDFium, BSD-3-Clause and Apache-2.0",
    "pylibjpeg-openjpeg": "with OpenJPEG, BSD-2-Clause",
    "pyjpegls": "with CharLS, BSD-3-Clause",
    "python-gdcm": "with GDCM, BSD-3-Clause",
    "certifi": "the certificates of Mozilla, unchanged",
    "pathspec": "unchanged",
    "hypothesis": "unchanged",
}
SHORT = {
    "Apache 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
}
COPYLEFT = re.compile(r"(?<!L)\bA?GPL", re.IGNORECASE)

NOT_PYTHON = """\
## Fonts, icons, colour tables

| what | version | licence | where |
| --- | --- | --- | --- |
| Inter (Regular, Medium, SemiBold), © The Inter Project Authors | 4.1 | SIL Open Font License 1.1 | `resources/fonts`, text in `OFL.txt`; embedded in every PDF |
| Phosphor Icons (regular), © Phosphor Icons | 2.1.1 | MIT | `resources/icons`, text in `LICENCE-phosphor.txt`; four icons there are our own |
| viridis, inferno, cividis, of the matplotlib colour maps | – | CC0-1.0 | `resources/luts` |

## Images that weights and figures come from

No image, table or mask of these sets is in this repository or in a package. Whoever trains or evaluates again gets them from
their owners and keeps these attributions with any copy.

| set | licence as its owners state it | used for |
| --- | --- | --- |
| LIDC-IDRI (Armato et al., Med Phys 2011; The Cancer Imaging Archive, doi 10.7937/K9/TCIA.2015.LO9QL9SX), nodules cut out by the Computer Vision Center, UAB | CC BY 3.0 | training and evaluation of `lung_ct` |
| NLST, participant 101287 (National Lung Screening Trial; The Cancer Imaging Archive, doi 10.7937/TCIA.HMQ8-J677); boxes: Sybil / Imaging Data Commons, doi 10.5281/zenodo.15643334 | CC BY 4.0 | hard negatives (cross-fitted) and evaluation of `lung_ct` |
| CT-ICH (Hssayeni et al., Data 2020, 5(1):14; PhysioNet) | CC BY 4.0; the repositories that it was taken from carry no licence of their own | training and evaluation of `head_ct` |
| NIH ChestX-ray14 (Wang et al., CVPR 2017; NIH Clinical Center, https://nihcc.app.box.com/v/ChestXray-NIHCC) | "The usage of the data set is unrestricted", with attribution | training and evaluation of `chest_xray` |
| MIAS (Suckling et al., 1994/2015; University of Cambridge, Apollo) | CC BY 2.0 UK for the full-resolution release; the mini-MIAS copy carries an older agreement "for research purposes ONLY" | training and evaluation of `breast`; to be left out where the older agreement is too narrow |
| Panoramic films of a Roboflow user (universe.roboflow.com/dental-uispo/-bhjcu) | CC BY 4.0, on the word of the uploader; who took the films is not stated | training and evaluation of `dental_panoramic` |

## Programs that tests start

Orthanc with its DICOMweb plug-in (GPL-3.0 and AGPL-3.0), dicom3tools (BSD), DCMTK (BSD-3-Clause) and Poppler (GPL) are
installed from the distribution's packages and run as programs of their own. None is linked to, imported or shipped.
"""


@dataclass(frozen=True)
class Package:
    name: str
    version: str
    licence: str
    use: str
    remark: str


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def pinned(root: Path = ROOT) -> dict[str, tuple[str, str]]:
    """Canonical name -> (name as written, version) of every line in ``constraints.txt``."""
    lines = (line.strip() for line in (root / "constraints.txt").read_text(encoding="utf-8").splitlines())
    pairs = (line.split("==", 1) for line in lines if line and not line.startswith("#"))
    return {canonical(name): (name, version) for name, version in pairs}


def _wanted_by(name: str) -> set[str]:
    """What a package requires without its extras, on any platform and Python; nothing when it is not installed here."""
    try:
        required = metadata.requires(name) or []
    except metadata.PackageNotFoundError:
        return set()
    plain = (r for r in required if "extra ==" not in r.replace("'", '"'))
    return {canonical(re.split(r"[\s<>=!~;\[(]", r, maxsplit=1)[0]) for r in plain}


def closure(names: list[str], known: dict[str, tuple[str, str]]) -> set[str]:
    """The pinned packages that ``names`` need, themselves included."""
    found: set[str] = set()
    waiting = [canonical(re.split(r"[\s<>=!~;\[]", n, maxsplit=1)[0]) for n in names]
    while waiting:
        name = waiting.pop()
        if name in found or name not in known:
            continue
        found.add(name)
        waiting.extend(_wanted_by(known[name][0]))
    return found


def licence_of(name: str) -> str:
    """In SPDX words where the package says so itself; ``""`` when nothing is stated anywhere."""
    if canonical(name) in STATED:
        return STATED[canonical(name)]
    about = metadata.metadata(name)
    expression = about.get("License-Expression")
    if expression:
        return str(expression)
    free = (about.get("License") or "").strip()
    if free and "\n" not in free and len(free) <= 40:
        return SHORT.get(free, free)
    classifiers = [c.split("::")[-1].strip() for c in about.get_all("Classifier") or [] if c.startswith("License")]
    return SHORT.get(classifiers[0], classifiers[0]) if classifiers else ""


def packages(root: Path = ROOT) -> list[Package]:
    """Every pinned package. Raises ``PackageNotFoundError`` for one that is neither installed here nor in ``STATED``."""
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    known = pinned(root)
    shipped = closure(project["dependencies"], known)
    training = closure(project["optional-dependencies"]["training"], known)
    optional = closure(project["optional-dependencies"]["video"], known) - shipped
    rows = []
    for key, (name, version) in known.items():
        use = SHIPPED if key in shipped else OPTIONAL if key in optional else TRAINING if key in training else TEST
        rows.append(Package(name, version, licence_of(name), use, REMARKS.get(key, "")))
    return rows


def document(rows: list[Package]) -> str:
    parts = [
        "# Third-party licences\n\n"
        "Ekinshi itself is under the Apache License 2.0 (`LICENSE`). Written by `installer/licences.py` from the pinned versions in\n"
        "`constraints.txt`; `tests/installer/test_licences.py` holds it to them. The packages are installed from the package index by\n"
        "`installer/bootstrap.py`, none is copied into this repository, and each brings the full text of its licence.\n"
    ]
    for use in USES:
        mine = sorted((r for r in rows if r.use == use), key=lambda r: r.name.casefold())
        if not mine:
            continue
        lines = [f"| {r.name} | {r.version} | {r.licence} | {r.remark} |" for r in mine]
        parts.append(
            f"## Python packages: {use}\n\n| package | version | licence | remark |\n| --- | --- | --- | --- |\n"
            + "\n".join(lines)
            + "\n"
        )
    return "\n".join([*parts, NOT_PYTHON])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    text = document(packages())
    if options.check:
        same = OUTPUT.exists() and OUTPUT.read_text(encoding="utf-8") == text
        print("up to date" if same else f"{OUTPUT.name} is out of date: run python installer/licences.py", file=sys.stderr)
        return 0 if same else 1
    OUTPUT.write_text(text, encoding="utf-8", newline="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
