"""The tables of a run: CSV with full precision, Markdown and LaTeX for people."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from leukbench.files import write_text
from leukbench.records import PublishedValues
from leukbench.report.formats import (
    MISSING,
    NOT_REPORTED,
    SYNTHETIC,
    escape_latex,
    escape_markdown,
    markdown_table,
    percent,
    published_percent,
    with_interval,
)
from leukbench.report.notes import footnotes
from leukbench.report.results import INITIAL_WEIGHTS, Results, rows_of
from leukbench.report.verdict import verdict, warnings
from leukbench.runfolder import RunFolder

CLASS_HEADER = ("Class", "Precision", "Recall", "Specificity", "F1", "Support")
OTHER_MARK = "†"

_HEADER = (
    "Model", "Family", "Accuracy (95 % interval)", "Precision", "Recall", "Specificity", "F1",
    "Trials", "Status", "Published accuracy", "Published source",
)  # fmt: skip
_ALIGN = "llrrrrrrlrl"
_LATEX_COLUMNS = (0, 2, 3, 4, 5, 6, 7, 8, 9)


def table_texts(results: Results) -> dict[str, str]:
    """Return every table of a run by the name of its file."""
    return {
        "comparison.csv": _csv(results.comparison, results.folder),
        "comparison.md": comparison_markdown(results),
        "comparison.tex": comparison_latex(results),
        "classification_report.csv": _csv(results.classification, results.folder),
        "classification_report.md": classification_markdown(results),
    }


def write_tables(folder: RunFolder, results: Results | None = None) -> list[Path]:
    """Write `table_texts` into the run folder, each file whole, and return their paths."""
    texts = table_texts(results or Results(folder))
    for name, text in texts.items():
        write_text(folder.path / name, text)
    return [folder.path / name for name in texts]


def _csv(table: pd.DataFrame, folder: RunFolder) -> str:
    if folder.synthetic:
        table = table.assign(title=table["title"] + f" [{SYNTHETIC}]")
    return str(table.to_csv(index=False, lineterminator="\n"))


def comparison_rows(results: Results) -> list[list[str]]:
    """Cells of the comparison as people read them, under `comparison_header`; nothing is escaped yet."""
    folds = {name: f" ({folds})" for name, folds in results.coverage.items()}
    return [
        [
            row["title"],
            row["family"],
            with_interval(row["accuracy"], row["accuracy_low"], row["accuracy_high"]),
            *(percent(row[name]) for name in ("precision", "recall", "specificity", "f1")),
            f"{row['trials']}{folds.get(row['model'], '')}",
            row["status"],
            published_cell(results.published.get(row["model"])),
            row["published_source"] or MISSING,
            *([row[INITIAL_WEIGHTS] or MISSING] if results.fine_tuned else []),
        ]
        for row in rows_of(results.comparison)
    ]


def class_rows(table: pd.DataFrame) -> list[list[str]]:
    """Cells of one model's scores of each class, under `CLASS_HEADER`."""
    return [
        [
            str(row["class"]),
            *(percent(row[key]) for key in ("precision", "recall", "specificity", "f1")),
            str(row["support"]),
        ]
        for row in rows_of(table)
    ]


def comparison_header(results: Results) -> tuple[str, ...]:
    """Headings of `comparison_rows`."""
    return (*_HEADER, "Initial weights") if results.fine_tuned else _HEADER


def published_cell(published: PublishedValues | None) -> str:
    """Write a published accuracy in percent; a dagger marks one of another data set.

    >>> published_cell(PublishedValues(accuracy="96.83")), published_cell(None)
    ('96.83 % †', 'not reported')
    """
    if published is None or not published.accuracy:
        return NOT_REPORTED
    return published_percent(published.accuracy) + ("" if published.same_data else f" {OTHER_MARK}")


def comparison_markdown(results: Results) -> str:
    """Return ``comparison.md``: verdict, table, footnotes."""
    sentences = verdict(results)
    lines = [f"**{escape_markdown(s.text)}**\n" for s in sentences if s.kind == "warning"]
    lines.append(f"# {_escaped_title(results)}\n")
    lines += [f"- {escape_markdown(s.text)}" for s in sentences if s.kind != "warning"]
    align = _ALIGN + "l" * results.fine_tuned
    lines += ["", markdown_table(comparison_header(results), comparison_rows(results), align)]
    lines += [f"{escape_markdown(note)}\n" for note in footnotes(results)]
    return "\n".join(lines)


def classification_markdown(results: Results) -> str:
    """Return ``classification_report.md``: one table a model, in the form of the paper's Table 2."""
    lines = [f"**{escape_markdown(text)}**\n" for text in warnings(results)]
    lines.append(f"# Classification report: {_escaped_title(results)}\n")
    for name, rows in results.classification.groupby("model", sort=False):
        trials = len(results.members[str(name)].members)
        lines.append(f"## {escape_markdown(results.titles[str(name)])}\n")
        if trials > 1:
            lines.append(f"Means over {trials} trials; support counts distinct test images.\n")
        lines.append(markdown_table(CLASS_HEADER, class_rows(rows), "lrrrrr"))
    absent = [results.titles[name] for name in results.records if name not in results.members]
    if absent:
        lines.append(f"No predictions: {escape_markdown(', '.join(absent))}.\n")
    lines += [f"{escape_markdown(note)}\n" for note in footnotes(results)]
    return "\n".join(lines)


def comparison_latex(results: Results) -> str:
    """Return ``comparison.tex``: a table for the LaTeX packages booktabs and graphicx."""
    header, align = comparison_header(results), _ALIGN + "l" * results.fine_tuned
    columns = (*_LATEX_COLUMNS, *range(len(_HEADER), len(header)))
    lines = [
        "% needs the packages booktabs and graphicx",
        r"\begin{table}[htbp]",
        r"\centering",
        rf"\caption{{{escape_latex(' '.join([*warnings(results), *footnotes(results)]))}}}",
        r"\resizebox{\linewidth}{!}{%",
        rf"\begin{{tabular}}{{{''.join(align[column] for column in columns)}}}",
        r"\toprule",
        _latex_row([header[column] for column in columns]),
        r"\midrule",
        *(_latex_row([row[column] for column in columns]) for row in comparison_rows(results)),
        r"\bottomrule",
        r"\end{tabular}}",
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def _latex_row(cells: list[str]) -> str:
    return " & ".join(map(escape_latex, cells)) + r" \\"


def _escaped_title(results: Results) -> str:
    run = results.folder.run
    return escape_markdown(f"{run.dataset.title}, protocol {run.protocol.name}")
