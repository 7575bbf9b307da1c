"""Tags of the display shutter, by keyword (PS3.3 C.7.6.11)."""

from __future__ import annotations

from typing import Final

SHAPE: Final = 0x00181600
NUMBERS: Final = {
    "ShutterLeftVerticalEdge": 0x00181602,
    "ShutterRightVerticalEdge": 0x00181604,
    "ShutterUpperHorizontalEdge": 0x00181606,
    "ShutterLowerHorizontalEdge": 0x00181608,
    "CenterOfCircularShutter": 0x00181610,
    "RadiusOfCircularShutter": 0x00181612,
    "VerticesOfThePolygonalShutter": 0x00181620,
}
PRESENTATION_VALUE: Final = 0x00181622
SHUTTER_TAGS: Final = frozenset({SHAPE, PRESENTATION_VALUE, *NUMBERS.values()})
