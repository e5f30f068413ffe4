"""From stored predictions to numbers: accuracy of every universe, model and seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from leukbench.multiverse.definition import PublishedCount, value_text
from leukbench.multiverse.folder import MultiverseFolder, StoredTrial, StoredUniverse
from leukbench.score.arrays import Groups
from leukbench.score.intervals import wilson
from leukbench.score.summary import summarise

MEAN = "mean"
"""Stands for the seed in rows that are means over seeds."""
_MEASURED = (
    "model", "title", "family", "seed", "status", "trials", "images", "accuracy", "accuracy_low",
    "accuracy_high", "same_as",
)  # fmt: skip


@dataclass(frozen=True)
class Target:
    """A published accuracy with Wilson's interval."""

    count: PublishedCount
    low: float
    high: float

    @property
    def value(self) -> float:
        """Accuracy, 0..1."""
        return self.count.correct / self.count.total


class Results:
    """Everything that is derived from the folder of a multiverse; computed when it is asked for."""

    def __init__(self, folder: MultiverseFolder) -> None:
        self.folder = folder

    @property
    def models(self) -> list[str]:
        """Names of the models."""
        return list(self.folder.record.models)

    @property
    def titles(self) -> dict[str, str]:
        """Titles of the models."""
        return {name: one.title for name, one in self.folder.record.models.items()}

    @property
    def varied(self) -> dict[str, list[str]]:
        """Choices with more than one value, and the values as text, in the order of the definition."""
        choices = self.folder.defined.definition.choices.items()
        return {key: list(map(value_text, one)) for key, one in choices if len(one) > 1}

    @property
    def main(self) -> str:
        """The model that the published value is of, else the first."""
        published = self.folder.defined.definition.published
        return published.model if published else self.models[0]

    @property
    def target(self) -> Target | None:
        """The published value, if there is one."""
        published = self.folder.defined.definition.published
        if published is None:
            return None
        low, high = wilson(published.correct, published.total)
        return Target(published, float(low), float(high))

    @cached_property
    def universes(self) -> pd.DataFrame:
        """``universes.csv``: one row a universe, model and seed, and one for the mean over seeds.

        Columns ``universe``, one a choice (text), ``model``, ``title``, ``family``, ``seed`` (``mean``
        for the mean), ``status``, ``trials``, ``images`` (distinct, tested), ``accuracy`` with
        ``_low`` and ``_high`` (fractions), and ``same_as``: the first universe whose trials of this
        model are the very same, as none of the choices that differ touches it.

        A mean has the status ``ok``; ``degenerate`` where a trial is; ``failed`` where a trial left no
        predictions or the universe could not be run, and then no accuracy.
        """
        rows: list[dict[str, Any]] = []
        first: dict[tuple[str, ...], str] = {}
        for universe, stored in self.folder.universes:
            head = {"universe": universe.name} | {
                key: value_text(value) for key, value in universe.choices.items()
            }
            groups = self.folder.groups(stored)
            for model in self.models:
                keys = tuple(sorted(self._keys(stored, model)))
                owner = first.setdefault(keys, universe.name) if keys else universe.name
                about = self.folder.record.models[model]
                named = {"model": model, "title": about.title, "family": about.family}
                same = {"same_as": "" if owner == universe.name else owner}
                rows += [head | named | row | same for row in self._scored(keys, groups)]
        choices = list(self.folder.defined.definition.choices)
        return pd.DataFrame(rows, columns=["universe", *choices, *_MEASURED])

    def _keys(self, universe: StoredUniverse, model: str) -> list[str]:
        trials = self.folder.record.trials
        return [key for key in universe.trials if trials[key].model == model]

    def _scored(self, keys: Sequence[str], groups: Groups) -> list[dict[str, Any]]:
        """Rows of one model in one universe: each seed, then their mean."""
        trials = {key: self.folder.record.trials[key] for key in keys}
        seeds = sorted({trial.seed for trial in trials.values()})
        rows = [
            {"seed": str(seed)}
            | self._row([key for key in keys if trials[key].seed == seed], trials, groups)
            for seed in seeds
        ]
        return [*rows, {"seed": MEAN} | self._row(keys, trials, groups)]

    def _row(
        self, keys: Sequence[str], trials: dict[str, StoredTrial], groups: Groups
    ) -> dict[str, Any]:
        statuses = [trials[key].status for key in keys]
        unscored = [one for one in statuses if one not in ("ok", "degenerate")]
        row: dict[str, Any] = {
            "status": "failed", "trials": len(keys) - len(unscored), "images": 0,
            "accuracy": np.nan, "accuracy_low": np.nan, "accuracy_high": np.nan,
        }  # fmt: skip
        if unscored or not keys:
            return row
        found = summarise(
            [self.folder.predictions[key] for key in keys], groups, metrics=("accuracy",)
        ).iloc[0]
        return row | {
            "status": "degenerate" if "degenerate" in statuses else "ok",
            "images": int(found["n_images"]),
            "accuracy": float(found["value"]),
            "accuracy_low": float(found["low"]),
            "accuracy_high": float(found["high"]),
        }

    @cached_property
    def means(self) -> pd.DataFrame:
        """Means over seeds, one row a universe and one column a model; NaN where a trial failed."""
        rows = self.universes[self.universes["seed"] == MEAN]
        wide = rows.pivot(index="universe", columns="model", values="accuracy")
        return wide.loc[rows["universe"].drop_duplicates(), self.models]

    def rows_of(self, model: str, *, mean: bool) -> pd.DataFrame:
        """Rows of ``universes.csv`` of one model that have an accuracy: means, or single seeds."""
        rows = self.universes[self.universes["model"] == model]
        return rows[((rows["seed"] == MEAN) == mean) & rows["accuracy"].notna()]
