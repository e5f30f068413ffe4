"""Runs from a notebook or another program: pandas frames and matplotlib figures.

>>> from leukbench import Run
>>> run = Run.load("results/all-pbs-paper")  # doctest: +SKIP
>>> run.comparison()  # doctest: +SKIP
"""

from __future__ import annotations

import html
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import pandas as pd

from leukbench.errors import UsageError
from leukbench.protocol import Protocol
from leukbench.records import Epoch, TrialRecord
from leukbench.runfolder import RunFolder
from leukbench.score.arrays import probability_columns

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from leukbench.checks.gate import GateResult
    from leukbench.checks.verify_tables import Difference
    from leukbench.report.results import Results
    from leukbench.trials.device import Device
    from leukbench.trials.plan import TrialPlan


class Run:
    """A run folder as an object; every value is derived from its stored predictions.

    `path` is a folder that `run` or the command ``run-all`` made; `DataError` where it is none.
    """

    def __init__(self, path: str | Path) -> None:
        self.folder = RunFolder(Path(path))

    @classmethod
    def load(cls, path: str | Path) -> Run:
        """Read a run folder."""
        return cls(path)

    @property
    def path(self) -> Path:
        """The run folder."""
        return self.folder.path

    @property
    def models(self) -> tuple[str, ...]:
        """Names of the models that were tried, in the order of the run."""
        return self.folder.models

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes."""
        return self.folder.classes

    @property
    def protocol(self) -> Protocol:
        """What was compared, and how."""
        return self.folder.run.protocol

    @cached_property
    def _results(self) -> Results:
        from leukbench.report.results import Results

        return Results(self.folder)

    def verdict(self) -> list[str]:
        """What the numbers say, in sentences, warnings first."""
        from leukbench.report.verdict import verdict

        return [sentence.text for sentence in verdict(self._results)]

    def comparison(self) -> pd.DataFrame:
        """One row per model; see `leukbench.report.results.Results.comparison`."""
        return self._results.comparison.copy()

    def classification_report(self, model: str | None = None) -> pd.DataFrame:
        """Scores of each class, of one model or of all.

        See `leukbench.report.results.Results.classification`.
        """
        table = self._results.classification.copy()
        if model is None:
            return table
        self.folder.records_of(model)
        return table[table["model"] == model].reset_index(drop=True)

    def confusion(self, model: str) -> pd.DataFrame:
        """Confusion matrix: rows true, columns predicted; summed over folds, mean over seeds."""
        self.folder.records_of(model)
        if model not in self._results.confusion:
            raise UsageError(
                f"No trial of {model!r} in {self.path} left predictions: run it again."
            )
        return self._results.confusion[model].copy()

    def predictions(
        self, model: str | None = None, *, fold: int | None = None, seed: int | None = None
    ) -> pd.DataFrame:
        """Stored predictions, one row a trial and test image.

        Columns ``model``, ``fold``, ``seed``, ``image``, ``y_true``, ``y_pred``, and one ``p_<class>`` a
        class, in 0..1.
        """
        columns = ["image", "y_true", "y_pred", *probability_columns(self.classes)]

        def read(record: TrialRecord) -> pd.DataFrame | None:
            return self.folder.predictions(record) if record.scored else None

        return self._stacked(read, columns, model, fold, seed)

    def history(
        self, model: str | None = None, *, fold: int | None = None, seed: int | None = None
    ) -> pd.DataFrame:
        """Learning curves of the networks, one row a trial and epoch.

        Columns ``model``, ``fold``, ``seed``, ``epoch``, ``loss``, ``accuracy``, ``val_loss``,
        ``val_accuracy``, ``monitored`` (the part that the ``val_`` columns are of).
        """
        columns = ["epoch", "loss", "accuracy", "val_loss", "val_accuracy", "monitored"]
        return self._stacked(self.folder.history, columns, model, fold, seed)

    def figure_names(self, images: str | Path | None = None) -> tuple[str, ...]:
        """Names of the figures that can be drawn of this run."""
        from leukbench.report.figures import possible

        root = None if images is None else Path(images)
        return tuple(spec.name for spec in possible(self._results, root))

    def figure(self, name: str, images: str | Path | None = None) -> Figure:
        """Draw one of `figure_names`; without the folder of `images` no picture of a cell is shown.

        `UsageError` where there is no such figure, or the run has not what it needs.
        """
        from leukbench.report.figures import draw

        return draw(self._results, name, None if images is None else Path(images))

    def checklist(self, name: str) -> pd.DataFrame:
        """A reporting checklist or card, filled from the run's records; one row an item.

        `name` is ``tripod-ai``, ``claim``, ``reforms``, ``probast-ai``, ``stard-ai``, ``model-card`` or
        ``data-card``. Columns ``item``, ``section``, ``asks``, ``status`` (who answers it), ``answer``,
        ``files`` (below the run folder, which prove it), ``write`` (what is left to the authors).
        """
        from leukbench.checklists.fill import checklist_table

        return checklist_table(self._results, name)

    def verify(self) -> list[Difference]:
        """What is not as it should be; empty where every stored value follows from the predictions."""
        from leukbench.checks.verify import verify_run

        return verify_run(self.path)

    def gate(self, baseline: str | Path, **options: Any) -> GateResult:
        """Compare with a baseline; options as in `leukbench.checks.gate.compare_with_baseline`."""
        from leukbench.checks.gate import compare_with_baseline

        return compare_with_baseline(self.path, Path(baseline), **options)

    def leakage_beside(self, other: str | Path, alpha: float = 0.05) -> pd.DataFrame:
        """What leakage adds: this run beside `other`, on another split of the same images.

        Columns and errors as in `leukbench.score.split_pairs.leakage_between` and
        `leukbench.report.between_splits.compare_splits`.
        """
        from leukbench.report.between_splits import compare_splits

        return compare_splits(self.folder, RunFolder(Path(other)), alpha).table

    def _stacked(
        self,
        read: Callable[[TrialRecord], pd.DataFrame | None],
        columns: Sequence[str],
        model: str | None,
        fold: int | None,
        seed: int | None,
    ) -> pd.DataFrame:
        """What the chosen trials hold, one below the other, after the columns that name the trial."""
        frames = []
        records = self.folder.records if model is None else self.folder.records_of(model)
        for record in records:
            chosen = fold in (None, record.fold) and seed in (None, record.seed)
            frame = read(record) if chosen else None
            if frame is not None:
                frames.append(frame.assign(model=record.model, fold=record.fold, seed=record.seed))
        named = ["model", "fold", "seed", *columns]
        return (
            pd.concat(frames, ignore_index=True)[named] if frames else pd.DataFrame(columns=named)
        )

    def __repr__(self) -> str:
        run = self.folder.run
        synthetic = ", SYNTHETIC" if self.folder.synthetic else ""
        return (
            f"<Run {run.dataset.name}, protocol {run.protocol.name}: "
            f"{len(self.models)} models, {len(self.folder.records)} trials{synthetic}>"
        )

    def _repr_html_(self) -> str:
        """The verdict and the comparison, for a notebook; names stay text."""
        from leukbench.report.notes import NOT_FOR_DIAGNOSIS
        from leukbench.report.tables import comparison_header, comparison_rows
        from leukbench.report.verdict import verdict

        run = self.folder.run
        title = f"{run.dataset.title}, protocol {run.protocol.name}"
        sentences = "".join(
            f"<li>{'<strong>' if s.kind == 'warning' else ''}{html.escape(s.text)}"
            f"{'</strong>' if s.kind == 'warning' else ''}</li>"
            for s in verdict(self._results)
        )
        rows = comparison_rows(self._results)
        table = pd.DataFrame(rows, columns=list(comparison_header(self._results)))
        shown = table.to_html(index=False, escape=True, border=0)
        return (
            f"<h3>{html.escape(title)}</h3><ul>{sentences}</ul>{shown}"
            f"<p><small>{NOT_FOR_DIAGNOSIS}</small></p>"
        )


def run(
    data: str | Path | None = None,
    protocol: str | Path | Protocol | None = None,
    models: Sequence[str] | None = None,
    *,
    seeds: Sequence[int] | None = None,
    folds: Sequence[int] | None = None,
    epochs: int | None = None,
    task: str | Mapping[str, str] | None = None,
    precision: str | None = None,
    out: str | Path | None = None,
    jobs: int | None = None,
    threads: int | None = None,
    device: str = "auto",
    backend: str = "local",
    scheduler: str | None = None,
    timeout: float | None = None,
    memory_mb: float | None = None,
    labels: str | Path | None = None,
    label_pattern: str | None = None,
    group_pattern: str | None = None,
    skip_unreadable: bool = False,
    fresh: bool = False,
    save_models: bool = False,
    weights: str = "none",
    progress: bool = True,
) -> Run:
    """Compare models on one folder of images, as ``leukbench run-all`` does.

    Trials that are finished in `out` are not run again; a model that fails does not stop the others.
    `LeukbenchError` where data, protocol or an option does not fit, or leakage is refused.

    Parameters
    ----------
    data, out
        Folder of images (None renders SYNTHETIC smears); run folder (``results/DATASET-PROTOCOL``).
    protocol
        Name, TOML file or object; ``paper`` with `data`, ``demo`` without.
    models, seeds, folds, epochs, task, precision
        Names of `leukbench list models`, seeds, folds of the split; None takes the protocol's. The
        last three change it, and with it what the run can be compared with.
    jobs, threads, timeout, memory_mb, device
        Trials side by side, cores, seconds, MiB: so that the run ends soonest; auto, cpu or gpu.
    backend, scheduler
        ``"dask"`` runs trials on the workers of a Dask scheduler, as in ``"tcp://host:8786"``; without
        one, on `jobs` workers here, for which a script needs ``if __name__ == "__main__":``.
    labels, label_pattern, group_pattern
        How classes and patients are named; see `leukbench.data.folder.load_folder`.
    skip_unreadable, fresh, save_models
        Leave out images that cannot be read; run again what is finished; keep the fitted models.
    weights, progress
        Start of networks at native size (``none``, ``imagenet``, a file); a line for each trial.
    """
    options = {name: value for name, value in locals().items() if name != "progress"}
    from leukbench.trials.execute import execute
    from leukbench.trials.options import RunOptions
    from leukbench.trials.prepare import prepare

    prepared = prepare(RunOptions(**options, command="leukbench.run(...)"))
    return Run(execute(prepared, _Lines(sys.stderr if progress else None, prepared.device)).path)


def score_predictions(
    *files: str | Path,
    groups: str | Path | None = None,
    published: str | Path | None = None,
    out: str | Path | None = None,
    name: str | None = None,
    benign: str = "",
    fresh: bool = False,
) -> Run:
    """Score predictions of any program, as ``leukbench score`` does: a run that trained nothing.

    `DataError` where a table does not fit: names file, line or row, and column.

    Parameters
    ----------
    files
        CSV or Parquet, with the columns ``image``, ``y_true``, and ``y_pred`` or one column a class
        (``p_<class>``, ``prob_<class>`` or the class itself) or both; ``model``, ``fold``, ``seed`` tell
        trials apart. A model without a name is called like its file.
    groups
        Table with the columns ``image`` and ``group`` (patient or slide).
    published
        Table of what papers print: ``model``, ``accuracy``, and more columns.
    out, name, benign, fresh
        Run folder (``results/NAME-outside``); name of the images; the class that is not malignant;
        replace what is in the folder.
    """
    from leukbench.outside.score import score_tables

    folder = score_tables(
        [Path(file) for file in files],
        groups=None if groups is None else Path(groups),
        published=None if published is None else Path(published),
        out=None if out is None else Path(out),
        name=name,
        benign=benign,
        fresh=fresh,
        command="leukbench.score_predictions(...)",
    )
    return Run(folder.path)


@dataclass(frozen=True)
class _Lines:
    """Says when a trial begins and ends, on a stream or not at all."""

    stream: TextIO | None
    device: Device

    def waiting(self, number: int, total: int) -> None:
        self._say(
            f"{total - number} of {total} trials are finished; device: {self.device.sentence}"
        )

    def started(self, plan: TrialPlan) -> None:
        self._say(f"start     {plan.name}")

    def epoch(self, plan: TrialPlan, epoch: Epoch) -> None:
        """Say nothing of single epochs."""

    def ended(self, plan: TrialPlan, record: TrialRecord) -> None:
        self._say(
            f"{record.status:<9} {plan.name}" + (f": {record.reason}" if record.reason else "")
        )

    def _say(self, text: str) -> None:
        if self.stream is not None:
            print(text, file=self.stream, flush=True)
