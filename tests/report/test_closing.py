"""The sentences that close a run on the terminal."""

from __future__ import annotations

from pathlib import Path

import pytest

from leukbench.cli.app import run_command_line
from leukbench.report import write_report
from leukbench.report.closing import closing_sentences
from tests.fake_run import MODELS, FakeModel, make_run


def probe(accuracy: float) -> FakeModel:
    return FakeModel("probe_colour", "Six colour numbers", "probe", accuracy)


def sentences(path: Path, models: tuple[FakeModel, ...]) -> list[str]:
    folder = make_run(path, models)
    write_report(path)
    return closing_sentences(folder)


@pytest.mark.parametrize(
    ("accuracy", "said"),
    [
        (0.25, "no better than chance: colour does not give these classes away"),
        (0.60, "better than chance: part of every accuracy here may be colour"),
        (0.97, "does not show that a model looks at cells"),
    ],
)
def test_the_colour_probe_is_put_in_words(tmp_path: Path, accuracy: float, said: str) -> None:
    first, colour, page = sentences(tmp_path, (*MODELS, probe(accuracy)))
    assert first.startswith("VGG16 has the highest accuracy, 90.00 %")
    assert "SVM (RBF) the lowest, 70.00 %" in first
    assert "most frequent class gives 30%" in first
    assert said in colour
    assert str(tmp_path / "report.html") in page


def test_without_a_probe_or_a_model_that_learned_it_says_so(tmp_path: Path) -> None:
    broken = FakeModel("svm_rbf", "SVM (RBF)", "classical", 0.25, status="degenerate")
    first, colour, _ = sentences(tmp_path, (broken,))
    assert first.startswith("No model learned enough to be ranked")
    assert colour.startswith("No colour probe was run")


def test_report_opens_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    make_run(tmp_path, MODELS)
    assert run_command_line(["report", str(tmp_path), "--open"]) == 0
    assert opened == [(tmp_path / "report.html").as_uri()]
