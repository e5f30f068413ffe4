"""A run folder without a run: predictions of a known accuracy, the rest as run-all writes it.

For the rooms right of training (tables, figures, report, gate, verify), which see run folders only.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from leukbench.data.dataset import Dataset, ImageRecord
from leukbench.data.splits import make_split, split_sha256
from leukbench.protocol import Protocol, Split, canonical_sha256
from leukbench.records import (
    SCORED,
    DatasetDescription,
    Environment,
    Outcome,
    RunDescription,
    TrialRecord,
    file_sha256,
)
from leukbench.runfolder import RunFolder

CLASSES = ("Benign", "Early", "Pre", "Pro")
MACHINE = "0123456789ab"
LAYERS = (
    {"name": "scale", "type": "Rescaling", "output_shape": [50, 50, 1], "parameters": 0},
    {"name": "conv1", "type": "Conv2D", "output_shape": [48, 48, 32], "parameters": 320},
    {"name": "pool1", "type": "MaxPooling2D", "output_shape": [24, 24, 32], "parameters": 0},
    {"name": "flatten", "type": "Flatten", "output_shape": [18432], "parameters": 0},
    {"name": "predictions", "type": "Dense", "output_shape": [4], "parameters": 73732},
)


@dataclass(frozen=True)
class FakeModel:
    """What a fake run knows of a model.

    Attributes
    ----------
    name, title, family : str
    accuracy : float
        Share of test images that it gets right, exact up to rounding in every trial.
    status : str
        Of every trial; other than ok and degenerate leaves no predictions.
    published : mapping or None
        As in ``record.json``.
    failed_seeds : sequence of int
        Seeds whose trials have the status failed.
    facts : mapping
        Any other keys of ``record.json``.
    parameters : mapping
        Parameters of the model in the trial's identity.
    """

    name: str
    title: str
    family: str
    accuracy: float
    status: str = "ok"
    published: Mapping[str, Any] | None = None
    failed_seeds: Sequence[int] = ()
    parameters: Mapping[str, Any] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)


def _published(accuracy: str, same_data: bool, **values: str) -> dict[str, Any]:
    source = "Keerthivasan and Saranya 2023, Table 1"
    return {"accuracy": accuracy, "source": source, "same_data": same_data, **values}


MODELS = (
    FakeModel(
        "modified_cnn", "Modified CNN", "deep", 0.85,
        published=_published(
            "97.69", True, precision="0.98", recall="0.98", specificity="95.3", f1="0.98"
        ),
    ),
    FakeModel("vgg16", "VGG16", "deep", 0.90, published=_published("90.1", False)),
    FakeModel("random_forest", "Random forest", "classical", 0.80,
              published=_published("96.83", False)),
    FakeModel("svm_rbf", "SVM (RBF)", "classical", 0.70),
)  # fmt: skip
TEN_MODELS = (
    *MODELS,
    FakeModel("vgg19", "VGG19", "deep", 0.89),
    FakeModel("alexnet", "AlexNet", "deep", 0.87),
    FakeModel("googlenet", "GoogLeNet", "deep", 0.88),
    FakeModel("mobilenet_v2", "MobileNetV2", "deep", 0.83),
    FakeModel("naive_bayes", "Naive Bayes", "classical", 0.55),
    FakeModel("decision_tree", "Decision tree", "classical", 0.66),
)
CONTROL = FakeModel("majority_class", "Majority class", "control", 0.30)
PROBE = FakeModel("probe_colour", "Six colour numbers, 5-NN", "probe", 0.75)


def make_run(
    path: Path,
    models: Sequence[FakeModel] = MODELS,
    seeds: Sequence[int] = (0,),
    folds: int = 1,
    *,
    classes: Sequence[str] = CLASSES,
    images: int = 200,
    synthetic: bool = False,
    name: str = "fake",
    protocol: Protocol | None = None,
    groups: bool = False,
    audit: Mapping[str, Any] | None = None,
    noise: int = 0,
    spread: float = 0.0,
) -> RunFolder:
    """Write a run folder and read it.

    Parameters
    ----------
    path : Path
        Folder to make.
    models : sequence of FakeModel
        Who was tried.
    seeds : sequence of int
        One trial each, fold by fold.
    folds : int
        1 for a hold-out split, more for stratified cross-validation.
    classes : sequence of str
        Any names.
    images : int
        In the whole dataset, spread over the classes as evenly as possible.
    synthetic : bool
        What ``run.json`` says of the images.
    name : str
        Of the dataset.
    protocol : Protocol, optional
        Default: ``paper``'s values under the name paper (``stratified`` over several folds).
    groups : bool
        Give every image a patient, four images each.
    audit : mapping, optional
        Content of ``audit.json``; None writes none.
    noise : int
        Another number draws other predictions of the same accuracy.
    spread : float
        Standard deviation of the accuracy over trials; 0 gives every trial the model's own.

    Returns
    -------
    leukbench.runfolder.RunFolder
    """
    path.mkdir(parents=True, exist_ok=True)
    dataset = _dataset(path, name, classes, images, groups)
    policy = Split(policy="stratified", folds=folds) if folds > 1 else Split(policy="paper")
    if protocol is None:
        protocol = Protocol(
            name="paper", title="The paper's protocol", seeds=tuple(seeds), split=policy,
            audit={"allow_duplicates_across_split": True},
        )  # fmt: skip
    split = make_split(dataset, protocol.split)
    split.to_csv(path / "split.csv", index=False, lineterminator="\n")
    _write_json(
        path / "run.json",
        _run(dataset, protocol, split, models, synthetic, groups).model_dump(mode="json"),
    )
    if audit is not None:
        _write_json(path / "audit.json", audit)
    for model in models:
        for fold in sorted(split["fold"].unique()):
            for seed in seeds:
                _write_trial(path, model, int(fold), seed, split, dataset.classes, noise, spread)
    return RunFolder(path)


def write_trial_frame(folder: RunFolder, record: TrialRecord, frame: pd.DataFrame) -> None:
    """Replace one trial's predictions and put their new hash in its record."""
    place = folder.trial_path(record)
    frame.to_parquet(place / "predictions.parquet", index=False)
    files = record.files | {"predictions.parquet": file_sha256(place / "predictions.parquet")}
    _write_json(
        place / "record.json", record.model_copy(update={"files": files}).model_dump(mode="json")
    )


def _dataset(path: Path, name: str, classes: Sequence[str], images: int, groups: bool) -> Dataset:
    records = []
    for number in range(images):
        label = classes[number % len(classes)]
        file = f"{label}/{label}-{number:04d}.png"
        patient = f"patient-{label}-{number // (4 * len(classes))}" if groups else ""
        digest = hashlib.sha256(file.encode()).hexdigest()
        records.append(ImageRecord(file, label, digest, patient))
    return Dataset(name, path, tuple(sorted(records, key=lambda record: record.path)))


def _run(
    dataset: Dataset,
    protocol: Protocol,
    split: pd.DataFrame,
    models: Sequence[FakeModel],
    synthetic: bool,
    groups: bool,
) -> RunDescription:
    return RunDescription(
        leukbench_version="0.1.0",
        command=f"leukbench run-all --data {dataset.name}",
        created="2026-01-01T00:00:00+00:00",
        dataset_fingerprint=dataset.fingerprint,
        protocol_fingerprint=protocol.fingerprint,
        split_sha256=split_sha256(split),
        task_classes=dataset.classes,
        models=tuple(model.name for model in models),
        dataset=DatasetDescription(
            name=dataset.name,
            title=f"Dataset {dataset.name}",
            fingerprint=dataset.fingerprint,
            images=len(dataset),
            classes=dataset.classes,
            counts=dataset.counts,
            benign=dataset.classes[0],
            synthetic=synthetic,
            licence="CC0",
            citation="Nobody 2026",
            group_kind="patient" if groups else "none",
        ),
        protocol=protocol,
        environment=Environment(
            python="3.11.7",
            packages={"numpy": "2.4.6", "scikit-learn": "1.9.1"},
            cpu="A processor",
            cpu_features=("avx2",),
            cores=2,
            memory_gb=8.0,
            os="Linux 6",
            machine=MACHINE,
            git_commit="0" * 40,
        ),
    )


def _write_trial(
    path: Path,
    model: FakeModel,
    fold: int,
    seed: int,
    split: pd.DataFrame,
    classes: tuple[str, ...],
    noise: int,
    spread: float,
) -> None:
    here = split[split["fold"] == fold]
    test = here[here["part"] == "test"]
    status = "failed" if seed in model.failed_seeds else model.status
    identity = {
        "model": model.name,
        "fold": fold,
        "seed": seed,
        "accuracy": model.accuracy,
        "noise": noise,
        "spread": spread,
        "parameters": dict(model.parameters),
    }
    key = canonical_sha256(identity)
    place = path / "trials" / key
    place.mkdir(parents=True)
    deep = model.family == "deep"
    if status in SCORED:
        rng = np.random.default_rng([int(key[:8], 16), fold, seed, noise])
        accuracy = float(np.clip(model.accuracy + spread * rng.normal(), 0, 1))
        _draw(rng, test, classes, accuracy).to_parquet(place / "predictions.parquet", index=False)
        if deep:
            _history(rng, model.accuracy).to_csv(place / "history.csv", index=False)
    outcome = Outcome(status=status, threads=2, machine=MACHINE, n_test=len(test), **_parts(here))
    if status in SCORED:
        outcome = outcome.model_copy(update=_cost(model, seed, deep))
    if status != "ok":
        outcome = outcome.model_copy(
            update={
                "reason": "the loss became NaN in epoch 3",
                "traceback": "Traceback (most recent call last):\n  File 'model.py'\nValueError: NaN",
            }
        )
    if deep:
        recipe = {"recipe": "Adam, learning rate 0.001.", "departures": ("valid padding",)}
        outcome = outcome.model_copy(update=recipe)
    record = TrialRecord(
        **outcome.model_dump()
        | {
            "leukbench_version": "0.1.0",
            "key": key,
            "identity": identity,
            "model": model.name,
            "title": model.title,
            "family": model.family,
            "fold": fold,
            "seed": seed,
            "reference": f"The source of {model.title}",
            "published": model.published,
            "precision": "float32" if deep else "",
            "started": "2026-01-01T00:00:00+00:00",
            "files": {file.name: file_sha256(file) for file in sorted(place.iterdir())},
        }
        | dict(model.facts)
    )
    _write_json(place / "record.json", record.model_dump(mode="json"))


def _parts(split: pd.DataFrame) -> dict[str, int]:
    return {
        "n_train": int((split["part"] == "train").sum()),
        "n_validation": int((split["part"] == "validation").sum()),
    }


def _cost(model: FakeModel, seed: int, deep: bool) -> dict[str, Any]:
    return {
        "fit_seconds": 10.0 + 5 * len(model.name) + seed,
        "predict_seconds": 0.5,
        "predict_ms_per_image": 0.25 * len(model.name),
        "total_seconds": 12.0 + 5 * len(model.name) + seed,
        "peak_memory_mb": 100.0 * len(model.name),
        "parameters": 74_052 if deep else None,
        "flops": 2_000_000 if deep else None,
        "epochs_run": 6 if deep else None,
        "layers": list(LAYERS) if deep else None,
    }


def _draw(
    rng: np.random.Generator, test: pd.DataFrame, classes: tuple[str, ...], accuracy: float
) -> pd.DataFrame:
    """Predictions of which exactly ``round(accuracy * n)`` are right, hard images wrong first."""
    truth = np.array([classes.index(label) for label in test["label"]])
    n, k = len(truth), len(classes)
    easy = np.array([int(digest[:8], 16) / 0xFFFFFFFF for digest in test["sha256"]])
    order = np.argsort(easy + rng.normal(0, 0.3, n))
    predicted = truth.copy()
    wrong = order[: n - round(accuracy * n)]
    predicted[wrong] = (truth[wrong] + rng.integers(1, k, len(wrong))) % k
    probabilities: NDArray[np.float64] = rng.dirichlet(np.full(k, 0.4), n)
    top = probabilities.argmax(axis=1)
    rows = np.arange(n)
    held = probabilities[rows, predicted].copy()
    probabilities[rows, predicted] = probabilities[rows, top]
    probabilities[rows, top] = np.where(top == predicted, probabilities[rows, predicted], held)
    columns = {f"p_{name}": probabilities[:, i] for i, name in enumerate(classes)}
    return pd.DataFrame(
        {
            "image": test["image"].to_numpy(),
            "y_true": [classes[i] for i in truth],
            "y_pred": [classes[i] for i in predicted],
        }
        | columns
    )


def _history(rng: np.random.Generator, accuracy: float) -> pd.DataFrame:
    epochs = np.arange(1, 7)
    rise = 1 - np.exp(-epochs / 2)
    shake = rng.normal(0, 0.01, (4, len(epochs)))
    return pd.DataFrame(
        {
            "epoch": epochs,
            "loss": 1.4 * (1 - rise) + 0.1 + shake[0] ** 2,
            "accuracy": rise * min(1, accuracy + 0.05) + shake[1] / 2,
            "val_loss": 1.4 * (1 - rise) + 0.3 + shake[2] ** 2,
            "val_accuracy": rise * accuracy + shake[3] / 2,
            "monitored": "test",
        }
    )


def _write_json(path: Path, value: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
