"""Arrays in shared memory are freed once, and closing them never fails a read."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from app.ai.shared_array import OwnedArray

BLOCKS = Path("/dev/shm")


@pytest.mark.skipif(sys.platform != "linux" or not BLOCKS.is_dir(), reason="blocks are files on Linux only")
def test_a_block_that_is_gone_is_closed_in_peace() -> None:
    owned = OwnedArray(np.ones(8, np.float32))
    (BLOCKS / owned.handle.block).unlink()
    owned.close()
    owned.close()
