"""Draws a reader's curves: ``python -m app.ai.training.curves READER --data DIR [--split test] --out PNG``.

DIR is a folder in the form of the labelled sets. One panel for each kind of curve that the evaluation of the reader gives:
ROC, precision over recall, found lesions over marks, outline over size, volume against truth. Needs matplotlib
(``pip install .[training]``).
"""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from app.ai.training.evaluate import readers
from app.ai.training.evaluation.common import Figures, open_reader

Line = tuple[str, Sequence[float], Sequence[float]]
COLOURS = ("#0072b2", "#009e73", "#e69f00", "#d55e00", "#cc79a7")
"""Told apart by colour-blind eyes too (Okabe and Ito)."""
WORDS = {
    "Fillings": "tooth with filling",
    "Implant": "root-filled crowned tooth or implant",
    "Impacted Tooth": "impacted tooth",
    "Cavity": "gross crown loss or retained root",
    "blob": "simple spot search",
}


def draw(figures: Figures, title: str, out: Path) -> None:
    """Raises ``ValueError`` when the evaluation gave no curve."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    panels = panels_of(figures)
    if not panels:
        raise ValueError("no curve to draw")
    sheet, axes = pyplot.subplots(1, len(panels), figsize=(0.4 + 4.6 * len(panels), 4.4), dpi=100, squeeze=False)
    for panel, paint in zip(axes[0], panels, strict=True):
        paint(panel)
        panel.grid(color="0.9")
    sheet.suptitle(title, fontsize=10)
    sheet.tight_layout()
    sheet.savefig(out, metadata={"Software": None})
    pyplot.close(sheet)


def panels_of(figures: Figures) -> list[Callable[[Any], None]]:
    """What each panel paints on its axes."""
    curves, panels = figures.curves, []
    for name, curve in curves.items():
        if name.startswith("roc"):
            lines = _lines(curve, name.removeprefix("roc").strip("_") or "reader")
            panels.append(lambda axes, lines=lines: _unit(axes, lines, "false positive share", "true positive share", True))
    shares = [(WORDS.get(k, k), c["recall"], c["precision"]) for k, c in curves.items() if _is_pr(c)]
    if shares:
        ap50 = {WORDS.get(k, k): v for k, v in figures.more["ap50"].items()}
        lines = [(f"{k}: AP50 {ap50[k]:.3f}", [0.0, *r], [1.0, *p]) for k, r, p in shares]
        panels.append(lambda axes: _unit(axes, lines, "recall", "precision", False))
    if "froc" in curves:
        panels.append(lambda axes: _froc(axes, curves["froc"]))
    if "dice" in curves:
        panels.append(lambda axes: _over_size(axes, curves["diameter"], curves["dice"]))
    if "volume" in curves:
        panels.append(lambda axes: _volumes(axes, *curves["volume"]))
    return panels


def _is_pr(curve: object) -> bool:
    return isinstance(curve, Mapping) and "precision" in curve


def _lines(curve: Any, name: str) -> list[Line]:
    named = curve if isinstance(curve, Mapping) else {name: curve}
    return [(WORDS.get(k, k), x, y) for k, (x, y) in named.items()]


def _unit(axes: Any, lines: Sequence[Line], across: str, up: str, diagonal: bool) -> None:
    for colour, (name, x, y) in zip(COLOURS, lines, strict=False):
        axes.plot(x, y, color=colour, label=name, linewidth=1.6)
    if diagonal:
        axes.plot([0, 1], [0, 1], color="0.7", linestyle="--", linewidth=1)
    axes.set(xlim=(0, 1), ylim=(0, 1.01), xlabel=across, ylabel=up)
    axes.legend(loc="lower right" if diagonal else "lower left", fontsize=8)


def _froc(axes: Any, curve: Mapping[str, Any]) -> None:
    for colour, (name, (x, y)) in zip(COLOURS, curve["lines"].items(), strict=False):
        axes.plot(x, y, color=colour, label=WORDS.get(name, name), linewidth=1.6, marker="o", markersize=3)
    axes.set(ylim=(0, 1.01), xlabel=curve["across"], ylabel="share of true places found")
    axes.legend(loc="lower right", fontsize=8)


def _over_size(axes: Any, diameters_mm: Sequence[float], dice: Sequence[float]) -> None:
    axes.plot(diameters_mm, dice, linestyle="", marker=".", color=COLOURS[0], alpha=0.6)
    axes.set(ylim=(0, 1.01), xlabel="diameter of the truth, mm", ylabel="Dice")


def _volumes(axes: Any, found: Sequence[float], truth: Sequence[float]) -> None:
    top = 1.05 * max(*found, *truth, 1.0)
    axes.plot([0, top], [0, top], color="0.7", linestyle="--", linewidth=1)
    axes.plot(truth, found, linestyle="", marker="o", color=COLOURS[0])
    axes.set(
        xlim=(-0.02 * top, top), ylim=(-0.02 * top, top), xlabel="truth, pixels of a scan", ylabel="found, pixels of a scan"
    )


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m app.ai.training.curves")
    parser.add_argument("reader", choices=readers())
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--split", choices=["train", "val", "test", "all"], default="test")
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args(arguments)
    opened = open_reader(given.reader)
    module = importlib.import_module(f"app.ai.training.evaluation.{given.reader}")
    figures = module.evaluate(given.data, given.split, opened)
    name = f"{given.reader} {opened.package.card.version} on {given.data.name}, {given.split}, n {figures.n}"
    draw(figures, name, given.out)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
