"""The trials of one model as one thing: its folds, its seeds, its test images in one order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from leukbench.errors import DataError
from leukbench.score.arrays import Arrays, FloatArray, TrialPredictions

UNRANKED_FAMILIES = frozenset({"probe", "control"})
"""Families that show what a number is worth and compete with nobody."""

MIN_FOLDS = 3
"""From so many folds on, the spread over folds is estimated; below, images are all there is."""


@dataclass(frozen=True)
class Member:
    """One trial's key, its predictions as arrays, and the size of its training part."""

    fold: int
    seed: int
    n_train: int
    arrays: Arrays


@dataclass(frozen=True)
class ModelTrials:
    """All trials of one model.

    Attributes
    ----------
    model, title, family : str
    status : str
        ``"degenerate"`` where any trial is, since a mean over good seeds only would flatter.
    members : tuple of Member
        In order of fold, then seed. Those of one fold hold the same images in the same order.
    """

    model: str
    title: str
    family: str
    status: str
    members: tuple[Member, ...]

    @property
    def ranked(self) -> bool:
        """False for probes, controls and degenerate models: shown, compared, never ranked."""
        return self.family not in UNRANKED_FAMILIES and self.status == "ok"

    @property
    def by_fold(self) -> dict[int, list[Member]]:
        """The members of each fold, in order of seed."""
        folds: dict[int, list[Member]] = {}
        for member in self.members:
            folds.setdefault(member.fold, []).append(member)
        return folds

    @property
    def test_to_train(self) -> float:
        """Images tested on over images trained on, mean over trials."""
        shares = [len(m.arrays.truth) / max(m.n_train, 1) for m in self.members]
        return float(np.mean(shares))

    def mean_over_trials(
        self, counted: Callable[[Arrays], FloatArray] | None = None
    ) -> tuple[list[str], FloatArray]:
        """Return the distinct test images and what each one counts, averaged over trials.

        Parameters
        ----------
        counted : callable, optional
            What each image of a trial counts; NaN leaves it out. Default: 1 where it is right.
        """
        names = np.concatenate([m.arrays.images for m in self.members])
        values = np.concatenate(
            [m.arrays.correct if counted is None else counted(m.arrays) for m in self.members]
        )
        names, values = names[~np.isnan(values)], values[~np.isnan(values)]
        images, position, times = np.unique(names, return_inverse=True, return_counts=True)
        return images.tolist(), np.bincount(position, weights=values, minlength=len(images)) / times


def fold_mean(values: Sequence[float], members: Sequence[Member]) -> float:
    """Average over seeds within each fold, then over folds.

    That is the mean over trials where every fold has the same number of seeds, as in any finished
    run; in an unfinished one no fold weighs more for having more seeds.
    """
    return float(per_fold(values, members).mean())


def per_fold(values: Sequence[float], members: Sequence[Member]) -> FloatArray:
    """Average over seeds within each fold: shape (folds,), in the members' order of folds."""
    folds: dict[int, list[float]] = {}
    for value, member in zip(values, members, strict=True):
        folds.setdefault(member.fold, []).append(value)
    return np.array([np.mean(v) for v in folds.values()])


def models_of(trials: Iterable[TrialPredictions]) -> list[ModelTrials]:
    """Gather trials by model, in the order in which the models first appear.

    Raises
    ------
    leukbench.errors.DataError
        Where there is no trial, a trial appears twice, or the trials of one fold differ in their
        images, labels or classes (predictions of two splits in one table).
    """
    by_model: dict[str, list[TrialPredictions]] = {}
    for trial in trials:
        by_model.setdefault(trial.model, []).append(trial)
    if not by_model:
        raise DataError("There are no predictions to score: finish at least one trial.")
    tested: dict[int, tuple[str, Arrays]] = {}
    models = []
    for name, own in by_model.items():
        own.sort(key=lambda trial: (trial.fold, trial.seed))
        members: list[Member] = []
        for trial in own:
            where = trial.name
            if members and (members[-1].fold, members[-1].seed) == (trial.fold, trial.seed):
                raise DataError(f"The trial {where} is there twice: give each only once.")
            arrays = trial.arrays
            first, reference = tested.setdefault(trial.fold, (where, arrays))
            check_same_test(arrays, reference, where, first)
            members.append(Member(trial.fold, trial.seed, trial.n_train, arrays))
        status = "degenerate" if any(t.status == "degenerate" for t in own) else "ok"
        models.append(ModelTrials(name, own[0].title, own[0].family, status, tuple(members)))
    return models


def check_same_test(a: Arrays, b: Arrays, name_a: str, name_b: str) -> None:
    """Raise DataError unless both hold the same classes, images and true labels."""
    if a.classes != b.classes:
        what = "classes"
    elif not np.array_equal(a.images, b.images):
        what = "test images"
    elif not np.array_equal(a.truth, b.truth):
        what = "true labels"
    else:
        return
    raise DataError(
        f"{name_a} and {name_b} differ in their {what}: score only trials of one split together."
    )
