"""What the paper's tables and its running text say together: matrices, claims, intervals."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any

from leukbench.published.paper_tables import Claim, published_claims
from leukbench.published.report_search import Matrix, derived
from leukbench.published.reports import ReportVerdict, judge_report
from leukbench.published.rounding import Cell, show
from leukbench.published.rows import RowVerdict
from leukbench.published.shared_sets import (
    TableFinding,
    other_set_findings,
    own_set_findings,
    shared_set_findings,
)
from leukbench.published.tables import PublishedTable
from leukbench.score.intervals import wilson


def paper_findings(
    rows: Sequence[RowVerdict], table2: PublishedTable
) -> tuple[ReportVerdict, list[TableFinding]]:
    """Judge Table 2 with the accuracy that Table 1 prints, and say what both and the text say."""
    # The row of Table 1 whose supports are those of Table 2 is the model that Table 2 reports on.
    own = next(v for v in rows if v.row.supports == table2.supports)
    report = judge_report(table2, Cell.read(own.row.cells["accuracy"]))
    sets = shared_set_findings(rows)
    findings = [*sets, *own_set_findings(rows, sets)]
    findings += other_set_findings(rows, sum(table2.supports))
    if report.matrices:
        findings.append(_matrix_finding(report))
        findings += _claim_findings(published_claims(), report)
        findings += _interval_findings(rows, sets, own.row.name, report.matrices[0])
    return report, findings


def _matrix_finding(verdict: ReportVerdict) -> TableFinding:
    """State the confusion matrices behind a classification report, and their specificities."""
    matrices, negative = verdict.matrices, verdict.names[0]
    n, images = sum(map(sum, matrices[0])), sum(matrices[0][0])
    correct = sorted({_correct(m) for m in matrices})
    values = [derived(m, verdict.names) for m in matrices]
    macro = sorted({float(v["macro specificity"]) for v in values})
    first = sorted({v[f"specificity with {negative} as the negative class"] for v in values})
    head = f"{verdict.table.title}: at least {len(matrices)} confusion matrices fit:"
    if verdict.fits[verdict.style].complete:
        head = (
            f"{verdict.table.title} and the accuracy fit exactly {len(matrices)} confusion matrices "
            f"of {n} images, {'/'.join(map(str, correct))} correct (rows true, columns predicted):"
        )
    tail = (
        f"    their macro specificity is {'/'.join(f'{v:.3f}' for v in macro)}; with {negative} "
        f"as the negative class (benign against malignant) it is {first[0] * images}/{images} = "
        f"{float(first[0]):.3f}"
    )
    data = {
        "matrices": [[list(row) for row in m] for m in matrices],
        "correct": correct,
        "images": n,
        "macro_specificity": macro,
        "first_class_specificity": [float(v) for v in first],
    }
    listed = [f"    {[list(row) for row in m]}" for m in matrices[:5]]
    return TableFinding("matrices", "\n".join([head, *listed, tail]), data)


def _claim_findings(claims: Sequence[Claim], report: ReportVerdict) -> Iterator[TableFinding]:
    """Match every stated number with the shares that the confusion matrices really have."""
    values = [derived(m, report.names) for m in report.matrices]
    matched: dict[str, list[str]] = {}
    for claim in claims:
        cell = Cell.read(claim.value)
        metric = {"sensitivity": "recall"}.get(claim.statistic, claim.statistic)
        family = [k for k in values[0] if metric in k]
        fits = [k for k in family if all(cell.fits(v[k]) for v in values)]
        fits.sort(key=lambda k: (k != claim.statistic, _rank(k), k))
        data: dict[str, Any] = {"statistic": claim.statistic, "value": claim.value, "fits": fits}
        where = f"{claim.algorithm}, {claim.statistic} {claim.value} ({claim.source})"
        if fits:
            value = values[0][fits[0]]
            how = "cut off" if cell.style_of(value) == "cut" else "rounded"
            data |= {"true": float(value), "how": how}
            text = f"{where} is the {fits[0]}, {float(value):.5f}, {how}."
            matched.setdefault(fits[0], []).append(claim.value)
        else:
            near = sorted({f"{k} {float(v[k]):.3f}" for v in values for k in family})
            text = f"{where} is none of: {', '.join(near)}."
        yield TableFinding("claim", text, data)
    for share, printed in matched.items():
        if len(printed) > 1:
            value = values[0][share]
            ratio = _ratio(value, sum(map(sum, report.matrices[0])))
            text = f"{' and '.join(printed)} are one number: {share} {ratio}."
            yield TableFinding("one-number", text, {"values": printed, "true": float(value)})


def _interval_findings(
    verdicts: Sequence[RowVerdict], sets: Sequence[TableFinding], name: str, matrix: Matrix
) -> Iterator[TableFinding]:
    """Compare accuracies' Wilson intervals with those of the model that is said to be best."""

    def finding(row: str, k: int, n: int, also: str) -> TableFinding:
        low, high = wilson(k, n)
        text = f"{row}: accuracy {k}/{n}, Wilson 95 % {low:.3f} to {high:.3f}{also}."
        return TableFinding("interval", text, {"row": row, "k": k, "n": n, "wilson": [low, high]})

    first = finding(name, _correct(matrix), sum(map(sum, matrix)), "")
    yield first
    tables = {row: d["table"] for s in sets for row, d in s.data["rows"].items()}
    for verdict in verdicts:
        if verdict.table is not None:
            tables.setdefault(verdict.row.name, list(verdict.table))
    for row, (tp, fp, fn, tn) in tables.items():
        also = f", overlaps that of {name}: that {name} does better does not follow"
        other = finding(row, tp + tn, tp + fp + fn + tn, also)
        (low, high), best = other.data["wilson"], first.data["wilson"]
        if low <= best[1] and best[0] <= high:
            yield other


def _correct(matrix: Matrix) -> int:
    return sum(row[i] for i, row in enumerate(matrix))


def _rank(name: str) -> int:
    """Order in which a share is likely to be meant: macro, weighted, then of one class."""
    return 0 if name.startswith("macro") else 1 if name.startswith("weighted") else 2


def _ratio(value: Fraction, n: int) -> str:
    if (value * n).denominator == 1:
        return f"{value * n}/{n} = {float(value):.5f}"
    return f"{show(value)} %"
