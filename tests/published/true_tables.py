"""Random true tables of every kind, as files: what nobody may call impossible."""

from __future__ import annotations

import io
from collections.abc import Callable
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import (
    classification_report,
    cohen_kappa_score,
    matthews_corrcoef,
    multilabel_confusion_matrix,
    precision_recall_fscore_support,
    roc_auc_score,
)

RESULTS = Path(__file__).parents[2] / "results"
HEADER = ("algorithm", "accuracy", "precision", "recall", "specificity", "f1")


class Printer:
    """Prints shares with some decimals, as fractions or in percent, rounded, cut off, or as it comes."""

    def __init__(self, rng: np.random.Generator, decimals: int, how: str) -> None:
        self.rng, self.decimals, self.how = rng, decimals, how
        self.percent = bool(rng.integers(2))
        self.sign = self.percent and bool(rng.integers(2))

    def __call__(self, share: float) -> str:
        cut = self.how == "cut" or (self.how == "either" and self.rng.integers(2))
        units = abs(Fraction(float(share))) * 10**self.decimals * (100 if self.percent else 1)
        # A cut as programs do it: a float a hair below a whole unit is that unit.
        whole = int(units + Fraction(1, 10**9)) if cut else int(units + Fraction(1, 2))
        text = f"{whole / 10**self.decimals:.{self.decimals}f}"
        return ("-" if share < 0 and whole else "") + text + "%" * self.sign


def predictions(
    rng: np.random.Generator, classes: int, n: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """True and predicted classes of a model that is right in 40 to 99.9 % of all images."""
    n = n or int(np.exp(rng.uniform(np.log(10 * classes), np.log(2000))))
    shares = rng.dirichlet(np.full(classes, rng.choice([1.0, 5.0])))
    true = np.concatenate([np.arange(classes), rng.choice(classes, n - classes, p=shares)])
    right = np.clip(rng.uniform(0.4, 0.999) + rng.normal(0, 0.1, classes), 0.02, 0.999)
    wrong = (true + rng.integers(1, classes, n)) % classes
    return true, np.where(rng.random(n) < right[true], true, wrong)


def shares_of(true: np.ndarray, called: np.ndarray, average: str, zero: float) -> list[float]:
    """Accuracy, precision, recall, specificity, F1 as scikit-learn gives them."""
    labels = np.arange(int(true.max()) + 1)
    tables = multilabel_confusion_matrix(true, called, labels=labels).astype(float)
    tn, fp, fn, tp = tables[:, 0, 0], tables[:, 0, 1], tables[:, 1, 0], tables[:, 1, 1]
    each = tn / (tn + fp)
    specificity = {
        "binary": each[-1],
        "macro": each.mean(),
        "weighted": np.average(each, weights=tp + fn),
        "micro": tn.sum() / (tn + fp).sum(),
    }[average]
    precision, recall, f1, _ = precision_recall_fscore_support(
        true, called, average=average, zero_division=zero
    )
    return [float(np.mean(true == called)), precision, recall, specificity, f1]


def rows(
    rng: np.random.Generator, show: Printer, average: str, runs: str, kind: str, supports: bool
) -> str:
    """A table of algorithms of one averaging kind: single runs, or means over folds or seeds."""
    classes = 2 if average == "binary" else int(rng.integers(2, 7))
    lines = [[*HEADER, "kind", "support"]]
    for i in range(int(rng.integers(1, 4))):
        true, called = predictions(rng, classes)
        counts, zero = np.bincount(true, minlength=classes), float(rng.integers(2))
        if average == "binary":
            counts = counts[::-1]
        several = [(true, called)]
        if runs == "folds":
            parts = np.array_split(rng.permutation(len(true)), int(rng.integers(2, 11)))
            several = [(true[p], called[p]) for p in parts if len(set(true[p])) == classes]
        elif runs == "seeds":
            several = [(true, predictions(rng, classes, len(true))[1]) for _ in range(3)]
        if not several:
            several = [(true, called)]
        table = np.array([shares_of(t, c, average, zero) for t, c in several])
        cells = [show(x) for x in table.mean(axis=0)]
        if runs and kind == "spread":
            spreads = [show(x) for x in table.std(axis=0)]
            cells = [f"{c} ± {s}" for c, s in zip(cells, spreads, strict=True)]
        stated = {"spread": average, "named": "mean" if runs else average}.get(kind, "auto")
        images = "/".join(map(str, counts)) if supports else ""
        lines.append([f"model {i}", *cells, stated, images])
    keep = [j for j in range(8) if j in (0, 6, 7) or rng.random() < 0.85]
    keep = keep if {1, 2, 3, 4, 5} & {*keep} else list(range(8))
    return "\n".join(",".join(line[j] for j in keep) for line in lines)


def extras(rng: np.random.Generator, show: Printer) -> str:
    """Binary rows with what follows from their matrices, and the AUC of the scores."""
    header = [*HEADER, "Balanced Accuracy", "MCC", "Cohen's kappa", "LR+", "LR-", "AUC", "kind"]
    lines = [header]
    for i in range(3):
        n = int(rng.integers(20, 800))
        true = np.append([0, 1], rng.integers(0, 2, n))
        score = true * rng.uniform(0, 3) + rng.normal(size=n + 2)
        called = (score > rng.uniform(-0.5, 2)).astype(int)
        a, p, r, s, f = shares_of(true, called, "binary", 0.0)
        more = [(r + s) / 2, matthews_corrcoef(true, called), cohen_kappa_score(true, called)]
        ratios = [f"{r / (1 - s):.4f}" if s < 1 else "", f"{(1 - r) / s:.4f}" if s else ""]
        auc = show(roc_auc_score(true, score))
        lines.append([f"m{i}", *map(show, [a, p, r, s, f, *more]), *ratios, auc, "binary"])
    return "\n".join(map(",".join, lines))


def report(rng: np.random.Generator, show: Printer, form: str) -> str:
    """A classification report as scikit-learn prints it, or pandas writes it, or a paper cuts it."""
    classes = int(rng.integers(2, 6))
    true, called = predictions(rng, classes)
    names = [f"class {chr(65 + i)}" for i in range(classes)]
    zero = float(rng.integers(2))
    options: dict[str, Any] = {
        "labels": list(range(classes)),
        "target_names": names,
        "zero_division": zero,
    }
    if form == "absent class":
        options |= {"labels": list(range(classes + 1)), "target_names": [*names, "never there"]}
    elif form == "some classes":
        options |= {"labels": list(range(classes - 1)) or [0], "target_names": names[:-1] or names}
    elif form == "several labels":
        true = (rng.random((len(true), classes)) < 0.4).astype(int)
        called = np.where(rng.random(true.shape) < 0.85, true, 1 - true)
        del options["labels"]
    if form in ("text", "absent class", "some classes", "several labels"):
        if len(options["target_names"]) < 2:
            return report(rng, show, form)
        return str(classification_report(true, called, digits=show.decimals, **options))
    table = pd.DataFrame(classification_report(true, called, output_dict=True, **options))
    if form in ("pandas", "turned"):
        buffer = io.StringIO()
        (table if form == "turned" else table.T).to_csv(buffer)
        return buffer.getvalue()
    lines = [["class", "precision", "recall", "f1", "support"]]
    for name, cells in table.T.iterrows():
        values = [show(x) for x in cells.iloc[:3]]
        if name == "accuracy":
            values = ["", "", values[0]]
        title = "avg / total" if form == "old" and name == "weighted avg" else str(name)
        if form == "old" and name in ("accuracy", "macro avg"):
            continue
        support = int(cells.iloc[3]) if name != "accuracy" else len(true)
        hidden = form == "without supports" or (form == "part of supports" and rng.random() < 0.3)
        lines.append([title, *values, "" if hidden else str(support)])
    return "\n".join(map(",".join, lines))


def confusion(rng: np.random.Generator, show: Printer) -> str:
    """A confusion matrix itself, with and without names."""
    true, called = predictions(rng, int(rng.integers(2, 6)))
    table = pd.crosstab(true, called).reindex(columns=range(true.max() + 1), fill_value=0)
    named = bool(rng.integers(2))
    return table.to_csv(index=named, header=named)


def own(rng: np.random.Generator, show: Printer, file: str) -> str:
    """One of the committed tables of this benchmark, as written or with fewer digits."""
    paths = sorted(RESULTS.glob(f"*/{file}"))
    table = pd.read_csv(paths[rng.integers(len(paths))], dtype=str, keep_default_na=False)
    metrics = [*HEADER[1:], "balanced_accuracy", "mcc", "auroc"]
    if rng.integers(4):
        for column in table.columns.intersection(metrics):
            table[column] = [show(float(x)) if x else "" for x in table[column]]
    return table.to_csv(index=False)


Maker = Callable[[np.random.Generator, Printer], str]
KINDS: dict[str, Maker] = {
    f"{average}, {runs or 'one run'}, {kind}{', supports' if supports else ''}": partial(
        rows, average=average, runs=runs, kind=kind, supports=supports
    )
    for average in ("binary", "macro", "weighted", "micro")
    for runs in ("", "folds", "seeds")
    for kind in ("not said", "named", "spread")
    for supports in (False, True)
    if (runs or kind != "spread") and not (runs == "folds" and supports and average == "binary")
}
KINDS |= {
    f"report, {form}": partial(report, form=form)
    for form in (
        "text", "pandas", "turned", "paper", "without supports", "part of supports", "old",
        "absent class", "some classes", "several labels",
    )
}  # fmt: skip
KINDS |= {
    "binary with MCC, kappa, likelihood ratios, AUC": extras,
    "confusion matrix": confusion,
    "own comparison.csv": partial(own, file="comparison.csv"),
    "own classification_report.csv": partial(own, file="classification_report.csv"),
}


def true_table(kind: str, seed: int) -> str:
    """A true table of one kind; decimals and style follow from the seed."""
    rng = np.random.default_rng([seed, sorted(KINDS).index(kind)])
    show = Printer(rng, 1 + seed % 4, ("rounded", "cut", "either")[seed % 3])
    return KINDS[kind](rng, show)
