"""The panoramic reader: exposed part, boxes, names, scope, and figures on a tiny labelled folder."""

from __future__ import annotations

import csv
from pathlib import Path

import cv2
import numpy as np
import pytest

from app.ai.engines.torch_engine import TorchEngine
from app.ai.networks.registry import build
from app.ai.reader_api import FilmImage, ReaderJob
from app.ai.readers.dental.boxes import CLASSES, NETWORK, STRIDE, ToothBox, answer, decode, overlap, suppressed
from app.ai.readers.dental.film import SIDE, Content, blank_area, content_of, prepared
from app.ai.readers.dental_panoramic import KINDS, READER, told_boxes
from app.ai.training.dental_net import augmented, shown_parts, targets
from app.ai.training.dental_set import film_weights, load_films
from app.dicom.coding import finding_kind
from app.domain.finding import ReaderIdentity, ReadState
from app.domain.messages import translate
from app.domain.ports import SilentProgress
from app.domain.resources import resource_path

CELLS = SIDE // STRIDE
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
        assert batch.shape[1:] == (1, SIDE, SIDE)
        out = np.full((len(batch), len(CLASSES) + 4, CELLS, CELLS), -9.0, np.float32)
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
    assert square.shape == (SIDE, SIDE)
    assert 0 <= square.min() <= square.max() <= 1
    assert square[2, 2] == 0


def test_unmasked_film_is_taken_whole() -> None:
    content = content_of(blank_area(mouth()))
    assert (content.x0, content.y0, content.x1, content.y1) == (0, 0, 960, 480)


def test_box_comes_back_to_film_pixels() -> None:
    content = Content(100.0, 50.0, 700.0, 450.0)
    assert content.to_film(0, 0) == (100.0, 50.0)
    np.testing.assert_allclose(content.to_film(SIDE, SIDE), (700.0, 450.0))


@pytest.mark.parametrize("flips", [1, 2, 4])
def test_targets_decode_to_the_same_box_in_every_mirror(flips: int) -> None:
    box = np.asarray([[61.0, 90.0, 84.0, 150.0]])

    class Perfect:
        def run(self, name: str, batch: np.ndarray) -> np.ndarray:
            out = []
            for image in batch[:, 0]:
                r, c = np.nonzero(image)
                here = np.asarray([[c.min(), r.min(), c.max() + 1, r.max() + 1]], float)
                heat, aims, weight = targets(np.asarray([3]), here)
                cells = np.arange(CELLS, dtype=np.float32)
                aims[0] = np.where(weight > 0, aims[0] - cells, 0)
                aims[1] = np.where(weight > 0, aims[1] - cells[:, None], 0)
                out.append(np.concatenate([np.log((heat + 1e-4) / (1 - heat + 1e-4)), aims]))
            return np.asarray(out, np.float32)

    square = np.zeros((SIDE, SIDE), np.float32)
    square[90:150, 61:84] = 1.0
    from app.ai.readers.dental.boxes import FLIPS

    found = decode(answer(square, Perfect(), FLIPS[:flips]), Content(0, 0, SIDE, SIDE), 0.5)
    assert [b.kind for b in found] == ["Cavity"]
    assert overlap(found[0].box, tuple(box[0])) > 0.9


def test_doubles_are_suppressed() -> None:
    boxes = [ToothBox("Cavity", (0, 0, 10, 10), 0.5), ToothBox("Cavity", (1, 0, 11, 10), 0.9)]
    assert [b.score for b in suppressed(boxes)] == [0.9]
    assert len(suppressed([*boxes, ToothBox("Cavity", (30, 0, 40, 10), 0.2)])) == 2


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
            return np.full((len(batch), len(CLASSES) + 4, CELLS, CELLS), -6.0, np.float32)

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
    net = build("film_detector_v1", {"classes": 4, "widths": [8, 8, 8, 8, 8]})
    assert TorchEngine(net).run(np.zeros((1, 1, SIDE, SIDE), np.float32)).shape == (1, 8, CELLS, CELLS)


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
    wrong = evaluate(folder, "test", Opened(None, BrightIsFilled("Cavity"), {"flips": 1}, "none"))  # type: ignore[arg-type]
    assert wrong.more["ap50"]["Fillings"] == 0.0


def test_copies_of_a_film_count_once(tmp_path: Path) -> None:
    films = load_films(labelled_folder(tmp_path, True), "test")
    assert film_weights(films) == [0.5, 0.5, 1.0]


def test_augmentation_keeps_box_and_tooth_together(tmp_path: Path) -> None:
    parts = shown_parts(load_films(labelled_folder(tmp_path, True), "test"))
    rng = np.random.default_rng(4)
    inside = []
    for _ in range(12):
        look, kinds, boxes = augmented(parts[0], rng)
        assert kinds.tolist() == [0]
        x0, y0, x1, y1 = np.clip(np.rint(boxes[0]), 0, SIDE).astype(int)
        rest = look.copy()
        rest[y0:y1, x0:x1] = np.nan
        inside.append(float(look[y0 + 2 : y1 - 2, x0 + 1 : x1 - 1].mean()) - float(np.nanmean(rest)))
    assert np.median(inside) > 0.3


@pytest.mark.skipif(not PACKAGE.exists(), reason="the package is not built")
def test_shipped_package_is_small_and_honest() -> None:
    from app.ai.training.evaluation.common import open_reader

    opened = open_reader("dental_panoramic", engine="torch")
    assert PACKAGE.stat().st_size <= 4 * 2**20
    assert opened.package.card.research_use_only
    assert set(opened.package.card.titles) == {"en", "ru", "kk"}
    assert {m.key for m in opened.package.card.metrics} >= {"ap50_fillings", "ap50_cavity"}
