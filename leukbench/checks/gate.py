"""A run against a baseline, like with like: what fell, by how much, and whether by chance.

A baseline is a run folder that was kept on purpose. Trials are paired by model, fold and seed;
another protocol, dataset or split is refused, since its numbers answer another question.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from statistics import median
from typing import Literal

import numpy as np
import pandas as pd

from leukbench.checks.comparable import check_comparable
from leukbench.errors import UsageError, did_you_mean, require_number
from leukbench.records import TrialRecord
from leukbench.runfolder import RunFolder, refuse_replay
from leukbench.score import ALPHAS
from leukbench.score.arrays import TrialPredictions
from leukbench.score.members import ModelTrials, models_of
from leukbench.score.metrics import METRICS

TOLERANCE = 0.01
ALPHA = 0.05
GATE_METRICS = ("accuracy", "balanced_accuracy", "precision", "specificity", "f1", "mcc", "auroc")
"""The scores that are watched by default; macro recall is ``balanced_accuracy``."""

COSTS = {"fit_seconds": 0.5, "predict_ms_per_image": 0.1, "peak_memory_mb": 50.0}
"""Times and memory, each with the difference below which it is noise."""

COST_NOISE = 1.2
"""Ratio of a time or of memory, either way, below which nothing is said."""

_EPSILON = 1e-12

Kind = Literal[
    "missing",
    "failed",
    "degenerate",
    "score",
    "cost",
    "fewer",
    "precision",
    "device",
    "recovered",
    "new",
]
_STATES = ("missing", "failed", "degenerate")


@dataclass(frozen=True)
class Change:
    """One thing that is not as it was.

    `metric` names a score or cost, whose values are `before` (baseline) and `after`: fractions, seconds,
    milliseconds, MiB. `p` is that of the paired test after Holm, of accuracy alone. The gate closes for
    what is `failing`.
    """

    model: str
    kind: Kind
    metric: str = ""
    before: float | None = None
    after: float | None = None
    p: float | None = None
    failing: bool = False
    detail: str = ""

    @property
    def difference(self) -> float | None:
        """Run minus baseline."""
        return None if self.before is None or self.after is None else self.after - self.before

    @property
    def order(self) -> tuple[bool, int, float]:
        """Sort key: what fails first; then states, scores, costs, remarks; each by its size."""
        rank = {**dict.fromkeys(_STATES, 0), "score": 1, "cost": 2}.get(self.kind, 3)
        size = abs(self.difference or 0.0)
        if self.kind == "cost" and self.before and self.after:
            size = abs(math.log(self.after / self.before))
        return (not self.failing, rank, -size)


@dataclass(frozen=True)
class GateResult:
    """What the gate found: changes, failing ones first, each part sorted by size.

    `checked` names the metrics (and ``trials``) that were looked at, by model; `trials` counts pairs;
    `same_machine` says whether any time or memory could be compared: same machine, cores and device.
    """

    run: RunFolder
    baseline: RunFolder
    changes: tuple[Change, ...]
    checked: Mapping[str, tuple[str, ...]]
    trials: int
    tolerance: float
    alpha: float
    same_machine: bool

    @property
    def failures(self) -> tuple[Change, ...]:
        """The changes that close the gate."""
        return tuple(change for change in self.changes if change.failing)

    @property
    def passed(self) -> bool:
        """Whether the run may pass."""
        return not self.failures


@dataclass(frozen=True)
class Twins:
    """One model's trials in the baseline and in the run, by fold and seed."""

    model: str
    before: Mapping[tuple[int, int], TrialRecord]
    after: Mapping[tuple[int, int], TrialRecord]

    @cached_property
    def pairs(self) -> list[tuple[TrialRecord, TrialRecord]]:
        """Records of the same fold and seed."""
        return [(b, self.after[key]) for key, b in self.before.items() if key in self.after]

    @cached_property
    def scored(self) -> list[tuple[TrialRecord, TrialRecord]]:
        """Those of which both left predictions."""
        return [(b, a) for b, a in self.pairs if b.scored and a.scored]

    @cached_property
    def same_machine(self) -> list[tuple[TrialRecord, TrialRecord]]:
        """Those of which times and memory can be compared."""
        return [(b, a) for b, a in self.scored if _place(b) == _place(a)]


def _place(record: TrialRecord) -> tuple[str, int | None, str]:
    """Where times are alike: machine, cores and device."""
    return record.machine, record.threads, record.device


def compare_with_baseline(
    run: Path,
    baseline: Path,
    *,
    tolerance: float = TOLERANCE,
    metrics: Sequence[str] = GATE_METRICS,
    max_slowdown: float | None = None,
    alpha: float = ALPHA,
) -> GateResult:
    """Compare a run with its baseline.

    A score fails where it is worse than the baseline's by more than `tolerance`. Accuracy fails too,
    whatever the tolerance, where the fall is significant: exact McNemar of each seed against itself
    on the same test images, joined over seeds by Rueger's rule, Holm over the models
    (`leukbench.score.paired`). A model that is missing, or that fails or is degenerate where it was
    not, fails. Times and memory are medians over the paired trials of one machine,
    with the same cores and device.

    Parameters
    ----------
    tolerance : float
        In units of the score, 0 to 1.
    metrics : sequence of str
        Some of `leukbench.score.metrics.METRICS`.
    max_slowdown : float, optional
        Ratio above which a time or the memory fails; None only reports them.
    alpha : float
        Level of the paired test.

    Raises
    ------
    UsageError
        Where the two differ in protocol, dataset or split: names the difference.
    """
    _check_options(tolerance, metrics, max_slowdown, alpha)
    refuse_replay(Path(baseline))
    if not (Path(baseline) / "run.json").is_file():
        raise UsageError(
            f"`baseline={baseline}` is no run folder: name a run to compare with, or pass "
            "`update=True` to make this run the baseline."
        )
    new, old = RunFolder(run), RunFolder(baseline)
    check_comparable(new, old)
    twins = _twins(old, new)
    kept = [one for one in twins if one.scored]
    changes = [change for one in twins for change in _status_changes(one)]
    changes += _score_changes(old, new, kept, metrics, tolerance, alpha)
    for one in kept:
        changes += _cost_changes(one, max_slowdown)
        changes += [*_precision_changes(one), *_device_changes(one)]
    return GateResult(
        run=new,
        baseline=old,
        changes=tuple(sorted(changes, key=lambda change: change.order)),
        checked={o.model: ("trials", *(metrics if o.scored else ())) for o in twins},
        trials=sum(len(one.scored) for one in kept),
        tolerance=tolerance,
        alpha=alpha,
        same_machine=any(one.same_machine for one in kept),
    )


def _check_options(
    tolerance: float, metrics: Sequence[str], max_slowdown: float | None, alpha: float
) -> None:
    require_number("tolerance", tolerance, 0, 1)
    require_number("alpha", alpha, *ALPHAS)
    if max_slowdown is not None:
        require_number("max_slowdown", max_slowdown, 1)
    for name in metrics:
        if name not in METRICS:
            raise UsageError(
                f"`metrics={name}` is unknown{did_you_mean(name, METRICS)}: "
                f"take some of {', '.join(METRICS)}."
            )


def _twins(baseline: RunFolder, run: RunFolder) -> list[Twins]:
    sides: list[dict[str, dict[tuple[int, int], TrialRecord]]] = [{}, {}]
    for side, folder in zip(sides, (baseline, run), strict=True):
        for record in folder.records:
            side.setdefault(record.model, {})[record.fold, record.seed] = record
    names = dict.fromkeys([*sides[0], *sides[1]])
    return [Twins(name, *(side.get(name, {}) for side in sides)) for name in names]


def _status_changes(own: Twins) -> Iterator[Change]:
    """Whether the model came, went, failed or recovered."""
    if not own.before:
        yield Change(own.model, "new", detail="the baseline has no trial of it")
    lost = sum(b.scored and key not in own.after for key, b in own.before.items())
    if lost and not own.pairs:
        why = "the run has no trial of it" + (" of these folds and seeds" if own.after else "")
        yield Change(own.model, "missing", failing=True, detail=why)
    elif lost:
        detail = f"{lost} of {len(own.before)} trials are not in the run"
        yield Change(own.model, "fewer", detail=detail)
    states: dict[Kind, list[TrialRecord]] = {
        "failed": [a for b, a in own.pairs if b.scored and not a.scored],
        "degenerate": [a for b, a in own.pairs if (b.status, a.status) == ("ok", "degenerate")],
        "recovered": [a for b, a in own.pairs if b.status != "ok" and a.status == "ok"],
    }
    for kind, records in states.items():
        if records:
            first = records[0]
            reason = f" ({first.reason})" if first.reason else ""
            detail = (
                f"{len(records)} of {len(own.pairs)} trials {first.status}, "
                f"first fold {first.fold}, seed {first.seed}{reason}"
            )
            yield Change(own.model, kind, failing=kind in _STATES, detail=detail)


def _score_changes(
    baseline: RunFolder,
    run: RunFolder,
    kept: Sequence[Twins],
    metrics: Sequence[str],
    tolerance: float,
    alpha: float,
) -> Iterator[Change]:
    """Differences of the scores; a model of which no prediction differs needs none computed."""
    pairs = _changed(_trials(baseline, kept), _trials(run, kept))
    if not pairs:
        return
    watched = tuple(dict.fromkeys(("accuracy", *metrics)))
    before = {model.model: model for model in models_of(old for old, _ in pairs)}
    after = {model.model: model for model in models_of(new for _, new in pairs)}
    adjusted = _adjusted_p([one.model for one in kept], before, after)
    for name in before:
        old, new = before[name].mean_scores(watched), after[name].mean_scores(watched)
        for metric in watched:
            difference = new[metric] - old[metric]
            if math.isnan(new[metric]) and not math.isnan(old[metric]):
                detail = "there is no such value any more"
                yield Change(name, "score", metric, old[metric], failing=True, detail=detail)
            if math.isnan(difference) or abs(difference) <= _EPSILON:
                continue
            worse = -difference if METRICS[metric].higher_is_better else difference
            p = adjusted[name] if metric == "accuracy" else None
            significant = p is not None and p < alpha and worse > 0
            beyond = worse > tolerance + _EPSILON
            if metric not in metrics and not significant:
                continue
            reasons = [f"more than the tolerance {tolerance:g}"] if beyond else []
            reasons += ["significant by the paired test"] if significant else []
            yield Change(
                name, "score", metric, old[metric], new[metric], p,
                failing=beyond or significant, detail=", ".join(reasons),
            )  # fmt: skip


def _trials(
    folder: RunFolder, kept: Sequence[Twins]
) -> dict[tuple[str, int, int], TrialPredictions]:
    wanted = {(one.model, b.fold, b.seed) for one in kept for b, _ in one.scored}
    keyed = {(trial.model, trial.fold, trial.seed): trial for trial in folder.trials()}
    return {key: trial for key, trial in keyed.items() if key in wanted}


def _changed(
    before: Mapping[tuple[str, int, int], TrialPredictions],
    after: Mapping[tuple[str, int, int], TrialPredictions],
) -> list[tuple[TrialPredictions, TrialPredictions]]:
    """Pairs of trials of the models of which any prediction differs."""
    models = {old.model for key, old in before.items() if not old.frame.equals(after[key].frame)}
    return [(old, after[key]) for key, old in before.items() if old.model in models]


def _adjusted_p(
    models: Sequence[str], before: Mapping[str, ModelTrials], after: Mapping[str, ModelTrials]
) -> dict[str, float]:
    """Holm's p over all models; one of which no prediction differs enters with 1."""
    from leukbench.score.paired import holm

    p = [_paired_p(before[n], after[n]) if n in before else 1.0 for n in models]
    return dict(zip(models, holm(np.array(p)).tolist(), strict=True))


def _paired_p(before: ModelTrials, after: ModelTrials) -> float:
    """Exact McNemar of each seed with itself where it lost images; 1 where it did not."""
    from leukbench.score.paired import combine_dependent, mcnemar_exact

    frames = [
        pd.DataFrame(
            {
                "seed": old.seed,
                "image": old.arrays.images,
                "lost": old.arrays.correct > new.arrays.correct,
                "won": old.arrays.correct < new.arrays.correct,
            }
        )
        for old, new in zip(before.members, after.members, strict=True)
    ]
    table = pd.concat(frames, ignore_index=True)
    # in a repeated k-fold an image is tested once a repeat: one test a repeat, none twice in one
    table["repeat"] = table.groupby(["seed", "image"]).cumcount()
    counts = table.groupby(["seed", "repeat"])[["lost", "won"]].sum().to_numpy()
    return combine_dependent(
        np.array([mcnemar_exact(int(b), int(c)) if b > c else 1.0 for b, c in counts])
    )


def _cost_changes(own: Twins, max_slowdown: float | None) -> Iterator[Change]:
    for cost, noise in COSTS.items():
        values = [(getattr(b, cost), getattr(a, cost)) for b, a in own.same_machine]
        measured = [(b, a) for b, a in values if b and a]
        if not measured:
            continue
        before, after = median(b for b, _ in measured), median(a for _, a in measured)
        ratio = after / before
        beyond_noise = abs(after - before) > noise
        failing = max_slowdown is not None and ratio > max_slowdown and beyond_noise
        if not failing and (not beyond_noise or 1 / COST_NOISE < ratio < COST_NOISE):
            continue
        detail = f"{ratio:.2f} times" + (f", more than {max_slowdown:g}" if failing else "")
        yield Change(own.model, "cost", cost, before, after, failing=failing, detail=detail)


def _precision_changes(own: Twins) -> Iterator[Change]:
    differing = {(b.precision, a.precision) for b, a in own.scored if b.precision != a.precision}
    for before, after in sorted(differing):
        yield Change(own.model, "precision", detail=f"trained in {after}, the baseline in {before}")


def _device_changes(own: Twins) -> Iterator[Change]:
    differing = {(b.device, a.device) for b, a in own.scored if b.device != a.device}
    for before, after in sorted(differing):
        new, old = (f"the GPU {name}" if name else "the processor" for name in (after, before))
        yield Change(own.model, "device", detail=f"trained on {new}, the baseline on {old}")
