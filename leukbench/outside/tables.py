"""Tables of other programs, CSV or Parquet, as text; whoever refuses a cell names its place."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pandas as pd

from leukbench.data.tables import DELIMITERS, table_text
from leukbench.errors import DataError, did_you_mean


@dataclass(frozen=True)
class OutsideTable:
    """Cells of one file, all of them text.

    `unit` is what a place is called, ``line`` in a CSV file and ``row`` in a Parquet file, and the index
    of `cells` is its number there, from 1.
    """

    file: Path
    unit: str
    cells: pd.DataFrame

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns, as they are written."""
        return tuple(map(str, self.cells.columns))

    def refuse(self, number: int, column: str, what: str, mend: str) -> NoReturn:
        """Raise a `DataError` that names file, place and column."""
        raise DataError(f"{self.file}, {self.unit} {number}, column {column}: {what}; {mend}.")

    def refuse_where(self, wrong: Any, column: str, what: str, mend: str) -> None:
        """Refuse the first cell of a column that is wrong; ``{}`` in `what` is its content."""
        places = np.flatnonzero(np.asarray(wrong))
        if not places.size:
            return
        content = self.cells[column].iloc[places[0]] if column in self.cells else ""
        more = f" (and in {places.size - 1} more)" if places.size > 1 else ""
        number = int(self.cells.index[places[0]])
        self.refuse(number, column, what.replace("{}", repr(str(content))[:60]) + more, mend)

    def require(self, columns: Sequence[str]) -> None:
        """Refuse a table that lacks one of these columns."""
        for name in columns:
            if name not in self.cells:
                raise DataError(
                    f"{self.file} has no column {name}{did_you_mean(name, self.columns)}: it has "
                    f"{', '.join(self.columns)[:200]}; add it."
                )

    def filled(self, columns: Sequence[str]) -> None:
        """Refuse an empty cell in one of these columns."""
        for name in columns:
            self.refuse_where(self.cells[name] == "", name, "is empty", "fill it in")

    def only(self, columns: Sequence[str], mend: str) -> None:
        """Refuse a column that is none of these."""
        for name in self.columns:
            if name not in columns:
                raise DataError(
                    f"{self.file} has the column {name}, which is unknown"
                    f"{did_you_mean(name, columns)}: {mend}."
                )

    def numbers(self, column: str) -> np.ndarray[Any, np.dtype[np.float64]]:
        """A column as numbers, exactly as written; `DataError` names what is none."""
        out = np.empty(len(self.cells))
        for position, text in enumerate(self.cells[column]):
            try:
                out[position] = float(text)
            except ValueError:
                self._refuse_number(position, column, "{} is no number")
            if not np.isfinite(out[position]):
                self._refuse_number(position, column, "{} is no finite number")
        return out

    def _refuse_number(self, position: int, column: str, what: str) -> NoReturn:
        number, content = int(self.cells.index[position]), self.cells[column].iloc[position]
        said = what.replace("{}", repr(str(content))[:60])
        self.refuse(number, column, said, "write a number with a point, as in 0.25")

    def whole(self, column: str) -> list[int]:
        """A column as whole numbers from 0."""
        values = self.numbers(column)
        wrong = (values < 0) | (values != np.rint(values))
        self.refuse_where(wrong, column, "{} is no whole number from 0", "number them 0, 1, 2")
        return [int(value) for value in values]


def read_table(file: Path, needed: Sequence[str]) -> OutsideTable:
    """Read a ``.csv`` or ``.parquet`` file that has the columns `needed`.

    Raises
    ------
    DataError
        Where it cannot be read, holds no row, a column twice or a row of another length, or lacks a
        column.
    """
    file = Path(file)
    table = _parquet(file) if file.suffix.lower() in (".parquet", ".pq") else _csv(file, needed)
    twice = table.cells.columns[table.cells.columns.duplicated()]
    if len(twice):
        raise DataError(f"{file} has the column {twice[0]} twice: keep one of them.")
    table.require(needed)
    if table.cells.empty:
        raise DataError(f"{file} holds no row: write one for each image.")
    return table


def _csv(file: Path, needed: Sequence[str]) -> OutsideTable:
    text = table_text(file)
    for delimiter in (*DELIMITERS, ","):
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
        lines = [(reader.line_num, [cell.strip() for cell in line]) for line in reader if any(line)]
        header = lines[0][1] if lines else []
        if needed[0] in header:
            break
    for number, cells in lines:
        if len(cells) != len(header):
            raise DataError(
                f"{file}, line {number} has {len(cells)} cells, and the first line has "
                f"{len(header)}: give it one for each column."
            )
    index = pd.Index([number for number, _ in lines[1:]])
    return OutsideTable(
        file, "line", pd.DataFrame([cells for _, cells in lines[1:]], index, header, dtype=str)
    )


def _parquet(file: Path) -> OutsideTable:
    try:
        frame = pd.read_parquet(file)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "it is no Parquet file"
        raise DataError(f"{file} cannot be read ({why}): check the path.") from error
    frame.index = pd.RangeIndex(1, len(frame) + 1)
    cells = {str(name): [_text(value) for value in frame[name].tolist()] for name in frame}
    return OutsideTable(file, "row", pd.DataFrame(cells, frame.index, dtype=str))


def _text(value: object) -> str:
    """A cell as a CSV file would hold it; what is missing is empty, but NaN stays no number."""
    return "" if value is None or value is pd.NA else str(value).strip()
