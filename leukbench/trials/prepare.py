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
from leukbench.data.probe_names import PROBES
from leukbench.data.task import relabel
from leukbench.errors import UsageError
from leukbench.files import cache_dir, write_text
from leukbench.models import registry
from leukbench.protocol import Protocol, canonical_sha256
from leukbench.runfolder import read_split
from leukbench.trials.cluster import check_backend
from leukbench.trials.plan import TrialPlan, plan_models, plan_probes
from leukbench.trials.subprocess_call import aside

AUDIT_VERSION = 2
"""Raised when a change of the audit changes what it finds: groups and splits are made anew."""

# The embedded default: patients differ little enough that networks leave chance within minutes.
EMBEDDED: dict[str, Any] = {
    "images_per_class": 60,
    "patients_per_class": 8,
    "patient_effect": 0.3,
}


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
    jobs : int or None
        Trials side by side; None takes as many as end soonest (`leukbench.trials.limits`).
    threads : int or None
        Cores that each trial keeps busy; None shares this machine's among `jobs`.
    backend : str
        ``local``, or ``dask``: trials run on the workers of a Dask cluster.
    scheduler : str or None
        Address of its scheduler; None starts `jobs` workers on this machine.
    timeout : float or None
        Seconds that a trial may take.
    memory_mb : float or None
        MiB that a trial may take.
    skip_unreadable, fresh : bool
        Leave out images that cannot be read; run again what is finished.
    save_models : bool
        Keep the fitted models.
    weights : str
        What networks at native size start from: ``none``, ``imagenet`` or the name of a file.
    command : str
        What was typed, for the record.
    """

    protocol: Protocol
    data: Path | None = None
    out: Path | None = None
    models: Sequence[str] | None = None
    seeds: Sequence[int] | None = None
    folds: Sequence[int] | None = None
    jobs: int | None = None
    threads: int | None = None
    backend: str = "local"
    scheduler: str | None = None
    timeout: float | None = None
    memory_mb: float | None = None
    skip_unreadable: bool = False
    fresh: bool = False
    save_models: bool = False
    weights: str = "none"
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

    config = SyntheticConfig(**EMBEDDED)
    key = canonical_sha256(dataclasses.asdict(config) | {"leukbench": __version__})
    folder = cache_dir() / "synthetic" / key[:24]
    write_dataset(folder, config, jobs=-1)
    return load_folder(folder)


def prepare(options: RunOptions) -> Preparation:
    """Read the data, divide it, and plan every trial; nothing is trained.

    Raises
    ------
    LeukbenchError
        Where the data, the protocol or a name does not fit, or the backend cannot be used.
    """
    check_backend(options)
    protocol = options.protocol
    models = tuple(options.models or protocol.models or registry.names())
    for name in models:
        registry.get(name)
    source = load_data(options)
    dataset, split, report = audited_split(source, protocol)
    if not protocol.audit.allow_duplicates_across_split:
        from leukbench.audit.leaks import refuse_leakage

        refuse_leakage(report, allow=False)
    folds = _chosen_folds(split, options.folds)
    seeds = tuple(options.seeds or protocol.seeds)
    plans = plan_models(protocol, source, split, models, seeds, folds, options.weights)
    if protocol.audit.probes:
        plans += plan_probes(protocol, source, split, PROBES, folds)
    out = options.out or Path("results") / f"{source.name}-{protocol.name}"
    return Preparation(
        dataset=dataset, source=source, split=split, audit=report, plans=plans, out=out
    )


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
    """The images under the protocol's task, its split, and the audit under it; cached."""
    dataset = relabel(source, protocol.task)
    wanted = protocol.model_dump(mode="json", include={"split", "task"})
    key = canonical_sha256(wanted | {"leukbench": __version__, "audit": AUDIT_VERSION})[:24]
    table, found = _cached(source, f"split-{key}.csv"), _cached(source, f"audit-{key}.json")
    report = _read_report(found)
    if report is not None and table.is_file():
        return dataset, read_split(table), report
    split, report = aside(_make_split, source, dataset, protocol, table, found, images=len(source))
    return dataset, split, report


def _make_split(
    source: Dataset, dataset: Dataset, protocol: Protocol, table: Path, found: Path
) -> tuple[pd.DataFrame, AuditReport]:
    """Audit and divide, and keep both in the cache."""
    from leukbench.audit.audit import proxy_groups, with_split
    from leukbench.data.splits import make_split

    whole = cached_audit(source)
    split = make_split(dataset, protocol.split, proxy_groups(whole, source))
    report = with_split(whole, split)
    write_text(table, split.to_csv(index=False, lineterminator="\n"))
    write_text(found, report.model_dump_json())
    return split, report


def _cached(dataset: Dataset, name: str) -> Path:
    return cache_dir() / dataset.fingerprint[:24] / name


def _read_report(path: Path) -> AuditReport | None:
    try:
        return AuditReport.model_validate_json(path.read_bytes())
    except (OSError, ValueError):
        return None


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
