"""How long a trial may take, from trials that were measured before."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from leukbench.errors import DataError
from leukbench.runfolder import TrialRecord, read_record

if TYPE_CHECKING:
    from leukbench.run.plan import TrialPlan
    from leukbench.run.prepare import Preparation, RunOptions

START_SECONDS = 8.0


def estimate_seconds(
    plan: TrialPlan, prepared: Preparation, options: RunOptions
) -> tuple[str, float]:
    """State and likely duration of a trial.

    A finished trial gives its own time. Others are estimated from finished trials of the same model in
    the run folder, scaled by images and epochs, else from reference figures that come with the
    package (two cores with bfloat16 units), scaled by the area of the images too. It is an upper
    estimate for models whose cost does not grow with it.

    Returns
    -------
    tuple of str and float
        ``"finished"``, ``"estimate"`` or ``"guess"``; and seconds, 0 where nothing is known.
    """
    records = _records(prepared.out)
    for record in records:
        if record.key == plan.key and record.scored:
            return "finished", record.total_seconds or 0.0
    rows = prepared.split[(prepared.split["fold"] == plan.fold)]
    epochs = int(plan.parameters.get("epochs", 1))
    work = float((rows["part"] == "train").sum()) * epochs
    rates = [
        record.fit_seconds / (record.n_train * max(record.epochs_run or 1, 1))
        for record in records
        if record.model == plan.model and record.scored and record.fit_seconds
    ]
    if rates:
        return "estimate", START_SECONDS + median(rates) * work
    reference = _reference().get(plan.model)
    if reference is None:
        return "guess", 0.0
    scale = options.protocol.preprocessing.size**2 / float(reference["pixels"])
    return "guess", START_SECONDS + float(reference["seconds_per_image_epoch"]) * scale * work


def _records(out: Path) -> list[TrialRecord]:
    found = []
    for path in sorted((out / "trials").glob("*/record.json")):
        try:
            found.append(read_record(path))
        except DataError:
            continue
    return found


def _reference() -> Mapping[str, Mapping[str, Any]]:
    source = resources.files("leukbench.run") / "reference_times.json"
    loaded: dict[str, Mapping[str, Any]] = json.loads(source.read_text(encoding="utf-8"))
    return loaded
