"""What accuracy costs: training time, parameters and memory."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, NullFormatter

from leukbench.report.figures.spec import FigureSpec
from leukbench.report.figures.style import (
    INK,
    PALE,
    colour_of,
    marker_of,
    new_figure,
    shortened,
)
from leukbench.report.results import Results, rows_of


def cost(results: Results) -> Figure:
    """Accuracy against training time, parameters and memory; the Pareto front is drawn through."""
    rows = results.scored
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
    return figure


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


COST = FigureSpec(
    name="cost",
    title="Accuracy against cost",
    caption="Accuracy against training time, number of parameters and peak memory. No other model is "
    "both cheaper and better than one on the dashed Pareto front.",
    draw=cost,
)
