"""Class by class: confusion matrices, sensitivity and specificity."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from leukbench.report.figures.spec import FigureSpec
from leukbench.report.figures.style import new_figure, shortened, small_multiples
from leukbench.report.formats import mean_count
from leukbench.report.results import Results

_INCHES_A_LETTER = 0.07
_UPRIGHT = 6


def confusion(results: Results) -> Figure:
    """Confusion matrix of every model: percent of the true class, and mean number of images."""
    names = [name for name in results.comparison["model"] if name in results.confusion]
    classes = results.folder.classes
    columns = 4 if len(classes) <= 6 else 2
    side = max(1.8, 0.47 * len(classes))
    labels = [shortened(name, 12) for name in classes]
    longest = max(map(len, labels))
    room = 0.45 + _INCHES_A_LETTER * longest
    trials = "" if len(results.trials) == len(names) else ", means over seeds"
    figure, axes = small_multiples(
        len(names),
        f"Confusion matrices: percent of the true class (images{trials})",
        ("predicted class", "true class"),
        columns,
        (side, side),
        left=room,
        bottom=room if longest > _UPRIGHT else 0.6,
    )
    for ax, name in zip(axes, names, strict=True):
        _matrix(ax, results.confusion[name])
        ax.set_title(shortened(results.titles[name], 26))
        ax.tick_params(axis="x", labelsize=7, rotation=90 if longest > _UPRIGHT else 0)
        ax.tick_params(axis="y", labelsize=7)
    for ax in axes[:1]:
        _cell_ticks(ax, labels, labels)
    return figure


def _matrix(ax: Axes, counts: pd.DataFrame) -> None:
    cells = counts.to_numpy(dtype=np.float64)
    totals = cells.sum(axis=1, keepdims=True)
    shares = 100 * np.divide(cells, totals, out=np.zeros_like(cells), where=totals > 0)
    small = len(cells) > 8
    texts = [
        [_cell(share, number, small) for share, number in zip(*row, strict=True)]
        for row in zip(shares, cells, strict=True)
    ]
    _shaded(ax, shares, texts, 6.5)


def _shaded(
    ax: Axes, shares: NDArray[np.float64], texts: Sequence[Sequence[str]], size: float
) -> None:
    """Cells from white, 0 %, to dark blue, 100 %, each with its text; the first row on top.

    The texts lie within the axes, so that the layout need not measure them.
    """
    sns.heatmap(
        shares, annot=np.array(texts), fmt="", cmap="Blues", vmin=0, vmax=100, cbar=False,
        linewidths=0.5, linecolor="#767676", ax=ax, annot_kws={"size": size},
        xticklabels=False, yticklabels=False,
    )  # fmt: skip
    for text in ax.texts:
        text.set_in_layout(False)


def _cell_ticks(ax: Axes, rows: Sequence[str], columns: Sequence[str]) -> None:
    """Names at the middle of rows and columns."""
    ax.set_xticks(np.arange(len(columns)) + 0.5, columns)
    ax.set_yticks(np.arange(len(rows)) + 0.5, rows)
    ax.set_xlim(0, len(columns))
    ax.set_ylim(len(rows), 0)


def _cell(share: float, number: float, small: bool) -> str:
    if small:
        return f"{share:.0f}" if number else ""
    return f"{share:.0f} %\n({mean_count(number)})"


def per_class(results: Results) -> Figure:
    """Sensitivity and specificity of each class, one row a model."""
    table = results.classification
    table = table[table["class"].isin(results.folder.classes)]
    order = [name for name in results.comparison["model"] if name in results.members]
    classes = list(results.folder.classes)
    width = 2.9 + 2 * 0.52 * len(classes)
    figure = new_figure(max(width, 6.0), 1.5 + 0.28 * len(order))
    axes = figure.subplots(1, 2, sharey=True)
    for ax, column, title in (
        (axes[0], "recall", "sensitivity (recall)"),
        (axes[1], "specificity", "specificity"),
    ):
        wide = 100 * table.pivot(index="model", columns="class", values=column)
        shares = wide.loc[order, classes].to_numpy(dtype=np.float64)
        _shaded(ax, shares, [[f"{share:.0f}" for share in line] for line in shares], 7.5)
        ax.set_title(f"{title}, percent")
        ax.tick_params(axis="x", rotation=45 if max(map(len, classes)) > _UPRIGHT else 0)
        _cell_ticks(
            ax,
            [shortened(results.titles[name], 30) for name in order],
            [shortened(name, 14) for name in classes],
        )
    return figure


CONFUSION = FigureSpec(
    name="confusion",
    title="Confusion matrices",
    caption="One matrix per model: rows are true, columns predicted classes; percent of the row, and "
    "images in brackets. The numbers stand in each model's section.",
    draw=confusion,
)
PER_CLASS = FigureSpec(
    name="per_class",
    title="Sensitivity and specificity of each class",
    caption="Sensitivity and specificity, in percent, of each class against the rest; one row per "
    "model.",
    draw=per_class,
)
