"""Published tables as data: rows of algorithms, classification reports, and the paper's own two."""

from __future__ import annotations

from dataclasses import dataclass, field

METRICS = ("accuracy", "precision", "recall", "specificity", "f1")
#: Metrics that a binary row is held against besides; they follow from its confusion matrix.
EXTRAS = ("balanced_accuracy", "mcc", "kappa", "lr+", "lr-", "auc")
#: "mean" is a mean over folds, seeds, datasets or samples, of whatever each of them averages.
KINDS = ("auto", "binary", "macro", "weighted", "micro", "mean")
AVERAGES = ("macro avg", "weighted avg", "micro avg", "samples avg", "avg / total", "accuracy")


@dataclass(frozen=True)
class PublishedRow:
    """One algorithm's line: the printed `cells` and `extras` (of `EXTRAS`) as text.

    `mean` says that the row is a mean over runs, whatever its kind: it prints spreads or a count of
    runs.
    """

    name: str
    cells: dict[str, str]
    kind: str = "auto"
    supports: tuple[int, ...] = ()
    source: str = ""
    mean: bool = False
    extras: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ClassRow:
    """One class' line, or an average's; `support` is None where it is not printed."""

    name: str
    cells: dict[str, str]
    support: int | None = None


@dataclass(frozen=True)
class PublishedTable:
    """A table as printed: `rows` of algorithms, or `classes` with their `averages`.

    `matrix` is a confusion matrix that was printed itself, of the `classes`; `unread` names the
    columns that are not checked. `one_run` says that a report is not a mean over runs: it is what
    scikit-learn wrote of one test set.
    """

    name: str
    title: str
    rows: tuple[PublishedRow, ...] = ()
    classes: tuple[ClassRow, ...] = ()
    averages: dict[str, ClassRow] = field(default_factory=dict)
    matrix: tuple[tuple[int, ...], ...] = ()
    unread: tuple[str, ...] = ()
    one_run: bool = False

    @property
    def supports(self) -> tuple[int, ...]:
        """Images a class, where every class prints them; else empty."""
        stated = tuple(c.support for c in self.classes if c.support is not None)
        return stated if len(stated) == len(self.classes) else ()
