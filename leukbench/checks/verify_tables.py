"""Whether the tables of a run follow from its predictions, and agree with each other."""

from __future__ import annotations

import csv
import io
import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import zip_longest

import pandas as pd

from leukbench.errors import LeukbenchError
from leukbench.report.hardest import hardest_csv
from leukbench.report.results import Results
from leukbench.report.tables import table_texts
from leukbench.runfolder import RunFolder

Found = tuple[str, str]
"""A file of the run folder, and what is wrong with it."""

Frames = Sequence[tuple[int, pd.DataFrame]]
"""Fold and predictions of each trial of one model."""

HARDEST = "figures/hardest.csv"
AVERAGES = ("accuracy", "macro avg", "weighted avg")
RELATIVE = 1e-9
_SHOWN = 5


def check_tables(folder: RunFolder) -> list[Found]:
    """Compare every stored table with what the predictions give, cell by cell.

    Numbers in CSV agree where they differ by less than one part in 10^9 (another processor may add in
    another order); everything else agrees to the letter.
    """
    found: list[Found] = []
    results = Results(folder)
    try:
        again = table_texts(results)
        if (folder.path / HARDEST).is_file():
            again[HARDEST] = hardest_csv(results)
    except (LeukbenchError, ValueError, KeyError, TypeError) as error:
        # whatever a damaged record or prediction makes of the computation is a finding, not a fault
        return [("comparison.csv", f"cannot be computed again: {type(error).__name__} {error}")]
    stored = {}
    for name in again:
        path = folder.path / name
        if not path.is_file():
            found.append((name, "is missing: leukbench report makes it"))
            continue
        stored[name] = path.read_text(encoding="utf-8")
        compare = _cells if name.endswith(".csv") else _lines
        found += [(name, what) for what in _first(compare(stored[name], again[name]))]
    if "comparison.csv" in stored and "classification_report.csv" in stored:
        try:
            found += check_counts(
                results,
                {row["model"]: row for row in _dicts(stored["comparison.csv"])},
                {(r["model"], r["class"]): r for r in _dicts(stored["classification_report.csv"])},
            )
        except (KeyError, ValueError) as error:
            found.append(("comparison.csv", f"cannot be checked: {type(error).__name__} {error}"))
    return found


def check_counts(
    results: Results,
    comparison: Mapping[str, Mapping[str, str]],
    report: Mapping[tuple[str, str], Mapping[str, str]],
) -> Iterator[Found]:
    """Check the tables by counting: accuracies are k/n, supports add up, all agree.

    Parameters
    ----------
    results : Results
        Of the run; its predictions and its confusion matrices are looked at, none of its scores.
    comparison : mapping of str to row
        ``comparison.csv`` as stored, by model.
    report : mapping of (str, str) to row
        ``classification_report.csv`` as stored, by model and class.
    """
    for model in results.members:
        if model not in comparison:
            yield "comparison.csv", f"has no row for {model}"
            continue
        frames = [(trial.fold, trial.frame) for trial in results.trials if trial.model == model]
        row = comparison[model]
        own = {name: cells for (of, name), cells in report.items() if of == model}
        if row["trials"] != str(len(frames)):
            yield "comparison.csv", f"{model}: trials is {row['trials']}, not {len(frames)}"
        accuracy = float(_counted_accuracy(frames))
        for file, stored in (
            ("comparison.csv", row["accuracy"]),
            ("classification_report.csv", own["accuracy"]["f1"]),
        ):
            if not _same(_number(stored), accuracy):
                yield file, f"{model}: accuracy is {stored}, counted {accuracy}"
        yield from _check_supports(model, own, frames)
        yield from _check_confusion(model, results.confusion[model], own, frames)
        for score in ("precision", "recall", "specificity", "f1"):
            average = own["macro avg"][score]
            if not _same(_number(row[score]), _number(average)):
                yield (
                    "classification_report.csv",
                    f"{model}: macro {score} is {average}, in comparison.csv {row[score]}",
                )


def _counted_accuracy(frames: Frames) -> Fraction:
    """Right predictions over all, as an exact fraction: mean over seeds, then over folds."""
    by_fold: dict[int, list[Fraction]] = {}
    for fold, frame in frames:
        hits = int((frame["y_true"] == frame["y_pred"]).sum())
        by_fold.setdefault(fold, []).append(Fraction(hits, len(frame)))
    return _mean([_mean(values) for values in by_fold.values()])


def _check_supports(
    model: str, own: Mapping[str, Mapping[str, str]], frames: Frames
) -> Iterator[Found]:
    labels = dict(
        pair for _, frame in frames for pair in zip(frame["image"], frame["y_true"], strict=True)
    )
    counted = Counter(labels.values())
    file = "classification_report.csv"
    total = 0
    for name, cells in own.items():
        expected = len(labels) if name in AVERAGES else counted[name]
        if name not in AVERAGES:
            total += int(cells["support"])
        if cells["support"] != str(expected):
            yield file, f"{model}, {name}: support is {cells['support']}, counted {expected}"
    if str(total) != own["accuracy"]["support"]:
        yield file, f"{model}: the supports add up to {total}, not {own['accuracy']['support']}"


def _check_confusion(
    model: str, matrix: pd.DataFrame, own: Mapping[str, Mapping[str, str]], frames: Frames
) -> Iterator[Found]:
    """The confusion matrix is the mean over seeds, summed over folds, counted pair by pair."""
    file = "classification_report.csv"
    trials = Counter(fold for fold, _ in frames)
    counted: defaultdict[tuple[str, str], Fraction] = defaultdict(Fraction)
    for fold, frame in frames:
        for pair, number in Counter(zip(frame["y_true"], frame["y_pred"], strict=True)).items():
            counted[pair] += Fraction(number, trials[fold])
    classes = [str(name) for name in matrix.index]
    for truth, cells in zip(classes, matrix.to_numpy(dtype=float).tolist(), strict=True):
        for called, value in zip(classes, cells, strict=True):
            expected = float(counted[truth, called])
            if not _same(value, expected):
                yield file, f"{model}: {value} of {truth} called {called}, counted {expected}"
        images = sum((counted[truth, called] for called in classes), Fraction(0))
        if len(trials) == 1 and images:
            recall = float(counted[truth, truth] / images)
            stored = own[truth]["recall"]
            if not _same(_number(stored), recall):
                yield (
                    file,
                    f"{model}, {truth}: recall is {stored}, the confusion matrix has {recall}",
                )


def _mean(values: Sequence[Fraction]) -> Fraction:
    return sum(values, Fraction(0)) / len(values)


def _dicts(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def _number(text: str) -> float:
    return float(text) if text else math.nan


def _cells(stored: str, again: str) -> Iterator[str]:
    """Cells of a CSV table that differ, with row and column."""
    old, new = (list(csv.reader(io.StringIO(text))) for text in (stored, again))
    if not old or old[0] != new[0]:
        yield "has other columns"
        return
    if len(old) != len(new):
        yield f"has {len(old) - 1} rows, not {len(new) - 1}"
    header = new[0]
    keys = [header.index(name) for name in ("model", "class", "image") if name in header]
    for before, after in zip(old[1:], new[1:], strict=False):
        for column, left, right in zip_longest(header, before, after, fillvalue=""):
            if left != right and not _same_text(left, right):
                where = ", ".join(after[key] for key in keys)
                yield f"{where}: {column} is {left or 'empty'}, recomputed {right or 'empty'}"


def _lines(stored: str, again: str) -> Iterator[str]:
    for number, (left, right) in enumerate(
        zip_longest(stored.splitlines(), again.splitlines(), fillvalue=""), start=1
    ):
        if left != right:
            yield f"line {number} is not what the predictions give: {_short(left)}"


def _first(found: Iterator[str]) -> Iterator[str]:
    """The first few, and how many more there are."""
    kept = list(found)
    yield from kept[:_SHOWN]
    if len(kept) > _SHOWN:
        yield f"and {len(kept) - _SHOWN} more differences"


def _same_text(left: str, right: str) -> bool:
    try:
        return _same(float(left), float(right))
    except ValueError:
        return False


def _same(left: float, right: float) -> bool:
    return math.isclose(left, right, rel_tol=RELATIVE, abs_tol=1e-12) or (
        math.isnan(left) and math.isnan(right)
    )


def _short(text: str) -> str:
    return text if len(text) <= 100 else text[:99] + "…"
