"""Carry out a run: the trials that are not finished, and then the tables, figures and the page."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from leukbench._version import __version__
from leukbench.data.catalog import get_entry
from leukbench.data.dataset import Dataset
from leukbench.data.preprocess import preprocess_dataset, preprocessed_file
from leukbench.data.splits import part_indices, split_sha256
from leukbench.files import atomic_path, cache_dir, write_text
from leukbench.machine import describe_environment
from leukbench.models import registry, saved
from leukbench.protocol import Preprocessing
from leukbench.records import DatasetDescription, RunDescription, SkippedFile
from leukbench.runfolder import RunFolder
from leukbench.trials.heartbeat import Heartbeat
from leukbench.trials.limits import longest_first
from leukbench.trials.local import Inputs, Reporter, run_trials
from leukbench.trials.lock import WORK
from leukbench.trials.options import RunOptions
from leukbench.trials.plan import TrialPlan
from leukbench.trials.precision import stored_speedups
from leukbench.trials.prepare import Preparation
from leukbench.trials.store import RunStore, write_json
from leukbench.trials.subprocess_call import call_in_subprocess

REPORT_DUE = "report-due.txt"
"""File in the work folder that is there from the first new trial until the tables hold it."""
SHORTCUTS_VERSION = 1
"""Raised when a change of `leukbench.data.shortcuts` changes what is in its arrays."""


def execute(
    prepared: Preparation,
    reporter: Reporter,
    *,
    elsewhere: Mapping[str, Path] = MappingProxyType({}),
    report: bool = True,
) -> RunFolder:
    """Carry out what is not finished yet, and give the run folder.

    `elsewhere` are folders of trials in other run folders by their key, which are copied and not run
    again; without `report` no tables, figures and page are made.

    Raises
    ------
    LeukbenchError
        Where the run folder cannot be written or holds another run.
    """
    options = prepared.options
    if options.save_models:
        saved.require({plan.spec.framework for plan in prepared.plans})
    store = RunStore(prepared.out, options.command)
    try:
        store.begin(describe_run(prepared), prepared.split, fresh=options.fresh)
        with Heartbeat(prepared.out, prepared.plans, reporter) as reporter:
            _carry_out(prepared, store, reporter, elsewhere, report=report)
    finally:
        store.close()
    return RunFolder(prepared.out)


def _carry_out(
    prepared: Preparation,
    store: RunStore,
    reporter: Reporter,
    elsewhere: Mapping[str, Path],
    *,
    report: bool,
) -> None:
    options = prepared.options
    write_json(prepared.out / "audit.json", prepared.audit.model_dump(mode="json"))
    waiting = [plan for plan in prepared.plans if not _finished(plan, options, store)]
    for plan in waiting:
        if plan.key in elsewhere and not options.fresh:
            store.adopt(elsewhere[plan.key])
    waiting = [plan for plan in waiting if not _finished(plan, options, store)]
    reporter.waiting(len(waiting), len(prepared.plans))
    due = prepared.out / WORK / REPORT_DUE
    if waiting:
        if report:
            write_text(due, "The tables are older than the trials.\n")
        _run_waiting(prepared, waiting, store, reporter)
    if report and (due.is_file() or not (prepared.out / "report.html").is_file()):
        from leukbench.report import write_report

        call_in_subprocess(write_report, prepared.out, images=len(prepared.source))
        due.unlink(missing_ok=True)


def _run_waiting(
    prepared: Preparation, waiting: Sequence[TrialPlan], store: RunStore, reporter: Reporter
) -> None:
    options, limits = prepared.options, prepared.limits
    inputs = _write_inputs(prepared, store)
    if limits.jobs > 1 or options.scheduler is not None:
        waiting = longest_first(waiting, prepared.out)
    if options.backend == "local":
        run_trials(waiting, store, inputs, limits, reporter, save_models=options.save_models)
        return
    from leukbench.trials.dask import run_trials_on_dask

    run_trials_on_dask(
        waiting,
        store,
        inputs,
        limits,
        reporter,
        save_models=options.save_models,
        scheduler=options.scheduler,
    )


def _finished(plan: TrialPlan, options: RunOptions, store: RunStore) -> bool:
    """Whether a trial is there and, where models are to be kept, its model is too."""
    record = None if options.fresh else store.finished(plan.key)
    if record is None:
        return False
    kept = any(name.startswith(f"{saved.FOLDER}/") for name in record.files)
    return kept or not options.save_models or not plan.spec.competes


def describe_run(prepared: Preparation) -> RunDescription:
    """Content of ``run.json``."""
    source, protocol = prepared.source, prepared.options.protocol
    entry = get_entry(source.catalog) if source.catalog else None
    return RunDescription(
        leukbench_version=__version__,
        command=prepared.options.command,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        dataset_fingerprint=source.fingerprint,
        protocol_fingerprint=protocol.fingerprint,
        split_sha256=split_sha256(prepared.split),
        task_classes=prepared.dataset.classes,
        models=(*registry.names(), *(spec.name for spec in registry.probes())),
        dataset=DatasetDescription(
            name=source.name,
            title=entry.title if entry else source.name,
            catalog=source.catalog,
            fingerprint=source.fingerprint,
            images=len(source),
            classes=source.classes,
            counts=source.counts,
            benign=entry.benign if entry else "",
            synthetic=source.synthetic,
            licence=entry.licence if entry else "",
            citation=entry.citation if entry else "",
            group_kind="patient" if source.has_groups else "proxy",
            notes=source.notes,
            skipped=tuple(SkippedFile(**dataclasses.asdict(image)) for image in source.skipped),
        ),
        protocol=protocol,
        environment=describe_environment(stored_speedups()),
    )


def _write_inputs(prepared: Preparation, store: RunStore) -> Inputs:
    """Fill the cache and the run's work folder with what the trials read."""
    shortcuts = sorted({plan.spec.reads for plan in prepared.plans} - {"images"})
    source, settings = prepared.source, prepared.options.protocol.preprocessing
    images = call_in_subprocess(_write_arrays, source, settings, shortcuts, images=len(source))
    folder = store.work("inputs")
    dataset = prepared.dataset
    folds = {}
    for fold in sorted({plan.fold for plan in prepared.plans}):
        arrays: dict[str, Any] = {
            part: part_indices(prepared.split, dataset, fold, part)
            for part in ("train", "validation", "test")
        }
        folds[fold] = folder / f"fold-{fold}.npz"
        np.savez(
            folds[fold],
            labels=dataset.labels,
            classes=np.array(dataset.classes),
            paths=np.array(dataset.paths),
            **arrays,
        )
    return Inputs(images=images, folds=folds)


def _write_arrays(
    source: Dataset, settings: Preprocessing, shortcuts: Sequence[str]
) -> dict[str, Path]:
    """Fill the cache with preprocessed images and shortcuts, and say where they lie."""
    preprocess_dataset(source, settings)
    folder = cache_dir() / source.fingerprint[:24]
    files = {name: folder / f"shortcut-{name}-{SHORTCUTS_VERSION}.npy" for name in shortcuts}
    missing = [name for name, path in files.items() if not path.is_file()]
    if missing:
        from leukbench.data.shortcuts import shortcut_features

        for name, features in shortcut_features(source, missing).items():
            with atomic_path(files[name]) as temporary:
                np.save(temporary, features)
    return {"images": preprocessed_file(source, settings)} | files
