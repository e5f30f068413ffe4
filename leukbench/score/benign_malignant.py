"""A run of several classes seen as one question: benign or malignant? With what errors cost."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from leukbench.errors import UsageError
from leukbench.score.arrays import (
    PROBABILITY_PREFIX,
    Groups,
    TrialPredictions,
    classes_of,
    probability_columns,
)
from leukbench.score.intervals import CONFIDENCE
from leukbench.score.members import ModelTrials, models_of
from leukbench.score.per_class import classification_report, predictive_values

BENIGN, MALIGNANT = "benign", "malignant"


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
    """
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
    confidence: float = CONFIDENCE,
) -> pd.DataFrame:
    """Score every model on the question that a reader of smears asks first.

    Parameters
    ----------
    benign : str, optional
        The benign class; default the one with "benign" in its name.
    missed, false_alarm : float
        Costs of the two errors, see `cost_matrix`.
    prevalence : float, optional
        Share of malignant images where the model would be used, for the predictive values; default
        that of the test part.

    Returns
    -------
    pandas.DataFrame
        One row a model: ``model``, ``benign`` (the class), ``accuracy``, ``sensitivity`` (malignant
        found) and ``specificity`` (benign left alone) with ``_low`` and ``_high``, ``ppv``,
        ``npv``, ``prevalence`` they are for, ``auroc``, ``expected_cost`` and
        ``expected_cost_by_probability`` (`expected_costs`, mean over trials).

    Raises
    ------
    leukbench.errors.UsageError
        Where it is not clear which class is benign, or the prevalence lies outside 0..1.
    """
    original = list(trials)
    views = binary_trials(original, benign)
    report = classification_report(views, groups, confidence=confidence)
    by_class = {(row["model"], row["class"]): row for _, row in report.iterrows()}
    costs = cost_matrix(missed, false_alarm)
    names = {t.model: find_benign(classes_of(t.frame), benign) for t in original}
    rows = [
        {"model": model.model, "benign": names[model.model]}
        | _row(
            model,
            by_class[model.model, MALIGNANT],
            by_class[model.model, BENIGN],
            costs,
            prevalence,
        )
        for model in models_of(views)
    ]
    return pd.DataFrame(rows)


def _row(
    model: ModelTrials,
    malignant: pd.Series,
    benign: pd.Series,
    costs: pd.DataFrame,
    prevalence: float | None,
) -> dict[str, float]:
    """The scores of one model, from its rows of the classification report."""
    scores = model.mean_scores(("accuracy", "auroc"))
    spent = [expected_costs(member.frame, costs) for member in model.members]
    sensitivity, specificity = malignant["recall"], malignant["specificity"]
    share = malignant["support"] / (malignant["support"] + benign["support"])
    stated = share if prevalence is None else prevalence
    ppv, npv = predictive_values(sensitivity, specificity, stated)
    return {
        "accuracy": scores["accuracy"],
        "sensitivity": sensitivity,
        "sensitivity_low": malignant["recall_low"],
        "sensitivity_high": malignant["recall_high"],
        "specificity": specificity,
        "specificity_low": malignant["specificity_low"],
        "specificity_high": malignant["specificity_high"],
        "ppv": ppv,
        "npv": npv,
        "prevalence": stated,
        "auroc": scores["auroc"],
        "expected_cost": model.mean([cost[0] for cost in spent]),
        "expected_cost_by_probability": model.mean([cost[1] for cost in spent]),
    }
