"""Patients on both sides and rare classes are said over every table."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from leukbench.protocol import Protocol, Split
from leukbench.report.audit_view import divided_patients, rare_classes
from leukbench.report.results import Results
from leukbench.report.tables import classification_markdown, comparison_markdown
from leukbench.report.verdict import warnings
from tests.fake_run import FakeModel, make_run


def test_patients_on_both_sides_stand_in_the_first_line_of_every_table(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", groups=True, images=200)
    split = run.split
    held = split["part"] == "test"
    divided = set(split.loc[held, "group"]) & set(split.loc[~held, "group"])
    assert divided, "the made run has such patients"
    results = Results(run)
    (sentence,) = divided_patients(run)
    assert sentence.startswith(f"{len(divided)} of {split['group'].nunique()} patients")
    for table in (comparison_markdown(results), classification_markdown(results)):
        first = next(line for line in table.splitlines() if line and not line.startswith("#"))
        assert sentence in first


def test_whole_patients_on_one_side_need_no_sentence(tmp_path: Path) -> None:
    protocol = Protocol(name="fake", split=Split(policy="grouped"))
    run = make_run(tmp_path / "run", groups=True, protocol=protocol)
    assert divided_patients(run) == []


def test_proxy_groups_are_no_patients(tmp_path: Path) -> None:
    assert divided_patients(make_run(tmp_path / "run")) == []


def test_few_test_images_of_a_class_are_said(tmp_path: Path) -> None:
    many = Results(make_run(tmp_path / "many", models=(FakeModel("m", "M", "deep", 0.9),)))
    assert rare_classes(many) == []
    few = Results(make_run(tmp_path / "few", images=60))
    tested = few.folder.split[few.folder.split["part"] == "test"]["label"].value_counts()
    assert tested.min() < 5
    assert any("Few test images" in text for text in warnings(few))


def test_a_class_that_a_ranked_model_never_predicts_is_named(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", models=(FakeModel("m", "Model M", "deep", 0.9),))
    results = Results(run)
    matrix = results.confusion["m"]
    label = matrix.index[0]
    matrix.iloc[0, 1] += matrix.iloc[0, 0]
    matrix.iloc[:, 0] = 0.0
    (sentence,) = rare_classes(results)
    assert sentence == f"Never predicted, though tested: {label} by Model M."
    assert isinstance(matrix, pd.DataFrame)
