"""Numbers from maps whose answer is known, without a trained network."""

from __future__ import annotations

import numpy as np
import pytest

from app.ai.reader_api import FilmImage, ReaderJob
from app.ai.readers.dental.film import Content
from app.ai.readers.dental.numbering import CELLS, COLUMNS, ROWS, STRIDE, TEETH, ToothPlace, as_input, number_teeth, tooth_of
from app.ai.readers.dental.tooth_findings import MISSING, not_seen, with_tooth
from app.domain.finding import Finding, Location, ReaderIdentity, Source
from app.domain.teeth import NumberedTooth

CONTENT = Content(100.0, 50.0, 100.0 + 2 * COLUMNS, 50.0 + 2 * ROWS)
TEMPLATE = [((n % 16 - 7.5) / 17, (-0.15 if n < 16 else 0.15) - 0.05 * ((n % 16 - 7.5) / 8) ** 2) for n in range(32)]
WHO = ReaderIdentity("dental_panoramic", "0", "0" * 64)


def cell_of(n: int, shift: float = 0.0) -> tuple[float, float]:
    x, y = TEMPLATE[n]
    return CELLS[1] / 2 + x * 70 + shift, CELLS[0] / 2 + y * 60


def maps(present: list[int], shift: float = 0.0, wrong: dict[int, int] | None = None) -> np.ndarray:
    """Peaks of 0.8 at the teeth ``present`` (indices); ``wrong`` lets one answer in another's channel."""
    out = np.zeros((36, *CELLS), np.float32)
    for n in present:
        x, y = cell_of(n, shift)
        c, r = int(x), int(y)
        out[(wrong or {}).get(n, n), r, c] = 0.8
        out[32:34, r, c] = (x - c, y - r)
        out[34:36, r, c] = (np.log(3.0), np.log(8.0))
    return out


def numbered(found: tuple[ToothPlace, ...]) -> dict[int, ToothPlace]:
    return {t.fdi: t for t in found}


@pytest.mark.parametrize("shift", [0.0, 4.0])
def test_every_tooth_gets_its_number_and_place(shift: float) -> None:
    teeth = numbered(number_teeth(maps(list(range(32)), shift), CONTENT, TEMPLATE))
    assert set(teeth) == set(TEETH)
    assert all(t.seen and t.confidence >= 0.8 for t in teeth.values())
    x, y = cell_of(5, shift)
    assert teeth[TEETH[5]].centre_px == pytest.approx((100 + 2 * STRIDE * x, 50 + 2 * STRIDE * y), abs=0.1)


def test_a_gap_is_told_where_the_arch_has_it() -> None:
    present = [n for n in range(32) if n not in (4, 20)]
    teeth = numbered(number_teeth(maps(present), CONTENT, TEMPLATE))
    gone = [t for t in teeth.values() if not t.seen]
    assert {t.fdi for t in gone} == {TEETH[4], TEETH[20]}
    x, _ = cell_of(4)
    assert teeth[TEETH[4]].centre_px[0] == pytest.approx(100 + 2 * STRIDE * x, abs=12)
    assert teeth[TEETH[4]].confidence == 0.0


def test_too_few_teeth_make_no_arch() -> None:
    assert number_teeth(maps([3, 4, 5, 20, 21]), CONTENT, TEMPLATE) == ()


def test_a_box_gets_the_tooth_that_it_covers_else_the_nearest() -> None:
    teeth = number_teeth(maps([n for n in range(32) if n != 16]), CONTENT, TEMPLATE)
    by = numbered(teeth)
    assert tooth_of(by[26].box_px, teeth) == (26, by[26].confidence)
    x, y = by[48].centre_px
    found = tooth_of((x - 20, y - 20, x + 20, y + 20), teeth)
    assert found is not None
    assert found[0] == 48
    assert found[1] < 0.6
    assert tooth_of((5000, 5000, 5010, 5010), teeth) is None


def test_a_box_beside_the_seen_teeth_is_rather_of_one_that_was_not_seen() -> None:
    """Between a seen 47 and the place of an unseen 48, nearer the 47."""
    teeth = number_teeth(maps([n for n in range(32) if n != 16]), CONTENT, TEMPLATE)
    by = numbered(teeth)
    (x0, y0), (x1, y1) = by[48].centre_px, by[47].centre_px
    x, y = 0.45 * x0 + 0.55 * x1, 0.45 * y0 + 0.55 * y1
    found = tooth_of((x - 3, y - 3, x + 3, y + 3), teeth)
    assert found is not None
    assert found[0] == 48
    x, y = 0.2 * x0 + 0.8 * x1, 0.2 * y0 + 0.8 * y1
    near = tooth_of((x - 3, y - 3, x + 3, y + 3), teeth)
    assert near is not None
    assert near[0] == 47


def test_a_masked_place_says_nothing_to_the_network() -> None:
    film = np.full((300, 600), 100.0, np.float32)
    film[80:220, 100:500] += np.random.default_rng(0).normal(0, 30, (140, 400)).astype(np.float32)
    film[:, :60] = film.min() - 50
    picture, content = as_input(film)
    assert picture.shape == (ROWS, COLUMNS)
    assert float(np.abs(picture).max()) <= 1.0
    assert content.x0 >= 50


def finding(box: tuple[float, float, float, float]) -> Finding:
    from app.domain.measurement import Code

    where = Location(sop_instance_uid="1.2", centre_px=(box[0], box[1]), box_px=box)
    return Finding("2.25.1", Source.AI, Code("AIK-020", "99EKINSHI", "x"), where, reader=WHO)


def test_findings_name_their_tooth_and_missing_ones_need_sure_neighbours() -> None:
    places = number_teeth(maps([n for n in range(32) if n not in (4, 31)]), CONTENT, TEMPLATE)
    teeth = [NumberedTooth(t.fdi, t.box_px, t.confidence, t.seen, "1.2") for t in places]
    by = {t.fdi: t for t in teeth}
    told = with_tooth(finding(by[36].box_px), teeth)
    assert (told.region, told.laterality) == ("36", "L")
    assert dict(told.attributes)["tooth_confidence"] == f"{by[36].confidence:.2f}"
    job = ReaderJob("1.2.3", WHO)
    film = FilmImage(np.zeros((10, 10), np.float32), "1.2")
    gone = not_seen(job, film, teeth, [told])
    assert {f.region for f in gone} == {str(TEETH[4]), str(TEETH[31])}
    assert all(f.code == MISSING and f.probability is None for f in gone)
    doubtful = [NumberedTooth(t.fdi, t.box_px, 0.3 if t.seen else 0.0, t.seen, "1.2") for t in places]
    assert not_seen(job, film, doubtful, []) == []
    assert not_seen(job, film, teeth, [with_tooth(finding(by[TEETH[4]].box_px), teeth)])[0].region == str(TEETH[31])
