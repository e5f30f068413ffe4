"""A whole run: dataset, audit, split, trials, tables; each step found again if it was done before."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from leukbench._version import __version__
from leukbench.data.cache import atomic_path, cache_dir, write_text
from leukbench.data.catalog import get_entry
from leukbench.data.dataset import Dataset
from leukbench.data.folder import load_folder
from leukbench.data.preprocess import preprocess_dataset, preprocessed_file
from leukbench.data.task import relabel
from leukbench.errors import UsageError
from leukbench.models import registry, saved
from leukbench.protocol import Protocol, canonical_sha256
from leukbench.run.environment import available_cores, describe_environment
from leukbench.run.plan import PROBE_FAMILY, PROBE_VERSION, TrialPlan, plan_models, plan_probes
from leukbench.run.schedule import Inputs, Limits, Reporter, run_trials
from leukbench.run.store import RunStore, write_json
from leukbench.runfolder import SCHEMA_VERSION, RunFolder
from leukbench.validity.audit import (
    AuditReport,
    audit,
    proxy_groups,
    refuse_leakage,
    with_split,
)
from leukbench.validity.probes import PROBES, probe_features
from leukbench.validity.splits import fold_sha256, make_split, part_indices


@dataclass(frozen=True)
class RunOptions:
    """What the user asked for.

    Attributes
    ----------
    protocol : Protocol
        What is compared, and how.
    data : Path or None
        Folder of images; None renders synthetic smears.
    out : Path or None
        Run folder; None takes ``results/<dataset>-<protocol>``.
    models, seeds, folds : sequence or None
        Restrict or extend what the protocol names; None keeps it.
    jobs : int
        Trials side by side.
    timeout : float or None
        Seconds that a trial may take.
    memory_mb : float or None
        MiB that a trial may take.
    skip_unreadable, fresh : bool
        Leave out images that cannot be read; run again what is finished.
    save_models : bool
        Keep the fitted models.
    command : str
        What was typed, for the record.
    """

    protocol: Protocol
    data: Path | None = None
    out: Path | None = None
    models: Sequence[str] | None = None
    seeds: Sequence[int] | None = None
    folds: Sequence[int] | None = None
    jobs: int = 1
    timeout: float | None = None
    memory_mb: float | None = None
    skip_unreadable: bool = False
    fresh: bool = False
    save_models: bool = False
    command: str = ""


@dataclass(frozen=True)
class Preparation:
    """A run before its first trial.

    Attributes
    ----------
    dataset : Dataset
        The images, with the labels of the task.
    source : Dataset
        The images as they were found.
    split : pandas.DataFrame
        The content of ``split.csv``.
    audit : AuditReport
        What the audit found, under this split.
    plans : list of TrialPlan
        All trials, finished ones too.
    out : Path
        The run folder.
    """

    dataset: Dataset
    source: Dataset
    split: pd.DataFrame
    audit: AuditReport
    plans: list[TrialPlan]
    out: Path


def load_data(options: RunOptions) -> Dataset:
    """The images of a run: the user's folder, or the embedded synthetic smears."""
    if options.data is not None:
        return load_folder(options.data, skip_unreadable=options.skip_unreadable)
    from leukbench.data.synthetic import SyntheticConfig, write_dataset

    config = SyntheticConfig()
    key = canonical_sha256(dataclasses.asdict(config) | {"leukbench": __version__})
    folder = cache_dir() / "synthetic" / key[:24]
    write_dataset(folder, config)
    return load_folder(folder)


def prepare(options: RunOptions) -> Preparation:
    """Read the data, divide it, and plan every trial; nothing is trained.

    Raises
    ------
    LeukbenchError
        Where the data, the protocol or a name does not fit.
    """
    protocol = options.protocol
    models = tuple(options.models or protocol.models or registry.names())
    for name in models:
        registry.get(name)
    source = load_data(options)
    dataset = relabel(source, protocol.task)
    found = cached_audit(source)
    split = make_split(dataset, protocol.split, proxy_groups(found, source))
    report = with_split(found, split)
    refuse_leakage(report, protocol.audit.allow_duplicates_across_split)
    folds = _chosen_folds(split, options.folds)
    seeds = tuple(options.seeds or protocol.seeds)
    plans = plan_models(protocol, source, split, models, seeds, folds)
    if protocol.audit.probes:
        plans += plan_probes(protocol, source, split, PROBES, folds)
    out = options.out or Path("results") / f"{source.name}-{protocol.name}"
    return Preparation(
        dataset=dataset, source=source, split=split, audit=report, plans=plans, out=out
    )


def cached_audit(dataset: Dataset) -> AuditReport:
    """The audit of a dataset, found again in the cache if these images were audited before."""
    path = cache_dir() / dataset.fingerprint[:24] / f"audit-{__version__}.json"
    try:
        return AuditReport.model_validate_json(path.read_bytes())
    except (OSError, ValueError):
        report = audit(dataset)
    write_text(path, report.model_dump_json())
    return report


def execute(options: RunOptions, prepared: Preparation, reporter: Reporter) -> RunFolder:
    """Carry out what is not finished yet, and give the run folder.

    Raises
    ------
    LeukbenchError
        Where the run folder cannot be written or holds another run.
    """
    if options.save_models:
        saved.require({plan.framework for plan in prepared.plans})
    store = RunStore(prepared.out)
    try:
        store.begin(describe_run(options, prepared), prepared.split, fresh=options.fresh)
        write_json(prepared.out / "audit.json", prepared.audit.model_dump(mode="json"))
        waiting = [plan for plan in prepared.plans if not _finished(plan, options, store)]
        reporter.waiting(len(waiting), len(prepared.plans))
        if waiting:
            inputs = _write_inputs(options, prepared, store)
            limits, keep = limits_of(options), options.save_models
            run_trials(waiting, store, inputs, limits, reporter, save_models=keep)
        if waiting or not (prepared.out / "comparison.csv").is_file():
            from leukbench.report import write_report

            write_report(prepared.out)
    finally:
        store.close()
    return RunFolder(prepared.out)


def _finished(plan: TrialPlan, options: RunOptions, store: RunStore) -> bool:
    """Whether a trial is there and, where models are to be kept, its model is too."""
    record = None if options.fresh else store.finished(plan.key)
    if record is None:
        return False
    kept = any(name.startswith(f"{saved.FOLDER}/") for name in record.files)
    return kept or not options.save_models or plan.family == PROBE_FAMILY


def describe_run(options: RunOptions, prepared: Preparation) -> dict[str, Any]:
    """Content of ``run.json``."""
    source, protocol = prepared.source, options.protocol
    entry = get_entry(source.catalog) if source.catalog else None
    kind = "patient" if source.has_groups else "proxy"
    return {
        "schema_version": SCHEMA_VERSION,
        "leukbench_version": __version__,
        "command": options.command,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "dataset_fingerprint": source.fingerprint,
        "protocol_fingerprint": protocol.fingerprint,
        "split_sha256": canonical_sha256(
            {
                str(fold): fold_sha256(prepared.split, fold)
                for fold in prepared.split["fold"].unique()
            }
        ),
        "task_classes": list(prepared.dataset.classes),
        "models": [*registry.names(), *PROBES],
        "dataset": {
            "name": source.name,
            "title": entry.title if entry else source.name,
            "catalog": source.catalog,
            "fingerprint": source.fingerprint,
            "images": len(source),
            "classes": list(source.classes),
            "counts": source.counts,
            "benign": entry.benign if entry else "",
            "synthetic": source.synthetic,
            "licence": entry.licence if entry else "",
            "citation": entry.citation if entry else "",
            "group_kind": kind,
            "skipped": [dataclasses.asdict(image) for image in source.skipped],
        },
        "protocol": protocol.model_dump(mode="json"),
        "environment": describe_environment(),
    }


def limits_of(options: RunOptions) -> Limits:
    """Cores, time and memory of each trial."""
    cores = available_cores()
    if options.jobs < 1:
        raise UsageError(f"--jobs {options.jobs} does not fit: take a whole number from 1.")
    return Limits(
        jobs=options.jobs,
        threads=max(1, cores // options.jobs),
        timeout=options.timeout,
        memory_mb=options.memory_mb,
    )


def _chosen_folds(split: pd.DataFrame, wanted: Sequence[int] | None) -> tuple[int, ...]:
    known = tuple(int(fold) for fold in sorted(split["fold"].unique()))
    if wanted is None:
        return known
    missing = [fold for fold in wanted if fold not in known]
    if missing:
        raise UsageError(
            f"--folds {missing[0]} is not in the split: take some of "
            f"{', '.join(str(fold) for fold in known)}."
        )
    return tuple(wanted)


def _write_inputs(options: RunOptions, prepared: Preparation, store: RunStore) -> Inputs:
    preprocess_dataset(prepared.source, options.protocol.preprocessing)
    folder = store.work("inputs")
    dataset = prepared.dataset
    folds = {}
    for fold in sorted({plan.fold for plan in prepared.plans}):
        parts = {
            part: part_indices(prepared.split, dataset, fold, part)
            for part in ("train", "validation", "test")
        }
        path = folder / f"fold-{fold}.npz"
        np.savez(
            path,
            labels=dataset.labels,
            classes=np.array(dataset.classes),
            paths=np.array(dataset.paths),
            **parts,
        )
        folds[fold] = path
    images = {"": preprocessed_file(prepared.source, options.protocol.preprocessing)}
    probes = sorted({plan.model for plan in prepared.plans if plan.family == PROBE_FAMILY})
    images |= _write_probe_features(prepared.source, probes)
    return Inputs(images=images, folds=folds)


def _write_probe_features(source: Dataset, probes: Sequence[str]) -> dict[str, Path]:
    folder = cache_dir() / source.fingerprint[:24]
    files = {name: folder / f"{name}-{PROBE_VERSION}.npy" for name in probes}
    missing = [name for name, path in files.items() if not path.is_file()]
    if missing:
        for name, features in probe_features(source, missing).items():
            with atomic_path(files[name]) as temporary:
                np.save(temporary, features)
    return files
