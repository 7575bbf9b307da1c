"""Sets Ekinshi up on a fresh machine and runs it, or its tests. Standard library only.

    python3 installer/bootstrap.py run  [-- arguments of ekinshi]
    python3 installer/bootstrap.py test [-- arguments of pytest]

Makes ``.venv`` in the checkout, installs the pinned dependencies there, finds missing system libraries (and installs them
on Debian and Ubuntu when it may), then runs. A second start finds everything in place and starts at once.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import time
import venv
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from environment import Needs, fingerprint, has_display, pip_arguments  # noqa: E402
from system_packages import ensure_system_packages  # noqa: E402

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
STAMP = VENV / "ekinshi-setup.txt"
MINIMUM_PYTHON = (3, 11)


def say(text: str) -> None:
    print(f"ekinshi · {text}", flush=True)


def venv_python() -> Path:
    return VENV / ("Scripts/python.exe" if platform.system() == "Windows" else "bin/python")


def make_environment() -> None:
    if venv_python().exists():
        return
    say("making the virtual environment .venv")
    try:
        venv.create(VENV, with_pip=True)
    except (subprocess.CalledProcessError, OSError) as error:
        # Debian splits ensurepip into a package of its own.
        ensure_system_packages(Needs(venv=True), say)
        try:
            venv.create(VENV, with_pip=True, clear=True)
        except (subprocess.CalledProcessError, OSError):
            sys.exit(f"ekinshi · the virtual environment could not be made: {error}")


def install(extras: str) -> None:
    """Installs the pinned dependencies unless the stamp says that exactly these are there."""
    wanted = fingerprint(ROOT, extras)
    if STAMP.exists() and wanted in STAMP.read_text(encoding="utf-8").splitlines():
        return
    first = not STAMP.exists()
    say("installing the pinned dependencies (about 3 GB on disk; once)" if first else "installing what is still missing")
    started = time.monotonic()
    command = [str(venv_python()), "-m", "pip", *pip_arguments(ROOT, extras, venv_python())]
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, encoding="utf-8", errors="replace"
    )
    lines: list[str] = []
    collected = 0
    assert process.stdout is not None
    for line in process.stdout:
        lines.append(line.rstrip())
        if line.startswith("Collecting "):
            collected += 1
            print(f"\r  {collected:3d} · {line[11:].split()[0][:60]:<60}", end="", flush=True)
        elif line.startswith("Installing collected packages"):
            print(f"\r  unpacking {collected} packages, a minute or more{'':<40}", end="", flush=True)
    code = process.wait()
    print(flush=True)
    if code != 0:
        print("\n".join(lines[-25:]), file=sys.stderr)
        sys.exit(
            "ekinshi · the dependencies could not be installed (the reason stands above). What was downloaded is kept;\n"
            "ekinshi · run the same command again when the line or the package index is back."
        )
    with STAMP.open("a", encoding="utf-8") as stamp:
        stamp.write(wanted + "\n")
    say(f"dependencies installed in {time.monotonic() - started:.0f} s")


def run(arguments: list[str]) -> int:
    ensure_system_packages(Needs(window=has_display()), say)
    make_environment()
    # Whoever runs a checkout fetches PyAV from its makers; an installer of ours leaves it out (dicom-reading.md).
    install("video")
    environment = dict(os.environ)
    if arguments:
        command = arguments
    elif has_display():
        command = ["window", "--samples"]
        say("opening the workstation on the sample studies")
    else:
        environment.setdefault("QT_QPA_PLATFORM", "offscreen")
        command = ["demo", "--out", str(ROOT / "demo-out")]
        say("no display here: playing the same path headless")
    return subprocess.call([str(venv_python()), "-m", "app", *command], cwd=ROOT, env=environment)


def test(arguments: list[str]) -> int:
    ensure_system_packages(Needs(tests=True), say)
    make_environment()
    install("dev,training")
    environment = dict(os.environ)
    environment.setdefault("QT_QPA_PLATFORM", "offscreen")
    environment.pop("DISPLAY", None)  # the tests look at offscreen windows, not at somebody's desk
    command = [str(venv_python()), "-m", "pytest", "-n", str(min(4, os.cpu_count() or 1)), "--dist", "loadgroup"]
    return subprocess.call([*command, *arguments], cwd=ROOT, env=environment)


def main() -> int:
    if sys.version_info < MINIMUM_PYTHON:
        sys.exit(
            f"ekinshi · Python {'.'.join(map(str, MINIMUM_PYTHON))} or newer is needed, this is {platform.python_version()}"
        )
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("run", "test"))
    parser.add_argument("arguments", nargs="*", help="passed on, after --")
    options = parser.parse_args()
    return run(options.arguments) if options.what == "run" else test(options.arguments)


if __name__ == "__main__":
    sys.exit(main())
