"""Items of guidelines are answered by what the run holds, and by nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import leukbench
from leukbench.checklists.fill import (
    COLUMNS,
    FACTS,
    UNKNOWN,
    checklist_markdown,
    checklist_table,
    fill,
    guideline,
    guidelines,
)
from leukbench.cli.app import run_command_line
from leukbench.errors import UsageError
from leukbench.protocol import Protocol, Split
from leukbench.report.results import Results
from leukbench.report.tables import write_tables
from leukbench.runfolder import RunFolder
from tests.fake_run import CONTROL, MODELS, PROBE, FakeModel, make_run

RESULTS = Path(__file__).parents[2] / "results"
ITEMS = {
    "tripod-ai": 52, "claim": 44, "reforms": 32, "probast-ai": 16 + 18, "stard-ai": 48,
    "model-card": 15, "data-card": 18,
}  # fmt: skip


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """Three models, a control and a probe; patients stand on both sides of the split."""
    path = tmp_path_factory.mktemp("checklists") / "run"
    folder = make_run(path, [*MODELS[:3], CONTROL, PROBE], seeds=(0, 1), groups=True)
    write_tables(folder)
    return Results(folder)


def told(run: RunFolder | Results, fact: str) -> str:
    return FACTS[fact].tell(run if isinstance(run, Results) else Results(run))


def test_every_guideline_has_its_items_and_every_fact_is_of_use() -> None:
    assert {name: len(guideline(name).items) for name in guidelines()} == ITEMS
    used = set()
    for name in guidelines():
        items = guideline(name).items
        assert len({item.number for item in items}) == len(items)
        assert all(item.facts or item.write for item in items)
        assert "doi:10." in guideline(name).source
        used |= {fact for item in items for fact in item.facts}
    assert used == set(FACTS)


def test_main_items_are_numbered_without_a_gap() -> None:
    for name, last in {"tripod-ai": 27, "claim": 44, "reforms": 8, "stard-ai": 40}.items():
        numbers = [int(item.number.rstrip("abcdefg")) for item in guideline(name).items]
        assert numbers == sorted(numbers)
        assert set(numbers) == set(range(1, last + 1))


def test_parts_are_counted_from_the_split(made: Results) -> None:
    counts = made.folder.split.groupby(["part", "label"]).size()
    text = told(made, "parts")
    for part in ("train", "test"):
        one = ", ".join(f"{label} {counts[part, label]}" for label in made.folder.classes)
        assert f"{part} {counts[part].sum()} ({one})" in text
    assert "validation" not in text


def test_scores_are_those_of_the_tables(made: Results) -> None:
    table = leukbench.Run(made.folder.path).comparison().set_index("model")
    text = told(made, "performance")
    assert f"VGG16 {100 * table.loc['vgg16', 'accuracy']:.2f} %" in text
    assert "Majority class" not in text
    assert "Six colour numbers" not in text
    shortcut = f"{100 * table.loc['probe_colour', 'accuracy']:.2f} %"
    assert f"Six colour numbers, 5-NN {shortcut}" in told(made, "shortcuts")
    assert "Majority class" in told(made, "baselines")
    best = leukbench.Run(made.folder.path).classification_report("vgg16").set_index("class")
    assert f"Early sensitivity {100 * best.loc['Early', 'recall']:.1f} %" in told(made, "per_class")


def test_patients_on_both_sides_are_told_and_those_apart_too(made: Results, tmp_path: Path) -> None:
    assert "patients have images both in training and in test" in told(made, "separation")
    assert "No audit looked for duplicates" in told(made, "separation")
    apart = Protocol(name="apart", split=Split(policy="grouped"))
    grouped = make_run(tmp_path / "apart", MODELS[:1], groups=True, protocol=apart)
    assert told(grouped, "separation").startswith("No patient has images both in training")
    nobody = make_run(tmp_path / "nobody", MODELS[:1])
    assert told(nobody, "separation").startswith("Patients are not known")
    assert told(nobody, "groups") == ""


def test_what_is_not_in_the_records_is_left_to_the_authors(made: Results) -> None:
    claim = {answer.item.number: answer for answer in fill(made, "claim")}
    assert (claim["44"].status, claim["44"].text) == ("for the authors", "")
    assert (claim["31"].status, claim["31"].write) == ("for the authors", UNKNOWN)
    assert (claim["25"].status, claim["25"].write) == ("from the records", "")
    assert claim["7"].status == "in part"
    assert claim["7"].write == "Add places and dates."


def test_the_proof_of_each_answer_is_there(made: Results) -> None:
    for name in guidelines():
        for answer in fill(made, name):
            assert all(any(made.folder.path.glob(file)) for file in answer.files)
            assert answer.files or not answer.text
            assert answer.text or answer.write
    assert "audit.json" not in {file for a in fill(made, "tripod-ai") for file in a.files}


def test_early_stopping_and_its_validation_part_decide_what_is_kept(tmp_path: Path) -> None:
    def kept(name: str, validation: float) -> str:
        protocol = Protocol.model_validate(
            {
                "name": name,
                "split": {"policy": "stratified", "validation_fraction": validation},
                "training": {"early_stopping": 3},
            }
        )
        folder = make_run(tmp_path / name, MODELS[:1], protocol=protocol)
        assert ("decides nothing" in told(folder, "isolation")) == (not validation)
        return told(folder, "choice")

    assert "the lowest validation loss" in kept("with", 0.2)
    assert "the weights of the last epoch" in kept("without", 0.0)


def test_pretrained_weights_are_told_apart_from_random_ones(tmp_path: Path) -> None:
    frozen = FakeModel(
        "efficientnet_lite0_frozen", "Frozen", "reference", 0.9,
        parameters={"weights": "imagenet " + "cd" * 32, "frozen": True},
    )  # fmt: skip
    scratch = FakeModel("vgg16", "VGG16", "deep", 0.8, parameters={"epochs": 3})
    folder = make_run(tmp_path / "run", [frozen, scratch, MODELS[2]])
    start = told(folder, "start")
    assert "imagenet (cdcdcdcd), frozen weights: Frozen" in start
    assert "random weights: VGG16" in start
    assert "Random forest" not in start


def test_markdown_flags_synthetic_images_and_names_stay_text(tmp_path: Path) -> None:
    classes = ("<b>x</b>", "a|b")
    folder = make_run(
        tmp_path / "run", MODELS[:1], classes=classes, name="*n*", synthetic=True
    )  # fmt: skip
    text = checklist_markdown(Results(folder), "data-card")
    assert "**SYNTHETIC: no number here says anything about patients.**" in text
    assert "<b>" not in text
    assert "&lt;b&gt;x&lt;/b&gt;" in text
    assert "*n*" not in text.replace("\\*n\\*", "")
    plain = checklist_markdown(Results(make_run(tmp_path / "real", MODELS[:1])), "data-card")
    assert "SYNTHETIC" not in plain


def test_command_line_and_python_say_the_same(
    made: Results, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(made.folder.path.rglob("*"))
    out = tmp_path / "filled.md"
    arguments = ["checklist", str(made.folder.path), "--for", "reforms"]
    assert run_command_line(arguments) == 0
    printed = capsys.readouterr().out
    assert run_command_line([*arguments, "--out", str(out)]) == 0
    assert printed == out.read_text(encoding="utf-8") == checklist_markdown(made, "reforms")
    table = leukbench.Run(made.folder.path).checklist("reforms")
    assert tuple(table.columns) == COLUMNS
    counts = table["status"].value_counts()
    assert f"32 items: {counts['from the records']} from the records" in printed
    assert sorted(made.folder.path.rglob("*")) == before


def test_an_unknown_name_is_refused_with_the_nearest(
    made: Results, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(UsageError, match=r"'tripod' \(did you mean tripod-ai\?\): choose from"):
        checklist_table(made, "tripod")
    assert run_command_line(["checklist", str(made.folder.path), "--for", "x"]) == 3
    assert "There is no checklist 'x'" in capsys.readouterr().err


def test_a_run_with_failed_trials_alone_is_answered_without_numbers(tmp_path: Path) -> None:
    failed = FakeModel("vgg16", "VGG16", "deep", 0.9, status="failed")
    folder = make_run(tmp_path / "run", [failed])
    results = Results(folder)
    for name in guidelines():
        for answer in fill(results, name):
            assert "nan" not in answer.text.lower()
    assert told(folder, "performance") == ""


def test_a_committed_run_is_answered() -> None:
    path = RESULTS / "all-pbs-smoke"
    folder = RunFolder(path)
    table = checklist_table(Results(folder), "tripod-ai").set_index("item")
    digest = json.loads((path / "run.json").read_text())["dataset_fingerprint"]
    assert digest in table.loc["5a", "answer"]
    assert table.loc["7", "files"] == "run.json audit.json"
