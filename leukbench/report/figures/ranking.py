"""Models side by side: accuracy beside published values, average ranks, and cost."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, NullFormatter

from leukbench.records import PublishedValues
from leukbench.report.figures.spec import FigureSpec
from leukbench.report.figures.style import INK, PALE, colour_of, marker_of, new_figure, shortened
from leukbench.report.formats import published_fraction
from leukbench.report.results import Results, rows_of


def comparison(results: Results) -> Figure:
    """Accuracy of every model with its interval; published values beside it, marked by their data."""
    rows = results.scored
    figure = new_figure(7.6, 1.6 + 0.3 * len(rows))
    ax = figure.subplots()
    for y, row in enumerate(rows_of(rows)):
        _interval(ax, y, row)
        _published(ax, y, results.published.get(row["model"]))
    ranked = int(rows["model"].isin(results.ranked["model"]).sum())
    if 0 < ranked < len(rows):  # a line between what is ranked and what is not
        ax.axhline(ranked - 0.5, color=INK, linewidth=0.8, linestyle=":")
    ax.set_yticks(range(len(rows)), [shortened(title, 34) for title in rows["title"]])
    ax.set_ylim(len(rows) - 0.4, -0.6)
    ax.set_xlabel("accuracy on test images, percent (bar: 95 % interval)")
    ax.grid(axis="x", color=PALE, linewidth=0.5)
    _legend(ax, rows, results)
    return figure


def _interval(ax: Axes, y: int, row: dict[str, Any]) -> None:
    value, low, high = (100 * row[key] for key in ("accuracy", "accuracy_low", "accuracy_high"))
    colour = colour_of(row["family"])
    if low == low:
        ax.plot([low, high], [y, y], color=colour, linewidth=2.2, solid_capstyle="butt")
    ax.plot(
        value, y, marker=marker_of(row["family"]), color=colour, markersize=6,
        markerfacecolor=colour if row["status"] == "ok" else "white",
    )  # fmt: skip


def _published(ax: Axes, y: int, published: PublishedValues | None) -> None:
    printed = published_fraction(published.accuracy) if published else None
    if published is None or printed is None:
        return
    same = published.same_data
    ax.plot(
        100 * printed, y, marker="*" if same else "d", markersize=10 if same else 6,
        markerfacecolor=INK if same else "white", markeredgecolor=INK if same else "#767676",
        linestyle="none", zorder=3,
    )  # fmt: skip


def _legend(ax: Axes, rows: pd.DataFrame, results: Results) -> None:
    for family in dict.fromkeys(rows["family"]):
        ax.plot([], [], marker=marker_of(family), color=colour_of(family), label=family)
    if (rows["status"] != "ok").any():
        ax.plot([], [], marker="o", color=INK, markerfacecolor="white", linestyle="none",
                label="not all trials ok")  # fmt: skip
    shown = [results.published.get(name) for name in rows["model"]]
    whose = {one.same_data for one in shown if one and one.accuracy}
    if True in whose:
        ax.plot([], [], marker="*", markersize=10, color=INK, linestyle="none",
                label="published, this data set")  # fmt: skip
    if False in whose:
        ax.plot([], [], marker="d", color="#767676", markerfacecolor="white", linestyle="none",
                label="published, another data set")  # fmt: skip
    ax.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))


def critical_difference(results: Results) -> Figure:
    """Average ranks over folds; models joined by a bar do not differ by Nemenyi's test."""
    import scikit_posthocs

    assert results.pairs is not None
    ranks, test = results.pairs.ranks, results.pairs.friedman.iloc[0]
    labels = [shortened(results.titles[name], 30) for name in ranks["model"]]
    if len(set(labels)) < len(labels):
        labels = list(ranks["model"])
    average = pd.Series(ranks["average_rank"].to_numpy(), index=labels)
    nemenyi = pd.DataFrame(results.pairs.nemenyi.to_numpy(), index=labels, columns=labels)
    figure = new_figure(7.6, 1.6 + 0.2 * len(ranks))
    ax = figure.subplots()
    scikit_posthocs.critical_difference_diagram(
        average, nemenyi, ax=ax, alpha=results.pairs.alpha, label_fmt_left="{label} ({rank:.1f}) ",
        label_fmt_right=" ({rank:.1f}) {label}", text_h_margin=0.02,
        color_palette=dict.fromkeys(labels, INK),
        label_props={"fontsize": 9},
        marker_props={"s": 18},
        elbow_props={"linewidth": 0.9},
        crossbar_props={"linewidth": 2.5, "marker": "o", "markersize": 3},
    )  # fmt: skip
    for bar in ax.get_lines():
        x, y = (np.asarray(values) for values in bar.get_data())
        if np.ptp(y) == 0:  # scikit-posthocs draws its points in the order of a set
            bar.set_data(np.sort(x), y)
    ax.set_xlabel(
        f"average rank over {int(test['blocks'])} folds (1 is best); critical difference "
        f"{test['critical_difference']:.2f}, Friedman p = {test['p']:.2g}"
    )
    return figure


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
        _points(ax, rows[rows[column].notna() & (rows[column] > 0)], column)
        ax.set_xlabel(label)
        ax.grid(color=PALE, linewidth=0.4)
    axes[0].set_ylabel("accuracy, percent")
    for number, row in enumerate(rows_of(rows), start=1):
        axes[2].plot(
            [], [], linestyle="none", marker=marker_of(row["family"]),
            color=colour_of(row["family"]), label=f"{number} {shortened(row['title'], 26)}",
        )  # fmt: skip
    axes[2].plot([], [], color=INK, linewidth=1, linestyle="--", label="Pareto front")
    axes[2].legend(loc="upper left", bbox_to_anchor=(1.0, 1.02), fontsize=8)
    return figure


def _points(ax: Axes, rows: pd.DataFrame, column: str) -> None:
    costs = rows[column].to_numpy(dtype=np.float64)
    values = 100 * rows["accuracy"].to_numpy(dtype=np.float64)
    for number, x, y, family in zip(rows.index, costs, values, rows["family"], strict=True):
        ax.plot(x, y, marker=marker_of(family), color=colour_of(family), linestyle="none")
        ax.annotate(str(number + 1), (x, y), xytext=(4, 3), textcoords="offset points", fontsize=7)
    front = pareto_front(costs, values)
    ax.plot(costs[front], values[front], color=INK, linewidth=1, linestyle="--", zorder=0)
    ax.set_xscale("log")
    ax.xaxis.set_major_formatter(EngFormatter())
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.margins(x=0.12, y=0.08)


def pareto_front(costs: np.ndarray, values: np.ndarray) -> list[int]:
    """Positions of the points that no other point beats in cost without losing value, cheapest first.

    >>> pareto_front(np.array([3.0, 1.0, 2.0]), np.array([0.9, 0.5, 0.4]))
    [1, 0]
    """
    front: list[int] = []
    for position in np.lexsort((-values, costs)):
        if not front or values[position] > values[front[-1]]:
            front.append(int(position))
    return front


COMPARISON = FigureSpec(
    name="comparison",
    title="Accuracy of every model",
    caption="One row per model in the order of the table: accuracy with its 95 % interval; a star is "
    "a value published for this data set, a hollow diamond one for another. Rows below the dotted "
    "line are not ranked.",
    draw=comparison,
)
CRITICAL_DIFFERENCE = FigureSpec(
    name="critical_difference",
    title="Critical differences over folds",
    caption="Average ranks of the models over the folds; models under one bar do not differ by "
    "Nemenyi's test. Folds share training images, so the paired tests decide, not this.",
    draw=critical_difference,
    possible=lambda results: results.pairs is not None and not results.pairs.friedman.empty,
)
COST = FigureSpec(
    name="cost",
    title="Accuracy against cost",
    caption="Accuracy against training time, number of parameters and peak memory. No other model is "
    "both cheaper and better than one on the dashed Pareto front.",
    draw=cost,
)
