"""The specification curve: sorted accuracies, and below them the choices as a matrix of dots.

After Simonsohn, Simmons and Nelson 2020, doi:10.1038/s41562-020-0912-z.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from leukbench.multiverse.tables import Results
from leukbench.report.figures.style import (
    INK,
    PALE,
    colour_of,
    finish,
    house_style,
    marker_of,
    new_figure,
    rendered,
)

_BESIDE = 0.4
"""Opacity of the models that the curve is not sorted by."""


def specification_curve(results: Results) -> Figure:
    """Draw the main model's universes in rising order, seeds, other models, the published value."""
    main = results.main
    curve = results.rows_of(main, mean=True).sort_values(["accuracy", "universe"], kind="stable")
    rows = [(key, value) for key, values in results.varied.items() for value in values]
    height = 3.6 + 0.17 * max(len(rows), 1)
    with house_style():
        figure = new_figure(max(7.6, min(14.0, 2.2 + 0.12 * len(curve))), height)
        top, bottom = figure.subplots(
            2, 1, sharex=True, height_ratios=[3.0, 0.3 + 0.17 * max(len(rows), 1)]
        )
        _draw_curve(top, results, curve)
        _draw_choices(bottom, curve, rows)
        bottom.set_xlabel(f"{len(curve)} universes, by the accuracy of {results.titles[main]}")
        figure.legend(loc="outside lower center", ncols=2, fontsize=8)
        title = f"Specification curve: {results.titles[main]} over {len(curve)} universes"
        return finish(figure, title, synthetic=results.folder.synthetic)


def _draw_curve(ax: Axes, results: Results, curve: pd.DataFrame) -> None:
    place = {name: number for number, name in enumerate(curve["universe"])}
    if target := results.target:
        ax.axhspan(100 * target.low, 100 * target.high, color=PALE, alpha=0.6, linewidth=0)
        ax.axhline(
            100 * target.value, color="#555555", linewidth=1,
            label=f"{target.count.name}: {100 * target.value:.2f} %, Wilson interval",
        )  # fmt: skip
    for model in [*(one for one in results.models if one != results.main), results.main]:
        family = results.folder.record.models[model].family
        colour, marker = colour_of(family), marker_of(family)
        own, title = model == results.main, results.titles[model]
        rows = results.rows_of(model, mean=True)
        rows = rows[rows["universe"].isin(place)]
        x, y = rows["universe"].map(place).to_numpy(), 100 * rows["accuracy"].to_numpy()
        if own:
            ends = 100 * rows[["accuracy_low", "accuracy_high"]].to_numpy()
            ax.vlines(x, ends[:, 0], ends[:, 1], color=colour, linewidth=0.9, alpha=0.6)
            seeds = results.rows_of(model, mean=False)
            seeds = seeds[seeds["universe"].isin(place)]
            ax.plot(seeds["universe"].map(place), 100 * seeds["accuracy"], ".", color=colour,
                    markersize=2.5, alpha=0.6, label=f"{title}, each seed")  # fmt: skip
        ax.plot(x, y, marker, color=colour, linestyle="", markersize=4.5 if own else 3,
                alpha=1 if own else _BESIDE,
                label=f"{title}, mean over seeds, 95 % interval" if own else title)  # fmt: skip
    ax.set_ylabel("accuracy, percent")
    ax.tick_params(bottom=False)


def _draw_choices(ax: Axes, curve: pd.DataFrame, rows: list[tuple[str, str]]) -> None:
    shade = False
    for number, (key, value) in enumerate(rows):
        shade = shade != (number > 0 and rows[number - 1][0] != key)
        if shade:
            ax.axhspan(number - 0.5, number + 0.5, color="#f0f0f0", linewidth=0)
        taken = np.flatnonzero((curve[key] == value).to_numpy())
        ax.plot(taken, np.full(len(taken), number), "s", color=INK, markersize=2.6)
    ax.set_yticks(range(len(rows)), [f"{key} {value}" for key, value in rows], fontsize=7)
    ax.set_ylim(len(rows) - 0.5, -0.5)
    ax.set_xlim(-0.8, max(len(curve), 1) - 0.2)
    ax.set_xticks([])
    ax.tick_params(left=False)


def curve_files(results: Results) -> dict[str, bytes]:
    """The picture as PNG and SVG."""
    return {
        f"specification_curve.{form}": rendered(specification_curve(results), form)
        for form in ("png", "svg")
    }
