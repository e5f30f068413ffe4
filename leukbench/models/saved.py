"""Fitted models on disk: Keras' own format for networks, skops for scikit-learn, never a pickle.

A folder holds the model's file and ``model.json``, which says what is needed to use it. The sums of
both stand in the trial's record, and a file that does not have its sum is not opened.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from leukbench.errors import DataError, UsageError
from leukbench.models import registry

FOLDER = "model"
DESCRIPTION = "model.json"
FILES = {"keras": "model.keras", "sklearn": "model.skops"}

TRUSTED_TYPES = frozenset(
    {
        "leukbench.models.training.calibrated.CalibratedClassifier",
        "leukbench.models.features.ColourHistogram",
        "leukbench.models.features.FourierSpectrum",
        "leukbench.models.features.GreyHistogram",
        "leukbench.models.features.MeanAndSpread",
        "leukbench.models.training.threads.RandomForest",
        "sklearn.calibration._CalibratedClassifier",
        "sklearn.calibration._TemperatureScaling",
        "sklearn.metrics._dist_metrics.EuclideanDistance64",
        "sklearn.model_selection._split.StratifiedKFold",
        "sklearn.neighbors._kd_tree.KDTree",
        "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
        "sklearn.tree._tree.Tree",
        "sklearn.utils._bunch.Bunch",
    }
)
"""The types that a skops file may hold beside those that skops trusts by itself."""


def save_model(
    estimator: Any,
    folder: Path,
    *,
    name: str,
    framework: str,
    parameters: Mapping[str, Any],
    temperature: float | None,
    calibration_images: int,
) -> None:
    """Write a fitted estimator to a folder of its own.

    Parameters
    ----------
    estimator : classifier
        Fitted.
    folder : Path
        Made if it is not there.
    name, framework, parameters
        What `leukbench.models.registry.create` made it from.
    temperature : float or None
        By which its log-probabilities are divided; None where nothing was held out to fit it on.
    calibration_images : int
        Images that the temperature was fitted on.

    Raises
    ------
    UsageError
        Where skops is not installed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / FILES[framework]
    if framework == "keras":
        estimator.save(target)
    else:
        _skops().dump(estimator, target)
    description = {
        "model": name,
        "framework": framework,
        "file": target.name,
        "parameters": dict(parameters),
        "classes": [str(label) for label in estimator.classes_],
        "temperature": temperature,
        "calibration_images": calibration_images,
    }
    text = json.dumps(description, indent=2, ensure_ascii=False) + "\n"
    (folder / DESCRIPTION).write_text(text, encoding="utf-8", newline="\n")


def load_model(folder: Path, sums: Mapping[str, str]) -> tuple[Any, dict[str, Any]]:
    """Read a fitted estimator whose files are what the record says.

    Parameters
    ----------
    folder : Path
        What `save_model` wrote.
    sums : mapping of str to str
        sha256 of each file in `folder`, by name.

    Returns
    -------
    estimator, description
        The estimator with ``predict_proba`` and ``classes_``; the content of ``model.json``.

    Raises
    ------
    DataError
        Where a file is missing, is not the one that was saved, or holds a type that is not allowed.
    UsageError
        Where skops is not installed, or the model is not registered.
    """
    description = json.loads(_checked(folder, DESCRIPTION, sums).decode("utf-8"))
    framework = description["framework"]
    file = FILES[framework]
    data = _checked(folder, file, sums)
    if framework == "keras":
        estimator = registry.create(description["model"], **description["parameters"])
        try:
            return estimator.load(folder / file, description["classes"]), description
        except (ValueError, TypeError, OSError) as error:
            raise _unreadable(folder / file, error) from error
    refuse_types(untrusted_types(data), folder / file)
    try:
        return _skops().loads(data, trusted=sorted(TRUSTED_TYPES)), description
    except Exception as error:  # skops raises whatever the damaged content leads to
        raise _unreadable(folder / file, error) from error


def require(frameworks: Collection[str]) -> None:
    """Raise UsageError before anything is trained that could not be saved."""
    if "sklearn" in frameworks:
        _skops()


def untrusted_types(data: bytes) -> list[str]:
    """Names of the types in a skops file that skops does not trust by itself; nothing is run."""
    return list(_skops().get_untrusted_types(data=data))


def refuse_types(found: Sequence[str], path: Path) -> None:
    """Raise DataError where a type is not in `TRUSTED_TYPES`."""
    for name in found:
        if name not in TRUSTED_TYPES:
            raise DataError(
                f"{path} holds the type {name}, which is not allowed in a saved model: use a file "
                "that run-all --save-models wrote with the models of leukbench."
            )


def _checked(folder: Path, name: str, sums: Mapping[str, str]) -> bytes:
    """The content of a file, once it has the sum of the record."""
    path = folder / name
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(
            f"{path} cannot be read ({error.strerror}): run again with --save-models."
        ) from error
    if hashlib.sha256(data).hexdigest() != sums.get(name):
        raise DataError(
            f"{path} is not the file that was saved, its sha256 is not the one in record.json: it is "
            "not opened; run again with --save-models --fresh."
        )
    return data


def _unreadable(path: Path, error: Exception) -> DataError:
    why = " ".join(str(error).split())[:200]
    return DataError(
        f"{path} cannot be loaded here ({why}): use the leukbench, Keras and scikit-learn versions "
        "that run.json names, or train again with --save-models."
    )


def _skops() -> Any:
    try:
        import skops.io
    except ImportError as error:
        raise UsageError(
            'Saved scikit-learn models need skops: install it with pip install "leukbench[models]".'
        ) from error
    return skops.io
