"""What is to be done: one plan a trial, with the key that its result is found by."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from leukbench._version import __version__
from leukbench.data.dataset import Dataset
from leukbench.data.splits import fold_sha256
from leukbench.errors import DataError, UsageError
from leukbench.models import registry
from leukbench.models.registry import ModelSpec
from leukbench.protocol import Protocol, canonical_sha256
from leukbench.trials.choose_precision import resolve_precision

PROBE_VERSION = 1
PROBE_FAMILY = "probe"


@dataclass(frozen=True)
class TrialPlan:
    """One model (or shortcut probe), fold and seed.

    Attributes
    ----------
    key : str
        sha256 of `identity` as canonical JSON.
    identity : mapping
        Everything that the trial's predictions are a function of.
    model, title, family : str
        What is tried.
    fold, seed : int
        Where and with which seed.
    parameters : mapping
        Arguments of the model's factory.
    facts : mapping
        What the record says of the model: reference, recipe, published values, departures.
    explained : bool
        Whether what the model goes by is looked into: once a model, in its first fold and seed.
    """

    key: str
    identity: Mapping[str, Any]
    model: str
    title: str
    family: str
    framework: str
    fold: int
    seed: int
    parameters: Mapping[str, Any]
    facts: Mapping[str, Any]
    explained: bool = False

    @property
    def name(self) -> str:
        """The trial in words, for messages."""
        return f"{self.model}, fold {self.fold}, seed {self.seed}"

    @property
    def kind(self) -> str:
        """Trials of one kind may share a child process: those of one model, or all probes."""
        return self.family if self.family == PROBE_FAMILY else self.model


def plan_models(
    protocol: Protocol,
    dataset: Dataset,
    split: pd.DataFrame,
    models: Sequence[str],
    seeds: Sequence[int],
    folds: Sequence[int],
    weights: str = "none",
) -> list[TrialPlan]:
    """Plans of all models, model by model, then fold by fold, then seed by seed.

    Parameters
    ----------
    weights : str
        What networks at native size start from: ``none`` (random), ``imagenet``, or a file, which
        is part of a trial's key by its content.

    Raises
    ------
    UsageError
        Where a model is unknown, or ``weights`` is given and no model takes them.
    DataError
        Where the file of weights cannot be read.
    """
    specs = [registry.get(name) for name in models]
    if weights != "none" and not any(spec.native for spec in specs):
        raise UsageError(
            f"--weights {weights} is for networks at native size: name one, such as "
            "--models vgg16_native."
        )
    start = _start(weights)
    common = {fold: _common(protocol, dataset, split, fold) for fold in folds}
    first = (folds[0], seeds[0])
    return [
        _plan_model(
            protocol,
            spec,
            common[fold],
            fold,
            seed,
            start if spec.native else _RANDOM,
            first=(fold, seed) == first,
        )
        for spec in specs
        for fold in folds
        for seed in seeds
    ]


def plan_probes(
    protocol: Protocol,
    dataset: Dataset,
    split: pd.DataFrame,
    probes: Mapping[str, str],
    folds: Sequence[int],
) -> list[TrialPlan]:
    """Plans of the shortcut probes (name to title), one a fold: they are deterministic."""
    plans = []
    for name, title in probes.items():
        for fold in folds:
            identity = _common(protocol, dataset, split, fold) | {
                "model": name,
                "adapter_version": PROBE_VERSION,
                "parameters": {},
                "seed": 0,
            }
            del identity["preprocessing"]  # probes see the original images
            plans.append(
                TrialPlan(
                    key=canonical_sha256(identity),
                    identity=identity,
                    model=name,
                    title=title,
                    family=PROBE_FAMILY,
                    framework="sklearn",
                    fold=fold,
                    seed=0,
                    parameters={},
                    facts={},
                )
            )
    return plans


@dataclass(frozen=True)
class _Start:
    """What a network starts from: arguments of its factory, and what of them is in the key."""

    parameters: Mapping[str, str]
    identity: Mapping[str, str]


_RANDOM = _Start({}, {})


def _start(weights: str) -> _Start:
    if weights == "none":
        return _RANDOM
    if weights == "imagenet":
        return _Start({"weights": weights}, {"weights": weights})
    path = Path(weights).absolute()
    try:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise DataError(
            f"--weights {weights} cannot be read ({error.strerror}): take none, imagenet, or a "
            ".keras, .h5 or .safetensors file."
        ) from error
    return _Start({"weights": str(path)}, {"weights": f"{path.name} {digest}"})


def _plan_model(
    protocol: Protocol,
    spec: ModelSpec,
    common: Mapping[str, Any],
    fold: int,
    seed: int,
    start: _Start,
    *,
    first: bool,
) -> TrialPlan:
    training = protocol.training
    parameters: dict[str, Any] = {"random_state": seed}
    if spec.framework == "keras":
        parameters |= {
            "epochs": training.epochs,
            "batch_size": training.batch_size,
            "precision": resolve_precision(spec, training.precision),
        }
        if training.early_stopping:
            parameters["patience"] = training.early_stopping
    identity = dict(common) | {
        "model": spec.name,
        "adapter_version": spec.adapter_version,
        "parameters": parameters | dict(start.identity),
        "seed": seed,
    }
    published = asdict(spec.published) if spec.published else None
    if published:
        published = {key: "" if value is None else value for key, value in published.items()}
    return TrialPlan(
        key=canonical_sha256(identity),
        identity=identity,
        model=spec.name,
        title=spec.title,
        family=spec.family,
        framework=spec.framework,
        fold=fold,
        seed=seed,
        parameters=parameters | dict(start.parameters),
        facts={
            "reference": spec.reference,
            "recipe": spec.recipe,
            "published": published,
            "departures": list(spec.departures),
        },
        explained=first and spec.family != "control",
    )


def _common(protocol: Protocol, dataset: Dataset, split: pd.DataFrame, fold: int) -> dict[str, Any]:
    return {
        "dataset": dataset.fingerprint,
        "task": protocol.model_dump(mode="json")["task"],
        "preprocessing": protocol.preprocessing.model_dump(mode="json"),
        "split": fold_sha256(split, fold),
        "fold": fold,
    }


def job_of(
    plan: TrialPlan,
    *,
    images: Path,
    fold_file: Path,
    workdir: Path,
    threads: int,
    save_model: bool = False,
) -> dict[str, Any]:
    """What the child process is told, as JSON values."""
    return {
        "leukbench_version": __version__,
        "key": plan.key,
        "model": plan.model,
        "family": plan.family,
        "framework": plan.framework,
        "adapter_version": plan.identity["adapter_version"],
        "seed": plan.seed,
        "parameters": dict(plan.parameters),
        "images": str(images),
        "fold_file": str(fold_file),
        "workdir": str(workdir),
        "threads": threads,
        "save_model": save_model and plan.family != PROBE_FAMILY,
        "explain": plan.explained,
    }
