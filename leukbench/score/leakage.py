"""What a partner in training is worth: accuracy with and without one, class by class."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import t as student

from leukbench.score.arrays import FloatArray, Groups, IntArray, TrialPredictions, group_codes
from leukbench.score.intervals import CONFIDENCE, effective_groups
from leukbench.score.members import ModelTrials, models_of

COLUMNS = ("model", "family", "images", "raw", "difference", "low", "high")
NEGATIVE_CONTROLS = ("control_majority", "probe_shuffled")
"""Models that no partner can help: what they show is no leakage."""


def leakage_effects(
    trials: Iterable[TrialPredictions],
    partnered: Mapping[int, Collection[str]],
    groups: Groups | None = None,
    confidence: float = CONFIDENCE,
) -> pd.DataFrame:
    """Compare each model's accuracy on test images with and without a partner in training.

    The raw difference holds the difference in class mix: a class with many partners that is easy to
    tell makes partners look helpful to a model that never saw one. The standardised difference is taken
    within each class and fold and averaged with the classes' numbers of test images (direct
    standardisation). Its interval is t over whole groups, with Kish's effective number of
    them on the side that has fewer.

    Parameters
    ----------
    partnered : mapping of int to collection of str
        Images of each fold's test part that have a partner in training; other folds are left out.
    groups : mapping of str to str, optional
        Group of an image.

    Returns
    -------
    pandas.DataFrame
        `COLUMNS`, one row a model: ``images`` in classes that have both kinds, ``raw`` and
        ``difference`` as with less without a partner, in -1..1. No row where no class has both kinds.
    """
    rows = []
    for model in models_of(trials):
        value, partner, stratum, group = _images(model, partnered, groups)
        compared = _compared(partner, stratum)
        if not compared.any():
            continue
        raw = float(value[partner].mean() - value[~partner].mean())
        found = part_against_rest(value, partner, stratum, group, confidence)
        rows.append(
            (model.model, model.family, int(compared.sum()), raw, found.difference, found.low,
             found.high)
        )  # fmt: skip
    return pd.DataFrame(rows, columns=list(COLUMNS))


@dataclass(frozen=True)
class PartDifference:
    """How much more a part of the images counts than the rest; NaN, and p 1, where nothing compares."""

    difference: float
    low: float
    high: float
    p: float


def part_against_rest(
    value: FloatArray,
    part: np.ndarray,
    stratum: IntArray,
    group: IntArray,
    confidence: float = CONFIDENCE,
) -> PartDifference:
    """Compare a part of the images with the rest within strata, as `leakage_effects` says.

    Parameters
    ----------
    value : numpy.ndarray of float64, shape (n,)
        In 0..1, one an image.
    part : numpy.ndarray of bool, shape (n,)
    stratum, group : numpy.ndarray of int64, shape (n,)
        Strata that hold only one side are left out; groups are what is drawn together.
    """
    compared = _compared(part, stratum)
    if not compared.any():
        return PartDifference(np.nan, np.nan, np.nan, 1.0)
    codes = np.unique(group[compared], return_inverse=True)[1].astype(np.int64)
    inside = part[compared]
    difference, error = _standardised(value[compared], inside, stratum[compared], codes)
    sides = (codes[inside], codes[~inside])
    freedom = min(effective_groups(np.unique(c, return_inverse=True)[1]) for c in sides) - 1
    if freedom <= 0:
        return PartDifference(difference, -1.0, 1.0, 1.0)
    half = float(student.ppf((1 + confidence) / 2, freedom)) * error
    p = 2 * float(student.sf(abs(difference) / error, freedom))
    return PartDifference(difference, max(-1.0, difference - half), min(1.0, difference + half), p)


def failing_controls(effects: pd.DataFrame) -> list[str]:
    """Negative controls whose interval leaves zero out: the comparison then measures something else."""
    rows = effects[effects["model"].isin(NEGATIVE_CONTROLS)]
    return [str(name) for name in rows.loc[(rows["low"] > 0) | (rows["high"] < 0), "model"]]


def _images(
    model: ModelTrials, partnered: Mapping[int, Collection[str]], groups: Groups | None
) -> tuple[FloatArray, np.ndarray, IntArray, IntArray]:
    """One entry a fold and test image: right (mean over seeds), partnered, stratum, group."""
    values, partners, strata, names = [], [], [], []
    classes = len(model.classes)
    for fold, members in model.by_fold.items():
        if fold not in partnered:
            continue
        first = members[0].arrays
        values.append(np.mean([m.arrays.correct for m in members], axis=0))
        partners.append(np.isin(first.images, list(partnered[fold])))
        strata.append(first.truth + classes * fold)
        names += first.images.tolist()
    if not values:
        nothing = np.empty(0)
        return nothing, nothing.astype(bool), nothing.astype(int), nothing.astype(int)
    codes = group_codes(names, groups)
    return np.concatenate(values), np.concatenate(partners), np.concatenate(strata), codes


def _compared(partner: np.ndarray, stratum: IntArray) -> np.ndarray:
    """Images of strata that hold both kinds."""
    if not len(stratum):
        return np.zeros(0, dtype=bool)
    number = np.bincount(stratum)
    with_partner = np.bincount(stratum, weights=partner)
    both: np.ndarray = ((with_partner > 0) & (with_partner < number))[stratum]
    return both


def _standardised(
    value: FloatArray, partner: np.ndarray, stratum: IntArray, group: IntArray
) -> tuple[float, float]:
    """Difference within strata, weighted by their images, and its standard error over groups.

    Cells of which all images are right, or none, are taken for one error in n + 2: a few perfect
    images are no certainty.
    """
    cell = 2 * stratum + partner
    number = np.bincount(cell, minlength=2 * (int(stratum.max()) + 1))
    means = np.bincount(cell, weights=value, minlength=len(number)) / np.maximum(number, 1)
    weight = np.bincount(stratum) / len(value)
    difference = float((weight * (means[1::2] - means[::2])).sum())
    sign = np.where(partner, 1.0, -1.0)
    influence = sign * weight[stratum] * (value - means[cell]) / number[cell]
    by_group = np.bincount(group, weights=influence)
    n_groups = max(len(by_group), 2)
    flat = (number > 0) & ((means == 0) | (means == 1))
    guess = 1 / (number[flat] + 2)
    unseen = np.repeat(weight, 2)[flat] ** 2 * guess * (1 - guess) / number[flat]
    over_groups = n_groups / (n_groups - 1) * float((by_group**2).sum())
    return difference, float(np.sqrt(over_groups + unseen.sum()))
