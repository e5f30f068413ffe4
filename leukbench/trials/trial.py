"""One trial: fit, predict, measure, and leave the predictions in a folder."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from leukbench.score.arrays import probability_columns

ROUNDING = 1e-3
"""Most that a row of probabilities may miss 1 by before it is divided by its sum: single precision."""

OnEpoch = Callable[[dict[str, Any]], None]
Explain = Callable[[], str]
"""Leaves an explanation in the job's work folder; gives the reason where there is none."""


def run_trial(job: dict[str, Any], *, on_epoch: OnEpoch) -> tuple[dict[str, Any], Explain]:
    """Carry out one job.

    Parameters
    ----------
    job : dict
        What `leukbench.trials.plan.job_of` makes.
    on_epoch : callable
        Called with the epoch's number and values while a network trains.

    Returns
    -------
    outcome : dict
        Status, times in seconds, counts and what the estimator tells of itself. The predictions are
        in the job's work folder, and so is the learning curve where there is one.
    explain : callable
        To be called when all is measured: leaves what the model goes by in the work folder, where
        the job asks for it, and gives one sentence where it cannot.
    """
    _limit_threads(job["threads"])
    fold = np.load(job["fold_file"], allow_pickle=False)
    images = np.load(job["images"], mmap_mode="r")
    labels: NDArray[np.str_] = fold["labels"]
    classes = tuple(str(name) for name in fold["classes"])
    train, validation, test = fold["train"], fold["validation"], fold["test"]

    estimator = _make(job)
    keras = job["framework"] == "keras"
    extra: dict[str, Any] = {}
    if keras:
        epochs = job["parameters"]["epochs"]
        extra["on_epoch"] = lambda epoch, values: on_epoch(
            {"epoch": epoch, "epochs": epochs} | values
        )
        if len(validation):
            extra["validation_data"] = (images[validation], labels[validation])
        else:
            extra["monitor_data"] = (images[test], labels[test])
    train_images, train_labels = images[train], labels[train]
    start = time.perf_counter()
    estimator.fit(train_images, train_labels, **extra)
    fit_seconds = time.perf_counter() - start
    del train_images

    test_images = images[test]
    start = time.perf_counter()
    probabilities = _aligned(estimator.predict_proba(test_images), estimator.classes_, classes)
    predict_seconds = time.perf_counter() - start

    predictions = pd.DataFrame({"image": fold["paths"][test], "y_true": labels[test]})
    predictions["y_pred"] = np.array(classes)[probabilities.argmax(axis=1)]
    predictions[probability_columns(classes)] = probabilities
    workdir = Path(job["workdir"])
    predictions.to_parquet(workdir / "predictions.parquet", index=False)
    if job.get("save_model"):
        held_out = _aligned_on(estimator, images, validation, classes)
        _save(job, estimator, held_out, labels[validation], classes)
    history = getattr(estimator, "history_", None)
    if history is not None:
        history.to_csv(workdir / "history.csv", index=False)
    reason = _degenerate(predictions, history) if job["family"] not in ("control", "probe") else ""
    status = "degenerate" if reason else "ok"
    outcome = {
        **_facts(job),
        "status": status,
        "reason": reason,
        "fit_seconds": fit_seconds,
        "predict_seconds": predict_seconds,
        "predict_ms_per_image": 1000 * predict_seconds / len(test),
        "parameters": _whole(getattr(estimator, "n_parameters_", None)),
        "flops": _whole(getattr(estimator, "flops_", None)),
        "layers": getattr(estimator, "layer_table_", None),
        "epochs_run": None if history is None else len(history),
        "n_train": len(train),
        "n_validation": len(validation),
        "n_test": len(test),
    }
    if not job.get("explain"):
        return outcome, lambda: ""
    return outcome, partial(_explain, status, estimator, test_images, predictions, workdir)


def _explain(
    status: str,
    estimator: Any,
    images: NDArray[np.uint8],
    predictions: pd.DataFrame,
    workdir: Path,
) -> str:
    if status == "degenerate":
        return "A model that did not learn is not explained."
    from leukbench.explain.importance import explain_trial

    return explain_trial(estimator, images, predictions, workdir)


def _aligned_on(
    estimator: Any, images: NDArray[np.uint8], part: NDArray[np.intp], classes: tuple[str, ...]
) -> NDArray[np.float64]:
    """Probabilities of one part, which may be empty."""
    if not len(part):
        return np.empty((0, len(classes)))
    return _aligned(estimator.predict_proba(images[part]), estimator.classes_, classes)


def _save(
    job: dict[str, Any],
    estimator: Any,
    held_out: NDArray[np.float64],
    labels: NDArray[np.str_],
    classes: tuple[str, ...],
) -> None:
    """Keep the fitted model, with a temperature where a validation part can tell it."""
    from leukbench.models import saved
    from leukbench.score.calibration import fit_temperature

    temperature = None
    if len(labels):
        truth = np.array([classes.index(str(label)) for label in labels], dtype=np.int64)
        temperature = fit_temperature(held_out, truth)
    saved.save_model(
        estimator,
        Path(job["workdir"]) / saved.FOLDER,
        name=job["model"],
        framework=job["framework"],
        parameters=job["parameters"],
        temperature=temperature,
        calibration_images=len(labels),
    )


def _make(job: dict[str, Any]) -> Any:
    if job["family"] == "probe":
        from leukbench.data.shortcuts import make_probe

        return make_probe(job["model"], job["seed"])
    from leukbench.models import registry

    return registry.create(job["model"], **job["parameters"])


def _facts(job: dict[str, Any]) -> dict[str, Any]:
    """How the model is trained, as the code says that trained it.

    Raises
    ------
    RuntimeError
        Where that is another version of the model than the one that was planned.
    """
    if job["family"] == "probe":
        return {}
    from leukbench.models import registry

    spec = registry.get(job["model"])
    if spec.adapter_version != job.get("adapter_version"):
        raise RuntimeError("leukbench was changed while it ran: start the run again")
    return {"recipe": spec.recipe, "departures": list(spec.departures)}


def _limit_threads(threads: int) -> None:
    """Hold the libraries that are not told by environment variables to `threads`."""
    import cv2

    cv2.setNumThreads(threads)


def _aligned(
    probabilities: NDArray[np.float64], found: NDArray[Any], classes: tuple[str, ...]
) -> NDArray[np.float64]:
    """Columns in the order of `classes`; a class that training did not see has probability 0."""
    columns = {str(name): number for number, name in enumerate(found)}
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


def _degenerate(predictions: pd.DataFrame, history: pd.DataFrame | None) -> str:
    """Why the model did not learn, in one sentence; empty where it did."""
    if history is not None and not np.isfinite(history["loss"].to_numpy()).all():
        return "the training loss became no number"
    if predictions["y_pred"].nunique() == 1:
        return f"predicts {predictions['y_pred'].iloc[0]} for every image"
    majority = predictions["y_true"].value_counts(normalize=True).max()
    accuracy = (predictions["y_true"] == predictions["y_pred"]).mean()
    if accuracy <= majority:
        return f"accuracy {accuracy:.3f} is no better than the majority class ({majority:.3f})"
    return ""


def _whole(value: Any) -> int | None:
    return None if value is None else int(value)
