"""Fitted models on disk: Keras' own format for networks, skops for scikit-learn, never a pickle.

A folder holds the model's file and ``model.json``, which says what is needed to use it. The sha256 of
both stand in the trial's record, and a file with another one is not opened.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from leukbench.errors import DataError, UsageError
from leukbench.models import registry

FOLDER = "model"
DESCRIPTION = f"{FOLDER}/model.json"
FILES = {"keras": "model.keras", "sklearn": "model.skops"}

TRUSTED_TYPES = frozenset(
    {
        "leukbench.models.estimators.ProbabilisticSVM",
        "leukbench.models.estimators.RandomForest",
        "leukbench.models.features.ColourHistogram",
        "leukbench.models.features.FourierSpectrum",
        "leukbench.models.features.GreyHistogram",
        "leukbench.models.features.MeanAndSpread",
        "leukbench.models.frozen_features.LogisticOnFeatures",
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

RENAMED_TYPES = {
    ("leukbench.models.calibrated", "CalibratedClassifier"): (
        "leukbench.models.estimators",
        "ProbabilisticSVM",
    ),
    ("leukbench.models.threads", "RandomForest"): ("leukbench.models.estimators", "RandomForest"),
}
"""Module and class in files of earlier versions, and what they are called now."""


def save_model(
    estimator: Any,
    trial: Path,
    *,
    name: str,
    framework: str,
    parameters: Mapping[str, Any],
    temperature: float | None,
    calibration_images: int,
) -> None:
    """Write a fitted estimator to `FOLDER` in a trial's folder.

    ``name`` and ``parameters`` are what `leukbench.models.registry.create` made it from. Its
    log-probabilities are to be divided by ``temperature``, which was fitted on so many
    ``calibration_images``; None where nothing was held out to fit it on.

    `UsageError` where skops is not installed.
    """
    target = trial / FOLDER / FILES[framework]
    target.parent.mkdir(parents=True, exist_ok=True)
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
    (trial / DESCRIPTION).write_text(text, encoding="utf-8", newline="\n")


def load_model(trial: Path, sums: Mapping[str, str]) -> tuple[Any, dict[str, Any]]:
    """Read what `save_model` wrote in a trial's folder: the estimator, and what `DESCRIPTION` holds.

    ``sums`` is the sha256 of each file of the trial by name, as its record has it.

    `DataError` where a file is missing, is not the one that was saved, or holds a type that is not
    allowed. `UsageError` where skops is not installed, or the model is not registered.
    """
    description = json.loads(_checked(trial, DESCRIPTION, sums).decode("utf-8"))
    file = f"{FOLDER}/{FILES[description['framework']]}"
    data, path = _checked(trial, file, sums), trial / file
    try:
        if path.suffix == ".keras":
            estimator = registry.create(description["model"], **description["parameters"])
            return estimator.load(path, description["classes"]), description
        return _load_skops(data, path), description
    except (DataError, UsageError):
        raise
    except Exception as error:  # skops and Keras raise whatever the damaged content leads to
        why = " ".join(str(error).split())[:200]
        raise DataError(
            f"{path} cannot be loaded here ({why}): use the leukbench, Keras and scikit-learn versions "
            "that run.json names, or train again with `save_models=True`."
        ) from error


def require(frameworks: Collection[str]) -> None:
    """Raise UsageError before anything is trained that could not be saved."""
    if "sklearn" in frameworks:
        _skops()


def _load_skops(data: bytes, path: Path) -> Any:
    """The estimator, once all types in the file are allowed; nothing is run before."""
    data = _with_present_names(data)
    for name in _skops().get_untrusted_types(data=data):
        if name not in TRUSTED_TYPES:
            raise DataError(
                f"{path} holds the type {name}, which is not allowed in a saved model: use a file "
                "that `save_models=True` wrote with the models of leukbench."
            )
    return _skops().loads(data, trusted=sorted(TRUSTED_TYPES))


def _with_present_names(data: bytes) -> bytes:
    """The same skops file (a ZIP archive), its types named as they are in this version."""

    def rename(node: dict[str, Any]) -> dict[str, Any]:
        named = (node.get("__module__"), node.get("__class__"))
        if named in RENAMED_TYPES:
            node["__module__"], node["__class__"] = RENAMED_TYPES[named]
        return node

    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as before, zipfile.ZipFile(stream, "w") as after:
        for name in before.namelist():
            content = before.read(name)
            if name == "schema.json":
                content = json.dumps(json.loads(content, object_hook=rename)).encode()
            after.writestr(name, content)
    return stream.getvalue()


def _checked(trial: Path, name: str, sums: Mapping[str, str]) -> bytes:
    """The content of a file, once it has the sha256 of the record."""
    path = trial / name
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(
            f"{path} cannot be read ({error.strerror}): run again with `save_models=True`."
        ) from error
    if hashlib.sha256(data).hexdigest() != sums.get(name):
        raise DataError(
            f"{path} is not the file that was saved, its sha256 is not the one in record.json: it is "
            "not opened; run again with `save_models=True` and `fresh=True`."
        )
    return data


def _skops() -> Any:
    try:
        import skops.io
    except ImportError as error:
        raise UsageError(
            'Saved scikit-learn models need skops: install it with pip install "leukbench[models]".'
        ) from error
    return skops.io
