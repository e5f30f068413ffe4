"""One trial: fit, predict, measure, and leave the predictions in a folder."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from leukbench.models import registry
from leukbench.records import Epoch, Job, Outcome
from leukbench.score import UNRANKED_FAMILIES
from leukbench.score.arrays import probability_columns
from leukbench.trials.device import settle_tensorflow
from leukbench.trials.feature_cache import OnFeatures, cached_features

ROUNDING = 1e-3
"""Most that a row of probabilities may miss 1 by before it is divided by its sum: single precision."""

EVERY_EPOCH = "epochs.parquet"
"""Classes predicted after each epoch, where a job asks for them."""

OnEpoch = Callable[[Epoch], None]
Explain = Callable[[], str]
"""Leaves an explanation in the job's work folder; gives the reason where there is none."""


@dataclass(frozen=True)
class _Data:
    """Images and labels of one fold, and which of them each part has."""

    images: NDArray[Any]
    labels: NDArray[np.str_]
    paths: NDArray[np.str_]
    classes: tuple[str, ...]
    train: NDArray[np.intp]
    validation: NDArray[np.intp]
    test: NDArray[np.intp]
    scored: NDArray[np.intp]
    """Those that are predicted: the test part, unless the fold file says otherwise."""

    @classmethod
    def of(cls, job: Job) -> _Data:
        with np.load(job.fold_file, allow_pickle=False) as fold:
            parts = {
                name: fold[name] for name in ("labels", "paths", "train", "validation", "test")
            }
            parts["scored"] = fold["scored"] if "scored" in fold else parts["test"]
            classes = tuple(str(name) for name in fold["classes"])
        return cls(images=np.load(job.images, mmap_mode="r"), classes=classes, **parts)


def run_trial(job: Job, *, on_epoch: OnEpoch) -> tuple[Outcome, Explain]:
    """Carry out one job: gives what was measured, and a function that explains the model.

    Predictions, and the learning curve where there is one, are left in the job's work folder. The
    function is to be called when all is measured: it leaves importances and heat maps there, where the
    job asks for them, and gives one sentence where it cannot.

    Raises
    ------
    RuntimeError
        Where the code has another version of the model than the one that was planned, or the GPU of
        the job is not there.
    """
    cv2.setNumThreads(job.threads)  # other libraries are told by environment variables
    spec = registry.get(job.model)
    if spec.adapter_version != job.adapter_version:
        raise RuntimeError("leukbench was changed while it ran: start the run again")
    estimator = registry.create(job.model, **job.parameters)
    if spec.framework == "keras" or isinstance(estimator, OnFeatures):
        settle_tensorflow(job.device)
    data = _Data.of(job)
    fit_seconds = _fit(estimator, data, job, on_epoch)
    test_images = data.images[data.scored]
    start = time.perf_counter()
    probabilities = _aligned(estimator.predict_proba(test_images), estimator.classes_, data.classes)
    predict_seconds = time.perf_counter() - start

    predictions = _table(data, probabilities)
    predictions.to_parquet(job.workdir / "predictions.parquet", index=False)
    if job.save_model:
        _save(job, estimator, data)
    history = getattr(estimator, "history_", None)
    if history is not None:
        history.to_csv(job.workdir / "history.csv", index=False)
    reason = "" if job.family in UNRANKED_FAMILIES else why_degenerate(predictions, history)
    outcome = Outcome(
        status="degenerate" if reason else "ok",
        reason=reason,
        recipe=spec.recipe_with(job.parameters),
        departures=spec.departures,
        fit_seconds=fit_seconds,
        predict_seconds=predict_seconds,
        predict_ms_per_image=1000 * predict_seconds / len(data.scored),
        parameters=_whole(getattr(estimator, "n_parameters_", None)),
        flops=_whole(getattr(estimator, "flops_", None)),
        layers=getattr(estimator, "layer_table_", None),
        epochs_run=None if history is None else len(history),
        n_train=len(data.train),
        n_validation=len(data.validation),
        n_test=len(data.test),
    )
    if not job.explain:
        return outcome, lambda: ""
    return outcome, partial(_explain, outcome, estimator, test_images, predictions, job.workdir)


def _fit(estimator: Any, data: _Data, job: Job, on_epoch: OnEpoch) -> float:
    """Train on the training part; gives the seconds that it took."""
    extra: dict[str, Any] = {}
    followed = _EveryEpoch(estimator, data) if job.every_epoch else None
    if job.framework == "keras":
        epochs = job.parameters["epochs"]

        def tell(epoch: int, values: dict[str, float]) -> None:
            if followed is not None:
                followed.add(epoch)
            on_epoch(Epoch(epoch=epoch, epochs=epochs, **values))

        extra["on_epoch"] = tell
        watched, part = (
            ("validation_data", data.validation)
            if len(data.validation)
            else ("monitor_data", data.test)
        )
        extra[watched] = (data.images[part], data.labels[part])
    if isinstance(estimator, OnFeatures):
        extra["features"] = cached_features(estimator, job.images)[data.train]
    images, labels = data.images[data.train], data.labels[data.train]
    start = time.perf_counter()
    estimator.fit(images, labels, **extra)
    seconds = time.perf_counter() - start
    if followed is not None:
        followed.table.to_parquet(job.workdir / EVERY_EPOCH, index=False)
    return seconds


class _EveryEpoch:
    """What a network under training makes of the test part after each epoch; training goes on as without.

    `table` has the columns ``image``, ``y_true``, and the predicted class after epoch ``1``, ``2``, ...
    """

    def __init__(self, estimator: Any, data: _Data) -> None:
        self._estimator, self._images = estimator, data.images[data.test]
        columns = {"image": data.paths[data.test], "y_true": data.labels[data.test]}
        self.table = pd.DataFrame(columns)

    def add(self, epoch: int) -> None:
        self.table[str(epoch)] = self._estimator.predict(self._images)


def _table(data: _Data, probabilities: NDArray[np.float64]) -> pd.DataFrame:
    """Predictions of the images that are scored, as they are stored."""
    table = pd.DataFrame({"image": data.paths[data.scored], "y_true": data.labels[data.scored]})
    table["y_pred"] = np.array(data.classes)[probabilities.argmax(axis=1)]
    table[probability_columns(data.classes)] = probabilities
    return table


def _explain(
    outcome: Outcome,
    estimator: Any,
    images: NDArray[np.uint8],
    predictions: pd.DataFrame,
    workdir: Path,
) -> str:
    if outcome.status == "degenerate":
        return "A model that did not learn is not explained."
    from leukbench.explain.explain_trial import explain_trial

    return explain_trial(estimator, images, predictions, workdir)


def _save(job: Job, estimator: Any, data: _Data) -> None:
    """Keep the fitted model, with a temperature where there is a validation part to fit it on."""
    from leukbench.models import saved
    from leukbench.score.calibration import fit_temperature

    temperature = None
    if len(data.validation):
        probabilities = estimator.predict_proba(data.images[data.validation])
        held_out = _aligned(probabilities, estimator.classes_, data.classes)
        labels = data.labels[data.validation]
        truth = np.array([data.classes.index(str(label)) for label in labels], dtype=np.int64)
        temperature = fit_temperature(held_out, truth)
    saved.save_model(
        estimator,
        job.workdir,
        name=job.model,
        framework=job.framework,
        parameters=job.parameters,
        temperature=temperature,
        calibration_images=len(data.validation),
    )


def _aligned(
    probabilities: NDArray[np.float64], own: NDArray[Any], classes: tuple[str, ...]
) -> NDArray[np.float64]:
    """Columns in the order of `classes`; one that the model's `own` lack has probability 0."""
    columns = {str(name): number for number, name in enumerate(own)}
    out = np.zeros((len(probabilities), len(classes)))
    for number, name in enumerate(classes):
        if name in columns:
            out[:, number] = probabilities[:, columns[name]]
    if not np.isfinite(out).all():
        raise ValueError("the model gave probabilities that are no numbers")
    sums = out.sum(axis=1, keepdims=True)
    if np.abs(sums - 1).max() > ROUNDING:
        raise ValueError("the model gave probabilities that do not sum to 1")
    return np.asarray(out / sums)


def why_degenerate(predictions: pd.DataFrame, history: pd.DataFrame | None) -> str:
    """Why the model did not learn, in one sentence; empty where it did."""
    if history is not None and not np.isfinite(history["loss"].to_numpy()).all():
        return "the training loss became no number"
    tested = predictions["y_true"].nunique()
    if tested == 1:
        return ""  # a test part of one class is the split's fault
    if predictions["y_pred"].nunique() == 1:
        return f"predicts {predictions['y_pred'].iloc[0]} for every image"
    from leukbench.score.metrics import trial_scores

    scores = trial_scores(predictions, ("balanced_accuracy", "mcc"))
    balanced, mcc = scores["balanced_accuracy"], scores["mcc"]
    if round(balanced - 1 / tested, 9) <= 0 and round(mcc, 9) <= 0:
        return (
            f"is no better than the majority class: balanced accuracy {balanced:.3f} of "
            f"{tested} classes, MCC {mcc:.3f}"
        )
    return ""


def _whole(value: Any) -> int | None:
    return None if value is None else int(value)
