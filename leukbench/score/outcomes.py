"""Who is right on which image: the table that all comparisons of models are read from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from leukbench.score.arrays import FloatArray, Groups, IntArray, group_codes
from leukbench.score.members import ModelTrials
from leukbench.score.paired import bootstrap_accuracies, swapped_sums

Folds = frozenset[int]


@dataclass(frozen=True)
class Outcomes:
    """One column for each image of each fold, one row a model.

    Attributes
    ----------
    models : list of ModelTrials
    fold, image, group : numpy.ndarray of int64, shape (columns,)
        Numbers of the fold, the image (the same in every fold that tests it) and its group.
    right, wrong : list of numpy.ndarray of float32, shape (seeds, columns), one a model
        One where that seed has the image right (wrong); zero in both where it did not test it.
    mean : numpy.ndarray, shape (models, columns)
        Share of a model's seeds that have the image right; NaN where none tested it.
    """

    models: list[ModelTrials]
    fold: IntArray
    image: IntArray
    group: IntArray
    right: list[NDArray[np.float32]]
    wrong: list[NDArray[np.float32]]
    mean: FloatArray

    def covered(self, model: int) -> Folds:
        """Folds that the model was tested on."""
        return frozenset(m.fold for m in self.models[model].members)

    def columns(self, folds: Folds) -> NDArray[np.intp]:
        """Columns of these folds."""
        return np.flatnonzero(np.isin(self.fold, list(folds)))

    def per_fold(self, model: int, folds: Folds) -> FloatArray:
        """Accuracy on each of `folds`, mean over seeds."""
        return np.array([self.mean[model, self.fold == fold].mean() for fold in sorted(folds)])

    def by_seed(self, model: int, at: NDArray[np.intp]) -> list[float]:
        """Accuracy with each seed that was tested on all columns `at`."""
        right, tested = self.right[model][:, at], self.tested(model, at)
        return [float(row.mean()) for row in right[tested.all(axis=1)]]

    def tested(self, model: int, at: NDArray[np.intp]) -> NDArray[np.bool_]:
        """Whether each seed (rows) was tested on each of the columns `at`."""
        return (self.right[model][:, at] + self.wrong[model][:, at]) > 0


def outcomes_of(models: list[ModelTrials], groups: Groups | None) -> Outcomes:
    """Lay the models' trials side by side.

    Parameters
    ----------
    models : list of ModelTrials
        From one call of `leukbench.score.members.models_of`, which has checked that the trials of a
        fold hold the same images in the same order.
    groups : mapping of str to str, optional
        Group of an image.
    """
    names = {m.fold: m.arrays.images for model in models for m in model.members}
    folds = sorted(names)
    start = dict(zip(folds, np.cumsum([0] + [len(names[f]) for f in folds])[:-1], strict=True))
    images = np.concatenate([names[f] for f in folds])
    right, wrong = [], []
    mean = np.full((len(models), len(images)), np.nan)
    for row, model in enumerate(models):
        seeds = {s: i for i, s in enumerate(sorted({m.seed for m in model.members}))}
        yes = np.zeros((len(seeds), len(images)), dtype=np.float32)
        no = np.zeros_like(yes)
        for fold, members in model.by_fold.items():
            at = slice(start[fold], start[fold] + len(names[fold]))
            for member in members:
                yes[seeds[member.seed], at] = member.arrays.correct
                no[seeds[member.seed], at] = 1 - member.arrays.correct
            mean[row, at] = np.mean([m.arrays.correct for m in members], axis=0)
        right.append(yes)
        wrong.append(no)
    return Outcomes(
        models,
        np.concatenate([np.full(len(names[f]), f) for f in folds]),
        np.unique(images, return_inverse=True)[1].astype(np.int64),
        group_codes(images.tolist(), groups),
        right,
        wrong,
        mean,
    )


@dataclass(frozen=True)
class Draws:
    """Resamples of the images of some folds, shared by all pairs of models that have these folds.

    Attributes
    ----------
    column : dict of int to int
        Column of a model in the two tables.
    at : numpy.ndarray of int
        The folds' columns in `Outcomes`.
    group : numpy.ndarray of int64
        Groups of those, numbered from zero.
    bootstrap, swapped : numpy.ndarray, shape (resamples, models)
        See `leukbench.score.paired.bootstrap_accuracies` and ``swapped_sums``.
    """

    column: dict[int, int]
    at: NDArray[np.intp]
    group: IntArray
    bootstrap: FloatArray
    swapped: FloatArray


def draw(outcomes: Outcomes, folds: Folds, resamples: int, swaps: int, seed: int) -> Draws:
    """Resample the images of `folds` for every model that was tested on all of them."""
    at = outcomes.columns(folds)
    rows = [m for m in range(len(outcomes.models)) if folds <= outcomes.covered(m)]
    group = np.unique(outcomes.group[at], return_inverse=True)[1].astype(np.int64)
    mean = outcomes.mean[np.ix_(np.array(rows, dtype=np.intp), at)]
    return Draws(
        {m: column for column, m in enumerate(rows)},
        at,
        group,
        bootstrap_accuracies(mean, group, resamples, seed),
        swapped_sums(mean, group, swaps, seed),
    )
