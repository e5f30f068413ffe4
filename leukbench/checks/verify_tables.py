"""Whether the tables of a run follow from its predictions, and agree with each other."""

from __future__ import annotations

import csv
import io
import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import zip_longest

import pandas as pd

from leukbench.errors import LeukbenchError
from leukbench.report.hardest import hardest_csv
from leukbench.report.results import Results
from leukbench.report.tables import table_texts
from leukbench.runfolder import RunFolder
from leukbench.score.arrays import TrialPredictions

COMPARISON, CLASSIFICATION = "comparison.csv", "classification_report.csv"
HARDEST = "figures/hardest.csv"
AVERAGES = ("accuracy", "macro avg", "weighted avg")
RELATIVE = 1e-9
_SHOWN = 5

Row = Mapping[str, str]


@dataclass(frozen=True)
class Difference:
    """One thing that is not as it should be: a file, relative to the run folder, and what is wrong."""

    file: str
    what: str

    def __str__(self) -> str:
        return f"{self.file}: {self.what}"


def check_tables(folder: RunFolder) -> Iterator[Difference]:
    """Compare every stored table with what the predictions give, cell by cell.

    Numbers in CSV agree where they differ by less than one part in 10^9 (another processor may add in
    another order); everything else agrees to the letter.
    """
    results = Results(folder)
    try:
        again = table_texts(results)
        if (folder.path / HARDEST).is_file():
            again[HARDEST] = hardest_csv(results)
    except (LeukbenchError, ValueError, KeyError, TypeError) as error:
        # whatever a damaged record or prediction makes of the computation is a finding, not a fault
        yield Difference(COMPARISON, f"cannot be computed again: {type(error).__name__} {error}")
        return
    stored = {}
    for name in again:
        path = folder.path / name
        if not path.is_file():
            yield Difference(name, "is missing: leukbench report makes it")
            continue
        stored[name] = path.read_text(encoding="utf-8")
        yield from differing(name, stored[name], again[name])
    if COMPARISON in stored and CLASSIFICATION in stored:
        try:
            yield from list(_check_counts(results, stored))
        except (KeyError, ValueError) as error:
            yield Difference(COMPARISON, f"cannot be checked: {type(error).__name__} {error}")


def differing(name: str, stored: str, again: str) -> Iterator[Difference]:
    """Name the first cells (CSV) or lines of a stored table that are not those computed again."""
    compare = _cells if name.endswith(".csv") else _lines
    found = list(compare(stored, again))
    yield from (Difference(name, what) for what in found[:_SHOWN])
    if len(found) > _SHOWN:
        yield Difference(name, f"and {len(found) - _SHOWN} more differences")


def _check_counts(results: Results, stored: Mapping[str, str]) -> Iterator[Difference]:
    """Check by counting: accuracies are k/n, supports add up, all tables agree.

    Looks at the run's predictions and its confusion matrices, and at none of its scores.
    """
    comparison = {row["model"]: row for row in _dicts(stored[COMPARISON])}
    report: defaultdict[str, dict[str, Row]] = defaultdict(dict)
    for row in _dicts(stored[CLASSIFICATION]):
        report[row["model"]][row["class"]] = row
    for model in results.members:
        if model not in comparison:
            yield Difference(COMPARISON, f"has no row for {model}")
            continue
        trials = [trial for trial in results.trials if trial.model == model]
        own = report[model]
        yield from _check_accuracy(model, comparison[model], own, trials)
        yield from _check_supports(model, own, trials)
        yield from _check_confusion(model, results.confusion[model], own, trials)


def _check_accuracy(
    model: str, row: Row, own: Mapping[str, Row], trials: Sequence[TrialPredictions]
) -> Iterator[Difference]:
    """Right predictions over all, as an exact fraction: mean over seeds, then over folds."""
    by_fold: dict[int, list[Fraction]] = {}
    for trial in trials:
        hits = int((trial.frame["y_true"] == trial.frame["y_pred"]).sum())
        by_fold.setdefault(trial.fold, []).append(Fraction(hits, len(trial.frame)))
    accuracy = float(_mean([_mean(values) for values in by_fold.values()]))
    if row["trials"] != str(len(trials)):
        yield Difference(COMPARISON, f"{model}: trials is {row['trials']}, not {len(trials)}")
    cells = ((COMPARISON, row["accuracy"]), (CLASSIFICATION, own["accuracy"]["f1"]))
    for file, cell in cells:
        if not _same(_number(cell), accuracy):
            yield Difference(file, f"{model}: accuracy is {cell}, counted {accuracy}")
    for score in ("precision", "recall", "specificity", "f1"):
        average = own["macro avg"][score]
        if not _same(_number(row[score]), _number(average)):
            what = f"{model}: macro {score} is {average}, in comparison.csv {row[score]}"
            yield Difference(CLASSIFICATION, what)


def _check_supports(
    model: str, own: Mapping[str, Row], trials: Sequence[TrialPredictions]
) -> Iterator[Difference]:
    labels: dict[str, str] = {}
    for trial in trials:
        labels |= dict(zip(trial.frame["image"], trial.frame["y_true"], strict=True))
    counted = Counter(labels.values())
    for name, cells in own.items():
        expected = len(labels) if name in AVERAGES else counted[name]
        if cells["support"] != str(expected):
            what = f"{model}, {name}: support is {cells['support']}, counted {expected}"
            yield Difference(CLASSIFICATION, what)
    total = sum(int(cells["support"]) for name, cells in own.items() if name not in AVERAGES)
    if str(total) != own["accuracy"]["support"]:
        what = f"{model}: the supports add up to {total}, not {own['accuracy']['support']}"
        yield Difference(CLASSIFICATION, what)


def _check_confusion(
    model: str, matrix: pd.DataFrame, own: Mapping[str, Row], trials: Sequence[TrialPredictions]
) -> Iterator[Difference]:
    """The confusion matrix is the mean over seeds, summed over folds, counted pair by pair."""
    seeds = Counter(trial.fold for trial in trials)
    counted: defaultdict[tuple[str, str], Fraction] = defaultdict(Fraction)
    for trial in trials:
        pairs = Counter(zip(trial.frame["y_true"], trial.frame["y_pred"], strict=True))
        for pair, number in pairs.items():
            counted[pair] += Fraction(number, seeds[trial.fold])
    for truth, cells in matrix.to_dict("index").items():
        for called, value in cells.items():
            expected = float(counted[str(truth), str(called)])
            if not _same(float(value), expected):
                what = f"{model}: {value} of {truth} called {called}, counted {expected}"
                yield Difference(CLASSIFICATION, what)
        images = sum((counted[str(truth), str(called)] for called in cells), Fraction(0))
        if len(seeds) == 1 and images:
            recall, stored = (
                float(counted[str(truth), str(truth)] / images),
                own[str(truth)]["recall"],
            )
            if not _same(_number(stored), recall):
                what = f"{model}, {truth}: recall is {stored}, the confusion matrix has {recall}"
                yield Difference(CLASSIFICATION, what)


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
    keys = [
        header.index(name) for name in ("universe", "model", "class", "image") if name in header
    ]
    for before, after in zip(old[1:], new[1:], strict=False):
        for column, left, right in zip_longest(header, before, after, fillvalue=""):
            if left != right and not _same_text(left, right):
                where = ", ".join(after[key] for key in keys)
                yield f"{where}: {column} is {left or 'empty'}, recomputed {right or 'empty'}"


def _lines(stored: str, again: str) -> Iterator[str]:
    lines = zip_longest(stored.splitlines(), again.splitlines(), fillvalue="")
    for number, (left, right) in enumerate(lines, start=1):
        if left != right:
            short = left if len(left) <= 100 else left[:99] + "…"
            yield f"line {number} is not what the predictions give: {short}"


def _same_text(left: str, right: str) -> bool:
    try:
        return _same(float(left), float(right))
    except ValueError:
        return False


def _same(left: float, right: float) -> bool:
    return math.isclose(left, right, rel_tol=RELATIVE, abs_tol=1e-12) or (
        math.isnan(left) and math.isnan(right)
    )
