"""`check-table`: can the numbers of a published table be true?"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from leukbench.errors import UsageError, require_whole
from leukbench.published.paper import paper_findings
from leukbench.published.paper_tables import published_table
from leukbench.published.reading import read_tables
from leukbench.published.reports import ReportVerdict, judge_report
from leukbench.published.rows import CONSISTENT, IMPOSSIBLE, UNSETTLED, RowVerdict, judge_row
from leukbench.published.shared_sets import TableFinding, shared_set_findings
from leukbench.published.superiority import superiority_findings
from leukbench.published.tables import KINDS, PublishedTable
from leukbench.published.wording import STATUS, report_lines, row_lines

#: Largest binary test set searched where a row does not state its size, and the most it can be.
IMAGES, MOST_IMAGES = 1000, 20_000


@dataclass(frozen=True)
class CheckReport:
    """A verdict for each algorithm and each classification report, and what they say together."""

    source: str
    rows: tuple[RowVerdict, ...] = ()
    reports: tuple[ReportVerdict, ...] = ()
    findings: tuple[TableFinding, ...] = ()

    @property
    def exit_code(self) -> int:
        """1 if a row or report cannot be true, else 0."""
        return int(IMPOSSIBLE in self._statuses)

    @property
    def _statuses(self) -> list[str]:
        return [v.status for v in self.rows] + [v.status for v in self.reports]

    def lines(self) -> list[str]:
        """Plain text: every row's verdict, then the findings, then the count."""
        out = [line for row in self.rows for line in row_lines(row)]
        for report in self.reports:
            out += ["", *report_lines(report)] if out else report_lines(report)
        if self.findings:
            out += ["", "Findings"]
            out += [f"  {i}. {finding.text}" for i, finding in enumerate(self.findings, 1)]
        words = STATUS | {IMPOSSIBLE: "that cannot be true"}
        counted = Counter(self._statuses)
        counts = [f"{counted[status]} {word}" for status, word in words.items() if counted[status]]
        kinds = [name for name in ("rows", "reports") if getattr(self, name)] or ["reports"]
        return [*out, "", f"{' and '.join(kinds).capitalize()}: {', '.join(counts)}."]

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
    images: int = IMAGES,
) -> CheckReport:
    """Check the arithmetic of a published table.

    Parameters
    ----------
    source : str
        ``paper`` for Tables 1 and 2 of the paper, or a file (forms: `reading`).
    kind : {"auto", "binary", "macro", "weighted", "micro", "mean"}, optional
        How the rows' shares were taken; overrides what the file says. A binary row has one positive
        class; macro, weighted and micro are averages over classes, "mean" is one over folds, seeds
        or datasets. Without any, "auto": a row cannot be true only if it is none of these. A
        classification report of a stated kind but "mean" is one of a single test set, as
        scikit-learn's own always is.
    classes : int, optional
        Number of classes of macro rows without supports, at least 2.
    images : int, default 1000
        Largest binary test set to search where a row does not state its size; at most 20,000.

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
        raise UsageError(f"`kind={kind}` is not one of {', '.join(KINDS)}: choose one.")
    if classes is not None:
        require_whole("classes", classes, 2)
    require_whole("images", images, 2, MOST_IMAGES)
    if source == "paper":
        verdicts = [judge_row(row, limit=images) for row in published_table("table1").rows]
        report, findings = paper_findings(verdicts, published_table("table2"))
        return CheckReport("paper", tuple(verdicts), (report,), tuple(findings))
    tables = read_tables(Path(source))
    rows = [row for table in tables for row in table.rows]
    if kind is not None:
        rows = [replace(row, kind=kind, mean=row.mean or kind == "mean") for row in rows]
    verdicts = [judge_row(row, classes=classes, limit=images) for row in rows]
    one_run = kind not in (None, "auto", "mean")
    reports = tuple(
        judge_report(replace(t, one_run=(t.one_run or one_run) and kind != "mean"))
        for t in tables
        if t.classes
    )
    findings = [*_unread(tables[0]), *_kind_finding(verdicts), *shared_set_findings(verdicts)]
    findings += superiority_findings(verdicts)
    return CheckReport(source, tuple(verdicts), reports, tuple(findings))


def _unread(table: PublishedTable) -> Iterator[TableFinding]:
    if table.unread:
        text = f"Columns that are not checked: {', '.join(table.unread)}."
        yield TableFinding("unread", text, {"columns": list(table.unread)})


def _kind_finding(verdicts: Sequence[RowVerdict]) -> Iterator[TableFinding]:
    """Name the rows that would be impossible if they are binary, as other rows of the table seem."""
    open_ = [v for v in verdicts if v.row.kind == "auto" and not v.row.mean]
    binary = [v for v in open_ if v.kind == "binary" and v.status == CONSISTENT]
    others = [v.row.name for v in open_ if v.kind == UNSETTLED]
    if binary and others:
        text = (
            f"{', '.join(others)}: impossible if binary, as {len(binary)} of {len(open_)} rows may be; "
            "state their kind."
        )
        yield TableFinding("kinds", text, {"binary": len(binary), "rows": others})


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
        metrics = ("accuracy", "precision", "recall", "specificity", "npv", "f1")
        shares = {m: table.share(m) for m in metrics}
        data |= {
            "npv_as_specificity": reading.npv,
            "misprinted": reading.dropped,
            "f1_of_printed": reading.f1_of_printed,
            "tables": reading.fits.count,
            "searched_to": reading.fits.limit,
            "search_complete": reading.fits.complete,
            "smallest": list(table),
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
            s: {"found": len(f.matrices), "complete": f.complete} for s, f in verdict.fits.items()
        },
        "ranges": {
            s: {"complete": f.ranges_complete, **{m: list(r) for m, r in f.ranges.items()}}
            for s, f in verdict.fits.items()
        },
    }
