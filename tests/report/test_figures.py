"""Figures are made from what is stored, look the same every time, and show no cell unasked."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import matplotlib.image
import numpy as np
import pandas as pd
import pytest

from leukbench.errors import UsageError
from leukbench.report.figures import FIGURES, draw, possible, write_figures
from leukbench.report.figures.ranking import pareto_front
from leukbench.report.figures.style import rendered
from leukbench.report.hardest import hardest_images
from leukbench.report.results import Results
from leukbench.runfolder import RunFolder
from tests.fake_run import CONTROL, MODELS, FakeModel, make_run, write_trial_frame

PICTURES = {"samples", "prediction_examples"}
OF_ONE_SPLIT = {
    "comparison", "confusion", "per_class", "roc", "precision_recall", "calibration",
    "risk_coverage", "decision_curve", "learning_curves", "cost", "data_flow", "architecture",
    "hardest",
}  # fmt: skip


def names_of(results: Results, images: Path | None = None) -> set[str]:
    return {spec.name for spec in possible(results, images)}


def test_one_split_gives_all_figures_but_pictures_and_ranks(plain: RunFolder) -> None:
    assert names_of(Results(plain)) == OF_ONE_SPLIT


def test_folds_add_the_critical_difference(folded: RunFolder) -> None:
    assert names_of(Results(folded)) == OF_ONE_SPLIT | {"critical_difference"}


def test_images_add_the_pictures(pictured: tuple[RunFolder, Path]) -> None:
    folder, images = pictured
    assert names_of(Results(folder), images) == OF_ONE_SPLIT | PICTURES


def test_without_images_nothing_is_left_of_an_earlier_call_with_them(
    pictured: tuple[RunFolder, Path],
) -> None:
    folder, images = pictured
    names = {path.name for path in write_figures(folder, images)}
    assert {"samples.png", "samples.svg", "prediction_examples.png", "hardest.csv"} <= names
    write_figures(folder)
    left = {path.stem for path in (folder.path / "figures").iterdir()}
    assert left == OF_ONE_SPLIT
    assert "<image" not in (folder.path / "figures" / "hardest.svg").read_text(encoding="utf-8")


def test_pictures_show_the_images(pictured: tuple[RunFolder, Path]) -> None:
    folder, images = pictured
    for name in ("samples", "prediction_examples", "hardest"):
        figure = draw(folder, name, images)
        shown = [image for ax in figure.axes for image in ax.get_images()]
        assert shown, name
        assert shown[0].get_array().shape == (32, 32, 3)


@pytest.mark.parametrize("name", sorted(OF_ONE_SPLIT | {"critical_difference"}))
def test_every_figure_of_synthetic_smears_carries_the_word(folded: RunFolder, name: str) -> None:
    assert "SYNTHETIC" in rendered(draw(folded, name), "svg").decode("utf-8")


@pytest.mark.parametrize("name", ["comparison", "confusion", "roc"])
def test_same_run_gives_the_same_bytes(plain: RunFolder, name: str) -> None:
    for form in ("svg", "png"):
        first = rendered(draw(RunFolder(plain.path), name), form)
        assert rendered(draw(RunFolder(plain.path), name), form) == first


def test_figures_do_not_touch_the_callers_settings(plain: RunFolder) -> None:
    before = dict(matplotlib.rcParams)
    rendered(draw(plain, "comparison"), "png")
    assert dict(matplotlib.rcParams) == before


def test_confusion_shows_the_counts(plain: RunFolder) -> None:
    results = Results(plain)
    first = results.comparison["model"].iloc[0]
    shown = " ".join(text.get_text() for text in draw(results, "confusion").axes[0].texts)
    value = results.confusion[first].iloc[0, 0]
    assert f"({value:.0f})" in shown if value == round(value) else f"({value:.1f})" in shown


def test_published_values_are_drawn_beside_measured_ones(plain: RunFolder) -> None:
    ax = draw(plain, "comparison").axes[0]
    diamonds = [
        line for line in ax.get_lines() if line.get_marker() == "d" and len(line.get_xdata())
    ]
    assert sorted(float(line.get_xdata()[0]) for line in diamonds) == pytest.approx(
        [90.1, 96.83, 97.69]
    )


def test_names_are_drawn_to_the_letter(nasty: RunFolder) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name in ("confusion", "per_class", "data_flow", "comparison", "hardest"):
            text = rendered(draw(nasty, name), "svg").decode("utf-8")
            assert "<script" not in text
            assert "<b>A|B" not in text
    assert "$x^2$" in rendered(draw(nasty, "confusion"), "svg").decode("utf-8")


def test_hardest_images_are_those_that_most_models_get_wrong(plain: RunFolder) -> None:
    table = hardest_images(Results(plain)).set_index("image")
    frames = pd.concat(
        plain.predictions(r).assign(model=r.model) for r in plain.records if r.family != "probe"
    )
    wrong = frames["y_true"] != frames["y_pred"]
    expected = wrong.groupby([frames["image"], frames["model"]]).mean().groupby("image").mean()
    assert table["wrong"].is_monotonic_decreasing
    pd.testing.assert_series_equal(
        table["wrong"].sort_index(), expected.sort_index(), check_names=False
    )


def test_controls_and_probes_do_not_count_as_models_that_get_it_wrong(tmp_path: Path) -> None:
    folder = make_run(tmp_path, (*MODELS, CONTROL))
    assert set(hardest_images(Results(folder))["models"]) == {len(MODELS)}


def test_pareto_front_holds_what_nothing_cheaper_beats() -> None:
    costs, values = np.array([1.0, 2.0, 3.0, 3.0, 4.0]), np.array([0.5, 0.4, 0.8, 0.7, 0.8])
    assert pareto_front(costs, values) == [0, 2]


def test_run_of_failures_draws_what_it_can(tmp_path: Path) -> None:
    folder = make_run(tmp_path, (FakeModel("m", "M", "deep", 0.5, status="failed"),))
    names = {path.name for path in write_figures(folder)}
    assert names == {"data_flow.svg", "data_flow.png", "hardest.csv"}


def test_network_without_finite_probabilities_leaves_the_others_figures(tmp_path: Path) -> None:
    folder = make_run(tmp_path)
    record = folder.records[0]
    frame = folder.predictions(record)
    frame.loc[:, [name for name in frame.columns if name.startswith("p_")]] = np.nan
    write_trial_frame(folder, record, frame)
    figure = draw(RunFolder(tmp_path), "roc")
    titles = [ax.get_title() for ax in figure.axes if ax.get_visible()]
    assert len(titles) == len(MODELS) - 1


def test_twenty_classes_fit(tmp_path: Path) -> None:
    classes = tuple(f"class number {place}" for place in range(20))
    folder = make_run(tmp_path, MODELS[:2], classes=classes, images=400)
    for name in ("confusion", "per_class", "data_flow"):
        figure = draw(folder, name)
        assert max(figure.get_size_inches()) < 40


def test_unknown_figure_is_guessed_at(plain: RunFolder) -> None:
    with pytest.raises(UsageError, match="confusion"):
        draw(plain, "confusoin")


@pytest.mark.parametrize("name", ["samples", "critical_difference"])
def test_impossible_figure_says_what_it_needs(plain: RunFolder, name: str) -> None:
    with pytest.raises(UsageError, match=r"give their folder|run more models"):
        draw(plain, name)


def test_registry_names_every_figure_once() -> None:
    names = [spec.name for spec in FIGURES]
    assert len(set(names)) == len(names) == 18


def test_risk_over_coverage_says_the_area_of_each_model(tmp_path: Path) -> None:
    """Wrong answers are made the least sure: the area is that of the best order."""
    folder = make_run(tmp_path, MODELS[:1])
    record = folder.records[0]
    frame = folder.predictions(record)
    right = frame["y_true"] == frame["y_pred"]
    sure = np.where(right, 0.9, 0.6)
    for name in folder.classes:
        frame[f"p_{name}"] = np.where(frame["y_pred"] == name, sure, (1 - sure) / 3)
    write_trial_frame(folder, record, frame)
    (ax,) = draw(RunFolder(tmp_path), "risk_coverage").axes
    n, wrong = len(frame), int((~right).sum())
    best = sum(i / (n - wrong + i) for i in range(1, wrong + 1)) / n
    assert f"AURC {best:.3f} (best {best:.3f})" in ax.get_title()
    assert ax.get_lines()[0].get_ydata()[-1] == pytest.approx(wrong / n)


def test_the_decision_curve_shows_what_probabilities_of_right_answers_are_worth(
    tmp_path: Path,
) -> None:
    """Every answer is sure: at each threshold found cases less t / (1 - t) false alarms."""
    folder = make_run(tmp_path, MODELS[:1])
    record = folder.records[0]
    frame = folder.predictions(record)
    for name in folder.classes:
        frame[f"p_{name}"] = (frame["y_pred"] == name).astype(float)
    write_trial_frame(folder, record, frame)
    figure = draw(RunFolder(tmp_path), "decision_curve")
    (ax,) = figure.axes
    assert "Benign against the rest" in figure.get_suptitle()
    malignant, called = frame["y_true"] != "Benign", frame["y_pred"] != "Benign"
    found, alarms = (malignant & called).sum(), (~malignant & called).sum()
    thresholds, worth = ax.get_lines()[0].get_data()
    expected = (found - alarms * thresholds / (1 - thresholds)) / len(frame)
    assert worth == pytest.approx(expected)
    everything = ax.get_lines()[1].get_ydata()
    assert everything[9] == pytest.approx((malignant.sum() - (~malignant).sum()) / len(frame))


def test_there_is_no_decision_curve_where_no_class_is_benign(tmp_path: Path) -> None:
    folder = make_run(tmp_path, MODELS[:1])
    run = json.loads((tmp_path / "run.json").read_text(encoding="utf-8"))
    run["dataset"]["benign"] = ""
    (tmp_path / "run.json").write_text(json.dumps(run), encoding="utf-8")
    assert folder.benign == "Benign"
    assert "decision_curve" not in names_of(Results(RunFolder(tmp_path)))
