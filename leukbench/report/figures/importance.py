"""Permutation importance: what a model loses when parts of its features are exchanged."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from leukbench.report.figures.spec import FigureSpec
from leukbench.report.figures.style import CLASS_COLOURS, INK, PALE, shortened, small_multiples
from leukbench.report.results import Results
from leukbench.report.what_models_use import part_name
from leukbench.runfolder import WHOLE_FEATURE

_INCHES_A_ROW = 0.155


def importance(results: Results) -> Figure:
    """Accuracy that is lost when a part of the features is exchanged between images, by model."""
    by_model = results.importances
    tables = sorted(by_model.values(), key=len, reverse=True)
    rows = list(dict.fromkeys(key for table in tables for key in _keys(table)))
    figure, axes = small_multiples(
        len(by_model), "Permutation importance of the features",
        ("points of accuracy lost (thin line: standard deviation over exchanges)", ""),
        size=(1.55, _INCHES_A_ROW * len(rows) + 0.1), gap=0.2, left=2.15, bottom=0.65,
    )  # fmt: skip
    for ax, (name, table) in zip(axes, by_model.items(), strict=True):
        _bars(ax, table, rows)
        ax.set_title(shortened(results.titles[name], 22))
        ax.tick_params(axis="y", labelsize=7)
    for ax in axes[:1]:
        ax.set_yticks(range(len(rows)), [part_name(*row) for row in rows])
        ax.set_ylim(len(rows) - 0.4, -0.6)
    return figure


def _keys(table: pd.DataFrame) -> list[tuple[str, str]]:
    return list(zip(table["feature"], table["group"], strict=True))


def _bars(ax: Axes, table: pd.DataFrame, rows: list[tuple[str, str]]) -> None:
    """A bar a part in the colour of its feature; the whole feature in dark."""
    features = list(dict.fromkeys(feature for feature, _ in rows))
    colours = [
        INK
        if part == WHOLE_FEATURE
        else CLASS_COLOURS[features.index(feature) % len(CLASS_COLOURS)]
        for feature, part in _keys(table)
    ]
    ax.barh(
        [rows.index(key) for key in _keys(table)], 100 * table["drop"],
        xerr=100 * table["drop_std"], height=0.7, color=colours,
        error_kw={"elinewidth": 0.8, "ecolor": "#767676"},
    )  # fmt: skip
    ax.axvline(0, color=INK, linewidth=0.6)
    ax.grid(axis="x", color=PALE, linewidth=0.4)


IMPORTANCE = FigureSpec(
    name="importance",
    title="Permutation importance of the features",
    caption="One panel per model: points of accuracy that are lost when a part of the features is "
    "exchanged between test images; dark bars are whole features. Where parts carry the same "
    "information, each looks unimportant alone. The numbers stand in each model's section.",
    draw=importance,
    possible=lambda results: bool(results.importances),
)
