"""Two runs on two splits of the same images: what leakage adds, as a table and in sentences."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from leukbench.errors import UsageError
from leukbench.runfolder import RunFolder
from leukbench.score.arrays import TrialPredictions, groups_from_split
from leukbench.score.leakage import NEGATIVE_CONTROLS
from leukbench.score.split_pairs import leakage_between

MORE_TRAINING = 0.05
"""By so much may the training parts differ in size before it is said."""


@dataclass(frozen=True)
class BetweenSplits:
    """What `leukbench.score.split_pairs.leakage_between` finds, and what bounds its meaning."""

    table: pd.DataFrame
    trained_on: tuple[float, float]
    """Training images of the first and the second run, mean over trials."""
    alpha: float

    def notes(self) -> Iterator[str]:
        """What a reader must know of the table."""
        first, second = self.trained_on
        if abs(first - second) > MORE_TRAINING * max(first, second):
            yield (
                f"The first run trained on {first:.0f} images, the second on {second:.0f}: a part of "
                "the difference may be that."
            )
        found = self.table[self.table["p_holm"] < self.alpha]
        if clean := list(found.loc[found["part"] == "clean", "model"]):
            yield (
                f"Images without a partner show a difference too ({', '.join(clean)}): the splits "
                "differ in more than the partners that the audit finds."
            )
        if odd := sorted({*found["model"]} & {*NEGATIVE_CONTROLS}):
            yield (
                f"{' and '.join(odd)}, which no partner can help, differ between the splits too: the "
                "difference is not leakage alone."
            )
        if self.table["trained"].any():
            yield "These are verdicts on the trained models: one has fewer than three seeds."


def compare_splits(first: RunFolder, second: RunFolder, alpha: float) -> BetweenSplits:
    """Compare a run on the leakier split with one on another split, model by model.

    Raises
    ------
    leukbench.errors.UsageError
        Where the runs differ in more than their splits, one was not audited, or no image that both
        tested has a partner in training in the first alone.
    """
    if difference := first.run.differs_beside_split(second.run):
        raise UsageError(
            f"{first.path} and {second.path} differ in their {difference} beside the split: name two "
            "runs that are alike in all else."
        )
    for run in (first, second):
        if not run.partnered:
            raise UsageError(
                f"{run.path} holds no audit of its split, so that partners in training are unknown: "
                "run run-all there again."
            )
    groups = groups_from_split(second.split) | groups_from_split(first.split)
    trials = first.trials(), second.trials()
    table = leakage_between(*trials, (first.partnered, second.partnered), groups)
    if not (table["part"] == "leaked").any():
        raise UsageError(
            f"No image that both runs tested has a partner in training in {first.path} alone: name the "
            "run on the leakier split first."
        )
    return BetweenSplits(table, (_trained_on(trials[0]), _trained_on(trials[1])), alpha)


def _trained_on(trials: list[TrialPredictions]) -> float:
    return float(np.mean([trial.n_train for trial in trials]))
