"""What is to be done: one plan a trial, with the key that its result is found by."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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
from leukbench.records import REPLAY, Job
from leukbench.score import UNRANKED_FAMILIES
from leukbench.trials.precision import resolve_precision


@dataclass(frozen=True)
class TrialPlan:
    """One model (or shortcut probe), fold and seed.

    Attributes
    ----------
    parameters : mapping
        Arguments of the model's factory.
    identity : mapping
        Everything that the trial's predictions are a function of.
    key : str
        sha256 of `identity` as canonical JSON.
    explained : bool
        Whether the importance of features is measured: once a model, in its first fold and seed.
    device : str
        Name of the GPU that a network is trained on; no part of the key.
    every_epoch : bool
        Whether a network leaves the classes that it predicts after each epoch.
    """

    spec: ModelSpec
    fold: int
    seed: int
    parameters: Mapping[str, Any]
    identity: Mapping[str, Any]
    key: str
    explained: bool = False
    device: str = ""
    every_epoch: bool = False

    @property
    def model(self) -> str:
        """Name of the model."""
        return self.spec.name

    @property
    def name(self) -> str:
        """The trial in words, for messages."""
        replayed = f", {self.identity[REPLAY]}" if REPLAY in self.identity else ""
        return f"{self.model}, fold {self.fold}, seed {self.seed}{replayed}"

    @property
    def kind(self) -> str:
        """Trials of one kind may share a child process: those of one model, or all probes."""
        return self.model if self.spec.competes else self.spec.family


def plan_trials(
    protocol: Protocol,
    dataset: Dataset,
    split: pd.DataFrame,
    specs: Sequence[ModelSpec],
    seeds: Sequence[int],
    folds: Sequence[int],
    weights: str = "none",
    gpu: str = "",
) -> list[TrialPlan]:
    """Plans of all models, model by model, then fold by fold, then seed by seed.

    `weights` is what networks at native size start from: ``none`` (random), ``imagenet``, or a file,
    which is part of a trial's key by its content. `gpu` names the one that networks are trained on.

    Raises
    ------
    UsageError
        Where `weights` is given and no model takes them.
    DataError
        Where the file of weights cannot be read.
    """
    if weights != "none" and not any(spec.native and not spec.starts_from for spec in specs):
        raise UsageError(
            f"`weights={weights}` is for networks at native size: name one, such as "
            "`models=vgg16_native`."
        )
    for name, values in protocol.options.items():
        registry.get(name).changed_options(values)
    start = _start(weights)
    whole = protocol.model_dump(mode="json")
    common = {"dataset": dataset.fingerprint, "task": whole["task"]}
    splits = {fold: {"split": fold_sha256(split, fold), "fold": fold} for fold in folds}
    plans = []
    for spec in specs:
        own = {"model": spec.name, "adapter_version": spec.adapter_version}
        if spec.reads == "images":
            own["preprocessing"] = whole["preprocessing"]
        trials = [
            (fold, seed) for fold in folds for seed in ((0,) if spec.deterministic else seeds)
        ]
        for fold, seed in trials:
            parameters = _parameters(protocol, spec, seed, gpu)
            given, written = _start_of(spec, start)
            identity = (
                common | splits[fold] | own | {"parameters": parameters | written, "seed": seed}
            )
            plans.append(
                TrialPlan(
                    spec=spec,
                    fold=fold,
                    seed=seed,
                    parameters=parameters | given,
                    identity=identity,
                    key=canonical_sha256(identity),
                    explained=spec.family not in UNRANKED_FAMILIES and (fold, seed) == trials[0],
                    device=gpu if spec.framework == "keras" else "",
                )
            )
    return plans


def _start_of(
    spec: ModelSpec, chosen: tuple[dict[str, str], dict[str, str]]
) -> tuple[dict[str, str], dict[str, Any]]:
    """What a model starts from, as `_start` gives it: its own weights, the chosen ones, or none."""
    if spec.starts_from:
        frozen = {"frozen": True} if spec.frozen else {}
        return {}, {"weights": spec.starts_from, **frozen}
    return chosen if spec.native else ({}, {})


def _start(weights: str) -> tuple[dict[str, str], dict[str, str]]:
    """What a network starts from: as an argument of its factory, and as it is part of the key."""
    if weights in ("none", "imagenet"):
        start = {} if weights == "none" else {"weights": weights}
        return start, start
    path = Path(weights).absolute()
    try:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise DataError(
            f"`weights={weights}` cannot be read ({error.strerror}): take none, imagenet, or a "
            ".keras, .h5 or .safetensors file."
        ) from error
    return {"weights": str(path)}, {"weights": f"{path.name} {digest}"}


def _parameters(protocol: Protocol, spec: ModelSpec, seed: int, gpu: str) -> dict[str, Any]:
    """Arguments of a model's factory, without the start of a network."""
    options = spec.changed_options(protocol.options.get(spec.name, {}))
    if spec.deterministic:
        return options
    training = protocol.training
    parameters: dict[str, Any] = {"random_state": seed} | options
    if spec.framework == "keras":
        parameters |= {
            "epochs": training.epochs,
            "batch_size": training.batch_size,
            "precision": resolve_precision(spec, training.precision, gpu),
        }
        if training.early_stopping:
            parameters["patience"] = training.early_stopping
    return parameters


def job_of(
    plan: TrialPlan,
    *,
    images: Path,
    fold_file: Path,
    workdir: Path,
    threads: int,
    save_model: bool = False,
) -> Job:
    """What the child process is told."""
    return Job(
        leukbench_version=__version__,
        key=plan.key,
        model=plan.model,
        family=plan.spec.family,
        framework=plan.spec.framework,
        adapter_version=plan.spec.adapter_version,
        seed=plan.seed,
        parameters=dict(plan.parameters),
        images=images,
        fold_file=fold_file,
        workdir=workdir,
        threads=threads,
        device=plan.device,
        save_model=save_model and plan.spec.competes,
        explain=plan.explained,
        every_epoch=plan.every_epoch,
    )
