"""Forms in which papers print tables: spreads in headers, percent signs, reports of some classes."""

from __future__ import annotations

from pathlib import Path

import pytest

from leukbench.published import check_table
from leukbench.published.reading import parse_tables
from leukbench.published.reports import judge_report
from leukbench.published.rows import CONSISTENT

REPORT = """
              precision    recall  f1-score   support

     class A      0.590     0.600     0.595       185
     class B      0.178     0.719     0.286        32

   micro avg      0.423     0.618     0.502       217
   macro avg      0.384     0.659     0.440       217
weighted avg      0.530     0.618     0.550       217
"""


def test_a_part_of_the_classes_may_be_called_more_often_than_there_are_images() -> None:
    """188 and 129 of 217 listed images are called A and B: images of classes that are not listed."""
    (table,) = parse_tables(REPORT, "t", "t")
    verdict = judge_report(table)
    assert verdict.status == CONSISTENT
    ranges = verdict.fits["rounded"].ranges
    assert ranges["macro recall"][0] <= (111 / 185 + 23 / 32) / 2 <= ranges["macro recall"][1]
    assert not {"accuracy", "kappa", "mcc", "macro specificity"} & ranges.keys()
    wrong = REPORT.replace("0.384     0.659", "0.384     0.679")
    assert judge_report(parse_tables(wrong, "t", "t")[0]).status != CONSISTENT


@pytest.mark.parametrize(
    "header", ["accuracy ± sd", "Accuracy (mean ± SD)", "Mean accuracy", "acc. +/- std [%]"]
)
def test_a_spread_or_a_mean_in_the_header_makes_the_row_a_mean(header: str) -> None:
    (table,) = parse_tables(f"model,{header},recall\nx,97.6 ± 0.4,96.0 ± 1.1", "t", "t")
    assert [*table.rows[0].cells] == ["accuracy", "recall"]
    (plain,) = parse_tables(f"model,{header}\nx,97.6", "t", "t")
    assert plain.rows[0].mean and not plain.unread


@pytest.mark.parametrize("text", ["lr+,lr-", "LR+,LR-"])
def test_likelihood_ratios_are_no_spread(text: str) -> None:
    (table,) = parse_tables(f"model,recall,{text}\nx,0.9,9.0,0.11", "t", "t")
    assert table.rows[0].extras == {"lr+": "9.0", "lr-": "0.11"} and not table.rows[0].mean


def test_fractions_under_a_header_in_percent_are_fractions(tmp_path: Path) -> None:
    """TP 90, FP 10, FN 10, TN 90: 0.9 % accuracy would be impossible."""
    file = tmp_path / "t.csv"
    file.write_text(
        "model,Accuracy (%),Precision (%),Recall (%),kind\nx,0.900,0.900,0.900,binary\n", "utf-8"
    )
    assert check_table(str(file)).rows[0].status == CONSISTENT
    (table,) = parse_tables("model,Accuracy (%)\nx,97.6\ny,1.5\nz,0.976", "t", "t")
    assert [row.cells["accuracy"] for row in table.rows] == ["97.6%", "1.5%", "0.976"]
