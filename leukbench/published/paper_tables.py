"""The tables and claims of the paper that this benchmark re-examines, as printed."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from importlib import resources

from leukbench.errors import UsageError
from leukbench.published.reading import parse_tables
from leukbench.published.tables import PublishedTable

_PAPER = "of Keerthivasan and Saranya 2023 (doi:10.47392/IRJASH.2023.066)"
PAPER_TITLES = {"table1": f"Table 1 {_PAPER}", "table2": f"Table 2 {_PAPER}"}


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
    (table,) = parse_tables(_package_text(f"{name}.csv"), name, PAPER_TITLES[name])
    return table


def published_claims() -> tuple[Claim, ...]:
    """The numbers about the paper's own network that its text and tables state."""
    rows = csv.DictReader(io.StringIO(_package_text("claims.csv")))
    return tuple(Claim(**row) for row in rows)


def _package_text(file: str) -> str:
    return (resources.files("leukbench.published") / "data" / file).read_text(encoding="utf-8")
