"""Reads a published table from a file.

**Rows of algorithms** (CSV): a column ``algorithm`` or ``model`` and any of accuracy, precision,
recall, specificity, f1, npv, balanced accuracy, mcc, kappa, lr+, lr-, auc, in usual spellings;
optional ``kind`` (see `tables.KINDS`; "macro F1" in a header or "weighted avg" in a name say it
too), ``support`` (images in the test set, or one number a class as in ``106/186/203/157``;
positives/negatives for a binary row), ``trials`` (above 1: a mean) and ``source``.
**A classification report**: a column ``class`` with any of precision, recall, specificity, f1,
support; scikit-learn's text, or its dictionary as pandas writes it to CSV, upright or transposed.
**A confusion matrix**: a square of counts (rows true, columns predicted), with or without names.

Values are kept as printed; empty cells and dashes mean "not reported"; ``97.6 ± 0.4`` is a mean.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from leukbench.errors import DataError, UsageError
from leukbench.published.rounding import missing, units_of
from leukbench.published.tables import (
    AVERAGES,
    EXTRAS,
    KINDS,
    METRICS,
    ClassRow,
    PublishedRow,
    PublishedTable,
)

_SPELLINGS = {
    "accuracy": "acc",
    "precision": "prec ppv positivepredictivevalue",
    "recall": "sensitivity sens tpr truepositiverate",
    "specificity": "spec tnr truenegativerate selectivity",
    "f1": "f1score f1measure fscore fmeasure dice",
    "npv": "negativepredictivevalue",
    "balanced_accuracy": "balancedaccuracy balancedacc bacc",
    "mcc": "matthews matthewscorrelationcoefficient",
    "kappa": "cohenkappa cohenskappa",
    "lr+": "plr positivelikelihoodratio",
    "lr-": "nlr negativelikelihoodratio",
    "auc": "auroc rocauc aucroc",
    "algorithm": "model method classifier network",
    "class": "label",
    "support": "images samples",
    "trials": "runs folds seeds",
}
_NAMES = {other: name for name, others in _SPELLINGS.items() for other in others.split()}
_AVERAGINGS = {"macro": "macro", "weighted": "weighted", "micro": "micro", "samples": "mean"}
_COUNT = re.compile("[0-9]{1,9}")
_SPREAD = re.compile(
    r"\s*(?:±|\+/?-|\\pm)\s*[\d.]+\s*%?|\s*[(\[][-–\d.,;\s%]+(?:to)?[-–\d.,;\s%]*[)\]]"
)
_MEAN = re.compile(r"\b(mean|averaged?|cross.?validat\w*|cv|folds?|seeds)\b|±|\+/-")


class Column(NamedTuple):
    """What a header says: the field, which average over classes, and whether in percent."""

    name: str
    averaging: str
    percent: bool
    text: str


Lines = Sequence[tuple[int, Sequence[str]]]
Named = tuple[str, dict[Column, str]]


def read_tables(path: Path) -> tuple[PublishedTable, ...]:
    """Read a file of any form; a DataError names the column or line that does not fit."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise UsageError(f"{path} does not exist: give a CSV file, or the word paper.") from None
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise DataError(f"{path} cannot be read ({reason}): give a CSV file in UTF-8.") from error
    return parse_tables(text, path.name, path.name)


def read_table(path: Path) -> PublishedTable:
    """Read a file that holds one table; of several reports, the first."""
    return read_tables(path)[0]


def parse_tables(text: str, name: str, title: str) -> tuple[PublishedTable, ...]:
    """Parse a text of any form (see the module's docstring): a table, or a report for each model."""
    printed = _text_report(text)
    lines = printed or _csv_lines(text, name)
    if len(lines) < 2:
        raise DataError(f"{name} has no rows: write a header line and a line for each row.")
    columns = [_column(c) for c in lines[0][1]]
    fields = [c.name for c in columns]
    if not {*METRICS, *EXTRAS} & {*fields} and (table := _matrix(lines, name, title)) is not None:
        return (table,)
    labels = [_column(row[0]).name for _, row in lines[1:]]
    if not fields[0] and {*METRICS} & {*labels} and {*labels} <= {*METRICS, "support"}:
        width = len(columns)
        turned = zip(*([*row, *[""] * width][:width] for _, row in lines), strict=True)
        lines = list(enumerate(turned, 1))
        columns = [_column(c) for c in lines[0][1]]
    exported = columns[0].text.lower() in ("", "unnamed: 0")
    if exported:
        columns[0] = Column("class", "", False, "class")
    twice = [c.text for i, c in enumerate(columns) if c[:2] in [other[:2] for other in columns[:i]]]
    if twice:
        raise DataError(f"{name} has the column {_column(twice[0]).name!r} twice: keep one.")
    form = "class" if any(c.name == "class" for c in columns) else "algorithm"
    if form not in (c.name for c in columns) or not {*METRICS} & {c.name for c in columns}:
        raise DataError(
            f"{name} lacks the column {form!r} or any of {', '.join(METRICS)}: name them in its header."
        )
    rows = [_named(f"{name}, line {line}", row, columns, form) for line, row in lines[1:]]
    if form == "algorithm":
        read = {*METRICS, *EXTRAS, "npv", "algorithm", "kind", "support", "trials", "source"}
        unread = tuple(c.text for c in columns if c.name not in read)
        listed = tuple(r for at, cells in rows for r in _rows(at, cells))
        return (PublishedTable(name, title, rows=listed, unread=unread),)
    unread = tuple(
        c.text for c in columns if c.name not in (*METRICS, "class", "algorithm", "support")
    )
    models = dict.fromkeys(_get(cells, "algorithm") for _, cells in rows)
    return tuple(
        _report(
            f"{name}, {model}" if model else name,
            f"{title}, {model}" if model else title,
            [(at, cells) for at, cells in rows if _get(cells, "algorithm") == model],
            unread,
            exported or bool(printed),
        )
        for model in models
    )


def _csv_lines(text: str, name: str) -> Lines:
    first = next((line for line in text.splitlines() if line.strip()), "")
    delimiter = "," if "," in first else next((d for d in "\t;" if d in first), ",")
    try:
        lines = list(csv.reader(io.StringIO(text), delimiter=delimiter, strict=True))
    except csv.Error as error:
        raise DataError(f"{name} is not a CSV file ({error}): mend its quoting.") from error
    return [(i, row) for i, row in enumerate(lines, 1) if any(c.strip() for c in row)]


def _text_report(text: str) -> Lines:
    """The lines of scikit-learn's text report; none if it is not one."""
    lines = [(i, line.split()) for i, line in enumerate(text.splitlines(), 1) if line.strip()]
    if not lines or "," in text or lines[0][1][:2] != ["precision", "recall"]:
        return []
    header = lines[0][1]
    out: list[tuple[int, list[str]]] = [(lines[0][0], ["class", *header])]
    for i, words in lines[1:]:
        count = 0
        while count < min(len(header), len(words) - 1) and re.fullmatch(
            r"[\d.]+|nan", words[-1 - count]
        ):
            count += 1
        values = words[len(words) - count :]
        blank = [""] * (len(header) - count)
        out.append((i, [" ".join(words[: len(words) - count]), *blank, *values]))
    return out


def _matrix(lines: Lines, name: str, title: str) -> PublishedTable | None:
    """A square of counts, with or without a line and a column of names; None if it is none."""
    table = [[c.strip() for c in row] for _, row in lines]
    width = len(table[0])
    top, side = {0: (0, 0), 1: (1, 0), -1: (0, 1)}.get(len(table) - width, (-1, -1))
    if (top, side) == (0, 0) and not table[0][0].isdigit():
        top = side = 1
    body = [row[side:] for row in table[top:]] if top >= 0 else []
    if len(body) < 2 or not all(
        len(r) == len(body) and all(map(_COUNT.fullmatch, r)) for r in body
    ):
        return None
    numbers = [str(i) for i in range(1, len(body) + 1)]
    names = table[0][side:] if top else [row[0] for row in table] if side else numbers
    matrix = tuple(tuple(int(c) for c in row) for row in body)
    classes = tuple(ClassRow(c, {}, sum(r)) for c, r in zip(names, matrix, strict=True))
    return PublishedTable(name, title, classes=classes, matrix=matrix)


def _column(text: str) -> Column:
    words = re.sub(r"[_()\[\]%]", " ", text.lower())
    words = re.sub(r"(±|\+/-).*|\bmean\b", " ", words)
    averaging = next((a for a in _AVERAGINGS if re.search(rf"\b{a}\b", words)), "")
    if averaging:
        words = re.sub(rf"\b({averaging}|avg|averaged?)\b", " ", words)
    key = re.sub(r"[^a-z0-9+]", "", words) + "-" * words.strip().endswith("-")
    return Column(_NAMES.get(key, key), averaging, "%" in text, text.strip())


def _named(at: str, row: Sequence[str], columns: Sequence[Column], form: str) -> Named:
    if len(row) > len(columns):
        raise DataError(f"{at} has {len(row)} cells under {len(columns)} columns: mend it.")
    blank = [""] * (len(columns) - len(row))
    cells = dict(zip(columns, map(str.strip, [*row, *blank]), strict=True))
    if not _get(cells, form):
        raise DataError(f"{at} has no {form}: name it.")
    return at, cells


def _get(cells: dict[Column, str], name: str) -> str:
    return next((text for c, text in cells.items() if c.name == name), "")


def _rows(at: str, cells: dict[Column, str]) -> list[PublishedRow]:
    """One row, or one for each average over classes that the header tells apart."""
    kind = _get(cells, "kind").lower() or "auto"
    if kind not in KINDS:
        raise DataError(f"{at}, column kind: {kind!r} is not one of {', '.join(KINDS)}.")
    name, trials = _get(cells, "algorithm"), _get(cells, "trials")
    told = next((a for a in _AVERAGINGS if re.search(rf"\b{a}\b", name.lower())), "")
    mean = _MEAN.search(name.lower()) is not None or (
        bool(_COUNT.fullmatch(trials)) and int(trials) > 1
    )
    averaged = [c for c in cells if c.name in (*METRICS[1:], "npv") and not missing(cells[c])]
    groups = list(dict.fromkeys(c.averaging for c in averaged)) or [""]
    rows = []
    for group in groups:
        mine = {c: t for c, t in cells.items() if c not in averaged or c.averaging == group}
        printed = _printed(at, mine, (*METRICS, "npv"))
        extras = {c.name: t for c, t in mine.items() if c.name in EXTRAS and not missing(t)}
        of_runs = [c for c in mine if c.name in printed]
        spread = any(_SPREAD.search(mine[c]) or _MEAN.search(c.text.lower()) for c in of_runs)
        stated = kind if kind != "auto" else _AVERAGINGS.get(group or told, "auto")
        rows.append(
            PublishedRow(
                name if len(groups) == 1 else f"{name} ({group or 'not said'})",
                printed,
                stated,
                _supports(at, _get(cells, "support")),
                _get(cells, "source"),
                mean or spread or stated == "mean",
                {m: _SPREAD.sub("", t) for m, t in extras.items()},
            )
        )
    return rows


def _report(
    name: str, title: str, rows: Sequence[Named], unread: tuple[str, ...], one_run: bool
) -> PublishedTable:
    classes, averages = [], {}
    for at, cells in rows:
        kind = re.sub(r"[\s_-]+", " ", _get(cells, "class").lower().replace("average", "avg"))
        kind = re.sub(r"\s*/\s*", " / ", kind)
        printed, count = _printed(at, cells, METRICS), _get(cells, "support")
        if kind == "accuracy":
            values = [printed.get(m, "") for m in ("accuracy", "f1", "precision")]
            printed = {"accuracy": next(filter(None, values), "")}
            if not printed["accuracy"]:
                raise DataError(f"{at} has no value: write the accuracy in the column f1.")
            # pandas repeats the accuracy in the column of the supports.
            count = count if re.fullmatch(r"\d+(\.0+)?", count) and float(count) > 1 else ""
        supports = _supports(at, count)
        if len(supports) > 1:
            raise DataError(f"{at}, column support: one whole number a class.")
        row = ClassRow(_get(cells, "class"), printed, supports[0] if supports else None)
        if kind in AVERAGES:
            averages[kind] = row
        else:
            classes.append(row)
    if len(classes) < 2:
        raise DataError(f"{name} names fewer than two classes: write a line for each.")
    return PublishedTable(name, title, (), tuple(classes), averages, unread=unread, one_run=one_run)


def _printed(at: str, cells: dict[Column, str], metrics: Sequence[str]) -> dict[str, str]:
    printed = {}
    for column, text in cells.items():
        value = _SPREAD.sub("", text)
        if column.name not in metrics or missing(value):
            continue
        # A header in percent stands over fractions too often to be believed of them.
        percent = (
            column.percent and "%" not in value and not re.fullmatch(r"0?\.\d+|1(\.0*)?", value)
        )
        printed[column.name] = value + "%" * percent
        try:
            units_of(printed[column.name])
        except DataError as error:
            raise DataError(f"{at}, column {column.name}: {error}") from None
    return {m: printed[m] for m in metrics if m in printed}


def _supports(at: str, text: str) -> tuple[int, ...]:
    if missing(text):
        return ()
    parts = re.split(r"\s*[/;|+ ]\s*", text.strip())
    if not all(re.fullmatch(r"[0-9]{1,7}(\.0+)?", part) for part in parts):
        raise DataError(
            f"{at}, column support: {text!r} is not a count of images such as 652 or 106/186."
        )
    return tuple(int(float(part)) for part in parts)
