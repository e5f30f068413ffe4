"""Explanations for a fake run, as its first trials would have left them."""

from __future__ import annotations

import io

import numpy as np

from leukbench.records import TrialRecord, file_sha256
from leukbench.runfolder import HEAT_MAPS, IMPORTANCE, WHOLE_FEATURE, RunFolder
from leukbench.trials.store import write_json

GROUPS = (
    ("Fourier spectrum", WHOLE_FEATURE, 0.30),
    ("Fourier spectrum", "0.00–0.35 cycles a pixel", 0.125),
    ("Fourier spectrum", "0.35–0.71 cycles a pixel", -0.01),
    ("grey histogram", WHOLE_FEATURE, 0.05),
    ("grey histogram", "values 0–127", 0.0),
    ("grey histogram", "values 128–255", 0.04),
)
SIDE = 50


def explain_run(folder: RunFolder) -> RunFolder:
    """Give the first trial of each model that has predictions an explanation, and read again."""
    seen: set[str] = set()
    for record in folder.records:
        if record.scored and record.model not in seen and record.family in ("deep", "classical"):
            seen.add(record.model)
            data = _heat(folder, record) if record.family == "deep" else _importance()
            name = HEAT_MAPS if record.family == "deep" else IMPORTANCE
            write_explanation(folder, record, name, data)
    return RunFolder(folder.path)


def write_explanation(folder: RunFolder, record: TrialRecord, name: str, data: bytes) -> None:
    """Put a file beside a trial's predictions and its hash into the record."""
    place = folder.trial_path(record)
    (place / name).write_bytes(data)
    files = record.files | {name: file_sha256(place / name)}
    write_json(
        place / "record.json", record.model_copy(update={"files": files}).model_dump(mode="json")
    )


def _importance() -> bytes:
    lines = ["feature,group,columns,drop,drop_std,accuracy,images,repeats"]
    lines += [f"{feature},{group},8,{drop},0.015,0.9,120,5" for feature, group, drop in GROUPS]
    return ("\n".join(lines) + "\n").encode()


def _heat(folder: RunFolder, record: TrialRecord) -> bytes:
    """The first test image of each class; the heat lies in the upper left quarter."""
    frame = folder.predictions(record).sort_values("image").drop_duplicates("y_true")
    heat = np.zeros((len(frame), SIDE, SIDE), dtype=np.uint8)
    heat[:, : SIDE // 2, : SIDE // 2] = 255
    stream = io.BytesIO()
    np.savez_compressed(
        stream,
        images=frame["image"].to_numpy(dtype=str),
        labels=frame["y_true"].to_numpy(dtype=str),
        predicted=frame["y_pred"].to_numpy(dtype=str),
        probability=np.array([row["p_" + row["y_pred"]] for _, row in frame.iterrows()]),
        heat=heat,
    )
    return stream.getvalue()
