"""Predictions of any program as an ordinary run folder, with everything that follows from predictions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from leukbench.data.dataset import Dataset, ImageRecord
from leukbench.data.splits import NOT_TESTED
from leukbench.errors import UsageError
from leukbench.outside.agreement import (
    Tested,
    agree,
    check_benign,
    read_groups,
    read_published,
)
from leukbench.outside.folder import (
    OutsidePredictions,
    OutsideRun,
    rest_of,
    split_of,
    stored_columns,
    write_outside,
)
from leukbench.outside.predictions import NUMBER_FACTS, WHOLE_FACTS, OutsideTrial, read_predictions
from leukbench.protocol import Protocol, Split
from leukbench.records import Outside, PublishedValues
from leukbench.runfolder import RunFolder
from leukbench.score import UNRANKED_FAMILIES
from leukbench.trials.trial import why_degenerate

PROTOCOL = Protocol(
    name="outside",
    title="Predictions of other programs",
    description="Scored as they were given; leukbench trained nothing.",
    split=Split(policy="given"),
)
"""What makes scored predictions comparable: the same images, labels, groups and folds."""

FAMILY = "outside"
_RENAMED = {"train_seconds": "fit_seconds"}


def score_tables(
    files: Sequence[Path],
    *,
    groups: Path | None = None,
    published: Path | None = None,
    out: Path | None = None,
    name: str | None = None,
    benign: str = "",
    fresh: bool = False,
    command: str = "",
) -> RunFolder:
    """Score tables of predictions; see `leukbench.score_predictions`.

    Raises
    ------
    LeukbenchError
        Where a table does not fit, the tables are not of one test, or `out` holds another run.
    """
    if not files:
        raise UsageError("There is nothing to score: name one table of predictions or more.")
    trials = [trial for file in files for trial in read_predictions(Path(file))]
    tested = agree(trials, None if groups is None else read_groups(Path(groups)))
    check_benign(benign, tested.classes)
    models = tuple(dict.fromkeys(trial.model for trial in trials))
    printed = {} if published is None else read_published(Path(published), models)
    name = name or (Path(files[0]).stem if len(files) == 1 else "predictions")
    dataset = _dataset(name, trials, tested)
    untested = {fold: len(dataset) - len(images) for fold, images in tested.tested.items()}
    run = OutsideRun(
        source=Outside(kind="predictions", sources=tuple(Path(file).name for file in files)),
        dataset=dataset,
        classes=tested.classes,
        protocol=PROTOCOL,
        split=split_of(dataset, tested.tested, _rest(trials, untested)),
        trials=[
            _stored(one, tested.classes, untested[one.fold], printed.get(one.model))
            for one in trials
        ],
        proxy_groups=groups is None and any("proxy_group" in t.table.cells for t in trials),
        benign=benign,
        command=command,
    )
    return write_outside(run, out or Path("results") / f"{name}-{PROTOCOL.name}", fresh=fresh)


def _dataset(name: str, trials: Sequence[OutsideTrial], tested: Tested) -> Dataset:
    """The tested images; their files are not known, so that they have no hash."""
    records = tuple(
        ImageRecord(image, label, "", tested.groups.get(image, ""))
        for image, label in tested.labels.items()
    )
    synthetic = any(trial.facts.get("synthetic", "").lower() == "true" for trial in trials)
    return Dataset(name, Path(), records, synthetic=synthetic, notes=tuple(_notes(trials)))


def _notes(trials: Sequence[OutsideTrial]) -> list[str]:
    files = ", ".join(dict.fromkeys(trial.table.file.name for trial in trials))
    notes = [f"The predictions come from other programs ({files}); leukbench trained nothing."]
    other = sum(int(_not_most_probable(trial.frame)) for trial in trials)
    if other:
        notes.append(f"In {other} predictions y_pred, as given, is not the most probable class.")
    return notes


def _not_most_probable(frame: pd.DataFrame) -> int:
    columns = [str(name) for name in frame if str(name).startswith("p_")]
    if not columns:
        return 0
    classes = np.array([name.removeprefix("p_") for name in columns])
    chosen = classes[frame[columns].to_numpy().argmax(axis=1)]
    return int((chosen != frame["y_pred"].to_numpy()).sum())


def _rest(trials: Sequence[OutsideTrial], untested: Mapping[int, int]) -> dict[int, str]:
    """Part of the images that a fold does not test; all of its models must have been trained alike."""
    rest: dict[int, str] = {}
    for trial in trials:
        trained, validated = (
            int(float(trial.facts[name])) if name in trial.facts else None
            for name in ("n_train", "n_validation")
        )
        part = rest_of(untested[trial.fold], trained, validated or 0)
        rest[trial.fold] = part if rest.get(trial.fold, part) == part else NOT_TESTED
    return rest


def _stored(
    trial: OutsideTrial,
    classes: Sequence[str],
    untested: int,
    published: PublishedValues | None,
) -> OutsidePredictions:
    frame = stored_columns(trial.frame, classes)
    facts: dict[str, Any] = {"n_train": untested}
    for name in (*WHOLE_FACTS, *NUMBER_FACTS):
        if name in trial.facts:
            value = float(trial.facts[name])
            facts[_RENAMED.get(name, name)] = int(value) if name in WHOLE_FACTS else value
    family = trial.facts.get("family", FAMILY)
    start: dict[str, Any] = {}
    if weights := trial.facts.get("weights"):
        start = {"weights": weights}
        if trial.facts.get("frozen", "").lower() == "true":
            start["frozen"] = True
    reason = "" if family in UNRANKED_FAMILIES else why_degenerate(frame, None)
    if reason:
        facts |= {"status": "degenerate", "reason": reason}
    return OutsidePredictions(
        model=trial.model,
        title=trial.facts.get("title", trial.model),
        family=family,
        fold=trial.fold,
        seed=trial.seed,
        frame=frame,
        facts=facts,
        identity={"parameters": start} if start else {},
        published=published,
    )
