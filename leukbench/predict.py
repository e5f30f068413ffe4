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
from leukbench.errors import UsageError, did_you_mean
from leukbench.explain.heat_maps import NOTICE, heat_map, write_heat_map
from leukbench.models.saved import FOLDER, load_model
from leukbench.records import TrialRecord
from leukbench.runfolder import RunFolder
from leukbench.score.arrays import PROBABILITY_PREFIX
from leukbench.score.calibration import apply_temperature


@dataclass(frozen=True)
class Prediction:
    """What a model says of one image.

    Attributes
    ----------
    image : str
        The file, as it was given.
    label : str
        The most probable class.
    probability : float
        Of that class, 0 to 1.
    probabilities : dict of str to float
        Of every class, in class order.
    calibrated : bool
        Whether a temperature was fitted on held-out images when the model was trained.
    part : str
        ``train``, ``validation`` or ``test`` where the very file was part of the run, else empty.
    heat_map : str
        The PNG that was written; empty without an explanation.
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
    """A fitted model of a run, with the run's preprocessing.

    Parameters
    ----------
    folder : RunFolder
        A run made with ``--save-models``.
    model : str
        Name of the model.
    fold, seed : int, optional
        Which of its trials; the first that was saved by default.

    Raises
    ------
    UsageError
        Where the run has no such model, or did not keep it.
    DataError
        Where the file is not the one that was saved.
    """

    def __init__(
        self, folder: RunFolder, model: str, *, fold: int | None = None, seed: int | None = None
    ) -> None:
        self.folder = folder
        self.record = _saved_trial(folder, model, fold, seed)
        sums = {
            name.removeprefix(f"{FOLDER}/"): digest
            for name, digest in self.record.files.items()
            if name.startswith(f"{FOLDER}/")
        }
        self.estimator, description = load_model(folder.trial_path(self.record) / FOLDER, sums)
        self.temperature: float | None = description["temperature"]
        self._columns = {str(name): i for i, name in enumerate(self.estimator.classes_)}
        self._settings = folder.run.protocol.preprocessing

    def probabilities(self, images: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Probabilities of preprocessed images, shape (n, classes), calibrated where possible.

        Columns are in the order of the run's classes; one that training did not see has 0.
        """
        raw = np.asarray(self.estimator.predict_proba(images), dtype=np.float64)
        out = np.zeros((len(raw), len(self.folder.classes)))
        for place, name in enumerate(self.folder.classes):
            if name in self._columns:
                out[:, place] = raw[:, self._columns[name]]
        out /= out.sum(axis=1, keepdims=True)
        return out if self.temperature is None else apply_temperature(out, self.temperature)

    def predict(
        self, images: Sequence[Path], *, explain: bool = False, out: Path | None = None
    ) -> list[Prediction]:
        """Classes and probabilities of image files.

        Parameters
        ----------
        images : sequence of Path
            Any image files; they go through the run's preprocessing.
        explain : bool
            Write a heat map for each image: Grad-CAM for networks, occlusion for others.
        out : Path, optional
            Where heat maps go; the current folder by default.

        Raises
        ------
        DataError
            Where a file is no image.
        """
        decoded = [read_image(path) for path in images]
        arrays = np.stack([preprocess_image(image, self._settings) for image in decoded])
        own = self.folder.split[self.folder.split["fold"] == self.record.fold]
        parts = dict(zip(own["sha256"], own["part"], strict=True))
        found = []
        for number, row in enumerate(self.probabilities(arrays)):
            label = self.folder.classes[int(row.argmax())]
            chart = ""
            if explain:
                name = f"{number + 1:03d}-{_plain(images[number].stem)}-{_plain(self.record.model)}"
                target = (out or Path()) / f"{name}.png"
                heat, method = heat_map(self.estimator, arrays[number], self._columns[label])
                caption = f"{method}: {label} {row.max():.1%}, {self.record.title}"
                caption += ", trained on SYNTHETIC images" if self.folder.synthetic else ""
                shown = arrays[number] if self._settings.crop else decoded[number]
                write_heat_map(target, _blue_first(shown, self._settings.crop), heat, caption)
                chart = str(target)
            digest = hashlib.sha256(images[number].read_bytes()).hexdigest()
            found.append(
                Prediction(
                    image=str(images[number]),
                    label=label,
                    probability=float(row.max()),
                    probabilities=dict(zip(self.folder.classes, map(float, row), strict=True)),
                    calibrated=self.temperature is not None,
                    part=parts.get(digest, ""),
                    heat_map=chart,
                )
            )
        return found


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
    own = [record for record in folder.records if record.model == model]
    if not own:
        known = list(dict.fromkeys(record.model for record in folder.records))
        raise UsageError(
            f"{folder.path} has no model {model!r}{did_you_mean(model, known)}: "
            f"take one of {', '.join(known)}."
        )
    for record in own:
        wanted = fold in (None, record.fold) and seed in (None, record.seed)
        if wanted and any(name.startswith(f"{FOLDER}/") for name in record.files):
            return record
    which = "".join(
        f", {name} {value}" for name, value in (("fold", fold), ("seed", seed)) if value is not None
    )
    raise UsageError(
        f"{folder.path} did not keep {model}{which}: run it again with run-all --save-models."
    )


def _blue_first(image: NDArray[np.uint8], preprocessed: bool) -> NDArray[np.uint8]:
    """Three channels in OpenCV's order; a preprocessed image is grey or red first."""
    if not preprocessed:
        return image
    return np.repeat(image, 3, axis=2) if image.shape[2] == 1 else image[..., ::-1]


def _plain(text: str) -> str:
    """A name that every file system takes."""
    return re.sub(r"[^\w.-]+", "_", text) or "image"
