"""The attribute table that is read in pieces is the one that highdicom would have read itself."""

from __future__ import annotations

import json
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

from app.dicom.highdicom_tables import in_pieces

SAID = """
from app.dicom.highdicom_tables import read_ahead
from highdicom import _standard_utils as tables
read_ahead()
assert tables.json.__name__ == "json"
before = tables.get_module_attribute_map()
read_ahead()
assert tables.get_module_attribute_map() is before
assert before["patient"]
print("same")
"""


def test_pieces_make_the_whole() -> None:
    content = pkgutil.get_data("highdicom", "_standard/iod_module_map.json")
    assert content is not None
    assert in_pieces(content.decode()) == json.loads(content)
    assert in_pieces(' { "a" : [1, {"b": "}"}] ,\n"c":null } ') == {"a": [1, {"b": "}"}], "c": None}
    assert in_pieces("{}") == {}


@pytest.mark.parametrize("text", ['{"a": [1', '{"a"', "{"])
def test_a_broken_table_is_an_error(text: str) -> None:
    with pytest.raises((ValueError, IndexError)):
        in_pieces(text)


def test_the_library_uses_what_was_read_ahead() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SAID], capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2]
    )
    assert done.stdout.strip() == "same", done.stderr
