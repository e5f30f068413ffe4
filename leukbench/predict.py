"""Use the models that a run kept: classes and probabilities of images. Not for diagnosis."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from leukbench.data.preprocess import preprocess_image, read_image
from leukbench.errors import UsageError
from leukbench.explain.heat_maps import NOTICE, Image, heat_map, write_heat_map
from leukbench.models.saved import DESCRIPTION, load_model
from leukbench.records import TrialRecord
from leukbench.runfolder import RunFolder
from leukbench.score.arrays import PROBABILITY_PREFIX
from leukbench.score.calibration import apply_temperature


@dataclass(frozen=True)
class Prediction:
    """What a model says of one image.

    ``label`` is the most probable class and ``probability`` its own; ``probabilities`` has every class,
    in class order. They are ``calibrated`` where a temperature was fitted on held-out images when the
    model was trained. ``part`` is ``train``, ``validation`` or ``test`` where the very file was part of
    the run, and ``heat_map`` the PNG that was written; else both are empty.
    """

    image: str
    label: str
    probability: float
    probabilities: dict[str, float]
    calibrated: bool
    part: str = ""
    heat_map: str = ""

    @property
    def note(self) -> str:
        """What a reader must know before believing the probability."""
        notes = [] if self.calibrated else ["uncalibrated probability"]
        if self.part:
            notes.append(f"this image was in the run's {self.part} part")
        return ", ".join(notes)

    def as_json(self) -> dict[str, Any]:
        """JSON values, with the notice."""
        return asdict(self) | {"note": self.note, "notice": NOTICE}


class SavedModel:
    """A fitted model of a run made with ``save_models=True``, with the run's preprocessing.

    ``fold`` and ``seed`` say which of the model's trials; by default the first that was saved.

    `UsageError` where the run has no such model, or did not keep it. `DataError` where the file is
    not the one that was saved.
    """

    def __init__(
        self, folder: RunFolder, model: str, *, fold: int | None = None, seed: int | None = None
    ) -> None:
        self.folder = folder
        self.record = _saved_trial(folder, model, fold, seed)
        path = folder.trial_path(self.record)
        self.estimator, description = load_model(path, self.record.files)
        self.temperature: float | None = description["temperature"]
        self._columns = {str(name): i for i, name in enumerate(self.estimator.classes_)}
        self._settings = folder.run.protocol.preprocessing

    def probabilities(self, images: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Probabilities of preprocessed images, shape (n, classes), calibrated where possible.

        Columns are in the order of the run's classes; one that training did not see has 0.
        """
        raw = np.asarray(self.estimator.predict_proba(images), dtype=np.float64)
        table = pd.DataFrame(raw, columns=list(self._columns))
        out = table.reindex(columns=list(self.folder.classes), fill_value=0.0).to_numpy(copy=True)
        out /= out.sum(axis=1, keepdims=True)
        return out if self.temperature is None else apply_temperature(out, self.temperature)

    def predict(
        self, images: Sequence[Path], *, explain: bool = False, out: Path | None = None
    ) -> list[Prediction]:
        """Classes and probabilities of image files, which go through the run's preprocessing.

        With ``explain`` a heat map of each image (Grad-CAM for networks, occlusion for others) is
        written to the folder ``out``, by default the current one.

        `DataError` where a file is no image.
        """
        decoded = [read_image(path) for path in images]
        arrays = np.stack([preprocess_image(image, self._settings) for image in decoded])
        fold = self.folder.split[self.folder.split["fold"] == self.record.fold]
        parts = dict(zip(fold["sha256"], fold["part"], strict=True))
        predictions = []
        for number, row in enumerate(self.probabilities(arrays)):
            path = images[number]
            chart = ""
            if explain:
                name = f"{number + 1:03d}-{_plain(path.stem)}-{_plain(self.record.model)}.png"
                chart = str((out or Path()) / name)
                self._draw(Path(chart), decoded[number], arrays[number], row)
            predictions.append(
                Prediction(
                    image=str(path),
                    label=self.folder.classes[int(row.argmax())],
                    probability=float(row.max()),
                    probabilities=dict(zip(self.folder.classes, map(float, row), strict=True)),
                    calibrated=self.temperature is not None,
                    part=parts.get(hashlib.sha256(path.read_bytes()).hexdigest(), ""),
                    heat_map=chart,
                )
            )
        return predictions

    def _draw(self, path: Path, decoded: Image, preprocessed: Image, row: NDArray[Any]) -> None:
        """Write the heat map over the image as it was read, or over what was cropped from it."""
        label = self.folder.classes[int(row.argmax())]
        heat, method = heat_map(self.estimator, preprocessed, self._columns[label])
        caption = f"{method}: {label} {row.max():.1%}, {self.record.title}"
        caption += ", trained on SYNTHETIC images" if self.folder.synthetic else ""
        if self._settings.crop:  # grey or red first, where OpenCV takes blue first
            grey = preprocessed.shape[2] == 1
            decoded = np.repeat(preprocessed, 3, axis=2) if grey else preprocessed[..., ::-1]
        write_heat_map(path, decoded, heat, caption)


def as_frame(predictions: Sequence[Prediction]) -> pd.DataFrame:
    """One row an image: image, label, probability, a column ``p_<class>`` a class, note, notice."""
    return pd.DataFrame(
        [
            {"image": one.image, "label": one.label, "probability": one.probability}
            | {PROBABILITY_PREFIX + name: value for name, value in one.probabilities.items()}
            | {"note": one.note, "heat_map": one.heat_map, "notice": NOTICE}
            for one in predictions
        ]
    )


def _saved_trial(folder: RunFolder, model: str, fold: int | None, seed: int | None) -> TrialRecord:
    for record in folder.records_of(model):
        wanted = fold in (None, record.fold) and seed in (None, record.seed)
        if wanted and DESCRIPTION in record.files:
            return record
    chosen = {"fold": fold, "seed": seed}
    which = "".join(f", {name} {value}" for name, value in chosen.items() if value is not None)
    raise UsageError(
        f"{folder.path} did not keep {model}{which}: run it again with `save_models=True`."
    )


def _plain(text: str) -> str:
    """A name that every file system takes."""
    return re.sub(r"[^\w.-]+", "_", text) or "image"
