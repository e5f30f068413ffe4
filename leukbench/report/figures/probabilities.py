"""What the probabilities are worth: ROC, precision against recall, calibration."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from sklearn import config_context
from sklearn.metrics import precision_recall_curve, roc_curve

from leukbench.report.figures.spec import FigureSpec
from leukbench.report.figures.style import INK, colour_of, shortened, small_multiples
from leukbench.report.results import Results, rows_of
from leukbench.score import UNRANKED_FAMILIES
from leukbench.score.arrays import Arrays, FloatArray
from leukbench.score.calibration import reliability

GRID = np.linspace(0.0, 1.0, 101)
Curve = Callable[[NDArray[np.bool_], FloatArray], FloatArray]


def shown_rows(results: Results) -> dict[str, dict[str, Any]]:
    """Rows of the models that left predictions, without controls and probes, by name."""
    return {
        row["model"]: row
        for row in rows_of(results.comparison)
        if row["model"] in results.members and row["family"] not in UNRANKED_FAMILIES
    }


def has_probabilities(results: Results) -> bool:
    """Whether any model that is shown left finite probabilities."""
    return any(
        member.arrays.probabilities is not None
        for name in shown_rows(results)
        for member in results.members[name].members
    )


def roc(results: Results) -> Figure:
    """ROC of each model, one class against the rest, mean over classes; band over trials."""
    labels = ("false positive rate", "true positive rate")
    return _curves(results, _roc_on_grid, "ROC, mean over classes", labels, "auroc")


def precision_recall(results: Results) -> Figure:
    """Precision against recall, one class against the rest, mean over classes; band over trials."""
    title = "Precision against recall, mean over classes"
    return _curves(results, _precision_on_grid, title, ("recall", "precision"))


def _roc_on_grid(positive: NDArray[np.bool_], score: FloatArray) -> FloatArray:
    false, true, _ = roc_curve(positive, score)
    return np.asarray(np.interp(GRID, false, true), dtype=np.float64)


def _precision_on_grid(positive: NDArray[np.bool_], score: FloatArray) -> FloatArray:
    """Precision at the highest threshold that reaches each recall."""
    precision, recall, _ = precision_recall_curve(positive, score)
    precision, recall = precision[::-1], recall[::-1]
    index = np.searchsorted(recall, GRID, side="left").clip(max=len(recall) - 1)
    return np.asarray(precision[np.maximum(index, 1)], dtype=np.float64)


def _macro(a: Arrays, curve: Curve) -> FloatArray | None:
    """Mean over the classes that have positives and negatives; None without probabilities."""
    if a.probabilities is None:
        return None
    curves = [
        curve(a.truth == k, a.probabilities[:, k])
        for k in range(len(a.classes))
        if 0 < int((a.truth == k).sum()) < len(a.truth)
    ]
    return np.mean(curves, axis=0) if curves else None


def _curves(
    results: Results, curve: Curve, title: str, labels: tuple[str, str], score: str = ""
) -> Figure:
    rows = shown_rows(results)
    bands: dict[str, FloatArray] = {}
    for name in rows:
        # the arrays were checked when they were made: scikit-learn need not look again
        with config_context(assume_finite=True, skip_parameter_validation=True):
            curves = [_macro(m.arrays, curve) for m in results.members[name].members]
        kept = [values for values in curves if values is not None]
        if kept:
            bands[name] = np.array(kept)
    note = ", band: all trials" if any(len(band) > 1 for band in bands.values()) else ""
    figure, axes = small_multiples(len(bands), title + note, labels, title_lines=2 if score else 1)
    _unit_square(axes)
    means = {name: band.mean(axis=0) for name, band in bands.items()}
    every = np.array(list(means.values()))
    for ax, (name, band) in zip(axes, bands.items(), strict=True):
        for edge in (every.min(axis=0), every.max(axis=0)):
            ax.plot(GRID, edge, color="#8a8a8a", linewidth=0.7, linestyle=":")
        colour = colour_of(rows[name]["family"])
        ax.fill_between(
            GRID, band.min(axis=0), band.max(axis=0), color=colour, alpha=0.3, linewidth=0
        )
        ax.plot(GRID, means[name], color=colour, linewidth=1.6)
        value = f"\n{score.upper()} {rows[name][score]:.3f}" if score else ""
        ax.set_title(shortened(results.titles[name], 26) + value)
    return figure


def calibration(results: Results) -> Figure:
    """Share of right predictions against stated confidence; on the diagonal they agree."""
    rows = shown_rows(results)
    tables = {name: _reliability(results, name) for name in rows}
    shown = {name: table for name, table in tables.items() if table is not None}
    figure, axes = small_multiples(
        len(shown), CALIBRATION.title,
        ("probability of the predicted class", "share of right predictions"), title_lines=2,
    )  # fmt: skip
    _unit_square(axes)
    for ax, (name, table) in zip(axes, shown.items(), strict=True):
        filled = table[table["images"] > 0]
        colour = colour_of(rows[name]["family"])
        ax.plot([0, 1], [0, 1], color=INK, linewidth=0.8, linestyle=":")
        ax.plot(filled["confidence"], filled["accuracy"], color=colour, linewidth=1)
        sizes = 4 + 60 * filled["images"] / filled["images"].sum()
        ax.scatter(
            filled["confidence"], filled["accuracy"], s=sizes, color=colour, clip_on=False, zorder=3
        )
        ax.set_title(f"{shortened(results.titles[name], 26)}\nECE {rows[name]['ece']:.3f}")
    return figure


def _reliability(results: Results, model: str) -> pd.DataFrame | None:
    """Reliability over all trials of a model, each image weighing the same."""
    finite = {
        (m.fold, m.seed)
        for m in results.members[model].members
        if m.arrays.probabilities is not None
    }
    tables = [
        reliability(t.frame)
        for t in results.trials
        if t.model == model and (t.fold, t.seed) in finite
    ]
    if not tables:
        return None
    table = pd.concat(tables)
    images = table["images"]
    sums = table[["confidence", "accuracy"]].mul(images, axis=0).assign(images=images)
    sums = sums.groupby(level=0).sum()
    return sums.assign(**{key: sums[key] / sums["images"] for key in ("confidence", "accuracy")})


def _unit_square(axes: Sequence[Axes]) -> None:
    """Shares of 0 to 1 on both axes, which all panels have in common."""
    for ax in axes[:1]:
        ax.set_xlim(-0.02, 1.02)
        ax.set_ylim(-0.02, 1.02)
        ax.set_xticks([0, 0.5, 1])
        ax.set_yticks([0, 0.5, 1])


_PANELS = (
    "One panel per model: {}, mean over classes; the band spans all trials, the dotted lines are "
    "the lowest and the highest curve of all models. Controls and probes are not shown."
)
ROC = FigureSpec(
    name="roc",
    title="ROC curves",
    caption=_PANELS.format("true against false positive rate"),
    draw=roc,
    possible=has_probabilities,
)
PRECISION_RECALL = FigureSpec(
    name="precision_recall",
    title="Precision against recall",
    caption=_PANELS.format("precision against recall"),
    draw=precision_recall,
    possible=has_probabilities,
)
CALIBRATION = FigureSpec(
    name="calibration",
    title="Calibration: one point per bin, larger with more images",
    caption="One panel per model: share of right predictions against the probability of the predicted "
    "class. Points below the diagonal are overconfident. Controls and probes are not shown.",
    draw=calibration,
    possible=has_probabilities,
)
