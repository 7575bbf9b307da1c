"""Key images made beside the report that is looked at, kept while their findings stay as they are."""

from __future__ import annotations

from collections.abc import Callable

from app.domain.finding import Finding
from app.domain.report import KeyImage
from app.session.images import Images
from app.session.key_images import Place, decoded, drawn, key_image, place_of, request_for
from app.session.reading_room import ReadingRoom
from app.viewer.layers import ImageLayer
from app.viewer.words import Texts


class KeyImageMaker:
    """Main thread only; decoding, drawing and compressing happen beside it."""

    def __init__(self, room: ReadingRoom, images: Images, came: Callable[[], None]) -> None:
        """``came``: the last of the pictures that were asked for is here."""
        self._room = room
        self._images = images
        self._came = came
        self._kept: dict[str, tuple[Finding, KeyImage]] = {}
        self._asked: dict[str, Finding] = {}
        self._without: dict[str, Finding] = {}
        """Findings whose image cannot be shown; not asked for again."""
        self._age = 0

    def forget(self) -> None:
        """Other words stand in the pictures now; what is being made is dropped when it comes."""
        self._kept, self._asked, self._without = {}, {}, {}
        self._age += 1

    @property
    def waiting(self) -> bool:
        return bool(self._asked)

    def get(self, finding: Finding, number: int, texts: Texts) -> KeyImage | None:
        """The picture if it is here; else it is being made, or nothing that is loaded can show the finding."""
        kept = self._kept.get(finding.finding_id)
        if kept is not None and kept[0] == finding:
            return kept[1]
        if finding not in (self._asked.get(finding.finding_id), self._without.get(finding.finding_id)):
            place = place_of(self._room, self._images, finding)
            if place is not None:
                self._asked[finding.finding_id] = finding
                self._begin(place, finding, number, texts)
        return None

    def now(self, finding: Finding, number: int, texts: Texts) -> KeyImage | None:
        """The same without leaving this thread: nothing is signed without its pictures."""
        kept = self._kept.get(finding.finding_id)
        if kept is not None and kept[0] == finding:
            return kept[1]
        made = key_image(self._room, self._images, finding, str(number), texts)
        if made is None:
            return None
        self._asked.pop(finding.finding_id, None)
        return self._keep(finding, KeyImage(number, "", made[1], made[2], finding.finding_id, made[0]))

    def _keep(self, finding: Finding, image: KeyImage) -> KeyImage:
        self._kept[finding.finding_id] = (finding, image)
        return image

    def _begin(self, place: Place, finding: Finding, number: int, texts: Texts) -> None:
        layer = self._room.frame_layer(place.pane)
        if layer is not None:
            self._draw(place, layer, finding, number, texts)
            return
        age = self._age

        def came(made: ImageLayer | None) -> None:
            if age != self._age:
                return
            if made is None:
                self._done(finding, made=False)
            else:
                self._draw(place, made, finding, number, texts)

        self._images.beside(lambda: decoded(self._images, place), came)

    def _draw(self, place: Place, layer: ImageLayer, finding: Finding, number: int, texts: Texts) -> None:
        request, age = request_for(self._room, place, layer, finding, str(number), texts), self._age

        def came(content: bytes | None) -> None:
            if age != self._age:
                return
            if content is not None:
                ref = place.ref
                self._keep(finding, KeyImage(number, "", ref.sop_instance_uid, ref.frame, finding.finding_id, content))
            self._done(finding, made=content is not None)

        self._images.beside(lambda: drawn(request), came)

    def _done(self, finding: Finding, made: bool) -> None:
        if not made:
            self._without[finding.finding_id] = finding
        if self._asked.get(finding.finding_id) == finding:
            del self._asked[finding.finding_id]
        if not self._asked:
            self._came()
