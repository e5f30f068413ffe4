"""Carry out replays: plan the trainings that the mistakes share, run those that are missing, tabulate."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from leukbench.audit.audit import proxy_groups
from leukbench.data.preprocess import preprocess_dataset
from leukbench.data.splits import part_indices
from leukbench.errors import UsageError
from leukbench.files import atomic_path
from leukbench.machine import available_cores
from leukbench.models import registry
from leukbench.models.registry import ModelSpec
from leukbench.protocol import canonical_sha256
from leukbench.records import LEAKY, REPLAY, PublishedValues
from leukbench.replay.folder import Compared, ReplayDescription, ReplayFolder, ReplayStore
from leukbench.replay.mistakes import Mistake, chosen_mistakes
from leukbench.replay.tables import write_replay
from leukbench.replay.trainings import (
    HONEST,
    TRAININGS,
    Material,
    Training,
    fold_arrays,
    looks_segmented,
)
from leukbench.report.results import PAPER_DATASET
from leukbench.trials.execute import describe_run
from leukbench.trials.heartbeat import Heartbeat
from leukbench.trials.local import Inputs, Reporter, run_trials
from leukbench.trials.options import RunOptions, split_names
from leukbench.trials.plan import TrialPlan
from leukbench.trials.prepare import Preparation, embedded_smears, prepare

SIDE_BY_SIDE = 2
PLANTED = 80
"""Exact copies among the embedded smears, so that duplicates across the split can be shown."""
TRAININGS_VERSION = 1
"""Raised when a training of the same name becomes another: those that are stored are not found then."""


@dataclass(frozen=True)
class Asked:
    """Replays before the first training; `prepared` has a plan for each training and seed."""

    prepared: Preparation
    spec: ModelSpec
    material: Material
    compared: Mapping[str, Compared]


def _plan(base: TrialPlan, training: Training, material: Material) -> TrialPlan:
    parts = vars(training.parts(material, base.seed)).values()
    digest = hashlib.sha256(b"/".join(part.astype("<i8").tobytes() for part in parts))
    identity = dict(base.identity) | {
        REPLAY: f"{LEAKY} {training.name}" if training.leaky else training.name,
        "replay_parts": digest.hexdigest(),
        "replay_version": TRAININGS_VERSION,
    }
    key, title = canonical_sha256(identity), base.spec.title
    return replace(
        base,
        spec=replace(
            base.spec, title=f"{LEAKY} {title}" if training.leaky else title, published=None
        ),
        identity=identity,
        key=f"{LEAKY}-{key}" if training.leaky else key,
        explained=False,
        every_epoch=training.name == HONEST and base.spec.framework == "keras",
    )


def ask(
    data: str | Path | None,
    model: str,
    *,
    out: str | Path | None,
    protocol: Any,
    seeds: Any,
    mistakes: Any,
    epochs: int | None,
    jobs: int | None,
    command: str,
    skip_unreadable: bool = False,
) -> Asked:
    """Prepare replays as `leukbench.replay.replay` takes them; nothing is trained."""
    chosen = chosen_mistakes(split_names("mistakes", mistakes))
    spec = registry.get(model)
    if not spec.competes or spec.reads != "images":
        raise UsageError(f"`model={model}` is a shortcut probe: name a model that reads images.")
    if data is None:
        from leukbench.data.synthetic import CopyPlan

        data = embedded_smears(copies=CopyPlan(exact=PLANTED))
    options = RunOptions(
        data=Path(data), protocol=protocol, models=(model,), seeds=seeds, epochs=epochs,
        out=None if out is None else Path(out), jobs=jobs or min(SIDE_BY_SIDE, available_cores()),
        threads=1, command=command, skip_unreadable=skip_unreadable,
    )  # fmt: skip
    prepared = prepare(options)
    material = _material(prepared)
    compared = {mistake.name: _compared(mistake, material, spec) for mistake in chosen}
    wanted = {name for one in compared.values() for name in (one.honest, one.replayed)}
    first = min(plan.fold for plan in prepared.plans)
    base = [plan for plan in prepared.plans if plan.model == model and plan.fold == first]
    plans = [
        _plan(plan, training, material)
        for name, training in TRAININGS.items()
        if name in wanted
        for plan in base
    ]
    place = options.out or Path("results") / f"{prepared.source.name}-replay"
    return Asked(replace(prepared, out=place, plans=plans), spec, material, compared)


def _compared(mistake: Mistake, material: Material, spec: ModelSpec) -> Compared:
    if reason := mistake.impossible(material, spec):
        return Compared(abstained=reason)
    honest = mistake.honest.training
    if honest == "segmented" and material.segmented is material.images:
        honest = HONEST
    return Compared(honest=honest, replayed=mistake.replayed.training)


def _material(prepared: Preparation) -> Material:
    source, settings = prepared.source, prepared.options.protocol.preprocessing
    dataset, split = prepared.dataset, prepared.split
    images = preprocess_dataset(source, settings)
    segmented = images if looks_segmented(images) else None
    if segmented is None and source.synthetic:
        segmented = preprocess_dataset(source, settings.model_copy(update={"segmentation": "hsv"}))
    fold = int(split["fold"].min())
    parts = {
        part: part_indices(split, dataset, fold, part) for part in ("train", "validation", "test")
    }
    return Material(
        images=images,
        segmented=segmented,
        labels=dataset.labels,
        paths=np.array(dataset.paths),
        clusters=proxy_groups(prepared.audit, source),
        **parts,
    )


@dataclass(frozen=True)
class _ReplayInputs(Inputs):
    """Files by the training's name, and its parts by the plan's key."""

    parts: Mapping[str, Path]

    def images_for(self, plan: TrialPlan) -> Path:
        return self.images[_training_of(plan)]

    def fold_for(self, plan: TrialPlan) -> Path:
        return self.parts[plan.key]


def _training_of(plan: TrialPlan) -> str:
    return str(plan.identity[REPLAY]).split()[-1]


def execute(asked: Asked, reporter: Reporter) -> ReplayFolder:
    """Run the trainings that are not finished, and write the table, the Markdown and the picture.

    `LeukbenchError` where the folder cannot be written, or holds a run or other replays.
    """
    prepared, limits = asked.prepared, asked.prepared.limits
    store = ReplayStore(prepared.out, prepared.options.command)
    try:
        store.begin_replay(_describe(asked), prepared.split)
        with Heartbeat(prepared.out, prepared.plans, reporter) as reporter:
            waiting = [plan for plan in prepared.plans if store.finished(plan.key) is None]
            reporter.waiting(len(waiting), len(prepared.plans))
            if waiting:
                run_trials(waiting, store, _write_inputs(asked, waiting, store), limits, reporter)
            folder = ReplayFolder(prepared.out)
            write_replay(folder)
    finally:
        store.close()
    return folder


def _describe(asked: Asked) -> ReplayDescription:
    run, published = describe_run(asked.prepared), None
    ours = str(run.dataset.catalog).removesuffix("-segmented") == PAPER_DATASET
    printed = asked.spec.published
    if printed and printed.same_data and ours and run.protocol.task == "all":
        published = PublishedValues(
            **{name: value for name, value in vars(printed).items() if value}
        )
    return ReplayDescription(
        **dict(run),
        model=asked.spec.name,
        title=asked.spec.title,
        published=published,
        mistakes=dict(asked.compared),
    )


def _write_inputs(asked: Asked, waiting: Sequence[TrialPlan], store: ReplayStore) -> Inputs:
    """Fill the work folder with what the trainings read."""
    folder, images, parts = store.work("inputs"), {}, {}
    for plan in waiting:
        name = _training_of(plan)
        if name not in images:
            images[name] = folder / f"{name}.npy"
            with atomic_path(images[name]) as temporary:
                np.save(temporary, TRAININGS[name].images(asked.material))
        parts[plan.key] = folder / f"{plan.key}.npz"
        np.savez(parts[plan.key], **fold_arrays(TRAININGS[name], asked.material, plan.seed))
    return _ReplayInputs(images=images, folds={}, parts=parts)
