"""Published tables as data: rows of algorithms, classification reports, and the paper's own two."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass, field
from importlib import resources

from leukbench.errors import UsageError

METRICS = ("accuracy", "precision", "recall", "specificity", "f1")
#: Metrics that a binary row is held against besides; they follow from its confusion matrix.
EXTRAS = ("balanced_accuracy", "mcc", "kappa", "lr+", "lr-", "auc")
#: "mean" is a mean over folds, seeds, datasets or samples, of whatever each of them averages.
KINDS = ("auto", "binary", "macro", "weighted", "micro", "mean")
AVERAGES = ("macro avg", "weighted avg", "micro avg", "samples avg", "avg / total", "accuracy")
_PAPER = "of Keerthivasan and Saranya 2023 (doi:10.47392/IRJASH.2023.066)"
PAPER_TITLES = {"table1": f"Table 1 {_PAPER}", "table2": f"Table 2 {_PAPER}"}


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


@dataclass(frozen=True)
class Claim:
    """A number that the running text states about one algorithm."""

    algorithm: str
    statistic: str
    value: str
    source: str


def published_table(name: str) -> PublishedTable:
    """Return a table of the paper that this benchmark re-examines, as printed.

    ``table1`` compares algorithms, ``table2`` is the classification report of the modified CNN;
    a UsageError refuses another name.

    >>> published_table("table1").rows[0].cells["accuracy"]
    '73.02'
    >>> published_table("table2").supports
    (106, 186, 203, 157)
    """
    from leukbench.published.reading import parse_tables

    if name not in PAPER_TITLES:
        raise UsageError(f"No published table {name!r}: choose {' or '.join(PAPER_TITLES)}.")
    (table,) = parse_tables(_package_text(f"{name}.csv"), name, PAPER_TITLES[name])
    return table


def published_claims() -> tuple[Claim, ...]:
    """The numbers about the paper's own network that its text and tables state."""
    rows = csv.DictReader(io.StringIO(_package_text("claims.csv")))
    return tuple(Claim(**row) for row in rows)


def _package_text(file: str) -> str:
    return (resources.files("leukbench.published") / "data" / file).read_text(encoding="utf-8")
