"""Published tables as data: the paper's own, and any CSV file of the same two forms.

**Rows of algorithms** (the paper's Table 1): columns ``algorithm, accuracy, precision, recall,
specificity, f1``; optional ``kind`` (binary, macro or auto), ``support`` (images in the test
set, or one number a class as in ``106/186/203/157``; positives/negatives for a binary row) and
``source``.

**Rows of classes** (the paper's Table 2, scikit-learn's ``classification_report``): columns
``class, precision, recall, f1`` and optional ``support``; besides the classes, rows named
``accuracy`` (its value in the f1 column, or in a column ``accuracy``), ``macro avg`` and
``weighted avg``.

Values are kept as printed. Empty cells and dashes mean "not reported".
"""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass, field
from importlib import resources
from itertools import zip_longest
from pathlib import Path

from leukbench.errors import DataError, UsageError
from leukbench.published.rounding import missing, units_of

METRICS = ("accuracy", "precision", "recall", "specificity", "f1")
KINDS = ("auto", "binary", "macro")
_PAPER = "of Keerthivasan and Saranya 2023 (doi:10.47392/IRJASH.2023.066)"
PAPER_TITLES = {"table1": f"Table 1 {_PAPER}", "table2": f"Table 2 {_PAPER}"}
_AVERAGES = ("macro avg", "weighted avg", "accuracy")


@dataclass(frozen=True)
class PublishedRow:
    """One algorithm's line; `cells` holds the printed metrics only, as text."""

    name: str
    cells: dict[str, str]
    kind: str = "auto"
    supports: tuple[int, ...] = ()
    source: str = ""


@dataclass(frozen=True)
class ClassRow:
    """One class' line, or an average's; `support` is None where it is not printed."""

    name: str
    cells: dict[str, str]
    support: int | None = None


@dataclass(frozen=True)
class PublishedTable:
    """A table as printed: `rows` of algorithms, or `classes` with their `averages`."""

    name: str
    title: str
    rows: tuple[PublishedRow, ...] = ()
    classes: tuple[ClassRow, ...] = ()
    averages: dict[str, ClassRow] = field(default_factory=dict)

    @property
    def supports(self) -> tuple[int, ...]:
        """Images a class, where every class prints them; else empty."""
        known = tuple(c.support for c in self.classes if c.support is not None)
        return known if len(known) == len(self.classes) else ()


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
    if name not in PAPER_TITLES:
        raise UsageError(f"No published table {name!r}: choose {' or '.join(PAPER_TITLES)}.")
    return parse_table(_package_text(f"{name}.csv"), name, PAPER_TITLES[name])


def published_claims() -> tuple[Claim, ...]:
    """The numbers about the paper's own network that its text and tables state."""
    rows = csv.DictReader(io.StringIO(_package_text("claims.csv")))
    return tuple(Claim(**row) for row in rows)


def read_table(path: Path) -> PublishedTable:
    """Read a CSV file of either form; a DataError names the column or line that does not fit."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise UsageError(f"{path} does not exist: give a CSV file, or the word paper.") from None
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise DataError(f"{path} cannot be read ({reason}): give a CSV file in UTF-8.") from error
    return parse_table(text, path.name, path.name)


def parse_table(text: str, name: str, title: str) -> PublishedTable:
    """Parse the text of a CSV file of either form (see the module's docstring)."""
    try:
        lines = list(csv.reader(io.StringIO(text), strict=True))
    except csv.Error as error:
        raise DataError(f"{name} is not a CSV file ({error}): mend its quoting.") from error
    filled = [(i, row) for i, row in enumerate(lines, 1) if any(c.strip() for c in row)]
    if len(filled) < 2:
        raise DataError(f"{name} has no rows: write a header line and a line for each row.")
    header = [_column(c) for c in filled[0][1]]
    if len(set(header)) != len(header):
        twice = next(c for c in header if header.count(c) > 1)
        raise DataError(f"{name} has the column {twice!r} twice: keep one.")
    form = "class" if "class" in header else "algorithm"
    needed = ("class", *METRICS[1:3], "f1") if form == "class" else ("algorithm", *METRICS)
    for column in needed:
        if column not in header:
            raise DataError(
                f"{name} lacks the column {column!r}: its header must name {', '.join(needed)}."
            )
    rows = []
    for line, row in filled[1:]:
        if len(row) > len(header):
            raise DataError(
                f"{name}, line {line} has {len(row)} cells under {len(header)} columns: mend it."
            )
        cells = dict(zip_longest(header, map(str.strip, row), fillvalue=""))
        if not cells[form]:
            raise DataError(f"{name}, line {line} has no {form}: name it.")
        rows.append((f"{name}, line {line}", cells))
    if form == "algorithm":
        return PublishedTable(name, title, rows=tuple(_row(at, cells) for at, cells in rows))
    return _class_table(name, title, rows)


def _class_table(name: str, title: str, rows: list[tuple[str, dict[str, str]]]) -> PublishedTable:
    classes, averages = [], {}
    for at, cells in rows:
        supports = _supports(at, cells.get("support", ""))
        if len(supports) > 1:
            raise DataError(f"{at}, column support: one whole number a class.")
        kind = cells["class"].lower().replace("average", "avg")
        printed = _printed(at, cells)
        if kind == "accuracy":
            printed = {"accuracy": printed.get("accuracy", printed.get("f1", ""))}
            if not printed["accuracy"]:
                raise DataError(f"{at} has no value: write the accuracy in the column f1.")
        row = ClassRow(cells["class"], printed, supports[0] if supports else None)
        if kind in _AVERAGES:
            averages[kind] = row
        else:
            classes.append(row)
    if len(classes) < 2:
        raise DataError(f"{name} names fewer than two classes: write a line for each.")
    return PublishedTable(name, title, classes=tuple(classes), averages=averages)


def _row(at: str, cells: dict[str, str]) -> PublishedRow:
    kind = cells.get("kind", "").lower() or "auto"
    if kind not in KINDS:
        raise DataError(f"{at}, column kind: {kind!r} is not one of {', '.join(KINDS)}.")
    return PublishedRow(
        cells["algorithm"],
        _printed(at, cells),
        kind,
        _supports(at, cells.get("support", "")),
        cells.get("source", ""),
    )


def _printed(at: str, cells: dict[str, str]) -> dict[str, str]:
    printed = {m: cells[m] for m in METRICS if not missing(cells.get(m, ""))}
    for metric, text in printed.items():
        try:
            units_of(text)
        except DataError as error:
            raise DataError(f"{at}, column {metric}: {error}") from None
    return printed


def _supports(at: str, text: str) -> tuple[int, ...]:
    if missing(text):
        return ()
    parts = re.split(r"\s*[/;|+ ]\s*", text.strip())
    if not all(part.isascii() and part.isdigit() and 0 < int(part) < 10**7 for part in parts):
        raise DataError(
            f"{at}, column support: {text!r} is not a count of images such as 652 or 106/186."
        )
    return tuple(int(part) for part in parts)


def _column(text: str) -> str:
    name = re.sub(r"[\s_-]+", "", text.strip().lower())
    return {"f1score": "f1", "sensitivity": "recall", "model": "algorithm"}.get(name, name)


def _package_text(file: str) -> str:
    return (resources.files("leukbench.published") / "data" / file).read_text(encoding="utf-8")
