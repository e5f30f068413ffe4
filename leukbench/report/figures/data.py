"""The data: samples of each class, and how many images went into which part."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from leukbench.report.figures.spec import FigureSpec
from leukbench.report.figures.style import (
    CLASS_COLOURS,
    INK,
    evenly_spaced,
    new_figure,
    shortened,
    show_files,
)
from leukbench.report.results import Results

SAMPLES_A_CLASS = 5
_PARTS = ("train", "validation", "test")
_HATCHES = ("", "//", "\\\\", "xx", "--", "||", "++", "/")


def samples(results: Results, images_root: Path) -> Figure:
    """Pictures of each class, evenly spaced over its files."""
    split = results.folder.split
    files = split.drop_duplicates("image").groupby("label")["image"].apply(sorted)
    figure = new_figure(1.5 * SAMPLES_A_CLASS + 0.6, 1.5 * len(files) + 0.5)
    grid = figure.subplots(len(files), SAMPLES_A_CLASS, squeeze=False)
    for axes, (label, names) in zip(grid, files.items(), strict=True):
        chosen = evenly_spaced(len(names), SAMPLES_A_CLASS)
        show_files(axes, [images_root / names[number] for number in chosen])
        axes[0].set_ylabel(shortened(str(label), 16))
    return figure


def data_flow(results: Results) -> Figure:
    """How many images were found, how they are prepared, and how many of each class went where."""
    split = results.folder.split
    first = split[split["fold"] == results.folds[0]]
    counts = first.groupby(["part", "label"]).size().unstack(fill_value=0)
    parts = [part for part in _PARTS if part in counts.index]
    classes = [name for name in results.folder.classes if name in counts.columns]
    figure = new_figure(8.4, 2.1 + 0.45 * len(parts))
    steps, bars = figure.subplots(1, 2, width_ratios=(1.0, 2.0))
    _steps(steps, results, len(first))
    left = np.zeros(len(parts))
    for number, name in enumerate(classes):
        values = counts.loc[parts, name].to_numpy(dtype=np.float64)
        bars.barh(
            parts, values, left=left, label=shortened(name), edgecolor="white",
            color=CLASS_COLOURS[number % len(CLASS_COLOURS)], hatch=_HATCHES[number % len(_HATCHES)],
        )  # fmt: skip
        left += values
    for position, part in enumerate(parts):
        bars.annotate(
            f"{part}: {int(left[position])}", (left[position], position), xytext=(5, 0),
            textcoords="offset points", va="center",
        )  # fmt: skip
    bars.set_yticks([])
    bars.invert_yaxis()
    bars.set_xlim(0, left.max() * 1.28)
    bars.set_xlabel(
        "images"
        if len(results.folds) == 1
        else f"images in the first of {len(results.folds)} folds"
    )
    bars.legend(
        loc="upper center", bbox_to_anchor=(0.45, -0.28), ncols=min(4, len(classes)), fontsize=8
    )
    return figure


def _steps(ax: Axes, results: Results, used: int) -> None:
    """Boxes from the folder of images to the arrays that the models see."""
    run = results.folder.run
    how, policy = run.protocol.preprocessing, run.protocol.split
    skipped = len(run.dataset.skipped)
    blur = f"median blur {how.median_kernel}" if how.median_kernel > 1 else "no blur"
    masked = "" if how.segmentation == "none" else f"\nleukocytes by {how.segmentation}"
    seen = "" if how.view == "whole" else f"\n{how.view} alone"
    cropped = "\ncropped to the largest cell" if how.crop else ""
    boxes = [
        f"{used + skipped} files" + (f", {skipped} unreadable" if skipped else ""),
        f"{how.colour}, {blur}{seen}{masked}{cropped}\n{how.size} × {how.size} pixels",
        f"split {policy.policy}, {len(results.folds)} fold"
        + ("s" if len(results.folds) > 1 else ""),
    ]
    ax.set_axis_off()
    ax.set_xlim(0, 1)
    ax.set_ylim(0, 1)
    heights = np.linspace(0.9, 0.1, len(boxes))
    for height, text in zip(heights, boxes, strict=True):
        ax.text(
            0.5, height, text, ha="center", va="center", fontsize=8.5,
            bbox={"boxstyle": "round,pad=0.45", "facecolor": "#eef3f8", "edgecolor": INK},
        )  # fmt: skip
    for above, below in pairwise(heights):
        ax.annotate(
            "", (0.5, below + 0.13), (0.5, above - 0.13),
            arrowprops={"arrowstyle": "-|>", "color": INK},
        )  # fmt: skip


DATA_FLOW = FigureSpec(
    name="data_flow",
    title="How many images went where",
    caption="From the files through preprocessing to the parts of the split, by class.",
    draw=data_flow,
    possible=lambda results: not results.folder.split.empty,
)
SAMPLES = FigureSpec(
    name="samples",
    title="Samples of each class",
    caption="Five images of each class, evenly spaced over its files.",
    draw=samples,
    possible=lambda results: not results.folder.split.empty,
    images="required",
)
