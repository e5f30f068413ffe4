"""What the tables promise: exact columns, recomputable numbers, an honest order, escaped names."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import accuracy_score, f1_score, precision_score, recall_score

from leukbench.report.results import Results, worst_status
from leukbench.report.tables import comparison_latex, comparison_markdown, write_tables
from leukbench.runfolder import RunFolder
from leukbench.score.summary import standing
from tests.fake_run import CLASSES, MODELS, PROBE, FakeModel, make_run
from tests.report.conftest import NASTY_TITLE

COLUMNS = [
    "model", "title", "family", "status", "trials", "accuracy", "accuracy_low", "accuracy_high",
    "precision", "recall", "specificity", "f1", "balanced_accuracy", "mcc", "auroc", "brier",
    "ece", "parameters", "flops", "train_seconds", "predict_ms_per_image", "peak_memory_mb",
    "published_accuracy", "published_source",
]  # fmt: skip


def comparison_table(folder: RunFolder) -> pd.DataFrame:
    return Results(folder).comparison


def classification_table(folder: RunFolder) -> pd.DataFrame:
    return Results(folder).classification


def test_comparison_has_the_columns_that_others_script_against(mixed: RunFolder) -> None:
    assert list(comparison_table(mixed).columns) == COLUMNS


def test_every_score_can_be_recomputed_from_the_stored_predictions(plain: RunFolder) -> None:
    table = comparison_table(plain).set_index("model")
    for model in table.index:
        frames = [plain.predictions(r) for r in plain.records if r.model == model]
        for column, score in {
            "accuracy": accuracy_score,
            "precision": lambda t, p: precision_score(t, p, average="macro"),
            "recall": lambda t, p: recall_score(t, p, average="macro"),
            "f1": lambda t, p: f1_score(t, p, average="macro"),
        }.items():
            expected = np.mean([score(f["y_true"], f["y_pred"]) for f in frames])
            assert table.loc[model, column] == pytest.approx(expected, abs=1e-12)


def test_ranked_models_first_then_controls_degenerate_failed_and_probes(mixed: RunFolder) -> None:
    table = comparison_table(mixed)
    assert list(table["model"]) == [
        "vgg16", "modified_cnn", "random_forest", "svm_rbf",
        "majority_class", "flat", "half", "broken", "probe_colour",
    ]  # fmt: skip
    assert table["accuracy"][:4].is_monotonic_decreasing


def test_failed_model_keeps_its_row_and_half_failed_one_says_so(mixed: RunFolder) -> None:
    table = comparison_table(mixed).set_index("model")
    assert table.loc["broken", "status"] == "failed"
    assert table.loc["broken", "trials"] == 0
    assert pd.isna(table.loc["broken", "accuracy"])
    assert table.loc["half", "status"] == "failed"
    assert table.loc["half", "trials"] == 1
    assert "half" not in set(Results(mixed).ranked["model"])
    text = comparison_markdown(Results(mixed))
    assert "Half is not ranked: 1 of 2 trials ended failed: the loss became NaN in epoch 3" in text


def test_costs_are_medians_over_trials(plain: RunFolder) -> None:
    table = comparison_table(plain).set_index("model")
    seconds = [r.fit_seconds for r in plain.records if r.model == "vgg16"]
    assert table.loc["vgg16", "train_seconds"] == np.median(seconds)
    assert table.loc["vgg16", "parameters"] == 74_052
    assert pd.isna(table.loc["svm_rbf", "parameters"])


def test_published_values_stay_as_printed_and_say_whose_data_they_are(tmp_path: Path) -> None:
    folder = make_run(tmp_path, name="all-pbs")
    run = json.loads((tmp_path / "run.json").read_text())
    run["dataset"]["catalog"] = "all-pbs"
    (tmp_path / "run.json").write_text(json.dumps(run))
    folder = RunFolder(tmp_path)
    table = comparison_table(folder).set_index("model")
    assert table.loc["modified_cnn", "published_accuracy"] == "97.69"
    assert table.loc["modified_cnn", "published_source"].endswith("; this data set")
    assert table.loc["random_forest", "published_source"].endswith("; another data set")
    assert table.loc["svm_rbf", "published_accuracy"] == "not reported"
    assert table.loc["svm_rbf", "published_source"] == ""
    text = comparison_markdown(Results(folder))
    assert "| 96.83 % † |" in text
    assert "| 97.69 % |" in text
    assert "could not be reproduced, the measured one is 12.7 points below it" in text


def test_other_data_are_told_once(tmp_path: Path) -> None:
    source = "A paper, Table 1; from another paper and other data"
    published = {"accuracy": "90.1", "source": source, "same_data": False}
    folder = make_run(tmp_path, (FakeModel("m", "M", "deep", 0.9, published=published),))
    (told,) = comparison_table(folder)["published_source"]
    assert told == "A paper, Table 1; from another paper; another data set"


def test_no_published_value_belongs_to_a_data_set_that_the_paper_did_not_use(
    plain: RunFolder,
) -> None:
    sources = comparison_table(plain)["published_source"]
    assert not sources.str.endswith("; this data set").any()


def test_classification_report_has_every_class_and_the_averages(plain: RunFolder) -> None:
    table = classification_table(plain)
    for _, rows in table.groupby("model"):
        assert list(rows["class"]) == [*CLASSES, "accuracy", "macro avg", "weighted avg"]
        assert rows["support"].iloc[:4].sum() == rows["support"].iloc[4] == 40


def test_macro_row_of_the_report_is_the_row_of_the_comparison(plain: RunFolder) -> None:
    macro = classification_table(plain).query("`class` == 'macro avg'").set_index("model")
    table = comparison_table(plain).set_index("model").loc[macro.index]
    for name in ("precision", "recall", "specificity", "f1"):
        np.testing.assert_allclose(macro[name], table[name], rtol=0, atol=1e-12)


def test_csv_keeps_full_precision(tmp_path: Path) -> None:
    folder = make_run(tmp_path, images=196)
    write_tables(folder)
    written = pd.read_csv(tmp_path / "comparison.csv")
    np.testing.assert_array_equal(written["accuracy"], comparison_table(folder)["accuracy"])


def test_all_tables_are_written_and_nothing_else_is_left(tmp_path: Path) -> None:
    folder = make_run(tmp_path)
    before = {path.name for path in tmp_path.iterdir()}
    written = {path.name for path in write_tables(folder)}
    assert written == {
        "comparison.csv", "comparison.md", "comparison.tex",
        "classification_report.csv", "classification_report.md",
    }  # fmt: skip
    assert {path.name for path in tmp_path.iterdir()} == before | written


def test_every_table_of_synthetic_smears_carries_the_word(tmp_path: Path) -> None:
    for path in write_tables(make_run(tmp_path, synthetic=True)):
        assert "SYNTHETIC" in path.read_text(encoding="utf-8"), path.name


def test_no_table_of_photographs_carries_it(tmp_path: Path) -> None:
    for path in write_tables(make_run(tmp_path)):
        assert "SYNTHETIC" not in path.read_text(encoding="utf-8"), path.name


def test_probe_within_the_best_models_interval_stands_in_the_first_line(tmp_path: Path) -> None:
    strong = FakeModel("probe_size", "Image size", "probe", 0.9)
    folder = make_run(tmp_path, (*MODELS, strong, PROBE), synthetic=True)
    write_tables(folder)
    for name in ("comparison.md", "classification_report.md"):
        first = (tmp_path / name).read_text(encoding="utf-8").splitlines()[0]
        assert "shortcut probe “Image size” (90.00 %) comes within the interval" in first
    assert "Image size" in re.findall(r"caption\{(.*?)\.", comparison_latex(Results(folder)))[0]


def test_weak_probe_is_no_warning(tmp_path: Path) -> None:
    text = comparison_markdown(Results(make_run(tmp_path, (PROBE, *MODELS))))
    assert not text.startswith("**A high accuracy here")
    assert "The best shortcut probe, “Six colour numbers, 5-NN”, reaches" in text


def test_copies_across_the_split_are_counted(tmp_path: Path) -> None:
    folder = make_run(tmp_path)
    split = folder.split.copy()
    test, train = split[split["part"] == "test"].index, split[split["part"] == "train"].index
    split.loc[test[:3], "sha256"] = split.loc[train[0], "sha256"]
    split.to_csv(tmp_path / "split.csv", index=False)
    text = comparison_markdown(Results(RunFolder(tmp_path)))
    assert "3 of 40 test images have a byte-identical copy in training" in text


def test_footnotes_say_what_the_numbers_are(folded: RunFolder) -> None:
    text = comparison_markdown(Results(folded))
    for said in (
        "TN / (TN + FP)", "each class against the rest", "corrected resampled t over 5 folds",
        "Groups are patients", "5 folds", "Protocol: paper, fingerprint", "Not for diagnosis",
    ):  # fmt: skip
        assert said in text


def test_footnotes_say_how_many_cores_the_times_were_taken_with(tmp_path: Path) -> None:
    folder = make_run(tmp_path)
    assert "Times were taken with 2 cores a trial." in comparison_markdown(Results(folder))
    first = next(r for r in folder.records if r.scored and r.family != "probe")
    path = tmp_path / "trials" / first.key / "record.json"
    record = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(record | {"jobs": 2, "threads": 1}), encoding="utf-8")
    assert (
        "with 2 cores a trial, or 2 trials side by side on 1 core each, so that they are not"
        in comparison_markdown(Results(RunFolder(tmp_path)))
    )


def test_names_stay_text_in_markdown(nasty: RunFolder) -> None:
    for path in write_tables(nasty):
        if path.suffix == ".md":
            text = path.read_text(encoding="utf-8")
            assert "<script>" not in text and "<b>" not in text
            for line in text.splitlines():
                if line.startswith("|") and "---" not in line:
                    cells = re.split(r"(?<!\\)\|", line)
                    assert len(cells) in (8, 13), line


def test_names_stay_text_in_latex(nasty: RunFolder) -> None:
    text = comparison_latex(Results(nasty))
    row = next(line for line in text.splitlines() if "script" in line)
    assert row.startswith(
        r"\textless{}script\textgreater{}alert('x')\textless{}/script\textgreater{} "
        r"A\textbar{}B\_C \& 100\%"
    )
    assert len(re.findall(r"(?<!\\)&", row)) == 8
    assert NASTY_TITLE not in text


def test_run_without_any_prediction_still_has_its_tables(tmp_path: Path) -> None:
    folder = make_run(tmp_path, (FakeModel("broken", "Broken", "deep", 0.5, status="timeout"),))
    write_tables(folder)
    table = pd.read_csv(tmp_path / "comparison.csv")
    assert list(table["status"]) == ["timeout"]
    assert "No model is ranked" in (tmp_path / "comparison.md").read_text(encoding="utf-8")


def test_same_run_gives_the_same_bytes(tmp_path: Path) -> None:
    folder = make_run(tmp_path, seeds=(0, 1))
    first = [path.read_bytes() for path in write_tables(folder)]
    assert [path.read_bytes() for path in write_tables(RunFolder(tmp_path))] == first


@pytest.mark.parametrize(
    ("family", "status", "place"),
    [("deep", "ok", 0), ("reference", "ok", 0), ("control", "ok", 1), ("deep", "degenerate", 2),
     ("control", "failed", 3), ("probe", "ok", 4), ("probe", "failed", 4)],
)  # fmt: skip
def test_standing(family: str, status: str, place: int) -> None:
    assert standing(family, status) == place


def test_status_of_a_model_is_that_of_its_worst_trial(mixed: RunFolder) -> None:
    half = [record for record in mixed.records if record.model == "half"]
    assert worst_status(half) == "failed"


def test_fine_tuned_networks_stand_in_no_ranking_without_a_column_that_says_so(
    tmp_path: Path,
) -> None:
    scratch = FakeModel("vgg16", "VGG-16", "deep", 0.8, parameters={"epochs": 3})
    tuned = FakeModel(
        "vgg16_native", "VGG-16 at 224", "deep", 0.9,
        parameters={"epochs": 3, "weights": "trained.keras " + "ab" * 32},
    )  # fmt: skip
    frozen = FakeModel(
        "efficientnet_lite0_frozen", "Frozen", "reference", 0.75,
        parameters={"weights": "imagenet " + "cd" * 32, "frozen": True},
    )  # fmt: skip
    trees = FakeModel("random_forest", "Random forest", "classical", 0.7)
    both = make_run(tmp_path / "both", [scratch, tuned, frozen, trees])
    table = comparison_table(both).set_index("model")
    assert list(table.columns)[-1] == "initial_weights"
    assert dict(table["initial_weights"]) == {
        "vgg16_native": "trained.keras (abababab)", "vgg16": "random", "random_forest": "",
        "efficientnet_lite0_frozen": "imagenet (cdcdcdcd), frozen",
    }  # fmt: skip
    write_tables(both)
    text = (both.path / "comparison.md").read_text()
    assert "| Initial weights |" in text and "trained.keras (abababab)" in text
    assert "Initial weights" in (both.path / "comparison.tex").read_text()

    alone = make_run(tmp_path / "alone", [scratch, trees])
    assert list(comparison_table(alone).columns) == COLUMNS
    write_tables(alone)
    assert "from random weights" in (alone.path / "comparison.md").read_text()
