"""Tables are read as users have them: scikit-learn's, pandas', this benchmark's own, and papers'."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import classification_report

from leukbench.published import check_table, read_table
from leukbench.published.reading import parse_tables, read_tables
from leukbench.published.tables import ClassRow, PublishedRow, PublishedTable
from tests.published.true_tables import RESULTS, predictions


def rows_of(text: str) -> tuple[PublishedRow, ...]:
    (table,) = parse_tables(text, "t", "t")
    return table.rows


def test_scikit_learns_report_is_read_as_text_and_as_pandas_writes_it(tmp_path: Path) -> None:
    true, called = predictions(np.random.default_rng(61), 3, 154)
    names = ["Early B", "0", "not a number"]
    text = str(classification_report(true, called, target_names=names, digits=4))
    frame = pd.DataFrame(classification_report(true, called, target_names=names, output_dict=True))
    texts = [text, frame.T.to_csv(), frame.to_csv()]
    tables: list[PublishedTable] = []
    for i, content in enumerate(texts):
        file = tmp_path / f"{i}.csv"
        file.write_text(content, encoding="utf-8")
        tables.append(read_table(file))
        report = check_table(str(file))
        assert report.exit_code == 0 and report.reports[0].matrices, content
    for table in tables:
        assert [c.name for c in table.classes] == names
        assert table.supports == tuple(np.bincount(true))
        assert {*table.averages} == {"accuracy", "macro avg", "weighted avg"}
        assert table.averages["accuracy"].cells.keys() == {"accuracy"}


def test_averages_are_never_taken_for_classes() -> None:
    text = "class,precision,recall,f1,support\na,1,1,1,4\nb,1,1,1,5\n"
    for name in ("avg / total", "avg/total", "Macro-Average", "micro avg", "samples avg"):
        (table,) = parse_tables(text + f"{name},1,1,1,9\n", "t", "t")
        assert [c.name for c in table.classes] == ["a", "b"] and len(table.averages) == 1, name


def test_spreads_percent_signs_and_missing_columns() -> None:
    ours, other = rows_of(
        "Method;Acc. (%);F1-score (%);Sens.\nours;97.6 ± 0.4;0.50 (0.1);98%\nother;97;96.5;–\n"
    )
    assert ours.cells == {"accuracy": "97.6%", "recall": "98%", "f1": "0.50"} and ours.mean
    assert other.cells == {"accuracy": "97%", "f1": "96.5%"} and not other.mean


@pytest.mark.parametrize(
    ("text", "kind", "mean"),
    [
        ("model,macro F1\nx,0.9", "macro", False),
        ("model,f1_weighted\nx,0.9", "weighted", False),
        ("model,f1\nx (micro avg),0.9", "micro", False),
        ("model,f1\nmean of 5 folds,0.9", "auto", True),
        ("model,f1,trials\nx,0.9,3", "auto", True),
        ("model,f1,trials\nx,0.9,1", "auto", False),
        ("model,f1,kind\nx,0.9,mean", "mean", True),
        ("model,samples precision\nx,0.9", "mean", True),
    ],
)
def test_the_averaging_is_taken_from_where_it_is_told(text: str, kind: str, mean: bool) -> None:
    (row,) = rows_of(text)
    assert (row.kind, row.mean) == (kind, mean)


def test_two_averages_in_one_header_are_two_rows() -> None:
    macro, weighted = rows_of("model,accuracy,macro F1,weighted F1\nx,0.91,0.85,0.90")
    assert macro.cells == {"accuracy": "0.91", "f1": "0.85"} and macro.kind == "macro"
    assert weighted.cells == {"accuracy": "0.91", "f1": "0.90"} and weighted.kind == "weighted"
    assert (macro.name, weighted.name) == ("x (macro)", "x (weighted)")


def test_an_unknown_column_is_named(tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    file.write_text("model,accuracy,AUPRC,epochs\nx,0.9,0.8,3\n", encoding="utf-8")
    report = check_table(str(file), images=20)
    assert "Columns that are not checked: AUPRC, epochs." in "\n".join(report.lines())
    file.write_text("class,precision,recall,f1,support,PR-AUC\na,1,1,1,4,1\nb,1,1,1,5,1\n", "utf-8")
    assert "PR-AUC" in "\n".join(check_table(str(file)).lines())


@pytest.mark.parametrize(
    "text",
    ["5,1\n0,4", "a,b\n5,1\n0,4", ",a,b\na,5,1\nb,0,4", "true\\predicted,a,b\na,5,1\nb,0,4"],
)
def test_a_confusion_matrix_itself_is_read(tmp_path: Path, text: str) -> None:
    file = tmp_path / "matrix.csv"
    file.write_text(text, encoding="utf-8")
    (verdict,) = check_table(str(file)).reports
    assert verdict.matrices == (((5, 1), (0, 4)),)
    assert verdict.fits["printed"].ranges["accuracy"] == (0.9, 0.9)


def test_a_class_without_images_and_a_specificity_of_each_class(tmp_path: Path) -> None:
    lines = ["class,precision,recall,specificity,f1,support", "a,0.8,0.8,0.75,0.8,5"]
    lines += ["b,0.75,0.75,0.80,0.75,4", "c,0,0,1,0,0", "accuracy,,,,0.78,9"]
    file = tmp_path / "t.csv"
    file.write_text("\n".join(lines), encoding="utf-8")
    assert check_table(str(file)).reports[0].matrices == (((4, 1, 0), (1, 3, 0), (0, 0, 0)),)
    file.write_text("\n".join(lines).replace("0.8,0.75,0.8,5", "0.8,0.60,0.8,5"), encoding="utf-8")
    report = check_table(str(file), kind="macro")
    assert report.exit_code == 1 and "specificity 0.60" in report.reports[0].hints[0]


@pytest.mark.parametrize("file", sorted(RESULTS.glob("*/classification_report.csv")), ids=str)
def test_our_own_reports_are_true(file: Path) -> None:
    tables = read_tables(file)
    assert tables and all(isinstance(c, ClassRow) for t in tables for c in t.classes)
    assert check_table(str(file)).exit_code == 0
