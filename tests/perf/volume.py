"""The 3D view of a 512 x 512 x 600 chest CT on the CPU: first picture, frames while turning, full quality, event loop.

``python -m tests.perf.volume [--quick]``. A generated chest with noise, 1024 x 1024 pane, every CT look, through the same
call as a pane's. Bars: first picture <= 1 s, with the rendering processes started ahead (as the window does) and without;
>= 10 frames/s while turning; full quality <= 3 s after rest; a thread that ticks beside it all not late by more than 100 ms.
On a busy machine the processor time of the processes says more than the clock: both are printed.
"""

from __future__ import annotations

import sys


def main() -> int:
    # Here, so that the rendering processes, which import this module, start as they do under the window: with nothing of it.
    from tests.perf import volume_bars

    return volume_bars.main(__doc__ or "")


if __name__ == "__main__":
    sys.exit(main())
