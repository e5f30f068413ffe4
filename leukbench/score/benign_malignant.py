"""A run of several classes seen as one question: benign or malignant? With what errors cost."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from leukbench.errors import UsageError, require_number
from leukbench.score import BENIGN, MALIGNANT, MOST_COST
from leukbench.score.arrays import (
    PROBABILITY_PREFIX,
    Groups,
    TrialPredictions,
    classes_of,
    probability_columns,
)
from leukbench.score.decisions import (
    net_benefit,
    predictive_interval,
    ratio_interval,
    sensitivity_at,
)
from leukbench.score.intervals import CONFIDENCE, Interval
from leukbench.score.members import ModelTrials, models_of
from leukbench.score.metrics import Metric
from leukbench.score.per_class import classification_report, predictive_values
from leukbench.score.resampling import RESAMPLES
from leukbench.score.summary import summarise


def find_benign(classes: Sequence[str], benign: str | None = None) -> str:
    """Return the benign class: the one that is named, else the one that is called so.

    Raises
    ------
    leukbench.errors.UsageError
        Where the named class is none of `classes`, or none or several of them hold "benign".
    """
    if benign is not None:
        if benign in classes:
            return benign
        raise UsageError(f"{benign!r} is no class of this run: name one of {', '.join(classes)}.")
    called_so = [name for name in classes if BENIGN in name.casefold()]
    if len(called_so) == 1:
        return called_so[0]
    raise UsageError(f"It is not clear which class is benign: name one of {', '.join(classes)}.")


def binary_frame(frame: pd.DataFrame, benign: str) -> pd.DataFrame:
    """Turn one trial's predictions into benign against malignant.

    Malignant is every class but `benign`: an image of one malignant class that was taken for
    another one is right. Its probability is the sum of theirs.
    """
    p_benign = frame[PROBABILITY_PREFIX + benign]
    others = probability_columns(c for c in classes_of(frame) if c != benign)
    return pd.DataFrame(
        {
            "image": frame["image"],
            "y_true": np.where(frame["y_true"] == benign, BENIGN, MALIGNANT),
            "y_pred": np.where(frame["y_pred"] == benign, BENIGN, MALIGNANT),
            PROBABILITY_PREFIX + BENIGN: p_benign,
            PROBABILITY_PREFIX + MALIGNANT: frame[others].sum(axis=1, skipna=False),
        }
    )


def binary_trials(
    trials: Iterable[TrialPredictions], benign: str | None = None
) -> list[TrialPredictions]:
    """Turn all trials into benign against malignant, ready for every other function of this room.

    Raises
    ------
    leukbench.errors.UsageError
        As in `find_benign`.
    """
    return [
        replace(t, frame=binary_frame(t.frame, find_benign(classes_of(t.frame), benign)))
        for t in trials
    ]


def cost_matrix(missed: float = 1.0, false_alarm: float = 1.0) -> pd.DataFrame:
    """Return what each decision costs: rows true, columns predicted; being right costs nothing.

    A malignant image called benign costs `missed`, a benign one called malignant `false_alarm`.
    `UsageError` for a cost that is no number from 0.
    """
    require_number("missed", missed, 0, MOST_COST)
    require_number("false_alarm", false_alarm, 0, MOST_COST)
    names = [BENIGN, MALIGNANT]
    return pd.DataFrame([[0.0, false_alarm], [missed, 0.0]], index=names, columns=names)


def expected_costs(frame: pd.DataFrame, costs: pd.DataFrame) -> tuple[float, float]:
    """Return what a trial's decisions cost an image, and what the cheapest would have cost.

    `costs` has true classes as rows, predicted ones as columns, all of those of `frame`.
    The first number is the mean cost of ``y_pred``; the second that of the class of least expected
    cost under the probabilities (Elkan 2001, "The foundations of cost-sensitive learning", IJCAI,
    eq. 1), NaN where these are not finite.

    Raises
    ------
    leukbench.errors.UsageError
        Where `costs` lacks a class, or holds what is no finite number.
    """
    classes = list(classes_of(frame))
    lacking = set(classes) - (set(costs.index) & set(costs.columns))
    if lacking:
        raise UsageError(
            f"The cost matrix lacks {sorted(lacking)[0]!r}: give it a row and a column a class."
        )
    table = costs.loc[classes, classes].to_numpy(dtype=np.float64)
    if not np.isfinite(table).all():
        raise UsageError("The cost matrix holds what is no finite number: fill every cell.")
    index = pd.Index(classes)
    truth = index.get_indexer(pd.Index(frame["y_true"]))
    predicted = index.get_indexer(pd.Index(frame["y_pred"]))
    p = frame[probability_columns(classes)].to_numpy(dtype=np.float64)
    as_predicted = float(table[truth, predicted].mean())
    if not np.isfinite(p).all():
        return as_predicted, float("nan")
    return as_predicted, float(table[truth, (p @ table).argmin(axis=1)].mean())


def benign_malignant(
    trials: Iterable[TrialPredictions],
    groups: Groups | None = None,
    *,
    benign: str | None = None,
    missed: float = 1.0,
    false_alarm: float = 1.0,
    prevalence: float | None = None,
    specificity: float = 0.95,
    confidence: float = CONFIDENCE,
    resamples: int = RESAMPLES,
) -> pd.DataFrame:
    """Score every model on the question that a reader of smears asks first.

    Parameters
    ----------
    benign : str, optional
        The benign class; default the one with "benign" in its name.
    prevalence : float, optional
        Share of malignant images where the model would be used, for the predictive values; default
        that of the test part.
    specificity : float
        At which ``sensitivity_at`` is taken, 0 to 1.

    Returns
    -------
    pandas.DataFrame
        One row a model: ``model``, ``benign`` (the class), ``accuracy``, ``sensitivity`` (malignant
        found), ``specificity`` (benign left alone), ``ppv``, ``npv``, ``prevalence`` they are for,
        ``lr_positive`` and ``lr_negative`` (likelihood ratios), ``auroc``, ``expected_cost`` and
        ``expected_cost_by_probability`` (`expected_costs`, mean over trials), ``sensitivity_at``,
        and ``net_benefit`` at the threshold that the costs imply. Shares and ratios have bounds in
        columns ``_low`` and ``_high``. UsageError as in `find_benign` and `predictive_values`.
    """
    costs = cost_matrix(missed, false_alarm)
    original = list(trials)
    views = binary_trials(original, benign)
    report = classification_report(views, groups, confidence=confidence)
    by_class = {(row["model"], row["class"]): row for row in report.to_dict("records")}
    named = {t.model: find_benign(classes_of(t.frame), benign) for t in original}
    metrics: list[Metric] = [sensitivity_at(specificity)]
    if false_alarm > 0 and missed > 0:
        metrics.append(net_benefit(false_alarm / (missed + false_alarm)))
    bounds = summarise(
        views,
        groups,
        metrics={m.name: m for m in metrics},
        confidence=confidence,
        resamples=resamples,
    )
    rows = []
    for model in models_of(views):
        malignant, rest = (by_class[model.model, name] for name in (MALIGNANT, BENIGN))
        share = malignant["support"] / (malignant["support"] + rest["support"])
        scores = model.mean_scores(("accuracy", "auroc"))
        row = {"model": model.model, "benign": named[model.model], "accuracy": scores["accuracy"]}
        row |= _shares(malignant, share if prevalence is None else prevalence)
        row |= {"auroc": scores["auroc"]} | _spent(model, costs)
        rows.append(row | _bounded(bounds[bounds["model"] == model.model]))
    return pd.DataFrame(rows)


def _spent(model: ModelTrials, costs: pd.DataFrame) -> dict[str, float]:
    spent = [expected_costs(member.frame, costs) for member in model.members]
    names = ("expected_cost", "expected_cost_by_probability")
    return {name: model.mean([pair[i] for pair in spent]) for i, name in enumerate(names)}


def _bounded(summary: pd.DataFrame) -> dict[str, float]:
    """Value and bounds of each metric of one model as columns."""
    row = {}
    for of in summary.to_dict("records"):
        for end, key in (("", "value"), ("_low", "low"), ("_high", "high")):
            row[f"{of['metric']}{end}"] = float(of[key])
    return row


def _shares(malignant: Mapping[Any, Any], prevalence: float) -> dict[str, Any]:
    """Sensitivity, specificity, and what they mean at a prevalence, with the bounds that they give."""
    sensitivity, specificity = float(malignant["recall"]), float(malignant["specificity"])
    found = Interval(malignant["recall_low"], malignant["recall_high"], "")
    passed = Interval(malignant["specificity_low"], malignant["specificity_high"], "")
    alarms, missed = (Interval(1 - i.high, 1 - i.low, "") for i in (passed, found))
    positive, over = ratio_interval((sensitivity, found), (1 - specificity, alarms))
    negative, under = ratio_interval((1 - sensitivity, missed), (specificity, passed))
    ppv, npv = predictive_values(sensitivity, specificity, prevalence)
    shares = {
        "sensitivity": (sensitivity, found),
        "specificity": (specificity, passed),
        "ppv": (ppv, predictive_interval(over, prevalence)),
        "npv": (npv, predictive_interval(under, prevalence, negative=True)),
        "lr_positive": (positive, over),
        "lr_negative": (negative, under),
    }
    row: dict[str, Any] = {"prevalence": prevalence}
    for name, (value, bounds) in shares.items():
        row |= {name: value, f"{name}_low": bounds.low, f"{name}_high": bounds.high}
    return row
