"""Large compiled libraries brought into memory while the window stays awake.

Importing one maps its file with the interpreter's lock held, and everything else in the process waits (SimpleITK 70 ms,
VTK's kits 40 ms each). A call through ``ctypes`` gives the lock away, and the import that follows finds the file mapped.
"""

from __future__ import annotations

import ctypes
import importlib.util
import sys
from functools import cache
from pathlib import Path

_SEARCH_BESIDE = 0x1100
"""Windows: LOAD_LIBRARY_SEARCH_DEFAULT_DIRS and LOAD_LIBRARY_SEARCH_DLL_LOAD_DIR."""


@cache
def map_quietly(package: str, stems: tuple[str, ...] = ("",)) -> int:
    """Maps the compiled modules of an installed package whose file names begin with one of ``stems``, in this order; once.

    Returns how many were mapped. Nothing is raised: what cannot be mapped here is named by the import that follows.
    """
    spec = importlib.util.find_spec(package)
    folders = [Path(p) for p in (spec.submodule_search_locations or ())] if spec is not None else []
    ending = ".pyd" if sys.platform == "win32" else ".so"
    files = [
        file
        for stem in stems
        for folder in folders
        for file in sorted(folder.glob(f"{stem}*{ending}"))
        if not stem or file.name.split(".")[0] == stem
    ]
    return sum(map_file(str(file)) for file in files)


def map_file(name: str) -> bool:
    """One library by its path, or by the name the system's loader knows it by; False when it is not there."""
    if sys.platform == "win32":
        load = ctypes.windll.kernel32.LoadLibraryExW
        load.argtypes, load.restype = (ctypes.c_wchar_p, ctypes.c_void_p, ctypes.c_uint32), ctypes.c_void_p
        return bool(load(name, None, _SEARCH_BESIDE))
    library = ctypes.CDLL(None)
    try:
        load = library.dlopen
    except AttributeError:
        return False
    load.argtypes, load.restype = (ctypes.c_char_p, ctypes.c_int), ctypes.c_void_p
    return bool(load(name.encode(), sys.getdlopenflags()))
