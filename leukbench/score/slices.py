"""Scores of slices of the test images, and whether a slice differs from the rest."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from leukbench.score.arrays import FloatArray, Groups, IntArray, TrialPredictions, group_codes
from leukbench.score.intervals import CONFIDENCE, Interval, proportion_interval
from leukbench.score.leakage import part_against_rest
from leukbench.score.members import ModelTrials, models_of
from leukbench.score.paired import holm
from leukbench.score.summary import joined

LEAST_IMAGES = 10
"""Images that a slice and the rest must have, each, to be tested."""

SLICE_COLUMNS = (
    "model", "factor", "slice", "range", "images", "accuracy", "low", "high", "rest", "difference",
    "difference_low", "difference_high", "within_classes", "within_low", "within_high", "p",
    "p_holm", "different",
)  # fmt: skip


@dataclass(frozen=True)
class Slice:
    """Some of the test images."""

    factor: str
    """What images are told apart by."""
    name: str
    images: Mapping[int, frozenset[str]]
    """By fold."""
    range: str = ""
    """Values of the factor, in words."""
    tested: bool = True
    """Whether it is tested against the rest; of two slices that are each other's rest, one is."""
    one_group: bool = False
    """Whether it is one group, such as a patient: its own images then count one by one."""


def slice_scores(
    trials: Iterable[TrialPredictions],
    slices: Sequence[Slice],
    groups: Groups | None = None,
    *,
    alpha: float = 0.05,
    confidence: float = CONFIDENCE,
) -> pd.DataFrame:
    """Score every ranked model on every slice, and test each slice against the rest.

    The interval of accuracy is that of `leukbench.score.summary.summarise`, over the slice's images.
    The difference to the rest is tested by t over whole groups, as in
    `leukbench.score.leakage.part_against_rest`; `p_holm` is Holm's over all tests of the table.
    ``within_classes`` is the difference within each class (and fold), averaged: where it is near zero
    and ``difference`` is not, the slice has other classes, not other images. A slice of fewer than
    `LEAST_IMAGES` images, or with so small a rest, is not tested.

    Returns
    -------
    pandas.DataFrame
        `SLICE_COLUMNS`; fractions in 0..1, differences of slice less rest.
    """
    rows = []
    for model in models_of(trials):
        if not model.ranked:
            continue
        entries = _entries(model)
        for one in slices:
            row = _scored(model, entries, one, groups, confidence)
            if row is not None:
                rows.append({"model": model.model, "factor": one.factor, "slice": one.name,
                             "range": one.range} | row)  # fmt: skip
    table = pd.DataFrame(rows, columns=list(SLICE_COLUMNS))
    tested = table["p"].notna()
    if tested.any():
        table.loc[tested, "p_holm"] = holm(table.loc[tested, "p"].to_numpy(dtype=np.float64))
    table["p_holm"] = table["p_holm"].astype(np.float64)
    return table.assign(different=table["p_holm"] < alpha)


@dataclass(frozen=True)
class _Entries:
    """One entry a fold and test image of a model: `value` is right or not, mean over seeds."""

    fold: IntArray
    image: NDArray[np.str_]
    truth: IntArray
    value: FloatArray

    def inside(self, images: Mapping[int, frozenset[str]]) -> NDArray[np.bool_]:
        parts = [
            np.isin(self.image[self.fold == fold], sorted(images.get(fold, frozenset())))
            for fold in np.unique(self.fold).tolist()
        ]
        return np.concatenate(parts)


def _entries(model: ModelTrials) -> _Entries:
    folds = [(fold, members[0].arrays, members) for fold, members in model.by_fold.items()]
    return _Entries(
        np.concatenate([np.full(len(first.truth), fold) for fold, first, _ in folds]),
        np.concatenate([first.images for _, first, _ in folds]),
        np.concatenate([first.truth for _, first, _ in folds]),
        np.concatenate([np.mean([m.arrays.correct for m in own], axis=0) for *_, own in folds]),
    )


def _scored(
    model: ModelTrials, all_of: _Entries, one: Slice, groups: Groups | None, confidence: float
) -> dict[str, float | int] | None:
    inside = all_of.inside(one.images)
    if not inside.any():
        return None
    own = None if one.one_group else groups
    names = all_of.image[inside].tolist()
    over_images = proportion_interval(all_of.value[inside], group_codes(names, own), confidence)
    bounds = _with_trials(model, one, over_images, confidence)
    row: dict[str, float | int] = {
        "images": len(set(names)),
        "accuracy": float(all_of.value[inside].mean()),
        "low": bounds.low,
        "high": bounds.high,
        "rest": float(all_of.value[~inside].mean()) if not inside.all() else np.nan,
    }
    rest = len(set(all_of.image[~inside].tolist()))
    if not one.tested or min(row["images"], rest) < LEAST_IMAGES:
        return row
    code = group_codes(all_of.image.tolist(), groups)
    if one.one_group:
        code = np.where(inside, code.max() + 1 + np.arange(len(code)), code)
    by_class = all_of.truth + len(model.classes) * all_of.fold
    raw = part_against_rest(all_of.value, inside, np.zeros_like(code), code, confidence)
    within = part_against_rest(all_of.value, inside, by_class, code, confidence)
    return row | {
        "difference": raw.difference, "difference_low": raw.low, "difference_high": raw.high,
        "within_classes": within.difference, "within_low": within.low, "within_high": within.high,
        "p": raw.p,
    }  # fmt: skip


def _with_trials(
    model: ModelTrials, one: Slice, over_images: Interval, confidence: float
) -> Interval:
    """Join the interval over images with the spread over seeds or folds."""
    values = []
    for member in model.members:
        right = member.arrays.correct[
            np.isin(member.arrays.images, sorted(one.images.get(member.fold, frozenset())))
        ]
        values.append(float(right.mean()) if len(right) else np.nan)
    folds = model.per_fold(values)
    return joined(
        folds[~np.isnan(folds)],
        over_images,
        model.by_seed(values),
        model.test_to_train,
        confidence,
    )
