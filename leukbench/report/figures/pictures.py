"""Single images: those that most models get wrong, what the best one predicts, Grad-CAM."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from leukbench.report.figures.spec import FigureSpec
from leukbench.report.figures.style import (
    CLASS_COLOURS,
    evenly_spaced,
    new_figure,
    shortened,
    show_files,
    show_picture,
)
from leukbench.report.hardest import hardest_images
from leukbench.report.results import Results, rows_of
from leukbench.score.arrays import PROBABILITY_PREFIX

EXAMPLES = 4
HARDEST_SHOWN = 20


def hardest(results: Results, images_root: Path | None = None) -> Figure:
    """Images that most models get wrong: a bar each, and its picture where there are images."""
    table = hardest_images(results).head(HARDEST_SHOWN)
    table = table[table["wrong"] > 0]
    if images_root is not None and len(table):
        return _hardest_pictures(table, images_root)
    figure = new_figure(7.6, 1.4 + 0.23 * max(len(table), 1))
    ax = figure.subplots()
    classes = list(results.folder.classes)
    colours = [CLASS_COLOURS[classes.index(name) % len(CLASS_COLOURS)] for name in table["label"]]
    ax.barh(np.arange(len(table)), 100 * table["wrong"], color=colours, height=0.7)
    for position, row in enumerate(rows_of(table)):
        ax.annotate(
            f"true {shortened(row['label'], 16)}, most often predicted {shortened(row['called'], 16)}",
            (100 * row["wrong"], position), xytext=(4, 0), textcoords="offset points", va="center",
            fontsize=7.5,
        )  # fmt: skip
    ax.set_yticks(range(len(table)), [_file(name) for name in table["image"]], fontsize=7.5)
    ax.invert_yaxis()
    ax.set_xlim(0, 170)
    ax.set_xticks([0, 25, 50, 75, 100])
    ax.set_xlabel("ranked models that are wrong, percent (mean over trials)")
    return figure


def _hardest_pictures(table: pd.DataFrame, images_root: Path) -> Figure:
    columns = 5
    rows = -(-len(table) // columns)
    figure = new_figure(8.4, 2.3 * rows + 0.5)
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    show_files(axes, [images_root / name for name in table["image"]])
    for ax, row in zip(axes, rows_of(table), strict=False):
        ax.set_title(
            f"true {shortened(row['label'], 14)}\nmost often {shortened(row['called'], 14)}\n"
            f"{100 * row['wrong']:.0f} % wrong",
            fontsize=7.5,
        )
        ax.set_xlabel(_file(row["image"]), fontsize=6.5)
    return figure


def prediction_examples(results: Results, images_root: Path) -> Figure:
    """Test images with the best model's class and probability: right ones above, wrong ones below."""
    best = str(results.ranked.iloc[0]["model"])
    frame = next(trial.frame for trial in results.trials if trial.model == best)
    right = frame["y_true"] == frame["y_pred"]
    figure = new_figure(2.1 * EXAMPLES, 5.2)
    grid = figure.subplots(2, EXAMPLES)
    for axes, rows in ((grid[0], frame[right]), (grid[1], frame[~right])):
        shown = rows.iloc[evenly_spaced(len(rows), EXAMPLES)]
        show_files(axes, [images_root / name for name in shown["image"]])
        for ax, row in zip(axes, rows_of(shown), strict=False):
            called = row["y_pred"]
            probability = 100 * row[PROBABILITY_PREFIX + called]
            ax.set_title(f"{shortened(called, 16)}, {probability:.1f} %", fontsize=9)
            ax.set_xlabel(f"true class {shortened(row['y_true'], 16)}", fontsize=8)
    figure.suptitle(f"{shortened(results.titles[best], 30)}: predicted class and its probability")
    return figure


def gradcam(results: Results, images_root: Path) -> Figure:
    """The first test image of each class, and below it the same under each network's heat map."""
    from leukbench.report.images import overlaid, picture_of

    by_model = results.heat_maps
    first = next(iter(by_model.values()))
    columns = max(len(maps.images) for maps in by_model.values())
    figure = new_figure(1.75 * columns + 0.8, 1.95 * (len(by_model) + 1) + 0.4)
    grid = figure.subplots(len(by_model) + 1, columns, squeeze=False)
    for ax in grid.flat:
        ax.set_axis_off()
    names = {image for maps in by_model.values() for image in maps.images}
    pictures = {image: picture_of(results, images_root / image) for image in names}
    for ax, image, label in zip(grid[0], first.images, first.labels, strict=False):
        show_picture(ax, pictures[image])
        ax.set_title(f"true class {shortened(label, 14)}", fontsize=8)
    for axes, (name, maps) in zip(grid[1:], by_model.items(), strict=True):
        cells = zip(axes, maps.images, maps.heat, maps.predicted, maps.probability, strict=False)
        for ax, image, heat, label, probability in cells:
            show_picture(ax, overlaid(pictures[image], heat))
            ax.set_title(f"{shortened(label, 14)}, {100 * probability:.1f} %", fontsize=8)
        axes[0].set_ylabel(shortened(results.titles[name], 20))
    return figure


def _file(name: str) -> str:
    """End of a path, which tells files apart better than its start."""
    return name if len(name) <= 44 else "…" + name[-43:]


HARDEST = FigureSpec(
    name="hardest",
    title="Images that most models get wrong",
    caption="The test images that most of the ranked models get wrong, with their true class and the "
    "class that is predicted most often.",
    draw=hardest,
    possible=lambda results: not results.ranked.empty,
    images="optional",
)
PREDICTION_EXAMPLES = FigureSpec(
    name="prediction_examples",
    title="Predicted classes",
    caption="Test images with the class that the best model predicts and its probability: right "
    "predictions above, wrong ones below.",
    draw=prediction_examples,
    possible=lambda results: not results.ranked.empty,
    images="required",
)
GRADCAM = FigureSpec(
    name="gradcam",
    title="Grad-CAM: where each network looked",
    caption="The first test image of each class by file name, and below it the same under each "
    "network's heat map, with the predicted class and its probability: bright areas raised the score "
    "of that class. Each map is scaled to its own highest value. It tells where, not why.",
    draw=gradcam,
    possible=lambda results: bool(results.heat_maps),
    images="required",
)
