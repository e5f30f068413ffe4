"""What the verdicts on several rows and tables say together. Nothing here is known beforehand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from leukbench.published.multiclass import Matrix
from leukbench.published.readings import hypotheses
from leukbench.published.reports import ReportVerdict, derived
from leukbench.published.rounding import Cell, show, units_of
from leukbench.published.rows import RowVerdict
from leukbench.published.tables import Claim, PublishedRow
from leukbench.published.testsets import TestSet, common_test_sets
from leukbench.published.wording import explanation, wilson

#: Rows of the longest table in which common test sets are looked for.
LONGEST = 60


@dataclass(frozen=True)
class Finding:
    """One sentence, and the numbers behind it for programs.

    Attributes
    ----------
    kind : str
        test-set, other-test-set, matrices, claim, interval.
    text : str
    data : dict
        JSON-ready.
    """

    kind: str
    text: str
    data: dict[str, Any] = field(default_factory=dict)


def shared_set_findings(verdicts: Sequence[RowVerdict]) -> list[Finding]:
    """Name the rows that were measured on one test set, and what each row's cells are there."""
    if len(verdicts) > LONGEST:
        text = (
            f"Common test sets were not looked for: {len(verdicts)} rows are more than {LONGEST}; "
            "check the table in parts."
        )
        return [Finding("not-looked-for", text, {"rows_searched": 0})]
    by_name = {v.row.name: v for v in verdicts}
    return [_test_set(found, by_name) for found in common_test_sets(verdicts)]


def _test_set(found: TestSet, by_name: dict[str, RowVerdict]) -> Finding:
    names = [m.name for m in found.members]
    lines = [
        f"{', '.join(names)}: one binary test set of {found.n} images "
        f"({found.positives} positive, {found.negatives} negative); TP/FP/FN/TN:"
    ]
    rows: dict[str, Any] = {}
    for member in found.members:
        said = explanation(by_name[member.name], member.reading, member.table)
        lines.append(f"    {member.name} {member.table}: {said}")
        table = member.table
        rows[member.name] = {
            "table": [table.tp, table.fp, table.fn, table.tn],
            "npv_as_specificity": member.reading.npv,
            "misprinted": member.reading.dropped,
        }
    data = {"positives": found.positives, "negatives": found.negatives, "rows": rows}
    return Finding("test-set", "\n".join(lines), data)


def other_test_set(verdicts: Sequence[RowVerdict], images: int) -> Finding | None:
    """Name the binary rows that no confusion matrix of `images` images prints, however it is read."""
    names = []
    for verdict in verdicts:
        if verdict.kind != "binary" or verdict.row.supports or not verdict.cells:
            continue
        row = PublishedRow(verdict.row.name, verdict.row.cells, "binary", (images,))
        readings = hypotheses(row, verdict.cells, images)
        if not any(not reading.dropped for reading in readings):
            names.append(verdict.row.name)
    if not names:
        return None
    text = (
        f"{', '.join(names)}: no confusion matrix of {images} images prints these rows, with "
        "specificity read as specificity or as negative predictive value: they come from other data."
    )
    return Finding("other-test-set", text, {"images": images, "rows": names})


def matrix_findings(verdict: ReportVerdict, names: tuple[str, ...]) -> list[Finding]:
    """State the confusion matrices behind a classification report, and their specificities."""
    matrices = verdict.matrices
    if not matrices or verdict.found is None:
        return []
    n = sum(map(sum, matrices[0]))
    correct = sorted({sum(row[i] for i, row in enumerate(m)) for m in matrices})
    values = [derived(m, names) for m in matrices]
    macro = sorted({float(v["macro specificity"]) for v in values})
    first = sorted({v[f"specificity with {names[0]} as the negative class"] for v in values})
    own = f"{first[0] * sum(matrices[0][0])}/{sum(matrices[0][0])} = {float(first[0]):.3f}"
    text = "\n".join(
        [
            f"{verdict.table.title} and the accuracy fit exactly {len(matrices)} confusion matrices "
            f"of {n} images, {'/'.join(map(str, correct))} correct (rows true, columns predicted):"
            if verdict.found[verdict.style].complete
            else f"{verdict.table.title}: at least {len(matrices)} confusion matrices fit:",
            *(f"    {[list(row) for row in m]}" for m in matrices[:5]),
            f"    their macro specificity is {'/'.join(f'{v:.3f}' for v in macro)}; with {names[0]} "
            f"as the negative class (benign against malignant) it is {own}",
        ]
    )
    data = {
        "matrices": [[list(row) for row in m] for m in matrices],
        "correct": correct,
        "images": n,
        "macro_specificity": macro,
        "first_class_specificity": [float(v) for v in first],
    }
    return [Finding("matrices", text, data)]


def claim_findings(
    claims: Sequence[Claim], matrices: Sequence[Matrix], names: tuple[str, ...]
) -> list[Finding]:
    """Match every stated number with the shares that the confusion matrices really have."""
    values = [derived(m, names) for m in matrices]
    found = []
    matched: dict[str, list[str]] = {}
    for claim in claims:
        cell = Cell.read(claim.value, units_of(claim.value)[0])
        family = [k for k in values[0] if _same_metric(k, claim.statistic)]
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
        found.append(Finding("claim", text, data))
    for share, printed in matched.items():
        if len(printed) > 1:
            value = values[0][share]
            text = f"{' and '.join(printed)} are one number: {share} {_ratio(value, matrices[0])}."
            found.append(Finding("one-number", text, {"values": printed, "true": float(value)}))
    return found


def interval_findings(
    verdicts: Sequence[RowVerdict], sets: Sequence[Finding], name: str, matrix: Matrix
) -> list[Finding]:
    """Compare accuracies' Wilson intervals with those of the model that is said to be best."""
    n = sum(map(sum, matrix))
    k = sum(row[i] for i, row in enumerate(matrix))
    best = wilson(k, n)
    text = f"{name}: accuracy {k}/{n}, Wilson 95 % {best[0]:.3f} to {best[1]:.3f}."
    found = [Finding("interval", text, {"row": name, "k": k, "n": n, "wilson": list(best)})]
    tables = {row: tuple(d["table"]) for s in sets for row, d in s.data["rows"].items()}
    for verdict in verdicts:
        row = verdict.row.name
        if verdict.table is not None and row not in tables:
            tables[row] = (verdict.table.tp, verdict.table.fp, verdict.table.fn, verdict.table.tn)
    for row, (tp, fp, fn, tn) in tables.items():
        k, n = tp + tn, tp + fp + fn + tn
        low, high = wilson(k, n)
        overlap = low <= best[1] and best[0] <= high
        if overlap:
            text = (
                f"{row}: accuracy {k}/{n}, Wilson 95 % {low:.3f} to {high:.3f}, overlaps that of "
                f"{name}: that {name} does better does not follow."
            )
            found.append(
                Finding("interval", text, {"row": row, "k": k, "n": n, "wilson": [low, high]})
            )
    return found


def _rank(name: str) -> int:
    """Order in which a share is likely to be meant: macro, weighted, then of one class."""
    return 0 if name.startswith("macro") else 1 if name.startswith("weighted") else 2


def _same_metric(name: str, statistic: str) -> bool:
    """Whether a derived share is a form of the stated statistic."""
    return {"sensitivity": "recall"}.get(statistic, statistic) in name


def _ratio(value: Fraction, matrix: Matrix) -> str:
    n = sum(map(sum, matrix))
    if (value * n).denominator == 1:
        return f"{value * n}/{n} = {float(value):.5f}"
    return f"{show(value)} %"
