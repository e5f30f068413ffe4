"""Whether the tables of a run follow from its predictions, and agree with each other."""

from __future__ import annotations

import csv
import io
import math
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from fractions import Fraction
from itertools import zip_longest
from pathlib import Path

import pandas as pd

from leukbench.errors import LeukbenchError
from leukbench.report.results import Results
from leukbench.report.tables import write_tables
from leukbench.runfolder import RunFolder

Found = tuple[str, str]
"""A file of the run folder, and what is wrong with it."""

TABLES = (
    "comparison.csv", "comparison.md", "comparison.tex",
    "classification_report.csv", "classification_report.md",
)  # fmt: skip
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
        with tempfile.TemporaryDirectory() as place:
            copy = Path(place)
            text = (folder.path / "run.json").read_text(encoding="utf-8")
            (copy / "run.json").write_text(text, encoding="utf-8")
            write_tables(RunFolder(copy), results)
            again = {name: (copy / name).read_text(encoding="utf-8") for name in TABLES}
    except LeukbenchError as error:
        return [("comparison.csv", f"cannot be computed again: {error}")]
    stored = {}
    for name in TABLES:
        path = folder.path / name
        if not path.is_file():
            found.append((name, "is missing: leukbench report makes it"))
            continue
        stored[name] = path.read_text(encoding="utf-8")
        compare = _cells if name.endswith(".csv") else _lines
        found += [(name, what) for what in _first(compare(stored[name], again[name]))]
    if "comparison.csv" in stored and "classification_report.csv" in stored:
        tables = [
            pd.read_csv(io.StringIO(stored[name]), float_precision="round_trip", dtype={"model": str})
            for name in ("comparison.csv", "classification_report.csv")
        ]
        try:
            found += check_counts(results, *tables)
        except (KeyError, ValueError, TypeError) as error:
            found.append(("comparison.csv", f"cannot be checked: {type(error).__name__} {error}"))
    return found


def check_counts(
    results: Results, comparison: pd.DataFrame, report: pd.DataFrame
) -> Iterator[Found]:
    """Check the tables by counting: accuracies are k/n, supports add up, all agree.

    Parameters
    ----------
    results : Results
        Of the run; its predictions and its confusion matrices are looked at, none of its scores.
    comparison, report : pandas.DataFrame
        ``comparison.csv`` and ``classification_report.csv`` as stored.
    """
    rows = comparison.set_index("model")
    for model in results.members:
        if model not in rows.index:
            yield "comparison.csv", f"has no row for {model}"
            continue
        frames = [(t.fold, t.frame) for t in results.trials if t.model == model]
        row, own = rows.loc[model], report[report["model"] == model].set_index("class")
        if row["trials"] != len(frames):
            yield "comparison.csv", f"{model}: trials is {row['trials']}, not {len(frames)}"
        by_fold: dict[int, list[Fraction]] = {}
        for fold, frame in frames:
            hits = int((frame["y_true"] == frame["y_pred"]).sum())
            by_fold.setdefault(fold, []).append(Fraction(hits, len(frame)))
        accuracy = _mean(_mean(values) for values in by_fold.values())
        values = {
            "comparison.csv": row["accuracy"],
            "classification_report.csv": own.loc["accuracy", "f1"],
        }
        for file, value in values.items():
            if not _same(value, float(accuracy)):
                yield file, f"{model}: accuracy is {value}, counted {float(accuracy)}"
        yield from _check_supports(model, own, frames)
        yield from _check_confusion(model, results, own, frames)
        for score in ("precision", "recall", "specificity", "f1"):
            average = own.loc["macro avg", score]
            if not _same(row[score], average):
                yield (
                    "classification_report.csv",
                    f"{model}: macro {score} is {average}, in comparison.csv {row[score]}",
                )


def _check_supports(
    model: str, own: pd.DataFrame, frames: list[tuple[int, pd.DataFrame]]
) -> Iterator[Found]:
    labels = pd.concat([frame[["image", "y_true"]] for _, frame in frames]).drop_duplicates()
    counted = labels["y_true"].value_counts()
    file = "classification_report.csv"
    for name, support in own["support"].items():
        expected = len(labels) if name in AVERAGES else int(counted.get(name, 0))
        if support != expected:
            yield file, f"{model}, {name}: support is {support}, counted {expected}"
    total = own.loc[[name for name in own.index if name not in AVERAGES], "support"].sum()
    if total != own.loc["accuracy", "support"]:
        yield file, f"{model}: the supports add up to {total}"


def _check_confusion(
    model: str, results: Results, own: pd.DataFrame, frames: list[tuple[int, pd.DataFrame]]
) -> Iterator[Found]:
    """The confusion matrix is the mean over seeds, summed over folds, counted pair by pair."""
    file = "classification_report.csv"
    matrix = results.confusion[model]
    trials = Counter(fold for fold, _ in frames)
    counted: defaultdict[tuple[str, str], Fraction] = defaultdict(Fraction)
    for fold, frame in frames:
        for pair, number in Counter(zip(frame["y_true"], frame["y_pred"], strict=True)).items():
            counted[pair] += Fraction(number, trials[fold])
    for truth in matrix.index:
        for called in matrix.columns:
            value, number = matrix.loc[truth, called], float(counted[truth, called])
            if not _same(value, number):
                yield (
                    file,
                    f"{model}: the confusion matrix has {value} for {truth} called {called}, "
                    f"counted {number}",
                )
        images = sum((counted[truth, called] for called in matrix.columns), Fraction(0))
        if len(trials) == 1 and images:
            recall = float(counted[truth, truth] / images)
            if not _same(own.loc[truth, "recall"], recall):
                stored = own.loc[truth, "recall"]
                yield file, f"{model}, {truth}: recall is {stored}, confusion gives {recall}"


def _mean(values: Iterable[Fraction]) -> Fraction:
    kept = list(values)
    return sum(kept, Fraction(0)) / len(kept)


def _cells(stored: str, again: str) -> Iterator[str]:
    """Cells of a CSV table that differ, with row and column."""
    old, new = (list(csv.reader(io.StringIO(text))) for text in (stored, again))
    if not old or old[0] != new[0]:
        yield "has other columns"
        return
    if len(old) != len(new):
        yield f"has {len(old) - 1} rows, not {len(new) - 1}"
    header = new[0]
    keys = [header.index(name) for name in ("model", "class") if name in header]
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
