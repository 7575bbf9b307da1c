"""The panoramic reader: exposed part, boxes, names, scope, and figures on a tiny labelled folder."""

from __future__ import annotations

import csv
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from app.ai.engines.torch_engine import TorchEngine
from app.ai.networks.registry import build
from app.ai.reader_api import FilmImage, ReaderJob
from app.ai.readers.dental.boxes import CLASSES, FLIPS, NETWORK, STRIDE, ToothBox, answer, decode, overlap, together
from app.ai.readers.dental.film import COLUMNS, ROWS, Content, blank_area, content_of, prepared
from app.ai.readers.dental_panoramic import KINDS, READER, told_boxes
from app.ai.training.dental_looks import Looks, Tooth, mixed, rare_teeth, shown_parts, turned, with_tooth_set_in
from app.ai.training.dental_net import FINISHING, Settings, given_cells, loss_of, padded, told_boxes_of, train
from app.ai.training.dental_set import film_weights, load_films
from app.dicom.coding import finding_kind
from app.domain.finding import ReaderIdentity, ReadState
from app.domain.messages import translate
from app.domain.ports import SilentProgress
from app.domain.resources import resource_path
from app.domain.scoring import all_point_ap

CELLS = (ROWS // STRIDE, COLUMNS // STRIDE)
PACKAGE = resource_path("models") / "dental_panoramic.ekmodel"


def mouth(rows: int = 480, columns: int = 960, seed: int = 0) -> np.ndarray:
    """Two rows of bright teeth, one of them with a very bright crown (the network stand-in looks for it)."""
    rng = np.random.default_rng(seed)
    film = 300 + cv2.GaussianBlur(rng.normal(0, 900, (rows, columns)).astype(np.float32), (0, 0), 2.0)
    for n in range(12):
        x = int(columns * (0.15 + 0.06 * n))
        cv2.rectangle(film, (x, int(rows * 0.25)), (x + columns // 40, int(rows * 0.45)), 1400.0, -1)
        cv2.rectangle(film, (x, int(rows * 0.52)), (x + columns // 40, int(rows * 0.72)), 1400.0, -1)
    return np.asarray(film, np.float32)


BRIGHT = (450.0, 225.0, 520.0, 345.0)


def with_bright(film: np.ndarray, box: tuple[float, float, float, float] = BRIGHT) -> np.ndarray:
    film = film.copy()
    film[int(box[1]) : int(box[3]), int(box[0]) : int(box[2])] = 3800.0
    return film


class BrightIsFilled:
    """Stands for the network: the largest very bright part is a tooth with a filling."""

    def __init__(self, kind: str = "Fillings") -> None:
        self.kind = kind

    def run(self, name: str, batch: np.ndarray) -> np.ndarray:
        assert name == NETWORK
        assert batch.shape[1:] == (1, ROWS, COLUMNS)
        out = np.full((len(batch), len(CLASSES) + 4, *CELLS), -9.0, np.float32)
        out[:, len(CLASSES) :] = 0.0
        for n, image in enumerate(batch[:, 0]):
            bright = cv2.morphologyEx((image > 0.93).astype(np.uint8), cv2.MORPH_OPEN, np.ones((5, 5), np.uint8))
            count, _, stats, _ = cv2.connectedComponentsWithStats(bright)
            if count < 2:
                continue
            x, y, w, h, _ = stats[1 + int(np.argmax(stats[1:, 4]))]
            cx, cy = (x + w / 2) / STRIDE, (y + h / 2) / STRIDE
            r, c = int(cy), int(cx)
            out[n, CLASSES.index(self.kind), r, c] = 4.0
            out[n, len(CLASSES) :, r, c] = (cx - c, cy - r, np.log(w / STRIDE), np.log(h / STRIDE))
        return out


def read(*films: FilmImage, kind: str = "Fillings", **attributes: str):  # type: ignore[no-untyped-def]
    job = ReaderJob("2.25.5", ReaderIdentity("dental_panoramic", "0.1.0", "ab" * 32), films=films, attributes=attributes)
    return READER.run(job, BrightIsFilled(kind), {"threshold": 0.5, "flips": 1}, SilentProgress())


def test_mask_and_content_of_a_round_film() -> None:
    film = np.full((600, 600), 255.0, np.float32)
    y, x = np.mgrid[:600, :600]
    inside = (x - 300) ** 2 + (y - 280) ** 2 < 200**2
    film[inside] = np.random.default_rng(0).uniform(20, 200, int(inside.sum())).astype(np.float32)
    content = content_of(blank_area(film))
    for got, wanted in zip((content.x0, content.y0, content.x1, content.y1), (100, 80, 500, 480), strict=True):
        assert abs(got - wanted) < 18
    square, _ = prepared(film)
    assert square.shape == (ROWS, COLUMNS)
    assert 0 <= square.min() <= square.max() <= 1
    assert square[2, 2] == 0


def test_unmasked_film_is_taken_whole() -> None:
    content = content_of(blank_area(mouth()))
    assert (content.x0, content.y0, content.x1, content.y1) == (0, 0, 960, 480)


def test_box_comes_back_to_film_pixels() -> None:
    content = Content(100.0, 50.0, 700.0, 450.0)
    assert content.to_film(0, 0) == (100.0, 50.0)
    np.testing.assert_allclose(content.to_film(COLUMNS, ROWS), (700.0, 450.0))


def seen_as(box: np.ndarray) -> np.ndarray:
    """What a perfect network says of a film with this one box of the last class."""
    x, y = np.arange(CELLS[1]), np.arange(CELLS[0])[:, None]
    cx, cy = (box[0] + box[2]) / 2 / STRIDE, (box[1] + box[3]) / 2 / STRIDE
    w, h = (box[2] - box[0]) / STRIDE, (box[3] - box[1]) / STRIDE
    near = np.exp(-(((x + 0.5 - cx) / 2) ** 2) - ((y + 0.5 - cy) / 3) ** 2)
    logits = np.full((len(CLASSES), *CELLS), -9.0)
    logits[3] = np.log((near + 1e-4) / (1.0001 - near))
    ones = np.ones(CELLS)
    return np.concatenate([logits, [(cx - x) * ones, (cy - y) * ones, np.log(w) * ones, np.log(h) * ones]]).astype(
        np.float32
    )


class PerfectOnBars:
    """Stands for the network on a picture that is black but for one bar."""

    def run(self, name: str, batch: np.ndarray) -> np.ndarray:
        out = []
        for image in batch[:, 0]:
            r, c = np.nonzero(image)
            out.append(seen_as(np.asarray([c.min(), r.min(), c.max() + 1, r.max() + 1], float)))
        return np.stack(out)


@pytest.mark.parametrize("flips", [1, 2, 4])
def test_answer_decodes_to_the_same_box_in_every_mirror(flips: int) -> None:
    picture = np.zeros((ROWS, COLUMNS), np.float32)
    picture[90:150, 61:84] = 1.0
    found = decode(answer(picture, PerfectOnBars(), FLIPS[:flips]), Content(0, 0, COLUMNS, ROWS), 0.5)
    assert [b.kind for b in found] == ["Cavity"]
    np.testing.assert_allclose(found[0].box, (61.0, 90.0, 84.0, 150.0), atol=0.05)


def test_boxes_of_one_tooth_become_their_mean_weighted_by_score() -> None:
    boxes = np.asarray([[0, 0, 10, 10], [1, 0, 11, 10], [30, 0, 40, 10]], float)
    (first, score), (other, low) = together(boxes, np.asarray([0.9, 0.5, 0.2]))
    assert (score, low) == (0.9, 0.2)
    near = 0.5 * (90 / 110) ** 2
    np.testing.assert_allclose(first, (near / (0.9 + near), 0, 10 + near / (0.9 + near), 10))
    np.testing.assert_allclose(other, (30, 0, 40, 10))


def test_two_classes_on_one_tooth_leave_the_likelier() -> None:
    boxes = [ToothBox("Fillings", (0, 0, 10, 30), 0.7), ToothBox("Implant", (0, 1, 10, 30), 0.9)]
    assert [b.kind for b, _ in told_boxes(boxes, {"threshold": 0.5})] == ["Implant"]


def test_reader_gives_boxes_in_film_pixels_and_heatmaps() -> None:
    film = FilmImage(with_bright(mouth()), "2.25.77")
    out = read(film)
    assert out.state is ReadState.COMPLETED
    assert len(out.findings) == 1
    location = out.findings[0].location
    assert location.sop_instance_uid == "2.25.77"
    assert location.box_px is not None
    assert overlap(location.box_px, BRIGHT) > 0.75
    assert [h.code.value for h in out.heatmaps] == [KINDS[k].value for k in CLASSES]
    heat = out.heatmaps[CLASSES.index("Fillings")]
    row, column = np.unravel_index(int(np.argmax(heat.values)), heat.values.shape)
    scale = (480 / heat.values.shape[0], 960 / heat.values.shape[1])
    assert BRIGHT[1] < (row + 0.5) * scale[0] < BRIGHT[3]
    assert BRIGHT[0] - 6 < (column + 0.5) * scale[1] < BRIGHT[2] + 6


def test_flip_of_the_film_flips_the_box() -> None:
    film = with_bright(mouth(), (300.0, 240.0, 340.0, 330.0))
    a = read(FilmImage(film, "2.25.1")).findings[0].location.box_px
    b = read(FilmImage(np.ascontiguousarray(film[:, ::-1]), "2.25.1")).findings[0].location.box_px
    assert a is not None
    assert b is not None
    np.testing.assert_allclose((960 - b[2], b[1], 960 - b[0], b[3]), a, atol=4.0)


def test_names_are_what_the_dentist_sees() -> None:
    for kind, code in KINDS.items():
        word = finding_kind(code)
        assert word != "finding"
        for language in ("en", "ru", "kk"):
            text = translate(language, f"finding.{word}")
            assert text != f"finding.{word}"
            assert kind == "Impacted Tooth" or kind.lower() != text.lower()


@pytest.mark.parametrize(
    ("film", "modality", "code"),
    [
        (np.ones((100, 200), np.float32), "PX", "ai.dental.too_small"),
        (np.ones((500, 1000), np.float32), "PX", "ai.dental.flat"),
        (mouth(900, 480), "PX", "ai.dental.not_panoramic"),
        (mouth(800, 800), "CR", "ai.dental.not_panoramic"),
        (np.clip(mouth(), 0, 1200), "PX", "ai.dental.nothing_seen"),
    ],
)
def test_out_of_scope_is_said(film: np.ndarray, modality: str, code: str) -> None:
    class Blind:
        def run(self, name: str, batch: np.ndarray) -> np.ndarray:
            return np.full((len(batch), len(CLASSES) + 4, *CELLS), -6.0, np.float32)

    job = ReaderJob(
        "2.25.5",
        ReaderIdentity("dental_panoramic", "0.1.0", "ab" * 32),
        films=(FilmImage(film, "2.25.1"),),
        attributes={"modality": modality},
    )
    out = READER.run(job, Blind(), {}, SilentProgress())
    assert out.state is ReadState.OUT_OF_SCOPE
    assert [p.code for p in out.problems] == [code]
    assert out.findings == ()


def test_no_film() -> None:
    assert [p.code for p in read().problems] == ["ai.dental.no_film"]


def test_network_has_the_declared_shape() -> None:
    net = build("tooth_detector_v1", {"classes": 4, "widths": [8, 8, 8, 8, 8]})
    assert TorchEngine(net).run(np.zeros((1, 1, ROWS, COLUMNS), np.float32)).shape == (1, 8, *CELLS)


def labelled_folder(folder: Path, with_columns: bool) -> Path:
    (folder / "images").mkdir()
    rows = []
    for n in range(4):
        box = (200.0 + 90 * n, 240.0, 240.0 + 90 * n, 330.0)
        film = with_bright(mouth(seed=n), box) if n < 3 else mouth(seed=n)
        pixels = np.clip(film / 16, 0, 255).astype(np.uint8)
        cv2.imwrite(str(folder / "images" / f"{n}.png"), pixels)
        extra = {"film": f"f{max(n, 1)}", "split": "test"} if with_columns else {}
        if n < 3:
            x, y, w, h = box[0], box[1], box[2] - box[0], box[3] - box[1]
            rows.append({"image": f"{n}.png", "finding": "Fillings", "x": x, "y": y, "w": w, "h": h, **extra})
    with (folder / "boxes.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return folder


@pytest.mark.parametrize("with_columns", [True, False])
def test_evaluation_on_a_folder_of_the_same_form(tmp_path: Path, with_columns: bool) -> None:
    from app.ai.training.evaluation.common import Opened
    from app.ai.training.evaluation.dental_panoramic import evaluate

    folder = labelled_folder(tmp_path, with_columns)
    opened = Opened(None, BrightIsFilled(), {"flips": 1}, "none")  # type: ignore[arg-type]
    figures = evaluate(folder, "test", opened)
    assert figures.n == (3 if with_columns else 4)
    ap50 = figures.more["ap50"]
    assert set(ap50) == {"Fillings"}
    # Without the columns the fourth film, which has no box, is there as well: its false mark costs precision.
    assert ap50["Fillings"] == pytest.approx(1.0 if with_columns else 0.75, abs=0.26)
    assert ap50["Fillings"] > 0.7
    curve = figures.curves["Fillings"]
    assert all_point_ap(curve["recall"], curve["precision"]) == pytest.approx(ap50["Fillings"], abs=1e-4)
    wrong = evaluate(folder, "test", Opened(None, BrightIsFilled("Cavity"), {"flips": 1}, "none"))  # type: ignore[arg-type]
    assert wrong.more["ap50"]["Fillings"] == 0.0


def test_copies_of_a_film_count_once(tmp_path: Path) -> None:
    films = load_films(labelled_folder(tmp_path, True), "test")
    assert film_weights(films) == [0.5, 0.5, 1.0]


def lit(look: np.ndarray, box: np.ndarray) -> float:
    """How much brighter the inside of a box is than the rest of a look."""
    x0, y0, x1, y1 = np.clip(np.rint(box), 0, (COLUMNS, ROWS, COLUMNS, ROWS)).astype(int)
    rest = look.astype(np.float64)
    rest[y0:y1, x0:x1] = np.nan
    return float(look[y0 + 2 : y1 - 2, x0 + 1 : x1 - 1].mean()) - float(np.nanmean(rest))


def test_turned_looks_keep_box_and_tooth_together(tmp_path: Path) -> None:
    parts = shown_parts(load_films(labelled_folder(tmp_path, True), "test"))
    rng = np.random.default_rng(4)
    for _ in range(12):
        look, kinds, boxes = turned(parts[0], rng)
        assert kinds.tolist() == [0]
        assert lit(look, boxes[0]) > 100


def test_looks_of_two_films_hold_the_boxes_of_their_own_halves(tmp_path: Path) -> None:
    folder = labelled_folder(tmp_path, True)
    parts = shown_parts(load_films(folder, "test"))
    rng = np.random.default_rng(1)
    counts = set()
    for _ in range(20):
        look, kinds, boxes = mixed(turned(parts[0], rng), turned(parts[2], rng), rng)
        assert len(kinds) == len(boxes)
        counts.add(len(boxes))
        assert all(lit(look, box) > 80 for box in boxes)
    assert len(counts) > 1
    drawn = [Looks(load_films(folder, "test"), 3).draw() for _ in range(2)]
    np.testing.assert_array_equal(drawn[0][0], drawn[1][0])


def test_a_rare_tooth_takes_the_place_of_a_boxed_one() -> None:
    film = np.full((ROWS, COLUMNS), 60, np.uint8)
    film[100:180, 200:230] = 130
    rare = np.full((96, 40), 60, np.uint8)
    rare[8:88, 5:35] = 220
    tooth = Tooth(rare, np.asarray([3]), np.asarray([[5.0, 8.0, 35.0, 88.0]]), np.asarray([210 / COLUMNS, 140 / ROWS]))
    rng = np.random.default_rng(0)
    taken = 0
    for _ in range(20):
        look, kinds, boxes = with_tooth_set_in(
            (film, np.asarray([0]), np.asarray([[200.0, 100.0, 230.0, 180.0]])), tooth, rng
        )
        if kinds.tolist() == [3]:
            taken += 1
            assert lit(look, boxes[0]) > 60
            assert overlap(tuple(boxes[0]), (200.0, 100.0, 230.0, 180.0)) > 0.6
    assert taken >= 3
    assert film.max() == 130


def test_only_the_rarest_kind_is_cut_out(tmp_path: Path) -> None:
    assert rare_teeth(shown_parts(load_films(labelled_folder(tmp_path, True), "test"))) == []


def test_a_box_gets_the_few_cells_that_tell_it_best() -> None:
    truth = np.asarray([60.0, 88.0, 100.0, 168.0])
    out = torch.from_numpy(seen_as(truth))[None]
    kind, box, there = padded([np.asarray([3])], [truth[None]])
    told = told_boxes_of(out)
    likely = torch.sigmoid(out[:, :4].flatten(2))
    score, aim, counts = given_cells(likely, told, CELLS, kind, box, there)
    assert int((score > 0).sum()) == 8
    assert float(score[0, 3].max()) == pytest.approx(1.0, abs=1e-4)
    assert float(score[0, :3].max()) == 0.0
    torch.testing.assert_close(aim[0, int(counts[0].argmax())], torch.from_numpy(truth / STRIDE).float())
    empty = padded([np.zeros(0, np.int64)], [np.zeros((0, 4))])
    assert float(given_cells(likely, told, CELLS, *empty)[0].max()) == 0.0


def test_loss_falls_from_a_wrong_answer_to_the_right_one() -> None:
    truth = np.asarray([60.0, 88.0, 100.0, 168.0])
    aims = padded([np.asarray([3])], [truth[None]])
    right, aside = (torch.from_numpy(seen_as(t))[None] for t in (truth, truth + 16))
    other = right.clone()
    other[:, [0, 3]] = other[:, [3, 0]]
    losses = [float(loss_of(o, *aims)) for o in (right, aside, other)]
    assert losses[0] < 0.5 * losses[1]
    assert losses[0] < 0.5 * losses[2]


def test_finishing_falls_to_nothing_and_ends_on_unmixed_films() -> None:
    plain = Settings(steps=1000)
    assert plain.rate_at(999) == plain.rate_at(500) > plain.rate_at(20)
    last = Settings(steps=1000, way=FINISHING)
    assert last.rate_at(999) < 0.01 * last.rate_at(200)
    assert not last.plain_at(100)
    assert last.plain_at(990)


def test_both_stretches_of_training_run_and_repeat(tmp_path: Path) -> None:
    films = load_films(labelled_folder(tmp_path, True), "test")
    seen: list[int] = []
    nets = []
    for _ in range(2):
        first = train(films, Settings(steps=1, batch=2))
        last = Settings(steps=2, way=FINISHING, batch=2, seed=12)
        nets.append(train(films, last, first, lambda net, step: seen.append(step)))
    for a, b in zip(nets[0].state_dict().values(), nets[1].state_dict().values(), strict=True):
        torch.testing.assert_close(a, b)
    assert not torch.equal(first.kinds[2].weight, nets[1].kinds[2].weight)
    assert seen == []


@pytest.mark.skipif(not PACKAGE.exists(), reason="the package is not built")
def test_shipped_package_is_small_and_honest() -> None:
    from app.ai.training.evaluation.common import open_reader

    opened = open_reader("dental_panoramic", engine="torch")
    assert PACKAGE.stat().st_size <= 4 * 2**20
    assert opened.package.card.research_use_only
    assert set(opened.package.card.titles) == {"en", "ru", "kk"}
    assert {m.key for m in opened.package.card.metrics} >= {"ap50_fillings", "ap50_cavity"}
