"""Single images: what the best model says of some, and those that most models get wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from leukbench.report.figures.data import show_image
from leukbench.report.figures.style import CLASS_COLOURS, finish, new_figure, shortened
from leukbench.report.results import Results
from leukbench.score.arrays import PROBABILITY_PREFIX

EXAMPLES = 4
HARDEST = 20


def hardest_images(results: Results) -> pd.DataFrame:
    """Test images by how many of the ranked models get them wrong.

    Returns
    -------
    pandas.DataFrame
        Columns ``image``, ``label`` (true class), ``wrong`` (mean over models of the share of trials
        in which the prediction is wrong, 0..1), ``models`` (models that tested it), ``called`` (the
        class that is most often predicted), hardest first.
    """
    names = set(results.ranked["model"])
    frames = [
        trial.frame[["image", "y_true", "y_pred"]].assign(model=trial.model)
        for trial in results.trials
        if trial.model in names
    ]
    if not frames:
        return pd.DataFrame(columns=["image", "label", "wrong", "models", "called"])
    every = pd.concat(frames, ignore_index=True)
    every["wrong"] = (every["y_true"] != every["y_pred"]).astype(float)
    by_model = every.groupby(["image", "model"])["wrong"].mean().groupby("image")
    table = pd.DataFrame({"wrong": by_model.mean(), "models": by_model.size()})
    table["label"] = every.drop_duplicates("image").set_index("image")["y_true"]
    votes = every.groupby(["image", "y_pred"]).size().reset_index(name="votes")
    votes = votes.sort_values(["votes", "y_pred"], ascending=[False, True])
    table["called"] = votes.drop_duplicates("image").set_index("image")["y_pred"]
    table = table.reset_index().sort_values(["wrong", "image"], ascending=[False, True])
    return table[["image", "label", "wrong", "models", "called"]].reset_index(drop=True)


def hardest(results: Results, images_root: Path | None = None) -> Figure:
    """Images that most models get wrong: a bar each, and its picture where there are images."""
    table = hardest_images(results).head(HARDEST)
    table = table[table["wrong"] > 0]
    if images_root is not None and len(table):
        return _hardest_pictures(results, table, images_root)
    figure = new_figure(7.6, 1.4 + 0.23 * max(len(table), 1))
    ax = figure.subplots()
    classes = list(results.folder.classes)
    colours = [CLASS_COLOURS[classes.index(name) % len(CLASS_COLOURS)] for name in table["label"]]
    ax.barh(np.arange(len(table)), 100 * table["wrong"], color=colours, height=0.7)
    for place, row in enumerate(table.to_dict("records")):
        ax.annotate(
            f"{shortened(row['label'], 16)}, called {shortened(row['called'], 16)}",
            (100 * row["wrong"], place), xytext=(4, 0), textcoords="offset points", va="center",
            fontsize=7.5,
        )  # fmt: skip
    ax.set_yticks(range(len(table)), [_file(name) for name in table["image"]], fontsize=7.5)
    ax.invert_yaxis()
    ax.set_xlim(0, 140)
    ax.set_xticks([0, 25, 50, 75, 100])
    ax.set_xlabel("wrong, percent of the ranked models (mean over trials)")
    return finish(figure, "Images that most models get wrong", synthetic=results.folder.synthetic)


def _hardest_pictures(results: Results, table: pd.DataFrame, images_root: Path) -> Figure:
    columns = 5
    rows = -(-len(table) // columns)
    figure = new_figure(8.4, 2.15 * rows + 0.5)
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for ax, row in zip(axes, table.to_dict("records"), strict=False):
        show_image(ax, images_root / row["image"])
        ax.set_title(
            f"{shortened(row['label'], 14)}, called {shortened(row['called'], 14)}\n"
            f"wrong {100 * row['wrong']:.0f} %",
            fontsize=7.5,
        )
        ax.set_xlabel(_file(row["image"]), fontsize=6.5)
    for ax in axes[len(table) :]:
        ax.set_visible(False)
    return finish(figure, "Images that most models get wrong", synthetic=results.folder.synthetic)


def prediction_examples(results: Results, images_root: Path) -> Figure:
    """Test images with the best model's class and probability: right ones above, wrong ones below."""
    best = str(results.ranked.iloc[0]["model"])
    frame = next(trial.frame for trial in results.trials if trial.model == best)
    right = frame[frame["y_true"] == frame["y_pred"]]
    wrong = frame[frame["y_true"] != frame["y_pred"]]
    figure = new_figure(2.1 * EXAMPLES, 5.2)
    grid = figure.subplots(2, EXAMPLES)
    for axes, rows in ((grid[0], _spread(right)), (grid[1], _spread(wrong))):
        for ax, row in zip(axes, rows.to_dict("records"), strict=False):
            show_image(ax, images_root / row["image"])
            called = row["y_pred"]
            probability = 100 * row[PROBABILITY_PREFIX + called]
            ax.set_title(f"{shortened(called, 16)}, {probability:.1f} %", fontsize=9)
            ax.set_xlabel(f"true class {shortened(row['y_true'], 16)}", fontsize=8)
        for ax in axes[len(rows) :]:
            ax.set_visible(False)
    return finish(
        figure,
        f"{shortened(results.titles[best], 30)}: predicted class and its probability",
        synthetic=results.folder.synthetic,
    )


def _spread(rows: pd.DataFrame) -> pd.DataFrame:
    """Some rows, evenly spaced."""
    places = np.unique(np.linspace(0, max(len(rows) - 1, 0), EXAMPLES).round().astype(int))
    return rows.iloc[places] if len(rows) else rows


def _file(name: str) -> str:
    """End of a path, which tells files apart better than its start."""
    return name if len(name) <= 44 else "…" + name[-43:]
