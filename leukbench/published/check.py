"""`check-table`: can the numbers of a published table be true?"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from leukbench.errors import UsageError
from leukbench.published.evidence import settle_kinds
from leukbench.published.findings import (
    Finding,
    claim_findings,
    interval_findings,
    matrix_findings,
    other_test_set,
    shared_set_findings,
)
from leukbench.published.reports import ReportVerdict, judge_report
from leukbench.published.rounding import Cell, units_of
from leukbench.published.rows import CONSISTENT, IMPOSSIBLE, OPEN, RowVerdict, judge_row
from leukbench.published.tables import (
    KINDS,
    PublishedTable,
    published_claims,
    published_table,
    read_table,
)
from leukbench.published.wording import report_lines, row_lines

#: Largest binary test set searched where a row does not state its size.
MAX_IMAGES = 1000


@dataclass(frozen=True)
class CheckReport:
    """What `check_table` found.

    Attributes
    ----------
    source : str
        ``paper`` or the file.
    rows : tuple of RowVerdict
        One for each algorithm.
    reports : tuple of ReportVerdict
        One for each classification report.
    findings : tuple of Finding
        What rows and tables say together.
    """

    source: str
    rows: tuple[RowVerdict, ...] = ()
    reports: tuple[ReportVerdict, ...] = ()
    findings: tuple[Finding, ...] = ()

    @property
    def exit_code(self) -> int:
        """1 if a row or report cannot be true, else 0."""
        statuses = [v.status for v in self.rows] + [v.status for v in self.reports]
        return int(IMPOSSIBLE in statuses)

    def lines(self) -> list[str]:
        """Plain text: every row's verdict, then the findings, then the count."""
        out: list[str] = []
        for row in self.rows:
            out += row_lines(row)
        for report in self.reports:
            out += ["", *report_lines(report)] if out else report_lines(report)
        if self.findings:
            out += ["", "Findings"]
            out += [f"  {i}. {line}" for i, f in enumerate(self.findings, 1) for line in [f.text]]
        verdicts = [v.status for v in self.rows] + [v.status for v in self.reports]
        counts = [
            f"{verdicts.count(status)} {word}"
            for status, word in (
                (CONSISTENT, "consistent"),
                (OPEN, "not decided"),
                (IMPOSSIBLE, "that cannot be true"),
            )
            if verdicts.count(status)
        ]
        what = (
            "Rows and reports" if self.rows and self.reports else "Rows" if self.rows else "Reports"
        )
        return [*out, "", f"{what}: {', '.join(counts)}."]

    def to_json(self) -> str:
        """The same as JSON text; shares as fractions of one, tables as [TP, FP, FN, TN]."""
        data = {
            "source": self.source,
            "exit_code": self.exit_code,
            "rows": [_row_data(v) for v in self.rows],
            "reports": [_report_data(v) for v in self.reports],
            "findings": [{"kind": f.kind, "text": f.text, **f.data} for f in self.findings],
        }
        return json.dumps(data, ensure_ascii=False, indent=2)


def check_table(
    source: str,
    *,
    kind: str | None = None,
    classes: int | None = None,
    max_images: int = MAX_IMAGES,
) -> CheckReport:
    """Check the arithmetic of a published table.

    Parameters
    ----------
    source : str
        ``paper`` for Tables 1 and 2 of the paper, or a CSV file (forms: `tables`).
    kind : {"auto", "binary", "macro"}, optional
        How the rows' shares were taken; overrides the file's own column. A binary row has one
        positive class; a macro row averages over classes. Without either, "auto": a row cannot be
        true only if it is neither, unless the table as a whole shows that its rows are binary.
    classes : int, optional
        Number of classes of macro rows without supports, at least 2.
    max_images : int, default 1000
        Largest binary test set to search where a row does not state its size.

    Returns
    -------
    CheckReport

    Raises
    ------
    UsageError
        For an option that does not fit, or a file that does not exist.
    DataError
        For a table that cannot be read, naming the line and the column.

    Examples
    --------
    >>> check_table("paper").exit_code
    1
    """
    if kind is not None and kind not in KINDS:
        raise UsageError(f"--kind {kind} is not one of {', '.join(KINDS)}: choose one.")
    if classes is not None and classes < 2:
        raise UsageError(f"--classes {classes} is too few: a classifier has at least 2.")
    if not 2 <= max_images <= 20_000:
        raise UsageError(f"--max-images {max_images} is out of range: choose 2 to 20000.")
    if source == "paper":
        return _check_paper(max_images)
    table = read_table(Path(source))
    if table.classes:
        return CheckReport(source, reports=(judge_report(table),))
    rows = _judge_rows(table, kind, classes, max_images)
    return CheckReport(source, rows, findings=tuple(shared_set_findings(rows)))


def _judge_rows(
    table: PublishedTable, kind: str | None, classes: int | None, limit: int
) -> tuple[RowVerdict, ...]:
    stated = [replace(row, kind=kind or row.kind) for row in table.rows]
    rows = [judge_row(row, classes=classes, limit=limit) for row in stated]
    return tuple(settle_kinds(rows, limit))


def _check_paper(limit: int) -> CheckReport:
    first, second = published_table("table1"), published_table("table2")
    rows = _judge_rows(first, None, None, limit)
    # The row of Table 1 whose supports are those of Table 2 is the model that Table 2 reports on.
    own = next(v for v in rows if v.row.supports == second.supports)
    text = own.row.cells["accuracy"]
    accuracy = Cell.read(text, units_of(text)[0])
    report = judge_report(second, accuracy)
    sets = shared_set_findings(rows)
    names = tuple(c.name for c in second.classes)
    findings = [*sets, *_alone(rows, sets)]
    if (other := other_test_set(rows, sum(second.supports))) is not None:
        findings.append(other)
    if report.matrices:
        findings += matrix_findings(report, names)
        findings += claim_findings(published_claims(), report.matrices, names)
        findings += interval_findings(rows, sets, own.row.name, report.matrices[0])
    return CheckReport("paper", rows, (report,), tuple(findings))


def _alone(rows: Sequence[RowVerdict], sets: Sequence[Finding]) -> Iterator[Finding]:
    """The rows with a test set of their own."""
    taken = {name for s in sets for name in s.data["rows"]}
    for verdict in rows:
        table = verdict.table
        if table is None or verdict.row.name in taken:
            continue
        text = (
            f"{verdict.row.name}: shares no test set with another row; the smallest has {table.n} images "
            f"({table.positives} positive): TP/FP/FN/TN {table}."
        )
        counts = [table.tp, table.fp, table.fn, table.tn]
        yield Finding("own-test-set", text, {"row": verdict.row.name, "table": counts})


def _row_data(verdict: RowVerdict) -> dict[str, Any]:
    data: dict[str, Any] = {
        "algorithm": verdict.row.name,
        "kind": verdict.kind,
        "status": verdict.status,
        "printed": verdict.row.cells,
        "hints": list(verdict.hints),
    }
    if verdict.matrix is not None:
        data["matrix"] = [list(line) for line in verdict.matrix]
    reading, table = verdict.reading, verdict.table
    if reading is not None and table is not None:
        shares = {
            m: table.share(m)
            for m in ("accuracy", "precision", "recall", "specificity", "npv", "f1")
        }
        data |= {
            "npv_as_specificity": reading.npv,
            "misprinted": reading.dropped,
            "f1_of_printed": reading.f1_of_printed,
            "tables": reading.fits.count,
            "searched_to": reading.fits.limit,
            "search_complete": reading.fits.complete,
            "smallest": [table.tp, table.fp, table.fn, table.tn],
            "true": {m: None if v is None else float(v) for m, v in shares.items()},
        }
    return data


def _report_data(verdict: ReportVerdict) -> dict[str, Any]:
    return {
        "table": verdict.table.name,
        "status": verdict.status,
        "style": verdict.style,
        "hints": list(verdict.hints),
        "matrices": [[list(row) for row in m] for m in verdict.matrices],
        "counts": {
            s: {"found": len(f.matrices), "complete": f.complete}
            for s, f in (verdict.found or {}).items()
        },
    }
