"""Facts of the results: scores, intervals, tests, errors, and what they do not show."""

from __future__ import annotations

import pandas as pd

from leukbench.checklists.facts import Facts, plural
from leukbench.checklists.of_data import PREDICTIONS, RUN, SPLIT
from leukbench.checklists.of_models import RECORDS
from leukbench.report.formats import joined, number, percent, with_interval
from leukbench.report.hardest import hardest_images
from leukbench.report.results import Results, rows_of
from leukbench.report.verdict import warnings
from leukbench.score.metrics import METRICS, comparison_metrics

RESULTS = Facts()
COMPARISON, BY_CLASS = "comparison.csv", "classification_report.csv"


def _scores(rows: pd.DataFrame) -> str:
    told = [
        f"{row['title']} "
        + with_interval(row["accuracy"], row["accuracy_low"], row["accuracy_high"])
        for row in rows_of(rows)
    ]
    return "; ".join(told)


@RESULTS.add(COMPARISON)
def _metrics(results: Results) -> str:
    titles = [METRICS[name].title for name in comparison_metrics()]
    return (
        f"{joined(titles)}; averages over classes are macro. Figures: confusion matrices, calibration, "
        "ROC and precision-recall curves. Formulas and sources: the reference page Metrics."
    )


@RESULTS.add(COMPARISON)
def _uncertainty(results: Results) -> str:
    methods = "; ".join(results.interval_methods)
    return f"95 % intervals of accuracy: {methods}." if methods else ""


@RESULTS.add(PREDICTIONS)
def _tests(results: Results) -> str:
    pairs = results.pairs
    if pairs is None:
        return ""
    used = joined(sorted(set(pairs.pairs["test"].dropna())))
    return (
        f"Models are compared in pairs on the same test images ({used}), with Holm's correction over "
        f"{plural(len(pairs.pairs), 'pair')} at the level {pairs.alpha:g}."
    )


@RESULTS.add(COMPARISON, PREDICTIONS)
def _performance(results: Results) -> str:
    return (
        f"Accuracy, with its 95 % interval: {_scores(results.ranked)}."
        if len(results.ranked)
        else ""
    )


@RESULTS.add(BY_CLASS, PREDICTIONS)
def _per_class(results: Results) -> str:
    if results.ranked.empty:
        return ""
    best = results.ranked.iloc[0]
    rows = results.classification
    rows = rows[(rows["model"] == best["model"]) & rows["class"].isin(results.folder.classes)]
    told = [
        f"{row['class']} sensitivity {percent(row['recall'], 1)}, specificity "
        f"{percent(row['specificity'], 1)}, {plural(int(row['support']), 'test image')}"
        for _, row in rows.iterrows()
    ]
    return f"Of {best['title']}, which has the highest accuracy: {'; '.join(told)}."


@RESULTS.add(COMPARISON)
def _calibration(results: Results) -> str:
    rows = results.ranked.dropna(subset=["ece"])
    told = [
        f"{row['title']} {number(row['ece'])} ({number(row['brier'])})" for row in rows_of(rows)
    ]
    return f"Expected calibration error (Brier score): {'; '.join(told)}." if told else ""


@RESULTS.add(PREDICTIONS)
def _resolution(results: Results) -> str:
    tested = results.folder.split.query("part == 'test'")["image"].nunique()
    if results.pairs is None or results.pairs.smallest_difference.empty:
        return f"{plural(tested, 'test image')}; no calculation of a sample size is recorded."
    row = results.pairs.smallest_difference.iloc[0]
    return (
        f"{plural(tested, 'test image')}: one planned pair of models is told apart with "
        f"{row['power']:.0%} power where they differ by {100 * row['smallest_difference']:.1f} points of "
        "accuracy. No calculation before the run is recorded."
    )


@RESULTS.add(PREDICTIONS)
def _spread(results: Results) -> str:
    every = results.predictions
    every = every[every["model"].isin(results.ranked["model"])]
    by_trial = every.groupby(["model", "fold", "seed"])["right"].mean().groupby("model")
    if every.empty or by_trial.size().max() < 2:
        return ""
    told = [
        f"{results.titles[str(name)]} {percent(values.min(), 1)} to {percent(values.max(), 1)}"
        for name, values in by_trial
    ]
    return f"Accuracy from trial to trial (folds and seeds): {'; '.join(told)}."


@RESULTS.add(RECORDS)
def _baselines(results: Results) -> str:
    controls = results.scored[results.scored["family"] == "control"]
    test = results.folder.split.query("part == 'test'")
    share = test["label"].value_counts(normalize=True).max()
    told = f"Always naming the most frequent class gives {percent(share, 1)}."
    return f"Controls: {_scores(controls)}. {told}" if len(controls) else told


@RESULTS.add(RECORDS, COMPARISON)
def _shortcuts(results: Results) -> str:
    if results.probes.empty:
        return ""
    return (
        f"Accuracy of probes that are shown only what must not decide: {_scores(results.probes)}."
    )


@RESULTS.add("robustness/*.csv")
def _robustness(results: Results) -> str:
    names = [name for name in _tables(results) if not name.startswith("slices")]
    return f"Measured after the run: {joined(names)}." if names else ""


@RESULTS.add("robustness/slices*.csv")
def _slices(results: Results) -> str:
    names = [name for name in _tables(results) if name.startswith("slices")]
    return f"Scores by slice of the test images: {joined(names)}." if names else ""


def _tables(results: Results) -> list[str]:
    return sorted(path.name for path in (results.folder.path / "robustness").glob("*.csv"))


@RESULTS.add(RECORDS)
def _explanations(results: Results) -> str:
    maps = [results.titles[name] for name in results.heat_maps]
    used = [results.titles[name] for name in results.importances]
    told = []
    if maps:
        told.append(f"Grad-CAM heat maps on some test images: {joined(maps)}.")
    if used:
        told.append(f"Permutation importance of features: {joined(used)}.")
    return " ".join(told)


@RESULTS.add(PREDICTIONS)
def _errors(results: Results) -> str:
    if results.ranked.empty:
        return ""
    table = hardest_images(results)
    always = int((table["wrong"] >= 1).sum())
    return (
        f"{always} of {plural(len(table), 'test image')} were wrong in every trial of every ranked "
        f"model, {int((table['wrong'] > 0).sum())} in at least one. {_confusion(results)}"
    )


@RESULTS.add(PREDICTIONS)
def _confusion(results: Results) -> str:
    if results.ranked.empty:
        return ""
    best = results.ranked.iloc[0]
    matrix = results.confusion[best["model"]]
    told = [
        f"{true}: " + ", ".join(f"{round(n)} as {called}" for called, n in row.items() if n)
        for true, row in matrix.iterrows()
    ]
    return f"True and predicted classes of {best['title']}: {'; '.join(told)}."


@RESULTS.add(RUN)
def _external(results: Results) -> str:
    return "The run holds no test on images of another source."


@RESULTS.add(RUN, SPLIT, PREDICTIONS)
def _limits(results: Results) -> str:
    return " ".join(warnings(results))
