"""The figure that CONTRIBUTING.md shows to newcomers works: one file, and one entry in one list."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from matplotlib.figure import Figure

from leukbench.api import Run
from leukbench.report import write_report
from leukbench.report.figures import FIGURES
from leukbench.runfolder import RunFolder
from tests.examples.newcomer_figure import FOLD_ACCURACY
from tests.fake_run import MODELS, make_run


@pytest.fixture
def registered() -> Iterator[None]:
    FIGURES.append(FOLD_ACCURACY)
    yield
    FIGURES.remove(FOLD_ACCURACY)


@pytest.fixture
def run(folded: RunFolder) -> Run:
    return Run(folded.path)


@pytest.mark.usefixtures("registered")
def test_a_newcomers_figure_is_named_and_drawn(run: Run) -> None:
    assert run.figure_names()[-1] == "fold_accuracy"
    figure = run.figure("fold_accuracy")
    assert isinstance(figure, Figure)
    assert figure.get_suptitle().startswith("SYNTHETIC smears: Accuracy of each fold")
    (ax,) = figure.axes
    assert len(ax.get_lines()) == len(MODELS)


def test_it_is_not_there_before_it_is_listed(run: Run) -> None:
    assert "fold_accuracy" not in run.figure_names()


@pytest.mark.usefixtures("registered")
def test_a_newcomers_figure_stands_on_the_page_with_its_caption(tmp_path) -> None:
    write_report(make_run(tmp_path, MODELS[:2], folds=3).path)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert '<figure id="figure-fold_accuracy">' in page
    assert page.count(FOLD_ACCURACY.caption) == 2, "as alternative text and below the figure"
    assert (tmp_path / "figures" / "fold_accuracy.png").is_file()


@pytest.mark.usefixtures("registered")
def test_a_run_without_folds_leaves_the_figure_out(plain: RunFolder) -> None:
    assert "fold_accuracy" not in Run(plain.path).figure_names()
