"""The sentences over every table say what the numbers, the audit and the probes say, and no more."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from leukbench.errors import DataError
from leukbench.report.audit_view import clean_accuracy, seen_copies
from leukbench.report.html import render_report
from leukbench.report.notes import reproduce_command
from leukbench.report.results import Results
from leukbench.report.tables import comparison_rows
from leukbench.report.verdict import verdict
from leukbench.runfolder import RunFolder
from tests.fake_run import MODELS, PROBE, FakeModel, make_run, write_trial_frame
from tests.report.conftest import audit_of_split


def texts(folder: RunFolder) -> list[str]:
    return [sentence.text for sentence in verdict(Results(folder))]


def test_clear_leader_leads(tmp_path: Path) -> None:
    models = (FakeModel("good", "Good", "deep", 0.99), FakeModel("bad", "Bad", "deep", 0.3))
    said = texts(make_run(tmp_path, models, images=600))
    assert any(s.startswith("Good (99.17 %") and "leads: every other" in s for s in said)


def test_one_seed_speaks_of_these_trained_models(tmp_path: Path) -> None:
    models = (FakeModel("good", "Good", "deep", 0.99), FakeModel("bad", "Bad", "deep", 0.3))
    once = texts(make_run(tmp_path / "once", models, images=600))
    thrice = texts(make_run(tmp_path / "thrice", models, images=600, seeds=(0, 1, 2)))
    assert sum("these trained models" in s for s in once) == 3
    assert not any("trained models" in s for s in thrice)


def test_a_leader_that_owes_it_to_neighbouring_files_does_not_lead(tmp_path: Path) -> None:
    models = (FakeModel("good", "Good", "deep", 0.99), FakeModel("bad", "Bad", "deep", 0.99))
    folder = make_run(tmp_path, models, images=800)
    (record,) = [r for r in folder.records if r.model == "bad"]
    frame = folder.predictions(record).sort_values(["y_true", "image"], ignore_index=True)
    classes = list(folder.classes)
    for row in range(20):
        other = classes[(classes.index(frame.loc[row, "y_true"]) + 1) % len(classes)]
        frame.loc[row, "y_pred"] = other
        frame.loc[row, [f"p_{c}" for c in classes]] = [float(c == other) for c in classes]
    write_trial_frame(folder, record, frame)
    said = texts(RunFolder(tmp_path))
    assert any(s.startswith("Good (") and "they are not." in s for s in said)
    assert any("neighbours as one group, Bad does not differ" in s for s in said)
    assert not any("leads" in s for s in said)


def test_a_run_of_degenerate_models_alone_ranks_nothing(tmp_path: Path) -> None:
    models = [replace(model, status="degenerate") for model in MODELS]
    said = texts(make_run(tmp_path, models))
    assert any(s.startswith("No model is ranked") for s in said)


def test_few_groups_are_a_warning(tmp_path: Path) -> None:
    folder = make_run(tmp_path)
    split = folder.split.copy()
    split["group"] = [f"patient {i % 6}" for i in range(len(split))]
    split.to_csv(tmp_path / "split.csv", index=False)
    said = verdict(Results(RunFolder(tmp_path)))
    assert any(s.kind == "warning" and "effectively" in s.text for s in said)


def test_equals_are_named(tmp_path: Path) -> None:
    models = (FakeModel("one", "One", "deep", 0.9), FakeModel("two", "Two", "deep", 0.9))
    said = texts(make_run(tmp_path, models))
    assert any(
        "has the highest accuracy" in s and "no significant difference between it and" in s
        for s in said
    )
    assert not any("leads" in s for s in said)


def test_models_on_fewer_folds_than_others_are_marked(tmp_path: Path) -> None:
    models = (FakeModel("some", "Some", "deep", 0.95), FakeModel("all", "All", "deep", 0.6))
    folder = make_run(tmp_path, models, folds=5)
    assert not any("all images" in s for s in texts(folder))
    for record in folder.records:
        if record.model == "some" and record.fold > 1:
            shutil.rmtree(folder.trial_path(record))
    results = Results(RunFolder(tmp_path))
    assert results.coverage == {"some": "2 of 5 folds"}
    said = verdict(results)
    warned = [s.text for s in said if s.kind == "warning" and "tested on all images" in s.text]
    assert len(warned) == 1 and "Some on 2 of 5 folds." in warned[0]
    assert "fewer than three folds" in warned[0]
    assert any(s.text.startswith("All (") and "only model that is ranked" in s.text for s in said)
    cells = {row[0]: row[7] for row in comparison_rows(results)}
    assert cells == {"Some": "2 (2 of 5 folds)", "All": "5"}
    assert "<small>2 of 5 folds</small>" in render_report(results, {})


def test_audit_is_told_with_the_accuracy_on_the_clean_rest(audited: RunFolder) -> None:
    said = " ".join(texts(audited))
    assert (
        "near-duplicates (0) and overlapping fields of view (5), 5 of 40 have a partner in" in said
    )
    assert "On the 35 test images without a partner in training, the best model, VGG16" in said


def test_nothing_is_said_of_partners_where_the_audit_found_none(tmp_path: Path) -> None:
    folder = make_run(tmp_path)
    assert folder.run.protocol.audit.allow_duplicates_across_split
    assert any("no audit has looked" in s for s in texts(folder))
    (tmp_path / "audit.json").write_text(json.dumps(audit_of_split(folder, leaked=0)))
    assert not any("duplicate" in s or "partner" in s for s in texts(RunFolder(tmp_path)))


def test_accuracy_on_clean_images_is_recomputed_from_the_predictions(audited: RunFolder) -> None:
    assert audited.audit is not None
    clean = set(audited.audit.split[0].clean)
    table = clean_accuracy(Results(audited)).set_index("model")
    frames = [audited.predictions(r) for r in audited.records if r.model == "svm_rbf"]
    kept = [frame[frame["image"].isin(clean)] for frame in frames]
    expected = sum(float((f["y_true"] == f["y_pred"]).mean()) for f in kept) / len(kept)
    assert table.loc["svm_rbf", "clean"] == pytest.approx(expected)


def test_broken_audit_is_named(tmp_path: Path) -> None:
    make_run(tmp_path, audit={"dataset": "fake"})
    with pytest.raises(DataError, match=r"audit\.json does not fit"):
        texts(RunFolder(tmp_path))


def test_shuffled_labels_above_chance_are_a_warning(tmp_path: Path) -> None:
    leak = FakeModel("probe_shuffled", "Control: colour with shuffled labels", "probe", 0.6)
    said = verdict(Results(make_run(tmp_path, (*MODELS, leak, PROBE))))
    assert any(s.kind == "warning" and "the split or the scoring leaks" in s.text for s in said)


def test_shuffled_labels_at_chance_are_none(tmp_path: Path) -> None:
    chance = FakeModel("probe_shuffled", "Control: colour with shuffled labels", "probe", 0.25)
    said = texts(make_run(tmp_path, (*MODELS, chance, PROBE)))
    assert not any("leaks" in s for s in said)


def test_published_value_within_the_interval_was_reproduced(tmp_path: Path) -> None:
    published = {"accuracy": "0.9", "source": "A paper", "same_data": True}
    folder = make_run(
        tmp_path, (FakeModel("m", "M", "deep", 0.9, published=published), *MODELS[1:])
    )
    run = folder.run.model_dump(mode="json")
    run["dataset"]["catalog"] = "all-pbs"
    (tmp_path / "run.json").write_text(json.dumps(run))
    said = texts(RunFolder(tmp_path))
    assert any(
        s.startswith("M: published 90 %, measured 90.00 %") and "value was reproduced" in s
        for s in said
    )


def test_copies_count_training_and_validation(plain: RunFolder) -> None:
    split = plain.split.copy()
    assert seen_copies(split) == (0, 40)
    split["sha256"] = "same"
    assert seen_copies(split) == (40, 40)
    split.loc[split["part"] != "test", "part"] = "embargo"
    assert seen_copies(split) == (0, 40)


def test_command_reproduces_models_and_seeds(tmp_path: Path) -> None:
    command = reproduce_command(Results(make_run(tmp_path, seeds=(0, 1), name="my smears")))
    assert command == "leukbench run-all --data 'my smears' --protocol paper"


def test_command_of_a_part_names_it(tmp_path: Path) -> None:
    folder = make_run(tmp_path, MODELS)
    run = folder.run.model_dump(mode="json")
    run["protocol"]["models"] = [*run["models"], "another"]
    run["protocol"]["seeds"] = [0, 1, 2]
    (tmp_path / "run.json").write_text(json.dumps(run))
    command = reproduce_command(Results(RunFolder(tmp_path)))
    assert command.endswith(
        "--protocol paper --models modified_cnn,vgg16,random_forest,svm_rbf --seeds 0"
    )
