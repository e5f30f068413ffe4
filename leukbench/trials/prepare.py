"""A run before its first trial: dataset, audit, split and plans; what was done before is found again.

With everything in the cache nothing heavy is imported: a run with nothing to do answers at once.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from leukbench._version import __version__
from leukbench.audit.findings import AuditReport
from leukbench.data.dataset import Dataset
from leukbench.data.folder import load_folder
from leukbench.data.task import relabel
from leukbench.errors import UsageError
from leukbench.files import cache_dir, write_text
from leukbench.models import registry
from leukbench.models.registry import ModelSpec
from leukbench.protocol import Protocol, canonical_sha256
from leukbench.runfolder import read_split
from leukbench.trials.device import Device, choose_device
from leukbench.trials.limits import Limits, choose_limits
from leukbench.trials.options import RunOptions
from leukbench.trials.plan import TrialPlan, plan_trials
from leukbench.trials.subprocess_call import call_in_subprocess

AUDIT_VERSION = 3
"""Raised when a change of the audit changes what it finds: groups and splits are made anew."""

# The embedded default: patients differ little enough that networks leave chance within minutes.
EMBEDDED: dict[str, Any] = {
    "images_per_class": 160,
    "patients_per_class": 16,
    "patient_effect": 0.3,
    "classes": "distinct",
}


@dataclass(frozen=True)
class Preparation:
    """A run before its first trial; whoever announces or carries it out reads this and decides nothing.

    `source` are the images as they were found, `dataset` the same with the labels of the task; `split`
    is the content of ``split.csv``, `audit` what the audit found under it, `plans` are all trials,
    finished ones too, `out` is the run folder, and `device` is what networks are trained on.
    """

    options: RunOptions
    source: Dataset
    dataset: Dataset
    split: pd.DataFrame
    audit: AuditReport
    plans: list[TrialPlan]
    out: Path
    limits: Limits
    device: Device


def load_data(options: RunOptions) -> Dataset:
    """The images of a run: the user's folder, or the embedded synthetic smears."""
    if options.data is not None:
        return load_folder(
            options.data,
            labels=options.labels,
            label_pattern=options.label_pattern,
            group_pattern=options.group_pattern,
            skip_unreadable=options.skip_unreadable,
        )
    return load_folder(embedded_smears())


def embedded_smears(**changes: Any) -> Path:
    """Folder in the cache of the embedded synthetic smears, with changes of their configuration."""
    from leukbench.data.synthetic import SyntheticConfig, write_dataset

    config = SyntheticConfig(**EMBEDDED | changes)
    key = canonical_sha256(dataclasses.asdict(config) | {"leukbench": __version__})
    folder = cache_dir() / "synthetic" / key[:24]
    write_dataset(folder, config, jobs=-1)
    return folder


def prepare(options: RunOptions) -> Preparation:
    """Read the data, divide it, and plan every trial; nothing is trained.

    Raises
    ------
    LeukbenchError
        Where the data, the protocol or a name does not fit, or the backend cannot be used.
    """
    if options.backend != "local" or options.scheduler is not None:
        from leukbench.trials.dask import check_backend

        check_backend(options.backend, options.scheduler)
    protocol = options.protocol
    specs = _chosen_specs(options)
    networks = any(spec.framework == "keras" for spec in specs)
    device = choose_device(options.device, options.backend, networks=networks)
    source = load_data(options)
    dataset, split, report = audited_split(source, protocol)
    if not protocol.audit.allow_duplicates_across_split:
        from leukbench.audit.leaks import refuse_leakage

        refuse_leakage(report, allow=False)
    folds = _chosen_folds(split, options.folds)
    seeds = options.seeds or protocol.seeds
    plans = plan_trials(protocol, source, split, specs, seeds, folds, options.weights, device.gpu)
    out = options.out or Path("results") / f"{source.name}-{protocol.name}"
    return Preparation(
        options=options,
        source=source,
        dataset=dataset,
        split=split,
        audit=report,
        plans=plans,
        out=out,
        limits=choose_limits(options, plans, out),
        device=device,
    )


def _chosen_specs(options: RunOptions) -> list[ModelSpec]:
    """Models that were asked for, and the shortcut probes where the protocol has them."""
    protocol = options.protocol
    every = tuple(spec.name for spec in registry.specs() if spec.installed)
    specs = [registry.get(name) for name in options.models or protocol.models or every]
    for spec in specs:
        spec.require()
        if not spec.competes:
            raise UsageError(
                f"`models={spec.name}` is a shortcut probe: it runs beside the models where the "
                "protocol has probes = true under [audit]."
            )
    return [*specs, *registry.probes()] if protocol.audit.probes else specs


def cached_audit(dataset: Dataset) -> AuditReport:
    """The audit of a dataset, found again in the cache if these images were audited before."""
    path = _cached(dataset, f"audit-{AUDIT_VERSION}-{__version__}.json")
    report = _read_report(path)
    if report is None:
        from leukbench.audit.audit import audit

        report = audit(dataset)
        write_text(path, report.model_dump_json())
    return report


def audited_split(source: Dataset, protocol: Protocol) -> tuple[Dataset, pd.DataFrame, AuditReport]:
    """Audit images and divide them by a protocol, found again in the cache if possible.

    Returns
    -------
    dataset : Dataset
        The images with the labels of the protocol's task.
    split : pandas.DataFrame
        The content of ``split.csv``.
    report : AuditReport
        What the audit found, under this split.
    """
    dataset = relabel(source, protocol.task)
    wanted = protocol.model_dump(mode="json", include={"split", "task"})
    if source.has_parts:
        wanted["parts"] = [record.part for record in source.records]
    key = canonical_sha256(wanted | {"leukbench": __version__, "audit": AUDIT_VERSION})[:24]
    split_file, audit_file = (
        _cached(source, f"split-{key}.csv"),
        _cached(source, f"audit-{key}.json"),
    )
    report = _read_report(audit_file)
    if report is not None and split_file.is_file():
        return dataset, read_split(split_file), report
    text, report = call_in_subprocess(
        _audit_and_split, source, dataset, protocol, images=len(source)
    )
    write_text(split_file, text)
    write_text(audit_file, report.model_dump_json())
    return dataset, read_split(split_file), report


def _audit_and_split(
    source: Dataset, dataset: Dataset, protocol: Protocol
) -> tuple[str, AuditReport]:
    """Content of ``split.csv``, and the audit under this split."""
    from leukbench.audit.audit import proxy_groups, with_split
    from leukbench.data.splits import make_split

    whole = cached_audit(source)
    split = make_split(dataset, protocol.split, proxy_groups(whole, source))
    text: str = split.to_csv(index=False, lineterminator="\n")
    return text, with_split(whole, split)


def _cached(dataset: Dataset, name: str) -> Path:
    return cache_dir() / dataset.fingerprint[:24] / name


def _read_report(path: Path) -> AuditReport | None:
    try:
        return AuditReport.model_validate_json(path.read_bytes())
    except (OSError, ValueError):
        return None


def _chosen_folds(split: pd.DataFrame, wanted: Sequence[int] | None) -> tuple[int, ...]:
    existing = tuple(int(fold) for fold in sorted(split["fold"].unique()))
    for fold in wanted or ():
        if fold not in existing:
            choice = ", ".join(map(str, existing))
            raise UsageError(f"`folds={fold}` is not in the split: take some of {choice}.")
    return existing if wanted is None else tuple(wanted)
