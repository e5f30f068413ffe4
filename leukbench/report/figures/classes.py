"""Class by class: confusion matrices, sensitivity and specificity."""

from __future__ import annotations

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from leukbench.report.figures.style import finish, new_figure, shortened, small_multiples
from leukbench.report.results import Results


def confusion(results: Results) -> Figure:
    """Confusion matrix of every model: percent of the true class, and mean number of images."""
    names = [name for name in results.comparison["model"] if name in results.confusion]
    classes = results.folder.classes
    columns = 4 if len(classes) <= 6 else 2
    side = max(2.3, 0.52 * len(classes) + 0.9)
    figure, axes = small_multiples(len(names), columns, (side, side))
    labels = [shortened(name, 12) for name in classes]
    for place, (ax, name) in enumerate(zip(axes, names, strict=True)):
        _matrix(ax, results.confusion[name], labels)
        ax.set_title(shortened(results.titles[name], 26))
        ax.tick_params(axis="y", labelleft=place % columns == 0)
    figure.supylabel("true class", fontsize=9)
    figure.supxlabel("predicted class", fontsize=9)
    trials = "" if len(results.trials) == len(names) else ", means over seeds"
    return finish(
        figure,
        f"Confusion: percent of the true class (images{trials})",
        synthetic=results.folder.synthetic,
    )


def _matrix(ax: Axes, counts: pd.DataFrame, labels: list[str]) -> None:
    cells = counts.to_numpy(dtype=np.float64)
    totals = cells.sum(axis=1, keepdims=True)
    shares = 100 * np.divide(cells, totals, out=np.zeros_like(cells), where=totals > 0)
    small = len(labels) > 8
    text = [
        [_cell(share, number, small) for share, number in zip(*row, strict=True)]
        for row in zip(shares, cells, strict=True)
    ]
    sns.heatmap(
        shares, annot=np.array(text), fmt="", cmap="Blues", vmin=0, vmax=100, cbar=False,
        square=True, linewidths=0.5, linecolor="#767676", ax=ax, annot_kws={"size": 6.5},
        xticklabels=labels, yticklabels=labels,
    )  # fmt: skip
    ax.tick_params(axis="x", rotation=45 if max(map(len, labels)) > 6 else 0, labelsize=7)
    ax.tick_params(axis="y", rotation=0, labelsize=7)
    _inside(ax)


def _cell(share: float, number: float, small: bool) -> str:
    if small:
        return f"{share:.0f}" if number else ""
    images = f"{number:.0f}" if number == round(number) else f"{number:.1f}"
    return f"{share:.0f} %\n({images})"


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
        wide = wide.loc[order, classes]
        sns.heatmap(
            wide.to_numpy(dtype=np.float64), annot=True, fmt=".0f", cmap="Blues", vmin=0, vmax=100,
            cbar=False, linewidths=0.5, linecolor="#767676", ax=ax, annot_kws={"size": 7.5},
            xticklabels=[shortened(name, 14) for name in classes],
            yticklabels=[shortened(results.titles[name], 30) for name in order],
        )  # fmt: skip
        ax.set_title(f"{title}, percent")
        _inside(ax)
        ax.tick_params(axis="x", rotation=45 if max(map(len, classes)) > 6 else 0)
    axes[0].tick_params(axis="y", rotation=0)
    return finish(figure, "Each class against the rest", synthetic=results.folder.synthetic)


def _inside(ax: Axes) -> None:
    """Texts of cells lie within the axes: the layout need not measure them."""
    for text in ax.texts:
        text.set_in_layout(False)
