"""Random true tables, printed as papers print them, and alterations of one cell."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from leukbench.published.tables import METRICS, PublishedRow

Shares = dict[str, Fraction]


def ratio(top: int, bottom: int) -> Fraction:
    """The quotient as scikit-learn prints it: 0 where nothing was counted."""
    return Fraction(int(top), int(bottom)) if bottom else Fraction(0)


def binary_shares(tp: int, fp: int, fn: int, tn: int) -> Shares:
    return {
        "accuracy": ratio(tp + tn, tp + fp + fn + tn),
        "precision": ratio(tp, tp + fp),
        "recall": ratio(tp, tp + fn),
        "specificity": ratio(tn, tn + fp),
        "f1": ratio(2 * tp, 2 * tp + fp + fn),
    }


def random_binary(rng: np.random.Generator) -> tuple[Shares, tuple[int, ...]]:
    """Shares and (positives, negatives) of a test set of 20 to 1000 images."""
    n = int(rng.integers(20, 1001))
    positives = int(n * rng.uniform(0.2, 0.8))
    negatives = n - positives
    tp = max(1, int(rng.binomial(positives, rng.uniform(0.5, 1))))
    tn = int(rng.binomial(negatives, rng.uniform(0.5, 1)))
    return binary_shares(tp, negatives - tn, positives - tp, tn), (positives, negatives)


def random_matrix(rng: np.random.Generator, classes: int) -> np.ndarray:
    """A confusion matrix of a model that is right in half to all cases."""
    level = rng.uniform(0.5, 1)
    matrix = np.zeros((classes, classes), dtype=int)
    for i in range(classes):
        right = float(np.clip(level + rng.normal(0, 0.05), 0.05, 0.999))
        shares = rng.dirichlet(np.ones(classes))
        shares[i] = 0
        shares *= (1 - right) / shares.sum()
        shares[i] = right
        matrix[i] = rng.multinomial(int(rng.integers(20, 250)), shares)
    return matrix


def macro_shares(matrix: np.ndarray) -> tuple[Shares, tuple[int, ...]]:
    """Accuracy and macro averages of a confusion matrix, and the images of each class."""
    k, n = len(matrix), int(matrix.sum())
    hit, true, called = np.diag(matrix), matrix.sum(axis=1), matrix.sum(axis=0)
    per_class = [
        (
            ratio(hit[i], called[i]),
            ratio(hit[i], true[i]),
            ratio(n - true[i] - called[i] + hit[i], n - true[i]),
            ratio(2 * hit[i], true[i] + called[i]),
        )
        for i in range(k)
    ]
    means = [sum(column, Fraction(0)) / k for column in zip(*per_class, strict=True)]
    shares = dict(zip(METRICS[1:], means, strict=True))
    return {"accuracy": ratio(hit.sum(), n), **shares}, tuple(int(s) for s in true)


def random_macro(rng: np.random.Generator) -> tuple[Shares, tuple[int, ...]]:
    return macro_shares(random_matrix(rng, int(rng.integers(3, 7))))


def printed(share: Fraction, decimals: int, percent: bool, cut: bool) -> str:
    """A share as text: cut off or rounded, in percent or as a fraction."""
    units = share * 10**decimals * (100 if percent else 1) + (0 if cut else Fraction(1, 2))
    return f"{int(units) / 10**decimals:.{decimals}f}"


def row(
    shares: Shares,
    rng: np.random.Generator,
    decimals: int,
    percent: bool,
    kind: str = "auto",
    supports: tuple[int, ...] = (),
) -> PublishedRow:
    """A printed row; each cell is rounded or cut off, as it comes."""
    cells = {m: printed(v, decimals, percent, bool(rng.integers(2))) for m, v in shares.items()}
    return PublishedRow("a model", cells, kind, supports)


def altered(
    true: PublishedRow, rng: np.random.Generator, decimals: int, percent: bool, most: float
) -> PublishedRow:
    """The row with one random cell moved by one to `most` percentage points."""
    scale = 1 if percent else 100
    while True:
        metric = METRICS[rng.integers(len(METRICS))]
        old = float(true.cells[metric]) * scale
        new = old + rng.uniform(1, most) * rng.choice([-1, 1])
        text = f"{new / scale:.{decimals}f}"
        if 0 <= new <= 100 and abs(float(text) * scale - old) >= 1 - 1e-9:
            return PublishedRow(true.name, {**true.cells, metric: text}, true.kind, true.supports)


def realistic_matrix(rng: np.random.Generator) -> np.ndarray:
    """A matrix as papers have them: 3 to 5 uneven classes, 100 to 3000 images, 70 to 99 % right."""
    k = int(rng.integers(3, 6))
    n = int(np.exp(rng.uniform(np.log(100), np.log(3000))))
    supports = np.maximum(rng.multinomial(n, rng.dirichlet(np.full(k, 5.0))), 5)
    wrong = rng.uniform(0.01, 0.3)
    matrix = np.zeros((k, k), dtype=int)
    for i, support in enumerate(supports):
        missed = min(wrong * rng.uniform(0.4, 1.6), 0.95)
        shares = rng.dirichlet(np.ones(k))
        shares[i] = 0
        shares *= missed / shares.sum()
        shares[i] = 1 - missed
        matrix[i] = rng.multinomial(support, shares)
    return matrix
