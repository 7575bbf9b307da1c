"""Private elements that name a b-value: creator and element within its block, by group."""

from __future__ import annotations

from typing import Final

BLOCKS: Final = (0x10, 0x11, 0x12)
"""Where a private block is looked for: makers take the first free one."""
SIEMENS: Final = 0x0019
SIEMENS_CSA: Final = 0x0029
GE: Final = 0x0043
PHILIPS: Final = 0x2001
CREATORS: Final = {
    SIEMENS: ("SIEMENS MR HEADER", 0x0C),
    SIEMENS_CSA: ("SIEMENS CSA HEADER", 0x10),
    GE: ("GEMS_PARM_01", 0x39),
    PHILIPS: ("PHILIPS IMAGING DD 001", 0x03),
}
DIFFUSION_TAGS: Final = frozenset(
    tag
    for group, (_, element) in CREATORS.items()
    for block in BLOCKS
    for tag in (group << 16 | block, group << 16 | block << 8 | element)
)
"""What a pass over a header keeps for this."""
