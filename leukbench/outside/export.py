"""Predictions of a run as one table that `leukbench score` reads back, cell for cell."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from leukbench.errors import DataError, UsageError
from leukbench.files import atomic_path, write_text
from leukbench.outside.agreement import PUBLISHED_COLUMNS
from leukbench.outside.predictions import NUMBER_FACTS, WEIGHTS, WHOLE_FACTS
from leukbench.report.results import initial_weights, published_values
from leukbench.runfolder import RunFolder
from leukbench.score.arrays import groups_from_split, probability_columns

_COSTS = {
    "parameters": "parameters",
    "flops": "flops",
    "train_seconds": "fit_seconds",
    "predict_ms_per_image": "predict_ms_per_image",
    "peak_memory_mb": "peak_memory_mb",
}


def predictions_table(folder: RunFolder) -> pd.DataFrame:
    """One row a trial and image, in the columns that `leukbench.outside.predictions` reads.

    `DataError` where no trial left predictions.
    """
    columns = probability_columns(folder.classes)
    groups = groups_from_split(folder.split)
    group = "group" if folder.run.dataset.group_kind == "patient" else "proxy_group"
    frames = []
    for record in folder.records:
        if not record.scored:
            continue
        stored = folder.predictions(record)
        facts = {name: getattr(record, key) for name, key in _COSTS.items()}
        frame = stored.assign(
            model=record.model, fold=record.fold, seed=record.seed, title=record.title,
            family=record.family, synthetic=folder.synthetic, n_train=record.n_train,
            n_validation=record.n_validation,
        )  # fmt: skip
        if groups:
            frame[group] = stored["image"].map(groups).fillna("")
        if weights := initial_weights([record]):
            start = record.identity.get("parameters", {})
            facts |= {"weights": start.get("weights") or weights}
            facts |= {"frozen": str(bool(start.get("frozen")))}
        kept = {name: value for name, value in facts.items() if value is not None}
        frames.append(frame.assign(**kept))
    if not frames:
        raise DataError(f"{folder.path} has no predictions: finish at least one trial.")
    table = pd.concat(frames, ignore_index=True)
    if table[columns].isna().to_numpy().all():
        table = table.drop(columns=columns)
    else:
        table[columns] = table[columns].astype("float64")
    # a fact that a trial lacks is an empty cell
    kinds = dict.fromkeys(WHOLE_FACTS, "Int64") | dict.fromkeys(NUMBER_FACTS, "Float64")
    kinds |= dict.fromkeys(WEIGHTS, "string")
    table = table.astype({name: kind for name, kind in kinds.items() if name in table})
    first = ["model", "fold", "seed"]
    return table[[*first, *(name for name in table if name not in first)]]


def published_table(folder: RunFolder) -> pd.DataFrame:
    """What papers print for the run's models, in the columns that `--published` takes."""
    rows = [
        {"model": model} | values.model_dump() for model, values in published_values(folder).items()
    ]
    return pd.DataFrame(rows, columns=list(PUBLISHED_COLUMNS))


def export_predictions(folder: RunFolder, out: Path, published: Path | None = None) -> None:
    """Write the table of predictions (``.csv`` or ``.parquet``), and that of published values."""
    suffix = out.suffix.lower()
    if suffix not in (".csv", ".parquet"):
        raise UsageError(f"`out={out}` ends neither with .csv nor with .parquet: let it.")
    table = predictions_table(folder)
    if suffix == ".csv":
        write_text(out, table.to_csv(index=False, lineterminator="\n"))
    else:
        with atomic_path(out) as temporary:
            table.to_parquet(temporary, index=False)
    if published is not None:
        write_text(published, published_table(folder).to_csv(index=False, lineterminator="\n"))
