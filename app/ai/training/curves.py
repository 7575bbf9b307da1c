"""Draws the panoramic reader's precision over recall: ``python -m app.ai.training.dental_curves --data DIR --out PNG``.

DIR is a folder in the form of the labelled panoramic films. Needs matplotlib (``pip install .[training]``).
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from app.ai.training.evaluation.common import open_reader
from app.ai.training.evaluation.dental_panoramic import evaluate

NAMES = {
    "Fillings": "tooth with filling",
    "Implant": "root-filled crowned tooth or implant",
    "Impacted Tooth": "impacted tooth",
    "Cavity": "gross crown loss or retained root",
}
COLOURS = ("#0072b2", "#009e73", "#e69f00", "#d55e00")
"""Told apart by colour-blind eyes too (Okabe and Ito)."""


def draw(curves: Mapping[str, Any], ap50: Mapping[str, float], title: str, out: Path) -> None:
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(6.4, 4.8), dpi=110)
    for colour, (kind, curve) in zip(COLOURS, curves.items(), strict=False):
        label = f"{NAMES.get(kind, kind)}: AP50 {ap50[kind]:.3f}"
        axes.plot([0.0, *curve["recall"]], [1.0, *curve["precision"]], color=colour, label=label, linewidth=1.6)
    axes.set(xlim=(0, 1), ylim=(0, 1.01), xlabel="recall", ylabel="precision", title=title)
    axes.grid(color="0.9")
    axes.legend(loc="lower left", fontsize=9)
    figure.tight_layout()
    figure.savefig(out, metadata={"Software": None})
    pyplot.close(figure)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m app.ai.training.dental_curves")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--split", choices=["train", "val", "test", "all"], default="test")
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args(arguments)
    figures = evaluate(given.data, given.split, open_reader("dental_panoramic"))
    title = f"{given.data.name}, {given.split}: {figures.n} images of {figures.more['n_films']} films, overlap 0.5"
    draw(figures.curves, figures.more["ap50"], title, given.out)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
