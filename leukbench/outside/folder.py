"""A run folder of predictions that no training of this run made; trial code never resumes one."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from leukbench._version import __version__
from leukbench.data.dataset import Dataset
from leukbench.data.splits import NOT_TESTED, SPLIT_COLUMNS, fold_sha256, split_sha256
from leukbench.machine import describe_environment
from leukbench.protocol import Protocol, canonical_sha256
from leukbench.records import (
    NO_PROBABILITIES,
    OUTSIDE,
    DatasetDescription,
    Outside,
    PublishedValues,
    RunDescription,
    TrialRecord,
)
from leukbench.report import write_report
from leukbench.runfolder import RunFolder
from leukbench.score.arrays import probability_columns
from leukbench.trials.store import RunStore


@dataclass(frozen=True)
class OutsidePredictions:
    """One trial to store: what its record says, and its predictions in `stored_columns`.

    `facts` are keys of `TrialRecord`; `identity` is what else the predictions depend on.
    """

    model: str
    title: str
    family: str
    fold: int
    seed: int
    frame: pd.DataFrame
    facts: Mapping[str, Any] = field(default_factory=dict)
    identity: Mapping[str, Any] = field(default_factory=dict)
    published: PublishedValues | None = None


@dataclass(frozen=True)
class OutsideRun:
    """All of a run that trained nothing, before it is written."""

    source: Outside
    dataset: Dataset
    classes: tuple[str, ...]
    protocol: Protocol
    split: pd.DataFrame
    trials: Sequence[OutsidePredictions]
    proxy_groups: bool = False
    benign: str = ""
    title: str = ""
    command: str = ""

    @cached_property
    def fingerprint(self) -> str:
        """That of the images; proxy groups are no part of it, as in every run."""
        if not self.proxy_groups:
            return self.dataset.fingerprint
        records = tuple(replace(record, group="") for record in self.dataset.records)
        return replace(self.dataset, records=records).fingerprint


def split_of(
    dataset: Dataset, tested: Mapping[int, frozenset[str]], rest: Mapping[int, str]
) -> pd.DataFrame:
    """The content of ``split.csv``: the images of each fold, and the part of those not tested in it."""
    frames = []
    for fold, images in tested.items():
        parts = ["test" if path in images else rest[fold] for path in dataset.paths]
        frames.append(
            pd.DataFrame(
                {
                    "fold": fold,
                    "part": parts,
                    "image": dataset.paths,
                    "sha256": [record.sha256 for record in dataset.records],
                    "label": dataset.labels,
                    "group": dataset.groups,
                }
            )
        )
    return pd.concat(frames, ignore_index=True)[list(SPLIT_COLUMNS)]


def rest_of(untested: int, trained: int | None, validated: int) -> str:
    """The part of a fold's images that were not tested: training, where the counts do not contradict."""
    return "train" if trained is None or trained + validated == untested else NOT_TESTED


def write_outside(run: OutsideRun, out: Path, *, fresh: bool = False) -> RunFolder:
    """Write the run folder with its tables, figures and page.

    `UsageError` where `out` holds another run, unless `fresh` replaces it.
    """
    store = RunStore(out)
    try:
        description = _describe(run)
        store.begin(description, run.split, fresh=fresh)
        for trial in run.trials:
            record = _record(run, trial)
            before = store.finished(record.key)
            if before and before.model_copy(update={"files": {}}) == record:
                continue
            work = store.work(record.key)
            trial.frame.to_parquet(work / "predictions.parquet", index=False)
            store.place(record, work)
        write_report(out)
    finally:
        store.close()
    return RunFolder(out)


def _describe(run: OutsideRun) -> RunDescription:
    dataset = run.dataset
    return RunDescription(
        leukbench_version=__version__,
        command=run.command,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        dataset_fingerprint=run.fingerprint,
        protocol_fingerprint=run.protocol.fingerprint,
        split_sha256=split_sha256(run.split),
        task_classes=run.classes,
        models=tuple(dict.fromkeys(trial.model for trial in run.trials)),
        dataset=DatasetDescription(
            name=dataset.name,
            title=run.title or dataset.name,
            catalog=dataset.catalog,
            fingerprint=run.fingerprint,
            images=len(dataset),
            classes=dataset.classes,
            counts=dataset.counts,
            benign=run.benign,
            synthetic=dataset.synthetic,
            group_kind="patient" if dataset.has_groups and not run.proxy_groups else "proxy",
            notes=dataset.notes,
        ),
        protocol=run.protocol,
        environment=describe_environment({}),
        outside=run.source,
    )


def stored_columns(frame: pd.DataFrame, classes: Sequence[str]) -> pd.DataFrame:
    """Predictions in the columns of every run; NaN where no probabilities were given."""
    columns = probability_columns(classes)
    missing = {name: np.nan for name in columns if name not in frame}
    whole = frame.assign(**missing)[["image", "y_true", "y_pred", *columns]]
    return whole.reset_index(drop=True)


def _record(run: OutsideRun, trial: OutsidePredictions) -> TrialRecord:
    """The record before its file is written; it depends on the predictions alone."""
    text = trial.frame.to_csv(index=False, lineterminator="\n")
    identity: dict[str, Any] = {
        OUTSIDE: run.source.kind,
        "model": trial.model,
        "fold": trial.fold,
        "seed": trial.seed,
        "dataset": run.fingerprint,
        "split": fold_sha256(run.split, trial.fold),
        "predictions": hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest(),
        **trial.identity,
    }
    if trial.frame[probability_columns(run.classes)].isna().to_numpy().all():
        identity[NO_PROBABILITIES] = True
    return TrialRecord.model_validate(
        {
            "leukbench_version": __version__,
            "key": canonical_sha256(identity),
            "identity": identity,
            "model": trial.model,
            "title": trial.title,
            "family": trial.family,
            "fold": trial.fold,
            "seed": trial.seed,
            "status": "ok",
            "published": trial.published,
            "n_test": len(trial.frame),
            **trial.facts,
        }
    )
