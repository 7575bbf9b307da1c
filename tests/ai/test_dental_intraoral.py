"""The intra-oral reader's reading of known maps, its gate, its words, and how its figures are counted."""

from __future__ import annotations

import numpy as np
import pytest

from app.ai.reader_api import FilmImage, ReaderJob
from app.ai.readers.dental import intraoral as io
from app.ai.readers.dental_intraoral import READER, SHARE, refusal
from app.ai.training.evaluation.dental_intraoral import Counts, TrueFilm, count, figures, sensitivity
from app.domain.finding import ReaderIdentity, ReadState
from app.domain.measurement import Quantity
from app.domain.ports import Cancelled, SilentProgress

WHO = ReaderIdentity("dental_intraoral", "0", "0" * 64)
N = len(io.POINTS)


def put(maps: np.ndarray, name: str, x: float, y: float, vx: float, vy: float, score: float = 0.9) -> None:
    """A point in network pixels. Vectors in network pixels; of candidates their width and height."""
    c, r = int(x / io.STRIDE), int(y / io.STRIDE)
    maps[io.POINTS.index(name), r, c] = score
    maps[N, r, c], maps[N + 1, r, c] = x / io.STRIDE - c, y / io.STRIDE - r
    if name in ("caries", "periapical"):
        maps[N + 2, r, c], maps[N + 3, r, c] = np.log(vx / io.STRIDE), np.log(vy / io.STRIDE)
    else:
        unit = io.STRIDE * io.REACH_CELLS * (2 if name == "apex" else 1)
        maps[N + 2, r, c], maps[N + 3, r, c] = vx / unit, vy / unit


def tooth_maps() -> np.ndarray:
    """A lower tooth: two sides with 24 network pixels (2.9 mm) of bone lost, a root of 100, caries, a lesion."""
    maps = np.zeros((N + 4, io.CELLS, io.CELLS), np.float32)
    for x in (150.0, 190.0):
        put(maps, "enamel", x, 140.0, 0.0, 24.0)
        put(maps, "crest", x, 164.0, 0.0, -24.0)
    put(maps, "apex", 170.0, 240.0, 0.0, -100.0)
    put(maps, "caries", 152.0, 110.0, 12.0, 10.0)
    put(maps, "periapical", 170.0, 256.0, 24.0, 24.0, 0.6)
    return maps


PLAIN = io.Placing(1.0, 0.0, 0.0, False, io.SIDE, io.SIDE)


def test_bone_is_measured_from_the_enamel_to_the_crest() -> None:
    answer = io.read_maps(tooth_maps(), PLAIN)
    assert [(c.name, round(c.score, 2)) for c in answer.candidates] == [("caries", 0.9), ("periapical", 0.6)]
    assert answer.candidates[0].box == pytest.approx((146, 105, 158, 115), abs=0.1)
    assert len(answer.sites) == 2
    for site in answer.sites:
        assert site.length_px == pytest.approx(24.0, abs=0.1)
        assert site.share == pytest.approx(24 / np.hypot(20, 100), abs=0.01)
        assert not site.up


def test_a_crest_far_from_the_aim_does_not_pull_it() -> None:
    maps = tooth_maps()
    maps[io.POINTS.index("crest")] = 0
    put(maps, "crest", 150.0, 200.0, 0.0, 0.0)
    assert {round(s.length_px) for s in io.read_maps(maps, PLAIN).sites} == {24}


def test_a_turned_film_gets_its_marks_back_in_place() -> None:
    values = np.zeros((200, 300), np.float32)
    values[20:30, 250:260] = 1.0
    square, placing = io.placed(values, io.INPUT_MM, turned=True)
    row, column = (float(v.mean()) + 0.5 for v in np.nonzero(square > 0.5))
    assert placing.to_film(column, row) == pytest.approx((255.0, 25.0), abs=0.6)
    square, placing = io.placed(values, io.INPUT_MM)
    row, column = (float(v.mean()) + 0.5 for v in np.nonzero(square > 0.5))
    assert placing.to_film(column, row) == pytest.approx((255.0, 25.0), abs=0.6)


class Fixed:
    """A network that always sees the tooth, upright only; its mirror where the picture is mirrored."""

    def __init__(self, maps: np.ndarray) -> None:
        with np.errstate(divide="ignore"):
            logits = np.log(np.clip(maps[:N], 1e-6, 1 - 1e-6) / (1 - np.clip(maps[:N], 1e-6, 1 - 1e-6)))
        self.out = np.concatenate([logits, maps[N:]])
        self.calls = 0

    def run(self, name: str, batch: np.ndarray) -> np.ndarray:
        assert name == io.NETWORK
        self.calls += 1
        seen = self.out if self.calls in (1, 2) else np.full_like(self.out, -9.0)
        if self.calls == 2:
            seen = seen[:, :, ::-1].copy()
            seen[N] = 1.0 - seen[N]
        return seen[None].astype(np.float32)


def film(spacing: tuple[float, float] | None) -> FilmImage:
    values = np.random.default_rng(0).normal(500, 100, (io.SIDE, io.SIDE)).astype(np.float32)
    return FilmImage(values, "1.2.3", spacing, detector_spacing_mm=(io.INPUT_MM, io.INPUT_MM))


@pytest.mark.parametrize(("spacing", "unit"), [((0.12, 0.12), "mm"), (None, "")])
def test_millimetres_need_a_calibrated_film(spacing: tuple[float, float] | None, unit: str) -> None:
    job = ReaderJob("1.2", WHO, films=(film(spacing),))
    out = READER.run(job, Fixed(tooth_maps()), {"thresholds": {"caries": 0.5, "periapical": 0.7}}, SilentProgress())
    assert out.state is ReadState.COMPLETED
    kinds = sorted(f.code.value for f in out.findings)
    assert kinds == ["80967001", "AIK-026", "AIK-026"], "the lesion lies below its threshold"
    level = next(f for f in out.findings if f.code.value == "AIK-026")
    assert dict(level.attributes)[SHARE] == "24"
    length = level.measured(Quantity.LENGTH)
    assert (length.unit if length else "") == unit
    if length is not None:
        assert length.value == pytest.approx(2.9, abs=0.05)
    assert out.measurements == (("dental.bone_worst_percent", 23.5, "%"),)


def test_a_film_without_teeth_and_other_pictures_are_refused_aloud() -> None:
    empty = np.zeros((N + 4, io.CELLS, io.CELLS), np.float32)
    out = READER.run(ReaderJob("1.2", WHO, films=(film(None),)), Fixed(empty), {}, SilentProgress())
    assert (out.state, [p.code for p in out.problems]) == (ReadState.OUT_OF_SCOPE, ["ai.intraoral.no_teeth"])
    assert READER.run(ReaderJob("1.2", WHO), Fixed(empty), {}, SilentProgress()).state is ReadState.OUT_OF_SCOPE
    noise = np.random.default_rng(1).normal(0, 1, (300, 400)).astype(np.float32)
    for values, spacing, code in (
        (noise[:100], None, "ai.intraoral.too_small"),
        (noise[:150], None, "ai.intraoral.not_intraoral"),
        (noise, (0.5, 0.5), "ai.intraoral.size"),
        (np.full((300, 400), 7.0, np.float32), None, "ai.dental.flat"),
    ):
        why = refusal(FilmImage(values, "1", spacing))
        assert why is not None
        assert why.code == code
    assert refusal(FilmImage(noise, "1", (0.08, 0.08))) is None


def test_it_stops_when_asked() -> None:
    class Stop(SilentProgress):
        def cancelled(self) -> bool:
            return True

    with pytest.raises(Cancelled):
        READER.run(ReaderJob("1", WHO, films=(film(None),)), Fixed(tooth_maps()), {}, Stop())


def test_figures_count_hits_false_marks_and_levels_as_said() -> None:
    truth = TrueFilm(
        np.random.default_rng(0).normal(0, 1, (400, 400)).astype(np.float32),
        io.INPUT_MM,
        (("caries", (146, 105, 158, 115)), ("caries", (10, 10, 20, 20))),
        ((150.0, 140.0, 2.9, 24.0), (190.0, 140.0, 4.5, None), (300.0, 300.0, 1.0, None)),
    )
    counts = Counts()
    count(truth, io.read_maps(tooth_maps(), PLAIN), counts)
    assert (counts.sites, counts.found, counts.within) == ([3], [2], [1])
    assert counts.percent[0] == [pytest.approx(0.5, abs=0.2)]
    one = np.array([0])
    assert sensitivity(counts, one, 1.0) == 0.5
    assert sensitivity(counts, one, 1.0, ("periapical",)) != sensitivity(counts, one, 1.0, ("periapical",)), "none to find"
    told = figures([truth], counts)
    assert told.values["bone_within_05"].value == 0.5
    assert told.more["n_truth"] == {"caries": 2, "periapical": 0}


def test_the_shipped_package_says_where_it_was_shown_and_measures_a_film_it_never_saw() -> None:
    from app.ai.training.evaluation.common import open_reader
    from app.ai.training.intraoral_net import HELD_OUT_SEEDS, film_of

    opened = open_reader("dental_intraoral", None, 1, "torch")
    card = opened.package.card
    for language, words in (("en", "phantoms"), ("ru", "фантомах"), ("kk", "Фантомдарда")):
        assert words in card.intended_use[language]
        assert words.casefold() in card.limits[language][0].casefold()
    made = film_of(HELD_OUT_SEEDS[1], 0.15)
    shown = FilmImage(made.pixels.astype(np.float32), "1.2.3", (0.15, 0.15), detector_spacing_mm=(0.15, 0.15))
    answer = io.read_film(shown.values, 0.15, opened.nets)
    assert not answer.turned
    counts = Counts()
    count(
        TrueFilm(shown.values, 0.15, (), tuple((*s.enamel_px, s.level_mm, s.root_percent) for s in made.sites)),
        answer,
        counts,
    )
    assert counts.found[0] >= 0.8 * counts.sites[0]
    assert counts.within[0] >= 0.8 * counts.found[0]
    out = READER.run(ReaderJob("1.2", WHO, films=(shown,)), opened.nets, opened.parameters, SilentProgress())
    assert out.state is ReadState.COMPLETED
