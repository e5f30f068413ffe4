"""What a run came to: read once, computed once, shared by tables, figures and the page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import Any, TypeVar

import pandas as pd

from leukbench.data.dataset import natural_key
from leukbench.records import PublishedValues, TrialRecord
from leukbench.report.formats import NOT_REPORTED
from leukbench.runfolder import HeatMaps, RunFolder
from leukbench.score.arrays import TrialPredictions, group_codes, groups_from_split
from leukbench.score.benign_malignant import binary_trials
from leukbench.score.comparisons import Comparison, compare
from leukbench.score.decisions import decision_curve
from leukbench.score.file_order import FileOrder, file_order
from leukbench.score.intervals import effective_groups
from leukbench.score.leakage import leakage_effects
from leukbench.score.members import ModelTrials, models_of, rankable
from leukbench.score.metrics import comparison_metrics
from leukbench.score.per_class import classification_report, confusion_counts
from leukbench.score.summary import UNFINISHED, comparison_scores, standing, summarise

_Stored = TypeVar("_Stored")

PAPER_DATASET = "all-pbs"
"""The catalogue's name of the dataset that the published values with ``same_data`` belong to."""


CLASS_COLUMNS = (
    "model", "title", "class", "precision", "recall", "specificity", "f1", "support",
)  # fmt: skip
"""Columns of ``classification_report.csv``."""

RANDOM_WEIGHTS = "random"
INITIAL_WEIGHTS = "initial_weights"
"""One column more, where a model of the run started from trained weights."""

_COST = {
    "parameters": "parameters",
    "flops": "flops",
    "train_seconds": "fit_seconds",
    "predict_ms_per_image": "predict_ms_per_image",
    "peak_memory_mb": "peak_memory_mb",
}


def columns() -> list[str]:
    """Columns of ``comparison.csv``, as the registry of metrics stands."""
    return [
        "model", "title", "family", "status", "trials",
        "accuracy", "accuracy_low", "accuracy_high",
        *(name for name in comparison_metrics() if name != "accuracy"),
        *_COST,
        "published_accuracy", "published_source",
    ]  # fmt: skip


class Results:
    """Everything that is derived from one run folder; nothing is written to it."""

    def __init__(self, folder: RunFolder) -> None:
        self.folder = folder

    @cached_property
    def trials(self) -> list[TrialPredictions]:
        """Predictions of all trials that have some."""
        return self.folder.trials()

    @cached_property
    def predictions(self) -> pd.DataFrame:
        """Model, fold, seed, image, y_true, y_pred, and whether that is right, of every prediction."""
        columns = ["image", "y_true", "y_pred"]
        frames = [
            t.frame[columns].assign(model=t.model, fold=t.fold, seed=t.seed) for t in self.trials
        ]
        named = ["model", "fold", "seed", *columns]
        table = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=named)
        return table.assign(right=table["y_true"] == table["y_pred"])

    @cached_property
    def groups(self) -> dict[str, str]:
        """Group of each image where the split knows one."""
        return groups_from_split(self.folder.split)

    @cached_property
    def members(self) -> dict[str, ModelTrials]:
        """Trials as arrays, by model."""
        return {trials.model: trials for trials in models_of(self.trials)} if self.trials else {}

    @cached_property
    def records(self) -> dict[str, list[TrialRecord]]:
        """Records by model, in the order of the run."""
        return {name: self.folder.records_of(name) for name in self.folder.models}

    @cached_property
    def titles(self) -> dict[str, str]:
        """Title of each model."""
        return {name: records[0].title for name, records in self.records.items()}

    @cached_property
    def published(self) -> dict[str, PublishedValues]:
        """What papers print, by model; `same_data` is whether they measured on this run's images."""
        return published_values(self.folder)

    @cached_property
    def fine_tuned(self) -> bool:
        """Whether any model started from trained weights: a column then says which."""
        starts = {initial_weights(records) for records in self.records.values()}
        return bool(starts - {"", RANDOM_WEIGHTS})

    @cached_property
    def comparison(self) -> pd.DataFrame:
        """``comparison.csv``: one row per model, as `columns` names them.

        Scores are fractions in 0..1 (``mcc`` -1..1, ``brier`` 0..2), means over trials, averages over
        classes macro; ``trials`` counts those that left predictions; ``status`` is ok where every
        trial is; costs are medians over trials (seconds, milliseconds, MiB). ``published_accuracy``
        is the string that the paper prints, or "not reported". Models that compete come first, best
        first; then controls, degenerate and failed ones, then shortcut probes. Where a network was
        fine-tuned, the last column ``initial_weights`` says what each started from.
        """
        scores = comparison_scores(self.trials, self.groups) if self.trials else pd.DataFrame()
        by_model = {row["model"]: row for row in rows_of(scores)}
        rows = []
        for name, records in self.records.items():
            published = self.published.get(name)
            printed = published.accuracy if published else ""
            row = by_model.get(name, {"trials": 0}) | _costs(records)
            row |= {
                "model": name,
                "title": records[0].title,
                "family": records[0].family,
                "status": worst_status(records),
                "published_accuracy": printed or NOT_REPORTED,
                "published_source": source_text(published) if published and printed else "",
                INITIAL_WEIGHTS: initial_weights(records),
            }
            rows.append(row)
        extra = [INITIAL_WEIGHTS] if self.fine_tuned else []
        table = pd.DataFrame(rows, columns=columns() + extra)
        for column in ("parameters", "flops"):
            table[column] = table[column].astype("Float64").round().astype("Int64")
        table["standing"] = list(map(standing, table["family"], table["status"]))
        table = table.sort_values(
            ["standing", "accuracy"], ascending=[True, False], kind="stable", na_position="last"
        )
        return table.drop(columns="standing").reset_index(drop=True)

    @cached_property
    def scored(self) -> pd.DataFrame:
        """Rows of `comparison` that have an accuracy."""
        rows = self.comparison
        return rows[rows["accuracy"].notna()].reset_index(drop=True)

    @cached_property
    def ranked(self) -> pd.DataFrame:
        """Rows of `comparison` that compete, best first; over folds, those with three or more."""
        rows = self.comparison
        names = {model.model for model in rankable(self.members.values())}
        return rows[rows["model"].isin(names) & (rows["status"] == "ok")]

    @cached_property
    def probes(self) -> pd.DataFrame:
        """Rows of the shortcut probes that have a score, best first."""
        return self.scored[self.scored["family"] == "probe"]

    @cached_property
    def classification(self) -> pd.DataFrame:
        """``classification_report.csv``: scores of each class of each model, then its averages.

        Columns `CLASS_COLUMNS`; fractions in 0..1, means over seeds and folds. The row ``accuracy``
        has its value under ``f1``, where scikit-learn prints it; ``support`` counts distinct test
        images. Models stand in the order of `comparison`.
        """
        if not self.trials:
            return pd.DataFrame(columns=list(CLASS_COLUMNS))
        report = classification_report(self.trials, self.groups)
        order = {name: position for position, name in enumerate(self.comparison["model"])}
        report = report.sort_values("model", key=lambda names: names.map(order), kind="stable")
        report["title"] = report["model"].map(self.titles)
        return report[list(CLASS_COLUMNS)].reset_index(drop=True)

    @cached_property
    def confusion(self) -> dict[str, pd.DataFrame]:
        """Confusion matrices by model: summed over folds, averaged over seeds."""
        return confusion_counts(self.trials) if self.trials else {}

    @cached_property
    def pairs(self) -> Comparison | None:
        """Paired tests between the models that have all their trials; None for fewer than two."""
        whole = set(self.comparison.loc[~self.comparison["status"].isin(UNFINISHED), "model"])
        trials = [trial for trial in self.trials if trial.model in whole]
        shared = Counter(fold for _, fold in {(trial.model, trial.fold) for trial in trials})
        if max(shared.values(), default=0) < 2:
            return None
        return compare(trials, groups=self.groups)

    @cached_property
    def file_order(self) -> FileOrder | None:
        """Whether errors depend on the order of files; None for fewer than two ranked models."""
        if self.pairs is None or len(self.pairs.groups) < 2:
            return None
        names = set(self.pairs.groups["model"])
        return file_order([t for t in self.trials if t.model in names], self.pairs, natural_key)

    @cached_property
    def leakage(self) -> pd.DataFrame:
        """What a partner in training is worth to each model; empty without an audit of the split."""
        partnered = self.folder.partnered if self.trials else {}
        return leakage_effects(self.trials, partnered, self.groups) if partnered else pd.DataFrame()

    @cached_property
    def decision_curve(self) -> pd.DataFrame:
        """Net benefit of calling images malignant, over thresholds; needs `folder.benign`."""
        return decision_curve(binary_trials(self.trials, self.folder.benign), self.groups)

    @cached_property
    def effective_groups(self) -> float:
        """Kish's effective number of groups of the test images; infinite where no group is known."""
        if not self.groups or not self.trials:
            return float("inf")
        return effective_groups(group_codes(sorted({*self.predictions["image"]}), self.groups))

    @cached_property
    def interval_methods(self) -> tuple[str, ...]:
        """How the intervals of accuracy were found, in words, each once."""
        if not self.trials:
            return ()
        frame = summarise(self.trials, self.groups, metrics=("accuracy",))
        plain = frame["method"].str.replace(r"design effect [\d.]+", "design effect", regex=True)
        return tuple(plain.unique())

    @cached_property
    def coverage(self) -> dict[str, str]:
        """By model that was tested on some of the folds alone where others were on more, how many."""
        folds = {name: {m.fold for m in model.members} for name, model in self.members.items()}
        most = {fold for tested in folds.values() for fold in tested}
        return {
            name: f"{len(tested)} of {len(self.folds)} folds"
            for name, tested in folds.items()
            if tested != most
        }

    @cached_property
    def layers(self) -> dict[str, list[dict[str, Any]]]:
        """Layers of each network that recorded some, in the order of `comparison`."""
        return self._first(lambda record: record.layers or None)

    @cached_property
    def importances(self) -> dict[str, pd.DataFrame]:
        """Importance of each model that has it, in the order of `comparison`."""
        return self._first(self.folder.importance)

    @cached_property
    def heat_maps(self) -> dict[str, HeatMaps]:
        """Heat maps of each network that has some, in the order of `comparison`."""
        return self._first(self.folder.heat_maps)

    @cached_property
    def histories(self) -> dict[str, list[pd.DataFrame]]:
        """Learning curves of each network that has some, in the order of `comparison`."""
        by_model = {
            str(name): [curve for curve in self._stored(name, self.folder.history) if len(curve)]
            for name in self.comparison["model"]
        }
        return {name: curves for name, curves in by_model.items() if curves}

    def _first(self, read: Callable[[TrialRecord], _Stored | None]) -> dict[str, _Stored]:
        """What the first trial of each model that left it holds."""
        first = {str(n): next(self._stored(n, read), None) for n in self.comparison["model"]}
        return {name: value for name, value in first.items() if value is not None}

    def _stored(
        self, model: str, read: Callable[[TrialRecord], _Stored | None]
    ) -> Iterator[_Stored]:
        values = (read(record) for record in self.records[model] if record.scored)
        return (value for value in values if value is not None)

    @property
    def seeds(self) -> tuple[int, ...]:
        """Seeds that any model was trained with."""
        return tuple(sorted({t.seed for t in self.trials if t.family != "probe"}))

    @property
    def folds(self) -> tuple[int, ...]:
        """Folds of the split."""
        return tuple(sorted(int(fold) for fold in self.folder.split["fold"].unique()))

    def failures(self, model: str) -> list[TrialRecord]:
        """Trials of a model that left no predictions or are degenerate."""
        return [record for record in self.records[model] if record.status != "ok"]


def rows_of(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows of a table as dictionaries."""
    return [{str(key): value for key, value in row.items()} for row in table.to_dict("records")]


def published_values(folder: RunFolder) -> dict[str, PublishedValues]:
    """Values that papers print for the models of a run, by model.

    `same_data` is whether they were measured on the images and classes of this run, which their
    source then need not say.
    """
    run = folder.run
    paper = run.dataset.catalog == PAPER_DATASET and run.protocol.task == "all"
    paper = paper or run.outside is not None  # whoever gave the values says so
    return {
        record.model: record.published.model_copy(
            update={
                "same_data": paper and record.published.same_data,
                "source": record.published.source.removesuffix(" and other data"),
            }
        )
        for record in folder.records
        if record.published
    }


def source_text(published: PublishedValues) -> str:
    """Write where a published value stands, and of which data it is."""
    return f"{published.source}; {'this' if published.same_data else 'another'} data set"


def worst_status(records: Sequence[TrialRecord]) -> str:
    """Status of a model: ok where every trial is; a mean over the good trials alone would flatter."""
    order = (*UNFINISHED, "degenerate", "ok")
    return min((record.status for record in records), key=order.index)


def initial_weights(records: Sequence[TrialRecord]) -> str:
    """What a network started from: ``random``, ``imagenet``, or a file and the start of its sha256.

    ``frozen`` follows where those weights stayed as they were. Empty for what is no network.
    """
    starts = []
    for record in records:
        parameters = record.identity.get("parameters", {})
        name, _, digest = str(parameters.get("weights", "")).partition(" ")
        if name:
            frozen = ", frozen" if parameters.get("frozen") else ""
            starts.append((f"{name} ({digest[:8]})" if digest else name) + frozen)
        elif "epochs" in parameters:
            starts.append(RANDOM_WEIGHTS)
    return ", ".join(dict.fromkeys(starts))


def _costs(records: Sequence[TrialRecord]) -> dict[str, float]:
    """Medians over the trials that have the number."""
    rows = [[getattr(record, key) for key in _COST.values()] for record in records if record.scored]
    medians = pd.DataFrame(rows, columns=list(_COST), dtype=float).median()
    return dict(zip(_COST, medians, strict=True))
