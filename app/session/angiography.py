"""What an image's own header asks of its display: a shutter over it, masks to be taken away from it. Main thread only."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from app.dicom.display_shutter import shutter_of_image
from app.dicom.mask_subtraction import is_recommended, masks_for, steps_of, subtracted
from app.domain.finding import SegmentMask
from app.domain.pixels import FramePixels, VoiFunction, VoiWindow
from app.domain.presentation import Shutter
from app.domain.study import DisplaySet, FrameRef, Instance
from app.session.images import Images
from app.viewer.layers import ImageLayer, MaskLayer
from app.viewer.presentation import shutter_mask
from app.viewer.view_state import Appearance

_KEPT_BYTES = 256 << 20


@dataclass(frozen=True, eq=False)
class _Cover:
    covered: npt.NDArray[np.bool_]
    layer: MaskLayer


class Angiography:
    def __init__(self, images: Images) -> None:
        self._images = images
        self._covers: dict[str, _Cover | None] = {}
        self._made: OrderedDict[FrameRef, FramePixels] = OrderedDict()
        self._chosen: dict[str, bool] = {}

    # -- shutter ---------------------------------------------------------------------------------------------------

    def covered(self, instance: Instance) -> npt.NDArray[np.bool_] | None:
        """True where the shutter of the image lies: (rows, columns)."""
        found = self._cover(instance)
        return found.covered if found is not None else None

    def cover_layer(self, layer: ImageLayer) -> MaskLayer | None:
        """What is painted over an image with a shutter."""
        if layer.covered is None:
            return None
        found = self._covers.get(layer.sop_instance_uid)
        return found.layer if found is not None else None

    def _cover(self, instance: Instance) -> _Cover | None:
        uid, fmt = instance.sop_instance_uid, instance.pixel_format
        if uid not in self._covers:
            shutter = shutter_of_image(instance) if fmt is not None else None
            self._covers[uid] = (
                _made(shutter, uid, fmt.rows, fmt.columns) if shutter is not None and fmt is not None else None
            )
        return self._covers[uid]

    # -- mask subtraction ------------------------------------------------------------------------------------------

    def can_subtract(self, chosen: DisplaySet | None) -> bool:
        instance = self._images.instance(chosen.frames[0].sop_instance_uid) if chosen is not None and chosen.frames else None
        return instance is not None and bool(steps_of(instance))

    def subtracts(self, chosen: DisplaySet) -> bool:
        """As the reader chose, else as the object recommends."""
        if chosen.display_set_id in self._chosen:
            return self._chosen[chosen.display_set_id]
        instance = self._images.instance(chosen.frames[0].sop_instance_uid) if chosen.frames else None
        return instance is not None and is_recommended(instance)

    def toggle(self, chosen: DisplaySet) -> None:
        if self.can_subtract(chosen):
            self._chosen[chosen.display_set_id] = not self.subtracts(chosen)

    def choices(self) -> dict[str, bool]:
        """Display set to what the reader chose for it."""
        return dict(self._chosen)

    def put_choices(self, chosen: Mapping[str, bool]) -> None:
        self._chosen = dict(chosen)

    def frame(self, ref: FrameRef, chosen: DisplaySet, instance: Instance) -> FramePixels | None:
        """The difference; None where this frame has no mask, or a mask is still being decoded (``waits`` tells which)."""
        made = self._made.get(ref)
        if made is not None:
            self._made.move_to_end(ref)
            return made
        plan = masks_for(steps_of(instance), ref.frame, len(instance.frames))
        contrast = self._images.frame(ref, chosen)
        if plan is None or contrast is None or contrast.is_colour:
            return None
        masks = [self._images.frame(FrameRef(ref.sop_instance_uid, m)) for m in plan[1]]
        here = [m.values for m in masks if m is not None and m.values.shape == contrast.values.shape]
        if len(here) != len(masks):
            return None
        values = subtracted(contrast.values, here, plan[0].shift, '"log": true' in instance.extra["mask_subtraction"])
        made = replace(contrast, values=values, unit="", windows=(_window(instance, contrast),), voi_lut=None)
        self._made[ref] = made
        while len(self._made) > max(2, _KEPT_BYTES // max(values.nbytes, 1)):
            self._made.popitem(last=False)
        return made

    def waits(self, ref: FrameRef, instance: Instance) -> bool:
        """A difference will be there; its frames are not yet."""
        return masks_for(steps_of(instance), ref.frame, len(instance.frames)) is not None


def _window(instance: Instance, contrast: FramePixels) -> VoiWindow:
    """One for all differences of a run, around zero: half as wide as the object's own, else an eighth of the range."""
    bits = instance.pixel_format.bits_stored if instance.pixel_format is not None else 12
    width = contrast.windows[0].width / 2 if contrast.windows else (1 << bits) / 8
    return VoiWindow(0.0, max(width, 1.0), VoiFunction.LINEAR_EXACT, "subtraction")


def _made(shutter: Shutter, uid: str, rows: int, columns: int) -> _Cover:
    covered = shutter_mask(shutter, rows, columns)
    grey = shutter.grey
    return _Cover(
        covered, MaskLayer(SegmentMask("shutter", covered, None, uid), (grey, grey, grey), Appearance(opacity=1.0), 0)
    )
