from __future__ import annotations

import numpy as np
import pytest

from app.samples.intraoral import generate_intraoral


@pytest.mark.parametrize("view", ["upper", "lower", "bitewing"])
def test_the_truth_lies_where_the_film_shows_it(view: str) -> None:
    film = generate_intraoral(11, view, pixel_mm=0.15)
    again = generate_intraoral(11, view, pixel_mm=0.15)
    assert np.array_equal(film.pixels, again.pixels)
    assert film.pixels.shape == (200, 267)
    assert film.sites
    for site in film.sites:
        (ax, ay), (bx, by) = site.enamel_px, site.crest_px
        assert np.hypot(bx - ax, by - ay) * film.pixel_mm == pytest.approx(site.level_mm, abs=0.02)
        # Bone lies from the enamel towards the root: up in the upper jaw.
        assert (by < ay) == (site.fdi // 10 in (1, 2))
        if site.root_percent is not None:
            assert 0 < site.root_percent < 100
    values = film.pixels.astype(float)
    for found in film.findings:
        x0, y0, x1, y1 = found.box_px
        inside = values[int(y0) : int(y1) + 1, int(x0) : int(x1) + 1]
        w, h = x1 - x0, y1 - y0
        around = values[max(0, int(y0 - h / 2)) : int(y1 + h / 2), max(0, int(x0 - w / 2)) : int(x1 + w / 2)]
        assert np.percentile(inside, 20) <= np.percentile(around, 80), found


def test_a_healthy_film_has_no_findings_and_an_upright_one_is_taller() -> None:
    assert generate_intraoral(3, healthy=True, pixel_mm=0.2).findings == ()
    assert generate_intraoral(3, pixel_mm=0.2, upright=True).pixels.shape == (200, 150)
