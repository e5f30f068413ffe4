"""Figures of a run, from its stored predictions and histories alone; SVG and PNG.

Pictures of cells need the folder of images, and are left out without it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from matplotlib.figure import Figure

from leukbench.errors import UsageError, did_you_mean
from leukbench.files import write_bytes, write_text
from leukbench.report.figures import (
    architecture,
    classes,
    data,
    decisions,
    importance,
    learning,
    pictures,
    probabilities,
    ranking,
    selective,
)
from leukbench.report.figures.spec import FigureSpec
from leukbench.report.figures.style import finish, house_style, rendered
from leukbench.report.hardest import hardest_csv
from leukbench.report.results import Results
from leukbench.runfolder import RunFolder

FIGURES: list[FigureSpec] = [
    ranking.COMPARISON,
    ranking.CRITICAL_DIFFERENCE,
    classes.CONFUSION,
    classes.PER_CLASS,
    probabilities.ROC,
    probabilities.PRECISION_RECALL,
    probabilities.CALIBRATION,
    selective.RISK_COVERAGE,
    decisions.DECISION_CURVE,
    importance.IMPORTANCE,
    learning.LEARNING_CURVES,
    ranking.COST,
    data.DATA_FLOW,
    architecture.ARCHITECTURE,
    pictures.HARDEST,
    data.SAMPLES,
    pictures.PREDICTION_EXAMPLES,
    pictures.GRADCAM,
]
"""Every figure, in the order of the page."""


def possible(results: Results, images_root: Path | None = None) -> Iterator[FigureSpec]:
    """Give the figures that a run has what it takes for."""
    for spec in FIGURES:
        if (spec.images != "required" or images_root is not None) and spec.possible(results):
            yield spec


def draw(folder: RunFolder | Results, name: str, images_root: Path | None = None) -> Figure:
    """Draw one figure by its name; without the folder of images no picture of a cell is shown.

    `UsageError` where there is no such figure, or the run has not what it needs.
    """
    by_name = {spec.name: spec for spec in FIGURES}
    if name not in by_name:
        raise UsageError(
            f"There is no figure {name!r}{did_you_mean(name, by_name)}: take one of "
            f"{', '.join(by_name)}."
        )
    results = folder if isinstance(folder, Results) else Results(folder)
    spec = by_name[name]
    if spec.images == "required" and images_root is None:
        raise UsageError(f"The figure {name!r} shows images: give their folder as `images`.")
    if not spec.possible(results):
        raise UsageError(
            f"The figure {name!r} cannot be drawn from {results.folder.path}: no trial there left "
            "what it shows; run more models, seeds or folds."
        )
    with house_style():
        figure = spec.draw(results) if spec.images == "none" else spec.draw(results, images_root)
        return finish(figure, spec.title, synthetic=results.folder.synthetic)


def write_figures(
    folder: RunFolder, images_root: Path | None = None, results: Results | None = None
) -> list[Path]:
    """Write all possible figures into ``figures/`` as SVG and PNG, and ``hardest.csv``; return the paths.

    Figures of an earlier call that are not possible now are removed, pictures of cells among them.
    """
    results = results or Results(folder)
    figures = folder.path / "figures"
    written: list[Path] = []
    specs = set(possible(results, images_root))
    for spec in FIGURES:
        paths = {form: figures / f"{spec.name}.{form}" for form in ("svg", "png")}
        if spec not in specs:
            for path in paths.values():
                path.unlink(missing_ok=True)
            continue
        figure = draw(results, spec.name, images_root)
        for form, path in paths.items():
            write_bytes(path, rendered(figure, form))
        written += paths.values()
    write_text(figures / "hardest.csv", hardest_csv(results))
    return [*written, figures / "hardest.csv"]
