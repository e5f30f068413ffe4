"""What the models go by: permutation importance of features, Grad-CAM over the images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from leukbench.report import explanations
from leukbench.report.figures.style import (
    CLASS_COLOURS,
    INK,
    PALE,
    finish,
    new_figure,
    shortened,
    small_multiples,
)
from leukbench.report.results import Results

_INCHES_A_ROW = 0.155


def importance(results: Results) -> Figure:
    """Accuracy that is lost when a part of the features is exchanged between images, by model."""
    found = explanations.importances(results)
    tables = sorted(found.values(), key=len, reverse=True)
    rows = list(dict.fromkeys(key for table in tables for key in _keys(table)))
    figure, axes = small_multiples(
        len(found), 4, (1.55, _INCHES_A_ROW * len(rows) + 0.1), gap=0.2, left=2.15, bottom=0.65
    )
    for ax, (name, table) in zip(axes, found.items(), strict=True):
        _bars(ax, table, rows)
        ax.set_title(shortened(results.titles[name], 22))
    for ax in axes[:1]:
        ax.set_yticks(range(len(rows)), [explanations.part_name(*row) for row in rows])
        ax.set_ylim(len(rows) - 0.4, -0.6)
    for ax in axes:
        ax.tick_params(axis="y", labelsize=7)
    figure.supxlabel("points of accuracy lost (bar: standard deviation over exchanges)", fontsize=9)
    return finish(
        figure, "Permutation importance of the features", synthetic=results.folder.synthetic
    )


def _keys(table: pd.DataFrame) -> list[tuple[str, str]]:
    return list(zip(table["feature"], table["group"], strict=True))


def _bars(ax: Axes, table: pd.DataFrame, rows: list[tuple[str, str]]) -> None:
    """A bar a part in the colour of its feature; the whole feature in dark."""
    keys = _keys(table)
    features = list(dict.fromkeys(feature for feature, _ in rows))
    colours = [
        INK
        if part == explanations.WHOLE
        else CLASS_COLOURS[features.index(feature) % len(CLASS_COLOURS)]
        for feature, part in keys
    ]
    ax.barh(
        [rows.index(key) for key in keys], 100 * table["drop"], xerr=100 * table["drop_std"],
        height=0.7, color=colours, error_kw={"elinewidth": 0.8, "ecolor": "#767676"},
    )  # fmt: skip
    ax.axvline(0, color=INK, linewidth=0.6)
    ax.grid(axis="x", color=PALE, linewidth=0.4)


def gradcam(results: Results, images_root: Path) -> Figure:
    """The first test image of each class, and below it the same under each network's heat map."""
    found = explanations.heat_maps(results)
    first = next(iter(found.values()))
    columns = max(len(maps.images) for maps in found.values())
    figure = new_figure(1.75 * columns + 0.8, 1.95 * (len(found) + 1) + 0.4)
    grid = figure.subplots(len(found) + 1, columns, squeeze=False)
    for ax in grid.flat:
        ax.set_axis_off()
    pictures = {
        image: explanations.picture_of(results, images_root / image)
        for maps in found.values()
        for image in maps.images
    }
    for ax, image, label in zip(grid[0], first.images, first.labels, strict=False):
        _show(ax, pictures[image], f"true class {shortened(label, 14)}")
    for axes, (name, maps) in zip(grid[1:], found.items(), strict=True):
        for place, ax in enumerate(axes[: len(maps.images)]):
            title = f"{shortened(maps.predicted[place], 14)}, {100 * maps.probability[place]:.1f} %"
            image = maps.images[place]
            _show(ax, explanations.overlaid(pictures[image], maps.heat[place]), title)
        axes[0].set_ylabel(shortened(results.titles[name], 20))
    return finish(figure, "Grad-CAM: where each network looked", synthetic=results.folder.synthetic)


def _show(ax: Axes, picture: np.ndarray, title: str) -> None:
    ax.set_axis_on()
    ax.imshow(picture)
    ax.set_xticks([])
    ax.set_yticks([])
    ax.spines[:].set_visible(False)
    ax.set_title(title, fontsize=8)
