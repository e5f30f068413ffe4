"""A run against a baseline, like with like: what fell, by how much, and whether by chance.

A baseline is a run folder that was put aside on purpose. Trials are paired by model, fold and seed;
another protocol, dataset or split is refused, since its numbers answer another question.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
import pandas as pd

from leukbench.checks.comparable import check_comparable
from leukbench.errors import UsageError, did_you_mean
from leukbench.records import TrialRecord
from leukbench.runfolder import RunFolder
from leukbench.score.members import ModelTrials, fold_mean, models_of
from leukbench.score.metrics import LOWER_IS_BETTER, METRICS, scores_of
from leukbench.score.trials import TrialPredictions

TOLERANCE = 0.01
ALPHA = 0.05
GATE_METRICS = ("accuracy", "balanced_accuracy", "precision", "specificity", "f1", "mcc", "auroc")
"""The scores that are watched by default; macro recall is ``balanced_accuracy``."""

COSTS = {"fit_seconds": 0.5, "predict_ms_per_image": 0.1, "peak_memory_mb": 50.0}
"""Times and memory, each with the difference below which it is noise."""

COST_NOISE = 1.2
"""Ratio of a time or of memory, either way, below which nothing is said."""

_EPSILON = 1e-12
_Place = tuple[int, int]


@dataclass(frozen=True)
class Change:
    """One thing that is not as it was.

    Attributes
    ----------
    model : str
        Name of the model.
    kind : str
        ``missing``, ``failed``, ``degenerate``, ``score``, ``cost``, ``fewer``, ``precision``,
        ``recovered`` or ``new``.
    metric : str
        Which score or cost; empty for the other kinds.
    before, after : float or None
        Value of the baseline and of the run: scores as `leukbench.score.metrics` defines them, times
        in seconds or milliseconds, memory in MiB.
    p : float or None
        Of the paired test, after Holm; accuracy alone has one.
    failing : bool
        Whether the gate closes for it.
    detail : str
        What a person should know, in a few words.
    """

    model: str
    kind: str
    metric: str = ""
    before: float | None = None
    after: float | None = None
    p: float | None = None
    failing: bool = False
    detail: str = ""

    @property
    def difference(self) -> float | None:
        """Run minus baseline."""
        if self.before is None or self.after is None:
            return None
        return self.after - self.before

    @property
    def order(self) -> tuple[bool, int, float]:
        """Sort key: what fails first; then states, scores, costs, remarks; each by its size."""
        rank = {"missing": 0, "failed": 0, "degenerate": 0, "score": 1, "cost": 2}.get(self.kind, 3)
        size = abs(self.difference or 0.0)
        if self.kind == "cost" and self.before and self.after:
            size = abs(math.log(self.after / self.before))
        return (not self.failing, rank, -size)


@dataclass(frozen=True)
class GateResult:
    """What the gate found.

    Attributes
    ----------
    run, baseline : RunFolder
        What was compared.
    changes : tuple of Change
        Failing ones first, each part sorted by size.
    checked : mapping of str to tuple of str
        What was looked at, by model: metrics and ``trials``.
    trials : int
        Pairs of trials.
    tolerance, alpha : float
        The rules.
    same_machine : bool
        Whether any time or memory could be compared.
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
    not, fails. Times and memory are medians over the paired trials of one machine.

    Parameters
    ----------
    run, baseline : Path
        Run folders.
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
    _check_options(tolerance, metrics, max_slowdown)
    if not (Path(baseline) / "run.json").is_file():
        raise UsageError(
            f"--baseline {baseline} is no run folder: name a run to compare with, or pass --update "
            "to make this run the baseline."
        )
    new, old = RunFolder(run), RunFolder(baseline)
    check_comparable(new, old)
    before, after = _by_model(old), _by_model(new)
    pairs = {model: _pairs(before[model], after[model]) for model in before if model in after}
    scored = {
        model: [place for place, (b, a) in own.items() if b.scored and a.scored]
        for model, own in pairs.items()
    }
    kept = {model: places for model, places in scored.items() if places}
    changes = list(_status_changes(before, after, pairs))
    changes += _score_changes(old, new, kept, metrics, tolerance, alpha)
    same_machine = False
    for model, places in kept.items():
        twins = [pairs[model][place] for place in places]
        here = [(b, a) for b, a in twins if b.machine == a.machine and b.threads == a.threads]
        same_machine |= bool(here)
        changes += _cost_changes(model, here, max_slowdown)
        changes += _precision_changes(model, twins)
    changes.sort(key=lambda change: change.order)
    return GateResult(
        run=new,
        baseline=old,
        changes=tuple(changes),
        checked={
            model: ("trials", *(metrics if model in kept else ()))
            for model in dict.fromkeys([*before, *after])
        },
        trials=sum(len(places) for places in kept.values()),
        tolerance=tolerance,
        alpha=alpha,
        same_machine=same_machine,
    )


def _check_options(tolerance: float, metrics: Sequence[str], max_slowdown: float | None) -> None:
    if not 0 <= tolerance <= 1:
        raise UsageError(f"--tolerance {tolerance} does not fit: give a number from 0 to 1.")
    if max_slowdown is not None and max_slowdown < 1:
        raise UsageError(f"--max-slowdown {max_slowdown} does not fit: give a ratio from 1.")
    for name in metrics:
        if name not in METRICS:
            raise UsageError(
                f"--metrics {name} is unknown{did_you_mean(name, METRICS)}: "
                f"take some of {', '.join(METRICS)}."
            )


def _by_model(folder: RunFolder) -> dict[str, dict[_Place, TrialRecord]]:
    found: dict[str, dict[_Place, TrialRecord]] = {}
    for record in folder.records:
        found.setdefault(record.model, {})[record.fold, record.seed] = record
    return found


def _pairs(
    before: Mapping[_Place, TrialRecord], after: Mapping[_Place, TrialRecord]
) -> dict[_Place, tuple[TrialRecord, TrialRecord]]:
    return {place: (record, after[place]) for place, record in before.items() if place in after}


def _status_changes(
    before: Mapping[str, Mapping[_Place, TrialRecord]],
    after: Mapping[str, Mapping[_Place, TrialRecord]],
    pairs: Mapping[str, Mapping[_Place, tuple[TrialRecord, TrialRecord]]],
) -> Iterator[Change]:
    """Models and trials that came, went, failed or recovered."""
    for model, own in before.items():
        if not any(record.scored for record in own.values()):
            continue
        both = pairs.get(model, {})
        if not both:
            why = "the run has no trial of it" + (
                " of these folds and seeds" if model in after else ""
            )
            yield Change(model, "missing", failing=True, detail=why)
            continue
        lost = sum(record.scored and place not in both for place, record in own.items())
        if lost:
            yield Change(model, "fewer", detail=f"{lost} of {len(own)} trials are not in the run")
    for model, own_pairs in pairs.items():
        twins = list(own_pairs.values())
        failed = [a for b, a in twins if b.scored and not a.scored]
        sunk = [a for b, a in twins if b.status == "ok" and a.status == "degenerate"]
        risen = [a for b, a in twins if b.status != "ok" and a.status == "ok"]
        for kind, records in (("failed", failed), ("degenerate", sunk), ("recovered", risen)):
            if records:
                first = records[0]
                where = f"fold {first.fold}, seed {first.seed}"
                reason = f" ({first.reason})" if first.reason else ""
                detail = (
                    f"{len(records)} of {len(twins)} trials {first.status}, first {where}{reason}"
                )
                yield Change(model, kind, failing=kind != "recovered", detail=detail)
    for model in after:
        if model not in before:
            yield Change(model, "new", detail="the baseline has no trial of it")


def _score_changes(
    baseline: RunFolder,
    run: RunFolder,
    kept: Mapping[str, Sequence[_Place]],
    metrics: Sequence[str],
    tolerance: float,
    alpha: float,
) -> Iterator[Change]:
    if not kept:
        return
    watched = tuple(dict.fromkeys(("accuracy", *metrics)))
    pairs = _changed(_trials(baseline, kept), _trials(run, kept))
    if not pairs:
        return
    before = {model.model: model for model in models_of(old for old, _ in pairs)}
    after = {model.model: model for model in models_of(new for _, new in pairs)}
    p_values = {n: _paired_p(before[n], after[n]) if n in before else 1.0 for n in kept}
    adjusted = _holm(p_values)
    for name in before:
        old, new = _mean_scores(before[name], watched), _mean_scores(after[name], watched)
        for metric in watched:
            difference = new[metric] - old[metric]
            if math.isnan(difference):
                if math.isnan(new[metric]) and not math.isnan(old[metric]):
                    detail = "there is no such value any more"
                    yield Change(name, "score", metric, old[metric], failing=True, detail=detail)
                continue
            if abs(difference) <= _EPSILON:
                continue
            worse = difference if metric in LOWER_IS_BETTER else -difference
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
    folder: RunFolder, kept: Mapping[str, Sequence[_Place]]
) -> dict[tuple[str, int, int], TrialPredictions]:
    wanted = {(model, *place) for model, places in kept.items() for place in places}
    named = {(trial.model, trial.fold, trial.seed): trial for trial in folder.trials()}
    return {place: trial for place, trial in named.items() if place in wanted}


def _changed(
    before: Mapping[tuple[str, int, int], TrialPredictions],
    after: Mapping[tuple[str, int, int], TrialPredictions],
) -> list[tuple[TrialPredictions, TrialPredictions]]:
    """Pairs of trials of the models of which any prediction differs; the others need no score."""
    models = {place[0] for place, old in before.items() if not old.frame.equals(after[place].frame)}
    return [(old, after[place]) for place, old in before.items() if place[0] in models]


def _mean_scores(model: ModelTrials, metrics: Sequence[str]) -> dict[str, float]:
    scores = [scores_of(member.arrays, metrics) for member in model.members]
    return {name: fold_mean([one[name] for one in scores], model.members) for name in metrics}


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


def _holm(p_values: Mapping[str, float]) -> dict[str, float]:
    from statsmodels.stats.multitest import multipletests

    adjusted = multipletests(list(p_values.values()), method="holm")[1]
    return dict(zip(p_values, map(float, adjusted), strict=True))


def _cost_changes(
    model: str, twins: Sequence[tuple[TrialRecord, TrialRecord]], max_slowdown: float | None
) -> Iterator[Change]:
    for cost, noise in COSTS.items():
        values = [(getattr(b, cost), getattr(a, cost)) for b, a in twins]
        known = [(b, a) for b, a in values if b and a]
        if not known:
            continue
        before, after = median(b for b, _ in known), median(a for _, a in known)
        ratio = after / before
        beyond_noise = abs(after - before) > noise
        failing = max_slowdown is not None and ratio > max_slowdown and beyond_noise
        if not failing and (not beyond_noise or 1 / COST_NOISE < ratio < COST_NOISE):
            continue
        detail = f"{ratio:.2f} times" + (f", more than {max_slowdown:g}" if failing else "")
        yield Change(model, "cost", cost, before, after, failing=failing, detail=detail)


def _precision_changes(
    model: str, twins: Sequence[tuple[TrialRecord, TrialRecord]]
) -> Iterator[Change]:
    found = {(b.precision, a.precision) for b, a in twins if b.precision != a.precision}
    for before, after in sorted(found):
        yield Change(model, "precision", detail=f"trained in {after}, the baseline in {before}")
