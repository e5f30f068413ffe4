"""What the models go by stands on the page and in figures; pictures only where images are given."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from leukbench.checks.verify import verify_run
from leukbench.errors import DataError
from leukbench.report import write_report
from leukbench.report.figures import draw, possible
from leukbench.report.html import render_report
from leukbench.report.images import heat_strips, overlaid
from leukbench.report.results import Results
from leukbench.report.tables import write_tables
from leukbench.runfolder import HEAT_MAPS, IMPORTANCE, RunFolder
from tests.fake_explanations import GROUPS, explain_run, write_explanation
from tests.fake_run import FakeModel, make_run


@pytest.fixture(scope="module")
def explained(
    pictured: tuple[RunFolder, Path], tmp_path_factory: pytest.TempPathFactory
) -> tuple[RunFolder, Path]:
    """A run whose first trials left explanations, and the folder of its images."""
    folder, images = pictured
    copy = tmp_path_factory.mktemp("explained") / "run"
    shutil.copytree(folder.path, copy)
    return explain_run(RunFolder(copy)), images


def test_old_runs_without_explanations_have_neither_figure_nor_section(
    pictured: tuple[RunFolder, Path],
) -> None:
    results = Results(pictured[0])
    assert not {"importance", "gradcam"} & {spec.name for spec in possible(results, pictured[1])}
    assert "What the model relies on" not in render_report(results, {})


def test_importance_needs_no_images_and_heat_maps_do(explained: tuple[RunFolder, Path]) -> None:
    folder, images = explained
    assert {"importance", "gradcam"} & {spec.name for spec in possible(Results(folder))} == {
        "importance"
    }
    assert {"importance", "gradcam"} <= {spec.name for spec in possible(Results(folder), images)}


def test_importance_is_drawn_to_scale(explained: tuple[RunFolder, Path]) -> None:
    figure = draw(explained[0], "importance")
    assert [ax.get_title() for ax in figure.axes] == ["Random forest", "SVM (RBF)"]
    widths = [bar.get_width() for bar in figure.axes[0].patches]
    assert widths == pytest.approx([100 * drop for _, _, drop in GROUPS])


def test_heat_is_laid_over_the_images_and_where_it_was(explained: tuple[RunFolder, Path]) -> None:
    folder, images = explained
    figure = draw(folder, "gradcam", images)
    shown = [image.get_array() for ax in figure.axes for image in ax.get_images()]
    tested = folder.split.loc[folder.split["part"] == "test", "label"]
    networks, classes = 2, tested.nunique()
    assert len(shown) == (networks + 1) * classes
    plain, hot = shown[0].astype(float), shown[classes].astype(float)
    assert plain.shape == (32, 32, 3)
    # viridis: yellow where the heat is, dark purple where it is not
    assert hot[4:12, 4:12, 1].mean() > hot[20:28, 20:28, 1].mean() + 50


def test_overlay_keeps_the_picture_visible() -> None:
    picture = np.zeros((40, 40, 3), dtype=np.uint8)
    picture[:, 20:] = 255
    for heat in (0, 255):
        seen = overlaid(picture, np.full((5, 5), heat, dtype=np.uint8)).astype(int)
        assert (seen[:, 30] - seen[:, 10] > 100).all()


def test_each_model_says_what_it_goes_by_and_where_that_misleads(
    explained: tuple[RunFolder, Path],
) -> None:
    folder, images = explained
    results = Results(folder)
    page = render_report(results, heat_strips(results, images))
    assert page.count("What the model relies on") == 4
    assert page.count("<meter") == 2 * len(GROUPS)
    assert '<td class="number">12.5</td>' in page
    assert '<td class="number">-1.0</td>' in page
    assert page.count("no proof that there is none") == 2
    assert page.count("Where parts carry the same information") == 2
    assert page.count("24 × 24 cells") == 2, "the grid is that of the last feature map"
    assert page.count("data:image/jpeg") == 2
    assert "report RUN --images" not in page


def test_without_images_the_page_says_how_to_see_the_maps(
    explained: tuple[RunFolder, Path],
) -> None:
    page = render_report(Results(explained[0]), {})
    assert page.count("leukbench report RUN --images FOLDER") == 2
    assert "data:image/jpeg" not in page


def test_report_writes_the_figures_and_takes_the_pictures_away_again(
    explained: tuple[RunFolder, Path],
) -> None:
    folder, images = explained
    write_report(folder.path, images)
    figures = folder.path / "figures"
    assert {"importance.svg", "gradcam.png"} <= {path.name for path in figures.iterdir()}
    write_report(folder.path)
    left = {path.name for path in figures.iterdir()}
    assert "importance.svg" in left
    assert not any(name.startswith("gradcam") for name in left)
    assert "image/jpeg" not in (folder.path / "report.html").read_text(encoding="utf-8")


def test_images_of_another_dataset_are_refused(
    explained: tuple[RunFolder, Path], tmp_path: Path
) -> None:
    with pytest.raises(DataError, match="`images="):
        write_report(explained[0].path, tmp_path)


def test_reason_for_no_explanation_is_told(tmp_path: Path) -> None:
    facts = {"explanation": "The explanation failed: ended after 5 s (--timeout)"}
    model = FakeModel("m", "M", "deep", 0.9, facts=facts)
    page = render_report(Results(make_run(tmp_path, (model,))), {})
    assert "ended after 5 s (--timeout)" in page


@pytest.mark.parametrize(("family", "name"), [("deep", HEAT_MAPS), ("classical", IMPORTANCE)])
def test_damaged_explanation_is_named(tmp_path: Path, family: str, name: str) -> None:
    folder = make_run(tmp_path, (FakeModel("m", "M", family, 0.9),))
    write_explanation(folder, folder.records[0], name, b"PK no explanation")
    folder = RunFolder(tmp_path)
    with pytest.raises(DataError, match=name):
        folder.heat_maps(folder.records[0]) or folder.importance(folder.records[0])


def test_verify_names_an_explanation_that_was_changed(tmp_path: Path) -> None:
    folder = explain_run(make_run(tmp_path))
    write_tables(folder)
    assert verify_run(tmp_path) == []
    record = next(r for r in folder.records if HEAT_MAPS in r.files)
    path = folder.trial_path(record) / HEAT_MAPS
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    (found,) = verify_run(tmp_path)
    assert found.file.endswith(HEAT_MAPS)


def test_importance_comes_from_the_first_trial_that_has_it(tmp_path: Path) -> None:
    folder = make_run(tmp_path, seeds=(0, 1))
    late = next(r for r in folder.records if r.family == "classical" and r.seed == 1)
    data = b"feature,group,columns,drop,drop_std,accuracy,images,repeats\nf,g,1,0.5,0,1,9,5\n"
    write_explanation(folder, late, IMPORTANCE, data)
    assert list(Results(RunFolder(tmp_path)).importances) == [late.model]
