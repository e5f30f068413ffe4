"""How training went: learning curves of the networks, and what accuracy costs."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, NullFormatter

from leukbench.report.figures.style import (
    INK,
    PALE,
    colour_of,
    finish,
    marker_of,
    new_figure,
    shortened,
)
from leukbench.report.results import Results, rows_of

_TRAINING, _MONITORED = "#0072B2", "#D55E00"


def histories(results: Results) -> dict[str, list[pd.DataFrame]]:
    """Learning curves of each model that has some, in the order of the table."""
    found = {}
    for name in results.comparison["model"]:
        own = [results.folder.history(record) for record in results.records[name] if record.scored]
        curves = [history for history in own if history is not None and len(history)]
        if curves:
            found[str(name)] = curves
    return found


def has_histories(results: Results) -> bool:
    """Whether any network left its learning curve."""
    return any("history.csv" in r.files for records in results.records.values() for r in records)


def learning_curves(results: Results) -> Figure:
    """Accuracy and loss an epoch: a thin line a trial, their mean in bold."""
    found = histories(results)
    columns = min(4, len(found))
    rows = -(-len(found) // columns)
    figure = new_figure(max(2.4 * columns, 4.6), 3.3 * rows + 0.7)
    grid = figure.subplots(2 * rows, columns, squeeze=False)
    for place, (name, curves) in enumerate(found.items()):
        row, column = divmod(place, columns)
        accuracy, loss = grid[2 * row, column], grid[2 * row + 1, column]
        _curve(accuracy, curves, "accuracy")
        _curve(loss, curves, "loss")
        accuracy.set_title(shortened(results.titles[name], 26))
        accuracy.set_ylim(0, 1.02)
        accuracy.tick_params(labelbottom=False)
        loss.set_xlabel("epoch")
        if column == 0:
            accuracy.set_ylabel("accuracy")
            loss.set_ylabel("loss")
    for place in range(len(found), rows * columns):
        row, column = divmod(place, columns)
        grid[2 * row, column].remove()
        grid[2 * row + 1, column].remove()
    monitored = {str(curve["monitored"].iloc[0]) for curves in found.values() for curve in curves}
    lines = grid[0, 0].get_lines()
    figure.legend(
        [line for line in lines if line.get_linewidth() > 1],
        ["training", " / ".join(sorted(monitored))],
        loc="outside lower center", ncols=2,
    )  # fmt: skip
    return finish(figure, "Learning curves", synthetic=results.folder.synthetic)


def _curve(ax: Axes, curves: list[pd.DataFrame], quantity: str) -> None:
    for column, colour, line in (
        (quantity, _TRAINING, "-"),
        (f"val_{quantity}", _MONITORED, "--"),
    ):
        if len(curves) > 1:
            for curve in curves:
                ax.plot(curve["epoch"], curve[column], color=colour, linewidth=0.5, alpha=0.5)
        stacked = pd.concat(curves).groupby("epoch")[column].mean()
        ax.plot(stacked.index, stacked, color=colour, linestyle=line, linewidth=1.6)
    ax.grid(color=PALE, linewidth=0.4)
    ax.locator_params(axis="x", integer=True, nbins=5)


def cost(results: Results) -> Figure:
    """Accuracy against training time, parameters and memory; the Pareto front is drawn through."""
    rows = results.comparison[results.comparison["accuracy"].notna()].reset_index(drop=True)
    panels = [
        ("train_seconds", "training time, seconds"),
        ("parameters", "parameters"),
        ("peak_memory_mb", "peak memory, MiB"),
    ]
    figure = new_figure(8.8, max(3.4, 0.21 * len(rows) + 0.9))
    axes = figure.subplots(1, 3, sharey=True)
    for ax, (column, label) in zip(axes, panels, strict=True):
        known = rows[rows[column].notna() & (rows[column] > 0)]
        _points(ax, known, column)
        ax.set_xlabel(label)
        ax.grid(color=PALE, linewidth=0.4)
    axes[0].set_ylabel("accuracy, percent")
    for place, row in enumerate(rows_of(rows), start=1):
        axes[2].plot(
            [], [], linestyle="none", marker=marker_of(row["family"]),
            color=colour_of(row["family"]), label=f"{place} {shortened(row['title'], 26)}",
        )  # fmt: skip
    axes[2].plot([], [], color=INK, linewidth=1, linestyle="--", label="Pareto front")
    axes[2].legend(loc="upper left", bbox_to_anchor=(1.0, 1.02), fontsize=8)
    return finish(figure, "Accuracy against cost", synthetic=results.folder.synthetic)


def _points(ax: Axes, rows: pd.DataFrame, column: str) -> None:
    costs = rows[column].to_numpy(dtype=np.float64)
    values = 100 * rows["accuracy"].to_numpy(dtype=np.float64)
    for place, x, y, family in zip(rows.index, costs, values, rows["family"], strict=True):
        ax.plot(x, y, marker=marker_of(family), color=colour_of(family), linestyle="none")
        ax.annotate(str(place + 1), (x, y), xytext=(4, 3), textcoords="offset points", fontsize=7)
    front = pareto_front(costs, values)
    ax.plot(costs[front], values[front], color=INK, linewidth=1, linestyle="--", zorder=0)
    ax.set_xscale("log")
    ax.xaxis.set_major_formatter(EngFormatter())
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.margins(x=0.12, y=0.08)


def pareto_front(costs: np.ndarray, values: np.ndarray) -> list[int]:
    """Places of the points that no other point beats in cost without losing value, cheapest first.

    >>> pareto_front(np.array([3.0, 1.0, 2.0]), np.array([0.9, 0.5, 0.4]))
    [1, 0]
    """
    front: list[int] = []
    for place in np.lexsort((-values, costs)):
        if not front or values[place] > values[front[-1]]:
            front.append(int(place))
    return front
