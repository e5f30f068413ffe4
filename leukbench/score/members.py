"""The trials of one model as one thing: its folds, its seeds, its test images in one order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from leukbench.errors import DataError
from leukbench.score import UNRANKED_FAMILIES
from leukbench.score.arrays import Arrays, FloatArray, TrialPredictions
from leukbench.score.metrics import Chosen, chosen, scores_of

MIN_FOLDS = 3
"""From so many folds on, the spread over folds is estimated; below, images are all there is."""

MIN_SEEDS = 3
"""With fewer seeds than that the spread over seeds is a guess: verdicts hold for the trained models."""


@dataclass(frozen=True)
class ModelTrials:
    """All trials of one model.

    Attributes
    ----------
    status : str
        ``"degenerate"`` where any trial is, since a mean over good seeds only would flatter.
    members : tuple of TrialPredictions
        In order of fold, then seed. Those of one fold hold the same images in the same order.
    """

    model: str
    title: str
    family: str
    status: str
    members: tuple[TrialPredictions, ...]

    @property
    def ranked(self) -> bool:
        """False for probes, controls and degenerate models: shown, compared, never ranked."""
        return self.family not in UNRANKED_FAMILIES and self.status == "ok"

    @cached_property
    def by_fold(self) -> dict[int, list[TrialPredictions]]:
        """The members of each fold, in order of seed."""
        folds: dict[int, list[TrialPredictions]] = {}
        for member in self.members:
            folds.setdefault(member.fold, []).append(member)
        return folds

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names."""
        return self.members[0].arrays.classes

    @property
    def test_to_train(self) -> float:
        """Images tested on over images trained on, mean over trials."""
        return float(np.mean([len(m.arrays.truth) / max(m.n_train, 1) for m in self.members]))

    @cached_property
    def accuracies(self) -> FloatArray:
        """Accuracy on each fold, mean over seeds."""
        return self.per_fold([m.arrays.correct.mean() for m in self.members])

    def scores(self, metrics: Chosen) -> dict[str, list[float]]:
        """The values of each metric, one a trial."""
        found = chosen(metrics)
        by_trial = [scores_of(member.arrays, found) for member in self.members]
        return {name: [scores[name] for scores in by_trial] for name in found}

    def mean_scores(self, metrics: Chosen) -> dict[str, float]:
        """The mean of each metric, as `mean` takes it."""
        return {name: self.mean(values) for name, values in self.scores(metrics).items()}

    def per_fold(self, values: Sequence[float]) -> FloatArray:
        """Average one value a trial over seeds within each fold, in ascending order of folds."""
        folds: dict[int, list[float]] = {}
        for value, member in zip(values, self.members, strict=True):
            folds.setdefault(member.fold, []).append(value)
        return np.array([np.mean(v) for v in folds.values()])

    def mean(self, values: Sequence[float]) -> float:
        """Average one value a trial over seeds within each fold, then over folds.

        That is the mean over trials where every fold has the same number of seeds, as in any
        finished run; in an unfinished one no fold weighs more for having more seeds.
        """
        return float(self.per_fold(values).mean())

    def by_seed(self, values: Sequence[float]) -> list[float]:
        """Mean over folds with each seed that has a value on as many folds as any other."""
        seeds: dict[int, list[float]] = {}
        for value, member in zip(values, self.members, strict=True):
            if not np.isnan(value):
                seeds.setdefault(member.seed, []).append(value)
        full = max(map(len, seeds.values()), default=0)
        return [float(np.mean(v)) for v in seeds.values() if len(v) == full]

    def mean_over_trials(
        self, counted: Callable[[Arrays], FloatArray] = lambda a: a.correct
    ) -> tuple[list[str], FloatArray]:
        """Return the distinct test images and what each one counts, averaged over trials.

        `counted` gives what each image of a trial counts, NaN where it does not; default: 1 where it
        is right.
        """
        names = np.concatenate([m.arrays.images for m in self.members])
        values = np.concatenate([counted(m.arrays) for m in self.members])
        names, values = names[~np.isnan(values)], values[~np.isnan(values)]
        images, position, times = np.unique(names, return_inverse=True, return_counts=True)
        return images.tolist(), np.bincount(position, weights=values, minlength=len(images)) / times


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
    tested: dict[int, TrialPredictions] = {}
    models = []
    for name, own in by_model.items():
        own.sort(key=lambda trial: (trial.fold, trial.seed))
        for before, trial in zip([None, *own], own, strict=False):
            if before and (before.fold, before.seed) == (trial.fold, trial.seed):
                raise DataError(f"The trial {trial.name} is there twice: give each only once.")
            _check_same_test(trial, tested.setdefault(trial.fold, trial))
        status = "degenerate" if any(t.status == "degenerate" for t in own) else "ok"
        models.append(ModelTrials(name, own[0].title, own[0].family, status, tuple(own)))
    return models


def rankable(models: Iterable[ModelTrials]) -> list[ModelTrials]:
    """The models that compete; of a cross-validated run, those on three folds or more."""
    models = list(models)
    several = len({m.fold for model in models for m in model.members}) > 1
    return [m for m in models if m.ranked and (not several or len(m.by_fold) >= MIN_FOLDS)]


def _check_same_test(trial: TrialPredictions, other: TrialPredictions) -> None:
    a, b = trial.arrays, other.arrays
    if a.classes != b.classes:
        what = "classes"
    elif not np.array_equal(a.images, b.images):
        what = "test images"
    elif not np.array_equal(a.truth, b.truth):
        what = "true labels"
    else:
        return
    raise DataError(
        f"{trial.name} and {other.name} differ in their {what}: score only trials of one split "
        "together."
    )
